"""The model list, in the pages that a caller asks for, and single models."""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.errors import InvalidRequest
from gateway.upstream import ModelInfo

from .inbound_answer import encode

__all__ = ["write_model", "write_models"]

_PAGE_MAX: Final = 1000  # Google's; who asks for more gets that many
_METHODS: Final = ("generateContent", "countTokens")


def write_models(models: Sequence[tuple[str, ModelInfo]], query: Mapping[str, str]) -> bytes:
    """Write what follows `pageToken`, the name of a model: `pageSize` models, or all where it is not said or 0."""
    names = [name for name, _ in models]
    key, token = _asked(query, "pageToken", "page_token")
    if token and token not in names:
        raise InvalidRequest(f"{key}: {token[:100]!r} is not a page token of this list", param=key)
    start = names.index(token) + 1 if token else 0
    end = start + (_size(query) or len(models))
    page: dict[str, object] = {"models": [_model(name, info) for name, info in models[start:end]]}
    if start < end < len(models):
        page["nextPageToken"] = names[end - 1]
    return encode(page)


def write_model(name: str, info: ModelInfo) -> bytes:
    """Write one model."""
    return encode(_model(name, info))


def _size(query: Mapping[str, str]) -> int:
    key, size = _asked(query, "pageSize", "page_size")
    if size and not (size.isascii() and size.isdigit()):
        raise InvalidRequest(f"{key}: must be a number from 0 to {_PAGE_MAX}", param=key)
    return _PAGE_MAX if len(size) > len(str(_PAGE_MAX)) else min(int(size or 0), _PAGE_MAX)


def _asked(query: Mapping[str, str], *keys: str) -> tuple[str, str]:
    """Give the key that the caller writes, and what it says; Google reads both spellings."""
    key = next((key for key in keys if key in query), keys[0])
    return key, query.get(key, "")


def _model(name: str, info: ModelInfo) -> dict[str, object]:
    model: dict[str, object] = {
        "name": f"models/{name}",
        "displayName": info.display_name or name,
        "supportedGenerationMethods": info.methods or _METHODS,
    }
    if info.max_input is not None:
        model["inputTokenLimit"] = info.max_input
    if info.max_output is not None:
        model["outputTokenLimit"] = info.max_output
    return model
