"""Conversations that the gateway keeps: what goes into the store, and what comes back into a request."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken

from gateway import ir
from gateway.errors import UpstreamUnavailable
from tests.clocks import FakeClock
from tests.gateway.conversations import ALICE, BOB, Talk, talking, texts
from tests.gateway.store.keepers import until
from tests.scripted import say

pytestmark = pytest.mark.anyio

DAY = 86_400
CUT: list[list[ir.Event]] = [*say("Hel")[:-1], [ir.BlockEnded(), ir.Finished(reason="length")]]


def refused(answer: Any) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


GONE = (400, "previous_response_not_found", "previous_response_id")


async def test_a_conversation_goes_on_from_its_last_response(tmp_path: Path) -> None:
    async with talking(tmp_path, say("one"), say("two"), say("three")) as caller:
        alice = caller()
        first = await alice.say("first")
        second = await alice.say("second", first["id"])
        third = await alice.say([{"role": "user", "content": "third"}], second["id"])
        assert texts(alice.upstream.calls[-1].request) == ["first", "one", "second", "two", "third"]
        assert third["previous_response_id"] == second["id"]


async def test_a_conversation_can_branch(tmp_path: Path) -> None:
    async with talking(tmp_path, say("one"), say("two"), say("three")) as caller:
        alice = caller()
        first = await alice.say("first")
        await alice.say("second", first["id"])
        await alice.say("other", first["id"])
        assert texts(alice.upstream.calls[-1].request) == ["first", "one", "other"]


async def test_calls_and_their_results_are_part_of_it(tmp_path: Path) -> None:
    call: list[list[ir.Event]] = [
        [ir.Started(id="up"), ir.BlockStarted(kind="tool_call", id="call_1", name="look")],
        [ir.ArgumentsDelta('{"at":1}'), ir.BlockEnded(), ir.Finished(reason="tool_calls")],
    ]
    async with talking(tmp_path, call, say("seen")) as caller:
        alice = caller()
        tools = [{"type": "function", "name": "look", "parameters": {"type": "object"}}]
        first = await alice.say("look", tools=tools)
        result = {"type": "function_call_output", "call_id": first["output"][0]["call_id"], "output": "a cat"}
        await alice.say([result], first["id"], tools=tools)
        parts = [part for turn in alice.upstream.calls[-1].request.turns for part in turn.parts]
    assert [type(part) for part in parts] == [ir.Text, ir.ToolCall, ir.ToolResult]


async def test_earlier_instructions_do_not_hold_any_more(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        first = await alice.say("first", instructions="Be brief.")
        await alice.say("second", first["id"], instructions="Be kind.")
        system = alice.upstream.calls[-1].request.system
    assert [text.text for text in system] == ["Be kind."]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_response_that_is_not_there_cannot_be_gone_on_from(tmp_path: Path, stream: bool) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        assert refused(await alice.post("more", "resp_x", stream=stream)) == GONE
        await alice.say("first")
        assert refused(await alice.post("more", "resp_x", stream=stream)) == GONE
        assert len(alice.upstream.calls) == 1


async def test_somebody_elses_response_is_not_there(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice, bob = caller(ALICE), caller(BOB)
        first = await alice.say("first")
        assert refused(await bob.post("more", first["id"])) == GONE
        assert [(await bob.get(first["id"])).status_code, (await bob.delete(first["id"])).status_code] == [404, 404]
        assert (await alice.get(first["id"])).status_code == 200


async def test_a_deletion_in_the_middle_breaks_what_goes_on_from_it(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        first = await alice.say("first")
        second = await alice.say("second", first["id"])
        third = await alice.say("third", second["id"])
        await alice.delete(second["id"])
        answer = await alice.post("fourth", third["id"])
        assert (refused(answer), second["id"] in answer.text) == (GONE, True)
        await alice.say("again", first["id"])


async def test_a_conversation_longer_than_a_body_may_be_is_refused(tmp_path: Path) -> None:
    async with talking(tmp_path, server={"data_dir": str(tmp_path), "max_body": 4000}) as caller:
        alice = caller()
        first = await alice.say("x" * 1200)
        second = await alice.say("x" * 1200, first["id"])
        assert refused(await alice.post("x", second["id"]))[1:] == (
            "context_length_exceeded",
            "previous_response_id",
        )


async def test_what_was_said_before_is_counted(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        first = await alice.say("word " * 100)
        body = {"model": "demo", "input": "more", "previous_response_id": first["id"]}
        counted = (await alice.client.post("/v1/responses/input_tokens", json=body)).json()
    assert counted["input_tokens"] >= 100


async def test_what_is_not_kept_cannot_be_counted(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        body = {"model": "demo", "input": "more", "previous_response_id": "resp_nowhere"}
        answer = await caller().client.post("/v1/responses/input_tokens", json=body)
    assert refused(answer) == GONE


# what is kept


async def kept_when_the_end_is_sent(alice: Talk, body: dict[str, Any], end: bytes) -> list[int]:
    """How many rows there are whenever `end` goes out."""
    counts: list[int] = []
    content = json.dumps(body).encode()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/responses",
        "headers": [(b"authorization", b"Bearer " + ALICE.encode()), (b"content-length", b"%d" % len(content))],
        "query_string": b"",
    }
    waiting = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> Any:
        return waiting.pop() if waiting else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if end in message.get("body", b""):
            counts.append(alice.rows())

    await alice.app(scope, receive, send)
    return counts


@pytest.mark.parametrize(("stream", "end"), [(True, b"event: response.completed"), (False, b'"status":"completed"')])
async def test_it_is_kept_before_its_end_is_sent(tmp_path: Path, stream: bool, end: bytes) -> None:
    async with talking(tmp_path) as caller:
        body = {"model": "demo", "input": "hi", "stream": stream}
        assert await kept_when_the_end_is_sent(caller(), body, end) == [1]


async def test_a_streamed_response_is_kept_as_it_ended(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        lines = (await alice.post("hi", stream=True)).text.splitlines()
        last = json.loads([line for line in lines if line.startswith("data: ")][-1].removeprefix("data: "))
        assert (await alice.get(last["response"]["id"])).json() == last["response"]


@pytest.mark.parametrize("stream", [True, False])
async def test_with_store_false_it_is_not_kept_but_goes_on(tmp_path: Path, stream: bool) -> None:
    async with talking(tmp_path, say("one"), say("two")) as caller:
        alice = caller()
        first = await alice.say("first")
        answer = await alice.post("second", first["id"], store=False, stream=stream)
        assert (answer.status_code, alice.rows()) == (200, 1)
        assert texts(alice.upstream.calls[-1].request) == ["first", "one", "second"]


async def test_with_store_false_there_is_no_file(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        answer = await alice.say("hi", store=False)
        assert (answer["store"], (await alice.get(answer["id"])).status_code) == (False, 404)
        assert not alice.file.exists()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("end", [UpstreamUnavailable("gone"), [ir.Failed(UpstreamUnavailable("gone"))]])
async def test_one_that_failed_is_not_kept(tmp_path: Path, stream: bool, end: Any) -> None:
    async with talking(tmp_path, [*say("Hel")[:2], end]) as caller:
        alice = caller()
        answer = await alice.post("hi", stream=stream)
        assert (answer.status_code == 200, alice.rows()) == (stream, 0)


async def test_one_that_was_cut_is_kept(tmp_path: Path) -> None:
    async with talking(tmp_path, CUT) as caller:
        alice = caller()
        answer = await alice.say("hi", max_output_tokens=16)
        assert (answer["status"], (await alice.get(answer["id"])).json()) == ("incomplete", answer)


async def test_other_dialects_keep_nothing(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        body = {"model": "demo", "messages": [{"role": "user", "content": "hi"}], "store": True}
        assert (await alice.client.post("/v1/chat/completions", json=body)).status_code == 200
        assert not alice.file.exists()


async def test_answers_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        alice = caller()
        answers = await asyncio.gather(*(alice.say(f"number {n}") for n in range(20)))
        found = await asyncio.gather(*(alice.get(answer["id"]) for answer in answers))
    assert [answer.json() for answer in found] == answers


async def test_a_restart_and_a_second_process_see_them(tmp_path: Path) -> None:
    async with talking(tmp_path) as caller:
        first = await caller().say("first")
    async with talking(tmp_path) as here, talking(tmp_path, say("two")) as there:
        second = await there().say("second", first["id"])
        assert (await here().get(second["id"])).json() == second


def everything(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


async def test_what_is_kept_is_encrypted(tmp_path: Path) -> None:
    key = Fernet.generate_key().decode()
    async with talking(tmp_path, say("the answer"), store={"encryption_key": [key]}) as caller:
        alice = caller()
        first = await alice.say("the question")
        assert (await alice.get(first["id"])).json() == first
    content = everything(tmp_path)
    assert (b"the question" in content, b"the answer" in content) == (False, False)


async def test_the_newest_key_is_taken_by_a_start_alone(tmp_path: Path) -> None:
    """Whoever rotates keys, or sets the first one, need not wait for somebody to ask for a response."""
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    clock = FakeClock()
    async with talking(tmp_path, say("the answer"), clock=clock) as caller:
        first = await caller().say("the question")
    for keys in ([old], [new, old]):
        async with talking(tmp_path, clock=clock, store={"encryption_key": keys}):
            await clock.advance(1)
            await until(partial(kept_under, tmp_path, keys[0]))
    assert b"the question" not in everything(tmp_path)
    async with talking(tmp_path, clock=clock, store={"encryption_key": [new]}) as caller:
        assert (await caller().get(first["id"])).json() == first


def kept_under(folder: Path, key: str) -> bool:
    """Tell whether all that is kept is under this key."""
    with closing(sqlite3.connect(folder / "gateway.db")) as connection:
        rows = connection.execute("SELECT items FROM responses").fetchall()
    try:
        return all(Fernet(key).decrypt(items) for (items,) in rows)
    except InvalidToken:
        return False


# bounds


async def test_keep_days_says_how_long_responses_are_kept(tmp_path: Path) -> None:
    clock = FakeClock()
    async with talking(tmp_path, clock=clock, responses={"keep_days": 2}) as caller:
        alice = caller()
        first = await alice.say("first")
        clock.wall += 2 * DAY - 1
        assert (await alice.get(first["id"])).status_code == 200
        clock.wall += 1
        assert (await alice.get(first["id"])).status_code == 404
        assert refused(await alice.post("more", first["id"])) == GONE


async def test_max_says_how_much_is_kept(tmp_path: Path) -> None:
    async with talking(tmp_path, responses={"max": "10KB"}) as caller:
        alice = caller()
        answers = [await alice.say("x" * 2500) for _ in range(4)]
        found = [(await alice.get(answer["id"])).status_code for answer in answers]
    assert (found[0], found[-1]) == (404, 200)


@pytest.mark.parametrize("bounds", [{"keep_days": 0}, {"max": 0}])
async def test_bounds_of_zero_keep_nothing_and_drop_what_is_there(tmp_path: Path, bounds: dict[str, int]) -> None:
    async with talking(tmp_path) as caller:
        await caller().say("before")
    async with talking(tmp_path, responses=bounds) as caller:
        alice = caller()
        assert alice.rows() == 0
        answer = await alice.say("hi")
        assert (answer["store"], (await alice.get(answer["id"])).status_code) == (False, 404)
        assert refused(await alice.post("more", answer["id"])) == GONE


async def test_one_larger_than_max_is_not_kept_and_said_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with talking(tmp_path, responses={"max": "2KB"}, log={"level": "warning"}) as caller:
        alice = caller()
        answer = await alice.say("x" * 4000)
        assert (await alice.get(answer["id"])).status_code == 404
    assert capfd.readouterr().err.count("it is larger than responses.max") == 1


# when the store fails


def run(file: Path, sql: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(sql)


async def test_a_full_disk_breaks_no_answer(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with talking(tmp_path, log={"level": "info"}) as caller:
        alice = caller()
        await alice.say("hi")
        run(
            alice.file,
            "create trigger full before insert on responses begin select raise(fail, 'disk is full'); end",
        )
        answers = [await alice.say("hi"), await alice.say("hi")]
        assert [(await alice.get(answer["id"])).status_code for answer in answers] == [404, 404]
        run(alice.file, "drop trigger full")
        again = await alice.say("hi")
        assert (await alice.get(again["id"])).status_code == 200
    said = capfd.readouterr().err
    assert (said.count("disk is full"), said.count("the response store works again")) == (1, 1)


async def test_one_that_cannot_be_written_keeps_no_other_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with talking(tmp_path, log={"level": "warning"}) as caller:
        alice = caller()
        await alice.say("hi")
        when = "when instr(cast(new.items as text), 'bad')"
        run(alice.file, f"create trigger bad before insert on responses {when} begin select raise(fail, 'bad'); end")
        answers = await asyncio.gather(*(alice.say("bad" if n == 5 else f"number {n}") for n in range(20)))
        found = [(await alice.get(answer["id"])).status_code for answer in answers]
    assert found == [404 if n == 5 else 200 for n in range(20)]
    assert capfd.readouterr().err.count("the response store fails") == 1


async def test_a_file_that_cannot_be_read_is_an_error_of_the_gateway(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").mkdir()
    async with talking(tmp_path) as caller:
        alice = caller()
        answer = await alice.say("hi")
        assert (await alice.get(answer["id"])).status_code == 503
        assert (await alice.post("more", answer["id"])).status_code == 503
        (tmp_path / "gateway.db").rmdir()
        answer = await alice.say("hi")
        assert (await alice.get(answer["id"])).status_code == 200


async def test_what_cannot_be_dropped_at_the_start_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gateway.db").mkdir()
    async with talking(tmp_path, responses={"keep_days": 0}, log={"level": "warning"}) as caller:
        await caller().say("hi")
    assert capfd.readouterr().err.count("the response store fails") == 1


async def test_a_missing_key_breaks_no_answer(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with talking(tmp_path, store={"encryption_key": [Fernet.generate_key().decode()]}) as caller:
        await caller().say("hi")
    async with talking(tmp_path, log={"level": "warning"}) as caller:
        alice = caller()
        await alice.say("hi")
        assert alice.rows() == 1
    assert "store.encryption_key is not set, but" in capfd.readouterr().err


LAZY = """
import anyio, sys
from pathlib import Path
from tests.gateway.conversations import talking

async def main():
    async with talking(Path(sys.argv[1])) as caller:
        alice = caller()
        chat = {"model": "demo", "messages": [{"role": "user", "content": "hi"}]}
        await alice.client.post("/v1/chat/completions", json=chat)
        await alice.say("hi", store=False)
        await alice.get("resp_x")
        print("sqlalchemy" in sys.modules)
        await alice.say("hi")
        print("sqlalchemy" in sys.modules)

anyio.run(main)
"""


def test_the_database_is_loaded_with_the_first_response(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LAZY, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.split() == ["False", "True"]


async def test_one_who_leaves_before_the_end_leaves_nothing_behind(tmp_path: Path) -> None:
    reached = asyncio.Event()

    async def hold() -> None:
        reached.set()
        await asyncio.Event().wait()

    async with talking(tmp_path, [*say("Hel")[:2], hold]) as caller:
        alice = caller()
        asking = asyncio.create_task(alice.post("hi", stream=True))
        await reached.wait()
        asking.cancel()
        await asyncio.wait([asking])
        assert alice.rows() == 0
