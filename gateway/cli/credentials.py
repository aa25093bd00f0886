"""`gateway credentials`: what each credential can still do, and what an operator may do with it."""

from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from gateway.cli.files import create
from gateway.cli.options import configuration, loaded
from gateway.config import Loaded

if TYPE_CHECKING:
    from gateway.cli.credentials_files import Taken
    from gateway.upstream import CredentialView

__all__ = ["credentials"]

_IDS = click.argument("ids", nargs=-1, required=True, metavar="ID...")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_UPSTREAM = click.option("--upstream", metavar="NAME", help="Only this upstream's.")


@click.group
def credentials() -> None:
    """See and manage the credentials of the pools.

    ID is an ID, or the start of one if that is unique, or an e-mail address. A running gateway with the same store
    applies every change by itself.
    """


def _command(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command of what takes the configuration, and the rest by name."""

    def command(work: Callable[..., None]) -> click.Command:
        @wraps(work)
        def run(config: str | None, no_config: bool, no_dotenv: bool, **given: Any) -> None:
            work(loaded(config, no_config=no_config, no_dotenv=no_dotenv), **given)

        return credentials.command(name)(configuration(_UPSTREAM(run)))

    return command


@_command("list")
@_JSON
def list_(found: Loaded, upstream: str | None, as_json: bool) -> None:
    """List the credentials: state, cool-downs, quota, project, use. Calls no upstream."""
    _show(found, _work("views", found, upstream, whole=as_json), as_json=as_json)


@_command("check")
@click.argument("ids", nargs=-1, metavar="[ID...]")
@_JSON
def check(found: Loaded, ids: tuple[str, ...], upstream: str | None, as_json: bool) -> None:
    """Check these credentials, or all, at their upstreams.

    Exits with 3 if none of them is usable, and with 1 if only some are; those that an operator disabled do not count.
    """
    views: Sequence[CredentialView] = _work("check", found, upstream, ids)
    _show(found, views, as_json=as_json)
    counted = [view for view in views if not _work("is_off", view)]
    failed = [view for view in counted if not _work("serves", view)]
    if len(failed) == len(counted):
        why = "none of them can serve a request" if views else "there are none"
        click.echo(f"nothing usable: {why}", err=True)
        raise SystemExit(3)
    if failed:
        click.echo(
            f"{len(failed)} of {len(counted)} cannot be used: {', '.join(view.id[:8] for view in failed)}", err=True
        )
        raise SystemExit(1)


@_command("enable")
@_IDS
@_JSON
def enable(found: Loaded, ids: tuple[str, ...], upstream: str | None, as_json: bool) -> None:
    """Enable credentials again. Cool-downs that the upstream asked for remain."""
    _show(found, _work("enable", found, upstream, ids), as_json=as_json)


@_command("disable")
@_IDS
@_JSON
def disable(found: Loaded, ids: tuple[str, ...], upstream: str | None, as_json: bool) -> None:
    """Disable credentials until they are enabled again."""
    _show(found, _work("disable", found, upstream, ids), as_json=as_json)


@_command("remove")
@_IDS
@_JSON
def remove(found: Loaded, ids: tuple[str, ...], upstream: str | None, as_json: bool) -> None:
    """Delete credentials permanently, with their tokens. Those of gateway.toml are removed there."""
    gone = _work("remove", found, upstream, ids)
    removed = [{"id": view.id, "upstream": view.upstream} for view in gone]
    lines = (f"removed {view.id[:8]} from upstream {view.upstream}" for view in gone)
    click.echo(msgspec.json.encode({"removed": removed}) if as_json else "\n".join(lines))


@_command("import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@_JSON
def import_(found: Loaded, file: Path, upstream: str | None, as_json: bool) -> None:
    """Import the accounts of a credentials file into the store; the file is only read.

    An account is recognized by the hash of its refresh token, then by its e-mail address; one that the store already
    has is not changed. A removed one is added again. Entries that are not accounts are named, exit code 1.
    `gateway import` also imports the settings of the other program.
    """
    taken: Taken = import_module("gateway.cli.credentials_files").import_(found, upstream, file)
    for note in taken.notes:
        click.echo(note, err=True)
    rows = [{"old": fate.old, "word": fate.word} for fate in taken.fates]
    lines = (f"{fate.old}: {fate.word}" for fate in taken.fates)
    click.echo(msgspec.json.encode({"upstream": taken.upstream, "accounts": rows}) if as_json else "\n".join(lines))
    for name, reason in taken.others.items():
        click.echo(f"{name} was not imported: it {reason}", err=True)
    if taken.others:
        raise SystemExit(1)


@_command("export")
@click.option("--secrets", is_flag=True, help="Include the refresh tokens and the client's secret.")
@click.argument("file", required=False, metavar="[FILE]", type=click.Path(path_type=Path))
def export(found: Loaded, secrets: bool, upstream: str | None, file: Path | None) -> None:
    """Write the accounts as a tokens.json, to standard output or into a new FILE that only you can read."""
    data: bytes = import_module("gateway.cli.credentials_files").export(found, upstream, secrets)
    if not secrets:
        click.echo("refresh tokens are masked, so this cannot be imported; --secrets includes them", err=True)
    if file is None or str(file) == "-":
        click.echo(data, nl=False)
    else:
        create(file, data.decode(), 0o600)


def _work(name: str, *given: object, **named: object) -> Any:
    return getattr(import_module("gateway.cli.credentials_work"), name)(*given, **named)


def _show(found: Loaded, views: "Sequence[CredentialView]", *, as_json: bool) -> None:
    text, hide = import_module("gateway.cli.credentials_text"), import_module("gateway.cli.hiding").hider(found)
    whole = {"credentials": [text.plain(view, hide) for view in views]}
    click.echo(msgspec.json.encode(whole) if as_json else text.table(views, hide))
