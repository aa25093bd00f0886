"""The models of Code Assist: a table that is shipped, what the service lists itself, and what is left of each.

fetchAvailableModels   {"models": {ID: {…, "quotaInfo": {"remainingFraction", "resetTime"}}}}
retrieveUserQuota      {"buckets": [{"modelId", "remainingFraction", "resetTime"}]}
retrieveUserQuotaSummary
                       {"groups": [{"displayName", "buckets": [{"bucketId", "window", "remainingFraction", …}]}]}
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway.adapters.model_list import Catalogue
from gateway.dialects.gemini.wire import epoch
from gateway.dialects.raw import read, require
from gateway.store.known import Quota
from gateway.upstream import ModelInfo

__all__ = ["SHIPPED", "read_bucket_models", "read_buckets", "read_groups", "read_models", "read_quota"]

_INTERNAL: Final = ("chat_", "tab_")
_TIERED: Final = "-tiered"  # thinks as much as it is asked to; its siblings have a level in their names


def _table(rows: Iterable[tuple[str, str, int, int, bool]]) -> dict[str, ModelInfo]:
    return {
        name: ModelInfo(id=name, display_name=shown, max_input=context, max_output=output, thinking=thinking)
        for name, shown, context, output, thinking in rows
    }


_M: Final = 1_048_576
_CLAUDE: Final = 200_000

SHIPPED: Final[Mapping[str, ModelInfo]] = _table(
    (
        ("claude-opus-4-6-thinking", "Claude Opus 4.6 (Thinking)", _CLAUDE, 64_000, True),
        ("claude-sonnet-4-6", "Claude Sonnet 4.6", _CLAUDE, 64_000, True),
        ("claude-opus-4-5-thinking", "Claude Opus 4.5 (Thinking)", _CLAUDE, 64_000, True),
        ("claude-sonnet-4-5", "Claude Sonnet 4.5", _CLAUDE, 64_000, True),
        ("claude-sonnet-4-5-thinking", "Claude Sonnet 4.5 (Thinking)", _CLAUDE, 64_000, True),
        ("gemini-2.5-flash", "Gemini 2.5 Flash", _M, 65_535, True),
        ("gemini-2.5-flash-lite", "Gemini 2.5 Flash Lite", _M, 65_535, True),
        ("gemini-2.5-flash-thinking", "Gemini 2.5 Flash (Thinking)", _M, 65_535, True),
        ("gemini-2.5-pro", "Gemini 2.5 Pro", _M, 65_535, True),
        ("gemini-3-flash", "Gemini 3 Flash", _M, 65_536, True),
        ("gemini-3-flash-agent", "Gemini 3 Flash Agent", _M, 65_536, True),
        ("gemini-3-pro-low", "Gemini 3 Pro (Low)", _M, 65_536, True),
        ("gemini-3-pro-high", "Gemini 3 Pro (High)", _M, 65_536, True),
        ("gemini-3-pro-image", "Gemini 3 Pro Image", _M, 65_536, False),
        ("gemini-3.1-pro-low", "Gemini 3.1 Pro (Low)", _M, 65_536, True),
        ("gemini-3.1-pro-high", "Gemini 3.1 Pro (High)", _M, 65_536, True),
        ("gemini-3.1-flash-lite", "Gemini 3.1 Flash Lite", _M, 65_536, True),
        ("gemini-3.1-flash-image", "Gemini 3.1 Flash Image", _M, 65_536, False),
        ("gemini-3.5-flash-low", "Gemini 3.5 Flash (Low)", _M, 65_536, True),
        ("gemini-3.5-flash-extra-low", "Gemini 3.5 Flash (Extra Low)", _M, 65_536, True),
        ("gemini-3.6-flash-high", "Gemini 3.6 Flash (High)", _M, 65_536, True),
        ("gemini-3.7-flash-high", "Gemini 3.7 Flash (High)", _M, 65_536, True),
        ("gemini-pro-agent", "Gemini Pro Agent", _M, 65_536, True),
        ("gpt-oss-120b-medium", "GPT-OSS 120B (Medium)", 114_000, 32_768, False),
        # asked for by the other client of the service
        ("gemini-3-flash-preview", "Gemini 3 Flash Preview", _M, 65_536, True),
        ("gemini-3-pro-preview", "Gemini 3 Pro Preview", _M, 65_536, True),
        ("gemini-3.1-pro-preview", "Gemini 3.1 Pro Preview", _M, 65_536, True),
    )
)


class _Left(Struct, rename="camel"):
    remaining_fraction: float | None = None
    reset_time: str | None = None


class _Bucket(_Left, rename="camel"):
    model_id: str | None = None


class _Listed(Struct, rename="camel"):
    quota_info: _Left | None = None
    display_name: str | None = None
    max_tokens: int | None = None
    max_output_tokens: int | None = None
    supports_thinking: bool | None = None
    is_internal: bool | None = None


class _Renamed(Struct, rename="camel"):
    new_model_id: str = ""


class _Available(Struct, rename="camel"):
    models: dict[str, Raw] = {}
    deprecated_model_ids: dict[str, _Renamed] | None = None


class _Buckets(Struct):
    buckets: list[_Bucket] = []


class _Shared(_Left, rename="camel"):
    bucket_id: str | None = None
    window: str | None = None
    display_name: str | None = None


class _Group(Struct, rename="camel"):
    display_name: str | None = None
    buckets: list[_Shared] | None = None


class _Summary(Struct):
    groups: list[_Group] = []


_SUMMARY: Final = msgspec.json.Decoder(_Summary, strict=False)
_AVAILABLE: Final = msgspec.json.Decoder(_Available, strict=False)
_LISTED: Final = msgspec.json.Decoder(_Listed, strict=False)
_BUCKETS: Final = msgspec.json.Decoder(_Buckets, strict=False)


def read_models(body: bytes) -> Catalogue:
    """Read the answer to fetchAvailableModels without what is only for Google's own clients; ValueError."""
    available = require(body, _AVAILABLE)
    known = _known(available)
    shown = {name: _info(name, listed) for name, listed in known.items() if _is_public(name, listed)}
    renamed = {name.removesuffix(_TIERED): name for name in known if name.endswith(_TIERED)}
    renamed |= {
        old: new.new_model_id for old, new in (available.deprecated_model_ids or {}).items() if new.new_model_id
    }
    return Catalogue(_some(shown), renamed)


