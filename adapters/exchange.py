"""One HTTP exchange with an upstream: status 200, or a Failure that says what the refusal means."""

from collections.abc import Mapping
from typing import Final

from gateway import __version__
from gateway.adapters.failures import ReadFailure, own_words, unreachable
from gateway.clock import Clock
from gateway.trace_context import carried
from gateway.transport import Response, Transport, TransportError, Whole

__all__ = ["NAME", "USER_AGENT", "begin", "fetch"]

NAME: Final = "asgi-llm-gateway"
USER_AGENT: Final = f"{NAME}/{__version__}"

_MAX_ERROR_BYTES: Final = 1024 * 1024
_MAX_BYTES: Final = 4 * 1024 * 1024
_TIMEOUT_S: Final = 30.0


async def begin(
    transport: Transport, url: str, headers: Mapping[str, str], body: bytes, read_failure: ReadFailure, clock: Clock
) -> Response:
    """Post a call, and return when its headers say 200."""
    try:
        response = await transport.send("POST", url, headers=carried(url, headers), body=body)
        if response.status == 200:
            return response
        try:
            refusal = await response.read_all(_MAX_ERROR_BYTES)  # JSON, whatever its content type says
        finally:
            response.close()
    except TransportError as error:
        raise unreachable(error) from None
    failure = read_failure(response.status, refusal, response.headers, clock.time())
    failure.own = own_words(refusal)
    raise failure


async def fetch(
    transport: Transport,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    read_failure: ReadFailure,
    clock: Clock,
) -> Whole:
    """Make a small call, and give its whole answer."""
    try:
        answer = await transport.fetch(
            method, url, headers=carried(url, headers), body=body, timeout_s=_TIMEOUT_S, max_bytes=_MAX_BYTES
        )
    except TransportError as error:
        raise unreachable(error) from None
    if answer.status != 200:
        raise read_failure(answer.status, answer.body, answer.headers, clock.time())
    return answer
