"""Conversations of both APIs as the script reads them: what the user said, and which turns brought results."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.fakes.v1internal_call import Turn

__all__ = ["Spoken", "of_items", "of_messages"]

Json = dict[str, Any]

_RULING = frozenset({"system", "developer"})  # stand anywhere, and are nobody's turn


@dataclass(frozen=True)
class Spoken:
    """A conversation cut into turns; results that stand together are one turn."""

    turns: list[Turn]


def of_messages(messages: Iterable[Json]) -> Spoken:
    """Read a Chat conversation."""
    return _spoken(_of_message(one) for one in messages)


def of_items(items: Iterable[Json]) -> Spoken:
    """Read a Responses conversation."""
    return _spoken(_of_item(one) for one in items)


def _spoken(said: Iterable[tuple[str, list[Json]] | None]) -> Spoken:
    turns: list[tuple[str, list[Json]]] = []
    for one in said:
        if one is None:
            continue
        if turns and _brings_results(one[1]) and _brings_results(turns[-1][1]):
            turns[-1][1].extend(one[1])
        else:
            turns.append(one)
    return Spoken([Turn(index, role, parts) for index, (role, parts) in enumerate(turns)])


def _brings_results(parts: list[Json]) -> bool:
    return bool(parts) and "functionResponse" in parts[0]


def _of_message(message: Json) -> tuple[str, list[Json]] | None:
    if message["role"] in _RULING:
        return None
    if message["role"] == "tool":
        return "user", [_result(message["content"])]
    role = "user" if message["role"] == "user" else "model"
    return role, _texts(message.get("content"))


def _of_item(item: Json) -> tuple[str, list[Json]] | None:
    kind = item.get("type", "message")
    if kind.endswith("call_output"):
        return "user", [_result(item["output"])]
    if kind.endswith("_call") or kind == "reasoning":
        return "model", []  # parts the results of one round from those of the next
    if kind != "message" or item["role"] in _RULING:
        return None
    return ("user" if item["role"] == "user" else "model"), _texts(item["content"])


def _texts(content: Any) -> list[Json]:
    if not isinstance(content, list):
        return [{"text": content or ""}]
    return [{"text": part["text"]} for part in content if "text" in part]


def _result(content: Any) -> Json:
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content)
    try:
        return {"functionResponse": {"response": json.loads(content)}}
    except ValueError:
        return {"functionResponse": {"response": content}}
