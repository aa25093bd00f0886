"""CPU and memory of processes are read from outside, children included."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.process import children, cpu_s, machine_cpu_s, pinned, rss_mb

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


def test_affinity_is_given_back() -> None:
    before = os.sched_getaffinity(0)
    with pinned({min(before)}):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before
