"""`check_dialect`: the built-in dialects pass, and one with a fault does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from gateway import ir
from gateway.dialects import Answering, StreamWriter
from gateway.dialects.anthropic import Anthropic
from gateway.errors import GatewayError, InvalidRequest
from gateway.routes import Route
from gateway.testing import Wrong, check_dialect
from gateway.upstream import ModelInfo
from tests.translating import CODECS


@pytest.mark.parametrize("name", CODECS)
def test_the_built_in_dialects_pass(name: str) -> None:
    check_dialect(next(codec for known, codec in CODECS.items() if known == name))


class Edited:
    """A writer of ours with a fault."""

    def __init__(self, writer: StreamWriter, feed: Callable[[bytes], bytes], close: Callable[[bytes], bytes]) -> None:
        self._writer = writer
        self._feed = feed
        self._close = close

    def feed(self, events: Sequence[ir.Event]) -> bytes:
        return self._feed(self._writer.feed(events))

    def close(self, error: GatewayError | None = None) -> bytes:
        return self._close(self._writer.close(error))


class Plain(Anthropic):
    """Ours, as it is."""

    def edits(self) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
        return bytes, bytes

    def stream_writer(self, answering: Answering) -> Any:
        return Edited(super().stream_writer(answering), *self.edits())


class EndsTwice(Plain):
    def edits(self) -> Any:
        return bytes, lambda data: data or b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class Unstopped(Plain):
    def edits(self) -> Any:
        stop = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        return lambda data: data.replace(stop, b""), bytes


class Halved(Plain):
    """Says nothing of a word that comes alone."""

    def stream_writer(self, answering: Answering) -> Any:
        return Alone(super().stream_writer(answering), bytes, bytes)


class Alone(Edited):
    def feed(self, events: Sequence[ir.Event]) -> bytes:
        return b"" if len(events) == 1 and isinstance(events[0], ir.TextDelta) else super().feed(events)


class Separated(Plain):
    """Writes a separator that Python takes for the end of a line."""

    def edits(self) -> Any:
        return lambda data: data.replace(b"\\u2028", "\u2028".encode()), bytes


class Whole(Anthropic):
    """Forgets the calls of a whole answer."""

    def write_whole(self, reply: ir.Reply, answering: Answering) -> bytes:
        parts = tuple(part for part in reply.parts if not isinstance(part, ir.ToolCall))
        return super().write_whole(replace(reply, parts=parts), answering)


class Unknown(Anthropic):
    """One whose rules nobody knows."""

    name = "unknown"  # type: ignore[misc]  # of another distribution


class Hopeful(Unknown):
    """Takes an answer that breaks off for one that ends."""

    def stream_writer(self, answering: Answering) -> Any:
        return Unfailing(super().stream_writer(answering), bytes, bytes)


class Unfailing(Edited):
    def feed(self, events: Sequence[ir.Event]) -> bytes:
        return super().feed([event for event in events if not isinstance(event, ir.Failed)])


class Loud(Anthropic):
    """Says something to stay alive."""

    keepalive = b'event: message_start\ndata: {"type":"message_start"}\n\n'  # type: ignore[misc]  # the fault


class Foreign(Anthropic):
    """Says its errors as another dialect does."""

    def write_error(self, error: GatewayError, request_id: str, *, route: Route | None = None) -> tuple[int, bytes]:
        return error.status, b'{"error":{"message":"what happened","type":"server_error"}}'


class Fragile(Anthropic):
    """Fails at what it cannot read."""

    def read_request(self, body: bytes, *, counting: bool = False, route: Route | None = None) -> ir.Request:
        try:
            return super().read_request(body, counting=counting, route=route)
        except InvalidRequest:
            raise ValueError("defect") from None


class Forgetful(Anthropic):
    """Drops what it does not know."""

    def read_request(self, body: bytes, *, counting: bool = False, route: Route | None = None) -> ir.Request:
        read = super().read_request(body, counting=counting, route=route)
        return replace(read, extras={}, losses=())


class Unlisted(Anthropic):
    def write_models(self, models: Sequence[tuple[str, ModelInfo]], query: Mapping[str, str]) -> bytes:
        return b"models"


class Uncounted(Anthropic):
    def write_count(self, tokens: int) -> bytes:
        return b"{}"


FAULTS: list[tuple[type[Anthropic], str]] = [
    (EndsTwice, "something is written after the end"),
    (Unstopped, "is open"),
    (Halved, "cut at other places, the result differs"),
    (Uncounted, "says nothing"),
    (Separated, "a separator that is not escaped"),
    (Whole, "streamed and whole differ"),
    (Hopeful, "a stream that fails: after 0 events the failure is not told"),
    (Loud, "keepalive: the last event is message_start"),
    (Foreign, "write_error of InvalidRequest: the field 'type' is missing"),
    (Fragile, "ValueError: defect"),
    (Forgetful, "an unknown field is dropped in silence"),
    (Unlisted, "write_count and the model lists"),
]


@pytest.mark.parametrize(("dialect", "words"), FAULTS, ids=[dialect.__name__ for dialect, _ in FAULTS])
def test_a_fault_is_found(dialect: type[Anthropic], words: str) -> None:
    with pytest.raises(Wrong) as wrong:
        check_dialect(dialect())
    assert any(words in finding for finding in wrong.value.findings), wrong.value


@pytest.mark.parametrize("dialect", [Plain, Unknown])
def test_the_same_without_a_fault_passes(dialect: type[Anthropic]) -> None:
    check_dialect(dialect())


class Rewritten(Plain):
    """Writes some words otherwise, in streams and in whole answers alike."""

    def __init__(self, old: bytes, new: bytes) -> None:
        self._old, self._new = old, new

    def edits(self) -> Any:
        return lambda data: data.replace(self._old, self._new), lambda data: data.replace(self._old, self._new)

    def write_whole(self, reply: ir.Reply, answering: Answering) -> bytes:
        return super().write_whole(reply, answering).replace(self._old, self._new)

    def write_error(self, error: GatewayError, request_id: str, *, route: Route | None = None) -> tuple[int, bytes]:
        status, body = super().write_error(error, request_id, route=route)
        return status, body.replace(self._old, self._new)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("llo", "LLO", "a response of text: the text is"),
        ('"name":"g"', '"name":"h"', "the calls are"),
        ('"output_tokens":7', '"output_tokens":8', "usage is"),
        ("what happened", "an error", "the message is not told"),
    ],
    ids=["words", "a name", "a count", "an error"],
)
def test_what_is_wrong_in_streams_and_wholes_alike_is_found(old: str, new: str, words: str) -> None:
    with pytest.raises(Wrong) as wrong:
        check_dialect(Rewritten(old.encode(), new.encode()))
    assert any(words in finding for finding in wrong.value.findings), wrong.value


class Calm(Edited):
    """Ends well whatever happens."""

    def feed(self, events: Sequence[ir.Event]) -> bytes:
        return super().feed([ir.Finished(reason="stop") if isinstance(event, ir.Failed) else event for event in events])

    def close(self, error: GatewayError | None = None) -> bytes:
        return self.feed([ir.Finished(reason="stop")]) + super().close()


class Calming(Plain):
    def stream_writer(self, answering: Answering) -> Any:
        return Calm(super().stream_writer(answering), bytes, bytes)

    def write_error(self, error: GatewayError, request_id: str, *, route: Route | None = None) -> tuple[int, bytes]:
        return 200, super().write_error(error, request_id, route=route)[1]


class Gullible(Plain):
    """Reads anything as a request, and nothing out of it."""

    def read_request(self, body: bytes, *, counting: bool = False, route: Route | None = None) -> ir.Request:
        return ir.Request(model="m", turns=())


class Curt(Plain):
    """Refuses without a word."""

    def read_request(self, body: bytes, *, counting: bool = False, route: Route | None = None) -> ir.Request:
        raise InvalidRequest("")


@pytest.mark.parametrize(
    ("dialect", "words"),
    [
        (Calming, "the failure is not told"),
        (Calming, "the status is 200"),
        (Gullible, "it is read as a request"),
        (Gullible, "it has no turn"),
        (Curt, "it is rejected without a reason"),
    ],
)
def test_a_dialect_that_does_not_refuse_is_found(dialect: type[Plain], words: str) -> None:
    with pytest.raises(Wrong, match=words):
        check_dialect(dialect())


class EndsTwiceElsewhere(EndsTwice):
    name = "own"  # type: ignore[misc]  # of a third party


def test_an_end_that_comes_twice_is_found_without_a_grammar_too() -> None:
    with pytest.raises(Wrong, match="a stream that fails: close is not idempotent"):
        check_dialect(EndsTwiceElsewhere())


class Silent(Plain):
    name = "own"  # type: ignore[misc]  # of a third party

    def edits(self) -> Any:
        return lambda _: b"", lambda _: b""


def test_silence_is_found_without_a_grammar_too() -> None:
    with pytest.raises(Wrong, match="a response of text: nothing is written"):
        check_dialect(Silent())


def test_a_dialect_without_a_grammar_is_held_to_the_laws_of_all() -> None:
    class Own(Fragile):
        name = "own"  # type: ignore[misc]  # of a third party

    with pytest.raises(Wrong, match="ValueError: defect"):
        check_dialect(Own())
