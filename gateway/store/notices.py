"""A channel of Redis on which the processes of one installation tell each other what they learn, as of credentials.

It is a help and no more: nobody waits for it, and what is missed is read from the database within a second. When Redis
is away that is told once, and it is tried again several times a second.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from structlog.typing import FilteringBoundLogger

from gateway.enduring import endure
from gateway.store.redis_names import named
from gateway.store.stored import why_away
from gateway.store.troubles import is_back, is_first

__all__ = ["Notices", "database_of"]

_AGAIN_S: Final = 0.3
_PING_S: Final = 1.0
_GIVE_UP_S: Final = 2.0
_WAITING: Final = 1000  # words that were not sent yet; what is more is found in the database
_AWAY: Final = "Redis is unreachable; credential changes of other processes are read from the store each second"
_BACK: Final = "Redis is back; credential changes are shared at once"
_PROBLEMS: Final = (RedisError, OSError, TimeoutError)


class _Listening(Protocol):
    """What of the client's subscription is used."""

    async def subscribe(self, *channels: str) -> None: ...

    async def get_message(self, *, timeout: float) -> dict[str, Any] | None: ...  # noqa: ASYNC109 - as the client has it

    async def ping(self) -> None: ...

    async def aclose(self) -> None: ...


class _Client(Protocol):
    """What of the client is used."""

    def pubsub(self) -> _Listening: ...

    async def publish(self, channel: str, words: bytes) -> int: ...

    async def aclose(self) -> None: ...


class Notices:
    """One channel. `hear` gets what was said, also by this process, and b"" when something may have been missed.

    `tells`: whether the log hears that Redis has gone, and that it is back.
    """

    def __init__(
        self,
        url: str,
        channel: str,
        logger: FilteringBoundLogger,
        *,
        hear: Callable[[bytes], None],
        tells: bool = True,
    ) -> None:
        self._tells = tells
        self._url = url
        self._channel = channel
        self._logger = logger
        self._hear = hear
        self._words: asyncio.Queue[tuple[bytes, Callable[[int], None] | None]] = asyncio.Queue(_WAITING)
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._away = False

    def start(self) -> None:
        """Begin to say and to hear."""
        loop = asyncio.get_running_loop()
        self._tasks = tuple(loop.create_task(endure(work, self._logger)) for work in (self._say_all, self._hear_all))

    async def close(self) -> None:
        """End it; what was not said yet is not said."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        is_back(self._url, self)

    def say(self, words: bytes, *, reached: Callable[[int], None] | None = None) -> bool:
        """Tell all who listen, soon; False where nobody can be told. `reached` hears how many there are."""
        if self._away or self._words.full():
            return False
        self._words.put_nowait((words, reached))
        return True

    @property
    def is_away(self) -> bool:
        """Whether nobody can be told, as far as is known."""
        return self._away

    async def _say_all(self) -> None:
        client = self._connected()
        try:
            while True:
                words, reached = await self._words.get()
                try:
                    async with asyncio.timeout(_GIVE_UP_S):
                        listeners = await client.publish(self._channel, words)
                    if reached is not None:
                        reached(listeners)
                except _PROBLEMS as error:
                    self._leave(error)
        finally:
            await client.aclose()

    async def _hear_all(self) -> None:
        while True:
            client = self._connected()
            try:
                await self._listen(client.pubsub())
            except _PROBLEMS as error:
                self._leave(error)
            finally:
                await client.aclose()
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self, listening: _Listening) -> None:
        try:
            async with asyncio.timeout(_GIVE_UP_S):
                await listening.subscribe(self._channel)
            while True:
                message = await self._next(listening)
                self._return()
                if message["type"] == "subscribe":
                    self._hear(b"")
                elif message["type"] == "message":
                    self._hear(message["data"])
        finally:
            await listening.aclose()

    async def _next(self, listening: _Listening) -> dict[str, Any]:
        """Wait for the next message; one who says nothing for long is asked whether he is there."""
        message = await listening.get_message(timeout=_PING_S)
        if message is None:
            async with asyncio.timeout(_GIVE_UP_S):
                await listening.ping()
            message = await listening.get_message(timeout=_GIVE_UP_S)
        if message is None:
            raise TimeoutError("it says nothing")
        return message

    def _connected(self) -> _Client:
        # its own types name what is only known at run time
        made = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            self._url, socket_connect_timeout=_GIVE_UP_S, retry=Retry(NoBackoff(), 0)
        )
        named(made.connection_pool)
        return cast(_Client, cast(object, made))

    def _leave(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            while not self._words.empty():
                self._words.get_nowait()
            if self._tells and is_first(self._url, self):
                self._logger.warning(_AWAY, reason=why_away(error))

    def _return(self) -> None:
        if self._away:
            self._away = False
            if self._tells and is_back(self._url, self):
                self._logger.info(_BACK)


def database_of(url: str) -> int:
    """Give the number of the database that an address of Redis names."""
    number: int = parse_url(url).get("db", 0)
    return number
