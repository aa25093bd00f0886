"""`gateway encrypt` and `gateway decrypt`: the whole store under the newest key, or in clear again."""

import sys
from importlib import import_module

import click

from gateway.cli.options import configuration, loaded

__all__ = ["decrypt", "encrypt"]

_ASK = "Refresh tokens and stored responses will be unencrypted in {place}. Continue?"


@click.command
@configuration
def encrypt(config: str | None, no_config: bool, no_dotenv: bool) -> None:
    """Encrypt the whole store with the newest key now.

    The key is the first one of store.encryption_key, --encryption-key-file or GATEWAY_ENCRYPTION_KEY. A start with that
    key does the same; afterwards older keys are no longer needed.
    """
    found = loaded(config, no_config=no_config, no_dotenv=no_dotenv)
    click.echo(import_module("gateway.cli.crypt_work").encrypt(found))


@click.command
@configuration
@click.option("--yes", is_flag=True, help="Do not ask.")
def decrypt(config: str | None, no_config: bool, no_dotenv: bool, yes: bool) -> None:
    """Decrypt the whole store, so that no key is needed any more. Not possible while a gateway uses it.

    Asks first on a terminal.
    """
    part = import_module("gateway.cli.crypt_work")
    found = loaded(config, no_config=no_config, no_dotenv=no_dotenv)
    place = part.ready(found)
    if not yes and sys.stdin.isatty():  # a script has nobody to ask
        click.confirm(_ASK.format(place=place), abort=True, err=True)
    click.echo(part.decrypt(found))
