"""Write each request into the journal of this process: when it begins, and how it has ended.

A request whose answer goes out has ended before its last byte: what a caller has read to the end is written down. One
that a limit of its caller has held off is to be no row: it is taken back where it was opened, and else leaves nothing.
"""

from collections.abc import Callable
from typing import Final

from gateway import ir
from gateway.clock import Clock
from gateway.context import RequestContext, new_id_at
from gateway.costs import cost_of
from gateway.errors import LimitsNotShared, RateLimited, UpstreamTimeout
from gateway.prices import Prices
from gateway.redact import redact
from gateway.store.journal import REFUSED, Ended, Journal, JournalFile, Opened

__all__ = ["Book", "Entry"]

_LONG: Final = 200  # characters of a name that a caller chose
_NOTHING: Final = ir.Usage()
_HELD_OFF: Final = (RateLimited, LimitsNotShared)


class Book:
    """The journal of one app in this process. `news`: hears of each line that is written or waits to be."""

    def __init__(self, journal: Journal, prices: Prices, clock: Clock, news: Callable[[], None]) -> None:
        self.journal = journal
        self._prices = prices
        self._clock = clock
        self._news = news

    def begin(self, context: RequestContext) -> "Entry":
        """Write that a request begins, before anybody is asked."""
        opened = self._opened(context)
        entry = Entry(self, context, opened, self.journal.open(opened))
        self._news()
        return entry

    def note(self, context: RequestContext) -> None:
        """Write down a request that has ended before anybody could be asked."""
        self.end(Entry(self, context, self._opened(context)))

    def end(self, entry: "Entry") -> None:
        """Write how a request has ended."""
        context, opened = entry.context, entry.opened
        how = _end(context)
        if entry.file is None and how == REFUSED:
            return
        usage = context.usage or _NOTHING
        upstream, model = context.answerer
        refused = how == "error" and not isinstance(context.error, UpstreamTimeout)
        unknown = context.usage is None and bool(model) and not refused and (how == "error" or not context.in_vain)
        started = context.started
        ended = Ended(
            id=opened.id,
            started_at=opened.started_at,
            key=opened.key,
            key_id=opened.key_id,
            credential=context.credential,
            dialect=opened.dialect,
            upstream=upstream,
            asked=opened.asked or _asked(context),
            model=model if model == opened.model else _short(model),
            status=_status(context),
            end=how,
            input=usage.input,
            cached=usage.cache_read,
            cache_write=usage.cache_write,
            output=usage.output,
            reasoning=usage.reasoning,
            estimated=usage.estimated or unknown,
            usd=None if unknown else self._usd(context, upstream, model),
            first_byte_s=None if context.first_byte is None else context.first_byte - started,
            total_s=self._clock.monotonic() - started,
            request_id=opened.request_id,
        )
        self.journal.end(ended, entry.file)
        self._news()

    def _usd(self, context: RequestContext, upstream: str, model: str) -> float | None:
        if context.usage is None and model and self._prices.find(upstream, model) is not None:
            return 0.0  # it has failed
        return cost_of(context, self._prices)

    def _opened(self, context: RequestContext) -> Opened:
        """Say who begins what, from now on."""
        context.entered = True
        principal, target = context.principal, context.targets[0] if context.targets else None
        started_at = self._clock.time() - self._clock.monotonic() + context.started
        return Opened(
            id=new_id_at(started_at),  # its own: callers choose those of requests
            started_at=started_at,
            key=_short(principal.name),
            key_id=principal.id,
            dialect=context.route.dialect,
            asked=_asked(context),
            upstream=target.adapter.name if target is not None else "",
            model=_short(target.model) if target is not None else "",
            request_id=context.request_id,
        )


class Entry:
    """One request in the journal. `file`: where it was opened, None = nowhere."""

    __slots__ = ("_book", "_ended", "context", "file", "opened")

    def __init__(self, book: Book, context: RequestContext, opened: Opened, file: JournalFile | None = None) -> None:
        self._book = book
        self._ended = False
        self.context = context
        self.opened = opened
        self.file = file

    def end(self) -> None:
        """Write how the request has ended, once."""
        if not self._ended:
            self._ended = True
            self._book.end(self)


def _asked(context: RequestContext) -> str:
    named = context.requested_model or context.route.model
    named = named or (context.request.model if context.request is not None else "")
    return _short(named if context.targets else redact(named))  # what nobody serves may be a key in the wrong place


def _status(context: RequestContext) -> int:
    if context.status is None and context.end == "error":  # which whoever stands outside sends
        return context.error.status if context.error is not None else 500
    return context.status or 0


def _end(context: RequestContext) -> str:
    if context.end not in ("", "done"):
        return REFUSED if isinstance(context.error, _HELD_OFF) else context.end
    return "error" if (context.status or 500) >= 400 else "done"


def _short(text: str) -> str:
    """Cut a name short, and make it one that JSON can hold."""
    text = text[:_LONG]
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
