"""Keys of real processes: what the command line makes and revokes holds on each of four workers within a second."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from gateway.keys import digest_of
from tests.gateway.store.places import BOTH, Place
from tests.gateway.store.test_key_store import ALICE
from tests.patience import patient
from tests.processes import PROGRAMS, Program, environment, running

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="workers are found in /proc")

WORKERS = 4
WITHIN_S = 1.0
TRIES = 10  # the figure is for a machine that has nothing else to do
TOML = 'server.data_dir = "data"\nlog.level = "debug"\nlog.file = "all.log"\n'
SERVERS: Mapping[str, Sequence[str | Path]] = {
    "gateway": [PROGRAMS / "gateway", "--workers", str(WORKERS), "--port", "0"],
    "gunicorn": [
        PROGRAMS / "gunicorn",
        *("-k", "asgi", "-w", str(WORKERS), "-b", "127.0.0.1:0", "--keep-alive", "60", "gateway.asgi:app"),
    ],
}
REFUSED = {401, 429}  # too many attempts in vain, and it is not even looked at


@pytest.fixture(params=BOTH)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, request.getfixturevalue("postgres_url") if request.param == "postgres" else "")
    (tmp_path / "gateway.toml").write_text(f'{TOML}store.database = "{made.url}"\n', "utf-8")
    yield made
    made.close()


def command(place: Place, *words: str) -> str:
    """Run `gateway keys` to its end, and give what it prints."""
    done = subprocess.run(
        [PROGRAMS / "gateway", "keys", *words],
        cwd=place.folder,
        env=environment(place.folder),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def descriptors() -> Iterator[Path]:
    """Give what all processes have open, but for those that end meanwhile."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            yield from list((process / "fd").iterdir())


def owners() -> dict[str, int]:
    """Tell which process has which socket."""
    found: dict[str, int] = {}
    for link in descriptors():
        try:
            found[str(link.readlink())] = int(link.parts[2])
        except OSError:  # it has ended, or was closed
            continue
    return found


def worker_of(connections: list[HTTPConnection]) -> list[int]:
    """Tell which process is at the other end of each connection."""
    table = (line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:])
    ends = {(line[1].split(":")[1], line[2].split(":")[1]): f"socket:[{line[9]}]" for line in table}
    of = owners()
    ports = [(c.sock.getpeername()[1], c.sock.getsockname()[1]) for c in connections if c.sock is not None]
    return [of.get(ends.get((f"{theirs:04X}", f"{ours:04X}"), ""), 0) for theirs, ours in ports]


@contextmanager
def to_each_worker(program: Program) -> Generator[list[HTTPConnection]]:
    """Open a connection to each of the workers."""
    host = urlsplit(program.url)
    chosen: dict[int, HTTPConnection] = {}
    with ExitStack() as opened:
        deadline = time.monotonic() + patient(60)
        while len(chosen) < WORKERS:
            assert time.monotonic() < deadline, f"only {len(chosen)} workers answer"
            some = [HTTPConnection(host.hostname or "", host.port, timeout=patient(20)) for _ in range(8)]
            for connection in some:
                opened.callback(connection.close)
                connection.request("GET", "/health")
            for connection in some:
                connection.getresponse().read()
            chosen |= {pid: one for pid, one in zip(worker_of(some), some, strict=True) if pid}
        yield list(chosen.values())


def ask(connection: HTTPConnection, key: str) -> int:
    connection.request("GET", "/v1/models", headers={"x-api-key": key} if key else {})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def until_all(connections: list[HTTPConnection], key: str, statuses: set[int]) -> float:
    """Ask each worker until all say so, and give the seconds that it took."""
    began = time.monotonic()
    while any(ask(connection, key) not in statuses for connection in connections):
        assert time.monotonic() < began + patient(60), f"never {statuses}"
    return time.monotonic() - began


@pytest.mark.parametrize("server", SERVERS)
def test_each_worker_takes_over_what_the_command_line_does(place: Place, server: str) -> None:
    with running(SERVERS[server], place.folder) as program, to_each_worker(program) as workers:
        assert [ask(worker, "") for worker in workers] == [200] * WORKERS  # no key exists
        known_s, revoked_s = list[float](), list[float]()
        for _ in range(TRIES):
            key = command(place, "new", "alice")
            known_s.append(until_all(workers, key, {200}) + until_all(workers, "", {401}))
            command(place, "revoke", "alice")
            revoked_s.append(until_all(workers, key, REFUSED))
            if max(min(known_s), min(revoked_s)) < WITHIN_S:
                break
        assert max(min(known_s), min(revoked_s)) < WITHIN_S
        assert "key made" not in program.output  # it was not the gateway


def test_a_key_works_at_once_on_each_worker(place: Place) -> None:
    with running(SERVERS["gateway"], place.folder) as program, to_each_worker(program) as workers:
        store = place.callers()
        for number in range(5):
            text = f"gw-{number}"
            store.add(replace(ALICE, name=text, sha256=digest_of(text), scopes=("chat",), limits={}))
            if number == 0:
                until_all(workers, "", {401})  # until they know of a key, anybody is let in
            assert [ask(worker, text) for worker in workers] == [200] * WORKERS


def test_no_text_of_a_key_is_in_the_store_nor_in_the_logs(place: Place) -> None:
    with running([*SERVERS["gateway"], "--log-level", "debug"], place.folder) as program:
        chief = command(place, "new", "chief", "--scopes", "admin,chat")
        with to_each_worker(program) as workers:
            until_all(workers, chief, {200})
            until_all(workers, "", {401})  # until they know of a key, anybody is let in
            workers[0].request("POST", "/admin/keys", "name=bob", {"x-api-key": chief, "content-type": FORM})
            bob: str = json.loads(workers[0].getresponse().read())["secret"]
            until_all(workers, bob, {200})
            wrong = [ask(worker, f"{bob}-and-more") for worker in workers]
            for path in (f"/v1/models?key={bob}", f"/v1beta/models?key={bob}", f"/usage?key={bob}"):
                workers[1].request("GET", path)
                assert workers[1].getresponse().read()
        assert REFUSED.issuperset(wrong)
        program.process.terminate()
        program.ends()
    files = (file.read_bytes() for file in place.folder.rglob("*") if file.is_file())
    places = [program.output.encode(), place.content(), *files]
    assert any(b"key made" in content for content in places)
    assert not [text for text in (chief, bob) for content in places if text.encode() in content]


FORM = "application/x-www-form-urlencoded"
