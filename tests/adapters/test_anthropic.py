"""Asking Anthropic: its keys, their turns, its headers, and what each refusal leads to."""

import asyncio
import json

import pytest
from msgspec import Raw

from gateway import ir
from gateway.errors import (
    ModelNotFound,
    NoCredential,
    StreamBroken,
    UpstreamCredential,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnavailable,
)
from tests.adapters.site import AnthropicSite, asking
from tests.fakes.anthropic_api import COUNT, MESSAGES

pytestmark = pytest.mark.anyio

SONNET = "claude-sonnet-4-5"


async def test_an_answer_comes_with_key_version_and_our_own_name(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    assert await anthropic.ask("one two") == "one two"
    (call,) = anthropic.calls
    assert call.path == "/v1/messages"
    assert call.headers["x-api-key"] == "key-1"
    assert call.headers["anthropic-version"] == "2023-06-01"
    assert call.headers["user-agent"].startswith("asgi-llm-gateway/")
    assert "authorization" not in call.headers
    assert "anthropic-beta" not in call.headers


async def test_a_slash_at_the_end_of_base_url_changes_nothing(anthropic: AnthropicSite) -> None:
    await anthropic.open(base_url=f"{anthropic.fake.url}/")
    assert await anthropic.ask() == "hi"


async def test_without_base_url_it_is_anthropics(anthropic: AnthropicSite) -> None:
    journey = anthropic.made("key-1", base_url="").open(asking("hi", SONNET))
    outgoing = journey.outgoing()  # type: ignore[attr-defined]  # every journey of ours is Telling
    assert outgoing.url == "https://api.anthropic.com/v1/messages"
    assert outgoing.headers["x-api-key"] == "***"


async def test_the_body_of_the_next_call_is_known_without_network(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open()
    body = json.loads(bytes(adapter.open(asking("hi", SONNET)).body()))
    assert (body["model"], body["stream"]) == (SONNET, True)
    assert anthropic.fake.requests == []


async def test_a_server_that_wants_a_bearer_gets_one_once_it_has_seen_no_key(anthropic: AnthropicSite) -> None:
    anthropic.fake.bearers = True
    adapter = await anthropic.open()
    assert await anthropic.ask("one") == "one"
    assert await anthropic.ask("two") == "two"
    assert anthropic.seen() == [("", 401), ("key-1", 200), ("key-1", 200)]
    assert await adapter.count(asking("hi", SONNET))
    assert [call.status for call in anthropic.fake.calls(COUNT)] == [200]
    assert anthropic.calls[-1].headers["authorization"] == "Bearer key-1"
    assert "x-api-key" not in anthropic.calls[-1].headers


async def test_several_at_once_find_the_same_way(anthropic: AnthropicSite) -> None:
    anthropic.fake.bearers = True
    await anthropic.open()
    assert await asyncio.gather(*(anthropic.ask(f"{n}") for n in range(5))) == [f"{n}" for n in range(5)]
    assert await anthropic.ask("last") == "last"
    assert anthropic.seen()[-1] == ("key-1", 200)


async def test_a_key_that_is_wrong_either_way_is_refused_as_at_first(anthropic: AnthropicSite) -> None:
    anthropic.fake.bearers = True
    await anthropic.open("wrong")
    with pytest.raises(UpstreamCredential, match="rejected"):
        await anthropic.ask()
    assert [call.status for call in anthropic.calls] == [401, 401]
    anthropic.fake.bearers = False
    await anthropic.open("key-1")
    assert await anthropic.ask() == "hi"
    assert anthropic.calls[-1].headers["x-api-key"] == "key-1"


async def test_a_key_that_was_seen_is_shown_once(anthropic: AnthropicSite) -> None:
    await anthropic.open("wrong")
    with pytest.raises(UpstreamCredential, match="rejected"):
        await anthropic.ask()
    assert [call.status for call in anthropic.calls] == [401]


async def test_anthropic_itself_gets_no_bearer(anthropic: AnthropicSite) -> None:
    assert anthropic.made("key-1", base_url="")._backend.other is None
    assert anthropic.made("key-1")._backend.other is not None


# betas


async def test_a_callers_own_betas_go_along_and_each_once(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    betas = ("context-1m-2025-08-07", "interleaved-thinking-2025-05-14")
    await anthropic.ask(betas=betas)
    assert anthropic.calls[0].headers["anthropic-beta"].split(",") == [*betas]


async def test_a_beta_that_is_refused_is_left_out_told_and_not_tried_again(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    betas = ("context-1m-2025-08-07", "made-up-2026-01-01")
    begun = await anthropic.begin(attempts=1, betas=betas)
    begun.answer.close()
    begun.journey.done(None)
    assert [(loss.path, loss.severity) for loss in begun.journey.losses] == [("anthropic-beta", "hint")]
    await anthropic.ask(attempts=1, betas=betas)
    sent = [call.headers["anthropic-beta"].split(",") for call in anthropic.calls]
    assert sent == [[*betas], [betas[0]], [betas[0]]]


@pytest.mark.parametrize("taken", ["interleaved-thinking-2025-05-14", "none"])
async def test_betas_that_bedrock_refuses_without_a_name_are_left_out(anthropic: AnthropicSite, taken: str) -> None:
    anthropic.fake.flags = frozenset({taken})
    await anthropic.open()
    betas = ("interleaved-thinking-2025-05-14", "prompt-caching-scope-2026-01-05", "fast-mode-2026-02-01")
    begun = await anthropic.begin(attempts=1, betas=betas)
    begun.answer.close()
    begun.journey.done(None)
    await anthropic.ask(attempts=1, betas=betas)
    sent = [call.headers.get("anthropic-beta") for call in anthropic.calls]
    known = taken != "none"
    assert sent == [",".join(betas), betas[0], *((betas[0],) if known else (None, None))]
    assert [loss.path for loss in begun.journey.losses] == ["anthropic-beta"]


# keys


async def test_the_keys_take_turns(anthropic: AnthropicSite) -> None:
    await anthropic.open("key-1", "key-2", "key-3")
    for _ in range(4):
        await anthropic.ask()
    assert [key for key, _ in anthropic.seen()] == ["key-1", "key-2", "key-3", "key-1"]


@pytest.mark.parametrize("error", ["401_key", "400_disabled"])
async def test_a_refused_key_is_disabled_and_the_next_one_serves(anthropic: AnthropicSite, error: str) -> None:
    adapter = await anthropic.open("key-1", "key-2")
    anthropic.fail(error, token="key-1", times=9)
    assert await anthropic.ask(attempts=1) == "hi"
    assert await anthropic.ask(attempts=1) == "hi"
    assert [key for key, _ in anthropic.seen()] == ["key-1", "key-2", "key-2"]
    assert adapter.state() == "usable: 1 of 2 credentials; 1 disabled"


async def test_the_only_key_refused_is_a_bad_gateway_never_the_callers_401(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open("nobody")
    for _ in range(2):
        with pytest.raises(UpstreamCredential) as caught:
            await anthropic.ask()
        assert caught.value.status == 502
        assert "nobody" not in caught.value.message
    assert len(anthropic.seen()) == 1
    assert adapter.state() == "no credential: 1 disabled: the API key was rejected"


async def test_a_pool_of_which_all_are_refused_has_no_credential(anthropic: AnthropicSite) -> None:
    await anthropic.open("x", "y")
    with pytest.raises(NoCredential, match="2 credentials: 2 disabled; the operator of this gateway must act"):
        await anthropic.ask()


async def test_no_key_is_written_down(anthropic: AnthropicSite) -> None:
    await anthropic.open("nobody")
    with pytest.raises(UpstreamCredential):
        await anthropic.ask()
    await anthropic.stop()
    assert b"nobody" not in b"".join(file.read_bytes() for file in anthropic.folder.iterdir())


async def test_without_a_key_anthropic_itself_is_not_usable_and_the_state_says_what_to_set(
    anthropic: AnthropicSite,
) -> None:
    adapter = anthropic.made("x", api_key=[], base_url="")
    assert adapter.state() == "no credential: set upstream.google.api_key"
    assert not adapter.usable


async def test_another_server_may_ask_for_no_key(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open("x", api_key=[])
    assert adapter.usable
    with pytest.raises(UpstreamCredential):  # the fake asks for one
        await anthropic.ask()
    assert "x-api-key" not in anthropic.calls[0].headers


async def test_what_a_key_may_not_do_is_tried_with_the_others_and_held_against_none(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open("key-1", "key-2")
    anthropic.fail("403_permission", times=2)
    with pytest.raises((UpstreamCredential, NoCredential)) as caught:
        await anthropic.ask()
    assert caught.value.status in (502, 503)
    assert anthropic.seen() == [("key-1", 403), ("key-2", 403)]
    assert adapter.state() == "usable: 2 of 2 credentials"


# limits


@pytest.mark.parametrize(("error", "rests_s"), [("429_requests", 7), ("429_rate", 20), ("429_bare", 60)])
async def test_a_limit_lets_the_key_rest_for_that_model(anthropic: AnthropicSite, error: str, rests_s: float) -> None:
    await anthropic.open()
    anthropic.fail(error, model=SONNET)
    with pytest.raises(UpstreamRateLimited) as caught:
        await anthropic.ask(attempts=1)
    assert caught.value.retry_after == pytest.approx(rests_s)
    assert await anthropic.ask(model="claude-opus-4-6") == "hi"
    await anthropic.clock.advance(rests_s)
    assert await anthropic.ask() == "hi"


@pytest.mark.parametrize("error", ["429_rate", "400_credit", "402_billing"])
async def test_another_key_serves_while_one_rests(anthropic: AnthropicSite, error: str) -> None:
    await anthropic.open("key-1", "key-2")
    anthropic.fail(error, token="key-1")
    assert await anthropic.ask(attempts=1) == "hi"
    assert await anthropic.ask(attempts=1) == "hi"
    assert [key for key, _ in anthropic.seen()] == ["key-1", "key-2", "key-2"]


async def test_used_up_money_is_no_bad_request_of_the_callers(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    anthropic.fail("400_credit")
    with pytest.raises(UpstreamRateLimited) as caught:
        await anthropic.ask()
    assert (caught.value.status, caught.value.code) == (429, "insufficient_quota")


# the upstream's own troubles


@pytest.mark.parametrize("error", ["500_internal", "529_overloaded", "reset"])
async def test_a_failure_is_tried_again(anthropic: AnthropicSite, error: str) -> None:
    await anthropic.open()
    anthropic.fail(error)
    assert await anthropic.ask_over_pauses() == "hi"


async def test_a_model_that_stays_busy_is_overloaded(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open()
    anthropic.fail("529_overloaded", times=9)
    with pytest.raises(UpstreamOverloaded):
        await anthropic.ask_over_pauses(attempts=2)
    assert len(anthropic.seen()) == 2
    assert adapter.usable


async def test_an_internal_error_is_tried_with_another_key(anthropic: AnthropicSite) -> None:
    await anthropic.open("key-1", "key-2")
    anthropic.fail("500_internal", token="key-1")
    assert await anthropic.ask() == "hi"
    assert anthropic.seen() == [("key-1", 500), ("key-2", 200)]


async def test_an_unknown_model_is_tried_with_one_other_key_and_named(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open("key-1", "key-2", "key-3")
    with pytest.raises(ModelNotFound) as caught:
        await anthropic.ask(model="claude-opus-4-9")
    assert "lists no model 'claude-opus-4-9'; did you mean" in caught.value.message
    assert len(anthropic.seen()) == 2
    assert adapter.state() == "usable: 3 of 3 credentials"


async def test_a_base_url_that_leads_nowhere_says_how_it_is_written(anthropic: AnthropicSite) -> None:
    await anthropic.open(base_url=f"{anthropic.fake.url}/api")
    with pytest.raises(UpstreamUnavailable, match="base_url is given without /v1"):
        await anthropic.ask()


@pytest.mark.parametrize("error", ["400_policy", "413_large"])
async def test_a_bad_request_is_the_callers_and_is_not_repeated(anthropic: AnthropicSite, error: str) -> None:
    await anthropic.open("key-1", "key-2")
    anthropic.fail(error)
    with pytest.raises(UpstreamRejected) as caught:
        await anthropic.ask()
    assert caught.value.status == int(error[:3])
    assert len(anthropic.seen()) == 1


@pytest.mark.parametrize("events", [1, 2, 3], ids=["message_start", "content_block_start", "ping"])
@pytest.mark.parametrize("error", ["!midway 529_overloaded", "!midway 500_internal", "!cut"])
async def test_an_error_before_the_first_word_is_tried_again(anthropic: AnthropicSite, error: str, events: int) -> None:
    anthropic.fake.script.push(f"!say a text\n{error} {events}")
    await anthropic.open()
    assert await anthropic.ask_over_pauses() == "hi"
    assert anthropic.seen() == [("key-1", 200), ("key-1", 200)]


async def test_a_limit_within_an_answer_lets_the_key_rest_too(anthropic: AnthropicSite) -> None:
    anthropic.fake.script.push("!midway 429_rate 1")
    await anthropic.open("key-1", "key-2")
    assert await anthropic.ask(attempts=1) == "hi"
    assert await anthropic.ask(attempts=1) == "hi"
    assert [key for key, _ in anthropic.seen()] == ["key-1", "key-2", "key-2"]


async def last_of(anthropic: AnthropicSite, text: str) -> ir.Event:
    begun = await anthropic.begin(text, attempts=1)
    last = begun.events[-1]
    while (more := await begun.answer.read()) is not None:
        last = (more or [last])[-1]
    begun.answer.close()
    begun.journey.done(None)
    return last


async def test_an_error_after_the_first_word_is_told_with_its_class(anthropic: AnthropicSite) -> None:
    """Pitfall 37"""
    await anthropic.open()
    last = await last_of(anthropic, "!say a text of chunks\n!midway 529_overloaded")
    assert isinstance(last, ir.Failed)
    assert isinstance(last.error, UpstreamOverloaded)
    assert len(anthropic.seen()) == 1


async def test_an_answer_that_is_cut_off_has_failed(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    last = await last_of(anthropic, "!say a text of chunks\n!cut 5")
    assert isinstance(last, ir.Failed)
    assert isinstance(last.error, StreamBroken)


async def test_a_caller_that_leaves_gives_the_key_back(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open()
    asked = asyncio.create_task(anthropic.ask("!slow 60"))
    await anthropic.fake.wait_for(MESSAGES)
    assert adapter.leases == 1
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await anthropic.fake.wait_closed()
    assert adapter.leases == 0


# counting

TOOL = ir.Tool(name="f", description="does things", path="tools[0]")


async def test_tokens_are_counted_upstream_with_tools_and_instructions(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open()
    plain = await adapter.count(asking("one two three", SONNET))
    more = asking("one two three", SONNET, tools=(TOOL,), system=(ir.Text(text="be brief"),))
    counted = await adapter.count(more)
    assert plain is not None
    assert counted is not None
    assert 0 < plain < counted
    (_, call) = anthropic.fake.calls(COUNT)
    assert call.path == "/v1/messages/count_tokens"
    assert call.headers["x-api-key"] == "key-1"
    assert call.request.keys() == {"model", "messages", "system", "tools"}
    assert anthropic.seen() == []


@pytest.mark.parametrize("model", [SONNET, "claude-opus-5-5"])
async def test_only_what_can_be_counted_goes_to_be_counted(anthropic: AnthropicSite, model: str) -> None:
    """The fake refuses everything else."""
    adapter = await anthropic.open()
    schema = Raw(
        b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}'
    )
    asked = asking(
        "hi",
        model,
        tools=(TOOL,),
        tool_choice=ir.ToolChoice(mode="auto", parallel=False),
        reasoning=ir.Reasoning(mode="level", level="high", visible=True),
        sampling=ir.Sampling(max_tokens=20_000, temperature=1, stop=("END",)),
        output=ir.Output(kind="schema", schema=schema),
        user="someone",
        stream=True,
    )
    assert await adapter.count(asked)
    sent = anthropic.fake.calls(COUNT)[0].request.keys()
    assert {"thinking", "tools", "tool_choice", "output_config"} <= sent
    assert not {"max_tokens", "stream", "metadata", "stop_sequences", "temperature"} & sent


async def test_a_count_that_fails_is_nobodys_trouble(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open()
    anthropic.fake.fail("529_overloaded", method=COUNT)
    assert await adapter.count(asking("hi", SONNET)) is None
    assert adapter.usable


async def test_a_count_without_a_usable_key_is_none(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open("nobody")
    for _ in range(2):
        assert await adapter.count(asking("hi", SONNET)) is None
    assert len(anthropic.fake.calls(COUNT)) == 1


async def test_a_beta_that_counting_does_not_know_is_left_out_there_only(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open()
    betas = ("made-up-2026-01-01",)
    assert await adapter.count(asking("hi", SONNET, betas=betas))
    assert [call.status for call in anthropic.fake.calls(COUNT)] == [400, 200]
    await anthropic.ask(betas=betas)
    assert anthropic.calls[0].headers["anthropic-beta"] == betas[0]
