"""Whichever worker of whichever host takes a request, all of them tell the same of it, also when some are killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.cli.test_workers import LINUX
from tests.properties.examples import share
from tests.redis_server import RedisServer

from .fleet import FleetWalk, fleet

pytestmark = LINUX
WALKS = share(0.002)


@pytest.mark.anyio
@pytest.mark.usefixtures("within_a_day")
@pytest.mark.parametrize("seed", range(WALKS))
async def test_all_hosts_agree_after_each_step(
    tmp_path: Path, postgres_url: str, redis: RedisServer, seed: int
) -> None:
    async with fleet(tmp_path, postgres_url, redis.url, seed) as site:
        await FleetWalk(site, seed).go()
