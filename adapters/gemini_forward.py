"""Calls in Google's own dialect that this gateway does not know: they go on as they came, with a key of the pool.

A call on a model may go to any key. What belongs to a key goes to that one, and what says nothing goes to the first,
so that its lists show what was made here. A key that is refused is left, one that rests, and one that has not what the
call names, if the call can be sent again; every other refusal is the caller's to read. Only a call on a model tells
from any 401 or 403 that a key is good for nothing: other methods may just not be for it.
"""

from collections.abc import AsyncIterable, Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import urldefrag, urljoin

from gateway.adapters.credential import Credential
from gateway.adapters.failures import Failure, unreachable
from gateway.adapters.gemini_errors import OF_KEY
from gateway.adapters.gemini_journey import GeminiBackend, model_path
from gateway.adapters.gemini_native import Passed, sent, shown
from gateway.adapters.gemini_owners import made_by, named_in, referred_to, refers
from gateway.adapters.gemini_uploads import Uploads, keyless
from gateway.adapters.pool import Lease
from gateway.dialects.gemini.model_names import named_as
from gateway.dialects.gemini.resource_names import resources
from gateway.errors import NotFound
from gateway.forwarding import NativeAnswer, NativeCall, Refused
from gateway.lending import at_once
from gateway.trace_context import carried
from gateway.transport import Response, TransportError

__all__ = ["Forward"]

