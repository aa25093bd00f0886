"""One HTTP exchange with an upstream: an answer, or a Failure that says what the refusal means."""

import re
from collections.abc import Mapping
from typing import Final

from gateway import __version__
from gateway.adapters.echoes import OF_CREDENTIAL, repeats
from gateway.adapters.failures import AMENDED, Failure, ReadFailure, own_words, unreachable
from gateway.clock import Clock
from gateway.dialects.passage import payloads
from gateway.errors import UpstreamUnavailable
from gateway.lending import LONG_BYTES, apart
from gateway.trace_context import carried
from gateway.transport import Response, Transport, TransportError

__all__ = ["HEADERS", "NAME", "USER_AGENT", "begin", "fetch"]

NAME: Final = "asgi-llm-gateway"
USER_AGENT: Final = f"{NAME}/{__version__}"
HEADERS: Final[Mapping[str, str]] = {  # of every call, as far as an upstream wants no others
    "user-agent": USER_AGENT,
    "content-type": "application/json",
    "accept": "*/*",
}

_MAX_ERROR_BYTES: Final = 1024 * 1024
_MAX_BYTES: Final = 4 * 1024 * 1024
_TIMEOUT_S: Final = 30.0
_ORIGIN: Final = re.compile(r"https?://[\w.:\[\]-]{1,260}(?=[/?#]|$)", re.ASCII)
_ANSWERS: Final = frozenset({200, 201})  # to a POST some frameworks say 201
_FRAMES: Final = (b"data:", b"event:")
_OF_REQUEST: Final = frozenset({400, 403, 404, 422})  # which may be of what it says
_AGAIN: Final = {"true": True, "false": False}


async def begin(
    transport: Transport, url: str, headers: Mapping[str, str], body: bytes, read_failure: ReadFailure, clock: Clock
) -> Response:
    """Post a call, and return when its headers say that there is an answer."""
    try:
        response = await transport.send("POST", url, headers=carried(url, headers), body=body)
        if response.status in _ANSWERS:
            return response
        try:
            refusal = await response.read_refusal(_MAX_ERROR_BYTES)  # JSON, whatever its content type says
        finally:
            response.close()
    except TransportError as error:
        raise unreachable(error) from None
    refusal = _said(refusal)
    failure = _failure(response.status, refusal, response.headers, read_failure, clock)
    if response.status in _OF_REQUEST and (failure.cause in OF_CREDENTIAL or failure.cause in AMENDED):
        asked = (url.encode(), *map(str.encode, headers.values()), body)
        failure.repeats = await apart(len(body) > LONG_BYTES, repeats, failure.cause, refusal, asked)
    if failure.status is None or failure.status // 100 == response.status // 100:  # else its words fit another status
        failure.own = own_words(refusal)
    failure.again = _AGAIN.get(response.headers.get("x-should-retry", "").strip().lower())
    raise failure


def _said(refusal: bytes) -> bytes:
    """Give what the first event says where a refusal of a stream is one itself, as LiteLLM writes it."""
    found = payloads(refusal + b"\n\n") if refusal.startswith(_FRAMES) else []
    return found[0] if found else refusal


async def fetch(
    transport: Transport,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    read_failure: ReadFailure,
    clock: Clock,
) -> bytes:
    """Make a small call, and give the body of its answer."""
    try:
        answer = await transport.fetch(
            method, url, headers=carried(url, headers), body=body, timeout_s=_TIMEOUT_S, max_bytes=_MAX_BYTES
        )
    except TransportError as error:
        raise unreachable(error) from None
    if answer.status not in _ANSWERS:
        raise _failure(answer.status, answer.body, answer.headers, read_failure, clock)
    return answer.body


def _failure(status: int, body: bytes, headers: Mapping[str, str], read_failure: ReadFailure, clock: Clock) -> Failure:
    location = headers.get("location")
    if status // 100 != 3 or location is None:
        return read_failure(status, body, headers, clock.time())
    origin = _ORIGIN.match(location)
    where = f"to {origin[0]}" if origin is not None else "elsewhere"
    words = f"the upstream's URL redirects {where} (status {status}), which is not followed: correct the URL"
    return Failure(UpstreamUnavailable(words), "address")
