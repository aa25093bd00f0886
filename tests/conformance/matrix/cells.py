"""The cells of the matrix: what is asked, what the caller must hear, and what the upstream must have got."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.conformance.matrix.upstreams import Upstream
from tests.conformance.matrix.wishes import Wish
from tests.conformance.openai_api import SCHEMA

__all__ = ["CELLS", "ENDS", "FIRST", "LONG", "Cell", "Turn"]

Json = dict[str, Any]
End = Literal["itself", "calls", "limit", "withheld", "sequence"]
Failing = Literal["", "before", "after"]

FIRST, LONG = "first", "first and more words than one"
RULE = "be brief"
# how each dialect says that an answer ended
ENDS: dict[str, dict[End, str]] = {
    "openai-chat": {"itself": "stop", "calls": "tool_calls", "limit": "length", "withheld": "content_filter"},
    "openai-responses": {
        "itself": "completed",
        "calls": "completed",
        "limit": "max_output_tokens",
        "withheld": "content_filter",
    },
    "anthropic": {
        "itself": "end_turn",
        "calls": "tool_use",
        "limit": "max_tokens",
        "withheld": "refusal",
        "sequence": "stop_sequence",
    },
    "gemini": {"itself": "STOP", "calls": "STOP", "limit": "MAX_TOKENS", "withheld": "SAFETY"},
    "ai": {  # the npm package, in whose words they all are one
        "itself": "stop",
        "calls": "tool-calls",
        "limit": "length",
        "withheld": "content-filter",
        "sequence": "stop",
    },
}


@dataclass(frozen=True)
class Turn:
    """What one answer says; `refused`: the status of one that is none; `mended`: the upstream may refuse it first."""

    text: str = ""
    calls: Sequence[tuple[str, Json]] = ()
    end: End = "itself"
    thoughts: str = ""
    refused: int | None = None
    mended: bool = False


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is asked, beside the model, and what comes of it.

    `finds`: by which of the upstream's reader, and what, in the last request; `told`: the losses that the header of the
    last answer counts; `fails`: the upstream does, before the first byte or after it; `leaves`: the caller does.
    """

    script: str
    wish: Json = field(default_factory=dict)
    hears: Sequence[Turn] = ()
    finds: tuple[str, Any] | None = None
    sealed: bool = False
    told: int = 0
    fails: Failing = ""
    leaves: bool = False

    def asks(self, upstream: Upstream, *, stream: bool) -> Wish:
        """Make the wish; who leaves a whole answer leaves before it begins."""
        script = f"!slow 60\n{self.script}" if self.leaves and not stream else self.script
        told = {"{stopped}": upstream.stopped, "{error}": upstream.error, "{opening}": str(upstream.opening + 1)}
        for name, value in told.items():
            script = script.replace(name, value)
        model = upstream.asked(thinking=bool(self.wish.get("thinks")))
        return Wish(text=script, model=model, adaptive=upstream.adaptive, **self.wish)


ONE, TWO = ("f", {"a": 1}), ("g", {"a": 2})
_ONE, _TWO = '!tool f {"a": 1}', '!tool g {"a": 2}'
_DONE = Turn("done")

CELLS: dict[str, Cell] = {
    "text": Cell(script=f"!say {LONG}", hears=[Turn(LONG)]),
    "system": Cell(script="!say a", wish={"system": RULE}, hears=[Turn("a")], finds=("system", RULE)),
    "image": Cell(script="!say seen", wish={"picture": True}, hears=[Turn("seen")], finds=("media", ["picture"])),
    "document": Cell(script="!say read", wish={"document": True}, hears=[Turn("read")], finds=("media", ["document"])),
    "one tool": Cell(
        script=f"!say ok\n{_ONE}\n!then\n!say done",
        wish={"tools": ["f"], "results": ["4"]},
        hears=[Turn("ok", [ONE], "calls"), _DONE],
        finds=("results", ["4"]),
    ),
    "parallel tools": Cell(
        script=f"{_ONE}\n{_TWO}\n!then\n!say done",
        wish={"tools": ["f", "g"], "results": ["4", "5"]},
        hears=[Turn("", [ONE, TWO], "calls"), _DONE],
        finds=("results", ["4", "5"]),
    ),
    "tool result with image": Cell(
        script=f"{_ONE}\n!then\n!say seen",
        wish={"tools": ["f"], "results": ["shot"], "shown": True},
        hears=[Turn("", [ONE], "calls"), Turn("seen")],
        finds=("media", ["picture"]),
    ),
    "forced tool": Cell(
        script=_ONE,
        wish={"tools": ["f", "g"], "forced": "f"},
        hears=[Turn("", [ONE], "calls")],
        finds=("forced", "f"),
    ),
    "thinking": Cell(
        script=f"!think hm\n{_ONE}\n!then\n!say done",
        wish={"tools": ["f"], "thinks": True, "results": ["4"]},
        hears=[Turn("", [ONE], "calls", "hm"), _DONE],
        finds=("results", ["4"]),
        sealed=True,
    ),
    "structured output": Cell(
        script='!say {"city":"Rome"}',
        wish={"schema": SCHEMA},
        hears=[Turn('{"city":"Rome"}')],
        finds=("schema", SCHEMA),
    ),
    "stop": Cell(script="!say {stopped}", wish={"stop": ["END"]}, hears=[Turn("one")], finds=("stop", ["END"])),
    "length": Cell(
        script="!say a\n!finish MAX_TOKENS",
        wish={"limit": 100},
        hears=[Turn("a", end="limit")],
        finds=("limit", 100),
    ),
    "refusal": Cell(script="!say no\n!finish SAFETY", hears=[Turn("no", end="withheld")]),
    "error before": Cell(script="!error {error}", fails="before"),
    "error after": Cell(script=f"!say {LONG}\n!drop {{opening}}", fails="after"),
    "caller leaves": Cell(script=f"!say {FIRST} {'word ' * 50}\n!acked", leaves=True),
}
