"""What the distributions hold, and what an installed wheel does without any file around it."""

from __future__ import annotations

import subprocess
import tarfile
import tomllib
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

from tests.packaging.fixtures import WHEEL
from tests.packaging.wheel import ROOT, Built, python_of
from tests.processes import environment

pytestmark = WHEEL

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
INSTALLED_AS = {"gateway": "gateway", "middleware": "gateway/middleware", "adapters": "gateway/adapters"}
# loaded when store.redis or metrics.otlp is set
OF_EXTRAS = {
    *(f"gateway/store/{name}.py" for name in ("notices", "shared_limits", "signatures")),
    *(f"gateway/telemetry/{file.name}" for file in (ROOT / "gateway/telemetry").glob("*.py")),
}
OF_ALEMBIC = {"gateway/store/migrations/env.py"}  # run by Alembic, in a migration only
ENTRY_POINTS = """
from importlib.metadata import distribution
for point in distribution("asgi-llm-gateway").entry_points:
    point.load()
    print(point.group, point.name, point.value)
"""


def sources() -> set[str]:
    """List the modules as they are to be installed."""
    return {
        f"{package}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, package in INSTALLED_AS.items()
        for path in (ROOT / folder).rglob("*.py")
        if not {"middleware", "adapters"} & set(path.relative_to(ROOT / folder).parts[:-1])
    }


def run(programs: Path, folder: Path, *command: str) -> str:
    """Run an installed program; give what it prints."""
    done = subprocess.run(
        [str(programs / command[0]), *command[1:]],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_holds_every_module_below_gateway(built: Built) -> None:
    names = ZipFile(built.wheel).namelist()
    assert {name for name in names if name.endswith(".py")} == sources()


def test_wheel_installs_no_other_top_level_name(built: Built) -> None:
    tops = {PurePosixPath(name).parts[0] for name in ZipFile(built.wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"gateway"}


@pytest.mark.parametrize("path", ["gateway/py.typed", ".dist-info/licenses/LICENSE"])
def test_wheel_says_that_it_is_typed_and_how_it_is_licensed(built: Built, path: str) -> None:
    assert any(name.endswith(path) for name in ZipFile(built.wheel).namelist())


def test_source_distribution_holds_the_readme_the_license_and_the_examples(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {PurePosixPath(name).name for name in archive.getnames()}
    assert {"README.md", "LICENSE", "pyproject.toml", "py.typed", ".env.example", "tokens.json.example"} <= names


def test_source_distribution_holds_no_tests_without_what_they_need(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        assert [name for name in archive.getnames() if "tests" in PurePosixPath(name).parts] == []


def test_every_entry_point_loads(programs: Path, tmp_path: Path) -> None:
    groups = {**PROJECT["entry-points"], "console_scripts": PROJECT["scripts"]}
    declared = {(group, name, value) for group, points in groups.items() for name, value in points.items()}
    loaded = run(programs, tmp_path, "python", "-c", ENTRY_POINTS).splitlines()
    assert {tuple(line.split()) for line in loaded} == declared


def test_version_command_prints_the_version(programs: Path, tmp_path: Path) -> None:
    first = run(programs, tmp_path, "gateway", "version").splitlines()[0]
    assert first.split() == [PROJECT["name"], PROJECT["version"]]


def test_importing_gateway_loads_neither_server_nor_client(programs: Path, tmp_path: Path) -> None:
    code = "import gateway, sys; print(*sys.modules)"
    loaded = set(run(programs, tmp_path, "python", "-c", code).split())
    assert "gateway" in loaded
    assert not {"uvicorn", "aiohttp", "starlette"} & loaded


def test_version_command_loads_neither_server_nor_client(programs: Path, tmp_path: Path) -> None:
    code = "import sys; from gateway.cli import main\ntry: main(['version'])\nexcept SystemExit: print(*sys.modules)"
    loaded = set(run(programs, tmp_path, "python", "-c", code).splitlines()[-1].split())
    assert "gateway.cli" in loaded
    assert not {"uvicorn", "aiohttp"} & loaded


def test_wheel_needs_nothing_that_it_does_not_declare(programs: Path, tmp_path: Path) -> None:
    code = "import sys, importlib\nfor name in sys.argv[1:]: importlib.import_module(name)"
    modules = [
        source.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for source in sorted(sources())
        if not source.endswith("__main__.py") and source not in OF_EXTRAS | OF_ALEMBIC
    ]
    run(programs, tmp_path, "python", "-c", code, *modules)


def test_the_page_comes_along(built: Built, programs: Path, tmp_path: Path) -> None:
    folder = ROOT / "gateway" / "admin"
    found = [file for kind in ("static", "templates") for file in (folder / kind).rglob("*") if file.is_file()]
    files = {f"gateway/admin/{file.relative_to(folder).as_posix()}" for file in found}
    assert "gateway/admin/static/vendor/htmx.min.js" in files
    assert files <= set(ZipFile(built.wheel).namelist())
    code = "from gateway.admin.pages import Pages; print(*Pages()._templates.list_templates())"
    assert "credentials.html" in run(programs, tmp_path, "python", "-c", code).split()


def test_interpreter_is_the_one_of_the_environment(programs: Path, tmp_path: Path) -> None:
    code = "import gateway; print(gateway.__file__)"
    assert Path(run(programs, tmp_path, "python", "-c", code).strip()).is_relative_to(python_of(programs).parents[1])
