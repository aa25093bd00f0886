"""Work in a thread beside a busy event loop, which lends it the interpreter's lock.

A thread that waits for that lock is woken whenever the loop gives it up, for each system call and each wake-up, and
comes too late every time; CPython takes it away only from who has kept it for 5 ms in one go. SQLite's driver gives it
up with each statement: a batch of 1,600 rows, 13 ms of work, waited for 250 ms beside a loop that answered requests,
and the wake-ups took a third of that loop's time. While a thread works the loop stands still for a moment each
millisecond: 25 ms, and 150 wake-ups in the place of 3,000.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from errno import EAGAIN
from functools import partial
from random import random
from threading import Thread
from typing import Final, ParamSpec, TypeVar

from msgspec import Raw

__all__ = ["LONG_BYTES", "apart", "at_once", "begun_apart", "heard", "in_thread", "is_long"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_FIRST_S: Final = 0.01  # what is done by then does without
_EVERY_S: Final = 0.001
_SLOWER: Final = 1.02  # each time: after a second 50 times a second, for a database that is silent needs no lock
_LENT_S: Final = 0.00002  # a thread that wakes up needs some 50 us, which is the least that a system sleeps
_QUICK: Final = ThreadPoolExecutor(2, "gateway-quick")
_SLOW: Final = ThreadPoolExecutor(2, "gateway-slow")  # more would leave the loop less of the interpreter's lock
LONG_BYTES: Final = 128 * 1024
_STEP: Final = 4096
_LOOK: Final = _STEP // 8
_HEAVY: Final = (b":", b"{", b"[")
_LIGHT: Final = 32
_MANY: Final = 10_000 * _LOOK // _STEP  # members and objects: 10 ms for a thousand, and a megabyte may have 80,000


def is_long(*pieces: bytes | Raw) -> bool:
    """Tell whether JSON has so much in it that its translation would hold the loop; long texts and pictures do not.

    Members, objects, lists and escapes count; elements are light, and every text has commas. One byte in eight is
    looked at: to count them all took two fifths of a long talk's time.
    """
    if sum(map(len, pieces)) <= LONG_BYTES:
        return False
    seen = _seen(b"".join(pieces))
    weight = sum(map(seen.count, _HEAVY)) + seen.count(b",") // _LIGHT
    return weight > _MANY or weight + seen.count(b"\\u") > _MANY


def _seen(body: bytes) -> bytes:
    """Give a part of each step, from where nobody can foresee."""
    starts = (step + int(random() * _STEP) for step in range(0, len(body), _STEP))  # noqa: S311 - no secret, a sample
    return b"".join(body[start : start + _LOOK] for start in starts)


async def apart(takes_long: object, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Do in a thread what takes long, and anything else here."""
    if not takes_long:
        return work(*args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_SLOW, partial(work, *args, **kwargs))


async def at_once(work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Do something short in a thread of its own: the loop's few may all wait for the addresses of names."""
    return await asyncio.get_running_loop().run_in_executor(_QUICK, partial(work, *args, **kwargs))


async def in_thread(work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Do it in a thread of its own, which keeps nobody: neither other work, nor the end of the process.

    What a silent database is asked may never end. The loop's few threads look up names, too, and are waited for at
    the end.
    """
    lender = _Lender(asyncio.get_running_loop())
    try:
        return await begun_apart(partial(work, *args, **kwargs))
    finally:
        lender.stop()


def begun_apart(work: Callable[[], _T]) -> "asyncio.Future[_T]":
    """Begin something that may never end in a thread that keeps nobody; OSError where there can be no more threads."""
    done: Future[_T] = Future()
    done.set_running_or_notify_cancel()
    try:
        Thread(None, copy_context().run, "gateway-apart", (_do, done, work), daemon=True).start()
    except RuntimeError as error:
        raise OSError(EAGAIN, str(error)) from None
    return asyncio.wrap_future(done)


def heard(task: "asyncio.Future[_T]") -> None:
    """Take note of a failure that nobody waits for any more."""
    if not task.cancelled():
        task.exception()


def _do(done: "Future[_T]", work: Callable[[], _T]) -> None:
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
        done.set_exception(error)
    else:
        done.set_result(result)
    finally:
        del done  # the error leads to this frame


class _Lender:
    """Has the loop stand still from time to time."""

    __slots__ = ("_due", "_every_s", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._every_s = _EVERY_S
        self._due = loop.call_later(_FIRST_S, self._lend)

    def _lend(self) -> None:
        time.sleep(_LENT_S)
        self._due = self._loop.call_later(self._every_s, self._lend)
        self._every_s *= _SLOWER

    def stop(self) -> None:
        self._due.cancel()
