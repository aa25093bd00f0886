"""`gateway selftest`: whether a gateway, this one or any other, keeps the rules of the dialects that it offers."""

import asyncio
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

import click
import msgspec

from gateway.cli.options import address, configuration, loaded
from gateway.routes import DIALECTS

if TYPE_CHECKING:
    from gateway.testing import Finding

__all__ = ["selftest"]

_SELECTIONS = {
    "simple": "Only text, whole and streamed.",
    "tools": "Only tool calls and their results.",
    "streaming-only": "Only what streams.",
    "no-streaming": "Only what does not stream.",
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
        raise click.BadParameter(f"{given!r}: write it without the version; /v1 and /v1beta are asked for below it")
    return given


@click.command
@configuration
@click.argument("url", required=False, callback=_url)
@click.option("--simple", is_flag=True, callback=_selected, help=_SELECTIONS["simple"])
@click.option("--tools", is_flag=True, callback=_selected, help=_SELECTIONS["tools"])
@click.option("--streaming-only", is_flag=True, callback=_selected, help=_SELECTIONS["streaming-only"])
@click.option("--no-streaming", is_flag=True, callback=_selected, help=_SELECTIONS["no-streaming"])
@click.option("--dialect", "dialects", multiple=True, type=click.Choice(DIALECTS), help="Only this one; repeatable.")
@click.option("--model", default="", help="The model to ask for; without it the first one that is listed.")
@click.option(
    "--key",
    envvar="GATEWAY_API_KEY",
    show_envvar=True,
    default="",
    help="A key for URL; `ps` shows it, but not GATEWAY_API_KEY.",
)
@click.option(
    "--header", "headers", metavar="NAME: VALUE", multiple=True, callback=_headers, help="For each request; repeatable."
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
    """Check the gateway at URL, or the configured one: its answers, streams, errors, counts and manners.

    Without URL the configured gateway is served on a free port of this machine for the time of the checks; its
    upstreams are asked and bill what they are asked for, some 25 short questions a dialect. Ends with 1 when a check
    failed, and with 3 when no upstream can be used.
    """
    selection = next((name.replace("_", "-") for name, given in selections.items() if given), "all")
    found = loaded(config, no_config=no_config, no_dotenv=no_dotenv) if url is None else None
    part = import_module("gateway.cli.selftest_work")  # loads the HTTP client
    tell = None if as_json else partial(_tell, part)
    wished = partial(part.check, selection=selection, dialects=dialects, model=model, headers=headers, tell=tell)
    report = asyncio.run(part.check_url(url, key, wished) if found is None else part.own(found, wished))
    if report is None:
        click.echo("nothing usable: requests would fail; `gateway models` says why", err=True)
        raise SystemExit(3)
    click.echo(msgspec.json.encode(report.object()) if as_json else part.summary(report))
    raise SystemExit(0 if report.ok else 1)


def _tell(part: ModuleType, finding: "Finding") -> None:
    click.echo(part.line(finding))
