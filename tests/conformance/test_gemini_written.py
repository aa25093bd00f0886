"""Every recorded stream of Code Assist as Gemini callers get it: passed on or translated, however it is cut."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.gemini.inbound import Gemini
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.stream import ReadOptions, StreamReader
from gateway.errors import GatewayError
from gateway.ir.grammar import check
from gateway.routes import Streaming
from gateway.sse import Decoder
from tests.conformance.gemini import FORMS, agree, natives
from tests.conformance.recordings import EXPECTED, NAMES, bare, family, stream
from tests.gateway.dialects.gemini.caller import answering, array, heard, sse

FORM = pytest.mark.parametrize("form", FORMS)
NATIVE = pytest.mark.parametrize("native", [True, False], ids=["passed on", "translated"])
NAME = pytest.mark.parametrize("name", NAMES)
SEPARATORS = {b"\xe2\x80\xa8": b"\\u2028", b"\xe2\x80\xa9": b"\\u2029", b"\xc2\x85": b"\\u0085", b"\n": b" "}
READERS: dict[Streaming, Callable[[bytes], list[Any]]] = {
    "": lambda body: [json.loads(body)],
    "sse": sse,
    "array": array,
}
BROKEN_OFF = [name for name in NAMES if EXPECTED[name]["outcome"] in ("error", "truncated")]


def batches(name: str, reads: Sequence[bytes], *, native: bool) -> list[list[ir.Event]]:
    """Read a stream: the events of each network read."""
    reader = StreamReader(ReadOptions(names=NameMap([]), family=family(name), salt="salt", native=native))
    decoder = Decoder()
    return [*(reader.feed(decoder.feed(data)) for data in reads), reader.feed(decoder.close()) + reader.close()]


def write(read: Sequence[list[ir.Event]], form: Streaming) -> bytes:
    passes = any(isinstance(event, ir.Passed) for events in read for event in events)
    how = answering(form) if form else answering()
    how = replace(how, model=how.request.model) if passes else how  # under its own name
    if form:
        writer = Gemini().passage(how) if passes else Gemini().stream_writer(how)
        return b"".join(map(writer.feed, read)) + writer.close()
    fold = ir.Fold()
    for events in read:
        fold.feed(events)
    try:
        reply = fold.reply()
        return Gemini().passage(how).whole(reply.passed) if passes else Gemini().write_whole(reply, how)
    except GatewayError as error:
        return Gemini().write_error(error, "req_1")[1]


def outputs(name: str, *reads: bytes) -> list[bytes]:
    """Write a stream in every form, passed on and translated."""
    return [
        write(read, form)
        for native in (True, False)
        for read in [batches(name, reads, native=native)]
        for form in FORMS
    ]


def events_of(written: bytes) -> list[bytes]:
    """Cut a stream into the data of its events, byte for byte."""
    return [event.removeprefix(b"data: ") for event in written.split(b"\r\n\r\n")[:-1]]


def one_line(chunk: bytes) -> bytes:
    """Write a chunk as it stands on one line for every client."""
    for mark, written in SEPARATORS.items():
        chunk = chunk.replace(mark, written)
    return chunk


@FORM
@NATIVE
@NAME
def test_an_answer_is_as_expected(name: str, native: bool, form: Streaming) -> None:
    written = write(batches(name, [stream(name)], native=native), form)
    agree(name, heard(READERS[form](written), native=native), form=form, native=native)


@NATIVE
@NAME
def test_the_events_keep_their_grammar(name: str, native: bool) -> None:
    check(event for batch in batches(name, [stream(name)], native=native) for event in batch)


@NAME
def test_the_upstream_s_chunks_go_out_byte_for_byte(name: str) -> None:
    written = events_of(write(batches(name, [stream(name)], native=True), "sse"))
    ours = written.pop() if name in BROKEN_OFF else None
    assert [digest(chunk) for chunk in written] == [digest(one_line(chunk)) for chunk in natives(name)]
    assert ours is None or ours.startswith(b'{"error":')


@NAME
def test_the_array_holds_the_same_chunks(name: str) -> None:
    read = batches(name, [stream(name)], native=True)
    assert write(read, "array") == b"[" + b",\r\n".join(one + b"\n" for one in events_of(write(read, "sse"))) + b"]"


@pytest.mark.parametrize("name", [name for name in NAMES if len(natives(name)) == 1 and name not in BROKEN_OFF])
def test_a_single_chunk_is_a_whole_answer_byte_for_byte(name: str) -> None:
    assert [write(batches(name, [stream(name)], native=True), "")] == natives(name)


@NAME
def test_any_cut_into_two_reads_writes_the_same_bytes(name: str) -> None:
    data = stream(name)
    uncut = outputs(name, data)
    for place in range(len(data) + 1):
        assert outputs(name, data[:place], data[place:]) == uncut, place


@FORM
@NATIVE
@NAME
def test_an_answer_without_envelopes_is_as_expected(name: str, native: bool, form: Streaming) -> None:
    """As the public API sends it, in pieces of several sizes."""
    data = bare(name)
    for size in (len(data), 1, 7, 100, 1000):
        pieces = [data[place : place + size] for place in range(0, len(data), size)]
        written = write(batches(name, pieces, native=native), form)
        agree(name, heard(READERS[form](written), native=native), form=form, native=native)


@NAME
def test_single_bytes_write_the_same_bytes(name: str) -> None:
    data = stream(name)
    assert outputs(name, *(data[place : place + 1] for place in range(len(data)))) == outputs(name, data)


@pytest.mark.parametrize("body", [b"%b", b'{"response":%b,"traceId":"t"}', b"[%b]", b'[{"response":%b}]'])
def test_a_whole_answer_of_the_upstream_is_passed_on_byte_for_byte(body: bytes) -> None:
    answer = b'{ "candidates":[{"content":{"parts":[{"text":"\xc3\xa9"}]},"finishReason":"STOP"}],\n"x":1.0e3 }'
    reader = StreamReader(ReadOptions(names=NameMap([]), family="gemini", salt="salt", native=True))
    read = [reader.feed_whole(body % answer)]
    assert write(read, "") == answer
    assert write(read, "sse") == b"data: %b\r\n\r\n" % answer.replace(b"\n", b" ")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
