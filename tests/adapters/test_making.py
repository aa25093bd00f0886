"""Answers with embeddings and pictures: what was counted, what was not, and what cannot be used."""

import json
from collections.abc import Sequence
from typing import Any, cast

import pytest
from msgspec import Raw
from msgspec.structs import replace

from gateway import ir
from gateway.adapters.gemini_making import plan_embedding
from gateway.adapters.google_making import Plan, carry_out, plan_drawing
from gateway.adapters.making import Streamed, Whole, read_usage
from gateway.adapters.vertex_making import plan_embedding as plan_vertex
from gateway.dialects.gemini.making import Step, read_drawn
from gateway.dialects.gemini.making_vertex import read_vectors
from gateway.errors import UpstreamMalformed
from gateway.transport import Response
from gateway.upstream import Call

pytestmark = pytest.mark.anyio


def asked(**body: Any) -> Call:
    native = ir.Native(dialect="openai", body=Raw(json.dumps(body).encode()))
    return Call(request=ir.Request(model="m", turns=(), native=native), request_id="r-1")


def replaced(call: Call, model: str) -> Call:
    return replace(call, request=replace(call.request, model=model))


def answers(*bodies: Any) -> list[bytes]:
    return [json.dumps(body).encode() for body in bodies]


def embedded(made: Whole) -> Any:
    assert made.whole is not None
    return json.loads(made.whole)


def test_tokens_that_were_counted_are_added_up() -> None:
    plan = plan_embedding(asked(input=["a"] * 101))
    values = {"values": [1.0]}
    made = plan.read(
        answers(
            {"embeddings": [values] * 100, "usageMetadata": {"promptTokenCount": 100}},
            {"embeddings": [values], "usageMetadata": {"promptTokenCount": "1"}},
        ),
        0,
    )
    assert made.usage == ir.Usage(input=101)
    assert embedded(made)["usage"] == {"prompt_tokens": 101, "total_tokens": 101}


def test_tokens_that_were_not_counted_are_estimated_and_marked() -> None:
    made = plan_embedding(asked(input=["two words", "three more words"])).read(
        answers({"embeddings": [{"values": [1.0]}, {"values": [2.0]}]}), 0
    )
    assert made.usage == ir.Usage(input=8, estimated=True)
    assert embedded(made)["usage"] == {"prompt_tokens": 8, "total_tokens": 8}


