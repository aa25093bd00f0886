"""The address on this machine to which Google's page sends the browser back (RFC 8252 7.3).

It is on 127.0.0.1, at a free port, has one path, and is there for one answer. A request by another name than that of
the address is refused: a foreign page may have its own name lead here.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from html import escape
from typing import Final

import uvicorn
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from gateway.redirect import WrongState, code_of
from gateway.upstream import Consent, LoginFailed

__all__ = ["PATH", "listening", "opened"]

PATH: Final = "/oauth2/callback"
_HOST: Final = "127.0.0.1"
_HEADERS: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}
_PAGE: Final = '<!doctype html><html lang="en"><meta charset="utf-8"><title>gateway</title><p>{}</p></html>\n'
_RECEIVED: Final = "Google's response has arrived. The login continues in the terminal; you can close this page."


@contextmanager
def opened() -> Generator[socket.socket]:
    """Take a free port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind((_HOST, 0))
        listener.listen()
        yield listener


@asynccontextmanager
async def listening(listener: socket.socket, consent: Consent, answer: asyncio.Future[str]) -> AsyncGenerator[None]:
    """Wait for the browser during the block; `answer` gets its code, or LoginFailed."""
    config = uvicorn.Config(
        _Page(consent, answer, f"{_HOST}:{listener.getsockname()[1]}"),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True  # a task group would cancel it instead, and leave the address open
        await serving


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the signals to the command."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Handle none."""
        yield


class _Page:
    """The one page. `authority`: the Host that is answered."""

    def __init__(self, consent: Consent, answer: asyncio.Future[str], authority: str) -> None:
        self._consent = consent
        self._answer = answer
        self._authority = authority

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._respond(Request(scope))(scope, receive, send)

    def _respond(self, request: Request) -> Response:
        if request.headers.getlist("host") != [self._authority]:
            return _page("This page has another address.", 421)
        if request.url.path != PATH:
            return _page("There is nothing here.", 404)
        if request.method != "GET":
            return _page("This page can only be read.", 405, {"allow": "GET"})
        return self._take(request.url.query)

    def _take(self, query: str) -> Response:
        try:
            code = code_of(self._consent, query)
        except WrongState as error:
            return _page(str(error), 400)
        except LoginFailed as error:
            if not self._answer.done():
                self._answer.set_exception(error)
            return _page(str(error), 400)
        if not self._answer.done():
            self._answer.set_result(code)
        return _page(_RECEIVED)


def _page(words: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return HTMLResponse(_PAGE.format(escape(words)), status, headers={**_HEADERS, **(headers or {})})
