"""`gateway models`: every name that callers can use."""

from importlib import import_module
from typing import TYPE_CHECKING

import click
import msgspec

from gateway.cli.options import configuration, loaded
from gateway.legible import aligned, legible

if TYPE_CHECKING:
    from gateway.cli.models_ask import Asked, Model

__all__ = ["models"]

_THINKS = {True: "yes", False: "no", None: "?"}


@click.command
@configuration
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def models(config: str | None, no_config: bool, no_dotenv: bool, as_json: bool) -> None:
    """List every model name that a caller can use, where it leads, and its limits in tokens.

    The upstreams are asked for their lists, for 20 seconds at most; if one does not respond, its last list is used,
    else the one that comes with the gateway. Exits with 3 if no upstream is usable, or no model is listed and no
    upstream responds.
    """
    found = loaded(config, no_config=no_config, no_dotenv=no_dotenv)
    asked: Asked = import_module("gateway.cli.models_ask").ask(found)
    click.echo(msgspec.json.encode(asked) if as_json else _table(asked))
    if not as_json:
        click.echo("\n".join(_notes(asked)), err=True)
    if not asked.usable:
        why = "requests would get 503" if asked.models else "no model is listed, and no upstream responds"
        click.echo(f"nothing usable: {why}", err=True)
        raise SystemExit(3)


def _table(asked: "Asked") -> str:
    head = ("MODEL", "LEADS TO", "INPUT", "OUTPUT", "THINKING", "VARIANT")
    return "\n".join(aligned([head, *map(_row, asked.models)]))


def _row(model: "Model") -> tuple[str, ...]:
    return (
        legible(model.name),
        ", ".join(map(legible, model.upstreams)) or "nowhere",
        _number(model.max_input),
        _number(model.max_output),
        _THINKS[model.thinking],
        " ".join(reversed(model.variants)),
    )


def _number(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)


def _notes(asked: "Asked") -> list[str]:
    """Say how each upstream is, and whose list is an older one, or none."""
    old = "this is an older list of it" if asked.models else "it returned no list"
    notes = (
        f"upstream {one.name}: {one.state}" + (f"; {old}: {one.trouble}" if one.trouble else "")
        for one in asked.upstreams
    )
    return [legible(note) for note in notes]
