"""What callers drop of signatures, where every worker and host finds it: in Redis, when store.redis is set.

    gateway:signatures:{caller}           what there is of one caller, by time: "<bytes>:<name>"
    gateway:signatures:{caller}:bytes     how many bytes that are
    gateway:signatures:{caller}:<name>    one entry, encrypted
    gateway:signatures:{caller}:pictures  the same three for pictures, whose entries are of about 1 MB

Names and keys are made of the caller, the id of the call and store.encryption_key, if there is one: who reads Redis
learns nothing without the id of the call. It is a help and no more. Nobody waits longer than a few milliseconds, or
half a second for pictures, which take many seconds to draw. No failure reaches a caller, and when Redis is away it is
left alone for a second at a time. One that refuses what is to be kept (its memory is full, it is a replica) is read all
the same, and back when it keeps something.
"""

import asyncio
import hmac
import os
from collections.abc import Coroutine, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, Protocol, TypeVar, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError, RedisError, ResponseError
from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock
from gateway.shelf import Bounds
from gateway.store.redis_names import named
from gateway.store.stored import why_away

__all__ = ["SharedSignatures"]

_T = TypeVar("_T")

_PATIENCE_S: Final = 0.01  # of a request; what it began goes on behind its back
_FOR_PICTURES: Final = 50  # times as long: each takes 10 ms at 1 Gbit/s
_ASKED_S: Final = 0.5  # of who asks for nothing but whether it is there; probes of Kubernetes wait for a second
_GIVE_UP_S: Final = 2.0
_REST_S: Final = 1.0  # before Redis is asked again
_SLOW: Final = 3  # times in a row, and it counts as away
_HELD_UP_S: Final = 0.002  # a timer that rings so much later tells that this process had other work
_MORE_S: Final = 0.05  # then: the answer may have come long ago
_UNKEYED: Final = b"asgi-llm-gateway"
_NONCE: Final = 12
_ADD: Final = """
local base, total = KEYS[1], KEYS[1] .. ':bytes'
local ttl, most, most_bytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local function drop(members)
  for _, member in ipairs(members) do
    local bytes, name = string.match(member, '^(%d+):(.*)$')
    redis.call('UNLINK', base .. ':' .. name)
    redis.call('DECRBY', total, bytes)
  end
end
for i = 4, #ARGV, 2 do
  local name, value = ARGV[i], ARGV[i + 1]
  if redis.call('EXISTS', base .. ':' .. name) == 0 then
    redis.call('ZADD', base, now, #value .. ':' .. name)
    redis.call('INCRBY', total, #value)
  end
  redis.call('SET', base .. ':' .. name, value, 'EX', ttl)
end
local old = redis.call('ZRANGEBYSCORE', base, '-inf', now - ttl)
drop(old)
redis.call('ZREMRANGEBYSCORE', base, '-inf', now - ttl)
while redis.call('ZCARD', base) > most or tonumber(redis.call('GET', total) or '0') > most_bytes do
  local first = redis.call('ZPOPMIN', base)
  if #first == 0 then break end
  drop({first[1]})
end
redis.call('EXPIRE', base, ttl)
redis.call('EXPIRE', total, ttl)
"""


class _Pool(Protocol):
    """What of the client's pool is used."""

    async def disconnect(self, inuse_connections: bool = ...) -> None: ...


class _Client(Protocol):
    """What of the client is used."""

    @property
    def connection_pool(self) -> _Pool: ...

    async def execute_command(self, *words: object) -> object: ...

    async def aclose(self) -> None: ...


