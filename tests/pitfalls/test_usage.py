"""What is counted: tokens of answers, and of prompts before they are asked."""

from __future__ import annotations

import base64
import json
import socket
import struct
import sys
import time
import zlib
from typing import Any

import pytest

from tests.conformance.counting import COUNTERS, counted, read
from tests.conformance.replies import T, chunk, usage
from tests.conformance.served import user
from tests.gateway.dialects.openai_responses.responses import Stream
from tests.patience import patient
from tests.pitfalls.chunks import delta, frame, responded
from tests.pitfalls.gateways import ALL, CHAT_FORM, CLAUDES, DIALECTS, GOOGLE, TRANSLATING, Alone, At, each
from tests.pitfalls.sdks import response_of

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
DIALECT = pytest.mark.parametrize("dialect", DIALECTS)
TRANSLATED = pytest.mark.parametrize("dialect", TRANSLATING)
COUNTER = pytest.mark.parametrize("dialect", COUNTERS)

# where each dialect tells input, output, and what of it was thought
PLACES: dict[str, tuple[str, str, str]] = {
    "openai-chat": ("prompt_tokens", "completion_tokens", "completion_tokens_details.reasoning_tokens"),
    "openai-responses": ("input_tokens", "output_tokens", "output_tokens_details.reasoning_tokens"),
    "anthropic": ("input_tokens", "output_tokens", "output_tokens_details.thinking_tokens"),
}


def told_of(dialect: str, told: Json) -> list[Any]:
    """Read the counts of an answer."""
    found = []
    for path in PLACES[dialect]:
        value: Any = told
        for name in path.split("."):
            value = value[name]
        found.append(value)
    return found


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (usage(20, 198, 623, th=405), [20, 603, 405]),
        (usage(100, 3362, 3462, th=3347), [100, 3362, 3347]),
    ],
    ids=["beside", "within"],
)
@STREAM
@TRANSLATED
@each(*GOOGLE)
async def test_pitfall_34_thoughts_are_counted_once(
    at: At, counts: Json, expected: list[int], dialect: str, stream: bool
) -> None:
    at.play(chunk(T("a")), chunk(fin="STOP", usage=counts))
    assert told_of(dialect, (await at.ask(dialect, stream=stream)).usage) == expected


@STREAM
@TRANSLATED
@each(*GOOGLE)
async def test_an_answer_that_nobody_has_counted_is_estimated_and_not_for_nothing(
    at: At, dialect: str, stream: bool
) -> None:
    at.play(chunk(T("Hello world")), chunk(fin="STOP"))
    told = (await at.ask(dialect, stream=stream)).usage
    asked, said, _ = PLACES[dialect]
    assert told[asked] >= 1
    assert told[said] == 4


NOUGHT: Json = dict.fromkeys(("promptTokenCount", "candidatesTokenCount", "totalTokenCount"), 0)


@STREAM
@TRANSLATED
@each(*GOOGLE)
async def test_zeros_that_an_upstream_has_told_are_no_estimate(at: At, dialect: str, stream: bool) -> None:
    at.play(chunk(T("Hello world")), chunk(fin="STOP", usage=NOUGHT))
    told = (await at.ask(dialect, stream=stream)).usage
    assert [told[name] for name in PLACES[dialect][:2]] == [0, 0]


@STREAM
@TRANSLATED
@each(*GOOGLE)
async def test_an_answer_whose_prompt_alone_is_counted_is_not_for_nothing(at: At, dialect: str, stream: bool) -> None:
    at.play(chunk(T("Hello world"), usage=usage(100, t=100)), chunk(fin="STOP"))
    told = (await at.ask(dialect, stream=stream)).usage
    assert [told[name] for name in PLACES[dialect][:2]] == [100, 4]


@STREAM
@TRANSLATED
@each(*GOOGLE)
async def test_an_answer_that_alone_is_counted_has_a_prompt_that_is_estimated(
    at: At, dialect: str, stream: bool
) -> None:
    at.play(chunk(T("Hello world")), chunk(fin="STOP", usage={"candidatesTokenCount": 7, "totalTokenCount": 7}))
    told = (await at.ask(dialect, stream=stream)).usage
    asked, said, _ = PLACES[dialect]
    assert told[asked] >= 1
    assert told[said] == 7


