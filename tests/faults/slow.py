"""Slow callers, as a program of its own: `python -m tests.faults.slow HOST PORT KIND RATE SECONDS [STAY]`.

It opens RATE connections a second for so many SECONDS, says half of what each has to say, and then a byte a second,
for STAY seconds more.
When it has as many open as the machine lets it, the oldest goes. It prints how many it opened, and how many have been
closed by the other side.
"""

from __future__ import annotations

import json
import resource
import socket
import sys
import time
from collections import deque

__all__ = ["KINDS"]

_BODY = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n"
KINDS = {
    "nothing": b"",
    "head": b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
    "body": _BODY + b'authorization: Bearer sk-slow\r\n\r\n{"model": "demo", ',
    "strange body": _BODY + b'authorization: Bearer sk-strange\r\n\r\n{"model": "demo", ',
}
_TICK_S = 0.01


class Slow:
    """Its connections."""

    def __init__(self, address: tuple[str, int], words: bytes) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self._most = (hard if hard != resource.RLIM_INFINITY else soft) - 100
        self._address = address
        self._words = words
        self._new: list[socket.socket] = []
        self._open: deque[socket.socket] = deque()
        self.opened = self.closed = 0

    def connect(self, wanted: int) -> None:
        """Open connections until there have been so many; those of the last time say their words."""
        for one in self._new:
            self._say(one, self._words)
        self._new.clear()
        while self.opened < wanted:
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(self._address)
            self._new.append(one)
            self.opened += 1
        while len(self._open) + len(self._new) > self._most:
            self._open.popleft().close()

    def drip(self) -> None:
        """Say another byte on each."""
        for _ in range(len(self._open)):
            self._say(self._open.popleft(), b" " if self._words else b"")

    def _say(self, one: socket.socket, words: bytes) -> None:
        try:
            one.send(words)
            ended = one.recv(65536) == b""
        except BlockingIOError:
            ended = False
        except OSError:
            ended = True
        if ended:
            self.closed += 1
            one.close()
        else:
            self._open.append(one)


def main(host: str, port: str, kind: str, rate: str, seconds: str, stay: str = "0") -> None:
    slow = Slow((host, int(port)), KINDS[kind])
    began = time.monotonic()
    dripped = 0
    while (passed := time.monotonic() - began) < float(seconds) + float(stay):
        slow.connect(int(min(passed, float(seconds)) * int(rate)))
        if passed > dripped + 1:
            dripped += 1
            slow.drip()
        time.sleep(_TICK_S)
    print(json.dumps({"opened": slow.opened, "closed": slow.closed}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
