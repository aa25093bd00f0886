"""The estimate of JSON that no reader could read: by the words, names and payloads in it."""

from __future__ import annotations

import json
import struct
from base64 import b64encode

import pytest
from msgspec import Raw

from gateway import ir
from gateway.errors import InvalidRequest
from gateway.ir.estimate import estimate, estimate_body

PNG = b64encode(b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 750, 100) + bytes(300)).decode()
PDF = b64encode(b"%PDF /Type /Page /Type /Page " + bytes(300)).decode()
SILENT = (
    "cache_control",
    "encrypted_content",
    "encrypted_index",
    "id",
    "model",
    "signature",
    "thoughtSignature",
    "thought_signature",
    "tool_use_id",
    "type",
)


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        (None, 1),
        ([None, 7], 2),
        ([1, True, 2.5], 4),
        ("two words", 4),
        (["word", ["word"], {}], 3),
        ({"text": "word"}, 2),
        ({"size": "word"}, 3),
        ({"size": {"depth": None}}, 4),
        ({"role": "somebody who is long to name", "content": "word"}, 6),
        ({"messages": [{"role": "user", "content": "word"}, {"role": "user", "content": "word"}]}, 11),
        ("QUJD" * 4, 5),
        ("A" * 400, 1575),
        (PDF, 3150),
        (PNG, 105),
        (f"data:image/png;base64,{PNG}", 105),
        (f"see {PNG}", 115),
    ],
)
def test_json_counts_by_what_stands_in_it(value: object, tokens: int) -> None:
    assert estimate_body(json.dumps(value).encode()) == tokens


@pytest.mark.parametrize("number", ["1", "1e400", "-1e400", "9" * 5000], ids=["1", "1e400", "-1e400", "long"])
def test_a_number_counts_the_same_whatever_it_says(number: str) -> None:
    assert estimate_body(f'{{"text":"word","size":[{number},1]}}'.encode()) == 5


@pytest.mark.parametrize("name", SILENT)
def test_what_says_nothing_to_a_model_costs_nothing(name: str) -> None:
    assert estimate_body(json.dumps({name: "many long words", "text": "word"}).encode()) == 2


@pytest.mark.parametrize("name", ["content", "contents", "input", "messages", "parts", "system", "text", "tools"])
def test_the_names_of_what_is_said_cost_nothing(name: str) -> None:
    assert estimate_body(json.dumps({name: ["word"]}).encode()) == 2


def test_a_request_that_no_reader_could_read_counts_by_its_body() -> None:
    body = Raw(b'{"messages":[{"role":"user","content":"some four words more"}]}')
    native = ir.Native(dialect="anthropic", body=body, refusal=InvalidRequest("no"))
    assert estimate(ir.Request(model="m", turns=(), native=native)) == estimate_body(body) == 10


def test_a_request_that_was_read_counts_by_what_was_read() -> None:
    native = ir.Native(dialect="anthropic", body=Raw(b'{"messages":[{"role":"user","content":"some four words"}]}'))
    assert estimate(ir.Request(model="m", turns=(), native=native)) == 1


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="truncated"):
        estimate_body(b"{")
    with pytest.raises(ValueError, match="delimiter"):
        estimate_body(b"[1e400")