def gemini_is_told_the_estimate(told: Json) -> None:
    """Tell that two words were counted here."""
    assert told["promptTokenCount"] >= 1
    assert told["candidatesTokenCount"] == 4
    assert told["totalTokenCount"] == told["promptTokenCount"] + 4


@STREAM
@each(*CHAT_FORM)
async def test_a_gemini_caller_is_told_the_estimate_too(at: At, stream: bool) -> None:
    at.play(delta(role="assistant", content="Hello world"), delta("stop"))
    gemini_is_told_the_estimate((await at.ask("gemini", stream=stream)).usage)


@pytest.mark.parametrize("counts", [None, {}], ids=["nothing", "empty"])
@STREAM
@each("responses")
async def test_so_it_is_where_the_upstream_speaks_responses(at: At, counts: Json | None, stream: bool) -> None:
    at.play(*responded("Hello world", "completed", usage=counts))
    gemini_is_told_the_estimate((await at.ask("gemini", stream=stream)).usage)


COUNTED: Json = {"prompt_tokens": 1000, "completion_tokens": 9, "total_tokens": 1009}
COUNTED |= {"prompt_tokens_details": {"cached_tokens": 800, "cache_write_tokens": 100}}


@STREAM
@each(*CHAT_FORM)
async def test_pitfall_35_what_was_cached_is_not_in_the_input_of_an_anthropic_caller(at: At, stream: bool) -> None:
    at.play(delta(role="assistant", content="ok"), delta("stop"), frame(usage=COUNTED))
    told = (await at.ask("anthropic", stream=stream)).usage
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    assert [told[name] for name in names] == [100, 800, 100, 9]


@STREAM
@each("responses")
async def test_pitfall_35_nor_where_the_upstream_speaks_responses(at: At, stream: bool) -> None:
    details = {"cached_tokens": 800, "cache_write_tokens": 100}
    counts = {"input_tokens": 1000, "input_tokens_details": details, "output_tokens": 9, "total_tokens": 1009}
    told = {"usage": counts | {"output_tokens_details": {"reasoning_tokens": 0}}}
    at.play(*responded("ok", "completed", **told))
    heard = (await at.ask("anthropic", stream=stream)).usage
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    assert [heard[name] for name in names] == [100, 800, 100, 9]


@pytest.mark.parametrize("query", ["", "?beta=true", "?beta=true&x=y"])
@each(*ALL)
async def test_pitfall_65_counting_is_routed_whatever_its_query(at: At, query: str) -> None:
    body = {"model": at.model, "messages": [user("hi")]}
    response = await at.http.post(f"/v1/messages/count_tokens{query}", json=body)
    assert response.status_code == 200, response.text
    assert read("anthropic", response)[0] > 0


@COUNTER
@each(*ALL)
async def test_pitfall_66_instructions_and_tools_count(at: At, dialect: str) -> None:
    plain, _ = await counted(at.http, dialect, at.model)
    ruled, _ = await counted(at.http, dialect, at.model, system="Answer in one word, and in no more than one. " * 20)
    tooled, _ = await counted(at.http, dialect, at.model, tool=True)
    assert plain + 100 < ruled
    assert plain + 10 < tooled


@pytest.mark.parametrize("text", ["a", "How long is this?"])
@COUNTER
@each(*ALL)
async def test_pitfall_67_a_count_is_never_nothing(at: At, dialect: str, text: str) -> None:
    long, _ = await counted(at.http, dialect, at.model, f"{text} and much more than that " * 20)
    short, _ = await counted(at.http, dialect, at.model, text)
    assert 0 < short < long


@pytest.mark.parametrize("upstream", ["v1internal", *CHAT_FORM])
@pytest.mark.usefixtures("stopped")
async def test_pitfall_68_a_burst_of_counts_takes_nothing_of_a_limit(upstream: str, alone: Alone) -> None:
    at = await alone(upstream, limits={"requests_per_minute": 2, "concurrent": 1})
    for _ in range(50):
        await counted(at.http, "anthropic", at.model)
    assert at.calls == []
    assert upstream == "v1internal" or at.fake.requests == []
    at.push(*["!say ok"] * 2)
    statuses = [(await at.response("openai-chat")).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def png(padding: int) -> str:
    """Draw 200 by 100 pixels, with so many bytes of remarks."""

    def piece(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes((1 + 3 * 200) * 100))
    head = struct.pack(">IIBBBBB", 200, 100, 8, 2, 0, 0, 0)
    pieces = [(b"IHDR", head), (b"tEXt", b"Comment\0" + b"x" * padding), (b"IDAT", rows), (b"IEND", b"")]
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(piece(*one) for one in pieces)).decode()


