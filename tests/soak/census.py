"""A middleware that says what its worker has: tasks, leases, answers of upstreams, connections that wait for use."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
from collections import Counter

import msgspec
from msgspec import Struct
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

import gateway.middleware.exposition  # noqa: F401 - loaded when /metrics is first asked for: chance decides when and where

__all__ = ["PATH", "Census", "Counted"]

PATH = "/soak/census"


class Counted(Struct):
    """What one worker has. `tasks`: by the name of what runs, without the one that answers; `idle`: connections.

    `blocks`: pieces of memory that Python objects hold, without those that nobody can reach; objects above 512 bytes,
    and what C libraries hold, are no such pieces: `heap_mb` of malloc's memory is in use for them.
    """

    pid: int
    tasks: dict[str, int]
    leases: int
    answers: int
    idle: int
    blocks: int
    heap_mb: float


class Census:
    """ASGI middleware; outermost, so that nothing of the pipeline counts it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != PATH:
            await self.app(scope, receive, send)
            return
        await Response(msgspec.json.encode(_counted(scope)))(scope, receive, send)


def _counted(scope: Scope) -> Counted:
    gateway = scope["app"].state.gateway
    others = asyncio.all_tasks() - {asyncio.current_task()}
    connector = gateway.transport._session.connector
    gc.collect()
    return Counted(
        pid=os.getpid(),
        tasks=dict(Counter(_named(task) for task in others)),
        leases=sum(getattr(adapter, "leases", 0) for adapter in gateway.adapters.values()),
        answers=gateway.transport.open_responses,
        idle=sum(map(len, connector._conns.values())),
        blocks=sys.getallocatedblocks(),
        heap_mb=_heap_mb(),
    )


def _named(task: asyncio.Task[object]) -> str:
    return getattr(task.get_coro(), "__qualname__", "?")


class _Heap(ctypes.Structure):
    """`struct mallinfo2` of glibc 2.33 and later: bytes in use are `hblkhd`, for large pieces, and `uordblks`."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


_read_heap = ctypes.CDLL(None).mallinfo2
_read_heap.restype = _Heap


def _heap_mb() -> float:
    found = _read_heap()
    return float(found.uordblks + found.hblkhd) / 1e6
