"""The Dockerfile: what a parser and a linter say, the wheel of its files, and its command in its environment.

No Docker daemon is asked. What is left out so is said in docs/deploying.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from shutil import copy2
from zipfile import ZipFile

import httpx
import pytest
from dockerfile_parse import DockerfileParser

from gateway.config import Config
from tests.packaging.fixtures import WHEEL
from tests.packaging.wheel import Built
from tests.patience import patient
from tests.processes import PROGRAMS, environment, gateway, running

ROOT = Path(__file__).parents[2]
FILE = ROOT / "Dockerfile"
HEALTH = ROOT / "deploy" / "health.py"


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> DockerfileParser:
    """Parse a copy: this parser may write."""
    return DockerfileParser(str(copy2(FILE, tmp_path_factory.mktemp("image") / "Dockerfile")))


def steps(parsed: DockerfileParser, *, stage: int) -> Iterator[tuple[str, str]]:
    at = -1
    for step in parsed.structure:
        at += step["instruction"] == "FROM"
        if at == stage:
            yield step["instruction"], step["value"]


def last(parsed: DockerfileParser) -> dict[str, str]:
    """Give the instructions of the image itself, of several the last."""
    return dict(steps(parsed, stage=1))


def copied(parsed: DockerfileParser) -> list[str]:
    """Give what is copied from the clone."""
    values = [value.split() for stage in (0, 1) for name, value in steps(parsed, stage=stage) if name == "COPY"]
    return [word for words in values if not words[0].startswith("--from") for word in words[:-1]]


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([PROGRAMS / "hadolint", FILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_context_is_what_is_copied_and_nothing_else(parsed: DockerfileParser) -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert sorted(rule[1:].rstrip("/") for rule in rules if rule.startswith("!")) == sorted(copied(parsed))
    assert set(rules[-2:]) == {"**/__pycache__", "**/*.py[co]"}


@WHEEL
def test_all_that_the_wheel_is_made_of_is_copied(parsed: DockerfileParser, built: Built) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    moved = {name: folder for name, folder in project["tool"]["setuptools"]["package-dir"].items() if "." in name}
    packages = {Path(name).parent.as_posix() for name in ZipFile(built.wheel).namelist() if ".dist-info/" not in name}
    folders = {moved.get(".".join(package.split("/")[:2]), package).split("/")[0] for package in packages}
    licenses = {name.split("/")[0] for name in project["project"]["license-files"]}
    files = {"pyproject.toml", project["project"]["readme"], *licenses}
    assert folders | files | {"deploy/health.py"} == set(copied(parsed))


def test_it_runs_as_a_user_without_rights(parsed: DockerfileParser) -> None:
    user, _, group = last(parsed)["USER"].partition(":")
    assert int(user) > 0
    assert int(group) > 0


def test_its_data_is_one_volume(parsed: DockerfileParser) -> None:
    end = last(parsed)
    assert json.loads(end["VOLUME"]) == [f"{end['WORKDIR']}/{Config().server.data_dir}"]


def test_it_says_the_port_of_the_gateway(parsed: DockerfileParser) -> None:
    assert last(parsed)["EXPOSE"] == str(Config().server.port)


def test_no_layer_holds_a_secret(parsed: DockerfileParser) -> None:
    given = " ".join(step["value"] for step in parsed.structure if step["instruction"] in ("ARG", "ENV")).upper()
    assert [word for word in ("KEY", "TOKEN", "PASSWORD", "SECRET") if word in given] == []


# its command, in its environment


def variables(parsed: DockerfileParser, home: Path) -> dict[str, str]:
    own = {name: value for name, value in parsed.envs.items() if name != "PATH"}
    assert own["HOST"] == "0.0.0.0"
    return environment(home) | own


def command(parsed: DockerfileParser) -> list[str | Path]:
    end = last(parsed)
    words: list[str] = [*json.loads(end["ENTRYPOINT"]), *json.loads(end["CMD"])]
    return [PROGRAMS / words[0], *words[1:]]


def test_without_a_key_it_does_not_start(parsed: DockerfileParser, tmp_path: Path) -> None:
    with running(command(parsed), tmp_path, variables(parsed, tmp_path)) as program:
        assert program.ends() == 2
        assert "there is no key: set auth.keys" in program.output


def test_variables_are_enough(parsed: DockerfileParser, tmp_path: Path) -> None:
    given = {"API_KEYS": '["sk-mine"]', "PORT": "0"}
    with running(command(parsed), tmp_path, variables(parsed, tmp_path) | given) as program:
        port = program.says(" on http://0.0.0.0:").partition("0.0.0.0:")[2].split()[0]
        address, key = f"http://127.0.0.1:{port}/v1/responses", {"authorization": "Bearer sk-mine"}
        asked = {"model": "demo", "input": "Hello"}
        assert httpx.post(address, json=asked, headers=key).status_code == 200
        assert httpx.post(address, json=asked).status_code == 401
    assert (tmp_path / "data" / "gateway.db").is_file()


# the health check


def check(folder: Path, **given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, HEALTH],
        cwd=folder,
        env=environment(folder) | given,
        capture_output=True,
        text=True,
        timeout=patient(20),
        check=False,
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
def test_a_gateway_that_lives_is_healthy(tmp_path: Path, host: str) -> None:
    with gateway(tmp_path) as program:
        port = program.url.rpartition(":")[2]
        assert check(tmp_path, HOST=host, PORT=port).returncode == 0


@pytest.mark.parametrize("host", ["::1", "[::1]", "::", "[::]"])
def test_a_gateway_at_an_address_of_ipv6_is_healthy(tmp_path: Path, host: str) -> None:
    with gateway(tmp_path, "--host", "[::1]") as program:
        address = program.says(" on http://[::1]:").split()[3]
        done = check(tmp_path, HOST=host, PORT=address.rpartition(":")[2])
    assert (done.returncode, done.stderr) == (0, "")


def test_the_port_of_gateway_toml_is_asked(tmp_path: Path) -> None:
    with gateway(tmp_path) as program:
        (tmp_path / "gateway.toml").write_text(f"[server]\nport = {program.url.rpartition(':')[2]}\n")
        assert check(tmp_path).returncode == 0


def test_a_proxy_for_the_outside_is_not_asked(tmp_path: Path) -> None:
    with gateway(tmp_path) as program:
        port = program.url.rpartition(":")[2]
        assert check(tmp_path, PORT=port, http_proxy="http://127.0.0.1:1").returncode == 0


def test_no_gateway_is_unhealthy(tmp_path: Path) -> None:
    done = check(tmp_path, PORT="1")
    assert (done.returncode, "refused" in done.stderr) == (1, True)


def test_a_configuration_that_is_wrong_is_unhealthy(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("[server]\nprot = 1\n")
    done = check(tmp_path)
    assert (done.returncode, "did you mean" in done.stderr) == (1, True)
