"""What the fake of the Anthropic API refuses of a body that is well shaped; each case is one rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes_tests.anthropic_api_bodies import (
    FIVE,
    FOUR_6,
    OBJECT,
    PDF,
    PICTURE,
    THINKING,
    TOOL,
    AnthropicClient,
    asking,
    called,
    document,
    result,
    said,
    user,
)

pytestmark = pytest.mark.anyio

FOUR_7, FOUR_8, FABLE, HAIKU = "claude-opus-4-7", "claude-opus-4-8", "claude-fable-5", "claude-haiku-4-5"
MARK = {"type": "ephemeral"}
LONG = {"type": "ephemeral", "ttl": "1h"}
ADAPTIVE = {"type": "adaptive"}
OFF = {"type": "disabled"}
CLOSED = {**OBJECT, "additionalProperties": False}
UNANSWERED = (
    "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block "
    "must have a corresponding `tool_result` block in the next message."
)
UNEXPECTED = "messages.{}: unexpected `tool_use_id` found in `tool_result` blocks: {}. Each `tool_result` block must"
CONSIDER = (
    "Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking"
    "#important-considerations-when-using-extended-thinking"
)


def text(words: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **fields}


def marked(count: int) -> list[dict[str, Any]]:
    return [text("x", cache_control=MARK)] * count


def system(words: str) -> dict[str, Any]:
    return {"role": "system", "content": words}


def searched(
    *, call: str = "srvtoolu_1", of: str = "srvtoolu_1", kind: str = "web_fetch_tool_result"
) -> dict[str, Any]:
    error = {"type": f"{kind}_error", "error_code": "unavailable"}
    return said(
        {"type": "server_tool_use", "id": call, "name": "web_fetch", "input": {}},
        {"type": kind, "tool_use_id": of, "content": error},
        "z",
    )


def formed(schema: Any, **fields: Any) -> dict[str, Any]:
    return asking(output_config={"format": {"type": "json_schema", "schema": schema}}, **fields)


def closed(schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": schema}, "additionalProperties": False}


CASES: dict[str, tuple[dict[str, Any], str]] = {
    # who speaks
    "no message": ({**asking(), "messages": []}, "messages: at least one message is required"),
    "the model first": (asking(said("x"), "y"), 'messages: first message must use the "user" role'),
    "the system first": (asking(system("x"), "y", model=FIVE), 'messages: Unexpected role "system". The Messages API'),
    "the system, to an older model": (asking("x", system("y")), "role 'system' is not supported on this model"),
    "the system after the model": (
        asking("x", said("y"), system("z"), model=FIVE),
        "messages.2: a `system` message must directly follow a `user` message",
    ),
    "the system before the user": (
        asking("x", system("y"), "z", model=FIVE),
        "messages.1: a `system` message must directly follow a `user` message",
    ),
    "the system twice": (
        asking("x", system("y"), system("z"), model=FIVE),
        "messages.1: a `system` message must directly follow a `user` message",
    ),
    "a call by the user": (
        asking(user([{"type": "tool_use", "id": "c", "name": "f", "input": {}}])),
        "messages.0: `tool_use` blocks can only be in `assistant` messages",
    ),
    "a thought of the user": (
        asking(user([{"type": "thinking", "thinking": "x", "signature": "y"}])),
        "messages.0: `thinking` blocks can only be in `assistant` messages",
    ),
    "a result by the model": (
        asking("a", said({"type": "tool_result", "tool_use_id": "c"}), "b"),
        "messages.1: `tool_result` blocks can only be in `user` messages",
    ),
    "a picture by the model": (
        asking("a", said({"type": "image", "source": PICTURE}), "b"),
        "messages.1: `image` blocks can only be in `user` messages",
    ),
    # texts
    "empty content": (asking("a", said("b"), user("")), "messages.2: all messages must have non-empty content except"),
    "no blocks": (asking("a", said("b"), user([])), "messages.2: all messages must have non-empty content except"),
    "empty answer": (asking("a", said(), "b"), "messages.1: all messages must have non-empty content except"),
    "empty text": (asking(user([text("")])), "messages: text content blocks must be non-empty"),
    "blank text": (asking(user([text(" \n")])), "messages: text content blocks must contain non-whitespace text"),
    "blank content": (asking(user("\t")), "messages: text content blocks must contain non-whitespace text"),
    "empty text of a call": (
        asking("a", said("", *called("c")["content"]), result("c")),
        "messages: text content blocks must be non-empty",
    ),
    "empty text of a result": (
        asking("a", called("c"), result("c", content=[text("")])),
        "messages: text content blocks must be non-empty",
    ),
    "empty text of the system": (asking(system=[text("")]), "system: text content blocks must be non-empty"),
    "blank text of the system": (asking(system=[text(" ")]), "system: text content blocks must contain non-whitespace"),
    "empty error": (
        asking("a", called("c"), result("c", content="", is_error=True)),
        "messages.2.content.0.tool_result: content cannot be empty if `is_error` is true",
    ),
    "mark on an empty text": (
        asking(user([text("", cache_control=MARK)])),
        "messages.0.content.0.text: cache_control cannot be set for empty text blocks",
    ),
    "mark on an empty text of the system": (
        asking(system=[text("a"), text("", cache_control=MARK)]),
        "system.1.text: cache_control cannot be set for empty text blocks",
    ),
    "continuing a space": (asking("a", said("b ")), "messages: final assistant content cannot end with trailing whit"),
    "continuing a newer model": (
        asking("a", said("b"), model=FOUR_6),
        "This model does not support assistant message prefill. The conversation must end with a user message.",
    ),
    # calls and results
    "call without a result": (asking("a", called("c", "d"), result("c")), UNANSWERED.format("d")),
    "calls without results": (asking("a", called("c", "d"), "b"), UNANSWERED.format("c, d")),
    "last call without a result": (asking("a", called("c")), UNANSWERED.format("c")),
    "result after a text": (
        asking("a", called("c"), user([text("b"), *result("c")["content"]])),
        UNANSWERED.format("c"),
    ),
    "result a message too late": (
        asking("a", called("c", "d"), result("c"), result("d")),
        UNEXPECTED.format("3.content.0", "d"),
    ),
    "result without a call": (asking("a", said("b"), result("c")), UNEXPECTED.format("2.content.0", "c")),
    "result at the beginning": (asking(result("c")), UNEXPECTED.format("0.content.0", "c")),
    "result twice": (
        asking("a", called("c"), result("c", "c")),
        "messages.2.content.1: each tool_use must have a single result. Found multiple `tool_result` blocks with id: c",
    ),
    "call twice": (asking("a", called("c", "c"), result("c")), "messages.1.content.1: `tool_use` ids must be unique"),
    "call twice, a turn later": (
        asking("a", called("c"), result("c"), called("c"), result("c")),
        "messages.3.content.0: `tool_use` ids must be unique",
    ),
    "server's call without a result": (
        asking("a", searched(kind="web_fetch_tool_result", of="srvtoolu_2"), "b"),
        (
            "messages.1.content.0: `web_fetch` tool use with id `srvtoolu_1` was found without a corresponding "
            "`web_fetch_tool_result` block"
        ),
    ),
    "server's result without a call": (
        asking("a", said(*searched()["content"][1:]), "b"),
        "messages.1.content.0: unexpected `tool_use_id` found in `web_fetch_tool_result` blocks: srvtoolu_1.",
    ),
    "reference to no tool": (
        asking("a", called("c"), result("c", content=[{"type": "tool_reference", "tool_name": "g"}]), tools=[TOOL]),
        "Tool reference 'g' not found in available tools",
    ),
    # tools
    "tools of one name": (asking(tools=[TOOL, TOOL]), "tools: Tool names must be unique."),
    "tools that all wait": (asking(tools=[{**TOOL, "defer_loading": True}]), "All tools have defer_loading set."),
    "strict tool of an open schema": (
        asking(tools=[{**TOOL, "strict": True}]),
        "tools.0.custom.input_schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
    ),
    "choice without tools": (
        asking(tool_choice={"type": "auto"}),
        "tool_choice may only be specified while providing tools.",
    ),
    "choice of no tool": (
        asking(tools=[TOOL], tool_choice={"type": "tool", "name": "g"}),
        "Tool 'g' not found in provided tools",
    ),
    "forced, and thinking": (
        asking(tools=[TOOL], tool_choice={"type": "any"}, thinking=THINKING),
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    "forced to one, and thinking": (
        asking(tools=[TOOL], tool_choice={"type": "tool", "name": "f"}, thinking=THINKING),
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    # thinking
    "budget of a newer model": (
        asking(model=FOUR_7, thinking=THINKING),
        (
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
            '"output_config.effort" to control thinking behavior.'
        ),
    ),
    "adaptive for an older model": (asking(thinking=ADAPTIVE), "adaptive thinking is not supported on this model"),
    "off for a model that always thinks": (
        asking(model=FABLE, thinking=OFF),
        '"thinking.type.disabled" is not supported for this model.',
    ),
    "off for a model that thinks between its calls": (
        asking(model="claude-sonnet-5-5", thinking=OFF),
        'To turn thinking off on this model, send "thinking": {"type": "between_tools"} instead of {"type": "dis',
    ),
    "a forced call of a newer model": (
        asking(model="claude-opus-5-5", tools=[TOOL], tool_choice={"type": "any"}),
        'tool_choice: type "tool" and "any" are not supported for this model.',
    ),
    "between calls for an older model": (
        asking(model=FOUR_7, thinking={"type": "between_tools"}),
        '"thinking.type.between_tools" is not supported for this model.',
    ),
    "budget as large as the output": (
        asking(max_tokens=1024, thinking=THINKING),
        "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at",
    ),
    "temperature while thinking": (
        asking(temperature=0.3, thinking=THINKING),
        f"`temperature` may only be set to 1 when thinking is enabled. {CONSIDER}",
    ),
    "temperature while thinking adaptively": (
        asking(model=FOUR_6, temperature=0, thinking=ADAPTIVE),
        f"`temperature` may only be set to 1 when thinking is enabled. {CONSIDER}",
    ),
    "top_p while thinking": (
        asking(top_p=0.9, thinking=THINKING),
        f"`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled. {CONSIDER}",
    ),
    "top_k while thinking": (
        asking(top_k=5, thinking=THINKING),
        f"`top_k` must be unset when thinking is enabled. {CONSIDER}",
    ),
    "call without a thought": (
        asking("a", called("c"), result("c"), thinking=THINKING, tools=[TOOL]),
        (
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When "
            "`thinking` is enabled, a final `assistant` message must start with a thinking block"
        ),
    ),
    "text before a call without a thought": (
        asking("a", said("b", *called("c")["content"]), result("c"), thinking=THINKING, tools=[TOOL]),
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`.",
    ),
    "continuing without a thought": (
        asking("a", said("b"), thinking=THINKING),
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`.",
    ),
    "made-up signature": (
        asking("a", said({"type": "thinking", "thinking": "x", "signature": "EqQBCgIYAg=="}, "y"), "b"),
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    "signature of Gemini": (
        asking("a", said({"type": "thinking", "thinking": "", "signature": "skip_thought_signature_validator"}), "b"),
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    "made-up redacted thought": (
        asking("a", said({"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix"}, "y"), "b"),
        "messages.1.content.0: Invalid `data` in `redacted_thinking` block",
    ),
    "made-up search result": (
        asking(
            "a",
            said(
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "srvtoolu_1",
                    "content": [{"type": "web_search_result", "url": "x", "title": "x", "encrypted_content": "x"}],
                },
            ),
            "b",
        ),
        "messages.1.content.1: Invalid `encrypted_content` in `search_result` block",
    ),
    # limits
    "too much output": (
        asking(max_tokens=64_001),
        "max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens for claude-sonnet-4-5",
    ),
    "too long a prompt": (asking("word " * 170_000), "prompt is too long: 212504 tokens > 200000 maximum"),
    "both temperature and top_p": (
        asking(temperature=0.5, top_p=0.5),
        "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
    ),
    "temperature of a newer model": (asking(model=FIVE, temperature=0), "`temperature` is deprecated for this model."),
    "top_p of a newer model": (asking(model=FIVE, top_p=0.9), "`top_p` is deprecated for this model."),
    "top_k of a newer model": (asking(model=FOUR_7, top_k=5), "`top_k` is deprecated for this model."),
    "stopping at space": (asking(stop_sequences=["\n"]), "stop_sequences: each stop sequence must contain non-whites"),
    "stopping at nothing": (asking(stop_sequences=["x", ""]), "stop_sequences: each stop sequence must contain non-wh"),
    "effort of an older model": (
        asking(output_config={"effort": "low"}),
        "This model does not support the effort para",
    ),
    "effort that a model has not": (
        asking(model=FOUR_6, output_config={"effort": "xhigh"}),
        "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium.",
    ),
    "effort without thought": (
        asking(model=FIVE, output_config={"effort": "xhigh"}, thinking=OFF),
        "output_config.effort 'xhigh' is not supported when thinking is disabled on this model. Use effort 'high' or",
    ),
    "five marks": (
        asking(user(marked(2)), system=marked(1), tools=[{**TOOL, "cache_control": MARK}], cache_control=MARK),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "five marks within results": (
        asking("a", called("c"), result("c", content=marked(4), cache_control=MARK)),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "a long mark after a short one": (
        asking(user([text("x", cache_control=LONG)]), system=marked(1)),
        "messages.0.content.0.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m'",
    ),
    # schemas of answers
    "open schema": (
        formed(OBJECT),
        "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
    ),
    "open schema within": (
        formed(closed({"anyOf": [{"type": "array", "items": OBJECT}]})),
        "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
    ),
    "open definition": (
        formed({**CLOSED, "$defs": {"d": OBJECT}}),
        "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
    ),
    "bounds": (
        formed(closed({"type": "integer", "minimum": 1, "maximum": 2})),
        "output_config.format.schema: For 'integer' type, properties maximum, minimum are not supported",
    ),
    "length": (
        formed(closed({"type": ["string", "null"], "maxLength": 2})),
        "output_config.format.schema: For 'string' type, property 'maxLength' is not supported",
    ),
    "many items": (
        formed(closed({"type": "array", "minItems": 2})),
        "output_config.format.schema: For 'array' type, 'minItems' values other than 0 or 1 are not supported",
    ),
    "format of a string": (
        formed(closed({"type": "string", "format": "phone"})),
        "output_config.format.schema: For 'string' type, format 'phone' is not supported",
    ),
    "one of": (formed(closed({"oneOf": [{}]})), "output_config.format.schema: Schema type 'oneOf' is not supported"),
    "recursion": (
        formed({**CLOSED, "$defs": {"d": {"type": "array", "items": {"$ref": "#/$defs/d"}}}}),
        "output_config.format.schema: Circular reference detected in schema definitions: d -> d",
    ),
    "schema that is none": (formed({"type": 1}), "output_config.format.schema: JSON schema is invalid."),
    "citations in a form": (
        formed(CLOSED, **asking(document(PDF, citations={"enabled": True}))),
        "output_config.format: citations cannot be enabled when an output format is specified",
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_refused(anthropic: AnthropicClient, name: str) -> None:
    sent, words = CASES[name]
    assert (await anthropic.refusal(sent)).startswith(words)


async def test_a_budget_may_be_above_the_output_between_calls(anthropic: AnthropicClient) -> None:
    fields: dict[str, Any] = {"max_tokens": 1024, "thinking": THINKING}
    beta = "interleaved-thinking-2025-05-14"
    assert (await anthropic.ask(**fields, tools=[TOOL], betas=beta))[0] == 200
    assert (await anthropic.ask(**fields, betas=beta))[0] == 400
    assert (await anthropic.ask(**fields, tools=[TOOL]))[0] == 400


async def test_a_thought_that_was_changed(anthropic: AnthropicClient) -> None:
    _, answer = await anthropic.ask("!think hmm\n!say done", thinking=THINKING)
    thought, *rest = answer["content"]
    changed = asking("a", said({**thought, "thinking": "hm"}, *rest), "b")
    assert await anthropic.refusal(changed) == "messages.1.content.0: Invalid `signature` in `thinking` block"


async def test_signatures_are_good_in_another_fake_until_they_are_revoked(anthropic: AnthropicClient) -> None:
    _, answer = await anthropic.ask("!think hmm\n!say done", thinking=THINKING)
    async with type(anthropic.fake)() as other:
        client = AnthropicClient(other, anthropic.session)
        sent = asking("a", said(*answer["content"]), "b")
        assert (await client.call("/v1/messages", sent))[0] == 200
        other.seals.revoke(answer["content"][0]["signature"])
        assert await client.refusal(sent) == "messages.1.content.0: Invalid `signature` in `thinking` block"


async def test_a_message_that_ends_with_a_thought(anthropic: AnthropicClient) -> None:
    _, answer = await anthropic.ask("!think hmm\n!say done", thinking=THINKING)
    sent = asking("a", said(answer["content"][0]), "b")
    assert await anthropic.refusal(sent) == "messages.1: The final block in an assistant message cannot be `thinking`."
