"""The models that the fake serves, as the public API lists them, and what each of them refuses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from tests.fakes import v1internal_models as shared
from tests.fakes.gemini_api_errors import model_not_found
from tests.fakes.v1internal_models import FEATURES, NO_LEVEL, Model

__all__ = ["SERVED", "describe", "draws_alone", "embeds", "listed", "served"]

GENERATING = ("generateContent", "countTokens", "createCachedContent", "batchGenerateContent")
EMBEDDING = ("embedContent", "countTextTokens", "countTokens", "asyncBatchEmbedContent")
# the calls that each kind of model takes; the names above are what the list says of it
_GENERATES = frozenset({"generateContent", "streamGenerateContent", "countTokens", "createCachedContent"})
_EMBEDS = frozenset({"embedContent", "batchEmbedContents", "countTokens"})
_PREDICTS = frozenset({"predict"})

# the 2.5 line takes budgets and no levels, and its calls have neither signatures nor ids
_GEMINI_2 = Model(max_output=65536, levels=NO_LEVEL, signed_calls=False, numbered_calls=False, json_with_tools=False)
# Gemma signs nothing; that before 4 neither thinks nor takes anything but words and pictures
_GEMMA = Model(max_output=32768, context=262144, signed_calls=False, numbered_calls=False, json_with_tools=False)
_FACTS: tuple[tuple[str, Model], ...] = (
    ("gemini-embedding-*", Model(max_output=1, context=2048, budget=None, levels=NO_LEVEL)),
    ("imagen-*", Model(max_output=8192, context=480, budget=None, levels=NO_LEVEL)),
    ("gemini-4-hydrogen*", Model(levels=frozenset({"LOW", "MEDIUM", "HIGH", "XHIGH"}), prefills=False)),
    ("gemini-4-*", Model(levels=frozenset({"LOW", "MEDIUM", "HIGH"}), prefills=False)),
    ("gemma-3*", replace(_GEMMA, max_output=8192, context=131072, budget=None, levels=NO_LEVEL, lacks=FEATURES)),
    ("gemma-4*", replace(_GEMMA, levels=frozenset({"MINIMAL", "HIGH"}), budgets=False)),
    ("gemini-2*-image*", replace(_GEMINI_2, draws=True, lacks=FEATURES, max_output=32768, budget=None)),
    ("gemini-2*-pro*", _GEMINI_2),
    ("gemini-2*-flash-lite*", replace(_GEMINI_2, budget=(512, 24576), zero=True)),
    ("gemini-2*", replace(_GEMINI_2, budget=(1, 24576), zero=True)),
)
_LATEST = {"gemini-flash-latest": "gemini-3.6-flash", "gemini-pro-latest": "gemini-3.1-pro-preview"}

SERVED = (
    "gemini-2.5-flash",
    "gemini-2.5-flash-image",
    "gemini-2.5-flash-lite",
    "gemini-2.5-pro",
    "gemini-3-flash-preview",
    "gemini-3-pro-image-preview",
    "gemini-3-pro-preview",
    "gemini-3.1-flash-lite",
    "gemini-3.1-pro-preview",
    "gemini-3.5-flash",
    "gemini-3.6-flash",
    "gemini-3.7-flash",
    "gemini-3.8-flash",
    "gemini-4-argon",
    "gemini-4-hydrogen",
    "gemini-embedding-001",
    "gemini-flash-latest",
    "gemini-pro-latest",
    "gemma-3-27b-it",
    "gemma-4-31b-it",
    "imagen-4.0-generate-001",
)


def describe(name: str) -> Model:
    """Look a name up; a `latest` one is the model it stands for."""
    name = _LATEST.get(name, name)
    known = next((model for pattern, model in _FACTS if fnmatchcase(name, pattern)), None)
    return shared.describe(name) if known is None else replace(known, name=name)


def embeds(name: str) -> bool:
    """Say whether this model embeds, and does not generate."""
    return name.startswith("gemini-embedding-")


def draws_alone(name: str) -> bool:
    """Say whether this model draws by `predict`, and does nothing else."""
    return name.startswith("imagen-")


def served(name: str, method: str, names: Collection[str], version: str) -> Model:
    """Describe the model of a resource name, or refuse one that is not there or not for this method."""
    folder, _, given = name.partition("/")
    takes = _EMBEDS if embeds(given) else _PREDICTS if draws_alone(given) else _GENERATES
    if folder != "models" or given not in names or method not in takes:
        raise model_not_found(name, method, version)
    return describe(given)


def _methods(name: str) -> tuple[str, ...]:
    return EMBEDDING if embeds(name) else tuple(_PREDICTS) if draws_alone(name) else GENERATING


def listed(name: str) -> dict[str, Any]:
    """Write one entry of the list."""
    model = describe(name)
    entry: dict[str, Any] = {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "description": f"Stands for {name}.",
        "inputTokenLimit": model.context,
        "outputTokenLimit": model.max_output,
        "supportedGenerationMethods": list(_methods(name)),
    }
    if _methods(name) is GENERATING:
        entry |= {"temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2}
    return entry if model.budget is None else entry | {"thinking": True}
