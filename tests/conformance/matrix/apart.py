"""The cells that cannot be as the others are, with the reason, and what is in their place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.conformance.matrix.cells import CELLS, ONE, Cell, Turn
from tests.conformance.matrix.upstreams import UPSTREAMS

__all__ = ["APART", "CHAT_UPSTREAMS", "Apart", "cell_of", "differing"]

Json = dict[str, Any]

DIALECTS = frozenset({"openai-chat", "openai-responses", "anthropic", "gemini"})
CHAT_UPSTREAMS = frozenset({"openai-chat", "azure", "azure-v1"})
OWN_CLAUDE = frozenset({"anthropic", "anthropic-adaptive", "vertex-claude"})


@dataclass(frozen=True, kw_only=True)
class Apart:
    """Some cells of one name: why they are apart, and what differs."""

    cell: str
    why: str
    dialects: Collection[str] = DIALECTS
    upstreams: Collection[str] = field(default_factory=lambda: frozenset(UPSTREAMS))
    differs: Json

    def holds(self, dialect: str, upstream: str, cell: str) -> bool:
        """Say whether this cell is one of them."""
        return cell == self.cell and dialect in self.dialects and upstream in self.upstreams


APART: tuple[Apart, ...] = (
    Apart(
        cell="tool result with image",
        why="a tool message of Chat holds texts only: once OpenAI's says no by itself, the user shows the picture",
        dialects={"openai-chat"},
        upstreams=CHAT_UPSTREAMS,
        differs={"hears": [Turn("", [ONE], "calls"), Turn("seen", mended=True)]},
    ),
    Apart(
        cell="thinking",
        why="OpenAI's Chat Completions shows no thoughts, and seals none",
        upstreams=CHAT_UPSTREAMS,
        differs={"hears": [Turn("", [ONE], "calls"), Turn("done")], "sealed": False},
    ),
    Apart(
        cell="structured output",
        why="Claude has no schema of an answer at Code Assist: it is the arguments of a tool that must be called",
        upstreams={"v1internal-claude"},
        differs={
            "script": '!tool structured_output {"city": "Rome"}',
            "finds": ("forced", "structured_output"),
            "told": 1,
        },
    ),
    Apart(
        cell="forced tool",
        why="the newest Claude cannot be forced to call a tool: it may call one, and the caller is told",
        upstreams={"anthropic-adaptive"},
        differs={"finds": ("forced", ""), "told": 1},
    ),
    Apart(
        cell="stop",
        why="Responses has no stop sequences, so such an upstream hears of none, and the caller is told",
        dialects=DIALECTS - {"openai-responses"},
        upstreams={"openai-responses"},
        differs={"finds": ("stop", []), "told": 1},
    ),
    Apart(
        cell="stop",
        why="Responses has no stop sequences, so its callers ask for none: an unknown field is a hint",
        dialects={"openai-responses"},
        upstreams=frozenset(UPSTREAMS) - {"openai-responses"},
        differs={"script": "!say one", "finds": ("stop", [])},
    ),
    Apart(
        cell="stop",
        why="Responses has no stop sequences, and its own upstream says no to an unknown field by itself",
        dialects={"openai-responses"},
        upstreams={"openai-responses"},
        differs={"hears": [Turn(refused=400)], "finds": None},
    ),
    Apart(
        cell="stop",
        why="only Anthropic tells that a stop sequence made the end, and only its callers can be told",
        dialects={"anthropic"},
        upstreams=OWN_CLAUDE,
        differs={"hears": [Turn("one", end="sequence")]},
    ),
)


def cell_of(dialect: str, upstream: str, cell: str) -> Cell:
    """Give a cell as it is for this pair."""
    return differing(CELLS[cell], APART, dialect, upstream, cell)


def differing(asked: Cell, apart: Sequence[Apart], dialect: str, upstream: str, cell: str) -> Cell:
    """Change a cell as a table says."""
    differs = [one.differs for one in apart if one.holds(dialect, upstream, cell)]
    return replace(asked, **differs[0]) if differs else asked
