"""Checks that Anthropic makes behind Google's: ids, thinking blocks, texts, limits, schemas.

The messages count as Anthropic counts them here: one for each entry of `contents`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from tests.fakes.json_schema import well_formed
from tests.fakes.v1internal_call import Call, Json, Turn
from tests.fakes.v1internal_errors import claude, recorded

TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
LEAST_BUDGET = 1024

# what VALIDATED mode does not take, beside what proto decoding already refused
REFUSED_KEYWORD = re.compile(
    r"\$schema|\$id|\$ref|\$defs|definitions|\$comment|const|if|then|else|not|patternProperties|propertyNames"
    r"|additionalProperties|unevaluated.*|dependent.*|minContains|maxContains|contentMediaType|contentEncoding"
    r"|examples|default|deprecated|enumDescriptions|enumTitles|prefill|encrypted|multipleOf|exclusiveMinimum"
    r"|exclusiveMaximum|minLength|maxLength|pattern|format|minItems|maxItems|uniqueItems|minimum|maximum|x-.*"
)


def user_last(call: Call) -> None:
    """The conversation ends with the user: there is no prefill."""
    if call.turns[-1].role == "model":
        raise recorded("400_claude_prefill")


def call_ids(call: Call) -> None:
    """Each call has an id of its own."""
    seen: set[str] = set()
    for turn, place, one in _each(call, "functionCall"):
        where = f"messages.{turn.index}.content.{place}"
        if not one.get("id"):
            raise claude(f"{where}.tool_use.id: Field required")
        if not TOOL_ID.fullmatch(one["id"]):
            raise claude(f"{where}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
        if one["id"] in seen:
            raise claude(f"{where}: `tool_use` ids must be unique")
        seen.add(one["id"])


def response_ids(call: Call) -> None:
    """Each response names its call."""
    for turn, place, response in _each(call, "functionResponse"):
        if not response.get("id"):
            raise claude(f"messages.{turn.index}.content.{place}.tool_result.tool_use_id: Field required")


def responses_first(call: Call) -> None:
    """Responses stand before anything else of their turn."""
    for turn in call.turns:
        places = [place for place, _ in turn.holding("functionResponse")]
        if places != list(range(len(places))):
            raise claude(
                f"messages.{turn.index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{turn.responses[0].get('id')}. Each `tool_use` block must have a corresponding `tool_result` "
                "block in the next message."
            )


def texts_filled(call: Call) -> None:
    """No text is empty or blank."""
    system = (call.request.get("systemInstruction") or {}).get("parts") or []
    parts = [part for _, part in call.parts] + system
    texts = [part["text"] for part in parts if "text" in part and not part.get("thought")]
    if "" in texts:
        raise claude("messages: text content blocks must be non-empty")
    if any(not text.strip() for text in texts):
        raise claude("messages: text content blocks must contain non-whitespace text")


def thoughts_signed(call: Call) -> None:
    """Each thought carries the signature Claude gave it; nothing else carries a foreign one."""
    for turn in call.turns:
        for place, part in enumerate(turn.parts):
            signature = part.get("thoughtSignature")
            if part.get("thought") and not signature:
                raise claude(f"messages.{turn.index}.content.{place}.thinking.signature: Field required")
            thought = part.get("text", "") if part.get("thought") else ""
            if part.get("thought") and not thought:  # proto3 has no empty text: what it is translated into lacks it
                raise claude(f"messages.{turn.index}.content.{place}.thinking.thinking: Field required")
            if signature and not call.signatures.signs(signature, thought):
                raise claude(f"messages.{turn.index}.content.{place}: Invalid `signature` in `thinking` block")


def thought_leads_calls(call: Call) -> None:
    """With thinking on, a turn that calls tools in the current loop begins with a thought."""
    for turn in _current_loop(call) if call.thinks_aloud else []:
        if turn.calls and not turn.parts[0].get("thought"):
            found = "tool_use" if "functionCall" in turn.parts[0] else "text"
            raise claude(
                f"messages.{turn.index}.content.0.type: Expected `thinking` or `redacted_thinking`, "
                f"but found `{found}`. When `thinking` is enabled, a final `assistant` message must start "
                "with a thinking block."
            )


def budget_large_enough(call: Call) -> None:
    """Thinking has at least 1024 tokens."""
    if call.thinks_aloud and call.thinking["thinkingBudget"] < LEAST_BUDGET:
        raise claude("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")


def output_above_budget(call: Call) -> None:
    """The output limit leaves room behind the thinking."""
    limit = call.config.get("maxOutputTokens")
    if call.thinks_aloud and limit is not None and limit <= call.thinking["thinkingBudget"]:
        raise claude(
            "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at "
            "https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size"
        )


def output_within_limit(call: Call) -> None:
    """The output limit is one the model has."""
    limit = call.config.get("maxOutputTokens")
    if limit is not None and limit > call.model.max_output:
        raise claude(
            f"max_tokens: {limit} > {call.model.max_output}, which is the maximum allowed number of output tokens "
            f"for {call.model.name}"
        )


def tool_names(call: Call) -> None:
    """Tool names are of Anthropic's alphabet, and unique."""
    names = [declaration.get("name", "") for _, declaration in call.declarations]
    for place, name in enumerate(names):
        if not TOOL_NAME.fullmatch(name):
            raise claude(f"tools.{place}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
    if len(set(names)) < len(names):
        raise claude("tools: Tool names must be unique.")


def input_schemas(call: Call) -> None:
    """An input schema is an object schema of draft 2020-12."""
    for place, schema in _schemas(call):
        where = f"tools.{place}.custom.input_schema"
        if schema is None:
            raise claude(f"{where}: Field required")
        if "type" not in schema:
            raise claude(f"{where}.type: Field required")
        if schema["type"] != "object":
            raise claude(f"{where}.type: Input should be 'object'")
        if not well_formed(schema):
            raise _not_a_schema(place)


def validated_schemas(call: Call) -> None:
    """VALIDATED mode takes few keywords, and no object without properties."""
    if call.calling.get("mode") != "VALIDATED":
        return
    for place, schema in _schemas(call):
        for node in walk(schema):
            refused = any(REFUSED_KEYWORD.fullmatch(keyword) for keyword in node)
            if refused or (node.get("type") == "object" and not node.get("properties")):
                raise _not_a_schema(place)


def walk(schema: Any) -> Iterator[Json]:
    """Visit a schema and the schemas inside it; names of properties are not keywords."""
    if not isinstance(schema, dict):
        return
    yield schema
    inner = [*_values(schema.get("properties")), schema.get("items")]
    for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        inner += schema.get(name) or []
    for one in inner:
        yield from walk(one)


def _values(properties: Any) -> list[Any]:
    return list(properties.values()) if isinstance(properties, dict) else []


def _each(call: Call, field: str) -> Iterator[tuple[Turn, int, Json]]:
    for turn in call.turns:
        for place, part in turn.holding(field):
            yield turn, place, part[field]


def _current_loop(call: Call) -> list[Turn]:
    """Take what follows the last message of the user without results; neighbours of one role are one message."""
    loop: list[Turn] = []
    for role, group in groupby(call.turns, key=lambda turn: turn.role):
        turns = list(group)
        if role == "user" and not any(turn.responses for turn in turns):
            loop = []
        else:
            loop += turns
    return loop


def _schemas(call: Call) -> Iterator[tuple[int, Json | None]]:
    for place, (_, declaration) in enumerate(call.declarations):
        if "parameters" in declaration:
            yield place, _lowered(declaration["parameters"])
        else:
            yield place, declaration.get("parametersJsonSchema")


def _lowered(schema: Json) -> Json:
    """Write a proto schema as JSON Schema: its types are lower case there."""
    lowered = dict(schema)
    if "type" in schema:
        lowered["type"] = schema["type"].lower()
    if "items" in schema:
        lowered["items"] = _lowered(schema["items"])
    if "properties" in schema:
        lowered["properties"] = {name: _lowered(one) for name, one in schema["properties"].items()}
    if "anyOf" in schema:
        lowered["anyOf"] = [_lowered(one) for one in schema["anyOf"]]
    return lowered


def _not_a_schema(place: int) -> Exception:
    return claude(f"tools.{place}.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12")
