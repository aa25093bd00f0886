"""`python -m tests.faults.failing FIFO ERRNO`: the gateway, whose writes to files fail from a moment on.

From the moment at which somebody opens the FIFO, the kernel answers `pwrite64`, `fsync` and `fdatasync` of the process
with ERRNO, as a disk that is full or broken does: a seccomp filter for all threads. Sockets and logs use other calls.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
import threading
from typing import Final

from gateway.cli import main

__all__ = ["NUMBERS"]

# of the system calls: pwrite64, fsync, fdatasync, seccomp
NUMBERS: Final = {"x86_64": (18, 74, 75, 317), "aarch64": (68, 82, 83, 277)}
_NO_NEW_PRIVILEGES: Final = 38
_FILTER, _ALL_THREADS = 1, 1
_LOAD, _IS, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


def fail(errno: int) -> None:
    """Let them fail from now on."""
    *calls, seccomp = NUMBERS[platform.machine()]
    steps = [(_LOAD, 0, 0, 0)]
    steps += [(_IS, len(calls) - place, 0, call) for place, call in enumerate(calls)]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | errno)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if libc.syscall(seccomp, _FILTER, _ALL_THREADS, program):
        raise OSError(ctypes.get_errno(), "seccomp")


def wait(fifo: str, errno: int) -> None:
    """Wait for the moment."""
    os.close(os.open(fifo, os.O_RDONLY))
    fail(errno)
    print("writes fail", flush=True)


if __name__ == "__main__":
    threading.Thread(target=wait, args=(sys.argv[1], int(sys.argv[2])), daemon=True).start()
    sys.argv = ["gateway", *sys.argv[3:]]
    main()
