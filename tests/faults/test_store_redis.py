"""Row 23 of docs/faults.md: Redis goes and comes back."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.gateway.test_limiter_redis import admitted, becomes, ended, process
from tests.redis_server import RedisServer

pytestmark = pytest.mark.anyio

TRIES = 10  # an early one does where the machine is idle
BACK_S = 1.0
OFF_S = 0.1


async def test_limits_are_shared_again_a_second_after_redis_is_back(redis: RedisServer) -> None:
    """What is open when it goes is open when it is back."""
    taken = []
    async with process(redis) as limiter:
        await becomes(limiter, shared=True)
        for _ in range(TRIES):
            hold = await admitted(limiter)
            await asyncio.to_thread(redis.stop)
            await becomes(limiter, shared=False)
            await asyncio.to_thread(redis.start)
            began = time.monotonic()
            await becomes(limiter, shared=True)
            taken.append(time.monotonic() - began)
            await ended(limiter, hold)
            if taken[-1] <= BACK_S + OFF_S:
                break
    assert min(taken) <= BACK_S + OFF_S
