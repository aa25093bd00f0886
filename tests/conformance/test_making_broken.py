"""`/v1/embeddings` and `/v1/images/generations` before an upstream whose answers cannot be used."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.conformance.making import DRAW, EMBED, standing
from tests.conformance.raw import Raw
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

JSON: Final = "application/json"
MADE: Final = b'{"object":"list","data":[]}'
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
