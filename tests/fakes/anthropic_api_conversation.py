"""A conversation: who speaks first, which blocks stand where, and which answers which."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.fakes.anthropic_api_asked import Asked, blocks
from tests.fakes.anthropic_api_blocks import ID, KIMIS_ID
from tests.fakes.anthropic_api_errors import bad
from tests.fakes.anthropic_api_script import ENCRYPTED

__all__ = [
    "begins_with_the_user",
    "blocks_where_they_belong",
    "cached_texts_filled",
    "calls_have_results",
    "calls_unique",
    "ends_without_space",
    "no_prefill",
    "results_have_calls",
    "sealed",
    "server_calls_have_results",
    "system_in_its_place",
    "texts_filled",
]

Json = dict[str, Any]

SYSTEM_FIRST = (
    'Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an input '
    "message role."
)
NO_PREFILL = "This model does not support assistant message prefill. The conversation must end with a user message."
_SERVER_RESULTS = {
    "web_search": "web_search_tool_result",
    "web_fetch": "web_fetch_tool_result",
    "code_execution": "code_execution_tool_result",
    "bash_code_execution": "bash_code_execution_tool_result",
    "text_editor_code_execution": "text_editor_code_execution_tool_result",
    "tool_search_tool_regex": "tool_search_tool_result",
    "tool_search_tool_bm25": "tool_search_tool_result",
}
_RESULTS = frozenset(_SERVER_RESULTS.values())
_SERVER = frozenset({"server_tool_use", *_RESULTS, "mcp_tool_use", "mcp_tool_result"})
_BELONGS = {
    **dict.fromkeys(("thinking", "redacted_thinking", "tool_use", *_SERVER), "assistant"),
    **dict.fromkeys(("tool_result", "image", "document", "search_result"), "user"),
}


def begins_with_the_user(asked: Asked) -> None:
    """Somebody speaks, and the user first."""
    if not asked.messages:
        raise bad("messages", "at least one message is required")
    first = asked.messages[0]["role"]
    if first == "system":
        raise bad("messages", SYSTEM_FIRST)
    if first != "user":
        raise bad("messages", 'first message must use the "user" role')


def system_in_its_place(asked: Asked) -> None:
    """The system interrupts where the user has spoken, and the model speaks next; older models take it nowhere."""
    roles = [message["role"] for message in asked.messages]
    for place, role in enumerate(roles):
        if role != "system":
            continue
        if not asked.model.inline_system:
            raise bad("", "role 'system' is not supported on this model")
        before = asked.messages[place - 1]
        follows = before["role"] == "user" or (before["role"] == "assistant" and _ends_on_server(before))
        if not follows or roles[place + 1 : place + 2] not in ([], ["assistant"]):
            raise bad(
                f"messages.{place}",
                "a `system` message must directly follow a `user` message and be the last message or be followed by "
                "an `assistant` message",
            )


def blocks_where_they_belong(asked: Asked) -> None:
    """Only the model calls and thinks, only the user brings results."""
    for place, message in enumerate(asked.messages):
        for block in blocks(message):
            role = _BELONGS.get(block["type"], message["role"])
            if role != message["role"]:
                raise bad(f"messages.{place}", f"`{block['type']}` blocks can only be in `{role}` messages")


def cached_texts_filled(asked: Asked) -> None:
    """An empty text is no place for a cache mark."""
    for path, block in _texts(asked):
        if not block["text"] and block.get("cache_control"):
            raise bad(f"{path}.text", "cache_control cannot be set for empty text blocks")


def texts_filled(asked: Asked) -> None:
    """No text is empty or blank, and no message is empty but a last one of the model's, or one that sets something."""
    for place, message in enumerate(asked.messages):
        last = place == len(asked.messages) - 1 and message["role"] == "assistant"
        if message.get("content") in ("", []) and not last and not message.get("output_config"):
            raise bad(
                f"messages.{place}",
                "all messages must have non-empty content except for the optional final assistant message",
            )
    for path, block in _texts(asked):
        if not block["text"] and not path.endswith(".content"):
            raise bad(path.partition(".")[0], "text content blocks must be non-empty")
        if block["text"] and not block["text"].strip():
            raise bad(path.partition(".")[0], "text content blocks must contain non-whitespace text")
    for path, block in _placed(asked, "tool_result"):
        if block.get("is_error") and not block.get("content"):
            raise bad(f"{path}.tool_result", "content cannot be empty if `is_error` is true")


def _texts(asked: Asked) -> Iterator[tuple[str, Json]]:
    """List the texts with their paths; a string has the path of its message's content."""
    system = asked.body.get("system")
    if isinstance(system, list):
        yield from ((f"system.{place}", block) for place, block in enumerate(system))
    for place, message in enumerate(asked.messages):
        if isinstance(message.get("content"), str):
            yield f"messages.{place}.content", {"text": message["content"]}
    for path, block in _placed(asked, "text"):
        yield path, block
    for path, block in _placed(asked, "tool_result"):
        inner = block.get("content")
        for place, one in enumerate(inner if isinstance(inner, list) else []):
            if one["type"] == "text":
                yield f"{path}.tool_result.content.{place}", one


