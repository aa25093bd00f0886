"""`/v1/embeddings` and `/v1/images/generations` before an upstream whose answers cannot be used, or break off."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import openai
import pytest

from tests.conformance.making import DRAW, EMBED, standing
from tests.conformance.raw import Raw
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
Pieces = Sequence[bytes | float | Exception]

JSON: Final = "application/json"
MADE: Final = b'{"object":"list","data":[],"usage":{"prompt_tokens":1,"total_tokens":1}}'
UNUSABLE: Final = {
    "html": b"<html>login</html>",
    "empty": b"",
    "array": b'[{"data":[]}]',
    "string": b'"hey"',
    "nan": b'{"data":[{"embedding":[NaN]}]}',
    "cut": b'{"data":[',
    "deep": b'{"data":' + b"[" * 50_000,
    "name": b'{"\xff":1}',
}
DRAWING: Final = {"model": "first/m", "prompt": "a dot", "stream": True}


def event(kind: str, **more: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


PARTIAL: Final = event("image_generation.partial_image", b64_json="AA")
COMPLETED: Final = event("image_generation.completed", b64_json="AA")
OVERLOADED: Final = event("error", error={"type": "server_error", "code": "server_error", "message": "overloaded"})
BLOCKED: Final = {"type": "image_generation_user_error", "code": "moderation_blocked", "message": "no", "param": None}


@asynccontextmanager
async def chained(folder: Path, raw: Raw, **over: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run a gateway before two upstreams, which are one; `mine` is a chain of both."""
    async with serve(raw) as below:
        table = {"type": "openai", "base_url": f"{below}/v1", "api_key": ["key-1"], "models": ["m"]}
        given: Json = {"models": {"alias": {"mine": ["first/m", "second/m"]}}, "retry": {"attempts": 1}, **over}
        async with standing(folder, {"first": table, "second": table}, **given) as http:
            yield http


@pytest.mark.parametrize("path", [EMBED, DRAW], ids=["embeddings", "images"])
@pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE)
async def test_an_answer_that_is_no_object_is_the_upstreams_fault(tmp_path: Path, body: bytes, path: str) -> None:
    raw = Raw()
    raw.says(body, kind=JSON)
    async with chained(tmp_path, raw) as http:
        for name in ("m", "first/m"):
            response = await http.post(path, json={"model": name, "input": "a", "prompt": "a"})
            assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_malformed")


async def test_the_next_member_answers_in_place_of_one_whose_answer_cannot_be_used(tmp_path: Path) -> None:
    raw = Raw()
    raw.says(UNUSABLE["html"], kind="text/html")
    raw.says(MADE, kind=JSON)
    async with chained(tmp_path, raw) as http:
        response = await http.post(EMBED, json={"model": "mine", "input": "a"})
    assert (response.status_code, response.content) == (200, MADE)
    assert response.headers["x-gateway-upstream"] == "second/m"


async def test_a_mark_of_the_byte_order_is_left_out(tmp_path: Path) -> None:
    raw = Raw()
    raw.says(b"\xef\xbb\xbf" + MADE, kind=JSON)
    async with chained(tmp_path, raw) as http:
        response = await http.post(EMBED, json={"model": "first/m", "input": "a"})
    assert (response.status_code, response.content) == (200, MADE)


# streams


async def test_the_first_event_may_take_longer_than_a_silence(tmp_path: Path) -> None:
    raw = Raw()
    raw.says(0.5, COMPLETED)
    async with chained(tmp_path, raw, timeouts={"idle": 0.1}) as http:
        response = await http.post(DRAW, json=DRAWING)
    assert (response.status_code, response.content) == (200, COMPLETED)


async def test_a_first_event_that_does_not_come_is_a_status(tmp_path: Path) -> None:
    raw = Raw()
    raw.says(b": ping\n\n", 9.0)
    async with chained(tmp_path, raw, timeouts={"first_byte": 0.2}) as http:
        response = await http.post(DRAW, json=DRAWING)
    assert (response.status_code, response.json()["error"]["code"]) == (504, "timeout")
    assert raw.left.is_set()


FAILED: Final[dict[str, tuple[Pieces, str]]] = {
    "error": ([OVERLOADED], "server_error"),
    "error in a document": ([b'{"error":{"code":"server_error","message":"overloaded"}}'], "server_error"),
    "break": ([RuntimeError("gone")], "upstream_truncated"),
    "nothing": ([], "upstream_malformed"),
    "no event": ([b": ping\n\n", b"data: [DONE]\n\n"], "upstream_malformed"),
    "no object": ([b"data: <html>\n\n"], "upstream_malformed"),
}


@pytest.mark.parametrize(("pieces", "code"), FAILED.values(), ids=FAILED)
async def test_what_fails_before_the_first_event_is_a_status(tmp_path: Path, pieces: Pieces, code: str) -> None:
    raw = Raw()
    raw.says(*pieces)
    async with chained(tmp_path, raw) as http:
        response = await http.post(DRAW, json=DRAWING)
    assert (response.status_code, response.json()["error"]["code"]) == (502, code)


