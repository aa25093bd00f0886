"""What callers may ask about a response that is kept."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError

from gateway import create_app, ir
from gateway.testing import FakeUpstream, Reply
from tests.gateway.conversations import ALICE, Talk, talking
from tests.scripted import say
from tests.serving import serve

pytestmark = pytest.mark.anyio

SEALED = "reasoning.encrypted_content"
ITEMS: list[dict[str, Any]] = [
    {"role": "user", "content": "one"},
    {"type": "message", "id": "msg_own", "role": "user", "content": [{"type": "input_text", "text": "two"}]},
    {"role": "assistant", "content": "three"},
    {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "a cat"},
]
THOUGHT: list[list[ir.Event]] = [
    [ir.Started(id="up"), ir.BlockStarted(kind="thinking"), ir.ThinkingDelta("hm")],
    [ir.SignatureDelta(ir.Signature("gemini", "c2ln")), ir.BlockEnded()],
    [ir.BlockStarted(kind="text"), ir.TextDelta("Hello"), ir.BlockEnded(), ir.Finished(reason="stop")],
]


async def page(alice: Talk, id_: str, query: str = "") -> dict[str, Any]:
    answer = await alice.get(id_, f"/input_items{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(found: dict[str, Any]) -> list[str]:
    return [item["id"] for item in found["data"]]


async def test_it_is_given_as_it_was(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        first = await alice.say("hi", metadata={"a": "b"})
        answer = await alice.get(first["id"])
    assert (answer.status_code, answer.headers["content-type"], answer.json()) == (200, "application/json", first)


async def test_a_response_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        answers = [await alice.get("resp_x"), await alice.delete("resp_x"), await alice.get("resp_x", "/input_items")]
    assert {answer.status_code for answer in answers} == {404}
    error = answers[0].json()["error"]
    assert (error["type"], error["code"], "resp_x" in error["message"]) == ("invalid_request_error", "not_found", True)


async def test_it_cannot_be_streamed_again(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        first = await alice.say("hi")
        answer = await alice.get(first["id"], "?stream=true")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "stream")
        assert (await alice.get(first["id"], "?stream=false")).status_code == 200


async def test_a_deleted_response_is_gone(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        first = await alice.say("hi")
        deleted = await alice.delete(first["id"])
        assert (deleted.status_code, deleted.json()) == (
            200,
            {"id": first["id"], "object": "response", "deleted": True},
        )
        assert [(await alice.get(first["id"])).status_code, (await alice.delete(first["id"])).status_code] == [404, 404]
        assert (await alice.post("more", first["id"])).json()["error"]["code"] == "previous_response_not_found"


@pytest.mark.parametrize("stream", [True, False])
async def test_what_seals_the_thoughts_is_kept_and_given_to_who_asks(tmp_path: Path, stream: bool) -> None:
    async with talking(tmp_path, THOUGHT, say("two")) as caller:
        alice = caller()
        answer = await alice.post("hi", stream=stream, reasoning={"summary": "auto"})
        id_ = answer.text.partition('"id":"')[2].partition('"')[0]
        assert "encrypted_content" not in answer.text
        assert "encrypted_content" not in (await alice.get(id_)).text
        included = (await alice.get(id_, f"?include[]={SEALED}")).json()
        await alice.say("more", id_)
        thoughts = [part for turn in alice.upstream.calls[-1].request.turns for part in turn.parts]
    assert ir.unseal(included["output"][0]["encrypted_content"]) == ir.Signature("gemini", "c2ln")
    assert thoughts[1] == ir.Thinking(text="hm", signature=ir.Signature("gemini", "c2ln"))


# input items


async def test_input_items_are_shown_in_their_long_form(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        stem = (first := await alice.say(ITEMS))["id"].removeprefix("resp_")
        found = await page(alice, first["id"], "?order=asc")
    assert found["data"] == [
        {
            "id": f"msg_{stem}0000",
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "one"}],
            "status": "completed",
        },
        {**ITEMS[1], "status": "completed"},
        {
            "id": f"msg_{stem}0002",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "three", "annotations": []}],
            "status": "completed",
        },
        {**ITEMS[3], "id": f"fc_{stem}0003", "status": "completed"},
        {**ITEMS[4], "id": f"fco_{stem}0004", "status": "completed"},
    ]


async def test_the_newest_input_item_comes_first(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        first = await alice.say(ITEMS)
        found = await page(alice, first["id"])
    assert (found["object"], found["has_more"], len(found["data"])) == ("list", False, 5)
    assert (found["first_id"], found["last_id"]) == (ids(found)[0], ids(found)[-1])
    assert ids(found)[0].startswith("fco_")


async def test_items_of_one_id_are_paged_one_by_one(tmp_path: Path) -> None:
    said = [{"role": "user", "content": word, **({"id": "msg_same"} if word in "ac" else {})} for word in "abcd"]
    async with talking(tmp_path) as caller:
        alice = caller()
        first = await alice.say(said)
        found, query = [], "?order=asc&limit=1"
        for _ in said:
            (item,) = (one := await page(alice, first["id"], query))["data"]
            found.append(item["content"][0]["text"])
            query = f"?order=asc&limit=1&after={one['last_id']}"
    assert (found, one["has_more"]) == (["a", "b", "c", "d"], False)


async def test_a_word_as_input_is_one_item(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        first = await alice.say("hi")
        (item,) = (await page(alice, first["id"]))["data"]
    assert (item["role"], item["content"]) == ("user", [{"type": "input_text", "text": "hi"}])


async def test_only_its_own_input_is_listed(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        first = await alice.say("first")
        second = await alice.say([], first["id"])
        found = await page(alice, second["id"])
    assert found == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


async def test_what_only_its_upstream_reads_is_given_as_it_came(tmp_path: Path) -> None:
    said = ["hi", {"role": 1}]
    spoken = {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}
    output = [spoken, {"type": "reasoning", "encrypted_content": "x"}, 1]
    made = {"id": "resp_1", "object": "response", "status": "completed", "output": output}
    async with FakeUpstream(Reply.json(made)) as upstream:
        own = {"type": "openai", "api": "responses", "base_url": upstream.url, "models": ["m"]}
        app = create_app({"server": {"data_dir": str(tmp_path)}, "upstream": {"own": own}})
        async with serve(app) as url, httpx.AsyncClient(base_url=f"{url}/v1/responses") as client:
            answer = await client.post(f"{url}/v1/responses", json={"model": "m", "input": said})
            kept, listed = await client.get("/resp_1"), await client.get("/resp_1/input_items?order=asc")
    assert answer.json()["output"] == output
    assert kept.json()["output"] == [spoken, {"type": "reasoning"}, 1]
    assert listed.json()["data"] == said


async def test_input_items_come_in_pages(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        first = await alice.say(ITEMS)
        everything = ids(await page(alice, first["id"], "?order=asc"))
        start = await page(alice, first["id"], "?order=asc&limit=2")
        rest = await page(alice, first["id"], f"?order=asc&limit=3&after={start['last_id']}")
        before = await page(alice, first["id"], f"?order=asc&before={everything[1]}")
    assert (ids(start), start["has_more"]) == (everything[:2], True)
    assert (ids(rest), rest["has_more"]) == (everything[2:], False)
    assert ids(before) == everything[:1]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        (f"limit={'9' * 5000}", "limit"),
        ("order=up", "order"),
        ("after=msg_x", "after"),
        ("before=msg_x", "before"),
    ],
)
async def test_a_page_that_cannot_be_is_refused(tmp_path: Path, query: str, param: str) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        first = await alice.say("hi")
        answer = await alice.get(first["id"], f"/input_items?{query}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


# OpenAI's own client


async def test_the_openai_client_keeps_a_conversation(tmp_path: Path) -> None:
    async with (
        talking(tmp_path, say("one"), say("two")) as caller,
        serve(caller().app) as url,
        AsyncOpenAI(api_key=ALICE, base_url=f"{url}/v1", max_retries=0) as openai,
    ):
        first = await openai.responses.create(model="demo", input="first")
        second = await openai.responses.create(model="demo", input="second", previous_response_id=first.id)
        assert (await openai.responses.retrieve(second.id)).output_text == "two"
        items = [item async for item in openai.responses.input_items.list(second.id, limit=1)]
        assert [(item.type, item.id[:4]) for item in items if item.type == "message"] == [("message", "msg_")]
        await openai.responses.delete(second.id)
        with pytest.raises(NotFoundError):
            await openai.responses.retrieve(second.id)
        with pytest.raises(BadRequestError, match="previous_response_id") as refused:
            await openai.responses.create(model="demo", input="third", previous_response_id=second.id)
    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")