def looked_at(data: str, *, nested: bool) -> Json:
    """Show a picture, maybe as the result of a tool."""
    shot = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    if not nested:
        return {"messages": [user([shot] if data else "hi")]}
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [shot] if data else "hi"}
    return {
        "messages": [user("go"), {"role": "assistant", "content": [use]}, user([result])],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
    }


@pytest.mark.parametrize("nested", [False, True])
@each(*CHAT_FORM)
async def test_pitfall_69_a_picture_costs_what_its_size_in_pixels_costs(at: At, nested: bool) -> None:
    sizes = []
    for data in ("", png(0), png(300_000)):
        body = {"model": at.model, **looked_at(data, nested=nested)}
        response = await at.http.post("/v1/messages/count_tokens", json=body)
        tokens, estimated = read("anthropic", response)
        assert estimated
        sizes.append(tokens)
    assert sizes[0] < sizes[1] == sizes[2] < sizes[0] + 3000


NOWHERE = {"v1internal": "base_urls", "azure": "endpoint"}


@COUNTER
@pytest.mark.parametrize("upstream", [one for one in ALL if not one.startswith("vertex")])
async def test_pitfall_70_without_a_network_counting_works_at_once(
    upstream: str, dialect: str, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = upstream.removesuffix("-claude")
    key = NOWHERE.get(table, "base_url")
    url = "http://127.0.0.1:9"
    asked: list[object] = []

    def resolve(host: object, *_: object, **__: object) -> object:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "no network")

    at = await alone(upstream, **{table: {key: [url] if key == "base_urls" else url}})
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    began = time.monotonic()
    tokens, estimated = await counted(at.http, dialect, at.model)
    assert time.monotonic() - began < patient(10)
    assert (tokens > 0, estimated) == (True, True)
    assert "tiktoken" not in sys.modules


@each(*ALL)
async def test_pitfall_71_usage_of_responses_has_both_details(at: At) -> None:
    at.push(*["!say ok"] * 3)
    stream = Stream((await at.response("openai-responses", stream=True)).content)
    whole = (await at.response("openai-responses")).json()
    for told in (stream.response["usage"], whole["usage"]):
        assert isinstance(told["input_tokens_details"]["cached_tokens"], int)
        assert isinstance(told["output_tokens_details"]["reasoning_tokens"], int)
    counts = (await response_of(at)).usage
    assert counts is not None
    assert counts.input_tokens_details.cached_tokens >= 0
    assert counts.output_tokens_details.reasoning_tokens >= 0


@STREAM
@DIALECT
@each(*GOOGLE)
async def test_pitfall_76_a_count_of_nothing_changes_nothing(at: At, dialect: str, stream: bool) -> None:
    empty = {**chunk(T("b"), fin="STOP"), "usageMetadata": {"trafficType": "ON_DEMAND"}}
    if at.upstream == "v1internal" or stream:
        at.play({"usageMetadata": {"trafficType": "ON_DEMAND"}}, chunk(T("a"), usage=usage(3, 2, 5)), empty)
    else:
        at.play(chunk(T("ab"), fin="STOP", usage=usage(3, 2, 5) | {"trafficType": "ON_DEMAND"}))
    told = await at.ask(dialect, stream=stream)
    counts = [told.usage[name] for name in (*PLACES.get(dialect, ("promptTokenCount", "candidatesTokenCount")),)[:2]]
    assert (told.text, counts) == ("ab", [3, 2])


@STREAM
@DIALECT
@each(*CLAUDES)
async def test_pitfall_80_counts_at_the_start_and_at_the_end_are_not_added(at: At, dialect: str, stream: bool) -> None:
    told = {"input_tokens": 100, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, "output_tokens": 9}
    at.push(f"!say one two three\n!usage {json.dumps(told)}")
    used = (await at.ask(dialect, stream=stream)).usage
    names = PLACES.get(dialect, ("promptTokenCount", "candidatesTokenCount"))
    assert [used[name] for name in names[:2]] == [100, 9]
