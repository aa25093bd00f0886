"""`gateway explain`: what becomes of a request, and why. No network."""

import asyncio
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import click
import msgspec
from msgspec.structs import replace

from gateway.cli.options import configuration, dialects, loaded, quiet

__all__ = ["explain"]


@click.command
@configuration
@click.argument("model", default="")
@click.option(
    "--request",
    "file",
    metavar="FILE",
    type=click.Path(),
    help="A file with the body of a request, as JSON; - for standard input.",
)
@click.option(
    "--dialect",
    metavar="NAME",
    shell_complete=dialects,
    help="openai-chat, openai-responses, anthropic or gemini; by default detected from the body.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(
    config: str | None,
    no_config: bool,
    no_dotenv: bool,
    model: str,
    file: str | None,
    dialect: str | None,
    as_json: bool,
) -> None:
    """Explain a MODEL or a request: which upstream gets it and why, what is lost, and the exact upstream body.

    MODEL overrides the model of a request; a Gemini request has none, and needs it.
    """
    part = import_module("gateway.explain")  # loads every upstream
    asking = _asking(part, model, file, dialect)
    found = loaded(config, no_config=no_config, no_dotenv=no_dotenv)
    import_module("gateway.cli.credentials_store").look(replace(found, read_only=True))
    explanation = asyncio.run(part.explain(quiet(found), asking))
    # a terminal without UTF-8 gets escapes
    text = part.written(explanation) if not as_json else ""
    click.echo(text.encode(sys.stdout.encoding, "backslashreplace") if text else msgspec.json.encode(explanation))
    raise SystemExit(1 if explanation.refusals else 0)


def _asking(part: ModuleType, model: str, file: str | None, dialect: str | None) -> Any:
    """Take what is to be explained; one line and exit 2 for what cannot be."""
    try:
        chosen = part.read_dialect(dialect) if dialect is not None else None
    except ValueError as error:
        _stop(f"--dialect: {error}")
    if file is None:
        return part.smallest(model, chosen) if model else _stop("give MODEL, or --request FILE")
    name = "standard input" if file == "-" else file
    try:
        return part.recorded(_read(file), model, chosen)
    except FileNotFoundError:
        _stop(f"{name}: there is no such file")
    except OSError as error:
        _stop(f"{name}: cannot be read: {error.strerror}")
    except ValueError as error:
        _stop(f"{name}: {error}")


def _read(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()


def _stop(reason: str) -> NoReturn:
    click.echo(reason, err=True)
    raise SystemExit(2)
