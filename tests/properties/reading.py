"""The readers of all upstreams: an answer in network reads goes in, events as the relay gets them come out."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, cast

from hypothesis import strategies as st
from msgspec.json import decode

from gateway import ir
from gateway.adapters import anthropic_errors, gemini_errors, openai_errors
from gateway.adapters.answer import Reader, UpstreamAnswer
from gateway.adapters.failures import ReadFailure
from gateway.dialects.anthropic import outbound_stream as anthropic
from gateway.dialects.gemini import stream as gemini
from gateway.dialects.gemini.errors import read_details
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.openai_chat import outbound_stream as openai_chat
from gateway.dialects.openai_responses import outbound_stream as openai_responses
from gateway.errors import GatewayError
from gateway.ir.grammar import check
from gateway.routes import DialectName
from gateway.transport import Response

from .upstreams import chat, messages, responses
from .upstreams import gemini as google
from .upstreams.framing import Sound

__all__ = ["UPSTREAMS", "Upstream", "are_sound", "flat", "fold", "read", "read_whole"]

_LOOP: Final = asyncio.new_event_loop()  # what comes behind the end of an answer is waited for by the clock
_NAMES: Final = NameMap([])
_SALT: Final = "salt"
_ANSWER: Final = "answer"  # a call of it is an answer in the form that was asked for

atexit.register(_LOOP.close)


@dataclass(frozen=True)
class Upstream:
    """One kind of upstream, by the dialect that it speaks.

    `reader`: makes a reader; told True where the answer passes. `chunked`: then the reader gives what passes.
    """

    reader: Callable[[bool], Reader]
    is_error: Callable[[bytes], bool]
    read_failure: ReadFailure
    payloads: st.SearchStrategy[str]
    bodies: st.SearchStrategy[bytes]
    sound: st.SearchStrategy[Sound]
    done: bool = False
    chunked: bool = False


def _google(passes: bool) -> Reader:
    options = gemini.ReadOptions(names=_NAMES, family="gemini", salt=_SALT, answer=_ANSWER, native=passes)
    return gemini.StreamReader(options)


def _chat(_: bool) -> Reader:
    return openai_chat.StreamReader(openai_chat.ReadOptions(names=_NAMES, salt=_SALT))


def _responses(_: bool) -> Reader:
    return openai_responses.StreamReader(openai_responses.ReadOptions(names=_NAMES, salt=_SALT))


def _anthropic(_: bool) -> Reader:
    return anthropic.StreamReader(anthropic.ReadOptions(names=_NAMES, salt=_SALT, answer=_ANSWER))


UPSTREAMS: Final[dict[DialectName, Upstream]] = {
    "gemini": Upstream(
        _google,
        lambda payload: read_details(payload).code is not None,
        gemini_errors.read_failure,
        google.PAYLOADS,
        google.BODIES,
        google.SOUND,
        chunked=True,
    ),
    "openai-chat": Upstream(
        _chat,
        openai_errors.is_error,
        openai_errors.read_failure,
        chat.PAYLOADS,
        chat.BODIES,
        chat.SOUND,
        done=True,
    ),
    "openai-responses": Upstream(
        _responses,
        openai_errors.is_error,
        openai_errors.read_failure,
        responses.PAYLOADS,
        responses.BODIES,
        responses.SOUND,
    ),
    "anthropic": Upstream(
        _anthropic,
        anthropic_errors.is_error,
        anthropic_errors.read_failure,
        messages.PAYLOADS,
        messages.BODIES,
        messages.SOUND,
    ),
}


class _Network:
    """An upstream's answer whose body comes in these reads."""

    status = 200

    def __init__(self, reads: Sequence[bytes], kind: str) -> None:
        self.headers = {"content-type": kind}
        self.ended = False
        self._reads = [data for data in reads if data]

    async def read(self) -> bytes:
        data = self._reads.pop(0) if self._reads else b""
        self.ended = not self._reads
        return data

    async def read_all(self, limit: int) -> bytes:
        return b"".join(self._reads)[:limit]

    def concealed(self, data: bytes) -> bytes:
        return data  # it was shown nothing

    def close(self) -> None:
        self._reads.clear()


def read(
    name: DialectName, network: Sequence[bytes], *, passes: bool = False, kind: str = "text/event-stream"
) -> list[list[ir.Event]]:
    """Give the events of each network read; whatever it was, they are one stream by the grammar."""
    upstream = UPSTREAMS[name]
    streams = "json" not in kind
    answer = UpstreamAnswer(
        cast(Response, _Network(network, kind)),
        upstream.reader(passes and streams),
        upstream.is_error,
        lambda *_: None,
        upstream.read_failure,
        0.0,
        done=upstream.done,
        streams=streams if passes and not (upstream.chunked and streams) else None,
    )
    batches = list(_batches(answer))
    events = flat(batches)
    if passes:  # of what cannot be read, the rest passes unread: there is its end alone
        terminals = [event for event in events if isinstance(event, ir.Finished | ir.Failed)]
        assert terminals == [event for event in events if not isinstance(event, ir.Passed)][-1:]
    else:
        check(events)
    return batches


def read_whole(name: DialectName, body: bytes, *, passes: bool = False) -> list[ir.Event]:
    """Give the events of an answer that is one document."""
    return flat(read(name, [body], passes=passes, kind="application/json"))


def flat(batches: Sequence[Sequence[ir.Event]]) -> list[ir.Event]:
    """Join the reads."""
    return list(chain.from_iterable(batches))


def fold(events: Sequence[ir.Event]) -> ir.Reply | GatewayError:
    """Put an answer together; one that failed is its error."""
    folded = ir.Fold()
    folded.feed(events)
    try:
        return folded.reply()
    except GatewayError as error:
        return error


def are_sound(events: Sequence[ir.Event]) -> bool:
    """Tell whether the arguments of all calls are objects: what a stream has said cannot be mended any more."""
    said: list[str] | None = None
    for event in events:
        if isinstance(event, ir.BlockStarted):
            said = [] if event.kind == "tool_call" else None
        elif isinstance(event, ir.ArgumentsDelta) and said is not None:
            said.append(event.json)
        elif isinstance(event, ir.BlockEnded) and said and not _is_object("".join(said)):
            return False
    return True


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(decode(arguments), dict)
    except ValueError:
        return False


def _batches(answer: UpstreamAnswer) -> Iterator[list[ir.Event]]:
    while True:
        try:
            events = _LOOP.run_until_complete(_read(answer))
        except GatewayError as error:
            yield [ir.Failed(error)]
            return
        if events is None:
            return
        yield events


async def _read(answer: UpstreamAnswer) -> list[ir.Event] | None:
    """Read in a coroutine of the tests: what `tests.stalls` allows a step of the gateway is not for such answers."""
    return await answer.read()
