"""One call that has the right shape, and whom it asks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.fakes.anthropic_api_models import Model
from tests.fakes.anthropic_api_seals import Seals

__all__ = ["Asked", "blocks"]

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One body, its model, and the betas that came with it."""

    body: Json
    model: Model
    betas: frozenset[str]
    seals: Seals
    vertex: bool = False
    counting: bool = False

    @property
    def messages(self) -> list[Json]:
        """Give the messages."""
        messages: list[Json] = self.body["messages"]
        return messages

    @property
    def tools(self) -> list[Json]:
        """Give the tools."""
        return self.body.get("tools") or []

    @property
    def config(self) -> Json:
        """Give `output_config`."""
        return self.body.get("output_config") or {}

    @property
    def thinking(self) -> str:
        """Say which type of thinking is asked for."""
        return (self.body.get("thinking") or {}).get("type") or ""

    @property
    def thinks(self) -> bool:
        """Say whether the model thinks."""
        return self.thinking in {"enabled", "adaptive"}

    @property
    def shows_thoughts(self) -> bool:
        """Say whether the text of thoughts comes back."""
        display = (self.body.get("thinking") or {}).get("display")
        return self.model.shows if display is None else display != "omitted"

    @cached_property
    def loop(self) -> list[tuple[int, Json]]:
        """Take the messages, with their places, that follow the last one in which a person speaks."""
        loop: list[tuple[int, Json]] = []
        for place, message in enumerate(self.messages):
            results = any(block["type"] == "tool_result" for block in blocks(message))
            loop = [] if message["role"] == "user" and not results else [*loop, (place, message)]
        return loop

    @property
    def in_loop(self) -> bool:
        """Say whether results of tools came last."""
        return any(message["role"] == "user" for _, message in self.loop)


def blocks(message: Json) -> list[Json]:
    """Give the blocks of a message; a string is one of text."""
    content = message.get("content", "")
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
