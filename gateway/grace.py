"""What only long requests need, begun only for those: timers and tasks are the dearest part of a short one."""

from __future__ import annotations

import asyncio
from asyncio import current_task, get_running_loop
from threading import get_ident
from typing import Any, Final, Protocol, Self

from gateway.histogram import SHORTEST_S, observe

__all__ = ["Grace", "Watchdog"]

GRACE_S: Final = 0.02


class Lasting(Protocol):
    """Something that has use for a timer or a task of its own when it lasts."""

    def begin(self) -> None:
        """Start it."""
        ...


class Grace:
    """Begins what lasts longer than `delay_s`, in the order it came, with one timer of the event loop for all."""

    __slots__ = ("_delay", "_thread", "_timer", "_waiting", "loop")

    def __init__(self, delay_s: float = GRACE_S) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._delay = delay_s
        self._waiting: dict[Lasting, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._thread = 0

    def here(self) -> asyncio.Task[Any]:
        """Give the task that runs; its event loop is `loop` from then on.

        Python 3.11 asks the system, at each question for the loop, whether this is still the same process. The last one
        is asked instead: where another runs now, it has no task in this thread.
        """
        if self._thread == get_ident():
            task = current_task(self.loop)
            if task is not None:
                return task
        self.loop, self._thread, self._timer = get_running_loop(), get_ident(), None
        task = current_task(self.loop)
        assert task is not None
        return task

    def add(self, lasting: Lasting, loop: asyncio.AbstractEventLoop, now: float) -> None:
        """Begin it on the loop that `here` has found, after the delay, if it is not discarded before."""
        self._waiting[lasting] = now + self._delay
        if self._timer is None:
            self._timer = loop.call_later(self._delay, self._look)

    def discard(self, lasting: Lasting) -> bool:
        """Forget it; False when it has begun."""
        return self._waiting.pop(lasting, None) is not None

    def _look(self) -> None:
        loop = self.loop
        assert loop is not None
        self._timer = None
        now = loop.time()
        for lasting, due in tuple(self._waiting.items()):
            if due > now:
                self._timer = loop.call_at(due, self._look)
                break
            del self._waiting[lasting]
            lasting.begin()


class Watchdog:
    """Raise TimeoutError in the current task after `limit_s` without `feed()`.

    One lazy timer: feeding notes the time, the timer looks at it when it fires. Between `hold()` and `feed()` the task
    waits for somebody else, and no time counts. `silences`: a histogram of the times before each `hold()`.
    """

    __slots__ = (
        "_cancelling",
        "_expired",
        "_grace",
        "_handle",
        "_held",
        "_last",
        "_limit",
        "_loop",
        "_silences",
        "_task",
        "_time",
    )

    def __init__(self, limit_s: float, grace: Grace | None = None, silences: list[float] | None = None) -> None:
        self._limit = limit_s
        self._grace = grace if limit_s > GRACE_S else None
        self._silences = silences
        self._expired = False
        self._handle: asyncio.TimerHandle | None = None
        self._held = False

    def feed(self) -> None:
        """Note a sign of life."""
        self._held = False
        self._last = self._time()

    def hold(self) -> None:
        """Stop the clock; what was waited for is here."""
        self._held = True
        silences = self._silences
        if silences is not None:
            seconds = self._time() - self._last
            if seconds > SHORTEST_S:
                observe(silences, seconds)
            else:  # most of them, where many come in a row
                silences[0] += 1
                silences[-1] += seconds

    def begin(self) -> None:
        """Set the timer."""
        self._handle = self._loop.call_at(self._last + self._limit, self._look)

    def __enter__(self) -> Self:
        grace = self._grace or Grace()
        self._task = task = grace.here()
        self._loop = loop = task.get_loop()
        self._time = loop.time
        self._cancelling = task.cancelling()
        self._last = now = loop.time()
        if self._grace is None:
            self.begin()
        else:
            self._grace.add(self, loop, now)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._handle is not None:
            self._handle.cancel()
        elif self._grace is not None:
            self._grace.discard(self)
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError

    def _look(self) -> None:
        now = self._loop.time()
        due = (now if self._held else self._last) + self._limit
        if now >= due:
            self._expired = True
            self._task.cancel()
        else:
            self._handle = self._loop.call_later(due - now, self._look)
