"""A process of the gateway's own has one heap, however many threads work in it: each would drift by itself."""

import sys
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from tests.gateway.cli.test_ways_to_run import QUESTION, WAYS
from tests.gateway.cli.test_workers import workers
from tests.processes import running

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's own")

SPAN = 64 << 20  # of the addresses of a heap that glibc makes for a thread
USED, REST = "rw-p", "---p"


def heaps_of_threads(pid: int) -> int:
    """Count the mappings of a process that are used at their beginning, and set aside for a heap up to their end."""
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, mode = line.split()[:2]
        begin, end = (int(word, 16) for word in span.split("-"))
        found.append((begin, end, mode))
    return sum(
        first[2] == USED and rest[2] == REST and first[1] == rest[0] and first[0] % SPAN == 0 and rest[1] % SPAN == 0
        for first, rest in pairwise(found)
    )


@pytest.mark.parametrize("way", ["gateway run", "uvicorn", "gunicorn"])
def test_threads_have_no_heaps_of_their_own(way: str, folder: Path) -> None:
    command, _ = WAYS[way]
    with running(command, folder) as program:
        for path, body in (("chat/completions", QUESTION), ("responses", {"model": "demo", "input": "Hello"})):
            answer = httpx.post(f"{program.url}/v1/{path}", json=body, timeout=20)
            assert answer.status_code == 200, program.output
        serving = workers(program) if way == "gunicorn" else {program.process.pid}
        assert serving
        assert {pid: heaps_of_threads(pid) for pid in serving} == dict.fromkeys(serving, 0)
