"""`gateway generate-key`: a new key for the credential store."""

from importlib import import_module

import click

__all__ = ["generate_key"]

_HINT = """\
Put it into .env as GATEWAY_ENCRYPTION_KEY=…, or into a file for --encryption-key-file. The next start encrypts the
store. Keep a copy of the key elsewhere: without it the accounts in the store are lost and must log in again."""


@click.command("generate-key")
def generate_key() -> None:
    """Print a new key for store.encryption_key.

    The key alone goes to standard output, so that `export GATEWAY_ENCRYPTION_KEY=$(gateway generate-key)` works; where
    to put it is explained on standard error.
    """
    click.echo(import_module("cryptography.fernet").Fernet.generate_key())
    click.echo(_HINT, err=True)
