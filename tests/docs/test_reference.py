"""docs/reference.md names every command, option, exit code, error code, path and header."""

import inspect
import re
from pathlib import Path

import click
import pytest

from gateway import errors
from gateway.cli import _gateway as group
from gateway.config import load
from gateway.errors import GatewayError
from gateway.middleware.families import FAMILIES
from gateway.routes import match

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "reference.md").read_text("utf-8")
ERRORS = [
    error
    for _, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, GatewayError) and error.code is not None
]
SOURCES = [file for folder in ("gateway", "middleware") for file in (ROOT / folder).rglob("*.py")]


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def options(of: click.Command = group) -> list[str]:
    commands = [of]
    for command in commands:
        commands += command.commands.values() if isinstance(command, click.Group) else ()
    parameters = [one for command in commands for one in command.params]
    return sorted({word for one in parameters if isinstance(one, click.Option) for word in one.opts})


@pytest.mark.parametrize("name", list(group.commands))
def test_every_command_is_described(name: str) -> None:
    assert f"| `gateway {name}`" in section("Commands")


@pytest.mark.parametrize("option", options())
def test_every_option_is_described(option: str) -> None:
    assert re.search(rf"`(gateway )?{re.escape(option)}[ `]", section("Commands"))


ROWS = re.findall(r"^\| (`-[^|]*) \| ([^|]*) \|", section("Commands"), re.MULTILINE)


OTHERS = {"--version", "-ek", "--encryption-key", "--encryption-key-file"}  # of the command itself, and of nearly all


@pytest.mark.parametrize("option", sorted(set(options()) - OTHERS))
def test_every_option_is_described_for_the_commands_that_have_it(option: str) -> None:
    having = {name for name, command in group.commands.items() if option in options(command)}
    named = [commands for words, commands in ROWS if re.search(rf"`{re.escape(option)}[ `]", words)]
    assert {word.split()[0] for commands in named for word in re.findall(r"`([^`]+)`", commands)} == having


def test_every_option_that_is_described_exists() -> None:
    described = re.findall(r"`(--?[a-z][a-z-]*)", section("Commands"))
    assert set(described) - set(options()) <= {"-h", "--help"}


@pytest.mark.parametrize("code", range(5))
def test_every_exit_code_is_described(code: int) -> None:
    assert f"| {code} |" in section("Exit codes")


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error.__name__))
def test_every_error_code_is_described_with_its_status(error: type[GatewayError]) -> None:
    assert f"| `{error.code}` | {error.status} |" in section("Errors")


def test_every_error_code_that_is_described_exists() -> None:
    described = set(re.findall(r"^\| `(\w+)`", section("Errors"), re.MULTILINE))
    assert described == {error.code for error in ERRORS}


def test_the_variables_that_are_described_set_their_keys(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text("utf-8")
    rows = re.findall(r"^\| `(GATEWAY_\w+)=(.*?)` \| `(\w+)` of `\[(.*?)\]`", page, re.MULTILINE)
    (tmp_path / "gateway.toml").write_text('[upstream.my-box]\ntype = "openai"\n')
    environ = {variable: value for variable, value, _, _ in rows}
    loaded = load(tmp_path / "gateway.toml", environ=environ)
    assert len(rows) == 3
    for variable, _, key, table in rows:
        assert str(loaded.source((*table.split("."), key))) == f"env {variable}"


@pytest.mark.parametrize(
    "header",
    sorted(
        {
            name
            for file in SOURCES
            for name in re.findall(r'b"(x-gateway-[\w-]+|x-should-retry|retry-after)"', file.read_text("utf-8"))
        }
    ),
)
def test_every_reply_header_is_described(header: str) -> None:
    assert f"`{header}" in section("Reply headers")


METRICS = {f"gateway_{one.name}{'_total' * (one.kind == 'counter')}": one.labels for one in FAMILIES} | {
    "gateway_credentials": ("upstream", "state"),
    "gateway_cooldowns": ("upstream",),
    "gateway_redis_up": (),
    "gateway_config_rejected": (),
    "gateway_workers": (),
    "gateway_build_info": ("version",),
}


def test_every_metric_is_described_with_its_labels_and_no_other() -> None:
    described = re.findall(r"^\| `(gateway_\w+)` \|([^|]*)\|", section("Metrics"), re.MULTILINE)
    assert len(described) == len(METRICS)
    assert {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in described} == METRICS


def test_every_path_that_is_described_is_served() -> None:
    paths = re.findall(r"`(GET|POST) (/(?:v1|openai)[^`]*)`", section("Paths"))
    routes = [match(method, path.replace("{id}", "demo"), {}) for method, path in paths]
    assert len(routes) > 5
    assert [route for route in routes if route.error is not None] == []


@pytest.mark.parametrize(
    "file", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")), ids=lambda file: file.name
)
def test_links_to_files_lead_somewhere(file: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", file.read_text("utf-8"))
    assert [link for link in links if not (file.parent / link).exists()] == []
