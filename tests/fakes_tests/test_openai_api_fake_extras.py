"""Embeddings and pictures in the fake of the OpenAI API: what it takes, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes_tests.openai_api_bodies import OpenAIClient, refusal

pytestmark = pytest.mark.anyio

EMBED, DRAW = "/v1/embeddings", "/v1/images/generations"
SMALL, PAINTER = "text-embedding-3-small", "gpt-image-1"


@pytest.mark.parametrize(
    ("given", "count"), [("a", 1), (["a", "b"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2)], ids=["text", "texts", "1", "2"]
)
async def test_texts_and_tokens_are_embedded(openai: OpenAIClient, given: Any, count: int) -> None:
    status, body = await openai.call(EMBED, {"model": SMALL, "input": given, "dimensions": 3})
    assert status == 200
    assert [len(one["embedding"]) for one in body["data"]] == [3] * count


@pytest.mark.parametrize(
    ("path", "sent", "words"),
    [
        (EMBED, {"model": SMALL}, "Missing required parameter: 'input'"),
        (EMBED, {"model": SMALL, "input": ""}, "Invalid 'input': empty string"),
        (EMBED, {"model": SMALL, "input": []}, "Invalid 'input': empty array"),
        (EMBED, {"model": SMALL, "input": [1, "a"]}, "Invalid type for 'input[1]'"),
        (EMBED, {"model": SMALL, "input": "a", "dimensions": 4000}, "The largest is 1536"),
        (EMBED, {"model": SMALL, "input": "a", "encoding_format": "hex"}, "Invalid value: 'hex'"),
        (DRAW, {"model": PAINTER}, "Missing required parameter: 'prompt'"),
        (DRAW, {"model": PAINTER, "prompt": "a", "n": 11}, "Invalid 'n'"),
        (DRAW, {"model": PAINTER, "prompt": "a", "response_format": "url"}, "response_format"),
        (DRAW, {"model": PAINTER, "prompt": "a", "partial_images": 4}, "Invalid 'partial_images'"),
        (DRAW, {"model": "gpt-4.1", "prompt": "a"}, "Value must be 'gpt-image-1'"),
    ],
)
async def test_what_is_wrong_is_refused(openai: OpenAIClient, path: str, sent: dict[str, Any], words: str) -> None:
    assert words in refusal(await openai.call(path, sent))


async def test_a_model_that_does_not_embed_may_not(openai: OpenAIClient) -> None:
    assert "not allowed" in refusal(await openai.call(EMBED, {"model": "gpt-4.1", "input": "a"}), 403)


async def test_a_stream_shows_the_picture_before_it_is_complete(openai: OpenAIClient) -> None:
    events = await openai.events(DRAW, {"model": PAINTER, "prompt": "a", "partial_images": 2})
    assert [event["type"].rpartition(".")[2] for event in events] == ["partial_image", "partial_image", "completed"]
    assert events[-1]["usage"]["output_tokens"] > 0
