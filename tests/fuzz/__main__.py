"""`python -m tests.fuzz [TARGET …] [--minutes N] [--keep]`: fuzz every reader, ten minutes each.

    seeds + kept inputs ─► libFuzzer (atheris, `pip install atheris`) ─► findings, and with --keep the new corpus

A finding ends its target. It stands as a file in the folder that is named: `python -m tests.fuzz.machine TARGET FILE`.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from tempfile import mkdtemp

from .corpus import keep, keep_findings, kept
from .seeds import seeds, words
from .targets import TARGETS

_LIMITS = ("-max_len=6000", "-timeout=60", "-rss_limit_mb=2048", "-verbosity=0", "-print_final_stats=1")


def main() -> int:
    """Fuzz one target after the other; the exit code is the number of those with a finding."""
    parser = ArgumentParser(prog="python -m tests.fuzz", description="Fuzz every reader.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(TARGETS)}")
    parser.add_argument("--minutes", type=float, default=10, help="for each target (default: 10)")
    parser.add_argument("--keep", action="store_true", help="keep what was found in tests/fuzz/corpus")
    given = parser.parse_args()
    unknown = set(given.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    folder = Path(mkdtemp(prefix="gateway-fuzz-"))
    print(f"findings go to {folder}", flush=True)
    return sum([not _fuzz(name, folder / name, given.minutes, keeps=given.keep) for name in given.targets or TARGETS])


def _fuzz(name: str, folder: Path, minutes: float, *, keeps: bool) -> bool:
    """Fuzz one target; give whether it stood."""
    begun = [*seeds(name), *kept(name)]
    inputs, found = folder / "inputs", folder / "found"
    for place in (inputs, found):
        place.mkdir(parents=True)
    _put(inputs, begun)
    dictionary = folder / "words"
    dictionary.write_bytes(b"".join(b'"%b"\n' % word for word in words(begun) or [name.encode()]))  # never empty
    began = time.monotonic()
    options = (f"-max_total_time={minutes * 60:.0f}", f"-artifact_prefix={found}/", f"-dict={dictionary}")
    stood, said = _run(name, folder, *options, *_LIMITS, str(inputs))
    runs = next((line.split()[-1] for line in said if "number_of_executed_units" in line), "?")  # it did not start
    findings = ", ".join(str(file) for file in found.iterdir()) or ("none" if stood else "it failed")
    print(f"{name}: {(time.monotonic() - began) / 60:.1f} min, {runs} runs, findings: {findings}", flush=True)
    if not stood:
        print("\n".join(said[-40:]), flush=True)
    if keeps and runs != "?":
        count = keep(name, (file.read_bytes() for file in inputs.iterdir()), begun=seeds(name))
        keep_findings(name, (file.read_bytes() for file in found.iterdir()))
        print(f"{name}: {count} inputs kept", flush=True)
    return stood


def _run(name: str, folder: Path, *options: str) -> tuple[bool, list[str]]:
    log = folder / "log"
    command = [sys.executable, "-m", "tests.fuzz.machine", name, *options]
    with log.open("w") as file:
        code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
    said = log.read_text(errors="replace").splitlines()
    return code == 0, [line for line in said if not line.startswith("INFO: Instrumenting")]


def _put(folder: Path, inputs: Iterable[bytes]) -> None:
    for data in inputs:
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


if __name__ == "__main__":
    raise SystemExit(main())
