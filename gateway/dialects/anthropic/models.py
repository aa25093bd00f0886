"""The model list and single models."""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.errors import InvalidRequest
from gateway.upstream import ModelInfo

from .answer import JSON, encode

__all__ = ["write_model", "write_models"]

_LIMIT: Final = 20
_LIMIT_MAX: Final = 1000
_STAGES: Final = frozenset({"active", "deprecated", "retired"})
_STAGE: Final = "active"  # of every model, as far as is known here
_UNKNOWN: Final = "1970-01-01T00:00:00Z"  # what Anthropic says, too, when a release date is not known


def write_models(models: Sequence[tuple[str, ModelInfo]], query: Mapping[str, str]) -> bytes:
    """Write one page: after `after_id`, or just before `before_id`, or the first; of the stages that are asked for."""
    limit = _limit(query.get("limit"))
    if not _in_use(query):
        models = ()
    names = [name for name, _ in models]
    start, end = 0, len(models)
    if "after_id" in query:
        start = _index(names, query, "after_id") + 1
    if "before_id" in query:
        end = _index(names, query, "before_id")
        start = max(start, end - limit)
    page = models[start : min(end, start + limit)]
    more = start > 0 if "before_id" in query else start + len(page) < end
    data = [_model(name, info) for name, info in page]
    first, last = (page[0][0], page[-1][0]) if page else (None, None)
    return encode({"data": data, "has_more": more, "first_id": first, "last_id": last})


def write_model(name: str, info: ModelInfo) -> bytes:
    """Write one model."""
    return encode(_model(name, info))


def _model(name: str, info: ModelInfo) -> JSON:
    return {
        "type": "model",
        "id": name,
        "display_name": info.display_name or name,
        "created_at": _UNKNOWN,
        "lifecycle": _STAGE,
        "max_input_tokens": info.max_input,
        "max_tokens": info.max_output,
    }


def _limit(value: str | None) -> int:
    if value is None:
        return _LIMIT
    if not (value.isascii() and value.isdigit() and len(value) < 5 and 1 <= int(value) <= _LIMIT_MAX):
        raise InvalidRequest(f"limit: must be a number from 1 to {_LIMIT_MAX}", param="limit")
    return int(value)


def _in_use(query: Mapping[str, str]) -> bool:
    """Tell whether models that are in use are asked for; the official clients write the brackets of a list."""
    asked = {one for key in ("lifecycle", "lifecycle[]") if key in query for one in query[key].split(",")}
    if not asked <= _STAGES:
        raise InvalidRequest(f"lifecycle: must be {', '.join(sorted(_STAGES))}", param="lifecycle[]")
    return not asked or _STAGE in asked


def _index(names: list[str], query: Mapping[str, str], key: str) -> int:
    if query[key] not in names:
        raise InvalidRequest(f"{key}: there is no model {query[key]!r}", param=key)
    return names.index(query[key])
