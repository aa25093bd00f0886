"""What must outlive a request, a worker and a restart: the secret that sessions are signed with, and what is begun.

    begin(token, words) ─► the store, by the token's hash ─► take(token) ─► words, once

All workers and hosts find it in the credential store. While that is away, each process remembers its own; the secret is
read ahead where it may go away, so that those who open no page before know it.
"""

import asyncio
import secrets
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Final, Protocol, TypeVar, cast

from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock
from gateway.config import ConfigError, Loaded
from gateway.enduring import endure
from gateway.registry import import_path
from gateway.store.lane import Lanes
from gateway.store.stored import KeyProblem, StoreFailed

__all__ = ["LIFE_S", "Lasting", "LoginStore", "store_of"]

_T = TypeVar("_T")

LIFE_S: Final = 600  # of what is begun
_STORE: Final = "gateway.adapters.keeping:store_of"  # loads SQLAlchemy
_SETTING: Final = "admin_sessions"
_PATIENCE_S: Final = 1.0  # between two questions to a store that fails
_ANSWER_S: Final = 6.0  # longer than a store waits for another writer


class LoginStore(Protocol):
    """The part of the credential store that is used here. It blocks; it raises StoreFailed and KeyProblem."""

    def close(self) -> None:
        """Let go of it."""
        ...

    def setting(self, name: str, make: Callable[[], str]) -> str:
        """Give a secret that is made once for all."""
        ...

    def begin_login(self, hash_: str, words: str, until: float) -> None:
        """Keep words until a moment."""
        ...

    def has_login(self, hash_: str, now: float) -> bool:
        """Tell whether words are kept."""
        ...

    def take_login(self, hash_: str, now: float) -> str | None:
        """Give the words, once; None when they are gone, or were never there."""
        ...


class Lasting:
    """Asks the store in worker threads. `make`: gives it; it opens itself."""

    def __init__(self, make: Callable[[], LoginStore], clock: Clock, logger: FilteringBoundLogger) -> None:
        self._make = make
        self._clock = clock
        self._logger = logger
        self._store: LoginStore | None = None
        self._lock = asyncio.Lock()
        self._lane = Lanes(1, _ANSWER_S)
        self._secret = ""
        self._own_secret = secrets.token_hex(32)
        self._begun: dict[str, tuple[str, float]] = {}
        self._again_at = 0.0
        self._reading: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Learn the secret soon, or once the store answers."""
        if self._reading is None and not self._secret:
            self._reading = asyncio.get_running_loop().create_task(endure(self._read, self._logger))

    async def _read(self) -> None:
        while not self._secret:
            await self._clock.sleep(_PATIENCE_S)  # the first requests are in more of a hurry
            await self.secret()

    async def secret(self) -> str:
        """Give the secret that all processes share, or this one's own while the store is away."""
        if not self._secret:
            self._secret = await self._ask(lambda store: store.setting(_SETTING, _new_secret)) or ""
        return self._secret or self._own_secret

    async def begin(self, token: str, words: str, *, here: bool = False, life_s: float = LIFE_S) -> bool:
        """Keep words for the one who shows this token within `life_s`; `here`: in this process only.

        Return whether every process will know it.
        """
        hash_, now = _hash(token), self._clock.time()
        until = now + life_s
        if not here and await self._ask(partial(_begin, (hash_, words, until))):
            return True
        self._begun = {one: kept for one, kept in self._begun.items() if kept[1] > now}
        self._begun[hash_] = words, until
        return False

    async def has(self, token: str) -> bool:
        """Tell whether words are kept for a token; those of other processes are not known while the store is away."""
        hash_, now = _hash(token), self._clock.time()
        _, until = self._begun.get(hash_, ("", 0.0))
        return until > now or bool(await self._ask(lambda store: store.has_login(hash_, now)))

    async def take(self, token: str) -> str | None:
        """Give the words, once."""
        hash_, now = _hash(token), self._clock.time()
        words, until = self._begun.pop(hash_, (None, 0.0))
        if words is not None:
            return words if until > now else None
        return await self._ask(lambda store: store.take_login(hash_, now))

    async def close(self) -> None:
        """Let go of the store."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        async with self._lock:
            store, self._store = self._store, None
            if store is not None:
                await asyncio.to_thread(store.close)

    async def _ask(self, what: Callable[[LoginStore], _T]) -> _T | None:
        """Ask the store; None while it is away, which is told of once."""
        if self._again_at and self._lock.locked():
            return None  # somebody tries it; a store that fails can take its time
        async with self._lock:
            if self._clock.monotonic() < self._again_at:
                return None
            try:
                answer = await self._lane.ask(partial(self._answer, what))
            except (StoreFailed, KeyProblem, ConfigError) as error:
                if not self._again_at:
                    self._logger.warning("sessions and logins are known to one process only", reason=str(error))
                self._again_at = self._clock.monotonic() + _PATIENCE_S
                return None
            self._again_at = 0.0
            return answer

    def _answer(self, what: Callable[[LoginStore], _T]) -> _T:
        if self._store is None:
            self._store = self._make()
        return what(self._store)


def store_of(loaded: Loaded) -> LoginStore:
    """Give the credential store of a configuration; raise ConfigError for a key that is none."""
    make = cast("Callable[[Loaded], LoginStore]", import_path(_STORE))  # what is loaded by path is not typed
    return make(loaded)


def _begin(login: tuple[str, str, float], store: LoginStore) -> bool:
    store.begin_login(*login)
    return True


def _new_secret() -> str:
    return secrets.token_hex(32)


def _hash(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
