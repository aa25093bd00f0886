"""The W3C trace context of a request: read from its caller, and added to the upstream calls that are made for it.

    traceparent: 00-TRACE(32)-PARENT(16)-FLAGS(2)
    tracestate: vendors' own words about it

Nobody needs to understand a trace to pass it on.
"""

import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Final

from msgspec import Struct

__all__ = ["CARRIER", "Carrier", "carried", "received"]

# version ff is none, and ids of zeros are none; versions after 00 may have more behind the flags
_IDS: Final = rb"-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_PARENT: Final = re.compile(rb"00%b|(?!00|ff)[0-9a-f]{2}%b(?:-[!-~]{0,128})?" % (_IDS, _IDS))
_STATE: Final = re.compile(rb"[ -~\t]{1,1024}")


class Carrier(Struct):
    """What goes along with the upstream calls of one request. `url`: where the last one went."""

    headers: Mapping[str, str]
    url: str = ""


CARRIER: Final[ContextVar[Carrier | None]] = ContextVar("gateway_trace", default=None)


def received(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Give the headers that tell a caller's trace; {} where there is none, or one that cannot be read."""
    parents, states = list[bytes](), list[bytes]()
    for name, value in headers:
        if name == b"traceparent":
            parents.append(value.strip())
        elif name == b"tracestate":
            states.append(value.strip())
    if len(parents) != 1 or not _PARENT.fullmatch(parents[0]):
        return {}
    found = {"traceparent": parents[0].decode()}
    state = b",".join(filter(None, states))
    if _STATE.fullmatch(state):
        found["tracestate"] = state.decode()
    return found


def carried(url: str, headers: Mapping[str, str]) -> Mapping[str, str]:
    """Give the headers of an upstream call with the trace of the request that it is made for, if there is one."""
    carrier = CARRIER.get()
    if carrier is None:
        return headers
    carrier.url = url
    return {**headers, **carrier.headers}
