"""Answer Prometheus: the numbers of all workers, to a program on this machine or to a key that may have them."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from starlette.types import Receive, Scope, Send

from gateway.context import attach
from gateway.errors import GatewayError, MethodNotAllowed
from gateway.middleware.auth import Auth, Right
from gateway.refusal import refuse
from gateway.registry import import_path
from gateway.store.tally import Tally, Totals

if TYPE_CHECKING:
    from gateway.middleware.exposition import Pools

__all__ = ["Scrape"]

Write: TypeAlias = "Callable[[Totals, Pools, str], tuple[bytes, str]]"

_EXPOSITION: Final = "gateway.middleware.exposition:exposition"  # loads prometheus_client
_METHODS: Final = ("GET", "HEAD")


class Scrape:
    """ASGI app. `guard`: knows the keys; `right`: what a key needs; `pools`: each upstream's credentials by state."""

    def __init__(
        self, tally: Tally, guard: Auth, *, right: Right = "metrics", pools: "Callable[[], Pools] | None" = None
    ) -> None:
        self._tally = tally
        self._guard = guard
        self._right: Right = right
        self._pools = pools or _none

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        context, send = attach(scope, send)
        try:
            self._guard.guard(scope, context, self._right)
            if scope["method"] not in _METHODS:
                message = f"{scope['path'][:200]} takes GET, not {scope['method']}"
                raise MethodNotAllowed(message, headers={"allow": ", ".join(_METHODS)})
        except GatewayError as error:
            await refuse(context, send, error)
            return
        accept = context.headers.get(b"accept", b"").decode("latin-1")
        body, media_type = await asyncio.to_thread(self._write, accept, self._pools())
        headers = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _write(self, accept: str, pools: "Pools") -> tuple[bytes, str]:
        write = cast("Write", import_path(_EXPOSITION))  # what is loaded by path is not typed
        return write(self._tally.totals(), pools, accept)


def _none() -> Mapping[str, Mapping[str, int]]:
    return {}
