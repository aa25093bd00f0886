"""The way to upstream servers; only this file and the one of connections know the HTTP client.

aiohttp's defaults suit a browser, not a gateway that carries many accounts; `Transport` turns them off.
Whatever goes wrong underneath leaves here as one of five errors:

    TransportError
      ├─ ConnectFailed      no connection or no valid request: nothing was sent
      │    └─ Forbidden     the address is none that may be connected to
      ├─ FirstByteTimeout   sent, and there was no whole answer in time
      ├─ Broken             the connection ended, or what came was not HTTP; `before_response` tells when
      └─ TooLarge           the answer passed a limit of size
"""

import asyncio
import io
import re
import ssl
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Final, NamedTuple

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from gateway.coding import ASKED, OutOfProportion, Unreadable, inflater
from gateway.connections import (
    NEVER_ADDED,
    PARSING,
    Answer,
    Closed,
    Connections,
    ForbiddenAddress,
    NoTunnel,
    Request,
    reason,
    refused,
)
from gateway.errors import GatewayError, StreamBroken, UpstreamMalformed, UpstreamTimeout, UpstreamUnavailable
from gateway.forward import proxies, proxy_of
from gateway.frames import bare
from gateway.redact import conceal, credentials_in
from gateway.tap import TAP, Heard

__all__ = [
    "Broken",
    "ConnectFailed",
    "FirstByteTimeout",
    "Forbidden",
    "Response",
    "TooLarge",
    "Transport",
    "TransportError",
    "Whole",
    "told",
]

MAX_WHOLE_BYTES: Final = 8 * 1024 * 1024

_REST_S: Final = 0.02  # for the end of a body behind that of its answer; who sends on is left within 50 ms
_LARGE_BODY_BYTES: Final = 1024 * 1024  # above this it is written in pieces, for which aiohttp wants a file
_CONNECTIONS: Final = 2  # that are tried behind one that was closed
_PROXY_REFUSES: Final = 407  # no upstream says so

_NOT_A_URL: Final = re.compile(r"[^\x21-\x7e]")

# ValueError: a header or URL that must not be written. ClientHttpProxyError: the proxy refused the tunnel.
_NOT_SENT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    NoTunnel,
    ValueError,
)


class TransportError(Exception):
    """An exchange with an upstream server failed below HTTP."""


class ConnectFailed(TransportError):
    """No connection, or no request that could be written; nothing was sent."""


class Forbidden(ConnectFailed):
    """The host has an address that this transport does not connect to."""


class FirstByteTimeout(TransportError):
    """The answer was not there in time."""


class Broken(TransportError):
    """The connection ended before the answer did, or the answer cannot be read."""

    def __init__(self, message: str, *, before_response: bool = False) -> None:
        super().__init__(message)
        self.before_response = before_response


class TooLarge(TransportError):
    """The answer is larger than allowed, or inflates out of proportion."""


def told(error: TransportError) -> GatewayError:
    """Say what a failure below HTTP means to a caller."""
    if isinstance(error, FirstByteTimeout):
        return UpstreamTimeout(f"the upstream stayed silent: {error}")
    if isinstance(error, ConnectFailed):
        return UpstreamUnavailable(f"the upstream cannot be reached: {error}; check its base_url and the network")
    if not isinstance(error, Broken):
        return UpstreamMalformed(f"the upstream's response cannot be used: {error}")
    if error.before_response:
        return UpstreamUnavailable(f"the upstream closed the connection: {error}")
    return StreamBroken(f"the upstream's response broke off: {error}")


