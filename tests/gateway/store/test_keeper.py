"""Writing behind the requests' back."""

import asyncio
import threading
from pathlib import Path

import pytest

from gateway.config import LogConfig
from gateway.logs import logger_of
from gateway.store.credentials import CredentialStore, StoredCredential, StoredModels, StoreFailed
from gateway.store.keeper import Keeper

pytestmark = pytest.mark.anyio


class Slow(CredentialStore):
    """A store that waits, or fails."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.gate = threading.Event()
        self.gate.set()
        self.fails = False
        self.saved: list[str] = []

    def save(self, upstream: str, credential: StoredCredential) -> None:
        self.gate.wait(5)
        if self.fails:
            raise StoreFailed("disk full")
        self.saved.append(credential.state)
        super().save(upstream, credential)


@pytest.fixture
def store(tmp_path: Path) -> Slow:
    return Slow(tmp_path / "gateway.db")


def keeper_of(store: CredentialStore) -> Keeper:
    return Keeper(store, "google", logger_of(LogConfig(level="error", format="json")))


async def test_close_waits_for_what_is_to_be_written(store: Slow) -> None:
    keeper = keeper_of(store)
    assert keeper.load() == ({}, None)
    keeper.later(lambda: StoredCredential(id="a"))
    await keeper.save_models(StoredModels("{}", 1.0))
    await keeper.close()
    assert keeper.load() == ({"a": StoredCredential(id="a")}, StoredModels("{}", 1.0))


async def test_a_row_is_taken_when_its_turn_has_come(store: Slow) -> None:
    keeper = keeper_of(store)
    keeper.load()
    state = ["active"]
    store.gate.clear()
    keeper.later(lambda: StoredCredential(id="a", state=state[0]))
    keeper.later(lambda: StoredCredential(id="a", state=state[0]))
    await asyncio.sleep(0)
    state[0] = "disabled"
    store.gate.set()
    await keeper.close()
    assert store.saved[-1] == "disabled"


async def test_one_who_leaves_does_not_end_the_write(store: Slow) -> None:
    keeper = keeper_of(store)
    keeper.load()
    store.gate.clear()
    first = asyncio.create_task(keeper.now(lambda: StoredCredential(id="a")))
    second = asyncio.create_task(keeper.now(lambda: StoredCredential(id="b")))
    await asyncio.sleep(0)
    second.cancel()
    store.gate.set()
    await asyncio.wait([first, second])
    await keeper.close()
    assert keeper.load()[0].keys() == {"a", "b"}


async def test_a_store_that_fails_is_told_of_once(store: Slow, capfd: pytest.CaptureFixture[str]) -> None:
    keeper = keeper_of(store)
    keeper.load()
    store.fails = True
    for _ in range(3):
        await keeper.now(lambda: StoredCredential(id="a"))
    assert capfd.readouterr().err.count("the credential store fails") == 1
    store.fails = False
    await keeper.now(lambda: StoredCredential(id="a"))
    assert keeper.load()[0].keys() == {"a"}
