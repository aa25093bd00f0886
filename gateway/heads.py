"""uvicorn's HTTP protocol with a bound on heads: request line and headers, of which its parser takes any amount.

A head that is longer gets 431, and the connection ends. One that comes slowly is held up to the bound and one read.
What stands behind a body in chunks has the same bound, and is dropped: uvicorn takes it for headers of the request,
where it could name another key or address than a proxy has let through. So could a second `Host`, which is 400.

An offer to speak another protocol (`Upgrade: h2c`, as Java's client makes with a first request) is not taken up: such a
request is read once more without it. The parser would take the end of its head for the end of all, and its body for the
next request. What is nothing but such an offer, CONNECT, is 400.

A caller of HTTP/1.0 (`ab`, old proxies) knows neither chunks nor 100 Continue, which uvicorn sends to everybody: a
stream ends for it with the connection. Where a connection is to close and the body has not come yet, uvicorn closes it
under the caller's words; here the rest of them is heard.

A caller that asks for more before it has its answer is heard further, for 64 kB or 16 requests: uvicorn stops to read
then, and so does not see that the caller leaves, of which it would tell the newest request alone.

The head of an answer goes out with what follows it at once, which is one packet instead of two.

The 431, and the 400 to what is no HTTP, is said in the dialect of the path and the headers that had come by then; where
an answer is under way it comes after that, so that nothing stands within another answer.
"""

from asyncio import AbstractEventLoop, Handle, Transport
from collections import deque
from collections.abc import Callable
from typing import ClassVar, Final, cast
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.context import new_id
from gateway.errors import GatewayError, HeadTooLarge, InvalidRequest
from gateway.refusal import written
from gateway.routes import Route, match

__all__ = ["MAX_HEAD_BYTES", "BoundedHeads"]

MAX_HEAD_BYTES: Final = 64 * 1024

_MOST_AHEAD: Final = 16  # requests that wait for the answers before them
_AHEAD_BYTES: Final = 64 * 1024  # that are read while they wait

_BETWEEN: Final = len(b": \r\n")  # what a header is written with besides its name and value
_OTHERS: Final = (  # what is spoken here by mistake, by how it begins
    (b"\x16\x03", "TLS: this port speaks http://, not https://"),
    (b"PROXY ", "the PROXY protocol, which a balancer can leave out"),
    (b"\r\n\r\n\x00\r\nQUIT\n", "the PROXY protocol, which a balancer can leave out"),
    (b"PRI * HTTP/2.0\r\n", "HTTP/2, and this port speaks HTTP/1.1"),
)


class _Last(RequestResponseCycle):
    """A request behind which the connection ends, and its answer.

    Of HTTP/1.0: without a length the answer ends with the connection (RFC 9112, 6.1 and 6.3). `linger`: see there.
    """

    linger: Callable[[], None]
    _is_unframed = False

    async def send(self, message: ASGISendEvent) -> None:
        """Write a part of the answer."""
        if message["type"] == "http.response.start":
            if self.scope["http_version"] == "1.0":
                self._is_unframed = all(name.lower() != b"content-length" for name, _ in message.get("headers", ()))
                self.chunked_encoding = False if self._is_unframed else None
        elif message["type"] == "http.response.body":
            if self._is_unframed:
                self.expected_content_length = len(message.get("body", b""))
            if self.more_body and not message.get("more_body", False):
                self.keep_alive = True  # uvicorn would close it now
                await super().send(message)
                self.linger()
                return
        await super().send(message)


class _Asking(_Last):
    """A request whose caller waits for 100 Continue before its body, and its answer.

    An answer in the place of that ends the connection. Nobody knows whether the body still comes (RFC 9110, 10.1.1):
    Caddy 2.6, as all that Go before 1.21.12 has made, may send the next caller's request where it was to stand.
    """

    async def send(self, message: ASGISendEvent) -> None:
        """Write a part of the answer."""
        if self.waiting_for_100_continue and self.more_body:
            self.keep_alive = False
        if self.keep_alive:
            await RequestResponseCycle.send(self, message)
        else:
            await super().send(message)


