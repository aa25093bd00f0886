"""Kimi's ids of calls, in a conversation that is written for it in any dialect: one rule for all of them.

MoonshotAI, guidance for tool calls of Kimi K2: functions.NAME:NUMBER, counted through the conversation.
"""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Raw
from msgspec.json import decode, encode

from gateway import ir
from gateway.dialects.anthropic.outbound_request import write_request as to_anthropic
from gateway.dialects.anthropic.outbound_target import AnthropicTarget
from gateway.dialects.openai_chat.outbound_request import write_request as to_chat
from gateway.dialects.openai_responses.outbound_request import write_request as to_responses
from gateway.dialects.outbound import Demand, OpenAITarget
from gateway.dialects.renaming import recounted

Json = dict[str, Any]

KIMI = "kimi-k2.5"
LONG = "mcp__a_server_with_a_long_name__and_a_tool"


def conversation(*ids: str, name: str = "f") -> ir.Request:
    """Let each call be answered before the next."""
    turns = [ir.Turn(role="user", parts=(ir.Text(text="go"),))]
    for one in ids:
        turns += [
            ir.Turn(role="assistant", parts=(ir.ToolCall(id=one, name=name, arguments=Raw(b"{}")),)),
            ir.Turn(role="user", parts=(ir.ToolResult(id=one, parts=(ir.Text(text="1"),)),)),
        ]
    return ir.Request(model=KIMI, turns=tuple(turns))


def in_chat(request: ir.Request, *demands: Demand) -> list[str]:
    target = OpenAITarget(model=KIMI, demands=("numbered ids", *demands))
    messages: list[Json] = decode(encode(to_chat(request, target).body))["messages"]
    return [one["tool_calls"][0]["id"] if "tool_calls" in one else one["tool_call_id"] for one in messages[1:]]


def in_responses(request: ir.Request) -> list[str]:
    target = OpenAITarget(model=KIMI, demands=("numbered ids",))
    items: list[Json] = decode(encode(to_responses(request, target).body))["input"]
    return [one["call_id"] for one in items[1:]]


def in_messages(request: ir.Request) -> list[str]:
    messages: list[Json] = decode(encode(to_anthropic(request, AnthropicTarget(model=KIMI, counted=True)).body))[
        "messages"
    ]
    blocks = [one["content"][0] for one in messages[1:]]
    return [block.get("id") or block["tool_use_id"] for block in blocks]


@pytest.mark.parametrize("ids_of", [in_chat, in_responses, in_messages])
@pytest.mark.parametrize(
    ("given", "written"),
    [
        (("toolu_1", "call_2"), ("functions.f:0", "functions.f:1")),
        (("functions.f:3", "toolu_1"), ("functions.f:0", "functions.f:1")),
        (("functions.f:3", "functions.f:4"), ("functions.f:3", "functions.f:4")),
        ((), ()),
    ],
)
def test_calls_are_counted_unless_all_ids_are_kimis_own(
    ids_of: Callable[[ir.Request], list[str]], given: tuple[str, ...], written: tuple[str, ...]
) -> None:
    assert ids_of(conversation(*given)) == [one for one in written for _ in ("call", "result")]


@pytest.mark.parametrize("ids_of", [in_chat, in_responses, in_messages])
def test_a_long_name_is_not_cut_in_an_id(ids_of: Callable[[ir.Request], list[str]]) -> None:
    own = f"functions.{LONG}:7"
    assert ids_of(conversation("toolu_1", name=LONG)) == [f"functions.{LONG}:0"] * 2
    assert ids_of(conversation(own, name=LONG)) == [own] * 2


def test_what_a_server_refuses_of_them_comes_last() -> None:
    call, result = in_chat(conversation("toolu_1"), "plain ids")
    assert (len(call), call.isalnum(), result) == (9, True, call)


def test_mistrals_demands_are_met_with_those_of_its_server() -> None:
    """An instruction behind a result becomes the user's words first, and then the model answers before them."""
    request = conversation("toolu_1")
    later = ir.Turn(role="system", parts=(ir.Text(text="Be brief."),))
    rules = (ir.Text(text="Rules."),)
    request = ir.Request(model="m", turns=(*request.turns, later), system=rules)
    target = OpenAITarget(model="mistral-large-latest", demands=("leading system",))
    answer = to_chat(request, target)
    messages: list[Json] = decode(encode(answer.body))["messages"]
    assert [one["role"] for one in messages] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert "Be brief." in messages[-1]["content"]
    assert len(messages[2]["tool_calls"][0]["id"]) == 9
    assert messages[2]["tool_calls"][0]["id"] == messages[3]["tool_call_id"]
    assert [loss.path for loss in answer.losses] == ["messages"]


def test_results_for_calls_of_one_id_are_in_the_order_of_the_calls() -> None:
    ids = recounted(["a", "a", "a"])
    assert ids is not None
    asked = [ids.call("a", "f"), ids.call("a", "g")]
    assert [ids.result("a"), ids.result("a")] == asked == ["functions.f:0", "functions.g:1"]
    assert (ids.call("a", "h"), ids.result("a"), ids.result("gone")) == ("functions.h:2", "functions.h:2", "gone")
