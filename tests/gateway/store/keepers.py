"""Keepers for tests: on a store that waits or fails when it is told to, and what they have logged."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from gateway.config import LogConfig
from gateway.logs import logger_of
from gateway.store.credentials import CredentialStore, StoreFailed
from gateway.store.keeper import Keeper
from gateway.store.known import Change, StoredCredential
from tests.gateway.store.places import Place
from tests.patience import patient

__all__ = ["NOW", "Slow", "joined", "keeper_of", "logged", "until"]

NOW = 1_800_000_000.0


class Slow(CredentialStore):
    """A store that waits for its gate, or fails."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.file, url=place.url)
        place.stores.append(self)
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Event()
        self.problem: Exception | None = None
        self.learnt: list[Sequence[Change]] = []

    def fail(self) -> None:
        self.problem = StoreFailed("disk full")

    def learn(self, upstream: str, changes: Sequence[Change], now: float) -> list[StoredCredential]:
        self.began.set()
        self.gate.wait(5)
        if self.problem is not None:
            raise self.problem
        self.learnt.append(changes)
        return super().learn(upstream, changes, now)


def keeper_of(store: CredentialStore, *, redis: str = "", level: str = "info") -> Keeper:
    return Keeper(store, "google", logger_of(LogConfig(level=level, format="json")), redis=redis)


@asynccontextmanager
async def joined(*keepers: Keeper) -> AsyncIterator[None]:
    """Load and start keepers, and close them at the end."""
    try:
        for keeper in keepers:
            await asyncio.to_thread(keeper.load)
            await keeper.start()
        yield
    finally:
        for keeper in keepers:
            await keeper.close()


async def until(true: Callable[[], object], *, within_s: float = 30.0) -> None:
    """Wait for what no event tells of."""
    async with asyncio.timeout(patient(within_s)):
        while not true():  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.005)


def logged(capfd: pytest.CaptureFixture[str], event: str = "") -> list[dict[str, object]]:
    """Give the lines that were logged since the last call, or those of an event."""
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    return [line for line in lines if event in str(line["event"])]
