"""Every command with its arguments and options, as the command line declares them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import click

from gateway.cli import _gateway as group

from .tables import table

__all__ = ["written"]

_INTRO: Final = """\
# Commands and options

`gateway` alone is `gateway run`. [Commands](../commands.md) explains what they are for; `-h` prints what this page has.
"""
_SHARED_TITLE: Final = """\
## Configuration options

Every command marked with *configuration* has these options.
"""
_CONFIGURATION: Final = ("--config", "--no-config", "--no-dotenv", "--encryption-key", "--encryption-key-file")


def written() -> str:
    """Write the page."""
    run = group.commands["run"]
    shared = [one for one in run.params if isinstance(one, click.Option) and one.opts[-1] in _CONFIGURATION]
    parts = [_INTRO, _SHARED_TITLE, table(("option", "means"), map(_option, shared)) + "\n"]
    for name, command in _commands(group, "gateway"):
        parts.append(_section(name, command))
    return "\n".join(parts)


def _commands(parent: click.Group, before: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in parent.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{before} {name}")
        else:
            yield f"{before} {name}", command


def _section(name: str, command: click.Command) -> str:
    given = {one.opts[-1] for one in command.params if isinstance(one, click.Option)}
    shares = given.issuperset(_CONFIGURATION)
    arguments = [one.make_metavar(click.Context(command)) for one in command.params if isinstance(one, click.Argument)]
    marks = ["*configuration*"] if shares else []
    usage = " ".join([name, *arguments])
    said = " ".join((command.help or "").split())
    lines = [f"## {name}\n", f"`{usage}` {' '.join(marks)}".rstrip() + "\n", f"{said}\n"]
    own = [
        one
        for one in command.params
        if isinstance(one, click.Option) and not (shares and one.opts[-1] in _CONFIGURATION)
    ]
    if own:
        lines.append(table(("option", "means"), map(_option, own)) + "\n")
    return "\n".join(lines)


def _option(option: click.Option) -> tuple[str, str]:
    names = ", ".join(f"`{name}{_value(option)}`" for name in option.opts)
    help_ = " ".join((option.help or "").split())
    if isinstance(option.type, click.Choice):
        help_ += " One of " + ", ".join(f"`{choice}`" for choice in option.type.choices) + "."
    return names, help_


def _value(option: click.Option) -> str:
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Path):
        return " FILE"
    if isinstance(option.type, click.types.IntParamType):
        return " N"
    return f" {option.metavar or (option.name or '').upper()}"