@pytest.mark.parametrize("body", [b"{", b"[" * 50_000, b'{"embedding": {"values": "x"}}', b"{}"])
def test_vectors_that_cannot_be_read_are_the_upstreams_fault(body: bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        plan_embedding(asked(input="a")).read([body], 0)


@pytest.mark.parametrize("verb", ["predict", "embedContent"])
@pytest.mark.parametrize(
    "body",
    [b"{", b"[" * 50_000, b"[]", b'{"predictions": [{}], "embedding": {}}', b'{"predictions": 1, "embedding": 1}'],
)
def test_vectors_of_vertex_that_cannot_be_read_are_the_upstreams_fault(verb: str, body: bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        read_vectors(body, verb)


def test_tokens_of_vertex_that_were_not_all_counted_are_estimated() -> None:
    call = replaced(asked(input=["one", "two"]), "text-embedding-005")
    plan = plan_vertex(call)(call.request, frozenset())
    known = {"embeddings": {"values": [1.0], "statistics": {"token_count": 5.0}}}
    made = plan.read(answers({"predictions": [known, {"embeddings": {"values": [2.0]}}]}), 0)
    assert made.usage == ir.Usage(input=2, estimated=True)


async def test_what_was_answered_is_not_asked_again() -> None:
    plan = Plan(steps=[Step(verb, {}) for verb in "abc"], read=lambda answers, _: Whole(b"".join(answers), None))
    answered: dict[int, bytes] = {}
    asked_for: list[str] = []

    async def ask(step: Step) -> bytes:
        asked_for.append(step.verb)
        if asked_for == ["a", "b", "c"]:
            raise UpstreamMalformed("no")
        return step.verb.encode()

    with pytest.raises(UpstreamMalformed):
        await carry_out(plan, ask, answered)
    assert await carry_out(plan, ask, answered) == [b"a", b"b", b"c"]
    assert asked_for == ["a", "b", "c", "c"]


def test_fewer_vectors_than_texts_are_the_upstreams_fault() -> None:
    with pytest.raises(UpstreamMalformed, match="returned 1 vectors for 2 texts"):
        plan_embedding(asked(input=["a", "b"])).read(answers({"embeddings": [{"values": [1.0]}]}), 0)


def test_a_vector_of_nothing_stays_one() -> None:
    made = plan_embedding(asked(input="a", dimensions=2)).read(answers({"embedding": {"values": [0, 0]}}), 0)
    assert embedded(made)["data"][0]["embedding"] == [0.0, 0.0]


@pytest.mark.parametrize("body", [b"{", b"[" * 50_000, b"null", b"{}"])
def test_pictures_that_cannot_be_read_are_the_upstreams_fault(body: bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        plan_drawing(asked(prompt="a")).read([body], 0)


def test_a_thought_of_a_picture_is_not_the_picture() -> None:
    def part(data: str, **more: Any) -> Any:
        return {"inlineData": {"mimeType": "image/jpeg", "data": data}, **more}

    said = {"candidates": [{"content": {"parts": [part("AA==", thought=True), part("QUE=")]}, "finishReason": "STOP"}]}
    made = plan_drawing(asked(prompt="a")).read(answers(said), 5)
    assert embedded(made) == {"created": 5, "data": [{"b64_json": "QUE="}], "output_format": "jpeg"}
    assert made.usage is None


@pytest.mark.parametrize(
    ("size", "shape"),
    [("1024x1024", "1:1"), ("1536x1024", "3:2"), ("1024x1536", "2:3"), ("1792x1024", "16:9"), ("3840x1640", "21:9")],
)
def test_the_shape_is_the_nearest_to_the_size(size: str, shape: str) -> None:
    body: Any = plan_drawing(asked(prompt="a", size=size)).body
    assert body["generationConfig"]["imageConfig"] == {"aspectRatio": shape}


@pytest.mark.parametrize(
    ("document", "usage"),
    [
        ('{"usage":{"prompt_tokens":3,"total_tokens":3}}', ir.Usage(input=3)),
        ('{"usage":{"input_tokens":3,"output_tokens":4}}', ir.Usage(input=3, output=4)),
        (f'{{"usage":{{"input_tokens":{2**63},"output_tokens":-4}}}}', ir.Usage()),
        ('{"usage":null}', None),
        ('{"usage":{"prompt_tokens":"x"}}', None),
        ("[1]", None),
    ],
)
def test_usage_is_read_off_either_kind_of_answer(document: str, usage: ir.Usage | None) -> None:
    assert read_usage(document) == usage


class Pieces:
    """A response that comes in these pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    async def read(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def concealed(self, data: bytes) -> bytes:
        return data

    def close(self) -> None:
        self.pieces = []


async def passed(*pieces: bytes) -> tuple[Sequence[bytes], ir.Usage | None]:
    made = Streamed(cast(Response, Pieces(*pieces)))
    read = []
    while data := await made.read():
        read.append(data)
    return read, made.usage


async def test_a_stream_passes_and_its_tokens_are_read_off_a_copy() -> None:
    pieces = (b"data: {}\n\nda", b'ta: {"usage":{"input_tokens":1,"output_tokens":2}}\n\n')
    assert await passed(*pieces) == (list(pieces), ir.Usage(input=1, output=2))


async def test_a_large_picture_passes_and_is_counted() -> None:
    pieces = (
        b'data: {"b64_json":"' + b"x" * (33 * 1024 * 1024),
        b'","usage":{"input_tokens":1,"output_tokens":2}}\n\n',
    )
    assert await passed(*pieces) == (list(pieces), ir.Usage(input=1, output=2))


async def test_an_event_without_an_end_is_the_upstreams_fault() -> None:
    made = Streamed(cast(Response, Pieces(b"data: ", b"x" * 11)), max_event=16)
    assert await made.read() == b"data: "
    with pytest.raises(UpstreamMalformed, match="larger than 16 bytes"):
        await made.read()


@pytest.mark.parametrize(
    ("pieces", "first"),
    [
        ((b": ping\n\n", b'data: {"a"', b":1}\n\ndata", b": {}\n\n"), b'{"a":1}'),
        ((b'data: {"a":1}',), b'{"a":1}'),
        ((b'{"error"', b": {}}"), b'{"error": {}}'),
        ((b": ping\n\n",), b": ping\n\n"),
        ((), b""),
    ],
)
async def test_what_was_read_to_the_first_event_still_passes(pieces: Sequence[bytes], first: bytes) -> None:
    made = Streamed(cast(Response, Pieces(*pieces)))
    assert await made.first() == first
    read = []
    while data := await made.read():
        read.append(data)
    assert b"".join(read) == b"".join(pieces)


def test_a_picture_is_found_under_both_of_its_names() -> None:
    for name in ("inlineData", "inline_data"):
        [body] = answers({"candidates": [{"content": {"parts": [{name: {"mimeType": "image/png", "data": "QQ=="}}]}}]})
        assert [one.data for one in read_drawn(body, "generateContent").pictures] == ["QQ=="]


@pytest.mark.parametrize("form", ["data: %s\n\ndata: %s\n\n", ": \r\ndata:%s\r\n\r\ndata:%s", "[%s, %s]"])
def test_a_picture_is_found_in_the_answer_of_a_server_that_only_streams(form: str) -> None:
    words: Any = {"content": {"parts": [{"text": "Here:"}]}}
    drawn: Any = {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "QQ=="}}]}}
    [text, picture] = answers(
        {"response": {"candidates": [words]}},
        {"response": {"candidates": [drawn], "usageMetadata": {"promptTokenCount": 2, "totalTokenCount": 9}}},
    )
    found = read_drawn((form % (text.decode(), picture.decode())).encode(), "generateContent")
    assert ([one.data for one in found.pictures], found.usage) == (["QQ=="], ir.Usage(input=2, output=7, total=9))


def test_a_list_of_no_answers_is_without_a_picture() -> None:
    with pytest.raises(UpstreamMalformed, match="without an image"):
        read_drawn(b"[]", "generateContent")


def test_what_ended_an_answer_without_a_picture_is_told() -> None:
    thought = {"thought": True, "text": "t"}
    [body] = answers(
        {"candidates": [{"content": {"parts": [thought]}, "finishReason": "NO_IMAGE", "finishMessage": "Try again."}]}
    )
    with pytest.raises(UpstreamMalformed, match="without an image: Try again"):
        read_drawn(body, "generateContent")
