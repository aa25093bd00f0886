"""`gateway check`: every effective value, where it comes from, and what is not in effect yet. No network."""

import click
import msgspec

from gateway.cli.options import configuration, loaded
from gateway.config import ConfigError, Row, refuses_bind, report

__all__ = ["check"]


@click.command
@configuration
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(config: str | None, no_config: bool, no_dotenv: bool, as_json: bool) -> None:
    """Check the configuration without starting anything."""
    from gateway.app import check as check_pipeline  # loads the server, which the other commands do without

    found = loaded(config, no_config=no_config, no_dotenv=no_dotenv)
    rows = report(found)
    if as_json:
        click.echo(msgspec.json.encode([_plain(row) for row in rows]))
    else:
        click.echo(f"configuration: {found.file or 'none, built-in defaults'}")
        _print(rows)
    try:
        check_pipeline(found)
    except ConfigError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    refusal = refuses_bind(found.config)
    if refusal is not None:
        click.echo(f"`gateway run` will refuse this: {refusal}", err=True)
        raise SystemExit(2)


def _print(rows: list[Row]) -> None:
    width = max(len(row.key) for row in rows)
    for row in rows:
        note = "" if row.in_effect else f"   not in effect yet: {row.reason}"
        click.echo(f"{row.key:{width}}  {row.value}   ({row.source}){note}")


def _plain(row: Row) -> dict[str, object]:
    return {
        "key": row.key,
        "value": row.value,
        "source": row.source,
        "in_effect": row.in_effect,
        "reason": row.reason or None,
    }
