"""Examine an inbound dialect: what it writes for every kind of answer, how it ends, and what it makes of any bytes."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from gateway import errors, ir
from gateway.dialects import Answering, Dialect
from gateway.errors import GatewayError, InvalidRequest, StreamBroken
from gateway.ir.grammar import check
from gateway.testing.asking import ASKING, Wish
from gateway.testing.findings import Findings
from gateway.testing.grammar import Heard, rule
from gateway.testing.grammar_sse import letter
from gateway.testing.grammars import GRAMMARS, Grammar
from gateway.upstream import ModelInfo

__all__ = ["check_dialect"]

_USAGE: Final = ir.Usage(input=9, output=7, cache_read=2, reasoning=3)
_FOREIGN: Final = (b"", b"{", b"null", b"[]", b'"', b"\xff\xfe", b'{"model": 1}', b"[" * 5000, b'{"a":"\\ud800"}')
_BROKEN: Final = "it broke off"
_ERRORS: Final = [kind for name in errors.__all__ if (kind := getattr(errors, name)) is not GatewayError]
_MODEL: Final = ModelInfo(id="m", display_name="M", max_input=1000, max_output=100)


def _block(kind: ir.BlockKind, *deltas: ir.Event, id_: str = "", name: str = "") -> list[ir.Event]:
    return [ir.BlockStarted(kind=kind, id=id_, name=name), *deltas, ir.BlockEnded()]


def _answer(*blocks: list[ir.Event], reason: ir.FinishReason = "stop") -> list[ir.Event]:
    said = [event for block in blocks for event in block]
    return [ir.Started(id="up_1", model="m"), *said, ir.UsageReported(_USAGE), ir.Finished(reason=reason)]


_TEXT: Final = _block("text", ir.TextDelta("Hé"), ir.TextDelta('llo\n"\u2028'), ir.TextDelta("🙂"))
_THOUGHT: Final = _block("thinking", ir.ThinkingDelta("Hm."), ir.SignatureDelta(ir.Signature("claude", "c2ln")))
_CALL: Final = _block("tool_call", ir.ArgumentsDelta('{"a":"\\'), ir.ArgumentsDelta('n"}'), id_="call_1", name="f")
_OTHER: Final = _block("tool_call", ir.ArgumentsDelta("{}"), id_="call_2", name="g")
_ANSWERS: Final[dict[str, list[ir.Event]]] = {
    "text": _answer(_TEXT),
    "thoughts and text": _answer(_THOUGHT, _TEXT),
    "a call": _answer(_CALL, reason="tool_calls"),
    "text and two calls": _answer(_TEXT, _CALL, _OTHER, reason="tool_calls"),
    "nothing": _answer(),
    "the limit of its length": _answer(_TEXT, reason="length"),
    "a refusal": _answer(reason="content_filter"),
}


def check_dialect(dialect: Dialect, grammar: Grammar | None = None, requests: Sequence[bytes] = ()) -> None:
    """Raise Wrong with all that is wrong with a dialect.

    `grammar`: its rules; those of the built-in dialects are known by their names, without any only the laws of all
    dialects are held. `requests`: bodies that it must read.
    """
    grammar = grammar or GRAMMARS.get(dialect.name)
    found = Findings()
    for name, events in _ANSWERS.items():
        with found.of(f"a response of {name}"):
            _check_answer(dialect, grammar, events)
    with found.of("a stream that fails"):
        _check_failure(dialect, grammar)
    with found.of("keepalive"):
        _check_keepalive(dialect, grammar)
    for kind in _ERRORS:
        with found.of(f"write_error of {kind.__name__}"):
            _check_error(dialect, grammar, kind("what happened"))
    for body in _FOREIGN:
        with found.of(f"read_request of {body[:20]!r}"):
            _check_foreign(dialect, body)
    for body in (*_known(dialect), *requests):
        with found.of(f"read_request of {body[:60]!r}"):
            _check_request(dialect, body)
    with found.of("write_count and the model lists"):
        for written in (
            dialect.write_count(7),
            dialect.write_models([("m", _MODEL)], {}),
            dialect.write_model("m", _MODEL),
        ):
            rule(json.loads(written), f"{written!r} says nothing")
    found.tell(f"dialect {dialect.name}")


def _answering(*, stream: bool = True) -> Answering:
    reasoning = ir.Reasoning(mode="auto", visible=True)
    request = ir.Request(model="m", turns=(), reasoning=reasoning, include_usage=True, stream=stream)
    return Answering(request=request, model="m", id="0f" * 12, created=1, request_id="r", estimate=lambda: 5)


def _check_answer(dialect: Dialect, grammar: Grammar | None, events: list[ir.Event]) -> None:
    check(events)
    at_once, one_by_one = dialect.stream_writer(_answering()), dialect.stream_writer(_answering())
    written = at_once.feed(events) + at_once.close()
    stepped = b"".join(one_by_one.feed([event]) for event in events) + one_by_one.close()
    late = [writer.close() + writer.feed([ir.TextDelta("late")]) for writer in (at_once, one_by_one)]
    rule(late == [b"", b""], f"something is written after the end: {late}")
    fold = ir.Fold()
    fold.feed(events)
    whole = dialect.write_whole(fold.reply(), _answering(stream=False))
    if grammar is None:
        rule(written and stepped and whole, "nothing is written")
        return
    letter(written)
    heard = [grammar.stream(written), grammar.stream(stepped), grammar.whole(whole)]
    rule(_core(heard[0]) == _core(heard[1]), f"cut at other places, the result differs: {heard[0]} and {heard[1]}")
    rule(_core(heard[0]) == _core(heard[2]), f"streamed and whole differ: {heard[0]} and {heard[2]}")
    _check_said(grammar, heard[0], events)


def _check_said(grammar: Grammar, heard: Heard, events: list[ir.Event]) -> None:
    text = "".join(event.text for event in events if isinstance(event, ir.TextDelta))
    names = [event.name for event in events if isinstance(event, ir.BlockStarted) and event.kind == "tool_call"]
    rule(heard.error is None, f"it is an error: {heard.error}")
    rule(heard.text == text, f"the text is {heard.text!r}, not {text!r}")
    rule([call.name for call in heard.calls] == names, f"the calls are {heard.calls}, not of {names}")
    counts = grammar.counts(heard.usage)
    rule((counts[0], counts[2]) == (_USAGE.input, _USAGE.output), f"usage is {heard.usage} of {_USAGE}")


def _core(heard: Heard) -> tuple[object, ...]:
    return heard.text, heard.thoughts, heard.calls, heard.finish, heard.usage, bool(heard.signatures)


def _check_failure(dialect: Dialect, grammar: Grammar | None) -> None:
    """Break a stream off before its first event and after each; the end is one error."""
    events = _ANSWERS["text and two calls"][:-1]
    for length in range(len(events) + 1):
        for tell in (partial(_fail_by_event, events[:length]), partial(_fail_by_closing, events[:length])):
            written = tell(dialect)
            rule(written, "a stream that fails says nothing")
            if grammar is not None:
                letter(written)
            failed = _BROKEN.encode() in written if grammar is None else grammar.stream(written).error is not None
            rule(failed, f"after {length} events the failure is not told")


def _fail_by_event(events: list[ir.Event], dialect: Dialect) -> bytes:
    writer = dialect.stream_writer(_answering())
    return writer.feed([*events, ir.Failed(StreamBroken(_BROKEN))]) + writer.close()


def _fail_by_closing(events: list[ir.Event], dialect: Dialect) -> bytes:
    writer = dialect.stream_writer(_answering())
    written = writer.feed(events) + writer.close(StreamBroken(_BROKEN))
    rule(not writer.close(), "close is not idempotent")
    return written


def _check_keepalive(dialect: Dialect, grammar: Grammar | None) -> None:
    """Put a sign of life between any two events: it says nothing."""
    if grammar is None or not dialect.keepalive:
        return
    events = _ANSWERS["thoughts and text"]
    writer = dialect.stream_writer(_answering())
    pieces = [*(writer.feed([event]) for event in events), writer.close()]
    alive = dialect.keepalive.join([b"", *pieces])
    rule(_core(grammar.stream(alive)) == _core(grammar.stream(b"".join(pieces))), "it changes what is read")


def _check_error(dialect: Dialect, grammar: Grammar | None, error: GatewayError) -> None:
    status, body = dialect.write_error(error, "r")
    rule(400 <= status <= 599, f"the status is {status}")
    rule(b"what happened" in body, f"the message is not told: {body!r}")
    if grammar is not None:
        grammar.error(status, body)


def _check_foreign(dialect: Dialect, body: bytes) -> None:
    for counting in (False, True):
        try:
            dialect.read_request(body, counting=counting)
        except InvalidRequest as refusal:
            rule(refusal.message, "it is rejected without a reason")
        else:
            rule(False, "it is read as a request")


def _check_request(dialect: Dialect, body: bytes) -> None:
    read = dialect.read_request(body)
    rule(read.turns, "it has no turn")
    more = json.dumps(json.loads(body) | {"xNeverHeardOf": {"a": [1, None]}}).encode()
    again = dialect.read_request(more)
    rule(again.turns == read.turns, "an unknown field changes what was said")
    rule("xNeverHeardOf" in str(again), "an unknown field is dropped in silence")


def _known(dialect: Dialect) -> Iterator[bytes]:
    """Write what callers of a built-in dialect ask for."""
    asking = ASKING.get(dialect.name)
    if asking is not None:
        for wish in (Wish("hi"), Wish("hi", tool=True, forced=True), Wish("hi", thinks=True)):
            yield json.dumps(asking.body("m", wish)).encode()
