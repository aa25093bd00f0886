"""Build a release from the newest commit: `python -m deploy.release [--into dist]`, which needs `--group release`.

    *.tar.gz, *.whl   each built twice, in two folders; another hash the second time ends it
    bom.cdx.json      all that an installation with every extra holds, in CycloneDX
    SHA256SUMS        of the three

The times in all of them are the commit's, so whoever builds the same commit gets the same hashes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parents[1]
BILL = "bom.cdx.json"
_UMASK = 0o022  # a wheel has the rights of the files that it is made of


def main() -> None:
    """Build it."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release")
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="the folder for what is built")
    into: Path = parser.parse_args().into.resolve()
    epoch = int(_run(("git", "log", "-1", "--format=%ct"), cwd=ROOT))
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first", "second"):
            sources = Path(folder, name, "sources")
            _check_out(sources)
            distributions(sources, Path(folder, name, "dist"), epoch)
        hashes = sums(Path(folder, "first", "dist"))
        if sums(Path(folder, "second", "dist")) != hashes:
            raise SystemExit("the second build of the same commit is another one: nothing was written")
        for name in hashes:
            (into / name).write_bytes(Path(folder, "first", "dist", name).read_bytes())
        wheel = next(into / name for name in hashes if name.endswith(".whl"))
        bill(wheel, Path(folder, "installed"), into / BILL, epoch)
    hashes[BILL] = sums(into)[BILL]
    text = "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))
    (into / "SHA256SUMS").write_text(text, "utf-8")
    sys.stdout.write(text)


def distributions(sources: Path, into: Path, epoch: int) -> None:
    """Build the source distribution, and the wheel from it; the same sources give the same bytes."""
    build = (sys.executable, "-m", "build", "--outdir", into)
    variables = {"SOURCE_DATE_EPOCH": str(epoch)}
    _run((*build, "--sdist", sources), variables)
    source = next(into.glob("*.tar.gz"))
    source.write_bytes(repacked(source, epoch))
    unpacked = into.parent / "unpacked"
    with tarfile.open(source) as archive:
        archive.extractall(unpacked, filter="data")
    _run((*build, "--wheel", next(unpacked.iterdir())), variables)


def repacked(source: Path, epoch: int) -> bytes:
    """Give an archive in which neither the machine nor the time of its packing shows."""
    plain, packed = BytesIO(), BytesIO()
    with tarfile.open(source) as old, tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as new:
        for member in sorted(old.getmembers(), key=lambda one: one.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    with gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=epoch) as file:
        file.write(plain.getvalue())
    return packed.getvalue()


def bill(wheel: Path, environment: Path, file: Path, epoch: int) -> None:
    """Install a wheel with every extra where nothing else is, and list what is there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    venv.EnvBuilder(symlinks=True).create(environment)
    python = environment / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "--python", python)
    _run((*pip, "install", f"{wheel}[{','.join(project['optional-dependencies'])}]"))
    listed(python, file, epoch)


def listed(python: Path, file: Path, epoch: int) -> None:
    """Write the bill of materials of an environment."""
    lister = (sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--output-format", "JSON")
    metadata = ("--pyproject", ROOT / "pyproject.toml", "--mc-type", "application", "--output-file", file)
    _run((*lister, *metadata, python), {"SOURCE_DATE_EPOCH": str(epoch)})


def sums(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of each file."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir() if file.is_file()}


def _check_out(folder: Path) -> None:
    """Give the newest commit's files, without what else lies about."""
    folder.mkdir(parents=True)
    archive = subprocess.run(("git", "archive", "HEAD"), cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S607
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder, filter="tar")  # two of the links lead to folders beside theirs


def _run(command: tuple[str | Path, ...], variables: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a program; give what it prints, or end with that."""
    words = [str(word) for word in command]
    environment = {**os.environ, **(variables or {})}
    done = subprocess.run(  # noqa: S603
        words, cwd=cwd, env=environment, capture_output=True, text=True, check=False, umask=_UMASK
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
