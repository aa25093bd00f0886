"""Edits of passed requests and answers of Anthropic Messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.dialects.anthropic.edits import Own, pass_through
from gateway.dialects.anthropic.outbound_thinking import Thinking
from tests.conformance.editing import (
    CLAUDES,
    GEMINIS,
    MESSAGES,
    OF_CLAUDE,
    SAID,
    UNSIGNED,
    USER,
    WORDS,
    Json,
    data_of,
    messages,
    result,
    text,
    thought,
    turn,
    use,
)
from tests.conformance.passed_bodies import JSON, STREAMS, WHOLES
from tests.conformance.raw import passing

pytestmark = pytest.mark.anyio
RULE: Json = {"role": "system", "content": "a rule"}
ADDED: Json = {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "f"}}
REFERENCE: Json = {"type": "tool_reference", "tool_name": "WebSearch"}
RULES: Json = {"role": "system", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]}
EFFORTFUL = Thinking(max_tokens=100, config={"type": "adaptive", "display": "summarized"}, effort="low")
BUDGETED = Thinking(max_tokens=100, config={"type": "enabled", "budget_tokens": 2000})
EVERY_WAY = {"adaptive", "budget", "stopping", "effort", "effort_value", "limit", "system_turns", "strictness"}
THINKS = {"type": "enabled", "budget_tokens": 2000}
DRAWN = MESSAGES | {"temperature": 0.3, "top_k": 5}


@pytest.mark.parametrize(
    ("body", "target", "fields", "edits", "changed"),
    [
        (MESSAGES, Own(model="n"), {}, ["model"], {"model": "n"}),
        # B16, pitfall 19
        (
            MESSAGES | {"max_tokens": 4000, "thinking": THINKS, "tool_choice": {"type": "tool", "name": "f"}},
            None,
            {},
            ["unforced"],
            {"tool_choice": {"type": "auto"}},
        ),
        (
            MESSAGES
            | {
                "max_tokens": 4000,
                "thinking": THINKS,
                "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
            },
            None,
            {},
            ["unforced"],
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        (MESSAGES | {"tool_choice": {"type": "any"}}, None, {}, [], {}),
        (
            MESSAGES | {"tool_choice": {"type": "tool", "name": "f"}},
            Own(model="m", forced=False),
            {},
            ["unforced"],
            {"tool_choice": {"type": "auto"}},
        ),
        (MESSAGES | {"thinking": {"type": "adaptive"}, "tool_choice": {"type": "any"}}, None, {}, [], {}),
        # translate.thinking_conflict
        (
            MESSAGES | {"max_tokens": 2000, "thinking": THINKS},
            None,
            {},
            ["budget"],
            {"thinking": {"type": "enabled", "budget_tokens": 1999}},
        ),
        (MESSAGES | {"max_tokens": 1000, "thinking": THINKS}, None, {}, ["budget"], {"thinking": None}),
        (
            MESSAGES | {"max_tokens": 2000, "thinking": THINKS},
            Own(model="m", thinking_conflict="drop"),
            {},
            ["budget"],
            {"thinking": None},
        ),
        (
            MESSAGES | {"max_tokens": 2000, "thinking": THINKS},
            Own(model="m", thinking_conflict="raise"),
            {},
            ["budget"],
            {"max_tokens": 10192},
        ),
        (
            MESSAGES | {"max_tokens": 2000, "thinking": {"type": "later", "budget_tokens": 2000}},
            None,
            {},
            [],
            {},
        ),
        (
            MESSAGES | {"max_tokens": 2000, "thinking": THINKS},
            None,
            {"betas": ("interleaved-thinking-2025-05-14",)},
            [],
            {},
        ),
        # max_tokens and [defaults]
        (
            {"model": "m", "messages": [USER]},
            Own(model="m", max_output=50),
            {"sampling": ir.Sampling(max_tokens=8192, temperature=1.5, top_p=0.5, top_k=3)},
            ["defaults"],
            {"max_tokens": 50, "temperature": 1, "top_p": 0.5, "top_k": 3},
        ),
        (MESSAGES, Own(model="m", sampling=False), {"sampling": ir.Sampling(temperature=0.5)}, [], {}),
        *(  # one of two: none is filled in beside what the caller says
            (
                MESSAGES | given,
                Own(model="m", both_samplings=False),
                {"sampling": ir.Sampling(temperature=0.7, top_p=0.5)},
                ["defaults"] if filled else [],
                filled,
            )
            for given, filled in (({}, {"temperature": 0.7}), ({"temperature": 0.7}, {}), ({"top_p": 0.5}, {}))
        ),
        (
            MESSAGES | {"top_p": 0.5},
            Own(model="m", refused={"both"}),
            {"sampling": ir.Sampling(temperature=0.7, top_p=0.5), "filled": frozenset({"temperature"})},
            ["defaults", "refused"],
            {},
        ),
        (MESSAGES | {"temperature": 0.3}, Own(model="m", refused={"drawing"}), {}, ["refused"], {"temperature": None}),
        (
            MESSAGES | {"temperature": 0.3, "top_p": 0.5},
            Own(model="m", refused={"both"}),
            {},
            ["refused"],
            {"top_p": None},
        ),
        (MESSAGES | {"top_p": 0.5}, Own(model="m", refused={"both"}), {}, [], {}),
        # 15: Claude, and what else has refused it
        *(
            (
                DRAWN | {"model": own.model, "max_tokens": 3000, "thinking": thinking, "top_p": 0.97},
                own,
                {},
                ["drawing"],
                {"temperature": None, "top_k": None},
            )
            for thinking in (THINKS, {"type": "adaptive"})
            for own in (Own(model="claude-sonnet-4-6"), Own(model="m", refused={"drawing_thinking"}))
        ),
        (DRAWN | {"max_tokens": 3000, "thinking": THINKS}, Own(model="m"), {}, [], {}),
        (
            DRAWN | {"model": "claude-sonnet-4-6", "thinking": {"type": "disabled"}},
            Own(model="claude-sonnet-4-6"),
            {},
            [],
            {},
        ),
        (DRAWN | {"top_p": 0.5}, Own(model="m", refused={"drawing_thinking"}), {}, [], {}),
        # what another model behind the name has refused
        (MESSAGES, Own(model="m", refused=EVERY_WAY, thinking=EFFORTFUL, max_output=100), {}, [], {}),
        (MESSAGES, Own(model="m", refused={"limit"}, max_output=50), {}, ["refused"], {"max_tokens": 50}),
        (
            MESSAGES | {"max_tokens": 4000, "thinking": THINKS, "output_config": {"format": {"type": "json_schema"}}},
            Own(model="m", refused={"budget"}, thinking=EFFORTFUL),
            {},
            ["refused"],
            {
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"format": {"type": "json_schema"}, "effort": "low"},
            },
        ),
        (
            MESSAGES | {"max_tokens": 4000, "thinking": THINKS, "output_config": {"effort": "max"}},
            Own(model="m", refused={"budget", "effort_value"}, thinking=EFFORTFUL),
            {},
            ["refused"],
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high"}},
        ),
        (
            MESSAGES | {"output_config": {"effort": "high"}},
            Own(model="m", refused={"effort_value"}, efforts=("medium",)),
            {},
            ["refused"],
            {"output_config": {"effort": "medium"}},
        ),
        (
            MESSAGES | {"output_config": {"effort": "low"}},
            Own(model="m", refused={"effort_value"}, efforts=("low", "high")),
            {},
            [],
            {},
        ),
        (
            MESSAGES | {"max_tokens": 4000, "thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
            Own(model="m", refused={"adaptive", "effort"}, thinking=BUDGETED),
            {},
            ["refused"],
            {"thinking": BUDGETED.config, "output_config": None},
        ),
        (
            MESSAGES | {"output_config": {"effort": "max"}, "messages": [USER, RULE | {"output_config": {}}]},
            Own(model="m", refused={"output_config"}),
            {},
            ["refused"],
            {"output_config": None},
        ),
        (
            MESSAGES | {"output_config": {"effort": "max"}, "messages": [USER, RULE | {"output_config": {}}]},
            Own(model="m", refused={"turn_config"}),
            {},
            ["refused"],
            {"messages": [USER, RULE]},
        ),
        (
            MESSAGES | {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
            Own(model="m", refused={"adaptive"}, thinking=Thinking(max_tokens=100)),
            {},
            ["refused"],
            {"thinking": None},
        ),
        (
            MESSAGES | {"thinking": {"type": "disabled"}},
            Own(model="m", refused={"stopping"}, thinking=EFFORTFUL),
            {},
            ["refused"],
            {"thinking": EFFORTFUL.config, "output_config": {"effort": "low"}},
        ),
        (
            MESSAGES | {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
            Own(model="m", refused={"between"}, thinking=Thinking(max_tokens=100, config={"type": "between_tools"})),
            {},
            ["refused"],
            {"thinking": {"type": "between_tools"}},
        ),
        (
            MESSAGES | {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
            Own(model="m", refused={"idle_effort"}),
            {},
            ["refused"],
            {"output_config": None},
        ),
        (
            MESSAGES | {"thinking": {"type": "adaptive", "block_binding": {}}, "fallbacks": "default"},
            Own(
                model="m",
                refused={"unknown"},
                unknown=(("thinking", "adaptive", "block_binding"), ("fallbacks",)),
            ),
            {},
            ["refused"],
            {"thinking": {"type": "adaptive"}, "fallbacks": None},
        ),
        (
            MESSAGES | {"thinking": {"type": "disabled"}},
            Own(model="m", refused={"budget", "adaptive"}, thinking=EFFORTFUL),
            {},
            [],
            {},
        ),
        (
            MESSAGES | {"tools": [{"name": "f", "strict": True}, {"name": "g"}]},
            Own(model="m", refused={"strictness"}),
            {},
            ["refused"],
            {"tools": [{"name": "f"}, {"name": "g"}]},
        ),
        (
            MESSAGES | {"tools": [{"name": "f", "input_schema": {"pattern": "\\p{Cc}"}}, {"name": "g"}]},
            Own(model="m", refused={"patterns"}),
            {},
            ["refused"],
            {"tools": [{"name": "f", "input_schema": {"description": "(pattern: \\p{Cc})"}}, {"name": "g"}]},
        ),
        (
            MESSAGES | {"tools": [{"name": "f", "input_schema": {"type": "object", "anyOf": [{}]}}, {"name": "g"}]},
            Own(model="m", refused={"plain_schemas"}),
            {},
            ["refused"],
            {"tools": [{"name": "f", "input_schema": {"properties": {}, "type": "object"}}, {"name": "g"}]},
        ),
        (
            MESSAGES | {"tools": [{"name": "f", "type": "custom"}, {"name": "s", "type": "web_search_20250305"}]},
            Own(model="m", refused={"typed_tools"}),
            {},
            ["refused"],
            {"tools": [{"name": "f"}, {"name": "s", "type": "web_search_20250305"}]},
        ),
        (
            MESSAGES | {"messages": [USER, turn("assistant", use()), turn("user", result(content=[REFERENCE, WORDS]))]},
            Own(model="m", refused={"references"}),
            {},
            ["refused"],
            {
                "messages": [
                    USER,
                    turn("assistant", use()),
                    turn("user", result(content=[text("WebSearch"), WORDS])),
                ]
            },
        ),
        (
            MESSAGES
            | {
                "context_management": {"edits": []},
                "tools": [{"name": "f", "input_examples": [{}], "input_schema": {"input_examples": {}}}, {"name": "g"}],
                "system": [{"type": "text", "text": "be", "cache_control": {"type": "ephemeral", "scope": "global"}}],
            },
            Own(
                model="m",
                refused={"unknown"},
                unknown=(
                    ("context_management",),
                    ("tools", "custom", "input_examples"),
                    ("system", "cache_control", "ephemeral", "scope"),
                    ("speed",),
                ),
            ),
            {},
            ["refused"],
            {
                "context_management": None,
                "tools": [{"name": "f", "input_schema": {"input_examples": {}}}, {"name": "g"}],
                "system": [{"type": "text", "text": "be", "cache_control": {"type": "ephemeral"}}],
            },
        ),
        (
            MESSAGES | {"tools": [{"name": "f", "input_schema": {"pattern": "^a"}}, {"name": "g"}]},
            Own(model="m", refused={"patterns"}),
            {},
            [],
            {},
        ),
        (
            MESSAGES | {"system": "be", "messages": [USER, RULE, SAID, RULES, USER]},
            Own(model="m", refused={"system_turns"}),
            {},
            ["refused"],
            {
                "system": [{"type": "text", "text": "be"}, {"type": "text", "text": "a rule"}],
                "messages": [
                    USER,
                    SAID,
                    {"role": "user", "content": "<system-reminder>\nb\nc\n</system-reminder>"},
                    USER,
                ],
            },
        ),
        *(
            (MESSAGES | {"messages": [*before, {"role": "system", "content": [ADDED]}]}, way, {}, [], {})
            for way in [Own(model="m", refused={"system_turns"})]
            for before in ([USER], [USER, SAID])
        ),
        # 13: ahead of the conversation Anthropic takes no instructions as a message
        (
            MESSAGES | {"system": "be", "messages": [RULE, RULES, USER, SAID, RULE]},
            None,
            {},
            ["head"],
            {
                "system": [text("be"), text("a rule"), text("b"), text("c")],
                "messages": [USER, SAID, RULE],
            },
        ),
        (
            MESSAGES | {"messages": [{"role": "system", "content": ""}, USER]},
            None,
            {},
            ["head"],
            {"messages": [USER]},
        ),
        (MESSAGES | {"messages": [RULE]}, None, {}, [], {}),
        (MESSAGES | {"messages": [RULE | {"output_config": {"effort": "low"}}, USER]}, None, {}, [], {}),
    ],
)
def test_an_edit_of_a_messages_request(body: Json, target: Any, fields: Any, edits: list[str], changed: Json) -> None:
    written, names, _ = messages(body, target, **fields)
    assert (written, names) == ({one: value for one, value in (body | changed).items() if value is not None}, edits)


@pytest.mark.parametrize(
    ("said", "asked", "kept"),
    [
        ([USER, turn("assistant", thought(GEMINIS), use()), turn("user", result())], THINKS, False),
        ([USER, turn("assistant", thought(GEMINIS), use()), turn("user", result(), WORDS)], THINKS, False),
        ([USER, turn("assistant", UNSIGNED, use()), turn("user", result())], THINKS, False),
        ([USER, turn("assistant", thought(CLAUDES), use()), turn("user", result())], THINKS, True),
        ([USER, turn("assistant", thought(GEMINIS), use()), turn("user", result()), SAID, USER], THINKS, True),
        ([USER, turn("assistant", thought(GEMINIS), use()), turn("user", result())], {"type": "adaptive"}, True),
        ([USER, turn("assistant", use()), turn("user", result())], THINKS, True),  # the caller's own doing
    ],
)
def test_claude_does_not_think_where_the_thoughts_of_a_tool_loop_are_gone(
    said: list[Json], asked: Json, kept: bool
) -> None:
    """Pitfall 23: another family has thought them."""
    body = OF_CLAUDE | {"max_tokens": 3000, "thinking": asked, "messages": said}
    written, _, losses = messages(body, model=body["model"])
    assert written.get("thinking") == (asked if kept else None)
    assert ("thinking" in losses) is not kept


@pytest.mark.parametrize("unsigned", [UNSIGNED, UNSIGNED | {"signature": ""}])
def test_a_thought_that_nobody_signs_stays_with_another_model_until_that_refuses_it(unsigned: Json) -> None:
    body = MESSAGES | {"max_tokens": 3000, "thinking": THINKS}
    body["messages"] = [USER, turn("assistant", unsigned, use()), turn("user", result())]
    assert messages(body) == (body, [], [])
    written, names, _ = messages(body, Own(model="m", refused={"signatures"}))
    assert (written["messages"][1]["content"], names) == ([use()], ["own"])


def test_a_search_that_this_gateway_has_told_of_is_taken_out() -> None:
    found = {"type": "web_search_result", "url": "https://a.example", "title": "a", "encrypted_content": ""}
    blocks = [
        WORDS
        | {"citations": [{"type": "web_search_result_location", "encrypted_index": "", "url": "https://a.example"}]},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [found]},
    ]
    written, names, losses = messages(MESSAGES | {"messages": [turn("assistant", *blocks), USER]})
    assert (written["messages"][0]["content"], names, len(losses)) == ([WORDS], ["own"], 3)
    blocks[2]["content"][0]["encrypted_content"] = "EpQ="  # Anthropic's own
    assert messages(MESSAGES | {"messages": [turn("assistant", *blocks[1:]), USER]})[1] == []


@pytest.mark.parametrize(("value", "severity"), [(1, "hint"), (1.0, "hint"), (0.5, "change")])
def test_nothing_is_lost_with_a_default_that_a_model_refuses(value: float, severity: str) -> None:
    body = Raw(json.dumps(MESSAGES | {"temperature": 0.3, "top_p": value}).encode())
    written = pass_through(ir.Request(model="m", turns=()), body, Own(model="m", refused={"both"}))
    assert [(loss.path, loss.severity) for loss in written.losses] == [("top_p", severity)]


def test_a_top_p_stays_beside_the_temperature_that_a_model_has_anyway() -> None:
    body = Raw(json.dumps(MESSAGES | {"temperature": 1, "top_p": 0.9}).encode())
    written = pass_through(ir.Request(model="m", turns=()), body, Own(model="m", refused={"both"}))
    assert written.native is not None
    assert {"temperature", "top_p"} & json.loads(bytes(written.native)).keys() == {"top_p"}
    assert [(loss.path, loss.severity) for loss in written.losses] == [("temperature", "hint")]


@pytest.mark.parametrize(
    ("later", "severity"), [({}, "hint"), ({"content": "y"}, "change"), ({"is_error": True}, "change")]
)
@pytest.mark.parametrize("apart", [False, True])
def test_nothing_is_lost_with_a_result_that_came_twice(later: Json, severity: str, apart: bool) -> None:
    results = [result(), result(**later)]
    given = [turn("user", one) for one in results] if apart else [turn("user", *results)]
    asked = MESSAGES | {"messages": [USER, turn("assistant", use()), *given]}
    written = pass_through(ir.Request(model="m", turns=()), Raw(json.dumps(asked).encode()), Own(model="m"))
    assert written.native is not None
    assert json.loads(bytes(written.native))["messages"][2:] == [turn("user", results[1])]
    assert [loss.severity for loss in written.losses] == [severity]


async def test_max_tokens_is_filled_in_for_anthropic(tmp_path: Path) -> None:
    async with passing("anthropic", tmp_path) as same:
        same.raw.says(WHOLES["anthropic"], kind=JSON)
        await same.post(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')
        await same.post(b'{"model":"m","messages":[{"role":"user","content":[{"type":"hologram"}]}]}')
    assert [json.loads(one.body)["max_tokens"] for one in same.raw.asked] == [8192, 8192]


async def test_a_message_has_the_callers_name_of_the_model(tmp_path: Path) -> None:
    async with passing("anthropic", tmp_path, models={"alias": {"mine": "up/m"}}) as same:
        same.raw.says(*STREAMS["anthropic"])
        response = await same.post(json.dumps(MESSAGES | {"model": "mine", "stream": True}).encode())
    data = b"".join(STREAMS["anthropic"])
    start, _, rest = data.partition(b"event: ping")
    assert response.content.endswith(b"event: ping" + rest)
    began = json.loads(data_of(response.content)[0])
    assert began == json.loads(data_of(start)[0]) | {
        "message": json.loads(data_of(start)[0])["message"] | {"model": "mine"}
    }
