"""Names that a resolver says nothing about keep no other name waiting, nor the process from its end."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.clock import System
from gateway.config import LogConfig
from gateway.logs import logger_of
from gateway.names import addresses
from gateway.signatures import CALLS, PICTURES
from gateway.store.notices import Notices
from gateway.store.shared_limits import SharedLimits
from gateway.store.signatures import SharedSignatures
from gateway.store.windows import Away
from gateway.transport import ConnectFailed, Transport
from tests.gateway.wire import OK, post, saying, upstream
from tests.patience import patient

pytestmark = pytest.mark.anyio

MANY = 40  # more than any event loop has threads for it


class Resolver:
    """Says nothing about names of `.silent`; `asked`: how often each of those is being looked up."""

    def __init__(self) -> None:
        self.asked = Counter[str]()
        self.answers = threading.Event()
        self._real = socket.getaddrinfo

    def getaddrinfo(self, host: Any, *more: Any, **options: Any) -> Any:
        if not str(host).endswith(".silent"):
            return self._real(host, *more, **options)
        self.asked[host] += 1
        self.answers.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    yield made
    made.answers.set()


async def test_upstreams_whose_names_nobody_resolves_keep_no_other_waiting(
    resolver: Resolver, transport: Transport
) -> None:
    lost = [asyncio.create_task(post(transport, f"http://{number}.silent")) for number in range(MANY)]
    async with asyncio.timeout(patient(20)), upstream(saying(OK)) as server:
        while len(resolver.asked) < MANY:  # noqa: ASYNC110 - threads tell no loop
            await asyncio.sleep(0.002)
        await post(transport, server.url.replace("127.0.0.1", "localhost"))
    resolver.answers.set()
    errors = await asyncio.gather(*lost, return_exceptions=True)
    assert {type(error) for error in errors} == {ConnectFailed}
    assert "Temporary failure in name resolution" in str(errors[0])


async def test_a_name_is_looked_up_once_for_all_who_want_it_and_for_who_comes_later(resolver: Resolver) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await asyncio.gather(*(addresses("a.silent", 80) for _ in range(3)))
    assert resolver.asked == {"a.silent": 1}
    resolver.answers.set()
    with pytest.raises(socket.gaierror):
        await addresses("a.silent", 80)
    found = await addresses("localhost", 80, socket.AF_INET)
    assert [address[0] for *_, address in found] == ["127.0.0.1"]


async def test_a_redis_whose_name_nobody_resolves_is_looked_up_once_at_a_time(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "redis://redis.silent:6379/0"
    for part in ("notices", "signatures"):
        monkeypatch.setattr(f"gateway.store.{part}._GIVE_UP_S", 0.02)
    monkeypatch.setattr("gateway.store.notices._AGAIN_S", 0.01)
    logger = logger_of(LogConfig(level="critical"))
    limits = SharedLimits(url, give_up_s=0.02)
    signatures = SharedSignatures(url, (), System(), logger, calls=CALLS, pictures=PICTURES, ttl_s=60.0)
    notices = [Notices(url, f"channel-{number}", logger, hear=print) for number in range(3)]
    limits.start()
    await signatures.start()
    for one in notices:
        one.start()
    try:
        for _ in range(5):
            with pytest.raises(Away):
                await limits.renew({"": ("a",)})
            await signatures.ask()
            await asyncio.sleep(0.03)
        assert resolver.asked == {"redis.silent": 1}
    finally:
        await asyncio.gather(limits.stop(), signatures.stop(), *(one.close() for one in notices))
