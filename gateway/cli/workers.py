"""`gateway run --workers N`: several processes at one socket.

The parent passes signals on and puts a new worker in the place of one that was killed. When a worker cannot start,
all end. Workers whose parent is gone drain and end too: they hold the reading end of a pipe that nobody writes to.
After SIGHUP, or when the configuration has been edited, the parent reads it first; the workers hear of a good one only.
"""

import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Protocol

from gateway.config import EVERY_S
from gateway.hangup import HANGUP, Terminal

__all__ = ["Readable", "Work", "supervise"]

Work = Callable[[bool, int], None]


class Readable(Protocol):
    """A configuration that can be read again."""

    def lost(self, worker: int, ended: int) -> None:
        """Hear of a worker that has ended: 0, or what signal it was, negative."""
        ...

    def is_edited(self) -> bool:
        """Tell once that its file has been edited."""
        ...

    def read(self) -> bool:
        """Read it again, and tell whether there is a new one."""
        ...


def supervise(count: int, listener: socket.socket, work: Work, newest: Readable) -> int:
    """Run `work(first, leash)` in so many processes until a signal, and give the exit code.

    `first` is true in one of them; `leash` is readable when the parent has ended.
    """
    return _Supervisor(listener, work, newest).run(count)


class _Supervisor:
    def __init__(self, listener: socket.socket, work: Work, newest: Readable) -> None:
        self._listener = listener
        self._work = work
        self._newest = newest
        self._terminal = Terminal()
        self._asked = False  # to read the configuration again
        self._reading = False
        self._leash, self._held = os.pipe()
        self._workers: set[int] = set()
        self._ending = False

    def run(self, count: int) -> int:
        """Wait for the workers, from the first to the last."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._pass_on)
        assert HANGUP is not None, "where there is fork, there is SIGHUP"
        signal.signal(HANGUP, self._hang_up)
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, EVERY_S, EVERY_S)
        for place in range(count):
            self._fork(first=place == 0)
        code = 0
        while self._workers:
            pid, status = os.wait()
            if pid not in self._workers:  # process 1 of a container gets the orphans of others
                continue
            self._workers.remove(pid)
            ended = os.waitstatus_to_exitcode(status)
            if self._ending:
                continue
            if ended > 0:  # it will not fare better the next time
                code = ended
                self._pass_on(signal.SIGTERM, None)
            else:
                self._newest.lost(pid, ended)
                self._fork(first=False)
        signal.setitimer(signal.ITIMER_REAL, 0)  # an interpreter that ends has no handlers any more
        return code

    def _fork(self, *, first: bool) -> None:
        held_back = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP,))  # by the worker until it can take it
        pid = os.fork()
        if pid == 0:
            self._be_worker(first=first)
        self._workers.add(pid)
        signal.pthread_sigmask(signal.SIG_SETMASK, held_back)
        if self._ending:
            os.kill(pid, signal.SIGTERM)

    def _be_worker(self, *, first: bool) -> None:
        os.setpgid(0, 0)  # a Ctrl-C at the terminal comes from the parent, once
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        os.close(self._held)
        self._work(first, self._leash)
        raise SystemExit(0)

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        self._ending = True
        self._listener.close()  # the workers have their own
        self._tell(number)

    def _tell(self, number: int) -> None:
        for pid in self._workers:
            with suppress(ProcessLookupError):  # it has ended just now
                os.kill(pid, number)

    def _hang_up(self, _: int, __: FrameType | None) -> None:
        if self._terminal.has_gone():
            self._pass_on(signal.SIGTERM, None)
        else:
            self._read()

    def _look(self, _: int, __: FrameType | None) -> None:
        if not self._reading and self._newest.is_edited():
            self._read()

    def _read(self) -> None:
        """Read the configuration again; a signal that comes meanwhile has it read once more."""
        self._asked = True
        while self._asked and not self._reading:
            self._asked, self._reading = False, True
            if self._newest.read() and not self._ending:
                self._tell(signal.SIGHUP)
            self._reading = False
