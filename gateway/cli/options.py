"""Options that several commands share, and the configuration they lead to."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from gateway.config import ConfigError, Loaded, load

__all__ = ["configuration", "loaded"]

_F = TypeVar("_F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("-c", "--config", metavar="FILE", help="The gateway.toml to use."),
    click.option("--no-config", is_flag=True, help="Read no gateway.toml, only the environment."),
    click.option("--no-dotenv", is_flag=True, help="Do not read .env."),
)


def configuration(command: _F) -> _F:
    """Add the options that say which configuration is meant."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def loaded(config: str | None, *, no_config: bool, no_dotenv: bool, flags: dict[str, object] | None = None) -> Loaded:
    """Load the configuration; print every problem and exit 2 when it cannot be used."""
    try:
        found = load(config, no_config=no_config, dotenv=not no_dotenv, overrides=flags)
    except ConfigError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    if str(found.folder) not in sys.path:
        sys.path.append(str(found.folder))  # a middleware of one's own may stand beside the configuration
    return found
