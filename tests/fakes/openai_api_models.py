"""The models that the fake serves, and what each of them refuses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from tests.fakes.openai_api_errors import model_not_found

__all__ = ["SERVED", "Model", "describe", "listed", "served"]


@dataclass(frozen=True, kw_only=True)
class Model:
    """What one model takes; `efforts` is empty where there is no reasoning.

    `parallel`: the option of Chat. `verbose`: more than one `verbosity`. `effort`: what it does unless told otherwise.
    `thinks_and_calls`: functions in Chat while it thinks.
    """

    name: str = ""
    use: str = "answers"
    max_output: int = 32_768
    efforts: tuple[str, ...] = ()
    sees: bool = True
    hears: bool = False
    chat: bool = True
    parallel: bool = True
    verbose: bool = False
    effort: str = "medium"
    thinks_and_calls: bool = True

    @property
    def reasons(self) -> bool:
        """Say whether the rules of reasoning models hold."""
        return bool(self.efforts)


_O = Model(max_output=100_000, efforts=("low", "medium", "high"), parallel=False)
_GPT_5 = Model(max_output=128_000, efforts=("minimal", "low", "medium", "high"), verbose=True)
_APART = replace(_GPT_5, thinks_and_calls=False)

# the first pattern that fits
_FACTS: tuple[tuple[str, Model], ...] = (
    ("o3-mini*", replace(_O, sees=False)),
    ("o3-pro*", replace(_O, chat=False)),
    ("o[134]*", _O),
    ("gpt-5-chat*", Model(max_output=16_384)),
    ("gpt-5-pro*", replace(_GPT_5, efforts=("high",), chat=False)),
    ("gpt-5-codex*", replace(_GPT_5, efforts=("low", "medium", "high"), chat=False)),
    ("gpt-5.1*", replace(_GPT_5, efforts=("none", "low", "medium", "high"))),
    ("gpt-5.[23]*", replace(_GPT_5, efforts=("none", "low", "medium", "high", "xhigh"))),
    ("gpt-5.[45]*", replace(_APART, efforts=("none", "low", "medium", "high", "xhigh"), effort="none")),
    ("gpt-5.[6-9]*", replace(_APART, efforts=("none", "low", "medium", "high", "xhigh", "max"))),
    ("gpt-6*", replace(_APART, efforts=("none", "low", "medium", "high", "xhigh", "max"))),
    ("gpt-5*", _GPT_5),
    ("gpt-4o-audio*", Model(max_output=16_384, hears=True, sees=False)),
    ("gpt-4o*", Model(max_output=16_384)),
    ("gpt-4.1*", Model()),
    ("gpt-3.5*", Model(max_output=4096, sees=False)),
    ("text-embedding-*", Model(use="embeds")),
    ("gpt-image-*", Model(use="draws")),
)

SERVED = (
    "gpt-3.5-turbo",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4o",
    "gpt-4o-audio-preview",
    "gpt-5",
    "gpt-5-chat-latest",
    "gpt-5-codex",
    "gpt-5-mini",
    "gpt-5.1",
    "gpt-5.2",
    "gpt-5.4",
    "gpt-5.6-terra",
    "gpt-image-1",
    "o3",
    "o3-mini",
    "o4-mini",
    "text-embedding-3-large",
    "text-embedding-3-small",
)


def describe(name: str) -> Model:
    """Look a name up; an unknown one is a plain model of a server that is only compatible."""
    known = next((model for pattern, model in _FACTS if fnmatchcase(name, pattern)), Model())
    return replace(known, name=name)


def served(name: str, names: Collection[str]) -> Model:
    """Describe a model, or refuse one that is not there."""
    if name not in names:
        raise model_not_found(name)
    return describe(name)


def listed(name: str) -> dict[str, Any]:
    """Write one entry of the list."""
    return {"id": name, "object": "model", "created": 1_744_316_542, "owned_by": "system"}
