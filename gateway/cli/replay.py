"""`gateway replay`: what this version makes of a recorded call. No network."""

import asyncio
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from gateway.cli.options import dialects
from gateway.config import ConfigError

__all__ = ["replay"]


@click.command
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--as",
    "dialect",
    metavar="DIALECT",
    shell_complete=dialects,
    help="The dialect of the output: openai-chat, openai-responses, anthropic or gemini.",
)
def replay(file: Path, dialect: str | None) -> None:
    """Replay a recording: print the response that this version makes of the recorded upstream's.

    [record] dir makes recordings. Without --as, or with the recorded dialect, the response is compared with the
    recorded one: if they differ the exit code is 1, and standard error says where.
    """
    part = import_module("gateway.replay")  # loads every upstream
    try:
        chosen = import_module("gateway.explain.asking").read_dialect(dialect) if dialect is not None else None
    except ValueError as error:
        _stop(f"--as: {error}")
    recording = _read(file)
    try:
        replayed = asyncio.run(part.replay(recording, chosen))
    except (ValueError, ConfigError) as error:
        _stop(f"{file}: {error}")
    sys.stdout.buffer.write(replayed.body)
    sys.stdout.buffer.flush()
    compared = chosen in (None, recording.head.dialect)
    found: list[str] = part.differences(recording, replayed) if compared else []
    for difference in found:
        click.echo(f"{file}: {difference}", err=True)
    raise SystemExit(1 if found else 0)


def _read(file: Path) -> Any:
    try:
        return import_module("gateway.recording").Recording.read(file.read_bytes())
    except FileNotFoundError:
        _stop(f"{file}: there is no such file")
    except OSError as error:
        _stop(f"{file}: cannot be read: {error.strerror}")
    except ValueError as error:
        _stop(f"{file}: {error}")


def _stop(reason: str) -> NoReturn:
    click.echo(reason, err=True)
    raise SystemExit(2)
