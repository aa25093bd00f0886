"""What a model refuses by its family: limits, thinking, signatures, and Anthropic's rules behind Google's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes import v1internal_checks as checks
from tests.fakes import v1internal_claude as claude
from tests.fakes import v1internal_config as config
from tests.fakes import v1internal_thinking as thoughts
from tests.fakes.v1internal_call import Call
from tests.fakes.v1internal_errors import Refusal
from tests.fakes.v1internal_models import describe
from tests.fakes.v1internal_proto import decode
from tests.fakes.v1internal_signatures import SENTINEL
from tests.fakes_tests.test_v1internal_fake_refuses import ROWS as TURNS_AND_TOOLS
from tests.fakes_tests.v1internal_bodies import (
    CLAUDE,
    DRAWING,
    GEMINI_2,
    GEMINI_3,
    GEMINI_SIGNATURE,
    GPT,
    SCHEMA,
    Client,
    body,
    call,
    calling,
    message,
    result,
    said,
    thinking,
    thinks,
    thought,
    tools,
    user,
)

COUNTS_DIFFER = (
    "Please ensure that the number of function response parts is equal to the number of function call parts "
    "of the function call turn."
)
CALL_MISPLACED = (
    "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
)
RESPONSE_MISPLACED = "Please ensure that function response turn comes immediately after a function call turn."
NO_DATA = "required oneof field 'data' must have one initialized field"
NO_SCHEMA = "tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12"
MISSING_SIGNATURE = "Function call is missing a thought_signature in functionCall parts."
SIGNED = call("f", "1", GEMINI_SIGNATURE)
PLAIN_CALL = call("f", "a")


def schema(node: Any) -> Any:
    return {"type": "object", "properties": {"a": {"type": "string"}, "b": node}}


def picture(data: str = "AAAA", mime_type: str = "image/png") -> Any:
    return {"inlineData": {"mimeType": mime_type, "data": data}}


def claude_tools(node: Any) -> Any:
    return body(CLAUDE, tools=tools(node), toolConfig=calling("VALIDATED"))


def claude_loop(*first: Any, **extra: Any) -> Any:
    return body(CLAUDE, user("u"), said(*first, PLAIN_CALL), user(result("f", "a")), **extra)


ROWS: list[tuple[Any, Any, str]] = [
    (
        config.output_in_range,
        body(GEMINI_2, generationConfig={"maxOutputTokens": 65536}),
        "it has a maxOutputTokens value of 65536 but the supported range is from 1 (inclusive) to 65536 (exclusive).",
    ),
    (
        config.output_in_range,
        body(GEMINI_3, generationConfig={"maxOutputTokens": 131072}),
        "to 65537 (exclusive)",
    ),
    (
        config.output_in_range,
        body(CLAUDE, generationConfig={"maxOutputTokens": 0}),
        "maxOutputTokens value of 0",
    ),
    (
        config.temperature_in_range,
        body(GEMINI_3, generationConfig={"temperature": 2.5}),
        "temperature value of 2.5",
    ),
    (
        config.stops_in_range,
        body(GEMINI_3, generationConfig={"stopSequences": list("abcdef")}),
        "stopSequences value of 6 but the supported range is from 1 (inclusive) to 6 (exclusive).",
    ),
    (
        config.stops_in_range,
        body(GEMINI_3, generationConfig={"stopSequences": ["a", ""]}),
        "stop_sequences[1]: stop sequence must not be empty.",
    ),
    (
        config.one_response_schema,
        body(GEMINI_3, generationConfig={"responseSchema": SCHEMA, "responseJsonSchema": SCHEMA}),
        "response_schema and response_json_schema are mutually exclusive",
    ),
    (
        config.one_response_schema,
        body(GEMINI_3, generationConfig={"responseJsonSchema": SCHEMA}),
        "only allowed when response_mime_type is application/json",
    ),
    (
        config.json_without_functions,
        body(GEMINI_2, tools=tools(SCHEMA), generationConfig={"responseMimeType": "application/json"}),
        "Function calling with a response mime type: 'application/json' is unsupported",
    ),
    (config.features_enabled, body(DRAWING, tools=tools(SCHEMA)), "Function calling is not enabled for models/"),
    (
        config.features_enabled,
        body(DRAWING, systemInstruction=user("s")),
        "Developer instruction is not enabled for",
    ),
    (
        config.features_enabled,
        body(DRAWING, generationConfig={"responseMimeType": "text/plain"}),
        "JSON mode is not",
    ),
    (
        config.drawing_size,
        body(DRAWING, generationConfig={"imageConfig": {"aspectRatio": "7:3"}}),
        "aspectRatio must be one of 1:1",
    ),
    (
        config.drawing_size,
        body(DRAWING, generationConfig={"imageConfig": {"imageSize": "8K"}}),
        "imageSize must be one of 1K",
    ),
    (
        thoughts.thinking_known,
        body(GPT, generationConfig=thinking(includeThoughts=True)),
        "thinking is not supported by this model",
    ),
    (
        thoughts.level_or_budget,
        body(GEMINI_3, generationConfig=thinking(thinkingLevel="low", thinkingBudget=1024)),
        "thinking_budget and thinking_level are not supported together.",
    ),
    (
        thoughts.level_known,
        body(GEMINI_2, generationConfig=thinking(thinkingLevel="low")),
        "Unable to submit request because thinking_level is not supported by this model.",
    ),
    (
        thoughts.level_known,
        body("gemini-3-pro-high", generationConfig=thinking(thinking_level="medium")),
        "Unable to submit request because thinking_level MEDIUM is not supported by this model.",
    ),
    (
        thoughts.level_known,
        body(CLAUDE, generationConfig=thinking(thinkingLevel="high")),
        "thinking_level is not",
    ),
    (
        thoughts.budget_in_range,
        body(GEMINI_2, generationConfig=thinking(thinkingBudget=24577)),
        "thinking_budget is out of range; supported values are integers from 1 to 24576.",
    ),
    (
        thoughts.budget_in_range,
        body("gemini-2.5-pro", generationConfig=thinking(thinkingBudget=0)),
        "supported values are integers from 128 to 32768.",
    ),
    (
        thoughts.budget_in_range,
        body("gemini-2.5-flash-lite", generationConfig=thinking(thinkingBudget=511)),
        "supported values are integers from 512 to 24576.",
    ),
    (thoughts.budget_in_range, body(GEMINI_3, generationConfig=thinking(thinkingBudget=-2)), "out of range"),
    (
        thoughts.signatures_readable,
        body(GEMINI_2, user("a"), said(call("f", "1", "gw1.g.f.x")), user(result("f", "1"))),
        "Corrupted thought signature.",
    ),
    (
        thoughts.signatures_readable,
        body(GEMINI_3, user("a"), said({"text": "b", "thoughtSignature": SENTINEL}), user("c")),
        "Corrupted thought signature.",
    ),
    (
        thoughts.signatures_readable,
        body(GEMINI_3, user("a"), said(thought()), user("c")),
        "Unable to submit request because Thought signature is not valid..",
    ),
    (
        thoughts.calls_signed,
        body(GEMINI_3, user("a"), said(call("f", "1")), user(result("f", "1"))),
        (
            f"{MISSING_SIGNATURE} This is required for tools to work correctly, and missing thought_signature "
            "may lead to degraded model performance. Additional data, function call `default_api:f` , position 2."
        ),
    ),
    (
        thoughts.calls_signed,
        body(
            GEMINI_3,
            user("a"),
            said(SIGNED),
            user(result("f", "1")),
            said(call("g", "2")),
            user(result("g", "2")),
        ),
        MISSING_SIGNATURE,
    ),
    (
        thoughts.calls_signed,
        body(
            GEMINI_3,
            user("a"),
            said(call("f", "1"), call("g", "2", GEMINI_SIGNATURE)),
            user(result("f", "1"), result("g", "2")),
        ),
        MISSING_SIGNATURE,
    ),
    (
        claude.user_last,
        body(CLAUDE, user("a"), said("b")),
        "This model does not support assistant message prefill.",
    ),
    (
        claude.call_ids,
        body(CLAUDE, user("a"), said("b", call("f")), user(result("f", "a"))),
        "messages.1.content.1.tool_use.id: Field required",
    ),
    (
        claude.call_ids,
        body(CLAUDE, user("a"), said(call("f", "a.b")), user(result("f", "a.b"))),
        "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    ),
    (
        claude.call_ids,
        body(CLAUDE, user("a"), said(PLAIN_CALL, PLAIN_CALL), user(result("f", "a"), result("f", "a"))),
        "messages.1.content.1: `tool_use` ids must be unique",
    ),
    (
        claude.response_ids,
        body(CLAUDE, user("a"), said(PLAIN_CALL), user(result("f"))),
        "messages.2.content.0.tool_result.tool_use_id: Field required",
    ),
    (
        claude.responses_first,
        body(CLAUDE, user("a"), said(PLAIN_CALL), user("b", result("f", "a"))),
        "`tool_use` ids were found without `tool_result` blocks immediately after: a.",
    ),
    (claude.texts_filled, body(CLAUDE, user("a", "")), "messages: text content blocks must be non-empty"),
    (
        claude.texts_filled,
        body(CLAUDE, systemInstruction=user(" \n")),
        "messages: text content blocks must contain non-whitespace text",
    ),
    (
        claude.thoughts_signed,
        claude_loop(thought(signature=None)),
        "messages.1.content.0.thinking.signature: Field required",
    ),
    *(
        (
            claude.thoughts_signed,
            claude_loop(thought(signature=foreign)),
            "messages.1.content.0: Invalid `signature` in `thinking` block",
        )
        for foreign in (SENTINEL, GEMINI_SIGNATURE, "Rubbish!", "Q2xhdWRl")
    ),
    (
        claude.thoughts_signed,
        body(CLAUDE, user("u"), said(call("f", "a", SENTINEL)), user(result("f", "a"))),
        "Invalid `signature` in `thinking` block",
    ),
    (
        claude.thought_leads_calls,
        claude_loop(generationConfig=thinks()),
        (
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When "
            "`thinking` is enabled, a final `assistant` message must start with a thinking block."
        ),
    ),
    (
        claude.thought_leads_calls,
        claude_loop("text first", thought(), generationConfig=thinks()),
        "but found `text`.",
    ),
    (
        claude.budget_large_enough,
        body(CLAUDE, generationConfig=thinks(1023)),
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    (
        claude.output_above_budget,
        body(CLAUDE, generationConfig=thinks(8000)),
        "`max_tokens` must be greater than `thinking.budget_tokens`.",
    ),
    (
        claude.output_within_limit,
        body(CLAUDE, generationConfig={"maxOutputTokens": 131072}),
        "max_tokens: 131072 > 64000, which is the maximum allowed number of output tokens for claude-sonnet-4-6",
    ),
    (claude.tool_names, body(CLAUDE, tools=tools(SCHEMA) * 2), "tools: Tool names must be unique."),
    (
        claude.tool_names,
        body(CLAUDE, tools=tools(SCHEMA, name="a.b")),
        "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
    ),
    (
        claude.input_schemas,
        body(CLAUDE, tools=[{"functionDeclarations": [{"name": "f"}]}]),
        "tools.0.custom.input_schema: Field required",
    ),
    (claude.input_schemas, body(CLAUDE, tools=tools({})), "tools.0.custom.input_schema.type: Field required"),
    (
        claude.input_schemas,
        body(CLAUDE, tools=tools({"type": "string"})),
        "tools.0.custom.input_schema.type: Input should be 'object'",
    ),
    (claude.input_schemas, body(CLAUDE, tools=tools(SCHEMA | {"required": ["q", "q"]})), NO_SCHEMA),
    (
        claude.input_schemas,
        body(
            CLAUDE,
            tools=tools(SCHEMA | {"properties": {"q": {"type": "text"}}}, field="parametersJsonSchema"),
        ),
        NO_SCHEMA,
    ),
    (claude.validated_schemas, claude_tools({"type": "object"}), NO_SCHEMA),
    (claude.validated_schemas, claude_tools({"type": "object", "properties": {}}), NO_SCHEMA),
    (claude.validated_schemas, claude_tools(schema({"type": "object"})), NO_SCHEMA),
    *(
        (claude.validated_schemas, claude_tools(schema({"type": "string"} | keyword)), NO_SCHEMA)
        for keyword in (
            {"default": "x"},
            {"minLength": 1},
            {"maxLength": 1},
            {"pattern": "x"},
            {"format": "date"},
            {"minItems": 1},
            {"maxItems": 1},
            {"minimum": 1},
            {"maximum": 1},
        )
    ),
    *(
        (
            claude.validated_schemas,
            body(
                CLAUDE,
                tools=tools(schema({"type": "string", keyword: value}), field="parametersJsonSchema"),
                toolConfig=calling("VALIDATED"),
            ),
            NO_SCHEMA,
        )
        for keyword, value in (
            ("uniqueItems", True),
            ("multipleOf", 2),
            ("exclusiveMinimum", 0),
            ("const", "x"),
        )
    ),
]


@pytest.mark.parametrize(("_", "sent", "words"), ROWS, ids=[f"{row[0].__name__}-{n}" for n, row in enumerate(ROWS)])
async def test_refuses(client: Client, _: Any, sent: Any, words: str) -> None:
    response = await client.post("streamGenerateContent", sent)
    assert response.status == 400
    assert words in message(await response.json(content_type=None))


@pytest.mark.parametrize(("check", "sent", "words"), [*TURNS_AND_TOOLS, *ROWS])
def test_the_check_refuses_by_itself(check: Any, sent: Any, words: str) -> None:
    envelope = decode("GenerateContent", sent)
    with pytest.raises(Refusal) as refusal:
        check(Call(envelope, describe(envelope["model"])))
    assert words in message(refusal.value.body)


def test_each_check_is_made_to_refuse() -> None:
    tables = (checks.SHAPE, checks.GENERATION, checks.CLAUDE, checks.OTHERS, checks.EXCHANGES)
    known = {check for table in tables for check in table}
    assert known - {config.drawing_in_one_piece, config.penalties_enabled} == {
        row[0] for row in (*TURNS_AND_TOOLS, *ROWS)
    }


async def test_a_chunked_upload_to_a_drawing_model_is_a_bare_429(client: Client) -> None:
    async def uploaded() -> Any:
        yield json.dumps(body(DRAWING)).encode()

    url = f"{client.fake.url}/v1internal:generateContent"
    response = await client.session.post(url, data=uploaded(), headers={"Authorization": "Bearer static-1"})
    assert (response.status, (await response.json())["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
