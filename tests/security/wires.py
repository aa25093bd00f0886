"""Raw bytes: to a server, as no client of ours would write them, and from a gateway, as an upstream reads them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.patience import patient

__all__ = ["ANSWER", "WHOLE", "Upstream", "exchange", "listening"]

PATIENCE_S = 30
WHOLE = (
    b'{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"ok"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
)
ANSWER = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(WHOLE),
    WHOLE,
)


def exchange(url: str, *pieces: bytes) -> bytes:
    """Send these bytes, and give all that comes until the server closes the connection."""
    address = urlsplit(url)
    came: list[bytes] = []
    with socket.create_connection((address.hostname, address.port), timeout=patient(PATIENCE_S)) as connection:
        with suppress(ConnectionError):  # it may close before all is sent
            for piece in pieces:
                connection.sendall(piece)
        with suppress(ConnectionResetError):
            while data := connection.recv(65536):
                came.append(data)
    return b"".join(came)


@dataclass
class Upstream:
    """A server that keeps each request as it came, and gives every one the same bytes."""

    url: str
    answer: bytes
    requests: list[bytes] = field(default_factory=list, repr=False)

    @property
    def heads(self) -> list[bytes]:
        """Give the lines of the last request's head, in lower case."""
        return self.requests[-1].partition(b"\r\n\r\n")[0].lower().split(b"\r\n")

    @property
    def body(self) -> bytes:
        """Give the last request's body as it stood on the wire."""
        return self.requests[-1].partition(b"\r\n\r\n")[2]

    def values(self, name: bytes) -> Sequence[bytes]:
        """Give every value of a header of the last request."""
        return [line.partition(b":")[2].strip() for line in self.heads[1:] if line.partition(b":")[0] == name]

    def serve(self, listener: socket.socket) -> None:
        """Answer until the listener is closed; a connection is for one request."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(PATIENCE_S)
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        came = b""
        while not _is_whole(came):
            data = connection.recv(65536)
            if not data:
                return
            came += data
        self.requests.append(came)
        connection.sendall(self.answer)


@contextmanager
def listening(answer: bytes = ANSWER) -> Iterator[Upstream]:
    """Run one during the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream = Upstream(f"http://127.0.0.1:{listener.getsockname()[1]}", answer)
        thread = threading.Thread(target=upstream.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield upstream
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE_S)


def _is_whole(came: bytes) -> bool:
    """Tell whether a request is complete, by either of the two framings."""
    head, end, body = came.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    lengths = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")]
    if any(line.startswith(b"transfer-encoding:") for line in lines):
        return body.endswith(b"0\r\n\r\n")
    return bool(end) and len(body) >= max(lengths, default=0)