class _Joining:
    """Stands before a transport until the head of an answer is written: it goes out together with what follows it.

    A head that nothing follows in the same turn of the event loop goes out by itself.
    """

    __slots__ = ("_cycle", "_head", "_loop", "_transport", "_turn")

    def __init__(self, cycle: RequestResponseCycle, transport: Transport, loop: AbstractEventLoop) -> None:
        self._cycle = cycle
        self._transport = transport
        self._loop = loop
        self._turn: Handle | None = None

    def write(self, data: bytes) -> None:
        """Keep the first data for a moment, and send them with the next."""
        if self._turn is None:
            self._head = data
            self._turn = self._loop.call_soon(self.flush)
        else:
            self._turn.cancel()
            self._cycle.transport = self._transport
            self._transport.write(self._head + data)

    def flush(self) -> None:
        """Send what is kept; from now on all goes to the transport."""
        self._cycle.transport = self._transport
        if self._turn is not None:
            self._turn.cancel()
            if not self._transport.is_closing():
                self._transport.write(self._head)

    def close(self) -> None:
        """Send what is kept, and close the connection."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Tell whether nothing goes out any more."""
        return self._transport.is_closing()


class _Flow(FlowControl):
    """Reads on only where `is_full` does not forbid it; uvicorn does with each answer."""

    def __init__(self, transport: Transport, is_full: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._is_full = is_full

    def resume_reading(self) -> None:
        """Read on."""
        if not self._is_full():
            super().resume_reading()


class BoundedHeads(HttpToolsProtocol):
    """One connection; `ends`: with its next answer, for the server does, too.

    `unanswered`: the requests that are, the one that is being answered first.
    """

    ends: ClassVar[bool] = False

    url = b""
    _is_open = False  # a request has begun, and is not complete
    _came = 0  # bytes of the head, or since the last ones of a body, since the read in which they began
    _read = 0  # bytes of the last read
    _ahead = 0  # bytes read since requests wait for the answers before them
    _is_long = False
    _again = b""  # the head of a request that offers another protocol, without the offer
    _lingers = False
    _refusal = b""  # what is to be said when the answers that are under way have ended

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Begin."""
        super().connection_made(transport)
        self.flow = _Flow(transport, self._is_full)
        self.unanswered: deque[RequestResponseCycle] = deque()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every request that its caller has left, and let go of them.

        What holds itself in a circle waits for the collector, and each connection would, with its last request.
        """
        super().connection_lost(exc)
        for cycle in self.unanswered:
            cycle.disconnected = True  # it sends nothing any more, and so does not ask for what goes here
            cycle.transport = self.transport
            cycle.message_event.set()
        self.unanswered.clear()
        self.pipeline.clear()
        self.flow = FlowControl(self.transport)
        self.cycle = None  # type: ignore[assignment] # as uvicorn begins

    def data_received(self, data: bytes) -> None:
        """Parse what came; behind what was refused nothing is read."""
        if self._refusal:
            return
        self._read = len(data)
        self._ahead = self._ahead + self._read if self.pipeline else 0
        self._came += self._read if self._is_open else 0
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except HttpParserError:
            self.logger.warning("Invalid HTTP request received from %s%s", _host(self.client), _guess(data))
            self.send_400_response("")
        if self._is_open and self._came > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._is_long = True
            self.send_400_response("")
        if self.pipeline:
            self.flow.resume_reading()

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._is_open, self._came, self._again = True, 0, b""
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Measure a head that came all at once, and begin the request."""
        if self._lingers:  # it stands behind the last one
            return
        # what came in one read, and that a short one, cannot be longer
        if (self._came or self._read > MAX_HEAD_BYTES) and self._length() > MAX_HEAD_BYTES:
            self._is_long = True
            raise ValueError("the head is too long")  # the parser stops
        if self._is_ambiguous():
            raise ValueError("the head can be read in two ways")
        self._came = 0
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise ValueError("nothing is left without the offer")
            self._again = self._without_offer()
        else:
            self.begin_request()

    def begin_request(self) -> None:
        """Serve a request whose head is complete."""
        super().on_headers_complete()
        self.unanswered.append(self.cycle)
        self.cycle.transport = cast(Transport, _Joining(self.cycle, self.transport, self.loop))
        self.headers = []  # the scope has those of the head; what stands behind the body comes into these
        if self.ends or not self.cycle.keep_alive:
            self._close_behind(self.cycle)
        elif self.expect_100_continue:
            self._watch(self.cycle, _Asking)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, which has a bound of its own."""
        self._came = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Count no more."""
        self._is_open = False
        if not self._again:
            self.end_request()

    def end_request(self) -> None:
        """Have all of a request."""
        super().on_message_complete()
        if self._lingers:
            self.transport.close()

    def linger(self) -> None:
        """Say no more, but hear the rest of a body that nobody waits for: else the answer would be lost with it.

        Whoever still sends to a connection that is closed gets a reset, and that can take what is unread along (RFC
        9112, 9.6): nginx makes a 502 of a 401.
        """
        self._lingers = True
        if not self.transport.is_closing():
            self.transport.write_eof()

    def on_response_complete(self) -> None:
        """Go on to the next request, or refuse what came behind the last one."""
        transport = self.unanswered.popleft().transport
        if isinstance(transport, _Joining):
            transport.flush()
        super().on_response_complete()
        if self._refusal and self.cycle.response_complete and not self.transport.is_closing():
            self._end(self._refusal)
        self.flow.resume_reading()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed, or is too long to be."""
        refusal = self._written()
        if not self.cycle or self.cycle.response_complete:  # uvicorn types it as never None
            self._end(refusal)
        elif not self.cycle.more_body:
            self._refusal = refusal
        else:  # it is the body of the last request, whose answer may have begun, or stand behind another
            self._end(b"" if self.cycle.response_started or self.pipeline else refusal)

    def _is_full(self) -> bool:
        return len(self.pipeline) > _MOST_AHEAD or (bool(self.pipeline) and self._ahead > _AHEAD_BYTES)

    def _parse(self, data: bytes) -> None:
        left: bytes | memoryview = data
        while left:
            try:
                self.parser.feed_data(left)
            except HttpParserUpgrade as found:
                left = memoryview(left)[found.args[0] :]
                self.parser = HttpRequestParser(self)  # the old one is at its end where the connection is to close
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
                self.parser.feed_data(self._again)
            else:
                return

    def _without_offer(self) -> bytes:
        head = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        return head + b"".join(b"%b: %b\r\n" % one for one in self.headers if one[0] != b"upgrade") + b"\r\n"

    def _length(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + _BETWEEN for name, value in self.headers)

    def _is_ambiguous(self) -> bool:
        """Look for what RFC 9112 wants refused (3.2, 6.1) and the parser lets pass."""
        names = dict(self.headers)
        if len(names) == len(self.headers) and b"host" in names and b"transfer-encoding" not in names:
            return False  # nearly all of them
        hosts = codings = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"transfer-encoding":
                codings += 1 if value.lower() == b"chunked" else 2
        is_old = self.parser.get_http_version() != "1.1"  # pyright: ignore[reportOptionalMemberAccess] # it calls
        return hosts > 1 or (not hosts and not is_old) or codings > (0 if is_old else 1)

    def _watch(self, cycle: RequestResponseCycle, kind: type[_Last]) -> None:
        cycle.__class__ = kind
        assert isinstance(cycle, _Last)
        cycle.linger = self.linger

    def _close_behind(self, cycle: RequestResponseCycle) -> None:
        self._watch(cycle, _Last)
        cycle.keep_alive = False
        if cycle.scope["http_version"] == "1.0":
            cycle.waiting_for_100_continue = False

    def _end(self, refusal: bytes) -> None:
        if not self._lingers:
            self.transport.write(refusal)
        self.transport.close()

    def _written(self) -> bytes:
        request_id = f"req_{new_id()}"
        status, headers, body = written(self._error(), self._route(), request_id)
        named = request_id.encode()
        headers += [(b"x-request-id", named), (b"request-id", named), (b"connection", b"close")]
        headers += self.server_state.default_headers
        lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
        return b"%b%b\r\n%b" % (STATUS_LINE[status], lines, body)

    def _error(self) -> GatewayError:
        if self._is_long:
            return HeadTooLarge(f"the request line and the headers are longer than {MAX_HEAD_BYTES} bytes")
        return InvalidRequest("this is not a well-formed HTTP request")

    def _route(self) -> Route:
        """Give the route of what has come so far; no more than its dialect is asked of it."""
        path, _, query = self.url.partition(b"?")
        headers = dict(self.scope["headers"] if self.scope else ())
        return match("POST", unquote(path.decode("latin-1")), headers, query)


def _host(client: tuple[str, int] | None) -> str:
    return client[0] if client else "a local socket"


def _guess(data: bytes) -> str:
    """Say what else than HTTP/1.1 begins so, as far as that is known."""
    return next((f": it is {what}" for begin, what in _OTHERS if data.startswith(begin)), "")
