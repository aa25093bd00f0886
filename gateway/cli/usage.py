"""`gateway usage`: what requests took, and what that costs."""

from importlib import import_module
from typing import TYPE_CHECKING

import click

from gateway.cli.options import configuration, loaded
from gateway.store.reports import BY

if TYPE_CHECKING:
    from gateway.store.reports import Report

__all__ = ["usage"]


@click.command
@configuration
@click.option("--by", type=click.Choice(BY), default="key", show_default=True, help="What to group by.")
@click.option("--since", metavar="WHEN", help="From then on: 2026-11-01, 2026-11-01T12:00:00Z, or 7d, 12h, 30m ago.")
@click.option("--until", metavar="WHEN", help="Until then; a day counts as a whole.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def usage(
    config: str | None, no_config: bool, no_dotenv: bool, by: str, since: str | None, until: str | None, as_json: bool
) -> None:
    """Sum up requests, tokens and money, by when the requests began. Days are those of UTC.

    Counts what has ended up to now on this machine, with the gateway running or not. Money is by the prices that held
    when a request ended: those of [usage.price], else list prices; ? = no price is known.
    """
    found = loaded(config, no_config=no_config, no_dotenv=no_dotenv)
    work = import_module("gateway.cli.usage_work")
    report: Report = work.report(found, by, since, until)
    click.echo(work.as_json(report) if as_json else work.table(report))
