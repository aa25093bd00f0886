"""Imagen in the fake of the public Gemini API: what it draws, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes_tests.gemini_api_bodies import GeminiClient

pytestmark = pytest.mark.anyio

IMAGEN = "imagen-4.0-generate-001"


def asked(prompt: Any = "a", **parameters: Any) -> dict[str, Any]:
    return {"instances": [{"prompt": prompt}], "parameters": parameters}


async def predicted(gemini: GeminiClient, sent: dict[str, Any], model: str = IMAGEN) -> tuple[int, Any]:
    response = await gemini.post("predict", sent, model)
    return response.status, await response.json()


async def test_as_many_pictures_come_as_are_asked_for(gemini: GeminiClient) -> None:
    status, body = await predicted(gemini, asked(sampleCount=3, aspectRatio="16:9"))
    assert status == 200
    assert [one["mimeType"] for one in body["predictions"]] == ["image/png"] * 3


async def test_the_filters_may_or_may_not_say_why(gemini: GeminiClient) -> None:
    assert await predicted(gemini, asked("!withheld")) == (200, {})
    _, body = await predicted(gemini, asked("!withheld, say why"))
    assert "Responsible AI" in body["predictions"][0]["raiFilteredReason"]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (asked(""), "Exactly one instance"),
        ({"parameters": {}}, "Exactly one instance"),
        ({"instances": [{"prompt": "a"}, {"prompt": "b"}]}, "Exactly one instance"),
        (asked(sampleCount=5), "between 1 and 4"),
        (asked(sampleCount=0), "between 1 and 4"),
        (asked(aspectRatio="3:2"), "Aspect ratio 3:2 is not supported"),
        (asked(outputOptions={"mimeType": "image/webp"}), "MIME type is not supported"),
        (asked(size="1024x1024"), "Unsupported parameter: size"),
        (asked() | {"prompt": "a"}, 'Unknown name "prompt"'),
    ],
)
async def test_what_is_wrong_is_refused(gemini: GeminiClient, sent: dict[str, Any], words: str) -> None:
    status, body = await predicted(gemini, sent)
    assert status == 400
    assert words in body["error"]["message"]


@pytest.mark.parametrize(("method", "model"), [("generateContent", IMAGEN), ("predict", "imagen-9")])
async def test_a_model_has_its_own_calls_only(gemini: GeminiClient, method: str, model: str) -> None:
    assert (await gemini.post(method, asked(), model)).status == 404
