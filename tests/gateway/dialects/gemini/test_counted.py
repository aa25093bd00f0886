"""What native calls took, as their answers tell it in each of Google's three forms."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway import ir
from gateway.dialects.gemini.counted import read_counted

CHAT = {
    "prompt_tokens": 90,
    "completion_tokens": 20,
    "total_tokens": 150,  # with 40 thoughts
    "prompt_tokens_details": {"cached_tokens": 60},
    "completion_tokens_details": {"reasoning_tokens": 40},
}
INTERACTED = {
    "total_input_tokens": 90,
    "total_cached_tokens": 60,
    "total_tool_use_tokens": 10,
    "total_output_tokens": 20,
    "total_thought_tokens": 40,
    "total_tokens": 160,
    "input_tokens_by_modality": [{"modality": "text", "tokens": 90}],
}
PARTS = {"promptTokenCount": 50, "candidatesTokenCount": 20, "totalTokenCount": 70}
BY_CHAT = ir.Usage(input=90, output=60, cache_read=60, reasoning=40, total=150)
BY_INTERACTION = ir.Usage(input=100, output=60, cache_read=60, reasoning=40, total=160)


def completed(usage: dict[str, Any]) -> dict[str, Any]:
    return {"event_type": "interaction.completed", "interaction": {"id": "i", "usage": usage}}


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        ({"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2}}, ir.Usage(input=3, output=2)),
        ({"name": "cachedContents/c", "usageMetadata": {"totalTokenCount": 9}}, ir.Usage(input=9, total=9)),
        ({"choices": [], "usage": CHAT}, BY_CHAT),
        ({"data": [], "usage": {"prompt_tokens": 7, "total_tokens": 7}}, ir.Usage(input=7, total=7)),
        ({"id": "i", "status": "completed", "usage": INTERACTED}, BY_INTERACTION),
        ({"usage": {"total_input_tokens": 5}}, ir.Usage(input=5)),
        ({"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}, None),
        ({"usage": {"input_tokens": 5, "output_tokens": 7}}, None),  # no form of Google's
        ({"usage": "much", "interaction": "i"}, None),
        ({"usage": {"total_input_tokens": "many"}}, None),
        ({"usage": None, "usageMetadata": None}, None),
        ({}, None),
        ([{"usage": CHAT}], None),
    ],
)
def test_a_whole_answer_tells_what_it_took(answer: object, usage: ir.Usage | None) -> None:
    assert read_counted(json.dumps(answer, indent=2).encode()) == usage


@pytest.mark.parametrize(
    ("events", "usage"),
    [
        ([{"choices": [], "usage": None}, {"choices": [], "usage": CHAT}], BY_CHAT),
        ([{"usage": CHAT | {"completion_tokens": 1, "total_tokens": 131}}, {"usage": CHAT}], BY_CHAT),
        ([{"event_type": "step.delta", "delta": {"text": '"usage'}}, completed(INTERACTED)], BY_INTERACTION),
        ([{"event_type": "step.stop", "usage": {"total_input_tokens": 90}}, completed(INTERACTED)], BY_INTERACTION),
        ([{"event_type": "interaction.status_update", "usage": INTERACTED}], BY_INTERACTION),
        ([{"event_type": "step.stop", "step_usage": INTERACTED}], None),  # of one step of several
        ([{"choices": []}], None),
        ([{"usageMetadata": {"totalTokenCount": 9}}], ir.Usage(input=9, total=9)),
        (
            [{"usageMetadata": {"totalTokenCount": 70}}, {"usageMetadata": PARTS}],
            ir.Usage(input=50, output=20, total=70),
        ),
    ],
)
@pytest.mark.parametrize("line", ["\n", "\r\n"])
@pytest.mark.parametrize("named", ["", "event: interaction.completed\nid: 1\n"])
def test_a_stream_tells_it_in_its_events(
    events: list[dict[str, Any]], usage: ir.Usage | None, line: str, named: str
) -> None:
    said = [*map(json.dumps, events), "[DONE]"]
    stream = "".join(f"{named}data: {data}\n\n" for data in said).replace("\n", line)
    assert read_counted(stream.encode()) == usage


@pytest.mark.parametrize("body", [b"", b"{", b"usage", b'data: {"usage": \n\n', b'{"usage": ' + b"[" * 100_000])
def test_what_cannot_be_read_tells_nothing(body: bytes) -> None:
    assert read_counted(body) is None
