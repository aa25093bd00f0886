"""Connections to upstream servers: aiohttp's, and how a request goes to one.

aiohttp's session does for every request what a browser needs, with a task that writes: 2,000 of 3,700 instructions of
the interpreter. A small one to a model is written to a connection of its connector, and read by its parser, as it is.
"""

import asyncio
import os
import select
import socket
import ssl
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Final
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from yarl import URL

from gateway.coding import ASKED
from gateway.forward import UnusableProxy
from gateway.lending import heard
from gateway.lively import lively
from gateway.names import addresses

__all__ = [
    "NEVER_ADDED",
    "PARSING",
    "Answer",
    "Closed",
    "Connections",
    "ForbiddenAddress",
    "NoTunnel",
    "Request",
    "reason",
    "refused",
]

NEVER_ADDED: Final = frozenset({"accept", "accept-encoding", "content-type", "user-agent"})
PARSING: Final[Mapping[str, Any]] = {
    "auto_decompress": False,
    "read_bufsize": 64 * 1024,  # aiohttp stops reading the socket at twice this
    "max_line_size": 64 * 1024,  # policies and cookies that nobody asked for reach 8 KB
    "max_field_size": 64 * 1024,
    "max_headers": 256,  # a proxy that repeats those of its own upstream has more than 128
}

_KEEPALIVE_S: Final = 60.0
_SERVERS: Final = 256  # that are known as the connector wants it
_HEADS: Final = 256  # of requests; one for each credential and path, where nothing else varies
_LOOKUPS: Final = 8  # names of strangers that are resolved at a time
_UPGRADED: Final = 101
_CLOSED: Final = getattr(select, "POLLRDHUP", 0)  # Linux alone tells it from what is to be read
_LOOKS: Final = WeakKeyDictionary[ResponseHandler, Callable[[int], list[tuple[int, int]]]]()  # made once a connection


class NoTunnel(aiohttp.ClientError):
    """The proxy did not answer CONNECT, so that the upstream has heard of nothing."""


class Closed(aiohttp.ServerDisconnectedError):
    """A connection was closed, or became of no use, before anything of a request was written."""


class ForbiddenAddress(OSError):
    """A name has an address that is not allowed."""


# what aiohttp's own words would name with a URL; in the order in which they are looked for
_SAID: Final[tuple[tuple[type[Exception], str], ...]] = (
    (aiohttp.ServerDisconnectedError, "before an answer"),
    (aiohttp.ClientResponseError, "its response is not HTTP"),
    (HttpProcessingError, "its response is not HTTP"),
    (aiohttp.ClientPayloadError, "before the end of its response"),
    (zlib.error, "it is not compressed as its content-encoding says"),
)


