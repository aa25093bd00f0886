"""Items of kept responses may be named instead of sent again, as the AI SDK does by default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformance.served import RESPONSES, Served, settings, standing
from tests.fakes.v1internal import FakeV1Internal

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
ASKED = {"role": "user", "content": "!think hm\n!tool weather {}\n!then\n!say sunny"}


async def called(served: Served, **fields: Any) -> Json:
    """Let the model call the tool, and give the response."""
    body = {"model": served.model, "input": [ASKED], "tools": [WEATHER], **fields}
    response = await served.http.post(RESPONSES, json=body)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


def answered(said: Json, *, call_id: str = "") -> list[Json]:
    """Name every item of the output, and answer the call."""
    named = [{"type": "item_reference", "id": item["id"]} for item in said["output"]]
    call = next(item for item in said["output"] if item["type"] == "function_call")
    return [ASKED, *named, {"type": "function_call_output", "call_id": call_id or call["call_id"], "output": "sun"}]


async def test_named_items_of_an_answer_take_part_with_their_signatures(served: Served) -> None:
    said = await called(served, reasoning={"effort": "high", "summary": "auto"})
    body = {"model": served.model, "input": answered(said), "tools": [WEATHER]}
    response = await served.http.post(RESPONSES, json=body)
    assert response.status_code == 200, response.text
    assert response.json()["output"][-1]["content"][0]["text"] == "sunny"
    contents = served.calls[-1].body["request"]["contents"]
    assert [content["role"] for content in contents] == ["user", "model", "user"]
    call = next(part for part in contents[1]["parts"] if "functionCall" in part)
    assert call["thoughtSignature"]


async def test_named_input_takes_part(served: Served) -> None:
    said = await called(served)
    listed = (await served.http.get(f"{RESPONSES}/{said['id']}/input_items")).json()
    items = [{"id": listed["data"][0]["id"]}, *answered(said)[1:]]
    response = await served.http.post(RESPONSES, json={"model": served.model, "input": items, "tools": [WEATHER]})
    assert response.status_code == 200, response.text
    first = served.calls[-1].body["request"]["contents"][0]
    assert first == {"role": "user", "parts": [{"text": ASKED["content"]}]}


async def test_items_beside_them_may_say_that_they_have_no_id(served: Served) -> None:
    said = await called(served)
    *items, result = answered(said)
    body = {"model": served.model, "input": [*items, {**result, "id": None}], "tools": [WEATHER]}
    response = await served.http.post(RESPONSES, json=body)
    assert response.status_code == 200, response.text
    assert response.json()["output"][-1]["content"][0]["text"] == "sunny"


async def test_what_is_gone_on_from_holds_what_was_named(served: Served) -> None:
    said = await called(served)
    body = {"model": served.model, "input": answered(said), "tools": [WEATHER]}
    second = (await served.http.post(RESPONSES, json=body)).json()
    third = {"model": served.model, "input": "!say more", "previous_response_id": second["id"], "tools": [WEATHER]}
    response = await served.http.post(RESPONSES, json=third)
    assert response.status_code == 200, response.text
    contents = served.calls[-1].body["request"]["contents"]
    assert [content["role"] for content in contents] == ["user", "model", "user", "model", "user"]


@pytest.mark.parametrize("id_", ["msg_1", "rs_000000000000000000000000ab", "rs_nothing", ""])
async def test_an_id_that_is_not_known_is_refused_by_its_place(served: Served, id_: str) -> None:
    body = {"model": served.model, "input": [ASKED, {"type": "item_reference", "id": id_}]}
    response = await served.http.post(RESPONSES, json=body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == "input[1].id"
    assert "no item with this ID is stored here" in error["message"]
    assert served.calls == []


async def test_what_is_not_kept_cannot_be_named(served: Served) -> None:
    said = await called(served, store=False)
    body = {"model": served.model, "input": answered(said), "tools": [WEATHER]}
    assert (await served.http.post(RESPONSES, json=body)).status_code == 400


async def test_items_of_another_key_are_not_there(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    keys = {"keys": ["sk-one", "sk-two"]}
    async with standing(fake_v1internal, settings(fake_v1internal, tmp_path, auth=keys)) as served:
        served.http.headers["authorization"] = "Bearer sk-one"
        said = await called(served)
        served.http.headers["authorization"] = "Bearer sk-two"
        body = {"model": served.model, "input": answered(said), "tools": [WEATHER]}
        response = await served.http.post(RESPONSES, json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "input[1].id"
