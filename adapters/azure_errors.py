"""What is different of Azure's failures: codes of its own, bare statuses as codes, and prompts that its filter stops.

    {"error": {"code": "content_filter", "status": 400, "innererror": {"content_filter_result": {"hate": {…}}}}}

A stopped prompt is an answer without content, as it is with every other upstream.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from gateway.adapters.failures import Causes, Failure
from gateway.adapters.openai_causes import CAUSES
from gateway.adapters.openai_errors import RULES, reader
from gateway.dialects.raw import read

__all__ = ["RULES", "read_failure"]

_ADDRESS: Final = "there is nothing at this URL of the upstream; check its endpoint and api_version"
_CAUSES: Final = Causes(
    reasons={**CAUSES.reasons, "content_filter": "filtered", "NoCapacity": "capacity"},
    words=(
        (frozenset({400}), "api version not supported", "address"),
        (frozenset({400}), "enabled only for api", "address"),
        (frozenset({403}), "out of call volume quota", "quota"),  # where the free tier is used up
        (frozenset({429}), "experiencing high demand", "capacity"),
        *CAUSES.words,
    ),
    statuses=CAUSES.statuses,
)
_read: Final = reader(_CAUSES, _ADDRESS)


class _Verdict(Struct):
    filtered: bool = False
    severity: str | None = None


class _Inner(Struct):
    content_filter_result: dict[str, _Verdict] | None = None


class _Error(Struct):
    innererror: _Inner | None = None


class _Body(Struct):
    error: _Error | None = None


_BODY: Final = msgspec.json.Decoder(_Body)


def read_failure(status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
    """Read an error answer, or the payload of an error event under status 200."""
    failure = _read(status, body, headers, now)
    if failure.cause == "filtered":
        stopped = _stopped(body)
        if stopped:
            failure.error.message = f"{failure.error.message} (filtered: {', '.join(stopped)})"
    return failure


def _stopped(body: bytes) -> list[str]:
    """Name the filters that stopped a prompt."""
    given = read(body, _BODY)
    inner = given.error.innererror if given is not None and given.error is not None else None
    found = inner.content_filter_result if inner is not None else None
    named = ((name, one) for name, one in (found or {}).items() if one.filtered)
    return [f"{name} {one.severity}" if one.severity else name for name, one in named]
