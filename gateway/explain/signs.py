"""Tell the dialect of a recorded body by what only that dialect has."""

import re
from collections.abc import Iterator
from typing import Final, cast

from gateway.routes import DIALECTS, DialectName

__all__ = ["Fields", "detected"]

Fields = dict[str, object]

# What was said stands in a field of its own; two dialects have messages.
_SAID: Final[dict[str, DialectName | None]] = {"messages": None, "contents": "gemini", "input": "openai-responses"}
# Fields that only one of the two dialects with `messages` has; compatible clients send many others to both.
_FIELDS: Final[dict[DialectName, frozenset[str]]] = {
    "anthropic": frozenset(
        {
            "anthropic_beta",
            "anthropic_version",
            "betas",
            "container",
            "context_management",
            "mcp_servers",
            "output_config",
            "stop_sequences",
            "system",
        }
    ),
    "openai-chat": frozenset(
        {
            "frequency_penalty",
            "function_call",
            "functions",
            "logit_bias",
            "logprobs",
            "max_completion_tokens",
            "modalities",
            "n",
            "parallel_tool_calls",
            "prediction",
            "presence_penalty",
            "reasoning_effort",
            "response_format",
            "seed",
            "stop",
            "stream_options",
            "top_logprobs",
            "verbosity",
            "web_search_options",
        }
    ),
}
_ROLES: Final = frozenset({"system", "developer", "tool", "function"})
_OF_MESSAGE: Final = frozenset({"tool_calls", "tool_call_id", "function_call", "refusal"})
_BLOCKS: Final[dict[str, DialectName]] = {
    **dict.fromkeys(("image_url", "input_audio", "file", "refusal"), "openai-chat"),
    **dict.fromkeys(
        ("tool_use", "tool_result", "thinking", "redacted_thinking", "image", "document", "server_tool_use"),
        "anthropic",
    ),
}
_CHOICES: Final[dict[str, DialectName]] = {
    **dict.fromkeys(("function", "custom", "allowed_tools"), "openai-chat"),
    **dict.fromkeys(("auto", "any", "tool", "none"), "anthropic"),
}

_DATED: Final = re.compile(r"_20\d{6}$")  # the types of Anthropic's own tools

_Sign = tuple[DialectName, str]


def detected(fields: Fields) -> _Sign:
    """Tell the dialect by what only it has; ValueError when that is none or two."""
    said = [field for field in _SAID if field in fields]
    if not said and "previous_response_id" in fields:
        return "openai-responses", "it has previous_response_id"
    if len(said) != 1:
        has = " and ".join(said) if said else f"none of {', '.join(_SAID)}"
        raise ValueError(f"the dialect is not clear: it has {has}; say --dialect {' | '.join(DIALECTS)}")
    dialect = _SAID[said[0]]
    return (dialect, f"it has {said[0]}") if dialect else _of_messages(fields)


def _of_messages(fields: Fields) -> _Sign:
    signs: dict[DialectName, str] = {}
    for dialect, sign in _signs(fields):
        signs.setdefault(dialect, sign)
    if len(signs) > 1:
        both = " or ".join(f"{dialect} ({sign})" for dialect, sign in signs.items())
        raise ValueError(f"the dialect is not clear: it may be {both}; say --dialect")
    for dialect, sign in signs.items():
        return dialect, f"it has {sign}"
    if "max_tokens" in fields:
        return "anthropic", "it has max_tokens, which Anthropic's API demands; --dialect openai-chat reads it otherwise"
    return "openai-chat", "it has messages without max_tokens, which Anthropic's API demands"


def _signs(fields: Fields) -> Iterator[_Sign]:
    for dialect, names in _FIELDS.items():
        for name in fields:
            if name in names and fields[name] is not None:
                yield dialect, name
    yield from _signs_of_choice(fields.get("tool_choice"))
    for place, tool in enumerate(_tables(fields.get("tools"))):
        yield from _signs_of_tool(tool, f"tools[{place}]")
    for place, message in enumerate(_tables(fields.get("messages"))):
        yield from _signs_of_message(message, f"messages[{place}]")


def _signs_of_tool(tool: Fields, where: str) -> Iterator[_Sign]:
    if "function" in tool:
        yield "openai-chat", f"{where}.function"
    elif "input_schema" in tool:
        yield "anthropic", f"{where}.input_schema"
    elif _DATED.search(str(tool.get("type"))):
        yield "anthropic", f"{where} of type {tool['type']}"


def _signs_of_choice(choice: object) -> Iterator[_Sign]:
    kind = choice if isinstance(choice, str) else next((one.get("type") for one in _tables([choice])), None)
    dialect = "openai-chat" if isinstance(choice, str) else _CHOICES.get(str(kind))
    if dialect:
        yield dialect, f"tool_choice {kind}"


def _signs_of_message(message: Fields, where: str) -> Iterator[_Sign]:
    if message.get("role") in _ROLES:
        yield "openai-chat", f"{where} of role {message['role']}"
    for name in message:
        if name in _OF_MESSAGE:
            yield "openai-chat", f"{where}.{name}"
    for place, block in enumerate(_tables(message.get("content"))):
        kind = block.get("type")
        if isinstance(kind, str) and kind in _BLOCKS:
            yield _BLOCKS[kind], f"{where}.content[{place}] of type {kind}"


def _tables(value: object) -> Iterator[Fields]:
    if isinstance(value, list):
        yield from (cast(Fields, one) for one in cast(list[object], value) if isinstance(one, dict))
