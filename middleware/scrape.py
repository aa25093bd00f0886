"""Answer Prometheus: the numbers of all workers, to a program on this machine or to a key that may have them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias, cast

from msgspec import Struct
from starlette.types import Receive, Scope, Send

from gateway.context import attach
from gateway.errors import GatewayError, MethodNotAllowed
from gateway.lending import at_once
from gateway.middleware.auth import Auth, Right
from gateway.refusal import refuse
from gateway.registry import import_path
from gateway.store.tally import Tally, Totals

__all__ = ["Scrape", "Standing"]

_EXPOSITION: Final = "gateway.middleware.exposition:exposition"  # loads prometheus_client
_METHODS: Final = ("GET", "HEAD")


class Standing(Struct, frozen=True, kw_only=True):
    """What is not counted but looked at, by the worker that answers.

    `states`: of each upstream's credentials how many are in which; `cooldowns`: how many models they rest for; `redis`:
    whether it answers, None = there is none; `rejected`: whether the configuration file, as it is now, is invalid, None
    = there is none.
    """

    states: Mapping[str, Mapping[str, int]] = {}
    cooldowns: Mapping[str, int] = {}
    redis: bool | None = None
    rejected: bool | None = None


Write: TypeAlias = Callable[[Totals, Standing, str], tuple[bytes, str]]


class Scrape:
    """ASGI app. `guard`: knows the keys; `right`: what a key needs; `standing`: how things are now."""

    def __init__(
        self,
        tally: Tally,
        guard: Auth,
        *,
        right: Right = "metrics",
        standing: Callable[[], Awaitable[Standing]] | None = None,
    ) -> None:
        self._tally = tally
        self._guard = guard
        self._right: Right = right
        self._standing = standing or _nothing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        context, send = attach(scope, send)
        try:
            await self._guard.guard(scope, context, self._right)
            if scope["method"] not in _METHODS:
                message = f"{scope['path'][:200]} takes GET, not {scope['method']}"
                raise MethodNotAllowed(message, headers={"allow": ", ".join(_METHODS)})
        except GatewayError as error:
            await refuse(context, send, error)
            return
        accept = context.headers.get(b"accept", b"").decode("latin-1")
        body, media_type = await at_once(self._write, accept, await self._standing())
        headers = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _write(self, accept: str, standing: Standing) -> tuple[bytes, str]:
        write = cast("Write", import_path(_EXPOSITION))  # what is loaded by path is not typed
        return write(self._tally.totals(), standing, accept)


async def _nothing() -> Standing:
    return Standing()
