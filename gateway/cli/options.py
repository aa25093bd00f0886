"""Options that several commands share, and the configuration they lead to."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click
from msgspec.structs import replace

from gateway.config import Loaded, Problem, load
from gateway.routes import DIALECTS

__all__ = ["address", "configuration", "dialects", "filled", "loaded", "quiet"]

_F = TypeVar("_F", bound=Callable[..., Any])

_KEY: Final = "gateway.encryption_key"  # its place beside the command's own values


def filled(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    """Refuse what is given but empty, as by a variable that is not set: without a key the store would be in clear."""
    if given is not None and not given.strip():
        raise click.BadParameter("is empty")
    return given


def _given(context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value := filled(context, option, value):
        click.echo("warning: --encryption-key is visible in `ps`; --encryption-key-file is not", err=True)
        context.meta[_KEY] = value


def _in_file(context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value := filled(context, option, value):
        context.meta.setdefault(_KEY, f"file:{Path(value).resolve()}")


_OPTIONS = (
    click.option("-c", "--config", metavar="FILE", type=click.Path(), callback=filled, help="The gateway.toml to use."),
    click.option("--no-config", is_flag=True, help="Read no gateway.toml, only the environment."),
    click.option("--no-dotenv", is_flag=True, help="Do not read .env."),
    click.option(
        "-ek",
        "--encryption-key",
        metavar="KEY",
        expose_value=False,
        is_eager=True,  # before the file, over which it wins
        callback=_given,
        help="The key of the credential store; visible in `ps`.",
    ),
    click.option(
        "--encryption-key-file",
        type=click.Path(),
        expose_value=False,
        callback=_in_file,
        help="A file with the key.",
    ),
)


def address(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    """Accept the address of a gateway."""
    if given is not None and not _is_address(given):
        raise click.BadParameter(f"{given!r} is not a URL such as http://127.0.0.1:8045")
    return given


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError:  # of the port, of an address in brackets, of a name
        return False


def dialects(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a dialect."""
    return [name for name in DIALECTS if name.startswith(incomplete)]


def configuration(command: _F) -> _F:
    """Add the options that say which configuration is meant, and the key of its store, which `loaded` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def loaded(config: str | None, *, no_config: bool, no_dotenv: bool, flags: dict[str, object] | None = None) -> Loaded:
    """Load the configuration; raise ConfigError when it cannot be used."""
    if config is not None and no_config:
        raise click.UsageError("choose one: --config or --no-config")
    key = click.get_current_context().meta.get(_KEY)
    overrides = {**(flags or {}), **({"store.encryption_key": key} if key else {})}
    found = load(config, no_config=no_config, dotenv=not no_dotenv, overrides=overrides, besides=_besides)
    _import_beside(found)
    return found


def quiet(found: Loaded) -> Loaded:
    """Let the command say what happens, and not the log."""
    return replace(found, config=replace(found.config, log=replace(found.config.log, level="critical", file="")))


def _besides(found: Loaded) -> list[Problem]:
    """Say what the start would refuse, too; this loads every middleware."""
    _import_beside(found)
    problems: list[Problem] = import_module("gateway.cli.unfit").unfit(found)
    return problems


def _import_beside(found: Loaded) -> None:
    """Let a middleware of one's own stand beside the configuration."""
    if str(found.folder) not in sys.path:
        sys.path.append(str(found.folder))
