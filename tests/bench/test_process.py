"""CPU and memory of processes are read from outside, children included."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.process import ROOT, children, cpu_s, machine_cpu_s, most_rss_mb, pinned, rss_mb
from tests.patience import patient

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and the CPU clocks of other processes")

WORK = "import sys; sum(range(3_000_000)); print(flush=True); sys.stdin.read()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WORK!r}])"


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    """Give a process whose child has worked and waits."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.communicate()


def test_the_work_of_a_child_counts(parent: subprocess.Popen[bytes]) -> None:
    [child] = children(parent.pid)
    assert cpu_s(parent.pid) > cpu_s(child) > 0.01
    assert rss_mb(parent.pid) > rss_mb(child) > 1


def test_a_process_that_has_ended_counts_nothing(parent: subprocess.Popen[bytes]) -> None:
    [child] = children(parent.pid)
    parent.communicate()
    assert cpu_s(child) == rss_mb(child) == 0


def test_the_machine_was_busy_while_a_process_worked() -> None:
    before_s, ours_before_s = machine_cpu_s(), cpu_s(os.getpid())
    sum(range(5_000_000))
    # the machine counts whole ticks
    assert machine_cpu_s() - before_s >= (cpu_s(os.getpid()) - ours_before_s) / 2


STARTER = """
import asyncio, os, sys, uvloop
from pathlib import Path
from bench.process import end_in_order, running
end_in_order()
command = [sys.executable, "-c", "import time; time.sleep(60)"]
with running(command, os.sched_getaffinity(0), {}, Path(sys.argv[1])) as process:
    print(process.pid, flush=True)
    uvloop.run(asyncio.sleep(100))
"""


def test_a_run_that_is_told_to_end_ends_what_it_started(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(tmp_path / "log")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        started = int(starter.stdout.readline())
        assert started in children(starter.pid)
        starter.terminate()
        assert starter.wait(patient(60)) == 128 + signal.SIGTERM
    assert rss_mb(started) == 0


def test_affinity_is_given_back() -> None:
    before = os.sched_getaffinity(0)
    with pinned({min(before)}):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before


SAYS = "print(flush=True); input()"
GROWING = f"{SAYS}; a = bytearray(b'1' * 40_000_000); {SAYS}; del a; {SAYS}"


@pytest.fixture
def growing() -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that takes 40 MB when told to, and gives them back when told to."""
    command = [sys.executable, "-c", GROWING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        said(process)
        yield process
        process.communicate(b"\n")


@pytest.mark.anyio
async def test_the_most_memory_within_a_block_is_seen_while_it_lasts(
    growing: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.process.SAMPLE_S", 0.001)
    async with most_rss_mb(growing.pid) as most_mb:
        said(growing, b"\n")
        for _ in range(2000):  # twenty seconds at most
            if most_mb() >= rss_mb(growing.pid):
                break
            await asyncio.sleep(0.01)
        said(growing, b"\n")
        for _ in range(20):  # time for more samples, which change nothing
            await asyncio.sleep(0.002)
    assert most_mb() > rss_mb(growing.pid) + 30


def said(process: subprocess.Popen[bytes], told: bytes = b"") -> None:
    """Tell it to go on, and wait until it has."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(told)
    process.stdin.flush()
    assert process.stdout.readline() == b"\n"


@pytest.mark.parametrize(("wanted", "allowed"), [(100, 256), (300, 300), (4096, 512)])
def test_more_open_files_are_allowed_as_far_as_the_machine_lets_it(wanted: int, allowed: int) -> None:
    work = (
        "import resource; from bench.process import allow_files; kind = resource.RLIMIT_NOFILE; "
        f"resource.setrlimit(kind, (256, 512)); print(allow_files({wanted}), resource.getrlimit(kind))"
    )
    done = subprocess.run([sys.executable, "-c", work], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{allowed} ({allowed}, 512)\n"