class Whole(NamedTuple):
    """An answer read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """One pool of upstream connections; made in the app's lifespan, closed with it.

    Proxies come from the environment, as it is at that moment. aiohttp's own `trust_env` would read it
    and ~/.netrc in threads for every request, and refuse a bearer to a host that .netrc names.

    `allows`: which IP addresses may be connected to, None = all. A name is resolved once a connection, every address
    of it must be allowed, and the connection goes to one of them; no proxy is used, for it would resolve the name
    once more.
    """

    def __init__(
        self,
        *,
        connect_s: float = 10.0,
        allows: Callable[[str], bool] | None = None,
        trusts: ssl.SSLContext | None = None,
    ) -> None:
        self._proxies: Mapping[str, str] = {} if allows is not None else proxies()
        self._allows = allows
        self._connect_s = connect_s
        self._open: set[Response] = set()
        self._left: set[Response] = set()
        self._connections = Connections(connect_s, allows, trusts)
        self._session = aiohttp.ClientSession(
            connector=self._connections,
            headers=ASKED,
            request_class=Request,
            timeout=self._connections.timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            **PARSING,
        )

    @property
    def open_responses(self) -> int:
        """Count the responses that are neither read to the end nor closed."""
        return len(self._open)

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | AsyncIterable[bytes] | None = None,
    ) -> "Response":
        """Send a request and return once its answer's headers are here; whoever calls says how long that may take.

        The URL goes out as it is, quoted by the caller. A body in pieces has the length that the headers say, or comes
        in chunks; what its source raises comes out as it is.
        """
        tap = TAP.get()
        if tap is None:
            return await self._send(method, url, headers, body)
        heard = tap.sends(method, url, headers, body)
        try:
            response = await self._send(method, url, headers, body)
        except TransportError as error:
            heard.broke(error)
            raise
        heard.answered(response.status, response.headers)
        response.heard = heard
        return response

    async def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | AsyncIterable[bytes] | None,
    ) -> "Response":
        pieces = None if body is None or isinstance(body, bytes) else _Pieces(body)
        try:
            target = _target(url)
            if self._allows is not None:
                _check(target, self._allows)
            raw = await self._ask(method, target, headers, body if pieces is None else pieces)
        except _NOT_SENT as error:
            kind = Forbidden if isinstance(getattr(error, "os_error", None), ForbiddenAddress) else ConnectFailed
            raise kind(reason(error)) from None
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            if pieces is not None and pieces.error is not None:
                raise pieces.error from None
            raise Broken(reason(error), before_response=True) from None
        if raw.status == _PROXY_REFUSES:
            raw.close()
            raise ConnectFailed(refused(raw.status))
        return Response(raw, self._open, self._left, headers)

    async def _ask(
        self, method: str, target: URL, headers: Mapping[str, str], body: bytes | AsyncIterable[bytes] | None
    ) -> aiohttp.ClientResponse | Answer:
        """Send a request on a connection that its server has not closed while it was idle."""
        left = _CONNECTIONS
        whole = body if method == "POST" and isinstance(body, bytes) and self._goes_whole(target, body) else None
        while True:
            try:
                if whole is not None:
                    return await self._connections.post(target, headers, whole)
                return await self._session.request(
                    method,
                    target,
                    headers=headers,
                    data=_payload(body),
                    allow_redirects=False,
                    skip_auto_headers=NEVER_ADDED,
                    proxy=self._proxy_of(target),
                )
            except Closed:
                if not left:
                    raise
                left -= 1
                await asyncio.sleep(0)  # the loop sees now which others have been closed
            except aiohttp.ConnectionTimeoutError:
                through = "through the proxy " if self._proxy_of(target) else ""
                where = f"{target.host}:{target.port}"
                words = f"no connection {through}to {where} within {self._connect_s:g} s (timeouts.connect)"
                raise ConnectFailed(words) from None

    def _proxy_of(self, target: URL) -> str | None:
        return proxy_of(self._proxies, target.scheme, target.host) if self._proxies else None

    def _goes_whole(self, target: URL, body: bytes) -> bool:
        """Tell whether a body needs neither pieces, nor a proxy, nor a user of its server."""
        named = target.raw_user is not None or target.raw_password is not None
        return len(body) <= _LARGE_BODY_BYTES and not self._proxies and not named

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout_s: float,
        max_bytes: int = MAX_WHOLE_BYTES,
    ) -> Whole:
        """Send a request and return the whole answer, all within `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._send(method, url, headers, body)
                response.form = body or b""
                try:
                    return Whole(response.status, response.headers, await response.read_all(max_bytes))
                finally:
                    response.close()
        except TimeoutError:
            raise FirstByteTimeout(f"no complete response within {timeout_s} s") from None

    async def close(self) -> None:
        """Close every connection, also those in use, whose readers get Broken."""
        for response in (*self._open, *self._left):
            response.close()
        await self._session.close()


def _check(target: URL, allows: Callable[[str], bool]) -> None:
    """Refuse an address in the place of a name, which is never resolved, unless it is allowed."""
    host = target.raw_host or ""
    if (":" in host or host.replace(".", "").isdigit()) and not allows(host):
        raise Forbidden("its address is not public")


class Response:
    """An answer whose headers are here and whose body is still to be read; `ended`: all of it has been.

    `sent`: the headers of the request; `form`: its body, where that is a small one. `heard`: who hears what is read.
    """

    __slots__ = (
        "_inflater",
        "_left",
        "_open",
        "_raw",
        "_sent",
        "_shown",
        "ended",
        "form",
        "headers",
        "heard",
        "status",
    )

    def __init__(
        self,
        raw: aiohttp.ClientResponse | Answer,
        open_responses: "set[Response]",
        left: "set[Response]",
        sent: Mapping[str, str],
    ) -> None:
        self.status: int = raw.status
        self.headers: Mapping[str, str] = raw.headers
        self._raw = raw
        self._sent = sent
        self._shown: tuple[str, ...] | None = None
        self.form = b""
        self.heard: Heard | None = None
        self._open = open_responses
        self._left = left
        encoding = raw.headers.get("content-encoding")
        self._inflater = inflater(encoding) if encoding else None
        self.ended = False
        open_responses.add(self)

    def read(self) -> Coroutine[None, None, bytes]:
        """Return the next piece as it came, inflated if need be; b"" at the end."""
        return self._read() if self.heard is None else self._read_to(self.heard)

    async def _read_to(self, heard: Heard) -> bytes:
        try:
            data = await self._read()
        except TransportError as error:
            heard.broke(error)
            raise
        heard.read(data, ended=self.ended)
        return data

    async def _read(self) -> bytes:
        content = self._raw.content
        try:
            data = await (content.readany() if self._inflater is None else self._inflated())
        except (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError, zlib.error) as error:
            self.close()  # RuntimeError: aiohttp left the connection over a malformed chunk
            raise Broken(reason(bare(error))) from None  # aiohttp keeps the error where this frame leads to
        except Unreadable as error:
            self.close()
            kind = TooLarge if isinstance(error, OutOfProportion) else Broken
            raise kind(str(error)) from None
        if not data or (self._inflater is None and content.at_eof()):
            self.ended = True
            self._open.discard(self)  # aiohttp has the connection back in its pool by now
        return data

    async def read_all(self, limit: int) -> bytes:
        """Return the rest of the body; more than `limit` bytes raise TooLarge.

        A refusal comes without what it repeats of the request's credentials.
        """
        pieces: list[bytes] = []
        size = 0
        while not self.ended and (data := await self.read()):
            size += len(data)
            if size > limit:
                self.close()
                raise TooLarge(f"the upstream's response is larger than {limit} bytes")
            pieces.append(data)
        whole = b"".join(pieces)
        return self.concealed(whole) if self.status >= 400 else whole

    async def read_refusal(self, limit: int) -> bytes:
        """Return the rest of a refusal's body, or as much of it as `limit` and the connection give: its status holds.

        It comes without what it repeats of the request's credentials. In a coding that nobody here can read, it is the
        name of that, or nobody would know why it says nothing.
        """
        if self._inflater is not None and self._inflater.unknown:
            return self._inflater.unknown.encode()
        pieces: list[bytes] = []
        size = 0
        with suppress(TransportError):
            while size < limit and (data := await self.read()):
                size += len(data)
                pieces.append(data)
        return self.concealed(b"".join(pieces)[:limit])

    def concealed(self, data: bytes) -> bytes:
        """Mask the credentials of the request in what came."""
        if self._shown is None:
            self._shown = credentials_in(self._sent, self.form)
        return conceal(data, self._shown)

    def close(self) -> None:
        """Drop the connection, unless the whole body came; any number of times."""
        if self in self._open or self._raw.connection is not None:  # it may still be sending
            self._open.discard(self)
            self._raw.close()

    def leave(self) -> None:
        """Read it no more, for all that counts has come; its connection can be used again if the rest comes soon."""
        self._open.discard(self)
        if self._raw.connection is not None:  # aiohttp gives it back when the end comes, read or not
            self._left.add(self)
            asyncio.get_running_loop().call_later(_REST_S, self._drop)

    def _drop(self) -> None:
        self._left.discard(self)
        self.close()

    async def _inflated(self) -> bytes:
        inflater = self._inflater
        assert inflater is not None
        while not (piece := inflater.take()):
            data = await self._raw.content.readany()
            if not data:
                inflater.end()
                return b""
            inflater.feed(data)
        return piece


@lru_cache(maxsize=256)
def _target(url: str) -> URL:
    if _NOT_A_URL.search(url):
        raise ValueError("URL has a character that must be quoted")
    return URL(url, encoded=True)


def _payload(body: bytes | AsyncIterable[bytes] | None) -> bytes | io.BytesIO | AsyncIterable[bytes] | None:
    if isinstance(body, bytes) and len(body) > _LARGE_BODY_BYTES:
        return io.BytesIO(body)
    return body


class _Pieces(AsyncIterable[bytes]):
    """A body on its way; `error`: what its source has raised, which aiohttp takes for a broken connection."""

    def __init__(self, source: AsyncIterable[bytes]) -> None:
        self.error: Exception | None = None
        self._source = source

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        try:
            async for piece in self._source:
                yield piece
        except Exception as error:
            self.error = error
            raise
