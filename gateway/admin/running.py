"""The requests that run now, in all processes of this host that share the data_dir, and with Redis on all hosts."""

import asyncio
import os
import platform
from operator import attrgetter
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from gateway.admin.hosts import Hosts
from gateway.admin.siblings import Siblings
from gateway.clock import Clock
from gateway.context import RequestContext
from gateway.errors import Cancelled, NotFound
from gateway.relay import Relay
from gateway.streaming import Client

__all__ = ["Running", "RunningRequests"]

_T = TypeVar("_T")

_FOLDER: Final = "live"  # below server.data_dir


class Running(Struct, frozen=True, kw_only=True):
    """One request. `since`: Unix seconds. `upstream`: the one that answers or is asked, "" = none yet.

    `attempts`: calls to upstreams; `pieces`, `sent_bytes`: of its stream, so far. `process`, `host`: what has it.
    """

    id: str
    key: str
    dialect: str
    operation: str
    model: str
    upstream: str
    attempts: int
    since: float
    pieces: int
    sent_bytes: int
    process: int
    host: str = ""


class _Asked(Struct, frozen=True):
    """What processes ask each other: all that runs, or the end of one."""

    what: Literal["list", "cancel"]
    id: str = ""
    by: str = ""


_ASKED: Final = msgspec.json.Decoder(_Asked)
_RUNNING: Final = msgspec.json.Decoder(list[Running])
_ENDED: Final = msgspec.json.Decoder(int)
_encode: Final = msgspec.json.Encoder().encode


class RunningRequests:
    """The requests of one app, and those of its siblings. `redis`: where other hosts are asked, "" = nowhere."""

    def __init__(
        self, relay: Relay, clock: Clock, data_dir: Path, logger: FilteringBoundLogger, redis: str = ""
    ) -> None:
        self._relay = relay
        self._clock = clock
        self._siblings = Siblings(data_dir / _FOLDER, self._answer)
        self._hosts = Hosts(redis, self._siblings.name, self._answer, logger)

    async def start(self) -> str:
        """Let the others ask; say why the siblings cannot, "" when they can."""
        self._hosts.start()
        return await self._siblings.start()

    async def stop(self) -> None:
        """Answer no more."""
        await self._hosts.stop()
        await self._siblings.stop()

    @property
    def sees_hosts(self) -> bool:
        """Whether other hosts are asked, too."""
        return self._hosts.listens

    @property
    def misses_hosts(self) -> bool:
        """Whether they cannot be asked now."""
        return self._hosts.is_away

    async def rows(self) -> list[Running]:
        """List what runs, the oldest first."""
        said = await self._ask(_Asked("list"))
        others = [running for answer in said for running in _read(_RUNNING, answer) or ()]
        return sorted([*self._own(), *others], key=attrgetter("since", "id"))

    async def cancel(self, id_: str, by: str) -> None:
        """End a request wherever it runs; raise NotFound."""
        ended = self._cancel(id_, by)
        for answer in await self._ask(_Asked("cancel", id_, by)):
            ended += _read(_ENDED, answer) or 0
        if not ended:
            raise NotFound(f"no request {id_[:64]!r} is running here")

    async def _ask(self, asked: _Asked) -> list[bytes]:
        words = _encode(asked)
        if not self._hosts.listens:
            return await self._siblings.ask(words)
        names = await self._siblings.others()
        near, far = await asyncio.gather(self._siblings.ask(words), self._hosts.ask(words, names))
        return [*near, *far]

    def _answer(self, words: bytes) -> bytes:
        asked = _ASKED.decode(words)
        return _encode(self._cancel(asked.id, asked.by) if asked.what == "cancel" else self._own())

    def _own(self) -> list[Running]:
        passed = self._clock.time() - self._clock.monotonic()
        return [_running(client, context, passed) for client, context in self._relay.open.items()]

    def _cancel(self, id_: str, by: str) -> int:
        """End those of this process that have the id, which a caller may give twice; say how many."""
        found = [client for client, context in self._relay.open.items() if context.request_id == id_]
        for client in found:
            words = f"the operator of the gateway ({by}) has ended this request"
            client.abort(Cancelled(words, headers={"x-should-retry": "false"}))
        return len(found)


def _read(decoder: msgspec.json.Decoder[_T], answer: bytes) -> _T | None:
    """Read what a sibling says, which may be of another version."""
    try:
        return decoder.decode(answer)
    except msgspec.DecodeError:
        return None


def _running(client: Client, context: RequestContext, passed: float) -> Running:
    return Running(
        id=context.request_id,
        key=context.principal.name,
        dialect=context.route.dialect,
        operation=context.route.operation,
        model=context.requested_model,
        upstream=context.called(),
        attempts=context.attempts,
        since=context.started + passed,
        pieces=client.pieces,
        sent_bytes=client.sent_bytes,
        process=os.getpid(),
        host=platform.node(),
    )
