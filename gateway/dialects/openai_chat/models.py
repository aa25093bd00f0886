"""The small answers: model lists and token counts."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gateway.upstream import ModelInfo

__all__ = ["write_count", "write_model", "write_models"]

_CREATED: Final = 1_700_000_000  # upstreams do not say; clients want a number


class _Model(Struct, kw_only=True):
    id: str
    object: str = "model"
    created: int = _CREATED
    owned_by: str


class _Models(Struct, kw_only=True):
    object: str = "list"
    data: list[_Model]
    models: list[None] | UnsetType = UNSET


class _Count(Struct, kw_only=True):
    object: str = "response.input_tokens"
    input_tokens: int


_encode: Final = msgspec.json.Encoder().encode


def write_models(models: Sequence[tuple[str, ModelInfo]], query: Mapping[str, str]) -> bytes:
    """Write the list; this dialect does not page it.

    Codex, which tells its version, looks for the prompts and tools that OpenAI has for each model; here are none.
    """
    codex: list[None] | UnsetType = [] if "client_version" in query else UNSET
    return _encode(_Models(data=[_model(name) for name, _ in models], models=codex))


def write_model(name: str) -> bytes:
    """Write one model."""
    return _encode(_model(name))


def write_count(tokens: int) -> bytes:
    """Write a count as OpenAI does for Responses; Chat has none of its own."""
    return _encode(_Count(input_tokens=tokens))


def _model(name: str) -> _Model:
    upstream, slash, _ = name.partition("/")
    return _Model(id=name, owned_by=upstream if slash else "gateway")