class SharedSignatures:
    """Entries by caller and call, or picture; each caller has so many and so large ones of both, for `ttl_s`."""

    def __init__(
        self,
        url: str,
        keys: Sequence[str],
        clock: Clock,
        logger: FilteringBoundLogger,
        *,
        calls: Bounds,
        pictures: Bounds,
        ttl_s: float,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._url = url
        self._roots = [key.encode() for key in keys] or [_UNKEYED]
        self._clock = clock
        self._logger = logger
        self._bounds = [(int(ttl_s), one.size, one.shared_bytes) for one in (calls, pictures)]
        self._patience_s = (patience_s, patience_s * _FOR_PICTURES)
        self._client: _Client | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._resting_until = 0.0
        self._slow = 0
        self._away = False
        self._late = False  # it is left alone, and has not failed
        self._refuses = False

    @property
    def away(self) -> bool:
        """Whether it did not answer when it was asked last, or refuses what it is to keep."""
        return self._away

    async def start(self) -> None:
        """Connect behind everybody's back."""
        made = Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - its further options are not typed
            self._url,
            socket_timeout=_GIVE_UP_S,
            socket_connect_timeout=_GIVE_UP_S,
            retry=Retry(NoBackoff(), 1),  # a connection that went stale
        )
        named(made.connection_pool)
        self._client = client = cast(_Client, made)  # whose commands are not typed
        self._begin(self._answered(_pinged(client)))

    async def stop(self) -> None:
        """Leave what is not done, and disconnect."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def ask(self) -> bool:
        """Find out whether it answers now."""
        client = self._ready()
        return client is not None and bool(await self._wait(_pinged(client), _ASKED_S))

    async def get(self, caller: str, names: Sequence[str], *, pictures: bool = False) -> Mapping[str, bytes] | None:
        """Give what there is for these calls, or pictures; None when it cannot be asked."""
        client = self._ready()
        if client is None:
            return None
        asked = [(name, root) for name in names for root in self._roots]
        base = _base(caller, pictures=pictures)
        keys = [f"{base}:{_name(root, caller, name)}" for name, root in asked]
        values = await self._wait(_found(client, keys), self._patience_s[pictures])
        if values is None:
            return None
        opened = {
            name: _open(root, caller, name, value)
            for (name, root), value in zip(asked, values, strict=True)
            if value is not None
        }
        return {name: value for name, value in opened.items() if value is not None}

    async def put(self, caller: str, entries: Mapping[str, bytes], *, pictures: bool = False) -> None:
        """Keep entries; it goes on when nobody waits for it any more, or at all while it responds too late."""
        client = self._client if self._late else self._ready()
        if client is None:
            return
        root = self._roots[0]
        sealed = [
            word
            for call, value in entries.items()
            for word in (_name(root, caller, call), _seal(root, caller, call, value))
        ]
        work = _added(client, _base(caller, pictures=pictures), [*self._bounds[pictures], *sealed])
        if self._ready() is None:
            self._begin(self._answered(work, puts=True))
        else:
            await self._wait(work, self._patience_s[pictures], puts=True)

    # nobody waits long

    def _ready(self) -> _Client | None:
        return self._client if self._resting_until <= self._clock.monotonic() else None

    def _begin(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _wait(self, work: Coroutine[Any, Any, _T], patience_s: float, *, puts: bool = False) -> _T | None:
        task = self._begin(self._answered(work, puts=puts))
        held_up = await _waited(task, patience_s)
        if task.done():
            self._slow = 0
            return task.result()
        self._slow += not held_up
        if self._slow >= _SLOW:
            self._refuses = False
            self._leave("it responds too late", late=True)
        return None

    async def _answered(self, work: Coroutine[Any, Any, _T], *, puts: bool = False) -> _T | None:
        try:
            async with asyncio.timeout(_GIVE_UP_S):
                answer = await work
        except (RedisError, OSError, TimeoutError) as error:
            self._refuses = puts and isinstance(error, ResponseError)
            self._leave(why_away(error))
            return None
        if self._away and (puts or not self._refuses):
            self._away, self._late, self._refuses, self._resting_until = False, False, False, 0.0
            self._logger.info("Redis is back; signatures are shared again")
        return answer

    def _leave(self, reason: str, *, late: bool = False) -> None:
        self._late = late
        self._resting_until = 0.0 if self._refuses else self._clock.monotonic() + _REST_S
        if not self._away:
            self._away = True
            self._logger.warning("Redis keeps no signatures; this process remembers its own", reason=reason)


async def _waited(task: asyncio.Task[Any], patience_s: float) -> bool:
    """Wait for an answer; tell whether it was this process that had no time for it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + patience_s
    await asyncio.wait((task,), timeout=patience_s)
    if loop.time() - until < _HELD_UP_S:
        return False
    await asyncio.wait((task,), timeout=_MORE_S)
    return True


async def _pinged(client: _Client) -> bool:
    return bool(await client.execute_command("PING"))


async def _found(client: _Client, names: list[str]) -> list[bytes | None]:
    return cast(list[bytes | None], await client.execute_command("MGET", *names))  # as Redis answers it


async def _added(client: _Client, base: str, words: list[int | str | bytes]) -> bool:
    try:
        await client.execute_command("EVAL", _ADD, 1, base, *words)
    except ReadOnlyError:
        await client.connection_pool.disconnect(inuse_connections=False)  # new ones lead to who has taken its place
        raise
    return True


def _base(caller: str, *, pictures: bool) -> str:
    return f"gateway:signatures:{{{sha256(caller.encode()).hexdigest()[:32]}}}{':pictures' if pictures else ''}"


def _name(root: bytes, caller: str, call: str) -> str:
    return _made(root, "name", caller, call).hex()[:32]


def _seal(root: bytes, caller: str, call: str, value: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(_made(root, "key", caller, call)).encrypt(nonce, value, None)


def _open(root: bytes, caller: str, call: str, sealed: bytes) -> bytes | None:
    try:
        return AESGCM(_made(root, "key", caller, call)).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
    except (InvalidTag, ValueError):  # not ours, or not as it was
        return None


def _made(root: bytes, what: str, caller: str, call: str) -> bytes:
    return hmac.digest(root, f"{what}\0{caller}\0{call}".encode(errors="surrogatepass"), "sha256")
