"""One answer of an upstream while it is read: network reads in, neutral events out."""

import asyncio
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from gateway import ir
from gateway.adapters.failures import Failure, ReadFailure, cause_of, own_words, unreachable
from gateway.dialects.gemini.errors import without
from gateway.errors import GatewayError, StreamBroken, UpstreamMalformed
from gateway.sse import BACKSLASH, DONE, Decoder, EventTooLarge, Halves, sound, sound_escapes
from gateway.transport import Broken, Response, TransportError
from gateway.upstream import TRAIL_S

__all__ = ["Reader", "UpstreamAnswer"]

_MAX_WHOLE_BYTES: Final = 64 * 1024 * 1024
_BLANK: Final = BOM_UTF8 + b" \t\r\n"
_PAYLOAD: Final = msgspec.json.Decoder()
_LAST: Final = (ir.Finished, ir.Failed)
_DOCUMENTS: Final = (b"{", b"[", b"<")  # no line of an event stream begins so
_NOTHING: Final = "the upstream's response is empty"
_ARRAY: Final = b"["  # is read, as Google's streams are, and what is in it is no answer as callers wait for it
_EVENTS: Final = (b"data:", b"event:", b"id:", b":")  # and no document so
_ENDS: Final = re.compile(
    r'^\[DONE\]$|"type"\s*:\s*"(?:message_stop|response\.(?:completed|incomplete|failed|done))"|"finish_?[rR]eason"\s*:\s*"'
)


class Reader(Protocol):
    """What a codec makes of the payloads of one answer."""

    @property
    def finished(self) -> bool:
        """Tell whether it is complete though the body is not: most dialects have an end that stands for the body's."""
        ...

    @property
    def usage(self) -> ir.Usage | None:
        """Give what the upstream has counted so far."""
        ...

    def feed(self, payloads: Sequence[str]) -> list[ir.Event]:
        """Take events of the stream."""
        ...

    def feed_whole(self, body: bytes) -> list[ir.Event]:
        """Take an answer that does not stream."""
        ...

    def close(self) -> list[ir.Event]:
        """End the stream."""
        ...


class _Onlooker:
    """Takes the place of a reader that finds fault with an answer which passes: sees only whether it comes to its end.

    Without payloads the end was read already. The upstream's word for the end is not read: it is "".
    """

    finished = False

    def __init__(self, usage: ir.Usage | None, is_error: Callable[[bytes], bool], payloads: Sequence[str]) -> None:
        self.usage = usage
        self._is_error = is_error
        self._over = not payloads
        self.feed(payloads)

    def feed(self, payloads: Sequence[str]) -> list[ir.Event]:
        self._over = self._over or any(_ENDS.search(one) or self._is_error(one.encode()) for one in payloads)
        return []

    def feed_whole(self, _body: bytes) -> list[ir.Event]:
        return self.close()

    def close(self) -> list[ir.Event]:
        return [ir.Finished(reason="stop", native="") if self._over else ir.Failed(StreamBroken(StreamBroken.CUT))]


