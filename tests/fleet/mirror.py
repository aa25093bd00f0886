"""A server of all upstream APIs that answers nothing but refusals, and repeats in them whatever it was sent.

The model says how: `m-401` is that status, `m-fields` puts it into the error's own fields, `m-stream` into an error
event under 200, `m-late` into one after the beginning of an answer, `m-html` into a page, `m-cut` into an answer that
is no HTTP. Its token endpoint does the same.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, unquote

__all__ = ["MODES", "mirror"]

# what costs an upstream its credentials comes last
MODES = ("400", "fields", "stream", "late", "html", "cut", "429", "500", "403", "401")
SHOWN = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "x-own")
MODEL = re.compile(r"m-(\w+)")
DELTA = {"role": "assistant", "content": "Hello"}
CHAT: Sequence[Mapping[str, object]] = (
    {"id": "x", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": DELTA}]},
)
USAGE = {"input_tokens": 1, "output_tokens": 1}
BEGUN = {"id": "x", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": USAGE}
MESSAGE: Sequence[Mapping[str, object]] = (
    {"type": "message_start", "message": BEGUN},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
)


class Handler(BaseHTTPRequestHandler):
    """Answers one call."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """List nothing."""
        self._answer(500, self._error(500, self._words("")))

    def do_POST(self) -> None:
        """Refuse as the model says."""
        body = self.rfile.read(int(self.headers["content-length"] or 0)).decode()
        words = self._words(body)
        if self.path.endswith("/token"):
            form = " ".join(value for _, value in parse_qsl(body))
            self._answer(400, {"error": "invalid_request", "error_description": f"no {form}"})
            return
        found = MODEL.search(f"{self.path} {body}")
        mode = found[1] if found else "400"
        getattr(self, f"_{mode}", self._status)(mode, words)

    def _words(self, body: str) -> str:
        """Say bare, and as it came, all that was shown, and what the address holds."""
        shown = [self.headers[name] for name in SHOWN if name in self.headers]
        bare = " ".join(value.rpartition(" ")[2] for value in shown)
        whole = " ".join(f"{name}: {value}" for name, value in self.headers.items())
        return f"Refused: {bare}. You sent <{bare}> {whole} {unquote(self.path)}"

    def _error(self, code: int, words: str, **more: object) -> Mapping[str, object]:
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "X", "metadata": {"said": words}}
        number = {"code": code} if self.path.startswith("/google") else {}
        error = {"message": words, "type": "error", "details": [info], **number, **more}
        return {"type": "error", "error": error}

    def _401(self, mode: str, words: str) -> None:
        self._status(mode, words.replace("Refused", "Incorrect API key provided"))

    def _status(self, mode: str, words: str) -> None:
        self._answer(int(mode), self._error(int(mode), words), words)

    def _fields(self, _: str, words: str) -> None:
        bare = words.partition(": ")[2].partition(". You")[0]
        more = {"type": f"t {bare}", "param": f"p {bare}", "status": f"s {bare}", "code": f"c {bare}"}
        self._answer(400, self._error(400, words, **more))

    def _stream(self, _: str, words: str) -> None:
        self._send(200, "text/event-stream", f"event: error\ndata: {json.dumps(self._error(400, words))}\n\n")

    def _late(self, _: str, words: str) -> None:
        begun = CHAT if self.path.endswith("completions") else MESSAGE
        said = "".join(f"event: {one.get('type', 'x')}\ndata: {json.dumps(one)}\n\n" for one in begun)
        error = f"event: error\ndata: {json.dumps(self._error(400, words))}\n\n"
        self._send(200, "text/event-stream", said + error)

    def _html(self, _: str, words: str) -> None:
        self._send(502, "text/html", f"<html><title>{words}</title><p>{words}")

    def _cut(self, _: str, words: str) -> None:
        self.wfile.write(f"{words}\r\n\r\n".encode())
        self.close_connection = True

    def _answer(self, status: int, body: Mapping[str, object], words: str = "") -> None:
        self._send(status, "application/json", json.dumps(body), words)

    def _send(self, status: int, kind: str, body: str, words: str = "") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body.encode())))
        for name in ("x-request-id", "request-id", "www-authenticate"):
            self.send_header(name, f"id {words}")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing on standard error."""


class Server(ThreadingHTTPServer):
    """Says nothing of a gateway that closes behind an error; tests read the gateway's own lines there."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of any other error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def mirror() -> Iterator[str]:
    """Run it, and give its address."""
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
