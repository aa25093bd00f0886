"""`gateway selftest`: whether a gateway, this one or any other, keeps the rules of the dialects that it offers."""

import asyncio
from contextlib import suppress
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

import click
import msgspec

from gateway.cli.itself import is_own, key_of
from gateway.cli.options import address, configuration, loaded
from gateway.config import ConfigError
from gateway.routes import DIALECTS

if TYPE_CHECKING:
    from gateway.testing import Finding

__all__ = ["selftest"]

_SELECTIONS = {
    "simple": "Only text, streamed and not.",
    "tools": "Only tool calls and their results.",
    "streaming-only": "Only what streams.",
    "no-streaming": "Only without streaming.",
}


def _headers(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [(name.strip(), value.strip()) for name, _, value in (one.partition(":") for one in given)]
    if any(not name or not value for name, value in pairs):
        raise click.BadParameter("write NAME: VALUE")
    return dict(pairs)


def _selected(context: click.Context, parameter: click.Parameter, given: bool) -> bool:
    chosen: list[str] = context.meta.setdefault("gateway.selection", [])
    chosen += [str(parameter.opts[0])] if given else []
    if len(chosen) > 1:
        raise click.UsageError(f"choose one: {' or '.join(chosen)}")
    return given


def _url(context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    given = address(context, parameter, given)
    if given is not None and given.rstrip("/").endswith(("/v1", "/v1beta")):
        raise click.BadParameter(f"{given!r}: give it without the version; /v1 and /v1beta are added")
    return given


@click.command
@configuration
@click.argument("url", required=False, callback=_url)
@click.option("--simple", is_flag=True, callback=_selected, help=_SELECTIONS["simple"])
@click.option("--tools", is_flag=True, callback=_selected, help=_SELECTIONS["tools"])
@click.option("--streaming-only", is_flag=True, callback=_selected, help=_SELECTIONS["streaming-only"])
@click.option("--no-streaming", is_flag=True, callback=_selected, help=_SELECTIONS["no-streaming"])
@click.option(
    "--dialect", "dialects", multiple=True, type=click.Choice(DIALECTS), help="Only this dialect; repeatable."
)
@click.option("--model", default="", help="The model to use; by default the first one listed.")
@click.option(
    "--key",
    envvar="GATEWAY_API_KEY",
    show_envvar=True,
    default="",
    help="The key for URL, by default one of the configuration if URL is its address; visible in `ps`, unlike "
    "GATEWAY_API_KEY.",
)
@click.option(
    "--header",
    "headers",
    metavar="NAME: VALUE",
    multiple=True,
    callback=_headers,
    help="A header of each request; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def selftest(
    config: str | None,
    no_config: bool,
    no_dotenv: bool,
    url: str | None,
    dialects: tuple[str, ...],
    model: str,
    key: str,
    headers: dict[str, str],
    as_json: bool,
    **selections: bool,
) -> None:
    """Check the gateway at URL, or the configured one: its responses, streams, errors, token counts and behaviour.

    Without URL the configured gateway runs on a free port of this machine during the checks. Its upstreams are called,
    and bill about 25 short prompts per dialect. Exits with 1 if a check failed, and with 3 if no upstream is usable.
    """
    selection = next((name.replace("_", "-") for name, given in selections.items() if given), "all")
    found = loaded(config, no_config=no_config, no_dotenv=no_dotenv) if url is None else None
    part = import_module("gateway.cli.selftest_work")  # loads the HTTP client
    tell = None if as_json else partial(_tell, part)
    wished = partial(part.check, selection=selection, dialects=dialects, model=model, headers=headers, tell=tell)
    if url is not None and not key:
        key = _key_for(url, config, no_config=no_config, no_dotenv=no_dotenv)
    report = asyncio.run(part.check_url(url, key, wished) if found is None else part.own(found, wished))
    if report is None:
        click.echo("nothing usable: requests would fail; `gateway models` says why", err=True)
        raise SystemExit(3)
    click.echo(msgspec.json.encode(report.object()) if as_json else part.summary(report))
    raise SystemExit(0 if report.ok else 1)


def _key_for(url: str, config: str | None, *, no_config: bool, no_dotenv: bool) -> str:
    """Give a key of the configured gateway where that is the one at this address, else ""."""
    with suppress(ConfigError):  # any other gateway needs no configuration here
        found = loaded(config, no_config=no_config, no_dotenv=no_dotenv)
        secret = key_of(found.config) if is_own(found, url) else None
        return secret.reveal() if secret is not None else ""
    return ""


def _tell(part: ModuleType, finding: "Finding") -> None:
    click.echo(part.line(finding))
