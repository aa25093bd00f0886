"""A program in a pseudo-terminal of its own, as a person has one: what it shows can be waited for, and answered.

with terminal([PROGRAMS / "gateway", "login"], folder, environment(folder)) as screen:
    screen.shows("Open this link")
    screen.types("…\\n")
    assert screen.ends() == 0
"""

from __future__ import annotations

import codecs
import os
import pty
import re
import select
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.patience import patient

__all__ = ["CTRL_C", "Screen", "terminal"]

CTRL_C = "\x03"
_PIECE_BYTES = 4096
# the terminal becomes the one that controls the program: its keys and its end are signals, even if the run ignores them
_BEGIN = """\
import fcntl, os, signal, sys, termios
for heard in signal.SIGINT, signal.SIGHUP:
    signal.signal(heard, signal.SIG_DFL)
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Screen:
    """A running program and what it has shown; that is read all the time."""

    def __init__(self, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> None:
        self._keys, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _BEGIN, *map(str, command)],
            cwd=folder,
            env={"TERM": "xterm", **environment},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._stopped, self._stop = os.pipe()
        self.text = ""
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def shows(self, pattern: str, within_s: float = 20) -> re.Match[str]:
        """Wait until it has shown this."""
        with self._changed:
            self._changed.wait_for(
                lambda: re.search(pattern, self.text) or not self._reader.is_alive(), patient(within_s)
            )
            found = re.search(pattern, self.text)
        assert found, f"it did not show {pattern!r}:\n{self.text}"
        return found

    def types(self, text: str) -> None:
        """Press keys."""
        os.write(self._keys, text.encode())

    def hangs_up(self) -> None:
        """Close the window: the terminal is gone."""
        os.close(self._stop)
        self._reader.join()
        os.close(self._keys)
        self._keys = self._stop = -1

    def ends(self, within_s: float = 20) -> int:
        """Wait for its end and all it shows, and give its exit code."""
        code = self.process.wait(patient(within_s))
        self._reader.join(patient(within_s))
        return code

    def close(self) -> None:
        """End it at once, if it has not."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for descriptor in {self._keys, self._stop, self._stopped} - {-1}:
            os.close(descriptor)

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while select.select([self._keys, self._stopped], [], [])[0] != [self._stopped]:
            try:
                piece = os.read(self._keys, _PIECE_BYTES)
            except OSError:  # nobody has the other end any more
                piece = b""
            with self._changed:
                self.text += decoder.decode(piece).replace("\r\n", "\n")
                self._changed.notify_all()
            if not piece:
                return


@contextmanager
def terminal(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]
) -> Generator[Screen, None, None]:
    """Run a program in a folder, for the time of the block."""
    screen = Screen(command, folder, environment)
    try:
        yield screen
    finally:
        screen.close()
