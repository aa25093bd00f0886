"""What the fake of the Responses API makes in the background."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes_tests.openai_api_bodies import OpenAIClient, refusal, responses

pytestmark = pytest.mark.anyio

PATH = "/v1/responses"


async def begun(openai: OpenAIClient, **fields: Any) -> dict[str, Any]:
    status, response = await openai.respond("!say one", background=True, **fields)
    assert status == 200, response
    found: dict[str, Any] = response
    return found


async def test_an_answer_is_queued_then_in_progress_then_complete(openai: OpenAIClient) -> None:
    first = await begun(openai)
    assert (first["status"], first["background"], first["output"], first["usage"]) == ("queued", True, [], None)
    looks = [(await openai.call(f"{PATH}/{first['id']}", verb="GET"))[1] for _ in range(2)]
    assert [one["status"] for one in looks] == ["in_progress", "completed"]
    assert looks[1]["output"]


async def test_it_can_be_cancelled_until_it_is_complete(openai: OpenAIClient) -> None:
    first = await begun(openai)
    cancelled = [(await openai.call(f"{PATH}/{first['id']}/cancel"))[1]["status"] for _ in range(2)]
    assert cancelled == ["cancelled", "cancelled"]
    done = await begun(openai)
    for _ in range(2):
        await openai.call(f"{PATH}/{done['id']}", verb="GET")
    assert (await openai.call(f"{PATH}/{done['id']}/cancel"))[1]["status"] == "completed"


async def test_what_is_not_in_the_background_cannot_be_cancelled(openai: OpenAIClient) -> None:
    _, plain = await openai.respond("hi")
    assert refusal(await openai.call(f"{PATH}/{plain['id']}/cancel")) == "Cannot cancel a synchronous response."
    assert "not found" in refusal(await openai.call(f"{PATH}/resp_x/cancel"), 404)


async def test_a_stream_goes_on_behind_an_event(openai: OpenAIClient) -> None:
    told = await openai.events(PATH, responses("!say one", background=True))
    id_, after = told[0]["response"]["id"], told[2]["sequence_number"]
    _, data = await openai.read(f"{PATH}/{id_}?stream=true&starting_after={after}", verb="GET")
    rest = [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: ")]
    assert rest == told[3:]


async def test_only_what_was_streamed_is_streamed_again(openai: OpenAIClient) -> None:
    first = await begun(openai)
    assert "cannot be streamed" in refusal(await openai.call(f"{PATH}/{first['id']}?stream=true", verb="GET"))


async def test_the_background_keeps(openai: OpenAIClient) -> None:
    assert "'store'" in refusal(await openai.respond("hi", background=True, store=False))