def _placed(asked: Asked, *kinds: str) -> Iterator[tuple[str, Json]]:
    for place, message in enumerate(asked.messages):
        if isinstance(message.get("content"), list):
            for inner, block in enumerate(message["content"]):
                if block["type"] in kinds:
                    yield f"messages.{place}.content.{inner}", block


def calls_unique(asked: Asked) -> None:
    """Each call has an id of its own, which is not Kimi's where a Claude is asked."""
    seen: set[str] = set()
    for path, block in _placed(asked, "tool_use", "server_tool_use"):
        if asked.model.line and re.fullmatch(KIMIS_ID, block["id"]):
            raise bad(f"{path}.{block['type']}.id", f"String should match pattern '{ID}'")
        if block["id"] in seen:
            raise bad(path, "`tool_use` ids must be unique")
        seen.add(block["id"])


def results_have_calls(asked: Asked) -> None:
    """Each result answers a call of the message before, and no other result does."""
    for place, message in enumerate(asked.messages):
        before = blocks(asked.messages[place - 1]) if place else []
        called = {block["id"] for block in before if block["type"] == "tool_use"}
        seen: set[str] = set()
        for inner, block in enumerate(blocks(message)):
            if block["type"] != "tool_result":
                continue
            name, path = block["tool_use_id"], f"messages.{place}.content.{inner}"
            if name not in called:
                raise bad(
                    path,
                    f"unexpected `tool_use_id` found in `tool_result` blocks: {name}. Each `tool_result` block must "
                    "have a corresponding `tool_use` block in the previous message.",
                )
            if name in seen:
                problem = f"Found multiple `tool_result` blocks with id: {name}"
                raise bad(path, f"each tool_use must have a single result. {problem}")
            seen.add(name)


def calls_have_results(asked: Asked) -> None:
    """Each call is answered first thing in the next message."""
    for place, message in enumerate(asked.messages):
        called = [block["id"] for block in blocks(message) if block["type"] == "tool_use"]
        following = asked.messages[place + 1] if place + 1 < len(asked.messages) else {}
        answered: list[str] = []
        for block in blocks(following):
            if block["type"] != "tool_result":
                break
            answered.append(block["tool_use_id"])
        missing = [name for name in called if name not in answered]
        if missing:
            raise bad(
                f"messages.{place}",
                "`tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the "
                "next message.",
            )


def server_calls_have_results(asked: Asked) -> None:
    """What the service did, and what came of it, stay together; only the last message may be unfinished."""
    for place, message in enumerate(asked.messages):
        content = blocks(message)
        calls = {block["id"] for block in content if block["type"] == "server_tool_use"}
        results = {block["tool_use_id"]: block["type"] for block in content if block["type"] in _RESULTS}
        for inner, block in enumerate(content):
            path = f"messages.{place}.content.{inner}"
            if block["type"] in _RESULTS and block["tool_use_id"] not in calls:
                raise bad(path, _unexpected(block))
            if block["type"] == "server_tool_use" and place < len(asked.messages) - 1:
                _followed(block, results, path)


def _unexpected(block: Json) -> str:
    kind = block["type"]
    return (
        f"unexpected `tool_use_id` found in `{kind}` blocks: {block['tool_use_id']}. Each `{kind}` block must have a "
        "corresponding `server_tool_use` block before it."
    )


def _followed(call: Json, results: dict[str, str], path: str) -> None:
    name, expected = call["name"], _SERVER_RESULTS[call["name"]]
    if results.get(call["id"]) != expected:
        raise bad(
            path,
            f"`{name}` tool use with id `{call['id']}` was found without a corresponding `{expected}` block",
        )


def sealed(asked: Asked) -> None:
    """What was sealed comes back as it was."""
    if asked.model.echoes:
        return
    for path, block in _placed(asked, "thinking"):
        if not asked.seals.holds("thinking", block["thinking"], block["signature"]):
            raise bad(path, "Invalid `signature` in `thinking` block")
    for path, block in _placed(asked, "redacted_thinking"):
        if not asked.seals.hid("redacted", block["data"]):
            raise bad(path, "Invalid `data` in `redacted_thinking` block")
    for path, block in _placed(asked, "web_search_tool_result"):
        for page in block["content"] if isinstance(block["content"], list) else []:
            if not asked.seals.hid(ENCRYPTED, page["encrypted_content"]):
                raise bad(path, "Invalid `encrypted_content` in `search_result` block")


def _ends_on_server(message: Json) -> bool:
    content = blocks(message)
    return bool(content) and content[-1]["type"] in _SERVER


def no_prefill(asked: Asked) -> None:
    """The user speaks last, unless the model may be continued or has paused."""
    last = asked.messages[-1]
    if last["role"] == "assistant" and not asked.model.prefills and not _ends_on_server(last):
        raise bad("", NO_PREFILL)


def ends_without_space(asked: Asked) -> None:
    """What the model is to continue does not end in space."""
    last = asked.messages[-1]
    content = blocks(last)
    if last["role"] != "assistant" or not content or content[-1]["type"] != "text":
        return
    if content[-1]["text"] != content[-1]["text"].rstrip():
        raise bad("messages", "final assistant content cannot end with trailing whitespace")
