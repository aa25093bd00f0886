"""How the public API takes a history: as the SDK's chats send it back, chunk by chunk.

Several contents of the model after each other are one turn, and empty text is data where the model said it. A content
without a role is the user's.
"""

from __future__ import annotations

from itertools import groupby

from tests.fakes.v1internal_call import Call, Json
from tests.fakes.v1internal_turns import has_data, refuse_empty

__all__ = ["data_present", "joined", "with_roles"]


def with_roles(contents: list[Json]) -> list[Json]:
    """Give contents without a role to the user."""
    return [content | {"role": content.get("role") or "user"} for content in contents]


def joined(contents: list[Json]) -> list[Json]:
    """Join what the model said in one turn."""
    turns: list[Json] = []
    for role, group in groupby(contents, key=lambda content: content["role"]):
        if role == "model":
            parts = [part for content in group for part in content.get("parts") or []]
            turns.append({"role": role, "parts": parts})
        else:
            turns += group
    return turns


def data_present(call: Call) -> None:
    """A part has data."""
    refuse_empty(
        [
            f"contents[{turn.index}].parts[{place}]"
            for turn in call.turns
            for place, part in enumerate(turn.parts)
            if not has_data(part, lenient=turn.role == "model")
        ]
    )