class Connections(aiohttp.TCPConnector):
    """Tells the end of a proxy from that of the upstream behind it, and waits for nobody to drop a connection.

    `allows`: which IP addresses may be connected to, None = all. `trusts`: certificates, None = the system's.
    """

    def __init__(
        self, connect_s: float, allows: Callable[[str], bool] | None = None, trusts: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType]  # addresses of sockets have no type there
            limit=0,
            keepalive_timeout=_KEEPALIVE_S,
            resolver=_Names() if allows is None else _Guarded(allows),
            use_dns_cache=allows is None,
            ssl=trusts if trusts is not None else True,
            socket_factory=lively,
        )
        self._factory: Callable[[], ResponseHandler] = partial(_Handler, loop=self._loop)  # type: ignore[assignment]
        self.timeout = aiohttp.ClientTimeout(total=None, connect=connect_s)
        self._servers: dict[URL, aiohttp.ClientRequest] = {}
        self._head = lru_cache(maxsize=_HEADS)(self._written)

    async def post(self, target: URL, headers: Mapping[str, str], body: bytes) -> "Answer":
        """Write a whole request to a connection at once, and wait for the head of its answer.

        The URL names no user, and no proxy leads there. Raises what aiohttp's session does, and HttpProcessingError.
        """
        head = self._head(target, tuple(headers.items()))
        server = self._server(target.origin())
        try:
            connection = await self.connect(server, [], self.timeout)
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError from None
        try:
            protocol = _usable(connection)
            protocol.set_response_params(read_until_eof=True, **PARSING)
            assert protocol.transport is not None  # a connection that was lost is of no use
            protocol.transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
            message, content = await protocol.read()
            while 100 <= message.code < 200 and message.code != _UPGRADED:
                message, content = await protocol.read()
        except BaseException:
            connection.close()
            raise
        return Answer(connection, message, content)

    def _written(self, target: URL, headers: tuple[tuple[str, str], ...]) -> bytes:
        """Write the head of a request but for the length of its body; raise ValueError for what would split it."""
        said = self._server(target.origin()).headers.copy()
        said.update(headers)
        said.pop("Content-Length", None)
        lines = [f"{name}: {value}" for name, value in said.items()]
        head = "\r\n".join((f"POST {target.raw_path_qs} HTTP/1.1", *lines, ""))
        if not head.count("\n") == head.count("\r") == len(lines) + 1 or "\0" in head:
            raise ValueError("a header contains a line break")
        return head.encode()

    def _server(self, origin: URL) -> aiohttp.ClientRequest:
        """Describe a server as aiohttp does, by a request to it."""
        server = self._servers.get(origin)
        if server is None:
            if len(self._servers) >= _SERVERS:
                self._servers.clear()
            server = self._servers[origin] = aiohttp.ClientRequest(
                "GET", origin, headers=ASKED, skip_auto_headers=NEVER_ADDED
            )
        return server

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        if should_close:  # closing waits until the other side has read all that was written, and its leave of TLS
            protocol.abort()
        super()._release(key, protocol, should_close=should_close)

    async def _create_proxy_connection(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109 (aiohttp's)
        try:
            return await super()._create_proxy_connection(req, traces, timeout)
        except aiohttp.ClientHttpProxyError:
            raise
        except aiohttp.ClientConnectorError as error:
            if (error.host, error.port) == (req.url.host, req.url.port):
                raise
            raise aiohttp.ClientProxyConnectionError(error.args[0], error.os_error) from None
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientResponseError) as error:
            raise NoTunnel(f"the proxy opened no tunnel: {reason(error)}") from None


class _Handler(ResponseHandler):
    """Tells of bytes that are no HTTP also whoever waits for the rest of an answer, whom aiohttp leaves waiting."""

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        super().set_exception(exc, exc if exc_cause is None else exc_cause)
        answer = self._payload
        if isinstance(exc, HttpProcessingError) and answer is not None and not answer.is_eof():
            answer.set_exception(exc)


class Answer:
    """What is used of an answer of aiohttp's session; its connection goes back when the end of it is here."""

    __slots__ = ("connection", "content", "headers", "status")

    def __init__(
        self, connection: aiohttp.connector.Connection, message: RawResponseMessage, content: aiohttp.StreamReader
    ) -> None:
        self.status = message.code
        self.headers = message.headers
        self.content = content
        self.connection: aiohttp.connector.Connection | None = connection
        content.on_eof(self._release)

    def _release(self) -> None:
        connection, self.connection = self.connection, None
        if connection is None:
            return
        if connection.transport is not None and connection.transport.get_write_buffer_size():
            connection.close()  # it has answered before it has read all, and perhaps never will
        else:
            connection.release()

    def close(self) -> None:
        """Drop the connection; whoever waits for more of the body is told."""
        if self.content.exception() is None:
            self.content.set_exception(aiohttp.ClientConnectionError("closed"))
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Request(aiohttp.ClientRequest):
    """One of aiohttp's session, for a connection that is of use."""

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Write it."""
        _usable(conn)
        return await super().send(conn)


def _usable(connection: aiohttp.connector.Connection) -> ResponseHandler:
    """Give what reads a connection, unless that was closed while it was idle: only then it is sure to be unheard.

    Nor may anything have come on it, such as the 408 of a server that is about to close it, or what belongs to the
    answer before: it would be taken for the answer to this one.
    """
    protocol = connection.protocol
    assert protocol is not None  # it has not been given back
    if (_CLOSED and _is_closed(protocol)) or protocol.should_close:
        raise Closed
    return protocol


def _is_closed(protocol: ResponseHandler) -> bool:
    """Tell whether the other host has said that nothing follows, also where the event loop has not seen it yet."""
    looks = _LOOKS.get(protocol)
    if looks is None:
        if protocol.transport is None:
            return False
        looking = select.poll()
        looking.register(protocol.transport.get_extra_info("socket").fileno(), _CLOSED)
        looks = _LOOKS[protocol] = looking.poll
    return bool(looks(0))


class _Names(AbstractResolver):
    """Gives the addresses of a name."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name."""
        return [
            ResolveResult(
                hostname=host,
                host=_host(address),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in await addresses(host, port, family, socket.AI_ADDRCONFIG)
        ]

    async def close(self) -> None:
        """Nothing to close."""


class _Guarded(_Names):
    """Gives the addresses of a name if every one of them is allowed.

    Whoever writes the names may have one whose servers never answer, so only a few are looked up at a time.
    """

    def __init__(self, allows: Callable[[str], bool]) -> None:
        self._allows = allows
        self._places = asyncio.Semaphore(_LOOKUPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name."""
        await self._places.acquire()
        asked = asyncio.ensure_future(super().resolve(host, port, family))
        asked.add_done_callback(self._answered)
        await asyncio.wait((asked,))
        found = asked.result()
        if not all(self._allows(one["host"]) for one in found):
            raise ForbiddenAddress(None, "its address is not public")
        return found

    def _answered(self, asked: "asyncio.Future[list[ResolveResult]]") -> None:
        self._places.release()
        heard(asked)


def _host(address: tuple[Any, ...]) -> str:
    """Write an address with the interface that one of a link is reached through."""
    return f"{address[0]}%{address[3]}" if len(address) == 4 and address[3] else str(address[0])


def reason(error: Exception) -> str:
    """Say what failed without what was sent: aiohttp's own words and `__cause__` hold URLs and headers."""
    if isinstance(error, aiohttp.ClientConnectorError):
        proxy = "the proxy " if isinstance(error, aiohttp.ClientProxyConnectionError) else ""
        return f"no connection to {proxy}{error.host}:{error.port}: {_words(error.os_error)}"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return refused(error.status)
    if isinstance(error, UnusableProxy | NoTunnel):
        return str(error)
    if isinstance(error, ValueError):
        return "the URL or a header of the request has characters that must not be sent"
    if isinstance(error, OSError) and error.errno:
        return f"{type(error).__name__}: {_words(error)}"
    return next((words for kind, words in _SAID if isinstance(error, kind)), type(error).__name__)


def refused(status: int) -> str:
    """Say that a proxy leads nowhere."""
    return f"the proxy responds with status {status}"


def _words(error: OSError) -> str:
    """Give the system's words, in whose place event loops put addresses; TLS and name resolution have their own."""
    if isinstance(error, ssl.SSLError) or not error.errno or error.errno < 0:
        return error.strerror or str(error) or "it hangs up"  # in the middle of a TLS handshake, say
    return os.strerror(error.errno)
