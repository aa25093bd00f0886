"""What the fake of the Anthropic API refuses of the shape of a body, in Anthropic's words; each case is one rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes_tests.anthropic_api_bodies import (
    FIVE,
    FOUR_6,
    PDF,
    PICTURE,
    SEARCH,
    TOOL,
    AnthropicClient,
    asking,
    called,
    document,
    image,
    result,
    said,
    user,
)

pytestmark = pytest.mark.anyio

EXTRA = "Extra inputs are not permitted"
MARK = {"type": "ephemeral"}


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in asking().items() if name != field}


def text(words: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **fields}


def thought(**fields: Any) -> dict[str, Any]:
    return said({"type": "thinking", "thinking": "x", "signature": "y", **fields}, "z")


CASES: dict[str, tuple[Any, str]] = {
    # the body
    "no model": (without("model"), "model: Field required"),
    "empty model": (asking(model=""), "model: String should have at least 1 character"),
    "no messages": (without("messages"), "messages: Field required"),
    "no max_tokens": (without("max_tokens"), "max_tokens: Field required"),
    "null max_tokens": (asking(max_tokens=None), "max_tokens: Input should be a valid integer"),
    "no whole max_tokens": (asking(max_tokens=1.5), "max_tokens: Input should be a valid integer"),
    "true max_tokens": (asking(max_tokens=True), "max_tokens: Input should be a valid integer"),
    "negative max_tokens": (asking(max_tokens=-1), "max_tokens: Input should be greater than or equal to 0"),
    "a list": ([], "Input should be an object"),
    "unknown field": (asking(foo=1), f"foo: {EXTRA}"),
    "OpenAI's n": (asking(n=1), f"n: {EXTRA}"),
    "messages that are no list": (asking(messages="hi"), "messages: Input should be a valid list"),
    "a message that is no object": (asking(messages=["hi"]), "messages.0: Input should be an object"),
    "stream that is no boolean": (asking(stream="true"), "stream: Input should be a valid boolean"),
    "stream that is a number": (asking(stream=1), "stream: Input should be a valid boolean"),
    "service tier": (asking(service_tier="flex"), "service_tier: Input should be 'auto' or 'standard_only'"),
    "speed": (asking(speed="slow"), "speed: Input should be 'standard' or 'fast'"),
    "metadata": (asking(metadata={"user": "x"}), f"metadata.user: {EXTRA}"),
    "user id": (asking(metadata={"user_id": 1}), "metadata.user_id: Input should be a valid string"),
    "temperature above 1": (asking(temperature=1.5), "temperature: Input should be less than or equal to 1"),
    "temperature below 0": (asking(temperature=-0.1), "temperature: Input should be greater than or equal to 0"),
    "temperature of text": (asking(temperature="1"), "temperature: Input should be a valid number"),
    "top_p above 1": (asking(top_p=1.1), "top_p: Input should be less than or equal to 1"),
    "top_k below 0": (asking(top_k=-1), "top_k: Input should be greater than or equal to 0"),
    "one stop sequence": (asking(stop_sequences="x"), "stop_sequences: Input should be a valid list"),
    "a number to stop at": (asking(stop_sequences=[1]), "stop_sequences.0: Input should be a valid string"),
    "container": (asking(container={"skill": 1}), f"container.skill: {EXTRA}"),
    "diagnostics": (asking(diagnostics={"x": 1}), f"diagnostics.x: {EXTRA}"),
    "inference geo": (asking(inference_geo=1), "inference_geo: Input should be a valid string"),
    "top-level cache mark": (asking(cache_control={"type": "x"}), "cache_control: Input tag 'x' found using 'type'"),
    # messages
    "role": (
        asking({"role": "tool", "content": "x"}),
        'messages: Unexpected role "tool". Allowed roles are "user" or "assistant"',
    ),
    "no role": (asking({"content": "x"}), "messages.0.role: Field required"),
    "no content": (asking({"role": "user"}), "messages.0.content: Field required"),
    "null content": (asking(user(None)), "messages.0.content: Input should be a valid list"),
    "name of a message": (asking({**user("x"), "name": "n"}), f"messages.0.name: {EXTRA}"),
    "block without a type": (asking(user([{"text": "x"}])), "messages.0.content.0.type: Field required"),
    "block that is no object": (asking(user(["x"])), "messages.0.content.0: Input should be an object"),
    "kind of block": (
        asking(user([{"type": "input_text", "text": "x"}])),
        (
            "messages.0.content.0: Input tag 'input_text' found using 'type' does not match any of the expected tags: "
            "'text', 'image', 'document'"
        ),
    ),
    "text without its text": (asking(user([{"type": "text"}])), "messages.0.content.0.text.text: Field required"),
    "null text": (asking(user([text(None)])), "messages.0.content.0.text.text: Input should be a valid string"),  # type: ignore[arg-type]  # on purpose
    "field of a text": (asking(user([text("x", id="1")])), f"messages.0.content.0.text.id: {EXTRA}"),
    "kind of cache mark": (
        asking(user([text("x", cache_control={"type": "forever"})])),
        "messages.0.content.0.text.cache_control: Input tag 'forever' found using 'type'",
    ),
    "life of a cache mark": (
        asking(user([text("x", cache_control={**MARK, "ttl": "2h"})])),
        "messages.0.content.0.text.cache_control.ephemeral.ttl: Input should be '5m' or '1h'",
    ),
    "scope of a cache mark": (
        asking(system=[text("x", cache_control={**MARK, "scope": "global"})]),
        f"system.0.cache_control.ephemeral.scope: {EXTRA}",
    ),
    "cache mark on a thought": (
        asking("a", thought(cache_control=MARK), "b"),
        f"messages.1.content.0.thinking.cache_control: {EXTRA}",
    ),
    "cache mark on a redacted thought": (
        asking("a", said({"type": "redacted_thinking", "data": "x", "cache_control": MARK}, "b"), "c"),
        f"messages.1.content.0.redacted_thinking.cache_control: {EXTRA}",
    ),
    "thought without a signature": (
        asking("a", said({"type": "thinking", "thinking": "x"}, "z"), "b"),
        "messages.1.content.0.thinking.signature: Field required",
    ),
    "null signature": (
        asking("a", thought(signature=None), "b"),
        "messages.1.content.0.thinking.signature: Input should be a valid string",
    ),
    "id of a call": (
        asking("a", called("functions.f:0"), result("functions.f:0")),
        "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    ),
    "id of a result": (
        asking("a", called("c"), result("c:1")),
        "messages.2.content.0.tool_result.tool_use_id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    ),
    "name of a call": (
        asking("a", called("c", name="x" * 201), result("c")),
        "messages.1.content.0.tool_use.name: String should have at most 200 characters",
    ),
    "arguments that are text": (
        asking("a", said({"type": "tool_use", "id": "c", "name": "f", "input": "{}"}), result("c")),
        "messages.1.content.0.tool_use.input: Input should be a valid dictionary",
    ),
    "signature on a call": (
        asking("a", said({"type": "tool_use", "id": "c", "name": "f", "input": {}, "signature": "x"}), result("c")),
        f"messages.1.content.0.tool_use.signature: {EXTRA}",
    ),
    "caller of a call": (
        asking(
            "a", said({"type": "tool_use", "id": "c", "name": "f", "input": {}, "caller": {"type": "x"}}), result("c")
        ),
        "messages.1.content.0.tool_use.caller: Input tag 'x' found using 'type'",
    ),
    "thought within a result": (
        asking("a", called("c"), result("c", content=[{"type": "thinking", "thinking": "x", "signature": "y"}])),
        "messages.2.content.0.tool_result.content.0: Input tag 'thinking' found using 'type'",
    ),
    "error that is no boolean": (
        asking("a", called("c"), result("c", is_error="no")),
        "messages.2.content.0.tool_result.is_error: Input should be a valid boolean",
    ),
    "picture in the system prompt": (
        asking(system=[{"type": "image", "source": PICTURE}]),
        "system.0: Input tag 'image' found using 'type' does not match any of the expected tags: 'text'",
    ),
    "system prompt that is a number": (asking(system=1), "system: Input should be a valid list"),
    "citation": (
        asking("a", said(text("x", citations=[{"type": "page"}])), "b"),
        "messages.1.content.0.text.citations.0: Input tag 'page' found using 'type'",
    ),
    "id of a server call": (
        asking("a", said({"type": "server_tool_use", "id": "c", "name": "web_search", "input": {}}), "b"),
        "messages.1.content.0.server_tool_use.id: String should match pattern '^srvtoolu_[a-zA-Z0-9_]+$'",
    ),
    "name of a server call": (
        asking("a", said({"type": "server_tool_use", "id": "srvtoolu_1", "name": "f", "input": {}}), "b"),
        "messages.1.content.0.server_tool_use.name: Input should be 'web_search', 'web_fetch', ",
    ),
    "result of a server": (
        asking("a", said({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{}]}), "b"),
        "messages.1.content.0.web_search_tool_result.content.0.type: Field required",
    ),
    "error of a server": (
        asking("a", said({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": {}}), "b"),
        "messages.1.content.0.web_search_tool_result.content.type: Field required",
    ),
    # pictures and documents
    "type of a picture": (
        asking(image(media_type="image/jpg")),
        (
            "messages.0.content.0.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', "
            "'image/gif' or 'image/webp'"
        ),
    ),
    "empty picture": (asking(image(data="")), "messages.0.content.0.image.source.base64: image cannot be empty"),
    "picture in another alphabet": (
        asking(image(data="_-_-")),
        "messages.0.content.0.image.source.base64.data: invalid base64 data",
    ),
    "picture of a data URL": (
        asking(image(data=f"data:image/png;base64,{PICTURE['data']}")),
        "messages.0.content.0.image.source.base64.data: invalid base64 data",
    ),
    "picture of another type": (
        asking(image(media_type="image/jpeg")),
        (
            "messages.0.content.0.image.source.base64: The image was specified using the image/jpeg media type, but "
            "the image appears to be a image/png image"
        ),
    ),
    "picture that is none": (asking(image(data="QUFB")), "Could not process image"),
    "picture that is too large": (
        asking(image(data="iVBORw0KGgo" + "A" * (7 * 1024 * 1024 + 1))),
        "messages.0.content.0.image.source.base64: image exceeds 5 MB maximum: 5505033 bytes > 5242880 bytes",
    ),
    "picture by an open address": (
        asking(user([{"type": "image", "source": {"type": "url", "url": "http://x/y.png"}}])),
        "Only HTTPS URLs are supported.",
    ),
    "source of a picture": (
        asking(user([{"type": "image", "source": {"type": "gs", "uri": "x"}}])),
        (
            "messages.0.content.0.image.source: Input tag 'gs' found using 'type' does not match any of the expected "
            "tags: 'base64', 'url', 'file'"
        ),
    ),
    "detail of a picture": (
        asking(user([{"type": "image", "source": PICTURE, "detail": "low"}])),
        f"messages.0.content.0.image.detail: {EXTRA}",
    ),
    "type of a document": (
        asking(document({**PDF, "media_type": "text/csv"})),
        "messages.0.content.0.document.source.base64.media_type: Input should be 'application/pdf'",
    ),
    "document that is none": (
        asking(document({**PDF, "data": "QUFB"})),
        "messages.0.content.0.document.source.base64.data: The PDF specified was not valid.",
    ),
    "empty document": (
        asking(document({**PDF, "data": ""})),
        "messages.0.content.0.document.source.base64: PDF cannot be empty",
    ),
    "document of spoilt base64": (
        asking(document({**PDF, "data": "*"})),
        "messages.0.content.0.document.source.base64.data: invalid base64 data",
    ),
    "text of a document": (
        asking(document({"type": "text", "media_type": "text/markdown", "data": "x"})),
        "messages.0.content.0.document.source.text.media_type: Input should be 'text/plain'",
    ),
    "content of a document": (
        asking(document({"type": "content", "content": [{"type": "document"}]})),
        "messages.0.content.0.document.source.content.content.0: Input tag 'document' found using 'type'",
    ),
    "search result of nothing": (
        asking(user([{"type": "search_result", "source": "x", "title": "y", "content": []}])),
        "messages.0.content.0.search_result.content: List should have at least 1 item after validation, not 0",
    ),
    "name of a document": (
        asking(document(PDF, filename="a.pdf")),
        f"messages.0.content.0.document.filename: {EXTRA}",
    ),
    # tools
    "tool without a schema": (asking(tools=[{"name": "f"}]), "tools.0.custom.input_schema: Field required"),
    "null schema": (asking(tools=[{**TOOL, "input_schema": None}]), "tools.0.custom.input_schema: Input should be an"),
    "schema without a type": (
        asking(tools=[{**TOOL, "input_schema": {"properties": {}}}]),
        "tools.0.custom.input_schema.type: Field required",
    ),
    "schema of no object": (
        asking(tools=[{**TOOL, "input_schema": {"type": "array"}}]),
        "tools.0.custom.input_schema.type: Input should be 'object'",
    ),
    "schema of alternatives": (
        asking(tools=[{**TOOL, "input_schema": {"type": "object", "anyOf": [{}]}}]),
        "tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level",
    ),
    "schema of draft 4": (
        asking(tools=[{**TOOL, "input_schema": {"type": "object", "properties": {"a": {"exclusiveMinimum": True}}}}]),
        "tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12",
    ),
    "schema with a list of items": (
        asking(
            tools=[TOOL, {**TOOL, "name": "g", "input_schema": {"type": "object", "properties": {"a": {"items": []}}}}]
        ),
        "tools.1.custom.input_schema: JSON schema is invalid.",
    ),
    "name of a tool": (
        asking(tools=[{**TOOL, "name": "a.b"}]),
        "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
    ),
    "long name of a tool": (
        asking(tools=[{**TOOL, "name": "x" * 129}]),
        "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
    ),
    "OpenAI's tool": (
        asking(tools=[{"type": "function", "function": TOOL}]),
        "tools.0: Input tag 'function' found using 'type' does not match any of the expected tags: 'custom', ",
    ),
    "field of a tool": (asking(tools=[{**TOOL, "parameters": {}}]), f"tools.0.custom.parameters: {EXTRA}"),
    "name of a server's tool": (
        asking(tools=[{**SEARCH, "name": "search"}]),
        "tools.0.web_search_20250305.name: Input should be 'web_search'",
    ),
    "uses of a server's tool": (
        asking(tools=[{**SEARCH, "max_uses": 0}]),
        "tools.0.web_search_20250305.max_uses: Input should be greater than or equal to 1",
    ),
    "field of another date": (
        asking(tools=[{**SEARCH, "response_inclusion": "full"}]),
        f"tools.0.web_search_20250305.response_inclusion: {EXTRA}",
    ),
    "choice": (
        asking(tools=[TOOL], tool_choice={"type": "required"}),
        (
            "tool_choice: Input tag 'required' found using 'type' does not match any of the expected tags: 'auto', "
            "'any', 'tool', 'none'"
        ),
    ),
    "choice of a word": (asking(tools=[TOOL], tool_choice="auto"), "tool_choice: Input should be an object"),
    "choice without a name": (
        asking(tools=[TOOL], tool_choice={"type": "tool"}),
        "tool_choice.tool.name: Field requir",
    ),
    "no choice, and not in parallel": (
        asking(tools=[TOOL], tool_choice={"type": "none", "disable_parallel_tool_use": True}),
        f"tool_choice.none.disable_parallel_tool_use: {EXTRA}",
    ),
    # thinking and output
    "kind of thinking": (asking(thinking={"type": "auto"}), "thinking: Input tag 'auto' found using 'type' does not"),
    "no budget": (asking(thinking={"type": "enabled"}), "thinking.enabled.budget_tokens: Field required"),
    "small budget": (
        asking(thinking={"type": "enabled", "budget_tokens": 1023}),
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    "budget of the adaptive": (
        asking(model=FOUR_6, thinking={"type": "adaptive", "budget_tokens": 2000}),
        f"thinking.adaptive.budget_tokens: {EXTRA}",
    ),
    "display": (
        asking(model=FIVE, thinking={"type": "adaptive", "display": "full"}),
        "thinking.adaptive.display: Input should be 'summarized' or 'omitted'",
    ),
    "display when thinking is off": (
        asking(thinking={"type": "disabled", "display": "omitted"}),
        f"thinking.disabled.display: {EXTRA}",
    ),
    "effort": (
        asking(output_config={"effort": "minimal"}),
        "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'",
    ),
    "field of output": (asking(output_config={"verbosity": "low"}), f"output_config.verbosity: {EXTRA}"),
    "name of a format": (
        asking(output_config={"format": {"type": "json_schema", "name": "n", "schema": {}}}),
        f"output_config.format.name: {EXTRA}",
    ),
    "kind of format": (
        asking(output_config={"format": {"type": "json_object"}}),
        "output_config.format.schema: Field required",
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_refused(anthropic: AnthropicClient, name: str) -> None:
    sent, words = CASES[name]
    assert (await anthropic.refusal(sent)).startswith(words)


BETAS: dict[str, tuple[dict[str, Any], str, str]] = {
    # the body, its beta, and where it is refused without
    "context management": (
        {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
        "context-management-2025-06-27",
        "context_management",
    ),
    "MCP servers": (
        {"mcp_servers": [{"type": "url", "url": "https://x", "name": "x"}]},
        "mcp-client-2025-11-20",
        "mcp_servers",
    ),
    "threads": ({"thread": {"type": "create"}}, "message-threads-2026-08-12", "thread"),
    "compaction": ({"compaction": {"type": "summarize"}}, "compact-2026-09-04", "compaction"),
    "fallbacks": ({"fallbacks": "default"}, "server-side-fallback-2026-07-01", "fallbacks"),
    "fallback credit": ({"fallback_credit_token": "x"}, "fallback-credit-2026-07-01", "fallback_credit_token"),
    "billing": (
        {"billing_policy": {"type": "billing_policy"}},
        "user-profiles-billing-2026-10-01",
        "billing_policy",
    ),
    "the older format": (
        {"output_format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}}},
        "structured-outputs-2025-11-13",
        "output_format",
    ),
    "task budget": (
        {"output_config": {"task_budget": {"type": "tokens", "total": 9}}},
        "task-budgets-2026-03-13",
        "output_config.task_budget",
    ),
    "binding of thoughts": (
        {"thinking": {"type": "enabled", "budget_tokens": 1024, "block_binding": {}}},
        "thinking-binding-controls-2026-08-01",
        "thinking.enabled.block_binding",
    ),
    "effort from a turn on, without words": (
        {"messages": [user("a"), {"role": "system", "content": [], "output_config": {"effort": "low"}}], "model": FIVE},
        "mid-conversation-output-config-2026-07-01",
        "messages.1.output_config",
    ),
    "scope of a cache mark": (
        {"system": [text("x", cache_control={**MARK, "scope": "global"})]},
        "prompt-caching-scope-2026-01-05",
        "system.0.cache_control.ephemeral.scope",
    ),
}


@pytest.mark.parametrize("name", BETAS)
async def test_a_beta_must_be_asked_for(anthropic: AnthropicClient, name: str) -> None:
    fields, beta, path = BETAS[name]
    assert await anthropic.refusal(asking(**fields)) == f"{path}: {EXTRA}"
    assert (await anthropic.ask(betas=f"oauth-2025-04-20, {beta}", **fields))[0] == 200


@pytest.mark.parametrize(
    ("tool", "beta"),
    [
        (
            {"type": "computer_20250124", "name": "computer", "display_width_px": 9, "display_height_px": 9},
            "computer-use-2025-01-24",
        ),
        ({"type": "advisor_20260301", "name": "advisor", "model": "x"}, "advisor-tool-2026-03-01"),
        ({"type": "mcp_toolset", "mcp_server_name": "x"}, "mcp-client-2025-11-20"),
    ],
)
async def test_a_tool_of_a_beta_must_be_asked_for(anthropic: AnthropicClient, tool: Any, beta: str) -> None:
    words = f"tools.0: Input tag '{tool['type']}' found using 'type' does not match any of the expected tags: "
    assert (await anthropic.refusal(asking(tools=[tool]))).startswith(words)
    assert (await anthropic.ask(tools=[tool], betas=beta))[0] == 200


@pytest.mark.parametrize(
    ("block", "beta"),
    [
        ({"type": "compaction", "content": "x"}, "compact-2026-09-04"),
        ({"type": "fallback", "from": {"model": "x"}, "to": {"model": "y"}}, "server-side-fallback-2026-07-01"),
    ],
)
async def test_a_block_of_a_beta_must_be_asked_for(anthropic: AnthropicClient, block: Any, beta: str) -> None:
    sent = asking("a", said(block, "b"), "c")
    words = f"messages.1.content.0: Input tag '{block['type']}' found using 'type'"
    assert (await anthropic.refusal(sent)).startswith(words)
    assert (await anthropic.ask(*sent["messages"], betas=beta))[0] == 200


async def test_updates_of_thinking_must_be_asked_for(anthropic: AnthropicClient) -> None:
    thinking = {"type": "adaptive", "display": "updates"}
    sent = asking(model=FIVE, thinking=thinking)
    words = "thinking.adaptive.display: Input should be 'summarized' or 'omitted'"
    assert await anthropic.refusal(sent) == words
    answer = await anthropic.ask(model=FIVE, thinking=thinking, betas="thinking-display-updates-2026-08-18")
    assert answer[0] == 200


async def test_a_beta_that_there_is_not(anthropic: AnthropicClient) -> None:
    words = await anthropic.refusal(asking(), betas="oauth-2025-04-20,foo-2026-01-01,bar")
    assert words.startswith("Unexpected value(s) `foo-2026-01-01`, `bar` for the `anthropic-beta` header. Please")


async def test_an_empty_beta_is_none_that_there_is(anthropic: AnthropicClient) -> None:
    status, answer = await anthropic.call("/v1/messages", asking(), headers={"anthropic-beta": ""})
    assert (status, answer["error"]["message"][:22]) == (400, "Unexpected value(s) ``")
