"""HTTP for google-auth, which waits for each answer: from its thread to the event loop and back.

    thread: credentials.refresh(request) ─► request(url) ─► waits
    loop:                                      └─► Transport.fetch ─► answer

So its calls have this gateway's proxies and limits, and end with it. What needs a certificate of the machine goes the
way that google-auth has for it.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Final
from urllib.parse import urlsplit

from google.auth.exceptions import TransportError as GoogleTransportError
from google.auth.transport import Response
from google.auth.transport.requests import Request

from gateway.transport import Transport, TransportError, Whole

__all__ = ["LoopRequest", "Stopped"]

_TIMEOUT_S: Final = 30.0
_MAX_BYTES: Final = 1024 * 1024
_METADATA: Final = frozenset({"metadata.google.internal", "169.254.169.254"})  # by https only with its certificates


class Stopped(Exception):
    """The gateway ends, so nothing is asked any more; google-auth does not try such a call again."""


class _Answer(Response):
    """An answer as google-auth reads it."""

    def __init__(self, whole: Whole) -> None:
        self._whole = whole

    @property
    def status(self) -> int:
        return self._whole.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._whole.headers

    @property
    def data(self) -> bytes:
        return self._whole.body


class LoopRequest(Request):
    """Made in the event loop, called in threads. `status`: of the last call's answer, 0 = there was none."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._open: set[Future[Whole]] = set()
        self._stopped = False
        self.status = 0

    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride]  # what is read of an answer is the same
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> Response:
        """Make one call; raise google-auth's TransportError."""
        if self._stopped:
            raise Stopped
        self.status = 0
        if kwargs or _needs_certificate(url):
            return self._with_certificate(url, method, body, headers, timeout or _TIMEOUT_S, **kwargs)
        asking = self._transport.fetch(
            method,
            url,
            headers=dict(headers or {}),
            body=body.encode() if isinstance(body, str) else body,
            timeout_s=timeout or _TIMEOUT_S,
            max_bytes=_MAX_BYTES,
        )
        waiting = asyncio.run_coroutine_threadsafe(asking, self._loop)
        self._open.add(waiting)
        try:
            whole = waiting.result()
        except TransportError as error:
            raise GoogleTransportError(str(error)) from None  # type: ignore[no-untyped-call]  # google-auth's
        finally:
            self._open.discard(waiting)
        self.status = whole.status
        return _Answer(whole)

    def _with_certificate(self, *call: Any, **options: Any) -> Response:
        answer: Response = super().__call__(*call, **options)  # type: ignore[no-untyped-call]  # google-auth's
        self.status = answer.status
        return answer

    def stop(self) -> None:
        """End what is under way, and begin nothing more."""
        self._stopped = True
        for waiting in tuple(self._open):
            waiting.cancel()
        self.session.close()


def _needs_certificate(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and parts.hostname in _METADATA