def read_quota(body: bytes, now: float) -> dict[str, Quota]:
    """Read from the same answer what is left for each model; ValueError."""
    listed = _known(require(body, _AVAILABLE)).items()
    given = {name: _quota(one.quota_info, now) for name, one in listed if one.quota_info is not None}
    return {name: quota for name, quota in given.items() if quota is not None}


def read_buckets(body: bytes, now: float) -> dict[str, Quota]:
    """Read the answer to retrieveUserQuota; ValueError. Of several limits of a model the one with the least left."""
    found: dict[str, Quota] = {}
    for bucket in require(body, _BUCKETS).buckets:
        quota = _quota(bucket, now)
        if bucket.model_id and quota is not None:
            known = found.get(bucket.model_id)
            found[bucket.model_id] = quota if known is None else min(known, quota, key=lambda one: one.remaining)
    return found


def read_groups(body: bytes, now: float) -> dict[str, Quota]:
    """Read the answer to retrieveUserQuotaSummary, by the names of the groups and of their windows; ValueError."""
    found: dict[str, Quota] = {}
    for group in require(body, _SUMMARY).groups:
        for bucket in group.buckets or ():
            window = bucket.window or bucket.display_name or ""
            name = f"{group.display_name}, {window}" if group.display_name and window else bucket.bucket_id
            quota = _quota(bucket, now, group=True)
            if name and quota is not None:
                found[name] = quota
    return found


def read_bucket_models(body: bytes) -> Catalogue:
    """Read from the same answer which models there are, as it is the other client's only list; ValueError."""
    names = [bucket.model_id for bucket in require(body, _BUCKETS).buckets if bucket.model_id]
    models = {name: SHIPPED.get(name) or ModelInfo(id=name) for name in names if not name.startswith(_INTERNAL)}
    return Catalogue(_some(models))


def _some(models: dict[str, ModelInfo]) -> dict[str, ModelInfo]:
    if not models:
        raise ValueError("its list has no models")
    return models


def _quota(left: _Left, now: float, *, group: bool = False) -> Quota | None:
    """Read one limit; proto-JSON leaves out a zero, so a reset time alone means that nothing is left."""
    reset_at = epoch(left.reset_time)
    if left.remaining_fraction is None and reset_at is None:
        return None
    return Quota.of(min(max(left.remaining_fraction or 0.0, 0.0), 1.0), reset_at, now, group=group)


def _known(available: _Available) -> dict[str, _Listed]:
    """Give the models that can be read: one of a new form says nothing of the others."""
    given = ((name, read(raw, _LISTED)) for name, raw in available.models.items())
    found = {name: listed for name, listed in given if listed is not None}
    if available.models and not found:
        raise ValueError("none of its models can be read")
    return found


def _is_public(name: str, listed: _Listed) -> bool:
    return bool(listed.display_name) and not listed.is_internal and not name.startswith(_INTERNAL)


def _info(name: str, listed: _Listed) -> ModelInfo:
    shipped = SHIPPED.get(name) or ModelInfo(id=name)
    return ModelInfo(
        id=name,
        display_name=listed.display_name,
        max_input=listed.max_tokens or shipped.max_input,
        max_output=listed.max_output_tokens or shipped.max_output,
        thinking=shipped.thinking if listed.supports_thinking is None else listed.supports_thinking,
    )
