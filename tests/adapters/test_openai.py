"""Asking OpenAI: its keys, their turns, and what each refusal leads to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway import ir
from gateway.attempts import ENDS
from gateway.errors import (
    GatewayError,
    ModelNotFound,
    NoCredential,
    StreamBroken,
    UpstreamCredential,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnavailable,
)
from tests.adapters.site import OpenAISite, asking
from tests.fakes.openai_api import FakeOpenAI
from tests.gateway.wire import Answer, ending, resetting, saying, upstream

pytestmark = pytest.mark.anyio

API = pytest.mark.parametrize("api", ["chat", "responses"])


@pytest.fixture
async def keyless(tmp_path: Path) -> AsyncIterator[OpenAISite]:
    """Give a place before a server that is only compatible, and asks for no key."""
    async with FakeOpenAI(plain=True, keys=()) as fake:
        made = OpenAISite(fake, tmp_path / "keyless")
        yield made
        await made.close()


def idle(openai: OpenAISite) -> bool:
    """Tell whether no connection is in use."""
    connector = openai.transport._session.connector
    return connector is not None and not connector._acquired


@API
async def test_an_answer_comes_with_the_key_as_a_bearer(openai: OpenAISite, api: str) -> None:
    await openai.open(api=api)
    assert await openai.ask("one two") == "one two"
    (call,) = openai.calls
    assert call.headers["authorization"] == "Bearer key-1"
    assert call.headers["user-agent"].startswith("asgi-llm-gateway/")
    assert call.request["stream"] is True


@pytest.mark.parametrize(("api", "path"), [("chat", "/v1/chat/completions"), ("responses", "/v1/responses")])
async def test_api_says_which_of_the_two_apis_is_asked(openai: OpenAISite, api: str, path: str) -> None:
    await openai.open(api=api)
    await openai.ask()
    assert openai.calls[0].path == path


async def test_a_slash_at_the_end_of_base_url_changes_nothing(openai: OpenAISite) -> None:
    await openai.open(base_url=f"{openai.fake.url}/v1/")
    assert await openai.ask() == "hi"


async def test_without_base_url_it_is_openais(openai: OpenAISite) -> None:
    journey = openai.made("key-1", base_url="").open(asking("hi", "gpt-4.1"))
    outgoing = journey.outgoing()  # type: ignore[attr-defined]  # every journey of ours is Telling
    assert outgoing.url == "https://api.openai.com/v1/chat/completions"
    assert outgoing.headers["authorization"] == "Bearer ***"


@pytest.mark.parametrize(("more", "asked"), [({}, True), ({"base_url": ""}, False)])
async def test_openai_itself_is_not_asked_for_pictures(openai: OpenAISite, more: Any, asked: bool) -> None:
    call = asking("hi", "gpt-4.1", output=ir.Output(modalities=("image",)))
    journey = openai.made("key-1", **more).open(call)
    assert ("modalities" in json.loads(bytes(journey.body())), bool(journey.losses)) == (asked, not asked)


async def test_the_body_of_the_next_call_is_known_without_network(openai: OpenAISite) -> None:
    adapter = await openai.open()
    body = json.loads(bytes(adapter.open(asking("hi", "gpt-4.1")).body()))
    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert openai.fake.requests == []


# keys


async def test_the_keys_take_turns(openai: OpenAISite) -> None:
    await openai.open("key-1", "key-2", "key-3")
    for _ in range(4):
        await openai.ask()
    assert [key for key, _ in openai.seen()] == ["key-1", "key-2", "key-3", "key-1"]


@API
@pytest.mark.parametrize("error", ["401_invalid_key", "401_deactivated", "401"])
async def test_a_refused_key_is_disabled_and_the_next_one_serves(openai: OpenAISite, error: str, api: str) -> None:
    adapter = await openai.open("key-1", "key-2", api=api)
    openai.fail(error, token="key-1", times=9)
    assert await openai.ask(attempts=1) == "hi"
    assert await openai.ask(attempts=1) == "hi"
    assert openai.seen() == [("key-1", 401), ("key-2", 200), ("key-2", 200)]
    assert adapter.state() == "usable: 1 of 2 credentials; 1 disabled"


async def test_the_only_key_refused_is_a_bad_gateway_never_the_callers_401(openai: OpenAISite) -> None:
    adapter = await openai.open("nobody")
    for _ in range(2):
        with pytest.raises(UpstreamCredential) as caught:
            await openai.ask()
        assert caught.value.status == 502
        assert "nobody" not in caught.value.message
    assert len(openai.seen()) == 1
    assert adapter.state() == "no credential: 1 disabled: the API key was rejected"


async def test_a_pool_of_which_all_are_refused_has_no_credential(openai: OpenAISite) -> None:
    await openai.open("x", "y")
    with pytest.raises(NoCredential, match="2 credentials: 2 disabled; the operator of this gateway must act"):
        await openai.ask()


async def test_no_key_is_written_down(openai: OpenAISite) -> None:
    await openai.open("nobody")
    with pytest.raises(UpstreamCredential):
        await openai.ask()
    await openai.stop()
    assert b"nobody" not in b"".join(file.read_bytes() for file in openai.folder.iterdir())


async def test_without_a_key_openai_itself_is_not_usable_and_the_state_says_what_to_set(openai: OpenAISite) -> None:
    adapter = openai.made("x", api_key=[], base_url="")
    assert adapter.state() == "no credential: set upstream.google.api_key"
    assert not adapter.usable


async def test_another_server_may_ask_for_no_key(keyless: OpenAISite) -> None:
    adapter = await keyless.open("x", api_key=[])
    assert adapter.usable
    assert await keyless.ask() == "hi"
    assert "authorization" not in keyless.calls[0].headers


async def test_what_a_key_may_not_do_is_tried_with_the_others_and_held_against_none(openai: OpenAISite) -> None:
    adapter = await openai.open("key-1", "key-2")
    openai.fail("403", times=2)
    with pytest.raises(NoCredential, match="none of 2 credentials may do this"):
        await openai.ask()
    assert openai.seen() == [("key-1", 403), ("key-2", 403)]
    assert adapter.state() == "usable: 2 of 2 credentials"
    assert ["credential: Forbidden" in (view.last_error or "") for view in adapter.views()] == [True, True]


async def test_a_key_without_a_right_is_held_to_what_it_may(openai: OpenAISite) -> None:
    adapter = await openai.open()
    openai.fail("401_scopes")
    with pytest.raises(UpstreamCredential, match="Missing scopes"):
        await openai.ask()
    assert adapter.state() == "usable: 1 of 1 credentials"
    assert await openai.ask() == "hi"


async def test_what_the_only_key_may_not_do_is_a_bad_gateway(openai: OpenAISite) -> None:
    await openai.open()
    openai.fail("403")
    with pytest.raises(UpstreamCredential) as caught:
        await openai.ask()
    assert caught.value.status == 502


# limits


@pytest.mark.parametrize(
    ("error", "rests_s", "code"),
    [
        ("429_requests", 20, "rate_limit_exceeded"),
        ("429_day", 432, "rate_limit_exceeded"),
        ("429_bare", 60, "rate_limit_exceeded"),
    ],
)
async def test_a_limit_lets_the_key_rest_for_that_model(
    openai: OpenAISite, error: str, rests_s: float, code: str
) -> None:
    await openai.open()
    openai.fail(error, model="gpt-4.1")
    with pytest.raises(UpstreamRateLimited) as caught:
        await openai.ask()
    assert caught.value.retry_after == pytest.approx(rests_s)
    assert caught.value.code == code
    assert await openai.ask(model="gpt-5") == "hi"
    await openai.clock.advance(rests_s)
    assert await openai.ask() == "hi"


@pytest.mark.parametrize("error", ["429_requests", "429_quota", "400_billing_limit"])
async def test_another_key_serves_while_one_rests(openai: OpenAISite, error: str) -> None:
    await openai.open("key-1", "key-2")
    openai.fail(error, token="key-1")
    assert await openai.ask(attempts=1) == "hi"
    assert await openai.ask(attempts=1) == "hi"
    assert [key for key, _ in openai.seen()] == ["key-1", "key-2", "key-2"]


async def test_a_used_up_quota_is_told_by_its_code(openai: OpenAISite) -> None:
    await openai.open()
    openai.fail("429_quota")
    with pytest.raises(UpstreamRateLimited) as caught:
        await openai.ask()
    assert caught.value.code == "insufficient_quota"
    assert caught.value.retry_after == 60  # as long as they rest
    with pytest.raises(UpstreamRateLimited, match="You exceeded your current quota") as again:
        await openai.ask()
    assert (again.value.code, len(openai.calls)) == ("insufficient_quota", 1)


async def test_a_request_that_no_minute_has_room_for_is_the_callers_and_lets_no_key_rest(openai: OpenAISite) -> None:
    adapter = await openai.open("key-1", "key-2")
    openai.fail("429_too_large")
    with pytest.raises(UpstreamRateLimited, match=r"^Request too large for gpt-4\.1 .*Requested 45000") as caught:
        await openai.ask()
    assert (caught.value.retry_after, caught.value.headers) == (None, {"x-should-retry": "false"})
    assert len(openai.calls) == 1
    assert adapter.states()["cooling"] == 0
    assert await openai.ask("less") == "less"


# the upstream's own troubles


@pytest.mark.parametrize("error", ["500_server", "502", "reset"])
async def test_a_failure_is_tried_again(openai: OpenAISite, error: str) -> None:
    await openai.open()
    openai.fail(error)
    assert await openai.ask_over_pauses() == "hi"


async def test_what_the_upstream_says_of_another_try_holds(openai: OpenAISite) -> None:
    await openai.open()
    openai.fail("501_again")
    assert await openai.ask_over_pauses() == "hi"
    assert [status for _, status in openai.seen()] == [501, 200]
    openai.fail("500_final")
    with pytest.raises(UpstreamUnavailable, match="on this input") as caught:
        await openai.ask()
    assert caught.value.headers == {"x-should-retry": "false"}
    assert [status for _, status in openai.seen()] == [501, 200, 500]


async def test_another_key_may_be_asked_what_this_one_is_not_to_be_asked_again(openai: OpenAISite) -> None:
    await openai.open("key-1", "key-2")
    openai.fail("500_final", token="key-1", times=9)
    assert await openai.ask() == "hi"
    assert openai.seen() == [("key-1", 500), ("key-2", 200)]


async def test_a_model_that_stays_busy_is_overloaded(openai: OpenAISite) -> None:
    adapter = await openai.open()
    openai.fail("503_overloaded", times=9)
    with pytest.raises(UpstreamOverloaded):
        await openai.ask_over_pauses(attempts=2)
    assert len(openai.seen()) == 2
    assert adapter.usable


async def test_an_internal_error_is_tried_with_another_key(openai: OpenAISite) -> None:
    await openai.open("key-1", "key-2")
    openai.fail("500_server", token="key-1")
    assert await openai.ask() == "hi"
    assert openai.seen() == [("key-1", 500), ("key-2", 200)]


@pytest.mark.parametrize("error", ["500_server", "503_overloaded"])
async def test_no_pause_is_made_while_a_key_is_left(openai: OpenAISite, error: str) -> None:
    await openai.open("key-1", "key-2", "key-3")
    openai.fail(error, times=2)
    assert await openai.ask() == "hi"
    assert [key for key, _ in openai.seen()] == ["key-1", "key-2", "key-3"]


async def test_an_unknown_model_is_tried_with_one_other_key_and_named(openai: OpenAISite) -> None:
    adapter = await openai.open("key-1", "key-2", "key-3")
    with pytest.raises(ModelNotFound) as caught:
        await openai.ask(model="gpt-4.2")
    assert caught.value.message.endswith("lists no model 'gpt-4.2'; did you mean \"gpt-4.1\"?")
    assert len(openai.seen()) == 2
    assert adapter.state() == "usable: 3 of 3 credentials"


async def test_a_base_url_without_v1_says_so(openai: OpenAISite) -> None:
    await openai.open(base_url=openai.fake.url)
    with pytest.raises(UpstreamUnavailable, match="base_url is given with /v1"):
        await openai.ask()


@pytest.mark.parametrize(
    ("location", "where"),
    [
        ("https://elsewhere.example:8443/v1/chat/completions?key=x", "to https://elsewhere.example:8443 (status 308)"),
        ("https://user:word@elsewhere.example/", "elsewhere (status 308)"),
        ("/v2/chat", "elsewhere (status 308)"),
    ],
)
async def test_an_address_that_leads_on_says_so_at_once(openai: OpenAISite, location: str, where: str) -> None:
    moved = f"HTTP/1.1 308 Permanent Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    async with upstream(saying(moved.encode())) as server:
        adapter = await openai.open(base_url=server.url)
        with pytest.raises(UpstreamUnavailable) as caught:
            await openai.ask()
        await openai.stop()
    assert where in caught.value.message
    assert (len(server.requests), adapter.states()["active"]) == (1, 1)


async def test_an_answer_may_have_been_created(openai: OpenAISite) -> None:
    """As servers built on NestJS say to each POST."""
    whole = b'{"choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}'
    head = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(whole)
    async with upstream(saying(head + whole)) as server:
        await openai.open(base_url=server.url)
        assert await openai.ask() == "hi"
        await openai.stop()


REFUSED = b"HTTP/1.1 %d Bad\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
SAID = b'{"detail": [{"type": "missing", "loc": ["body", "x"], "input": "'


async def test_a_refusal_that_repeats_a_large_request_is_still_the_callers(openai: OpenAISite) -> None:
    """As servers built on FastAPI do with what they find wrong."""
    large = SAID + b"x" * 3_000_000 + b'"}]}'
    async with upstream(saying(REFUSED % (422, len(large)), large)) as server:
        await openai.open(base_url=server.url)
        with pytest.raises(GatewayError) as caught:
            await openai.ask()
        await openai.stop()
    assert isinstance(caught.value, UpstreamRejected)
    assert "missing" in caught.value.message
    assert (caught.value.status, len(server.requests)) == (400, 1)


@pytest.mark.parametrize("framed", [b"data: %s\n\n", b"event: error\r\ndata: %s\r\n\r\n", b"data:%s"])
async def test_a_refusal_that_is_an_event_is_read(openai: OpenAISite, framed: bytes) -> None:
    """LiteLLM says so what goes wrong before a stream has begun, under the status of the error."""
    said = framed % b'{"error": {"message": "no more of it", "type": "rate_limit_error", "code": "slow_down"}}'
    async with upstream(saying(REFUSED % (429, len(said)), said)) as server:
        await openai.open(base_url=server.url)
        with pytest.raises(UpstreamRateLimited) as caught:
            await openai.ask(attempts=1)
        await openai.stop()
    assert "no more of it" in caught.value.message
    assert "data:" not in caught.value.message


@pytest.mark.parametrize("leave", [ending, resetting])
async def test_a_refusal_that_breaks_off_has_its_status(openai: OpenAISite, leave: Callable[..., Answer]) -> None:
    async with upstream(leave(REFUSED % (401, 500), SAID)) as server:
        adapter = await openai.open(base_url=server.url)
        with pytest.raises(GatewayError) as caught:
            await openai.ask(attempts=1)
        await openai.stop()
    assert isinstance(caught.value, UpstreamCredential)
    assert (len(server.requests), adapter.states()["disabled"]) == (1, 1)


async def test_a_bad_request_is_the_callers_and_is_not_repeated(openai: OpenAISite) -> None:
    await openai.open("key-1", "key-2")
    openai.fail("400_policy")
    with pytest.raises(UpstreamRejected, match="usage policy"):
        await openai.ask()
    assert len(openai.seen()) == 1


async def test_a_bad_request_of_which_the_answer_tells_is_no_failure_of_the_server(openai: OpenAISite) -> None:
    error = {"message": "Your prompt was flagged.", "code": "invalid_prompt", "param": None}
    openai.fake.script.push(f"!chunk {json.dumps({'type': 'error', 'sequence_number': 0, **error})}")
    adapter = await openai.open("key-1", "key-2", api="responses")
    with pytest.raises(UpstreamRejected, match="flagged") as caught:
        await openai.ask()
    assert caught.value.status == 400
    assert caught.value.code == "invalid_prompt"
    assert openai.seen() == [("key-1", 200)]
    assert adapter.state() == "usable: 2 of 2 credentials"


@API
async def test_an_error_before_the_first_word_is_tried_again(openai: OpenAISite, api: str) -> None:
    error = {"message": "Sorry", "code": "server_error", "type": "server_error", "param": None}
    event = {"error": error} if api == "chat" else {"type": "error", "sequence_number": 0, **error}
    openai.fake.script.push(f"!chunk {json.dumps(event)}")
    await openai.open(api=api)
    assert await openai.ask_over_pauses() == "hi"
    assert openai.seen() == [("key-1", 200), ("key-1", 200)]


@pytest.mark.parametrize(("api", "events"), [("chat", 3), ("responses", 6)])
async def test_an_answer_that_is_cut_off_has_failed(openai: OpenAISite, api: str, events: int) -> None:
    await openai.open(api=api)
    begun = await openai.begin(f"!say a text of chunks\n!cut {events}", attempts=1)
    last = begun.events[-1]
    while (more := await begun.answer.read()) is not None:
        last = (more or [last])[-1]
    begun.answer.close()
    begun.journey.done(None)
    assert isinstance(last, ir.Failed)
    assert isinstance(last.error, StreamBroken)


async def test_a_body_that_ends_behind_its_answer_costs_no_connection(
    openai: OpenAISite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of every server that writes its last chunk by itself."""
    monkeypatch.setattr("gateway.transport._REST_S", 30.0)  # however busy this machine is
    end = asyncio.Event()
    said = b'data: {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"%b%x\r\n%b\r\n" % (head, len(said), said))
        await end.wait()
        writer.write(b"0\r\n\r\n")
        end.clear()

    async with upstream(answer) as server:
        await openai.open(base_url=server.url)
        for _ in range(3):
            begun = await openai.begin()
            events = list(begun.events)
            while not isinstance(events[-1], ENDS):
                events += await begun.answer.read() or []
            begun.answer.close()
            begun.journey.done(None)
            assert openai.transport.open_responses == 0
            end.set()
            while end.is_set() or not idle(openai):  # noqa: ASYNC110 - the client's end tells nobody
                await asyncio.sleep(0.001)
        await openai.stop()
    assert (server.connections, len(server.requests)) == (1, 3)


async def test_a_caller_that_leaves_gives_the_key_back(openai: OpenAISite) -> None:
    adapter = await openai.open()
    asked = asyncio.create_task(openai.ask("!slow 60"))
    await openai.fake.wait_for("chat.completions")
    assert adapter.leases == 1
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await openai.fake.wait_closed()
    assert adapter.leases == 0


async def test_tokens_are_not_counted_upstream(openai: OpenAISite) -> None:
    adapter = await openai.open()
    assert await adapter.count(asking("hi", "gpt-4.1")) is None
    assert openai.fake.requests == []
