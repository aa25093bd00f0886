"""uvicorn's HTTP protocol with a bound on heads: request line and headers, of which its parser takes any amount.

A head that is longer gets 431, and the connection ends. One that comes slowly is held up to the bound and one read.
"""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["MAX_HEAD_BYTES", "BoundedHeads"]

MAX_HEAD_BYTES: Final = 64 * 1024

_BETWEEN: Final = len(b": \r\n")  # what a header is written with besides its name and value
# the path may not have come yet, so the dialect is unknown; every SDK reads this form
_SAID: Final = (
    b'{"error":{"message":"the request line and the headers are longer than 65536 bytes",'
    b'"type":"invalid_request_error","param":null,"code":"head_too_large"}}'
)
_REFUSAL: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_SAID), _SAID)
)


class BoundedHeads(HttpToolsProtocol):
    """One connection."""

    _is_open = False  # a head has begun, and is not complete
    _came = 0  # bytes of it, since the read in which it began
    _read = 0  # bytes of the last read
    _is_long = False

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._read = len(data)
        self._came += self._read if self._is_open else 0
        super().data_received(data)
        if self._is_open and self._came > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse()

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._is_open, self._came = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Measure a head that came all at once, and begin the request."""
        self._is_open = False
        # what came in one read, and that a short one, cannot be longer
        if (self._came or self._read > MAX_HEAD_BYTES) and self._length() > MAX_HEAD_BYTES:
            self._is_long = True
            raise ValueError("the head is too long")  # the parser stops
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed, or is too long to be."""
        if self._is_long:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _length(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + _BETWEEN for name, value in self.headers)

    def _refuse(self) -> None:
        self.transport.write(_REFUSAL)
        self.transport.close()
