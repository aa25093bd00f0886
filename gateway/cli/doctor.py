"""`gateway doctor`: what is wrong with this set-up, and what to do about each thing."""

from importlib import import_module
from typing import TYPE_CHECKING

import click
import msgspec

from gateway.cli.options import configuration, loaded
from gateway.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.cli.doctor_finding import Finding

__all__ = ["doctor"]


@click.command
@configuration
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(config: str | None, no_config: bool, no_dotenv: bool, as_json: bool) -> None:
    """Check the configuration, files, port, network, clock, store, credentials and clients.

    Every credential is tried at its upstream, which takes a few seconds. Each finding is ok, a warning or a problem,
    with one thing to do about it. Exits with 1 if there is a problem, with 2 if the configuration is invalid. No secret
    is printed.
    """
    part = import_module("gateway.cli.doctor_work")  # loads every upstream
    refused = False
    try:
        found = loaded(config, no_config=no_config, no_dotenv=no_dotenv)
        findings: Sequence[Finding] = part.examine(found, dotenv=not no_dotenv)
    except ConfigError as error:
        findings, refused = part.unreadable(error), True
    written = import_module("gateway.cli.doctor_finding").text
    click.echo(msgspec.json.encode({"findings": findings}) if as_json else written(findings))
    raise SystemExit(2 if refused else any(finding.level == "problem" for finding in findings))
