"""What a script can make this service answer beside text, thoughts and calls; and conversations as the script reads.

`!redacted TEXT` a thought that is not shown · `!search QUERY` a web search, its results, and text that cites them ·
`!block {json}` a block as it is · `!usage {json}` counts of one's own · `!midway NAME [EVENTS]` an error within the
stream, after its blocks or after so many events · `!raw BYTES` the body as it is, with Python's escapes · `!finish`
`max_tokens`, `refusal`, `pause_turn`, `stop_sequence`, `model_context_window_exceeded`, or nothing for null.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from tests.fakes.anthropic_api_seals import Seals
from tests.fakes.openai_api_turns import Spoken
from tests.fakes.v1internal_call import Json, Turn
from tests.fakes.v1internal_script import DIRECTIVES, Block, Directive, Plan

__all__ = ["script_of", "turns_of"]

ENCRYPTED = "web_search_result"
# what other services send
NOT_HERE = frozenset({"image", "big", "fixture", "toolsplit"})


def _raw(plan: Plan, rest: str) -> None:
    data = rest.encode("raw_unicode_escape").decode("unicode_escape").encode("latin-1")
    plan.more.setdefault("raw", []).append(data)


def _midway(plan: Plan, rest: str) -> None:
    name, _, events = rest.partition(" ")
    plan.more["midway"] = (name, int(events) if events else None)


def _block(plan: Plan, rest: str) -> None:
    plan.items.append(Block(json.loads(rest)))


def _usage(plan: Plan, rest: str) -> None:
    plan.more["usage"] = json.loads(rest)


def script_of(seals: Seals) -> dict[str, Directive]:
    """Give the directives that this service follows."""

    def redacted(plan: Plan, rest: str) -> None:
        plan.items.append(Block({"type": "redacted_thinking", "data": seals.hide("redacted", rest)}))

    def search(plan: Plan, rest: str) -> None:
        plan.items += [Block(one) for one in _searched(rest, seals)]

    known = {name: follow for name, follow in DIRECTIVES.items() if name not in NOT_HERE}
    return {
        **known,
        "redacted": redacted,
        "search": search,
        "block": _block,
        "usage": _usage,
        "midway": _midway,
        "raw": _raw,
    }


def _searched(query: str, seals: Seals) -> list[Json]:
    """Search the web: the call, two results, and a text that cites the first."""
    call = f"srvtoolu_{hashlib.sha256(query.encode()).hexdigest()[:24]}"
    pages = [
        {
            "type": "web_search_result",
            "url": f"https://example.com/{place}",
            "title": f"{query} {place}",
            "encrypted_content": seals.hide(ENCRYPTED, f"{query} {place}"),
            "page_age": "April 30, 2026",
        }
        for place in (1, 2)
    ]
    citation = {
        "type": "web_search_result_location",
        "url": pages[0]["url"],
        "title": pages[0]["title"],
        "encrypted_index": seals.hide("index", query),
        "cited_text": f"All about {query}.",
    }
    return [
        {"type": "server_tool_use", "id": call, "name": "web_search", "input": {"query": query}},
        {"type": "web_search_tool_result", "tool_use_id": call, "content": pages},
        {"type": "text", "text": f"Found {query}.", "citations": [citation]},
    ]


def turns_of(messages: Iterable[Json]) -> Spoken:
    """Cut a conversation into turns; what the system says directs nothing."""
    return Spoken(
        [
            Turn(place, "user" if message["role"] == "user" else "model", _parts(message.get("content", "")))
            for place, message in enumerate(messages)
            if message["role"] != "system"
        ]
    )


def _parts(content: Any) -> list[Json]:
    if isinstance(content, str):
        return [{"text": content}]
    parts: list[Json] = []
    for block in content:
        if block["type"] == "text":
            parts.append({"text": block["text"]})
        elif block["type"] == "tool_result":
            parts.append({"functionResponse": {"response": _result(block.get("content", ""))}})
    return parts


def _result(content: Any) -> Any:
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content)
    try:
        return json.loads(content)
    except ValueError:
        return content
