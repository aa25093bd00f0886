"""`gateway import`: take over the files of the systems that this gateway replaces."""

import shlex
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from gateway.cli.files import unserved
from gateway.cli.options import filled
from gateway.config import ConfigError, Problem
from gateway.config.problems import unread

if TYPE_CHECKING:
    from gateway.cli.import_work import Report, Row

__all__ = ["import_"]


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option(
    "-c",
    "--config",
    metavar="FILE",
    type=click.Path(),
    callback=filled,
    help="The gateway.toml to write, or an existing one.",
)
@click.option(
    "-ek",
    "--encryption-key",
    metavar="KEY",
    callback=filled,
    help="The key of an encrypted FILE, and of the store; visible in `ps`.",
)
@click.option("--encryption-key-file", type=click.Path(), callback=filled, help="A file with the key.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def import_(
    files: tuple[str, ...],
    config: str | None,
    encryption_key: str | None,
    encryption_key_file: str | None,
    as_json: bool,
) -> None:
    """Import config.json, .env or tokens.json of an earlier proxy.

    Settings become a gateway.toml, secrets go to .env beside it, accounts into the credential store. Every old setting
    is listed with what it became, or why it was dropped. The files themselves are never changed, and importing them
    again changes nothing. An existing gateway.toml is not changed: the lines that it lacks are printed, exit code 1.
    """
    if encryption_key:
        click.echo("warning: --encryption-key is visible in `ps`; --encryption-key-file is not", err=True)
    key = encryption_key or (_key_in(encryption_key_file) if encryption_key_file else "")
    report: Report = import_module("gateway.cli.import_work").take_over(files, config, key)
    click.echo(
        msgspec.json.encode(report) if as_json else _text(report, _words(config, encryption_key, encryption_key_file))
    )
    for kind in report.unserved:
        click.echo(unserved(kind), err=True)
    if report.lacking:
        raise SystemExit(1)


def _words(config: str | None, key: str | None, file: str | None) -> str:
    """Give the options that the next commands need, too."""
    opened = " -ek KEY" if key else f" --encryption-key-file {shlex.quote(file)}" if file else ""
    return (f" -c {shlex.quote(config)}" if config else "") + opened


def _key_in(file: str) -> str:
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise ConfigError([Problem(file, None, f"cannot be read: {unread(error)}")]) from None


def _text(report: "Report", words: str) -> str:
    blocks = [_block(file, rows) for file, rows in report.files.items()]
    wrote = [f"wrote {each}" for each in report.wrote] or ["nothing new to write"]
    commands = f"next: `gateway check{words}`, then `gateway run{words}`"
    lines = f"{report.config} was not changed; it lacks these lines, each in its table:\n\n{report.lacking}"
    return "\n".join([*blocks, *wrote, lines if report.lacking else commands])


def _block(file: str, rows: "Sequence[Row]") -> str:
    width = min(max((len(row.old) for row in rows), default=0), 36)
    lines = [f"  {row.old:{width}}  {_became(row)}" for row in rows]
    return "\n".join([f"{file}:", *lines])


def _became(row: "Row") -> str:
    if not row.became:
        return row.word
    return f"→ {row.became}" + (f"   ({row.word})" if row.word else "")