@pytest.mark.parametrize(("pieces", "code"), FAILED.values(), ids=FAILED)
async def test_the_next_member_streams_in_place_of_one_that_fails_first(
    tmp_path: Path, pieces: Pieces, code: str
) -> None:
    raw = Raw()
    raw.says(*pieces)
    raw.says(COMPLETED)
    async with chained(tmp_path, raw) as http:
        response = await http.post(DRAW, json=DRAWING | {"model": "mine"})
    assert (response.status_code, response.content) == (200, COMPLETED)
    assert response.headers["x-gateway-upstream"] == "second/m"


async def test_a_picture_that_may_not_be_is_refused_at_once(tmp_path: Path) -> None:
    raw = Raw()
    raw.says(event("error", error=BLOCKED))
    async with chained(tmp_path, raw, retry={"attempts": 3}) as http:
        response = await http.post(DRAW, json=DRAWING | {"model": "mine"})
    assert (response.status_code, response.json()["error"]) == (400, BLOCKED)
    assert len(raw.asked) == 1


BROKEN: Final[dict[str, tuple[Pieces, str]]] = {
    "break": ([RuntimeError("gone")], "upstream_truncated"),
    "break in an event": ([COMPLETED[:-9], RuntimeError("gone")], "upstream_truncated"),
    "silence": ([9.0], "timeout"),
    "silence in an event": ([COMPLETED[:-9], 9.0], "timeout"),
}


@pytest.mark.parametrize(("pieces", "code"), BROKEN.values(), ids=BROKEN)
async def test_what_fails_after_the_first_event_ends_the_stream_with_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pieces: Pieces, code: str
) -> None:
    raw, log = Raw(), {"level": "info", "format": "json"}
    raw.says(PARTIAL, *pieces)
    async with chained(tmp_path, raw, timeouts={"idle": 0.2}, log=log) as http:
        response = await http.post(DRAW, json=DRAWING | {"model": "mine"})
    assert response.content.startswith(PARTIAL)
    kind, data = response.content.removeprefix(PARTIAL).removesuffix(b"\n\n").split(b"\ndata: ")
    told = json.loads(data)
    assert (kind, told["type"], told["error"]["code"]) == (b"event: error", "error", code)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["end"] for line in lines if line.get("path") == DRAW] == ["error"]


async def test_the_sdk_raises_the_error_that_ends_a_stream(tmp_path: Path) -> None:
    raw = Raw()
    raw.says(PARTIAL, RuntimeError("gone"))
    async with (
        chained(tmp_path, raw) as http,
        openai.AsyncOpenAI(base_url=f"{http.base_url}/v1", api_key="any", max_retries=0) as client,
    ):
        stream = await client.images.generate(model="first/m", prompt="a dot", stream=True)
        assert (await anext(stream)).type == "image_generation.partial_image"
        with pytest.raises(openai.APIError, match="broke off"):
            await anext(stream)


async def test_signs_of_life_go_out_before_the_first_event_and_between_events(tmp_path: Path) -> None:
    raw = Raw()
    raw.says(0.3, PARTIAL, COMPLETED[:9], 0.3, COMPLETED[9:])
    async with chained(tmp_path, raw, timeouts={"keepalive": 0.1}) as http:
        response = await http.post(DRAW, json=DRAWING)
    before, between = response.content.removesuffix(COMPLETED).split(PARTIAL)
    assert {before.replace(b": keep-alive\n\n", b""), between.replace(b": keep-alive\n\n", b"")} == {b""}
    assert before
    assert between


@pytest.mark.parametrize("body", [{"stream": False}, {}, {"stream": None}])
async def test_no_sign_of_life_goes_before_a_document(tmp_path: Path, body: Json) -> None:
    raw = Raw()
    raw.says(0.3, MADE, kind=JSON)
    async with chained(tmp_path, raw, timeouts={"keepalive": 0.1}, defaults={"stream": True}) as http:
        response = await http.post(DRAW, json={"model": "first/m", "prompt": "a dot", **body})
    assert response.content == MADE


@pytest.mark.parametrize(
    ("piece", "kind", "code"), [(OVERLOADED, "text/event-stream", "server_error"), (MADE, JSON, "upstream_malformed")]
)
async def test_what_fails_after_a_sign_of_life_ends_the_stream_with_an_error(
    tmp_path: Path, piece: bytes, kind: str, code: str
) -> None:
    raw = Raw()
    raw.says(0.3, piece, kind=kind)
    async with chained(tmp_path, raw, timeouts={"keepalive": 0.1}) as http:
        response = await http.post(DRAW, json=DRAWING)
    assert response.status_code == 200
    assert json.loads(response.content.rpartition(b"data: ")[2])["error"]["code"] == code