class UpstreamAnswer:
    """Reads an answer under status 200. `failed` hears of an error, and what it means, before it is raised or told.

    `is_error`: whether a payload is one of the upstream's own errors. `done`: the reader wants to see `[DONE]`.
    `streams`: what the caller waits for, if it speaks the upstream's dialect: then the answer passes as it comes, and
    the reader gets a copy. An answer of the other kind is only read. Its first bytes say whether it is a document, and
    its content type where they do not: either comes labelled as the other one.
    """

    _overlooks = True  # what our reader finds fault with in a whole answer that passes
    _due: float | None = None  # when nothing is waited for any more behind the end of the answer
    _ended = _finished = _begun = _blind = _seen = False
    _halves: Halves | None = None
    _escaped = False  # there may be escapes in what was read and is no event yet

    def __init__(
        self,
        response: Response,
        reader: Reader,
        is_error: Callable[[bytes], bool],
        failed: Callable[[GatewayError, Failure], None],
        read_failure: ReadFailure,
        now: float,
        *,
        done: bool = False,
        streams: bool | None = None,
    ) -> None:
        self._response = response
        self._reader = reader
        self._is_error = is_error
        self._failed = failed
        self._read_failure = read_failure
        self._now = now
        self._decoder = Decoder(done=done)
        kind = response.headers.get("content-type", "").lower()
        self._streams = streams
        self._take_for(whole="json" in kind or "html" in kind)

    @property
    def usage(self) -> ir.Usage | None:
        """What the upstream has counted so far."""
        return self._reader.usage

    async def read(self) -> list[ir.Event] | None:
        """Give the events of the next network read; there are none in a sign of life, as pings and comments are."""
        if self._ended:
            return None
        try:
            if self._reader.finished and self._decoder.between:
                return await self._trail()
            data = await self._response.read()
            if not self._seen:
                self._look_at(data)
            if self._whole:
                return self._closed(data + await self._response.read_all(_MAX_WHOLE_BYTES))
            return self._events(data) or await self._more()
        except TransportError as error:
            if isinstance(error, Broken) and self._reader.finished and self._decoder.between:
                return self._left()
            failure = unreachable(error)
        except EventTooLarge as error:
            failure = Failure(UpstreamMalformed(str(error)), "final")
        self._decoder.abort()  # the error's traceback keeps it
        raise self._told(failure)  # not within, where it would keep the other error, and with it what was read

    async def _more(self) -> list[ir.Event]:
        """Read on from the piece of an event, which is no sign of life: only then has a ping or a comment come."""
        while self._seen and not (self._ended or self._decoder.between):
            if events := self._events(await self._response.read()):
                return events
        return []

    async def _trail(self) -> list[ir.Event]:
        """Read what may follow the end of the answer, which ends when that has had its time."""
        if self._due is None:
            self._due = asyncio.get_running_loop().time() + TRAIL_S
        try:
            async with asyncio.timeout_at(self._due):
                data = await self._response.read()
        except TimeoutError:
            return self._left()
        events = self._events(data)
        if events:
            self._due = None  # more words have their own time
        return events

    def _left(self) -> list[ir.Event]:
        """End a complete answer without the end of its body."""
        self.close()
        return self._reader.close()

    def _events(self, data: bytes) -> list[ir.Event]:
        payloads = self._decoder.feed(data) if data else []
        ended = self._ended = self._response.ended
        if ended:
            payloads += filter(_is_whole, map(sound_escapes, self._decoder.close()))
        if BACKSLASH in data or self._escaped:
            self._halves = self._halves or Halves()
            payloads = [self._halves.join(payload) for payload in payloads]
            self._escaped = not self._decoder.between
        events = self._reader.feed(payloads) if payloads else []
        if ended:
            events += self._reader.close()
        if events and type(events[-1]) in _LAST:
            data = self._last(data, events, payloads)
        if not self._passes:
            return events
        return self._passed(data, events, quiet=not payloads and not self._decoder.between)

    def _last(self, data: bytes, events: list[ir.Event], payloads: Sequence[str]) -> bytes:
        """See what ends the answer; give what came, without what an error repeats of the request's credentials."""
        end = events[-1]
        if not isinstance(end, ir.Failed):
            self._finished = True
            return data
        told = self._explain(end, payloads)
        if self._passes:
            self._see(events, payloads, told=told)
        if not self._blind:
            self.close()
        return self._response.concealed(data)

    def _take_for(self, *, whole: bool) -> None:
        self._whole = whole
        self._passes = self._streams is not None and self._streams is not whole

    def _look_at(self, data: bytes) -> None:
        """See by the first thing that comes what it is."""
        lead = data.lstrip(_BLANK)
        self._seen = bool(lead)
        if lead.startswith(_DOCUMENTS):
            self._take_for(whole=True)
        elif lead.startswith(_EVENTS):
            self._take_for(whole=False)

    def _see(self, events: list[ir.Event], payloads: Sequence[str], *, told: bool) -> None:
        """Tell the upstream's own failure from that of the reader: what passes does not end for the latter."""
        failed = events[-1]
        assert isinstance(failed, ir.Failed)
        ours = isinstance(failed.error, UpstreamMalformed) and not isinstance(failed.error, StreamBroken)
        if told:
            events[-1] = ir.Failed(failed.error, told=True)
        elif ours and (self._begun or ir.begins(events)):
            del events[-1]
            self._blind = True
            self._reader = _Onlooker(self._reader.usage, self._is_error, payloads)
            if self._ended:
                events += self._reader.close()

    def _passed(self, data: bytes, events: list[ir.Event], *, quiet: bool) -> list[ir.Event]:
        self._begun = self._begun or ir.begins(events)
        return [ir.Passed(data, quiet=quiet), *events] if data else events

    def close(self) -> None:
        """Drop the connection unless the whole answer came; idempotent."""
        self._ended = True
        if self._finished:
            self._response.leave()
        else:
            self._response.close()

    def _closed(self, body: bytes) -> list[ir.Event]:
        self._ended = True
        body = sound(body)
        document = body.lstrip(_BLANK)  # a mark of the encoding may stand behind empty lines
        self._passes = self._passes and not document.startswith(_ARRAY)
        events = self._reader.feed_whole(document)
        if isinstance(events[-1], ir.Failed):
            if not document:
                events[-1] = ir.Failed(UpstreamMalformed(_NOTHING))
            body = self._response.concealed(body)
            told = self._explain(events[-1], [body.lstrip(_BLANK)])
            if self._passes and self._overlooks and not told:
                self._see(events, (), told=told)
            self.close()
        return [ir.Passed(body), *events] if self._passes else events

    def _explain(self, failed: ir.Failed, payloads: Sequence[str | bytes]) -> bool:
        """Find out what an error within the answer means, if it is the upstream's own.

        It says nothing of what it repeats of the request's credentials.
        """
        failed.error.message = self._response.concealed(failed.error.message.encode()).decode()
        for payload in payloads:
            body = payload if isinstance(payload, bytes) else payload.encode()
            if self._is_error(body):
                body = self._response.concealed(body)
                failure = self._read_failure(200, body, {}, self._now)
                failure.own = own_words(body)
                failed.error.retry_after = failure.wait_s
                failed.error.message = without(failed.error.message, failure.names)
                self._failed(failed.error, failure)
                return True
        if isinstance(failed.error, StreamBroken):
            self._failed(failed.error, cause_of(failed.error))
        return False

    def _told(self, failure: Failure) -> GatewayError:
        self._failed(failure.error, failure)
        return failure.error


def _is_whole(payload: str) -> bool:
    """Tell an event that only lacks its blank line from one that the end of the body has cut."""
    try:
        _PAYLOAD.decode(payload)
    except ValueError:
        return payload == DONE
    except RecursionError:  # whatever it is, it is not cut
        return True
    return True
