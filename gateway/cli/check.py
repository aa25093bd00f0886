"""`gateway check`: every effective value, where it comes from, and what is not in effect. No network."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from tempfile import TemporaryDirectory

import click
import msgspec
from msgspec.structs import replace

from gateway.cli.options import configuration, loaded, quiet
from gateway.cli.unfit import refused_bind, unfit
from gateway.config import ConfigError, KeyPath, Loaded, Problem, Row, Secret, missing_extras, refuses_bind, report
from gateway.registry import Group, namesakes

__all__ = ["check"]


@click.command
@configuration
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(config: str | None, no_config: bool, no_dotenv: bool, as_json: bool) -> None:
    """Check the configuration without starting anything."""
    found = loaded(config, no_config=no_config, no_dotenv=no_dotenv)
    rows = report(found)
    if as_json:
        click.echo(msgspec.json.encode([row.plain() for row in rows]))
    else:
        click.echo(_table(found, rows))
    for path, effect, why in import_module("gateway.fit").unwritable(found):
        click.echo(f"warning: {found.problem(path, f'cannot be written: {why}')}; {effect}", err=True)
    for problem in found.misspelt:
        click.echo(f"warning: {problem}", err=True)
    for namesake in _namesakes(found):
        click.echo(f"warning: {namesake}", err=True)
    unmade, astray = _made(found)
    for lost in astray:
        click.echo(f"warning: {lost}", err=True)
    problems = _problems(found, unmade)
    if problems:
        click.echo("\n".join(map(str, problems)), err=True)
        raise SystemExit(2)


def _namesakes(found: Loaded) -> Iterator[Problem]:
    """Name what has the name of a part that is used, and is not used itself."""
    config = found.config
    order = (name for name in config.pipeline.order if name not in config.middleware)
    parts: list[tuple[KeyPath, Group, str]] = [
        *((("upstream", name), "gateway.adapters", one.type) for name, one in config.upstream.items()),
        *((("pipeline", "order"), "gateway.middleware", name) for name in order),
    ]
    for path, group, name in parts:
        for other in namesakes(group, name):
            yield found.problem(path, f'"{other}" is also registered as "{name}", and is not used')


def _problems(found: Loaded, unmade: Sequence[Problem]) -> list[Problem]:
    """Say what `gateway run` would refuse besides what loading has."""
    refusal = refuses_bind(found.config, stored_keys=_has_stored_keys(found))
    parts = [*unmade, *missing_extras(found)]  # the one of a database, without which all is made
    return [*dict.fromkeys([*parts, *unfit(found), *refused_bind(found, refusal)])]


def _made(found: Loaded) -> tuple[Sequence[Problem], Sequence[Problem]]:
    """Make everything as for reading only; say of what that fails, else which names lead nowhere.

    A database is not asked, so what upstreams were once heard to list is known from data_dir only.
    """
    config = quiet(found).config
    with TemporaryDirectory() as empty:
        if config.store.database:
            store, server = replace(config.store, database=Secret("")), replace(config.server, data_dir=empty)
            config = replace(config, store=store, server=server)
        try:
            made = import_module("gateway.app").Gateway(replace(found, config=config, read_only=True))
            astray = made.services.resolver.astray()
            written = ((path, message) for path, message in astray if found.source(path).kind != "default")
            return (), [found.problem(path, message) for path, message in written]
        except ConfigError as error:
            return error.problems, ()


def _has_stored_keys(found: Loaded) -> bool:
    """Tell whether keys were made at run time; a database is not asked, and may have some."""
    if found.config.store.database or refuses_bind(found.config) is None:
        return True
    try:
        return bool(import_module("gateway.cli.keys_work").stored(found))
    except ConfigError:
        return False


def _table(found: Loaded, rows: list[Row]) -> str:
    width = max(len(row.key) for row in rows)
    lines = [f"{row.key:{width}}  {row.value}   ({row.source}){_note(row)}" for row in rows]
    idle = sum(not row.in_effect for row in rows)
    return "\n".join(
        [
            f"configuration: {found.file or 'none, built-in defaults'}",
            *lines,
            f"{len(rows)} values, {idle} of them not in effect",
        ]
    )


def _note(row: Row) -> str:
    return "" if row.in_effect else f"   not in effect: {row.reason}"
