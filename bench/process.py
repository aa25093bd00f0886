"""Child processes of a benchmark: started on chosen cores, with their CPU time and memory. Linux only.

The CPU clock of another process counts nanoseconds of all its threads, also of those that have ended; the
utime and stime of `/proc/PID/stat` are the same figure cut to ticks of 10 ms.
"""

import asyncio
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import FrameType

__all__ = [
    "ROOT",
    "allow_files",
    "children",
    "cpu_s",
    "end_in_order",
    "free_port",
    "machine_cpu_s",
    "most_rss_mb",
    "pinned",
    "rss_mb",
    "running",
]

ROOT = Path(__file__).parents[1]
PROC = Path("/proc")
SAMPLE_S = 0.2
CPUCLOCK_SCHED = 2  # the kernel's clock id of a process is (~pid << 3) | CPUCLOCK_SCHED


@contextmanager
def pinned(cores: set[int]) -> Generator[None, None, None]:
    """Run the block, and what it starts, on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def running(
    command: Sequence[str], cores: set[int], environment: Mapping[str, str], log: Path, folder: Path = ROOT
) -> Generator[subprocess.Popen[bytes], None, None]:
    """Start a command in a folder, the repository's root, with its output in `log`; end it with the block."""
    with log.open("wb") as output, pinned(cores):
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def end_in_order() -> None:
    """Let SIGTERM end this process as an exception does, so that what it has started ends, too."""
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cpu_s(pid: int) -> float:
    """Return the CPU seconds used so far by a process and its descendants."""
    return sum(_clock_s(one) for one in (pid, *children(pid)))


def machine_cpu_s() -> float:
    """Return the seconds for which the cores were busy since the machine started, or taken from it."""
    user, nice, system, _, _, irq, softirq, steal = map(int, (PROC / "stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process and its descendants in MB."""
    return sum(_pages(one) for one in (pid, *children(pid))) * os.sysconf("SC_PAGE_SIZE") / 1e6


@asynccontextmanager
async def most_rss_mb(pid: int) -> AsyncGenerator[Callable[[], float], None]:
    """Give a reader of the most memory that it and its descendants, of now, had within the block."""
    pids = (pid, *children(pid))
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, sum(map(_pages, pids)))
            await asyncio.sleep(SAMPLE_S)

    watching = asyncio.create_task(watch())
    try:
        yield lambda: most * os.sysconf("SC_PAGE_SIZE") / 1e6
    finally:
        watching.cancel()


def allow_files(wanted: int) -> int:
    """Let this process and what it starts have more open files, if the machine lets it; return how many."""
    soft, hard = (wanted if limit == resource.RLIM_INFINITY else limit for limit in _files())
    allowed = max(soft, min(wanted, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, _files()[1]))
    return allowed


def _files() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def children(pid: int) -> list[int]:
    """Return the descendants of a process."""
    found: list[int] = []
    waiting = [pid]
    parents = _parents()
    while waiting:
        parent = waiting.pop()
        waiting += [child for child, its_parent in parents.items() if its_parent == parent]
        found.append(parent)
    return found[1:]


def _clock_s(pid: int) -> float:
    try:
        return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)
    except OSError:  # it has ended since it was listed
        return 0.0


def _pages(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _parents() -> dict[int, int]:
    parents: dict[int, int] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            # the name, in brackets, may hold spaces and brackets
            after_name = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(stat.parent.name)] = int(after_name[1])
    return parents
