"""`gateway run --workers N`: several processes at one socket.

The parent passes signals on and puts a new worker in the place of one that was killed. When a worker cannot start,
all end. Workers whose parent is gone drain and end too: they hold the reading end of a pipe that nobody writes to.
"""

import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

__all__ = ["Work", "supervise"]

Work = Callable[[bool, int], None]


def supervise(count: int, listener: socket.socket, work: Work) -> int:
    """Run `work(first, leash)` in so many processes until a signal, and give the exit code.

    `first` is true in one of them; `leash` is readable when the parent has ended.
    """
    return _Supervisor(listener, work).run(count)


class _Supervisor:
    def __init__(self, listener: socket.socket, work: Work) -> None:
        self._listener = listener
        self._work = work
        self._leash, self._held = os.pipe()
        self._workers: set[int] = set()
        self._ending = False

    def run(self, count: int) -> int:
        """Wait for the workers, from the first to the last."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._pass_on)
        for place in range(count):
            self._fork(first=place == 0)
        code = 0
        while self._workers:
            pid, status = os.wait()
            self._workers.discard(pid)
            ended = os.waitstatus_to_exitcode(status)
            if self._ending:
                continue
            if ended > 0:  # it will not fare better the next time
                code = ended
                self._pass_on(signal.SIGTERM, None)
            else:
                self._fork(first=False)
        return code

    def _fork(self, *, first: bool) -> None:
        pid = os.fork()
        if pid == 0:
            self._be_worker(first=first)
        self._workers.add(pid)
        if self._ending:
            os.kill(pid, signal.SIGTERM)

    def _be_worker(self, *, first: bool) -> None:
        os.setpgid(0, 0)  # a Ctrl-C at the terminal comes from the parent, once
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.close(self._held)
        self._work(first, self._leash)
        raise SystemExit(0)

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        self._ending = True
        self._listener.close()  # the workers have their own
        for pid in self._workers:
            with suppress(ProcessLookupError):  # it has ended just now
                os.kill(pid, number)
