"""Who asks: some read at once, some slowly, some leave. Each request has to end within its deadline."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping, Sequence
from random import Random

import httpx
from msgspec import Struct

from tests.soak.asks import ENDS, Ask, drawn

__all__ = ["DEADLINE_S", "Seen", "ask", "call"]

DEADLINE_S = 60.0  # several times what the gateway's own patience comes to
PAUSE_S = 0.4  # between two requests of a caller, at most
SMALL_BYTES = 4096  # of the socket of who reads slowly
GULP_S = 0.02
ERROR = b'"error"'  # an upstream may break off behind the reason why it finished
STALE_S = 1.0  # a connection is used again within; the gateway closes it after 5


class Seen(Struct):
    """What a caller knows of a request. `whole`: it came to its end; `left`: he left; `broken`: how it broke."""

    name: str
    began: float
    ended: float = 0.0
    status: int = 0
    whole: bool = False
    left: bool = False
    broken: str = ""
    hung: bool = False


class _Left(Exception):
    """The caller has left."""


async def call(
    url: str, gateway: str, caller: int, seed: int, keys: Mapping[str, int], stop: asyncio.Event, seen: list[Seen]
) -> None:
    """Ask one request after the other until it is enough."""
    dice = Random(f"{seed}-{gateway}-{caller}")
    small = [(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)]
    async with _client(url) as fast, _client(url, small) as slow:
        number = caller * 1_000_000
        while not stop.is_set():
            one = drawn(dice, gateway, number, keys)
            seen.append(await ask(slow if one.manner == "reads slowly" else fast, one))
            number += 1
            await asyncio.sleep(dice.uniform(0, PAUSE_S))


def _client(url: str, options: Sequence[tuple[int, int, int]] = ()) -> httpx.AsyncClient:
    """Make one without a timeout: the deadline is that of `ask`."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=1, keepalive_expiry=STALE_S)
    transport = httpx.AsyncHTTPTransport(limits=limits, socket_options=options)
    return httpx.AsyncClient(base_url=url, transport=transport, timeout=None)


async def ask(client: httpx.AsyncClient, one: Ask, deadline_s: float = DEADLINE_S) -> Seen:
    """Ask once, and say what came of it."""
    seen = Seen(one.name, time.time())
    try:
        async with asyncio.timeout(deadline_s):
            await _asked(client, one, seen)
    except TimeoutError:
        seen.hung = True
    except _Left:
        seen.left = True
    except httpx.TransportError as error:
        seen.broken = f"{type(error).__name__}: {error}"
    seen.ended = time.time()
    return seen


async def _asked(client: httpx.AsyncClient, one: Ask, seen: Seen) -> None:
    try:
        async with asyncio.timeout(0.1 if one.manner == "leaves at once" else None):
            await _read(client, one, seen)
    except TimeoutError:
        raise _Left from None


async def _read(client: httpx.AsyncClient, one: Ask, seen: Seen) -> None:
    got = bytearray()
    async with client.stream("POST", one.path, content=one.body(), headers=one.headers) as answer:
        seen.status = answer.status_code
        async for data in answer.aiter_raw(SMALL_BYTES if one.manner == "reads slowly" else None):
            got += data
            if one.manner == "leaves midway" and seen.status == 200:
                raise _Left
            if one.manner == "reads slowly":
                await asyncio.sleep(GULP_S)
    seen.whole = seen.status == 200 and (not one.stream or (ENDS[one.dialect] in got and ERROR not in got))
