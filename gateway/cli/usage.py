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
@click.option("--since", metavar="WHEN", help="The start: 2026-11-01, 2026-11-01T12:00:00Z, or 7d, 12h, 30m ago.")
@click.option("--until", metavar="WHEN", help="The end, in the same forms; a day is included.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def usage(
    config: str | None, no_config: bool, no_dotenv: bool, by: str, since: str | None, until: str | None, as_json: bool
) -> None:
    """Sum up requests, tokens and cost, by when the requests began. Days are in UTC.

    Counts all requests that have ended on this machine, whether the gateway is running or not. Costs are by the prices
    at the end of each request: those of [usage.price], else list prices; ? = no known price.
    """
    found = loaded(config, no_config=no_config, no_dotenv=no_dotenv)
    work = import_module("gateway.cli.usage_work")
    report: Report = work.report(found, by, since, until)
    click.echo(work.as_json(report) if as_json else work.table(report))
