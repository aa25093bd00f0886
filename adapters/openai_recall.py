"""Calls about a response that OpenAI keeps, and may still work on: they go to the key that it belongs to.

A response belongs to the account of the key that it was asked with. Which one that was is not written down: each key is
asked in turn until one knows it. As long as one has not been heard that may, nobody is told that it is gone.
"""

from typing import Final

from gateway.adapters.credential import Credential
from gateway.adapters.failures import Failure, own_words, unreachable
from gateway.adapters.gemini_native import Passed
from gateway.adapters.openai_errors import without_key
from gateway.adapters.openai_journey import OpenAIBackend
from gateway.adapters.pool import Lease
from gateway.errors import GatewayError, NotFound
from gateway.forwarding import NativeAnswer
from gateway.trace_context import carried
from gateway.transport import TransportError

__all__ = ["recall"]

_MAX_ERROR_BYTES: Final = 1024 * 1024
_SHOWN: Final = ("content-type",)
_GONE: Final = 404
_UNKNOWN: Final = "the upstream no longer has this response"


async def recall(backend: OpenAIBackend, method: str, response: str, query: str) -> NativeAnswer:
    """Ask; return when an answer begins that is no refusal."""
    pool = backend.pool
    failures: list[GatewayError] = []
    for credential in pool.credentials:
        if pool.lends(credential, ""):
            found = await _ask(backend, pool.lend(credential), method, response, query)
            if not isinstance(found, GatewayError):
                return found
            failures.append(found)
        elif (shortage := pool.shortage("", credential)) is not None and shortage.retry_after is not None:
            failures.append(shortage)
    unheard = next((failure for failure in failures if not isinstance(failure, NotFound)), None)
    raise unheard or pool.shortage("") or NotFound(_UNKNOWN)


async def _ask(
    backend: OpenAIBackend, lease: Lease[Credential], method: str, response: str, query: str
) -> NativeAnswer | GatewayError:
    """Ask with one key; give the error where another key may have the response, and raise every other."""
    assert backend.transport is not None, "the upstream is used before start"
    answer: Passed | None = None
    try:
        secret = await backend.pool.token(lease.credential)
        headers = {**backend.headers, **backend.server.shown(secret)}
        url = _url(backend, response, query)
        given = await backend.transport.send(method, url, headers=carried(url, headers), body=None)
        named = [(name.lower(), value) for name, value in given.headers.items() if name.lower() in _SHOWN]
        answer = Passed(given, named, lease)
        if given.status == 200:
            return answer
        refusal = await answer.whole(_MAX_ERROR_BYTES)
    except TransportError as error:
        _give_back(answer, lease)
        raise unreachable(error).error from None
    except BaseException:
        _give_back(answer, lease)
        raise
    answer.close()
    if given.status == _GONE:
        return NotFound(_UNKNOWN)
    failure = backend.read_failure(given.status, refusal, given.headers, backend.clock.time())
    if failure.error.status // 100 == given.status // 100:  # else its words fit another status
        failure.error.own = own_words(refusal)
    learnt = _learnt(backend, lease.credential, without_key(failure, secret))
    if not backend.rules[failure.cause].others:
        raise learnt
    return learnt


def _give_back(answer: Passed | None, lease: Lease[Credential]) -> None:
    if answer is not None:
        answer.close()
    else:
        lease.release()


def _learnt(backend: OpenAIBackend, credential: Credential, failure: Failure) -> GatewayError:
    """Note what a refusal says of the key."""
    mark = backend.rules[failure.cause].mark
    if mark == "disable":
        backend.disable(credential, failure)
    elif mark is not None:
        backend.pool.cool(credential, "", failure.wait_s, error=failure.error)
    return failure.error


def _url(backend: OpenAIBackend, response: str, query: str) -> str:
    url = backend.server.address(backend.bases[0], f"{backend.api.path}/{response}", "")
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{query}"