_ADDRESSES: Final = frozenset({"x-goog-upload-url", "x-goog-upload-control-url"})
_MAKES: Final = frozenset({"POST", "PATCH"})
_MAX_ERROR_BYTES: Final = 1024 * 1024
_LONG_BYTES: Final = 1024 * 1024  # more would hold the loop
_MAX_NOTED_BYTES: Final = 256 * 1024
_GONE: Final = frozenset({403, 404})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Forward:
    """One call on its way."""

    def __init__(self, call: NativeCall, backend: GeminiBackend, uploads: Uploads) -> None:
        self._call = call
        self._backend = backend
        self._uploads = uploads
        self._used: set[str] = set()
        self._ticket = uploads.check(call.path, call.query)
        self._owner = self._find_owner()
        self._sought = call.sought  # whether a key has said that it has not what the call names

    async def go(self) -> NativeAnswer:
        """Return when the answer begins."""
        while True:
            lease = self._borrow()
            try:
                response = await self._send(lease.credential)
            except TransportError as error:
                lease.release()
                failure = unreachable(error)
                self._count_failure(lease.credential, failure)
                failure.error.cause = failure.cause
                raise failure.error from None
            except BaseException:
                lease.release()
                raise
            answer = Passed(response, self._shown(response, lease.credential), lease)
            try:
                if response.status < 400:
                    self._backend.pool.served(lease.credential)
                    self._note_found(lease.credential)
                    await self._note_made(answer, response, lease.credential)
                    return answer
                body = await response.read_refusal(_MAX_ERROR_BYTES)
                refused = Refused(answer.status, answer.headers, body, answer.credential)
            except BaseException:
                answer.close()
                raise
            answer.close()
            if not self._learn(lease.credential, refused, response):
                return self._explained(refused)

    # whose call it is

    def _find_owner(self) -> Credential | None:
        """Find the key that the call must go to, if there is one."""
        call, owners = self._call, self._backend.owners
        if self._ticket is not None:
            return self._ticket.owner
        named = named_in(call.body) if isinstance(call.body, bytes) and owners else ()
        return owners.of([*resources(call.path), *named])

    def _names(self) -> list[str]:
        """Name what the call is about, or asks a model to read."""
        body = self._call.body
        return [*resources(self._call.path), *(referred_to(body) if isinstance(body, bytes) else ())]

    def _is_about_something(self) -> bool:
        body = self._call.body
        return bool(resources(self._call.path)) or (isinstance(body, bytes) and refers(body))

    def _note_found(self, owner: Credential) -> None:
        """Remember whose it is that other keys had not."""
        if self._sought:
            for name in self._names():
                self._backend.owners.note(name, owner)

    def _borrow(self) -> Lease[Credential]:
        pool, model, only = self._backend.pool, self._call.model, self._owner
        if only is None and not model and not self._sought:
            only = pool.any_active(besides=self._used)
        if only is None:
            lease = pool.pick(model, besides=self._used)
        else:
            lease = pool.lend(only) if pool.lends(only, model) else None
        if lease is None:
            shortage = pool.shortage(model, only)
            assert shortage is not None, "the pool lends none, but has one"
            raise shortage
        self._used.add(lease.credential.id)
        return lease

    # the exchange

    async def _send(self, credential: Credential) -> Response:
        call, backend = self._call, self._backend
        assert backend.transport is not None, "the upstream is used before start"
        url = backend.bases[0] + keyless(f"{_path(call)}?{call.query}")
        body = await _body(call)
        headers = {
            **sent(call.headers),
            **({"content-length": str(len(body))} if isinstance(body, bytes) and body != call.body else {}),
            "user-agent": backend.headers["user-agent"],
            "x-goog-api-key": await backend.pool.token(credential),
        }
        return await backend.transport.send(call.method, url, headers=carried(url, headers), body=body or None)

    def _shown(self, response: Response, owner: Credential) -> list[tuple[str, str]]:
        named = [(name, self._led(name, value, owner)) for name, value in shown(response)]
        return [*named, *self._redirected(response, owner)]

    async def _note_made(self, answer: Passed, response: Response, owner: Credential) -> None:
        """Remember whose a new resource is; its description is short."""
        if self._call.method in _MAKES and _is_small_json(response):
            name = made_by(await answer.whole(_MAX_NOTED_BYTES))
            if name:
                self._backend.owners.note(name, owner)

    def _led(self, name: str, value: str, owner: Credential) -> str:
        """Lead an upload on through this gateway, unless it goes on at another host; the key in it is ours to keep."""
        base = self._backend.bases[0]
        if name not in _ADDRESSES:
            return value
        if not value.startswith(f"{base}/"):
            return keyless(value)
        end = self._ticket.end if self._ticket is not None else 0  # an address makes none that is good for longer
        return self._call.origin + self._uploads.moved(value.removeprefix(base), owner, self._call.principal, end)

    def _redirected(self, response: Response, owner: Credential) -> Iterator[tuple[str, str]]:
        """Lead a caller on through this gateway; to another host its client would take its key along."""
        base = self._backend.bases[0]
        address = response.headers.get("location", "")
        with suppress(ValueError):  # it is no address
            address = urldefrag(urljoin(f"{base}{_path(self._call)}", address)).url
        if response.status not in _REDIRECTS or not address.startswith(f"{base}/"):
            return
        address = keyless(address.removeprefix(base))
        for name in resources(address.partition("?")[0]):
            self._backend.owners.note(name, owner)
        yield "location", f"{self._call.origin}{address}"

    # refusals

    def _learn(self, credential: Credential, refused: Refused, response: Response) -> bool:
        """Note what a refusal says of the key, and tell whether another one shall be asked.

        Raise what the caller cannot mend: that no key is left, or that none may do this.
        """
        backend, model = self._backend, self._call.model
        failure = backend.read_failure(refused.status, refused.body, response.headers, backend.clock.time())
        names = refused.status in _GONE and self._is_about_something()
        mark = backend.rules[failure.cause].mark
        self._count_failure(credential, failure)
        if failure.cause == "keyless":
            raise failure.error
        if failure.cause == "forbidden" and names:
            mark = None  # in words that are not known, a 403 may be about what the call names
        spared = mark == "disable" and not model and failure.cause not in OF_KEY
        denied = spared or (failure.cause == "scope" and not names)
        mark = None if denied else mark
        self._sought = self._sought or (names and self._owner is None)
        if mark is None and not self._sought and not denied:
            return False
        if mark == "disable":
            backend.disable(credential, failure)
        elif mark is not None:
            backend.pool.cool(credential, model, failure.wait_s, error=failure.error)
        if isinstance(self._call.body, bytes) and self._owner is None and backend.pool.has(model, besides=self._used):
            return True
        if mark == "disable":
            raise backend.pool.shortage(model, self._owner) or failure.error
        if denied:
            raise failure.error
        return False

    def _count_failure(self, credential: Credential, failure: Failure) -> None:
        if self._backend.rules[failure.cause].fails:
            self._backend.pool.failed(credential, failure.error.message)

    def _explained(self, refused: Refused) -> NativeAnswer:
        """Give the upstream's own refusal, unless it may only mean that it was for another of several keys."""
        keys = len(self._backend.pool.credentials)
        names = resources(self._call.path)
        if refused.status in _GONE and names and self._owner is None and keys > 1:
            asked = len(self._used)
            whom = "any" if asked == keys else f"the {asked} that could be tried"
            unknown = f"{names[0][:100]} is unknown to {whom} of {keys} API keys"
            raise NotFound(f"{unknown}; files and caches belong to the key that made them")
        return refused


def _is_small_json(response: Response) -> bool:
    length = response.headers.get("content-length", "")
    is_json = "json" in response.headers.get("content-type", "")
    return is_json and length.isdigit() and int(length) <= _MAX_NOTED_BYTES


async def _body(call: NativeCall) -> bytes | AsyncIterable[bytes]:
    """Give the body with the upstream's own name of the model in it; what comes in pieces goes as it is."""
    model, body = call.model or call.about, call.body
    if not model or not isinstance(body, bytes):
        return body
    return await at_once(named_as, body, model) if len(body) > _LONG_BYTES else named_as(body, model)


def _path(call: NativeCall) -> str:
    """Give the path with the upstream's own name of the model in it."""
    if not call.model:
        return call.path
    mark = "/operations/" if "/operations/" in call.path else ":"
    head, _, rest = call.path.rpartition(mark)
    version = head.lstrip("/").partition("/")[0]
    return f"/{version}/{model_path(call.model)}{mark}{rest}"
