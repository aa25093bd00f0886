"""`gateway version`: what is installed, for a person and for a program."""

import json
import platform
from importlib.metadata import version

from tests.gateway.cli.conftest import Run


def test_the_version_stands_first(run: Run) -> None:
    lines = run("version").out.splitlines()
    assert lines[0].split() == ["asgi-llm-gateway", version("asgi-llm-gateway")]
    assert lines[1].split()[:3] == ["python", platform.python_implementation(), f"{platform.python_version()},"]


def test_the_parts_follow(run: Run) -> None:
    said = [line.split() for line in run("version").out.splitlines()]
    assert all([part, version(part)] in said for part in ("starlette", "uvicorn", "aiohttp", "msgspec"))


def test_a_program_gets_the_same(run: Run) -> None:
    said = json.loads(run("version", "--json").out)
    assert (said["name"], said["version"]) == ("asgi-llm-gateway", version("asgi-llm-gateway"))
    assert said["parts"]["uvicorn"] == version("uvicorn")
