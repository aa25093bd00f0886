"""`gateway keys`: make, list and revoke the keys of callers, beside a running gateway or without one."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click
import msgspec

from gateway.cli.options import configuration, loaded

__all__ = ["keys"]

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group
def keys() -> None:
    """Make and revoke callers' API keys.

    A running gateway with the same store applies every change within a second.
    """


@keys.command
@configuration
@click.argument("name")
@click.option(
    "--models", multiple=True, metavar="GLOB", help="Only these models, by the names that clients use; repeatable."
)
@click.option("--upstreams", multiple=True, metavar="NAME", help="Only these upstreams; repeatable.")
@click.option("--scopes", multiple=True, metavar="SCOPES", help="chat, admin, metrics; by default chat.")
@click.option("--expires", metavar="DATE", help="When it expires, such as 2027-01-01; by default never.")
@click.option("--limit", "limits", multiple=True, metavar="NAME=N", help="requests_per_minute=60; repeatable.")
@_JSON
def new(config: str | None, no_config: bool, no_dotenv: bool, as_json: bool, **said: Any) -> None:
    """Make a key, and print it: it is shown only this once, and only its hash is stored.

    A limit is concurrent, or requests, tokens or usd per second, minute, hour, day or month.
    """
    found = loaded(config, no_config=no_config, no_dotenv=no_dotenv)
    made: dict[str, object] = _work("make", found, said)
    if warning := _work("unserved", found, said):
        click.echo(warning, err=True)
    try:
        _tell(made, as_json=as_json)
    except OSError:
        click.echo(f"the key {made['name']!r} could not be shown, so it was revoked", err=True)
        _work("revoke", found, made["name"])
        raise


def _tell(made: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(made))
        return
    click.echo(f"the key {made['name']!r}, shown this once:", err=True)
    click.echo(made["secret"])


@keys.command("list")
@configuration
@_JSON
def list_(config: str | None, no_config: bool, no_dotenv: bool, as_json: bool) -> None:
    """List the keys, those of gateway.toml first. The keys themselves are neither stored nor shown."""
    found = loaded(config, no_config=no_config, no_dotenv=no_dotenv)
    rows = _work("rows", found)
    click.echo(msgspec.json.encode({"keys": _work("plain", rows)}) if as_json else _work("table", rows))


@keys.command
@configuration
@click.argument("name")
def revoke(config: str | None, no_config: bool, no_dotenv: bool, name: str) -> None:
    """Revoke a key that was made at run time: every running gateway rejects it within a second."""
    found = loaded(config, no_config=no_config, no_dotenv=no_dotenv)
    _work("revoke", found, name)
    click.echo(f"{name}: revoked")


def _work(name: str, *given: object) -> Any:
    return getattr(import_module("gateway.cli.keys_work"), name)(*given)
