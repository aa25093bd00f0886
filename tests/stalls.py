"""A guard of the event loop: no step of the gateway may take 50 ms of it, in any test.

What counts is the processor's time of the loop's thread, without the garbage collector's: a busy machine fails
no test. Steps of the tests themselves, and of their fakes, do not count, nor do loops that are not asyncio's. A test
that shows how long something takes does so within `GUARD.paused()`.
"""

from __future__ import annotations

import gc
import time
from asyncio import Task, events
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any, Final

import pytest

from tests.patience import patient

__all__ = ["GUARD", "LIMIT_S", "Stalls"]

LIMIT_S: Final = 0.05
ROOT: Final = Path(__file__).parents[1]
OURS: Final = tuple(str(ROOT / name) for name in ("gateway", "middleware", "adapters"))
SERVED: Final = "RequestResponseCycle.run_asgi"  # uvicorn's, with the whole gateway inside


class Stalls:
    """The steps that took too long; `install` makes it see every step of every loop of asyncio's own kind."""

    def __init__(self, limit_s: float = LIMIT_S, allowed: Callable[[float], float] = float) -> None:
        self.found: list[str] = []
        self._limit_s = limit_s
        self._allowed = allowed
        self._is_paused = False
        self._collecting = self._collected = 0.0

    def install(self) -> Callable[[], None]:
        """Begin; what is given ends it."""
        run: Callable[[events.Handle], None] = events.Handle._run
        now, watch = time.thread_time, self

        def watched(handle: events.Handle) -> None:
            began, collected = now(), watch._collected
            run(handle)
            taken = now() - began
            if taken > watch._limit_s:
                watch._note(handle, taken - (watch._collected - collected))

        def end() -> None:
            setattr(events.Handle, "_run", run)  # noqa: B010 - a method is not to be assigned to
            gc.callbacks.remove(self._collects)

        setattr(events.Handle, "_run", watched)  # noqa: B010
        gc.callbacks.append(self._collects)
        return end

    @contextmanager
    def paused(self) -> Generator[None]:
        """Look away."""
        self._is_paused = True
        try:
            yield
        finally:
            self._is_paused = False

    def _collects(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            self._collected += time.thread_time() - self._collecting

    def _note(self, handle: events.Handle, taken_s: float) -> None:
        task = getattr(getattr(handle, "_callback", None), "__self__", None)
        coroutine: Any = task.get_coro() if isinstance(task, Task) else None
        name = getattr(coroutine, "__qualname__", "")
        code: CodeType | None = getattr(coroutine, "cr_code", None)
        ours = name == SERVED or (code is not None and code.co_filename.startswith(OURS))
        if ours and taken_s > self._allowed(self._limit_s) and not self._is_paused:
            self.found.append(f"{taken_s * 1000:.0f} ms in a step of {name}")


GUARD: Final = Stalls(allowed=patient)  # a busy machine's caches are cold, and its steps slower


def pytest_configure(config: pytest.Config) -> None:
    """Begin."""
    config.add_cleanup(GUARD.install())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Fail a test in which the gateway held its event loop."""
    GUARD.found.clear()
    result = yield
    if GUARD.found:
        pytest.fail(f"the event loop was held: {'; '.join(GUARD.found)}", pytrace=False)
    return result
