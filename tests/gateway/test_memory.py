"""A process of the gateway's own: one heap for all threads, and what a large body took is given back."""

import subprocess
import sys

import pytest

HEAPS = """
import ctypes, threading
from gateway.memory import begin
{first}
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
all_there = threading.Barrier(6)
def work():
    all_there.wait()
    for _ in range(200):
        assert libc.malloc(1000)  # without the interpreter's lock: threads that would get heaps of their own
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.fopen.restype, libc.fopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p] * 2
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fclose.argtypes = [ctypes.c_void_p]
out = libc.fopen(b"/dev/stdout", b"w")
libc.malloc_info(0, out)
libc.fclose(out)
"""

KEPT = """
import os
from pathlib import Path
from gateway.memory import begin
{first}
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before = resident()
body = b"x" * (30 << 20)
del body  # from now on glibc takes one of that size from its heap
body, pins = b"x" * (20 << 20), [bytearray(1 << 14) for _ in range(100)]  # what outlives it lies behind it
del body
print((resident() - before) >> 20)
"""

BURST = """
import os
from pathlib import Path
from gateway.memory import begin, tidy
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
begin()
before = resident()
answers = [bytearray(1 << 14) for _ in range(4_000)]
lasting = answers[::40]
del answers
{first}
print((resident() - before) >> 20)
"""

OLD = """
import gc, sys
from collections import deque
from gateway.memory import settle
started = [[number] for number in range(300_000)]
{first}
class Broken:
    def __init__(self): self.itself = self
lately, before, most = deque(maxlen=2_000), sys.getallocatedblocks(), 0
for number in range(300_000):
    lately.append(Broken())  # each is old when it ends
    most = max(most, sys.getallocatedblocks() - before)
print(most)
"""

glibc = pytest.mark.skipif(sys.platform != "linux", reason="glibc's own")


def run(program: str, first: str) -> str:
    source = program.format(first=first)
    return subprocess.run([sys.executable, "-c", source], check=True, capture_output=True, text=True).stdout


@glibc
def test_threads_share_one_heap() -> None:
    assert run(HEAPS, "begin()").count("<heap nr=") < run(HEAPS, "").count("<heap nr=")


@glibc
def test_what_a_large_body_took_is_given_back() -> None:
    assert int(run(KEPT, "begin()")) < int(run(KEPT, "")) - 10


@glibc
def test_what_a_burst_took_is_given_back() -> None:
    """Of 64 MB one part in 40 stays in use, so that the end of the heap does."""
    assert int(run(BURST, "tidy()")) < int(run(BURST, "")) - 40


def test_cycles_that_have_lived_are_found_however_much_start_up_made() -> None:
    """It counted for a quarter of which as many must be new: 8 MB of connections that had broken could wait."""
    assert int(run(OLD, "settle()")) < 60_000


START = """
import gc
{first}
looks = []
gc.callbacks.append(lambda phase, _: looks.append(phase))
import gateway
app = gateway.create_app({{}})
print(len(looks))
"""

RELOAD = """
import gc, weakref
from gateway.memory import begin, settle
begin()
class Generation:
    def __init__(self): self.itself = self
first = Generation()
settle()
gone = weakref.ref(first)
second = first = Generation()
settle()
print(gone() is None, gc.get_freeze_count() > 0, gc.get_threshold()[0])
"""


def test_a_start_is_not_searched_for_cycles() -> None:
    """It was, more than 150 times: 30 ms of half a second."""
    first = "from gateway.memory import begin\nbegin()"
    assert int(run(START, first)) * 10 < int(run(START, ""))


def test_what_a_reload_replaced_is_found() -> None:
    assert run(RELOAD, "").split() == ["True", "True", "5000"]
