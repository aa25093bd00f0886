"""What a script makes the fake of the Anthropic API answer, as a whole and as a stream."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from tests.fakes.anthropic_api import MESSAGES
from tests.fakes_tests.anthropic_api_bodies import (
    FIVE,
    FOUR_6,
    PATH,
    SEARCH,
    THINKING,
    TOOL,
    AnthropicClient,
    asking,
    events_of,
    result,
    said,
    user,
    words,
)

pytestmark = pytest.mark.anyio

ADAPTIVE = {"type": "adaptive"}


def deltas(events: list[dict[str, Any]], index: int) -> list[dict[str, Any]]:
    return [event["delta"] for event in events if event["type"] == "content_block_delta" and event["index"] == index]


def blocks(answer: Any) -> list[str]:
    return [block["type"] for block in answer["content"]]


async def test_text_is_echoed(anthropic: AnthropicClient) -> None:
    _, answer = await anthropic.ask("hello")
    assert answer["content"] == [{"type": "text", "text": "hello"}]
    assert (answer["type"], answer["role"], answer["stop_reason"], answer["stop_sequence"]) == (
        "message",
        "assistant",
        "end_turn",
        None,
    )


async def test_the_events_of_a_text(anthropic: AnthropicClient) -> None:
    events = await anthropic.events("!say a text of chunks")
    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    start, block = events[0]["message"], events[1]
    assert (start["content"], start["stop_reason"], start["usage"]["output_tokens"]) == ([], None, 1)
    assert block == {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    assert "".join(delta["text"] for delta in deltas(events, 0)) == "a text of chunks"
    assert events[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert events[-2]["usage"]["output_tokens"] == 4
    assert events[-2]["usage"]["input_tokens"] == start["usage"]["input_tokens"] > 0


async def test_a_thought_ends_with_its_signature(anthropic: AnthropicClient) -> None:
    events = await anthropic.events("!think I wonder why\n!say a", thinking=THINKING)
    assert events[1]["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}
    *thoughts, signed = deltas(events, 0)
    assert "".join(one["thinking"] for one in thoughts) == "I wonder why"
    assert anthropic.fake.seals.holds("thinking", "I wonder why", signed["signature"])
    assert events[-2]["usage"]["output_tokens_details"] == {"thinking_tokens": 3}


async def test_without_thinking_there_is_no_thought(anthropic: AnthropicClient) -> None:
    assert blocks((await anthropic.ask("!think hm\n!say a"))[1]) == ["text"]


@pytest.mark.parametrize(
    ("model", "display", "shown"),
    [(FOUR_6, None, "hm"), (FOUR_6, "omitted", ""), (FIVE, None, ""), (FIVE, "summarized", "hm")],
)
async def test_thoughts_are_shown_as_asked_or_as_usual(
    anthropic: AnthropicClient, model: str, display: str | None, shown: str
) -> None:
    thinking = ADAPTIVE | ({"display": display} if display else {})
    _, answer = await anthropic.ask("!think hm\n!say a", model=model, thinking=thinking)
    assert answer["content"][0]["thinking"] == shown
    assert answer["content"][0]["signature"]
    events = await anthropic.events("!think hm\n!say a", model=model, thinking=thinking)
    assert [delta["type"] for delta in deltas(events, 0)][-1] == "signature_delta"


async def test_a_redacted_thought_comes_whole(anthropic: AnthropicClient) -> None:
    events = await anthropic.events("!redacted hm\n!say a", thinking=THINKING)
    assert events[1]["content_block"]["type"] == "redacted_thinking"
    assert events[1]["content_block"]["data"]
    assert deltas(events, 0) == []


async def test_calls_come_in_pieces_of_json(anthropic: AnthropicClient) -> None:
    events = await anthropic.events('!tool f {"q": "a longer argument"}\n!tool f {}', tools=[TOOL])
    assert events[1]["content_block"].keys() == {"type", "id", "name", "input", "caller"}
    assert events[1]["content_block"]["input"] == {}
    pieces = [delta["partial_json"] for delta in deltas(events, 0)]
    assert (pieces[0], json.loads("".join(pieces))) == ("", {"q": "a longer argument"})
    assert len(pieces) > 2
    assert [delta["partial_json"] for delta in deltas(events, 1)] == ["", "{}"]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


async def test_calls_have_ids_of_their_own(anthropic: AnthropicClient) -> None:
    answers = [(await anthropic.ask("!tool f {}\n!tool f {}", tools=[TOOL]))[1] for _ in range(2)]
    ids = {block["id"] for answer in answers for block in answer["content"]}
    assert len(ids) == 4
    assert all(one.startswith("toolu_01") for one in ids)


async def test_results_lead_to_the_next_step(anthropic: AnthropicClient) -> None:
    first = user("!tool f {}\n!then\n!say after")
    _, one = await anthropic.ask(first, tools=[TOOL])
    talk = [first, said(*one["content"]), result(one["content"][0]["id"])]
    _, two = await anthropic.ask(*talk, tools=[TOOL])
    assert two["content"] == [{"type": "text", "text": "after"}]


async def test_beyond_the_last_step_results_are_told(anthropic: AnthropicClient) -> None:
    _, one = await anthropic.ask("!tool f {}", tools=[TOOL])
    call = one["content"][0]["id"]
    talk = [user("!tool f {}"), said(*one["content"]), result(call, content=[{"type": "text", "text": '{"a": 1}'}])]
    _, two = await anthropic.ask(*talk, tools=[TOOL])
    assert two["content"][0]["text"] == '[{"a": 1}]'


async def test_the_system_directs_nothing(anthropic: AnthropicClient) -> None:
    talk = [user("!say a"), {"role": "system", "content": "!say b"}]
    assert (await anthropic.ask(*talk, model=FIVE))[1]["content"][0]["text"] == "a"


async def test_reminders_of_clients_direct_nothing(anthropic: AnthropicClient) -> None:
    texts = [{"type": "text", "text": one} for one in ("!say a", "<system-reminder>\n!say b\n</system-reminder>")]
    assert (await anthropic.ask(user(texts)))[1]["content"][0]["text"] == "a"


async def test_a_pushed_directive_answers_whatever_is_asked(anthropic: AnthropicClient) -> None:
    anthropic.fake.script.push("!say pushed", "!say again")
    answers = [(await anthropic.ask("hi"))[1]["content"][0]["text"] for _ in range(3)]
    assert answers == ["pushed", "again", "hi"]


async def test_a_search_is_called_answered_and_cited(anthropic: AnthropicClient) -> None:
    _, answer = await anthropic.ask("!search cats", tools=[SEARCH])
    assert blocks(answer) == ["server_tool_use", "web_search_tool_result", "text"]
    call, found, text = answer["content"]
    assert found["tool_use_id"] == call["id"]
    assert text["citations"][0]["url"] == found["content"][0]["url"]
    assert answer["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}


async def test_citations_come_as_deltas(anthropic: AnthropicClient) -> None:
    events = await anthropic.events("!search cats", tools=[SEARCH])
    assert [delta["type"] for delta in deltas(events, 0)] == ["input_json_delta"] * 3
    assert deltas(events, 1) == []
    assert [delta["type"] for delta in deltas(events, 2)] == ["citations_delta", "text_delta", "text_delta"]


async def test_a_block_as_it_is(anthropic: AnthropicClient) -> None:
    block = {"type": "container_upload", "file_id": "file_1"}
    assert (await anthropic.ask(f"!block {json.dumps(block)}"))[1]["content"] == [block]


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("max_tokens", "max_tokens"),
        ("MAX_TOKENS", "max_tokens"),
        ("pause_turn", "pause_turn"),
        ("model_context_window_exceeded", "model_context_window_exceeded"),
        ("", None),
    ],
)
async def test_other_ends(anthropic: AnthropicClient, finish: str, reason: str | None) -> None:
    assert (await anthropic.ask(f"!say a\n!finish {finish}"))[1]["stop_reason"] == reason
    events = await anthropic.events(f"!say a\n!finish {finish}")
    assert events[-2]["delta"]["stop_reason"] == reason


async def test_a_refusal_has_details(anthropic: AnthropicClient) -> None:
    _, answer = await anthropic.ask("!say no\n!finish refusal")
    assert (answer["stop_reason"], answer["stop_details"]["type"]) == ("refusal", "refusal")
    events = await anthropic.events("!say no\n!finish refusal")
    assert events[-2]["delta"]["stop_details"] == answer["stop_details"]


async def test_a_stop_sequence_ends_the_text(anthropic: AnthropicClient) -> None:
    _, answer = await anthropic.ask("!say one STOP two END\n!say three", stop_sequences=["END", "STOP"])
    assert answer["content"] == [{"type": "text", "text": "one "}]
    assert (answer["stop_reason"], answer["stop_sequence"]) == ("stop_sequence", "STOP")


async def test_a_stop_sequence_that_is_only_said_to_have_come(anthropic: AnthropicClient) -> None:
    _, answer = await anthropic.ask("!say a\n!finish stop_sequence", stop_sequences=["END"])
    assert (answer["stop_reason"], answer["stop_sequence"]) == ("stop_sequence", "END")


async def test_a_call_at_the_limit_is_not_finished(anthropic: AnthropicClient) -> None:
    said = '!tool f {"q": "a longer argument"}\n!finish max_tokens'
    events = await anthropic.events(said, tools=[TOOL])
    with pytest.raises(json.JSONDecodeError):
        json.loads("".join(delta["partial_json"] for delta in deltas(events, 0)))
    assert (await anthropic.ask(said, tools=[TOOL]))[1]["content"][0]["input"] == {}


async def test_no_output_is_asked_for(anthropic: AnthropicClient) -> None:
    _, answer = await anthropic.ask(max_tokens=0)
    assert (answer["content"], answer["stop_reason"], answer["usage"]["output_tokens"]) == ([], "max_tokens", 0)


async def test_counts_of_one_s_own(anthropic: AnthropicClient) -> None:
    usage = {"input_tokens": 7, "cache_read_input_tokens": 80, "cache_creation_input_tokens": 9, "output_tokens": 3}
    _, answer = await anthropic.ask(f"!say a\n!usage {json.dumps(usage)}")
    assert answer["usage"].items() >= usage.items()
    events = await anthropic.events(f"!say a\n!usage {json.dumps(usage)}")
    assert events[0]["message"]["usage"].items() >= (usage | {"output_tokens": 1}).items()
    assert events[-2]["usage"].items() >= usage.items()


# ends that are none


async def test_an_error_within_the_stream_ends_it(anthropic: AnthropicClient) -> None:
    events = await anthropic.events("!say a text of chunks\n!midway 529_overloaded")
    assert [event["type"] for event in events[-2:]] == ["content_block_stop", "error"]
    assert events[-1]["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    assert events[-1]["request_id"] == anthropic.headers["request-id"]


async def test_an_error_after_so_many_events(anthropic: AnthropicClient) -> None:
    events = await anthropic.events("!say a text of chunks\n!midway 500_internal 0")
    assert [event["type"] for event in events] == ["error"]


async def test_an_error_within_an_answer_that_is_no_stream(anthropic: AnthropicClient) -> None:
    assert words(await anthropic.ask("!midway 529_overloaded"), 529, "overloaded_error") == "Overloaded"


async def test_events_as_they_are(anthropic: AnthropicClient) -> None:
    events = await anthropic.events('!chunk {"type": "message_start"}\n!chunk {"type": "foo", "x": 1}')
    assert events == [{"type": "message_start"}, {"type": "foo", "x": 1}]


async def test_bytes_as_they_are(anthropic: AnthropicClient) -> None:
    sent = asking("!raw event: x\\r\\n\n!raw data: \\xff\\n\\n", stream=True)
    assert await anthropic.read(PATH, sent) == (200, b"event: x\r\ndata: \xff\n\n")
    assert await anthropic.read(PATH, asking("!raw {not json")) == (200, b"{not json")


async def test_separators_of_lines_are_not_escaped(anthropic: AnthropicClient) -> None:
    _, data = await anthropic.read(PATH, asking('!chunk {"type": "x", "y": "\\u2028"}', stream=True))
    assert "\u2028" in data.decode()


async def test_a_cut_stream_has_no_end(anthropic: AnthropicClient) -> None:
    events = await anthropic.events("!say a text of chunks\n!cut 4")
    assert [event["type"] for event in events][-1] == "content_block_delta"


@pytest.mark.parametrize("directive", ["!drop 3", "!fin 3"])
async def test_a_stream_that_breaks_off(anthropic: AnthropicClient, directive: str) -> None:
    with pytest.raises(aiohttp.ClientError):
        await anthropic.events(f"!say a text of chunks\n{directive}")


async def test_a_stalled_stream_says_nothing(anthropic: AnthropicClient) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await anthropic.events("!stall 60")
    await anthropic.fake.wait_closed()


async def test_a_stream_goes_on_when_it_is_acknowledged(anthropic: AnthropicClient) -> None:
    asked = asyncio.ensure_future(anthropic.read(PATH, asking("!say a\n!acked", stream=True)))
    await anthropic.fake.wait_for(MESSAGES)
    assert not asked.done()
    anthropic.fake.ack(20)
    assert events_of((await asked)[1])[-1]["type"] == "message_stop"


async def test_an_answer_byte_by_byte_and_compressed(anthropic: AnthropicClient) -> None:
    _, data = await anthropic.read(PATH, asking("!say a\n!bytes 7\n!gzip", stream=True))
    assert events_of(data)[-1]["type"] == "message_stop"
    assert anthropic.headers["content-encoding"] == "gzip"


async def test_a_directive_of_other_services_is_a_text(anthropic: AnthropicClient) -> None:
    assert (await anthropic.ask("!slow 0.001\n!image"))[1]["content"][0]["text"] == "!image"


async def test_a_directive_that_cannot_be_followed(anthropic: AnthropicClient) -> None:
    status, answer = await anthropic.ask("!block {")
    assert (status, answer["error"]["message"][:25]) == (400, "fake: cannot follow '!blo")
