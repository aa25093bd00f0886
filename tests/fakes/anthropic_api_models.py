"""The models that the fake serves, and what each of them takes."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from tests.fakes.anthropic_api_errors import error

__all__ = ["SERVED", "Model", "describe", "listed", "served"]

LEVELS = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, kw_only=True)
class Model:
    """What one model takes.

    `sampling`: "one" of temperature and top_p, or "none". `forced`: whether it can be made to call a tool. `shows`:
    whether thoughts come back unless asked otherwise. `echoes`: another vendor's, which signs no thoughts and wants
    them back, with "all" of its answers or with "calls".
    """

    name: str = ""
    title: str = ""
    line: str = "opus"
    made: str = "2026-09-15T00:00:00Z"
    retires: str | None = None
    max_output: int = 128_000
    max_input: int = 1_000_000
    thinking: tuple[str, ...] = ("adaptive", "disabled", "between_tools")
    efforts: tuple[str, ...] = LEVELS
    sampling: str = "none"
    forced: bool = True
    prefills: bool = False
    shows: bool = False
    inline_system: bool = True
    echoes: str = ""

    @property
    def lifecycle(self) -> str:
        """Say in which stage of its life it is."""
        return "deprecated" if self.retires else "active"

    def thinks_by(self, kind: str) -> bool:
        """Say whether this type of thinking can be asked for."""
        return kind in self.thinking


_FOUR_5 = Model(
    max_output=64_000,
    max_input=200_000,
    thinking=("enabled", "disabled"),
    efforts=(),
    sampling="one",
    prefills=True,
    shows=True,
    inline_system=False,
)
_FOUR_6 = replace(
    _FOUR_5,
    max_output=128_000,
    thinking=("enabled", "adaptive", "disabled"),
    efforts=("low", "medium", "high", "max"),
    prefills=False,
)
_FOUR_7 = Model(thinking=("adaptive", "disabled"), inline_system=False)
_ALWAYS = Model(thinking=("adaptive",))
_UNFORCED = replace(_ALWAYS, forced=False)

# the first pattern that fits
_FACTS: tuple[tuple[str, Model], ...] = (
    ("claude-haiku-4-5*", replace(_FOUR_5, line="haiku", made="2025-10-15T00:00:00Z")),
    (
        "claude-sonnet-4-5*",
        replace(_FOUR_5, line="sonnet", made="2025-09-29T00:00:00Z", retires="2026-11-30T00:00:00Z"),
    ),
    ("claude-opus-4-5*", replace(_FOUR_5, efforts=("low", "medium", "high"), made="2025-11-24T00:00:00Z")),
    ("claude-sonnet-4-6*", replace(_FOUR_6, line="sonnet", max_output=64_000, made="2026-02-17T00:00:00Z")),
    ("claude-opus-4-6*", replace(_FOUR_6, made="2026-02-05T00:00:00Z")),
    ("claude-opus-4-7*", replace(_FOUR_7, made="2026-04-16T00:00:00Z")),
    ("claude-opus-4-8*", replace(_FOUR_7, made="2026-05-28T00:00:00Z", inline_system=True)),
    ("claude-opus-5-5*", _UNFORCED),
    ("claude-haiku-*", Model(line="haiku")),
    ("claude-sonnet-5-5*", replace(_UNFORCED, line="sonnet", thinking=("adaptive", "between_tools"))),
    ("claude-sonnet-*", Model(line="sonnet")),
    ("claude-fable-5-[1-9]", replace(_UNFORCED, line="fable")),
    ("claude-mythos-5-[1-9]", replace(_UNFORCED, line="mythos")),
    ("claude-fable-*", replace(_ALWAYS, line="fable")),
    ("claude-mythos-*", replace(_ALWAYS, line="mythos")),
    ("deepseek-v4-*", replace(_FOUR_5, line="", echoes="all")),
    ("kimi-k2.7-code", replace(_FOUR_5, line="", echoes="calls", thinking=("enabled",))),
    ("kimi-k2.*", replace(_FOUR_5, line="", echoes="calls")),
    ("*", Model()),
)

SERVED = (
    "claude-fable-5-2",
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-sonnet-5",
    "claude-fable-5",
    "claude-opus-5",
    "claude-opus-4-8",
    "claude-opus-4-7",
    "claude-sonnet-4-6",
    "claude-opus-4-6",
    "claude-opus-4-5-20251101",
    "claude-haiku-4-5-20251001",
    "claude-sonnet-4-5-20250929",
)


def describe(name: str) -> Model:
    """Look a name up; an unknown one is like the newest."""
    known = next(model for pattern, model in _FACTS if fnmatchcase(name, pattern))
    words = [step for step in name.split("-")[1:] if len(step) < 8]
    title = " ".join(["Claude", *[step.capitalize() for step in words if not step.isdigit()]])
    return replace(known, name=name, title=f"{title} {'.'.join(step for step in words if step.isdigit())}".strip())


def served(name: str, names: Collection[str]) -> Model:
    """Describe a model by its name or its alias without a date, or refuse one that is not there."""
    dated = next((one for one in names if re.fullmatch(rf"{re.escape(name)}(-\d{{8}})?", one)), "")
    if not dated:
        raise error(404, f"model: {name}")
    return describe(dated)


def listed(model: Model) -> dict[str, Any]:
    """Write one entry of the list."""
    efforts = {level: _yes(level in model.efforts) for level in LEVELS}
    kinds = {kind: _yes(model.thinks_by(kind)) for kind in ("adaptive", "between_tools", "disabled", "enabled")}
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.title,
        "created_at": model.made,
        "lifecycle": model.lifecycle,
        "line": model.line,
        "deprecated_at": "2026-09-15T00:00:00Z" if model.retires else None,
        "retires_at": model.retires,
        "max_input_tokens": model.max_input,
        "max_tokens": model.max_output,
        "capabilities": {
            **{name: _yes(True) for name in ("batch", "citations", "code_execution", "image_input", "pdf_input")},
            "structured_outputs": _yes(True),
            "context_management": {**_yes(True), "clear_tool_uses_20250919": _yes(True)},
            "effort": {**_yes(bool(model.efforts)), **efforts},
            "server_tools": {**_yes(True), "code_execution": _yes(True), "web_search": _yes(True)},
            "thinking": {**_yes(True), "types": kinds},
        },
    }


def _yes(answer: bool) -> dict[str, bool]:
    return {"supported": answer}
