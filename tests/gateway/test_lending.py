"""A worker thread beside an event loop that is busy gets the interpreter's lock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from msgspec import Raw

import gateway.lending
from gateway.lending import apart, in_thread, is_long
from tests.patience import patient


class Lent:
    """Counts how often the loop stands still; `enough` is set at the third time."""

    def __init__(self) -> None:
        self.times = 0
        self.enough = threading.Event()

    def sleep(self, _: float) -> None:
        self.times += 1
        if self.times == 3:
            self.enough.set()


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> Lent:
    made = Lent()
    monkeypatch.setattr(gateway.lending, "time", made)
    return made


def waits_for(event: threading.Event) -> Callable[[], bool]:
    return lambda: event.wait(patient(20))


async def test_what_it_gives_and_raises_is_the_works() -> None:
    assert await in_thread("{}-{b}".format, 1, b=2) == "1-2"
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 1, 0)


async def test_the_loop_stands_still_again_and_again_until_the_work_is_done(lent: Lent) -> None:
    assert await in_thread(waits_for(lent.enough))
    times = lent.times
    await asyncio.sleep(0.05)
    assert lent.times == times


async def test_it_stands_still_less_and_less_often_while_the_work_hears_nothing(
    lent: Lent, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, delays, many = asyncio.get_running_loop(), list[float](), asyncio.Event()
    later = loop.call_later

    def soon(delay: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        delays.append(delay)
        if len(delays) == 200:
            many.set()
        return later(0, call)

    silent = threading.Event()
    monkeypatch.setattr(loop, "call_later", soon)
    work = asyncio.create_task(in_thread(waits_for(silent)))
    await many.wait()
    silent.set()
    await work
    assert delays[:200] == [delays[0], *sorted(delays[1:200])]
    assert (sum(delays[1:160]) > 1.0, delays[199] > 0.05) == (True, True)


async def test_short_work_does_without(lent: Lent, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, timers = asyncio.get_running_loop(), list[tuple[float, asyncio.TimerHandle]]()
    later = loop.call_later

    def never(delay: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        timers.append((delay, later(600, call)))
        return timers[-1][1]

    monkeypatch.setattr(loop, "call_later", never)  # on a busy machine no work is short
    await in_thread(int)
    ((delay, timer),) = timers
    assert (delay, timer.cancelled(), lent.times) == (0.01, True, 0)


async def test_it_stands_still_no_more_when_the_waiter_has_left(lent: Lent) -> None:
    done = threading.Event()
    waiter = asyncio.create_task(in_thread(waits_for(done)))
    await asyncio.to_thread(lent.enough.wait, patient(20))
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    times = lent.times
    await asyncio.sleep(0.05)
    done.set()
    assert lent.times == times


@pytest.mark.parametrize(
    ("pieces", "long"),
    [
        ([b'{"text":"%s"}' % (b"a" * 200_000)], False),
        ([b'{"a":1}' * 1000], False),
        ([b'{"a":1},' * 40_000], True),
        ([b"[%s]" % (b"{}," * 100_000)], True),
        ([b"[%s]" % (b"[]," * 100_000)], True),
        ([b"[%s]" % (b'"",' * 500_000)], True),
        ([b'"%s"' % (rb"\ud800" * 50_000)], True),
        ([b"Some words, and a comma; " * 40_000], False),
        ([Raw(b'{"a":1},' * 5000)] * 8, True),
        ([Raw(b'{"a":1},' * 8)] * 5000, True),
        ([(b'{"a":1},' * 64 + b"a" * 3584) * 400], True),
        ([(b'{"a":1},' * 4 + b"a" * 4064) * 400], False),
    ],
    ids=[
        "a text",
        "few",
        "members",
        "objects",
        "lists",
        "elements",
        "escapes",
        "prose",
        "several",
        "many",
        "in one place of each step",
        "few in one place of each step",
    ],
)
def test_what_has_much_in_it_is_long(pieces: list[bytes | Raw], long: bool) -> None:
    assert [is_long(*pieces) for _ in range(50)] == [long] * 50


async def test_what_takes_long_is_done_in_a_thread_and_anything_else_here() -> None:
    here = threading.get_ident()
    assert await apart(False, threading.get_ident) == here
    assert await apart(True, threading.get_ident) != here
    with pytest.raises(ZeroDivisionError):
        await apart(True, divmod, 1, 0)
