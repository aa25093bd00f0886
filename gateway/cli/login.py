"""`gateway login`: log a Google account in, and keep it in the credential store."""

from importlib import import_module
from typing import TYPE_CHECKING

import click

from gateway.cli.options import configuration, loaded
from gateway.legible import legible

if TYPE_CHECKING:
    from gateway.cli.login_work import LoggedIn

__all__ = ["login"]


@click.command
@configuration
@click.option("--upstream", metavar="NAME", help="The upstream for the account, if there are several.")
@click.option("--no-browser", is_flag=True, help="Open no browser, only print the link.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def login(
    config: str | None, no_config: bool, no_dotenv: bool, upstream: str | None, no_browser: bool, as_json: bool
) -> None:
    """Log a Google account in, with an OAuth client of your own.

    A browser opens Google's page; the link is also printed. If the browser runs on another machine, its last page
    cannot be shown: paste the address of that page. A running gateway uses the account at once. Exits with 1 if no
    account was added.
    """
    work = import_module("gateway.cli.login_work")  # loads every upstream
    found = loaded(config, no_config=no_config, no_dotenv=no_dotenv)
    try:
        done: LoggedIn = work.log_in(found, upstream, browser=not no_browser)
    except work.LoginFailed as error:
        click.echo(f"not logged in: {legible(str(error))}", err=True)
        raise SystemExit(1) from None
    click.echo(done.json() if as_json else done.text())
