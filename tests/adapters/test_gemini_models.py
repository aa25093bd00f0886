"""The list of models and the count of tokens: small calls beside the requests."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway import ir
from gateway.adapters.gemini_models import SHIPPED, read_page
from tests.adapters.site import GEMINI_2, GEMINI_3, GeminiSite, asking

pytestmark = pytest.mark.anyio

SCHEMA = Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}')


async def fetched(gemini: GeminiSite, count: int = 1) -> None:
    """Wait until a list has been fetched."""
    await gemini.fake.wait_for("models.list", count)
    await gemini.fake.wait_idle()
    while not gemini.clock.sleepers:
        await gemini.clock.advance(0)


async def test_the_list_is_fetched_in_the_background_and_kept(gemini: GeminiSite) -> None:
    adapter = await gemini.open(models=[])
    assert list(adapter.models()) == list(SHIPPED)
    await fetched(gemini)
    assert list(adapter.models()) == gemini.fake.models
    info = adapter.models()[GEMINI_3]
    assert (info.display_name, info.max_input, info.max_output, info.thinking) == (
        "Gemini 3 Flash Preview",
        1_048_576,
        65_536,
        True,
    )
    await gemini.stop()
    gemini.fake.fail("500_internal", method="models.list", times=9)
    again = await gemini.open(models=[])
    assert list(again.models()) == gemini.fake.models


async def test_a_list_in_pages_is_read_to_its_end(gemini: GeminiSite) -> None:
    gemini.fake.models = [f"gemini-3-flash-{number}" for number in range(2500)]
    adapter = await gemini.open(models=[])
    await fetched(gemini, 3)
    assert len(adapter.models()) == 2500
    assert [call.query["pageSize"] for call in gemini.fake.calls("models.list")] == ["1000"] * 3


async def test_a_failed_list_is_asked_for_again_later(gemini: GeminiSite) -> None:
    gemini.fake.fail("503_overloaded", method="models.list")
    adapter = await gemini.open(models=[])
    await fetched(gemini)
    assert list(adapter.models()) == list(SHIPPED)
    await gemini.clock.advance(60)
    await fetched(gemini, 2)
    assert list(adapter.models()) == gemini.fake.models


async def test_an_invalid_key_is_known_before_the_first_request(gemini: GeminiSite) -> None:
    adapter = await gemini.open("gone", models=[])
    await fetched(gemini)
    assert not adapter.usable
    assert adapter.state() == "no credential: 1 disabled: the API key was rejected"


async def test_configured_models_are_the_list_and_nothing_is_fetched(gemini: GeminiSite) -> None:
    adapter = await gemini.open(models=["mine", GEMINI_2])
    await gemini.ask(model=GEMINI_2)
    assert list(adapter.models()) == ["mine", GEMINI_2]
    assert adapter.models()[GEMINI_2].max_output == 65_536
    assert gemini.fake.calls("models.list") == []


@pytest.mark.parametrize("body", [b"[]", b"<html>", b'{"models":[{"name":1}]}', b"[" * 50_000])
def test_a_list_that_cannot_be_read_says_so(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_page(body)


def test_a_page_without_models_is_empty() -> None:
    assert read_page(b"{}").models == {}


def test_a_model_says_what_it_can_be_asked_for() -> None:
    page = read_page(
        b'{"models":[{"name":"models/e","supportedGenerationMethods":["embedContent"]}],"nextPageToken":"t"}'
    )
    assert (page.models["e"].methods, page.next) == (("embedContent",), "t")


# counting


async def counted(gemini: GeminiSite, text: str = "one two three", model: str = GEMINI_3, **request: Any) -> int | None:
    adapter = gemini.adapter
    assert adapter is not None
    return await adapter.count(asking(text, model, **request))


async def test_the_whole_prompt_is_counted(gemini: GeminiSite) -> None:
    await gemini.open()
    tools = (ir.Tool(name="weather", description="Gives the weather.", schema=SCHEMA, path="tools[0]"),)
    plain = await counted(gemini)
    whole = await counted(gemini, system=(ir.Text(text="Be brief."),), tools=tools)
    assert plain is not None
    assert whole is not None
    assert plain < whole
    asked = gemini.fake.calls("countTokens")[-1].body["generateContentRequest"]
    assert asked["model"] == f"models/{GEMINI_3}"
    assert asked["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert asked["tools"][0]["functionDeclarations"][0]["name"] == "weather"


async def test_a_callers_own_words_are_counted_as_they_are(gemini: GeminiSite) -> None:
    await gemini.open()
    body = Raw(b'{"contents":{"parts":{"text":"one two"}},"system_instruction":{"parts":[{"text":"three"}]}}')
    assert await counted(gemini, native=ir.Native(dialect="gemini", body=body))
    asked = gemini.fake.calls("countTokens")[-1].body
    assert asked == {"generateContentRequest": {**msgspec.json.decode(body), "model": f"models/{GEMINI_3}"}}


@pytest.mark.parametrize("error", ["500_internal", "429_per_minute", "400_invalid_argument", "reset"])
async def test_what_cannot_be_counted_is_left_to_the_estimate(gemini: GeminiSite, error: str) -> None:
    adapter = await gemini.open()
    gemini.fake.fail(error, method="countTokens")
    assert await counted(gemini) is None
    assert adapter.usable


async def test_without_a_free_key_nothing_is_asked(gemini: GeminiSite) -> None:
    await gemini.open("x", api_key=[])
    assert await counted(gemini) is None
    assert gemini.fake.requests == []
