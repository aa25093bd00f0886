"""Responses in the background: the upstream makes them and is asked about them, and their caller alone may ask."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from openai import AsyncOpenAI
from starlette.types import Message

from gateway.app import create_app
from gateway.background import Background
from gateway.context import Principal, attach
from gateway.errors import StoreUnavailable
from gateway.keys import digest_of, id_of
from tests.conformance.openai_api import OpenAIServed, before, settings
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.v1internal import FakeV1Internal
from tests.middleware.asgi import scope_of
from tests.patience import patient
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
PATH = "/v1/responses"
ALICE, BOB = "sk-alice-0123456789", "sk-bob-0123456789"
ADMIN = ("admin", "hunter22")


@asynccontextmanager
async def beside_demo(fake: FakeOpenAI, folder: Path, **over: Any) -> AsyncIterator[OpenAIServed]:
    """Run a gateway with a second upstream, which speaks no Responses."""
    given = settings(fake, folder, "responses", **over)
    given["upstream"]["demo"] = {"type": "demo"}
    app = create_app(given)
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        yield OpenAIServed(cast(FakeV1Internal, fake), app, http)


@pytest.fixture
async def served(fake_openai: FakeOpenAI, tmp_path: Path) -> AsyncIterator[OpenAIServed]:
    over = {"models": {"alias": {"fast": "gpt-4.1"}}, "admin": {"password": ADMIN[1]}}
    async with beside_demo(fake_openai, tmp_path, auth={"keys": [ALICE, BOB]}, **over) as one:
        one.http.headers["authorization"] = f"Bearer {ALICE}"
        yield one


async def begun(served: OpenAIServed, text: str = "!say one two", **fields: Any) -> Json:
    """Have an answer made in the background."""
    body = {"model": "fast", "input": text, "background": True, **fields}
    response = await served.http.post(PATH, json=body)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


async def asked(served: OpenAIServed, id_: str, what: str = "", *, verb: str = "GET", key: str = ALICE) -> Any:
    return await served.http.request(verb, f"{PATH}/{id_}{what}", headers={"authorization": f"Bearer {key}"})


def told(body: str) -> list[Json]:
    return [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: ")]


def seen(served: OpenAIServed) -> list[str]:
    """List the calls that reached the upstream about a response."""
    return [call.method for call in served.openai.requests if call.method.startswith("responses.")]


async def test_a_refusal_names_the_parameter_as_the_upstream_does(served: OpenAIServed) -> None:
    first = await begun(served)
    refused = await asked(served, first["id"], "?stream=true")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "stream")


async def test_it_is_queued_and_polled_until_it_is_complete(served: OpenAIServed) -> None:
    first = await begun(served)
    assert (first["status"], first["model"], first["output"]) == ("queued", "fast", [])
    states = [(await asked(served, first["id"])).json() for _ in range(3)]
    assert [one["status"] for one in states] == ["in_progress", "completed", "completed"]
    assert {one["model"] for one in states} == {"fast"}
    assert states[1]["output"][0]["content"][0]["text"] == "one two"
    assert seen(served) == ["responses.get"] * 2  # what is complete is kept here
    assert states[1] == states[2]


async def test_the_sdk_waits_for_it(served: OpenAIServed) -> None:
    async with AsyncOpenAI(base_url=str(served.http.base_url.join("/v1")), api_key=ALICE, max_retries=0) as client:
        response = await client.responses.create(model="fast", input="!say one", background=True)
        while response.status in {"queued", "in_progress"}:
            response = await client.responses.retrieve(response.id)
    assert (response.status, response.output_text) == ("completed", "one")


async def test_what_it_took_is_in_the_ledger_once_it_is_known(served: OpenAIServed) -> None:
    first = await begun(served)
    for _ in range(2):
        complete = (await asked(served, first["id"])).json()
    await asked(served, first["id"])
    row, begin = await rows(served)  # the newest first
    counted = complete["usage"]
    assert (row["input"], row["output"]) == (str(counted["input_tokens"]), str(counted["output_tokens"]))
    assert (row["asked"], row["model"], row["upstream"]) == ("fast", "gpt-4.1", "openai")
    assert row["credential"] == begin["credential"] != ""
    assert (row["estimated"], row["end"], row["status"]) == ("False", "done", "200")
    assert float(row["usd"]) == pytest.approx((counted["input_tokens"] * 2 + counted["output_tokens"] * 8) / 1e6)
    assert (begin["input"], begin["output"], begin["estimated"]) == ("0", "0", "True")
    metrics = (await served.http.get("/metrics")).text
    assert f'{{kind="output",model="gpt-4.1",upstream="openai"}} {counted["output_tokens"]}.0' in metrics


async def nobody(_: Message) -> None:
    """Take what is sent to a caller."""


async def test_of_several_who_read_its_end_at_once_one_is_counted(served: OpenAIServed) -> None:
    first = await begun(served)
    gateway = served.gateway
    reading = Background(gateway.services, gateway.relay, gateway.threads)
    contexts = []
    for _ in range(3):
        context, _ = attach(scope_of(f"{PATH}/{first['id']}", method="GET"), nobody)
        context.principal = Principal(name="key-1", id=id_of(digest_of(ALICE)))
        contexts.append(context)
    kept = await gateway.threads.find(contexts[0])
    end = {**first, "status": "completed", "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}}
    await asyncio.gather(*(reading._settle(context, kept, json.dumps(end).encode()) for context in contexts))
    assert sorted(context.usage is not None for context in contexts) == [False, False, True]


async def test_who_leaves_a_stream_early_is_counted_when_the_rest_is_read(served: OpenAIServed) -> None:
    pace = f"!pace {patient(50):.0f}"  # it goes on until the gateway has seen that the caller left
    body = {"model": "fast", "input": f"!say one two\n{pace}", "background": True, "stream": True}
    id_ = ""
    async with served.http.stream("POST", PATH, json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                id_ = json.loads(line[6:])["response"]["id"]
                break
    for _ in range(2):  # what is read again counts once
        rest = told((await asked(served, id_, "?stream=true")).text)
    counted = rest[-1]["response"]["usage"]
    row, begin = await rows(served)
    assert (row["end"], row["output"]) == ("done", str(counted["output_tokens"]))
    assert (begin["end"], begin["output"], begin["estimated"]) == ("client_closed", "0", "True")


async def test_whose_end_another_has_read_first_is_counted_once(served: OpenAIServed) -> None:
    """A caller reads a stream slowly, and polls from elsewhere."""
    async with streaming(served) as (id_, lines):
        for _ in range(2):
            complete = (await asked(served, id_)).json()
        assert complete["status"] == "completed"
        assert [line async for line in lines if '"response.completed"' in line]
    assert (await asked(served, id_)).json() == complete
    read, end = await rows(served)
    assert (read["input"], read["output"]) == tuple(
        str(complete["usage"][f"{kind}_tokens"]) for kind in ("input", "output")
    )
    assert (end["end"], end["input"], end["output"]) == ("done", "0", "0")


async def test_what_is_deleted_while_it_streams_stays_so(served: OpenAIServed) -> None:
    async with streaming(served) as (id_, lines):
        assert (await asked(served, id_, verb="DELETE")).status_code == 200
        last = [json.loads(line[6:]) async for line in lines if line.startswith("data: ")][-1]
        assert last["type"] == "response.completed"
    assert (await asked(served, id_)).status_code == 404
    (row,) = await rows(served)
    assert row["output"] == str(last["response"]["usage"]["output_tokens"])


async def test_whose_end_cannot_be_kept_is_counted(served: OpenAIServed, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    async with streaming(served) as (_, lines):
        monkeypatch.setattr(served.gateway.archive, "ask", failing)
        last = [json.loads(line[6:]) async for line in lines if line.startswith("data: ")][-1]
    (row,) = await rows(served)
    assert row["output"] == str(last["response"]["usage"]["output_tokens"])


@asynccontextmanager
async def streaming(served: OpenAIServed) -> AsyncIterator[tuple[str, AsyncIterator[str]]]:
    """Begin an answer in the background, as a stream that takes its time: give its id, and the lines to come."""
    body = {"model": "fast", "input": f"!say one two\n!pace {patient(100):.0f}", "background": True, "stream": True}
    async with served.http.stream("POST", PATH, json=body) as response:
        lines = response.aiter_lines()
        async for line in lines:
            if line.startswith("data: "):
                yield json.loads(line[6:])["response"]["id"], lines
                return


async def rows(served: OpenAIServed) -> list[dict[str, str]]:
    """Read the ledger, newest first."""
    response = await served.http.get("/admin/usage/requests.csv", auth=ADMIN)
    return list(csv.DictReader(response.text.splitlines()))


async def test_what_is_complete_can_be_gone_on_from(served: OpenAIServed) -> None:
    first = await begun(served)
    early = await served.http.post(PATH, json={"model": "gpt-4.1", "input": "x", "previous_response_id": first["id"]})
    assert early.status_code in (200, 400)  # the upstream's to say
    for _ in range(2):
        await asked(served, first["id"])
    body = {"model": "gpt-4.1", "input": "!say more", "previous_response_id": first["id"]}
    response = await served.http.post(PATH, json=body)
    assert response.status_code == 200, response.text
    listed = (await asked(served, first["id"], "/input_items")).json()
    assert listed["data"][0]["content"][0]["text"] == "!say one two"


async def test_an_upstream_that_must_be_told_all_of_it_waits_until_it_is_complete(served: OpenAIServed) -> None:
    """What another upstream would get of it is not there yet: nothing is left out in silence."""
    first = await begun(served)
    body = {"model": "demo", "input": "more", "previous_response_id": first["id"]}
    early = await served.http.post(PATH, json=body)
    assert (early.status_code, early.json()["error"]["code"]) == (400, "previous_response_not_found")
    assert "is queued" in early.json()["error"]["message"]
    for _ in range(2):
        await asked(served, first["id"])
    assert (await served.http.post(PATH, json=body)).status_code == 200


async def test_nobody_else_sees_or_stops_it(served: OpenAIServed) -> None:
    first = await begun(served)
    calls = [("", "GET"), ("?stream=true", "GET"), ("/cancel", "POST"), ("", "DELETE"), ("/input_items", "GET")]
    answers = [await asked(served, first["id"], what, verb=verb, key=BOB) for what, verb in calls]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["error"]["code"] for answer in answers} == {"not_found"}
    assert seen(served) == []


async def test_it_is_cancelled_at_the_upstream_and_stays_so(served: OpenAIServed) -> None:
    first = await begun(served)
    answers = [await asked(served, first["id"], "/cancel", verb="POST") for _ in range(2)]
    assert [answer.json()["status"] for answer in answers] == ["cancelled"] * 2
    assert (await asked(served, first["id"])).json()["status"] == "cancelled"
    assert seen(served) == ["responses.cancel"]


async def test_what_nobody_makes_in_the_background_cannot_be_cancelled(served: OpenAIServed) -> None:
    plain = (await served.http.post(PATH, json={"model": "gpt-4.1", "input": "!say one"})).json()
    answer = await asked(served, plain["id"], "/cancel", verb="POST")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "response_id")
    assert "only background responses" in answer.json()["error"]["message"]
    assert (await asked(served, "resp_x", "/cancel", verb="POST")).status_code == 404


async def test_a_lost_stream_goes_on_where_it_was_lost(served: OpenAIServed) -> None:
    async with served.http.stream(
        "POST", PATH, json={"model": "fast", "input": "!say one two", "background": True, "stream": True}
    ) as response:
        lines = [line async for line in response.aiter_lines()]
    whole = told("\n".join(lines))
    id_ = whole[0]["response"]["id"]
    assert (await asked(served, id_)).json() == whole[-1]["response"]  # it came to its end, and is kept
    assert seen(served) == []


async def test_who_leaves_a_stream_early_finds_the_rest(served: OpenAIServed) -> None:
    body = {"model": "fast", "input": "!say one two\n!pace 100", "background": True, "stream": True}
    id_, last = "", 0
    async with served.http.stream("POST", PATH, json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                event = json.loads(line[6:])
                id_, last = id_ or event["response"]["id"], event["sequence_number"]
                if event["type"] == "response.output_text.delta":
                    break
    rest = await asked(served, id_, f"?stream=true&starting_after={last}")
    assert rest.headers["content-type"].startswith("text/event-stream"), rest.text
    events = told(rest.text)
    assert [one["sequence_number"] for one in events] == list(range(last + 1, last + 1 + len(events)))
    assert (events[-1]["type"], events[-1]["response"]["model"]) == ("response.completed", "fast")
    assert (await asked(served, id_)).json() == events[-1]["response"]
    assert seen(served) == ["responses.get"]


async def test_it_is_deleted_at_the_upstream_too(served: OpenAIServed) -> None:
    first = await begun(served)
    assert (await asked(served, first["id"], verb="DELETE")).json()["deleted"] is True
    assert seen(served) == ["responses.delete"]
    assert (await asked(served, first["id"])).status_code == 404


async def test_the_upstreams_refusal_is_told(served: OpenAIServed) -> None:
    first = await begun(served)
    served.openai.kept.threads.clear()
    answer = await asked(served, first["id"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert "no longer has this response" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("what", "verb"), [("", "GET"), ("?stream=true", "GET"), ("/cancel", "POST"), ("", "DELETE")])
async def test_an_upstream_that_stays_silent_is_504(
    fake_openai: FakeOpenAI, tmp_path: Path, what: str, verb: str
) -> None:
    async with before(fake_openai, tmp_path, "responses", timeouts={"first_byte": 0.5}) as served:
        first = await begun(served, model="gpt-4.1")
        fake_openai.fail("silence")
        answer = await asked(served, first["id"], what, verb=verb)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout")
    assert "timeouts.first_byte" in answer.json()["error"]["message"]


@pytest.mark.parametrize("what", ["", "?stream=true"])
async def test_a_caller_that_leaves_is_not_asked_for_any_more(served: OpenAIServed, what: str) -> None:
    first = await begun(served)
    served.openai.fail("silence")
    polling = asyncio.create_task(asked(served, first["id"], what))
    await served.openai.wait_for("responses.get")
    polling.cancel()
    await served.openai.wait_closed()


async def test_shutdown_ends_a_stream_with_an_error(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    async with before(fake_openai, tmp_path, "responses", timeouts={"keepalive": 0.05}) as served:
        first = await begun(served, model="gpt-4.1")
        fake_openai.fail("silence")
        lines: list[str] = []
        async with served.http.stream("GET", f"{PATH}/{first['id']}?stream=true") as response:
            async for line in response.aiter_lines():
                if not lines:
                    served.gateway.abort()
                lines.append(line)
    assert lines[0].startswith(":")
    assert "shutting down" in told("\n".join(lines))[-1]["response"]["error"]["message"]


async def test_the_key_that_it_belongs_to_is_found(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    pool = {"openai": {"pool": {"strategy": "round_robin"}}}
    async with before(fake_openai, tmp_path, "responses", "key-1", "key-2", **pool) as served:
        for _ in range(2):  # one for each key
            body = {"model": "gpt-4.1", "input": "!say one", "background": True}
            first = (await served.http.post(PATH, json=body)).json()
            assert (await served.http.get(f"{PATH}/{first['id']}")).json()["status"] == "in_progress"


@pytest.mark.parametrize("refusal", ["401_invalid_key", "401_scopes", "403", "429_requests", "500"])
async def test_a_key_that_is_refused_hides_no_response_of_another(
    fake_openai: FakeOpenAI, tmp_path: Path, refusal: str
) -> None:
    async with before(fake_openai, tmp_path, "responses", "key-1", "key-2") as served:
        fake_openai.fail("403_model", token="key-1")
        first = await begun(served, model="gpt-4.1")
        fake_openai.fail(refusal, token="key-1")
        answer = await asked(served, first["id"])
        assert (answer.status_code, answer.json()["status"]) == (200, "in_progress")
    assert [call.credential for call in fake_openai.calls("responses.get")] == ["key-1", "key-2"]


async def test_a_response_is_not_gone_while_its_key_rests(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    async with before(fake_openai, tmp_path, "responses", "key-1", "key-2") as served:
        fake_openai.fail("403_model", token="key-1")
        first = await begun(served, model="gpt-4.1")
        fake_openai.fail("429_requests", token="key-2")
        answers = [await asked(served, first["id"]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [429, 429]
    assert all("retry-after" in answer.headers for answer in answers)


async def test_where_nothing_is_kept_it_is_refused(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    async with before(fake_openai, tmp_path, "responses", responses={"keep_days": 0}) as served:
        answer = await served.http.post(PATH, json={"model": "gpt-4.1", "input": "x", "background": True})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "background")
    assert served.calls == []


async def test_an_upstream_that_speaks_another_dialect_has_no_background(
    fake_openai: FakeOpenAI, tmp_path: Path
) -> None:
    async with before(fake_openai, tmp_path, "chat") as served:
        answer = await served.http.post(PATH, json={"model": "gpt-4.1", "input": "x", "background": True})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "background")
    assert served.calls == []
