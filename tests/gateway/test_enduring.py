"""Work in the background outlives its defects."""

from __future__ import annotations

import asyncio

import pytest

from gateway.config import LogConfig
from gateway.enduring import endure
from gateway.logs import logger_of
from tests.gateway.store.keepers import logged, until

pytestmark = pytest.mark.anyio

LOG = LogConfig(format="json")


async def test_what_ends_by_a_defect_begins_anew_ever_later(capfd: pytest.CaptureFixture[str]) -> None:
    began: list[int] = []

    async def work() -> None:
        began.append(len(began))
        if len(began) < 4:
            raise RuntimeError("can't start new thread")
        await asyncio.Event().wait()

    task = asyncio.get_running_loop().create_task(endure(work, logger_of(LOG), wait_s=0.01))
    await until(lambda: len(began) == 4)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    told = logged(capfd, "defect")
    assert [line["again_in_s"] for line in told] == [0.01, 0.02, 0.04]
    assert "can't start new thread" in str(told[0]["exception"])


async def test_what_is_done_is_not_begun_again() -> None:
    began: list[str] = []

    async def work() -> None:
        began.append("once")

    await endure(work, logger_of(LOG))
    assert began == ["once"]
