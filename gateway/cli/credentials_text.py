"""Credentials for a person's eyes, 80 columns wide, and as `GET /admin/credentials` gives them."""

import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from msgspec.structs import asdict, replace

from gateway.admin.credentials import row_of
from gateway.legible import aligned, legible
from gateway.periods import whole_minute
from gateway.redact import redact
from gateway.upstream import CredentialView

__all__ = ["Hide", "plain", "table"]

Hide = Callable[[str], str]

_WIDTH: Final = 80
_HEAD: Final = ("ID", "STATE", "ACCOUNT", "USES", "LAST USED")
_WIDEST: Final = (8, 18, 30, 7, 12)


def plain(view: CredentialView, hide: Hide = redact) -> dict[str, object]:
    """Give a credential as JSON has it: times in UTC, null for what is not known."""
    masked = replace(view, reason=hide(view.reason), last_error=view.last_error and hide(view.last_error))
    return asdict(row_of(masked))


def table(views: Sequence[CredentialView], hide: Hide = redact) -> str:
    """Write a table for each upstream, with what else is known below each credential."""
    if not views:
        return "no credentials: `gateway login` adds an account, `gateway credentials import FILE` those of a file"
    now = time.time()
    blocks = groupby(views, key=lambda view: view.upstream)
    return "\n\n".join("\n".join(_block(upstream, list(group), now, hide)) for upstream, group in blocks)


def _block(upstream: str, views: Sequence[CredentialView], now: float, hide: Hide) -> Iterator[str]:
    head, *lines = aligned([_HEAD, *(_row(view, now) for view in views)])
    yield f"upstream {upstream}"
    yield head
    for view, line in zip(views, lines, strict=True):
        yield line
        for said in _besides(view, now):
            yield from _wrapped(legible(hide(said)))


def _wrapped(text: str) -> list[str]:
    """Break lines between words only: a link must stay one."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _row(view: CredentialView, now: float) -> tuple[str, ...]:
    cells = (
        view.id[:8],
        view.state,
        view.account or "-",
        str(view.uses),
        _ago(view.last_used_at, now),
    )
    return tuple(_cut(legible(cell), width) for cell, width in zip(cells, _WIDEST, strict=True))


def _besides(view: CredentialView, now: float) -> Iterator[str]:
    if view.project:
        yield f"project {view.project}" + (f" ({view.project_source})" if view.project_source else "")
    yield f"from {view.source}" + (f"; token until {_when(at, now)}" if (at := view.token_expires_at) else "")
    if view.reason:
        yield f"because: {view.reason}"
    if view.link:
        yield f"its owner must verify it at {view.link}"
    for model, until in view.cooling.items():
        yield f"cooling {model or 'all models'} until {_when(until, now)}"
    for model, (left, reset) in (*view.groups.items(), *view.quota.items()):
        yield f"quota {model}: {left:.0%} left" + (f", reset {_when(reset, now)}" if reset else "")
    if view.last_error:
        yield f"last error: {view.last_error}"


def _when(at: float, now: float) -> str:
    """Say a moment by this machine's clock; the day and no seconds, where it is another one."""
    moment, today = datetime.fromtimestamp(at).astimezone(), datetime.fromtimestamp(now).astimezone()
    if moment.date() == today.date():
        return f"{moment:%H:%M:%S}"
    return f"{datetime.fromtimestamp(whole_minute(at) if at > now else at).astimezone():%Y-%m-%d %H:%M}"


def _ago(at: float | None, now: float) -> str:
    if at is None:
        return "never"
    seconds = max(0, int(now - at))
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
