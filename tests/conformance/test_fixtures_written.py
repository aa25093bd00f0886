"""Every recorded stream of Code Assist as each dialect writes it, streamed and whole, however the network cuts it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

import pytest

from gateway import ir
from gateway.dialects import Answering, Dialect
from gateway.dialects.anthropic import Anthropic
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.stream import ReadOptions, StreamReader
from gateway.dialects.openai_chat import OpenAIChat
from gateway.dialects.openai_responses import OpenAIResponses
from gateway.errors import GatewayError
from gateway.sse import Decoder
from tests.automata import STREAMS, WHOLES
from tests.conformance.recordings import EXPECTED, NAMES, agree, bare, family, stream

CODECS: dict[str, Dialect] = {
    "openai-chat": OpenAIChat(),
    "openai-responses": OpenAIResponses(),
    "anthropic": Anthropic(),
}
DIALECT = pytest.mark.parametrize("dialect", CODECS)
NAME = pytest.mark.parametrize("name", NAMES)

HAVING = [name for name in NAMES if "signature" in EXPECTED[name]]
# Messages and Responses have no place for the signature of a text
OF_THOUGHTS = [name for name in HAVING if family(name) == "claude"]
SIGNED = {"openai-chat": HAVING, "openai-responses": OF_THOUGHTS, "anthropic": OF_THOUGHTS}

REQUEST = ir.Request(
    model="m",
    turns=(),
    reasoning=ir.Reasoning(mode="auto", visible=True),
    include_usage=True,
    thread=ir.Thread(store=False),  # so that Responses hands out what seals the thoughts
)
ANSWERING = Answering(
    request=REQUEST, model="asked", id="0f" * 12, created=1_700_000_000, request_id="req_1", estimate=lambda: 5
)


def batches(name: str, reads: Sequence[bytes]) -> list[list[ir.Event]]:
    """Read a stream: the events of each network read."""
    reader = StreamReader(ReadOptions(names=NameMap([]), family=family(name), salt="salt"))
    decoder = Decoder()
    return [
        *(reader.feed(decoder.feed(data)) for data in reads),
        reader.feed(decoder.close()) + reader.close(),
    ]


def streamed(codec: Dialect, read: Sequence[list[ir.Event]]) -> bytes:
    writer = codec.stream_writer(ANSWERING)
    return b"".join(map(writer.feed, read)) + writer.close()


def whole(codec: Dialect, read: Sequence[list[ir.Event]]) -> bytes:
    fold = ir.Fold()
    for events in read:
        fold.feed(events)
    try:
        return codec.write_whole(fold.reply(), ANSWERING)
    except GatewayError as error:
        return codec.write_error(error, "req_1")[1]


FORMS: tuple[Callable[[Dialect, Sequence[list[ir.Event]]], bytes], ...] = (streamed, whole)


def outputs(name: str, *reads: bytes) -> list[bytes]:
    """Write a stream in every dialect and form."""
    read = batches(name, reads)
    return [form(codec, read) for codec in CODECS.values() for form in FORMS]


@DIALECT
@NAME
def test_a_streamed_answer_is_as_expected(name: str, dialect: str) -> None:
    written = streamed(CODECS[dialect], batches(name, [stream(name)]))
    agree(name, dialect, STREAMS[dialect](written), streamed=True)


@DIALECT
@NAME
def test_a_whole_answer_is_as_expected(name: str, dialect: str) -> None:
    written = whole(CODECS[dialect], batches(name, [stream(name)]))
    agree(name, dialect, WHOLES[dialect](written), streamed=False)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("dialect", "name"), [(dialect, name) for dialect, names in SIGNED.items() for name in names])
def test_the_signature_is_sealed_into_the_answer(
    dialect: str, name: str, form: Callable[[Dialect, Sequence[list[ir.Event]]], bytes]
) -> None:
    written = form(CODECS[dialect], batches(name, [stream(name)]))
    assert base64.urlsafe_b64encode(EXPECTED[name]["signature"].encode()).rstrip(b"=") in written


@pytest.mark.parametrize("form", FORMS)
@DIALECT
def test_a_picture_is_the_pictures_bytes(
    dialect: str, form: Callable[[Dialect, Sequence[list[ir.Event]]], bytes]
) -> None:
    written = form(CODECS[dialect], batches("14_image_inline", [stream("14_image_inline")]))
    (image,) = (STREAMS if form is streamed else WHOLES)[dialect](written).images
    assert image.startswith("data:image/png;base64,")
    assert base64.b64decode(image.partition(",")[2], validate=True).startswith(b"\x89PNG\r\n\x1a\n")


@NAME
def test_any_cut_into_two_reads_writes_the_same_bytes(name: str) -> None:
    data = stream(name)
    uncut = outputs(name, data)
    for place in range(len(data) + 1):
        assert outputs(name, data[:place], data[place:]) == uncut, place


@NAME
def test_a_stream_without_envelopes_writes_the_same_bytes(name: str) -> None:
    """As the public API sends it, in pieces of several sizes."""
    expected, data = outputs(name, stream(name)), bare(name)
    for size in (len(data), 1, 7, 100, 1000):
        assert outputs(name, *(data[place : place + size] for place in range(0, len(data), size))) == expected, size


@NAME
def test_single_bytes_write_the_same_bytes(name: str) -> None:
    data = stream(name)
    assert outputs(name, *(data[place : place + 1] for place in range(len(data)))) == outputs(name, data)
