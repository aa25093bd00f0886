"""The models that the fake serves, and what each of them refuses.

A name is described by the first pattern of `FACTS` that it matches; a name that is not served is a 404, whatever
it looks like.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

Family = Literal["gemini", "claude", "gpt"]

LEVELS = frozenset({"MINIMAL", "LOW", "MEDIUM", "HIGH"})
NO_LEVEL: frozenset[str] = frozenset()
# in the words in which the lack of them is said
FEATURES = frozenset({"Function calling", "Developer instruction", "JSON mode"})
GEMINI_TYPES = ("image/*", "audio/*", "video/*", "text/*", "application/pdf", "application/json")
CLAUDE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "text/plain")


@dataclass(frozen=True, kw_only=True)
class Model:
    """What one model takes; `budget` is None where there is no thinking at all. `lacks`: of the `FEATURES`."""

    name: str = ""
    family: Family = "gemini"
    max_output: int = 65536
    context: int = 1048576
    budget: tuple[int, int] | None = (128, 32768)
    zero: bool = False
    budgets: bool = True
    levels: frozenset[str] = LEVELS
    signed_calls: bool = True
    numbered_calls: bool = True
    json_with_tools: bool = True
    prefills: bool = True
    draws: bool = False
    lacks: frozenset[str] = frozenset()
    media: tuple[str, ...] = GEMINI_TYPES

    @property
    def is_claude(self) -> bool:
        """Say whether Anthropic's rules hold."""
        return self.family == "claude"

    @property
    def internal(self) -> bool:
        """Say whether lists should hide it."""
        return self.name.startswith(("tab_", "chat_"))


_CLAUDE = Model(
    family="claude",
    max_output=64000,
    context=200000,
    budget=(1024, 64000),
    zero=True,
    levels=NO_LEVEL,
    signed_calls=False,
    media=CLAUDE_TYPES,
)
_GPT = Model(
    family="gpt",
    max_output=32768,
    context=114000,
    budget=None,
    levels=NO_LEVEL,
    signed_calls=False,
    media=(),
)
# the 2.5 line takes budgets, no levels, and its output limit is one less than a power of two
_GEMINI_2 = Model(max_output=65535, levels=NO_LEVEL, signed_calls=False, json_with_tools=False)
_DRAWING = Model(draws=True, lacks=FEATURES, budget=(1, 65535))

FACTS: tuple[tuple[str, Model], ...] = (
    ("claude-*", _CLAUDE),
    ("gpt-oss-*", _GPT),
    ("gemini-2.5-pro*", _GEMINI_2),
    ("gemini-2.5-flash-lite*", replace(_GEMINI_2, budget=(512, 24576), zero=True)),
    ("gemini-2*", replace(_GEMINI_2, budget=(1, 24576), zero=True)),
    ("gemini-*-image*", _DRAWING),
    ("gemini-3-pro*", Model(levels=frozenset({"LOW", "HIGH"}))),
    ("gemini-*pro*", Model(levels=frozenset({"LOW", "MEDIUM", "HIGH"}))),
    ("gemini-3.5-flash-lite*", Model(budget=(1, 65535), prefills=False)),
    ("gemini-3.6-flash*", Model(budget=(1, 65535), prefills=False)),
    ("gemini-3.[78]-flash*", Model(budget=(1, 65535), levels=frozenset({"LOW", "MEDIUM", "HIGH"}), prefills=False)),
    ("*", Model(budget=(1, 65535))),
)

ANTIGRAVITY = (
    "claude-opus-4-5-thinking",
    "claude-opus-4-6-thinking",
    "claude-sonnet-4-5",
    "claude-sonnet-4-5-thinking",
    "claude-sonnet-4-6",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-2.5-flash-thinking",
    "gemini-2.5-pro",
    "gemini-3-flash",
    "gemini-3-flash-agent",
    "gemini-3-pro-high",
    "gemini-3-pro-image",
    "gemini-3-pro-low",
    "gemini-3.1-flash-image",
    "gemini-3.1-flash-lite",
    "gemini-3.1-pro-high",
    "gemini-3.1-pro-low",
    "gemini-3.5-flash-extra-low",
    "gemini-3.5-flash-low",
    "gemini-3.6-flash-high",
    "gemini-3.7-flash-high",
    "gemini-pro-agent",
    "gpt-oss-120b-medium",
    "tab_flash_lite_preview",
)
# what the other client of the service asks for; known from its quota buckets only
GEMINI_CLI = (
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-2.5-pro",
    "gemini-3-flash-preview",
    "gemini-3-pro-preview",
    "gemini-3.1-pro-preview",
)
SEARCHING = ("gemini-3.1-flash-lite", "gemini-2.5-flash")
DEPRECATED = {"gemini-3-pro-high": {"newModelId": "gemini-pro-agent"}}
RESET_TIME = "2026-11-20T12:00:00Z"


def describe(name: str) -> Model:
    """Look a name up in `FACTS`."""
    return replace(next(model for pattern, model in FACTS if fnmatchcase(name, pattern)), name=name)


def listed(model: Model, remaining: float | None, reset: str = RESET_TIME) -> dict[str, Any]:
    """Write one entry of `fetchAvailableModels`; a quota without `remainingFraction` is used up."""
    quota = {"resetTime": reset} | ({} if remaining is None else {"remainingFraction": remaining})
    entry: dict[str, Any] = {
        "displayName": model.name if model.internal else model.name.replace("-", " ").title(),
        "supportsImages": "image/png" in model.media or "image/*" in model.media,
        "supportsThinking": model.budget is not None,
        "maxTokens": model.context,
        "maxOutputTokens": model.max_output,
        "quotaInfo": quota,
    }
    if model.internal:
        entry["isInternal"] = True
    return entry


def accepts(model: Model, mime_type: str) -> bool:
    """Say whether the model reads this media type."""
    return any(fnmatchcase(mime_type, pattern) for pattern in model.media)
