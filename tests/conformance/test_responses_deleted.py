"""What was deleted or dropped here is gone for everybody, whatever its upstream still keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.openai_api import OpenAIServed, before
from tests.fakes.openai_api import RESPONSES, FakeOpenAI

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
PATH = "/v1/responses"
ALICE, BOB = "sk-alice-0123456789", "sk-bob-0123456789"
MODEL = "gpt-4.1"
GONE = (400, "previous_response_not_found")


@pytest.fixture
async def served(fake_openai: FakeOpenAI, tmp_path: Path) -> AsyncIterator[OpenAIServed]:
    async with before(fake_openai, tmp_path, "responses", auth={"keys": [ALICE, BOB]}) as one:
        yield one


async def said(served: OpenAIServed, text: str, previous: str | None = None, *, key: str = ALICE) -> httpx.Response:
    body = {"model": MODEL, "input": text, "previous_response_id": previous}
    return await served.http.post(PATH, json=body, headers={"authorization": f"Bearer {key}"})


async def kept(served: OpenAIServed, text: str = "!say one", previous: str | None = None) -> str:
    answer = await said(served, text, previous)
    assert answer.status_code == 200, answer.text
    id_: str = answer.json()["id"]
    return id_


async def deleted(served: OpenAIServed, id_: str) -> httpx.Response:
    return await served.http.delete(f"{PATH}/{id_}", headers={"authorization": f"Bearer {ALICE}"})


async def refusals(served: OpenAIServed, *ids: str) -> set[tuple[int, str]]:
    """How both callers are refused who go on from them; the upstream is not asked."""
    asked = len(served.openai.calls(RESPONSES))
    answers = [await said(served, "more", id_, key=key) for id_ in ids for key in (ALICE, BOB)]
    assert len(served.openai.calls(RESPONSES)) == asked
    return {(answer.status_code, answer.json()["error"]["code"]) for answer in answers}


async def test_it_is_deleted_at_its_upstream_too(served: OpenAIServed) -> None:
    id_ = await kept(served)
    assert (await deleted(served, id_)).json()["deleted"] is True
    assert served.openai.kept.threads == {}
    assert (await deleted(served, id_)).status_code == 404


@pytest.mark.parametrize("refusal", ["404", "405"])
async def test_nobody_goes_on_from_it_though_the_upstream_keeps_it(served: OpenAIServed, refusal: str) -> None:
    first = await kept(served)
    second = await kept(served, "!say two", first)
    served.openai.fail(refusal, method="responses.delete")
    assert (await deleted(served, first)).status_code == 200
    assert {*served.openai.kept.threads} == {first, second}
    assert await refusals(served, first, second) == {GONE}


async def test_an_upstream_that_fails_is_told_of_and_nothing_is_deleted(served: OpenAIServed) -> None:
    id_ = await kept(served)
    served.openai.fail("500", method="responses.delete")
    assert (await deleted(served, id_)).status_code == 502
    assert (await said(served, "!say more", id_)).status_code == 200
    assert (await deleted(served, id_)).status_code == 200


async def test_it_is_deleted_here_though_its_upstream_is_configured_no_more(
    fake_openai: FakeOpenAI, tmp_path: Path
) -> None:
    async with before(fake_openai, tmp_path, "responses", auth={"keys": [ALICE]}) as served:
        id_ = await kept(served)
    keys, over = {"keys": [ALICE]}, {"upstream": {"other": {"type": "demo"}}}
    async with before(fake_openai, tmp_path, "responses", auth=keys, **over) as served:
        assert (await deleted(served, id_)).status_code == 200
        assert (await deleted(served, id_)).status_code == 404


async def test_nobody_goes_on_from_what_made_room_for_others(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    keys, bounds = {"keys": [ALICE, BOB]}, {"max": 4000}
    async with before(fake_openai, tmp_path, "responses", auth=keys, responses=bounds) as served:
        first = await kept(served)
        for _ in range(4):
            await kept(served)
        assert await refusals(served, first) == {GONE}
        assert first in fake_openai.kept.threads


async def test_what_was_never_here_may_be_known_to_the_upstream(served: OpenAIServed) -> None:
    await kept(served)
    await said(served, "more", "resp_x")
    assert served.openai.calls(RESPONSES)[-1].request["previous_response_id"] == "resp_x"
