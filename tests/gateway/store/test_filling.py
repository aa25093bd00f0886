"""Whatever is cut off, and whoever fills in whichever order: each line of a journal is taken once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from io import FileIO
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import QueuePool

from gateway.store.database import Database
from gateway.store.filling import Filling
from gateway.store.journal import WHOLE, Ended, Journal, Line
from gateway.store.locks import lock
from tests.gateway.store.places import Place
from tests.gateway.store.test_journal import ended, is_locked, opened

SMALL = 700  # bytes: two or three lines
FAST = ("synchronous = OFF",)


Make = Callable[..., Filling]  # of a folder, and how much of a journal goes into one transaction


@pytest.fixture
def filling(place: Place) -> Iterator[Make]:
    """Make what another process would fill with."""
    with ExitStack() as stack:

        def make(folder: Path, chunk_bytes: int = 1 << 18, now: Callable[[], float] = time.time) -> Filling:
            database = Database(place.file, url=place.url)
            stack.callback(database.close)
            return Filling(database, folder, chunk_bytes, now)

        yield make


def rows(place: Place) -> dict[str, str]:
    return dict(place.do('SELECT id, "end" FROM usage'))


def write(folder: Path, name: str, lines: Sequence[Line], *, cut: int = 0) -> Path:
    """Write what a process has left; `cut`: so many bytes of its end were not written."""
    folder.mkdir(parents=True, exist_ok=True)
    data = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    file = folder / f"{name}.jsonl"
    file.write_bytes(data[: len(data) - cut])
    return file


def test_ends_become_rows_while_the_process_lives_and_the_rest_waits(
    place: Place, filling: Make, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal")
    fill = filling(journal.folder)
    first, second = journal.open(opened("a")), journal.open(opened("b"))
    journal.end(ended("a"), first)
    assert fill.fill() == 1
    assert rows(place) == {"a": "done"}
    journal.end(ended("b"), second)
    assert (fill.fill(), fill.fill()) == (1, 0)
    assert rows(place) == {"a": "done", "b": "done"}


def test_what_is_written_while_it_fills_waits_for_the_next_time(place: Place, filling: Make, tmp_path: Path) -> None:
    """A process that writes as fast as it is read would hold the one who fills for ever, some lines at a time."""
    journal = Journal(tmp_path / "journal")
    fill = filling(journal.folder)
    journal.end(ended("a"))
    journal.end(ended("b"))
    take = fill._batch
    written = iter("cdefgh")

    def busy(name: str, file: FileIO, size: int) -> int | None:
        journal.end(ended(next(written)))
        return take(name, file, size)

    fill._batch = busy  # type: ignore[method-assign]  # somebody writes at this very moment
    assert (fill.fill(), sorted(rows(place))) == (2, ["a", "b"])
    assert fill.fill() == 2
    assert sorted(rows(place)) == ["a", "b", "c", "d"]


def test_what_a_killed_process_has_not_ended_becomes_killed_and_its_journal_goes(
    place: Place, filling: Make, tmp_path: Path
) -> None:
    file = write(tmp_path / "journal", "1", [opened("a"), opened("b"), ended("a")])
    assert filling(tmp_path / "journal").fill() == 2
    assert rows(place) == {"a": "done", "b": "killed"}
    assert not file.exists()
    assert place.do("SELECT * FROM journals") == []


def test_a_journal_that_says_it_is_whole_is_not_searched_for_what_is_open(
    place: Place, filling: Make, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal")
    journal.end(ended("a"), journal.open(opened("a")))
    journal.close()
    (file,) = journal.folder.iterdir()
    file.write_bytes(file.read_bytes().replace(b'"id":"a"', b'"id":"b"', 1))  # which no process writes
    assert filling(journal.folder).fill() == 1
    assert rows(place) == {"a": "done"}
    assert [*journal.folder.iterdir()] == []


def test_a_killed_request_is_an_estimate_without_a_price(place: Place, filling: Make, tmp_path: Path) -> None:
    write(tmp_path / "journal", "1", [opened("a")])
    filling(tmp_path / "journal", now=lambda: 8.5).fill()
    columns = 'status, input, output, estimated, usd, total_s, "key", started_at'
    assert [tuple(row) for row in place.do(f"SELECT {columns} FROM usage")] == [
        (0, 0, 0, True, None, 7.5, "alice", 1.0)
    ]


def test_an_end_takes_the_place_of_what_was_thought_to_be_killed(place: Place, filling: Make, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    for name, lines in (("1", [opened("a")]), ("2", [ended("a")]), ("3", [opened("a")])):
        write(folder, name, lines)
        filling(folder).fill()
    assert rows(place) == {"a": "done"}


@pytest.mark.parametrize("count", [63, 64, 65, 147])
def test_however_many_end_each_is_a_row(place: Place, filling: Make, tmp_path: Path, count: int) -> None:
    names = [f"{n:03}" for n in range(count)]
    write(tmp_path / "journal", "1", [line for name in names for line in (opened(name), ended(name))])
    assert filling(tmp_path / "journal").fill() == count
    assert rows(place) == dict.fromkeys(names, "done")


def test_a_torn_line_in_the_middle_is_passed_over(place: Place, filling: Make, tmp_path: Path) -> None:
    file = write(tmp_path / "journal", "1", [opened("a"), ended("a")])
    file.write_bytes(file.read_bytes() + b'{"is":"end","id":"b\n' + msgspec.json.encode(ended("c")) + b"\n")
    filling(tmp_path / "journal").fill()
    assert rows(place) == {"a": "done", "c": "done"}


@pytest.mark.parametrize(
    "damage",
    [
        bytes(300) + b"\n",  # a disk that had no power for what it had been told
        b'{"is":"end","id":"b","st' + bytes(99),
        b'{"is":"began","id":"b"}\n',  # another version's
        b'{"is":"end","id":17,"key":"alice"}\n',
        b"\xff\xfe\n",
    ],
)
def test_what_no_version_has_torn_is_told(filling: Make, tmp_path: Path, damage: bytes) -> None:
    file = write(tmp_path / "journal", "1", [opened("a"), ended("a")])
    file.write_bytes(file.read_bytes() + damage)
    made = filling(tmp_path / "journal")
    made.fill()
    made.fill()
    assert made.take_damaged() == {"1.jsonl"}
    assert made.take_damaged() == set()


@pytest.mark.parametrize("torn", [b"", b"{", b'{"is":"end","id":"b', b'\n\n{"is":"open","id":"b","key":"x\xc3'])
@pytest.mark.parametrize("goes_on", [False, True])
def test_what_a_full_disk_has_torn_is_not(filling: Make, tmp_path: Path, torn: bytes, *, goes_on: bool) -> None:
    file = write(tmp_path / "journal", "1", [opened("a"), ended("a")])
    more = b"\n" + msgspec.json.encode(ended("b")) + b"\n" + WHOLE if goes_on else b""
    file.write_bytes(file.read_bytes() + torn + more)
    made = filling(tmp_path / "journal")
    assert made.fill() == 1 + goes_on
    assert made.take_damaged() == set()


def test_what_no_database_can_hold_is_replaced(place: Place, filling: Make, tmp_path: Path) -> None:
    write(tmp_path / "journal", "1", [msgspec.structs.replace(ended("a"), asked="gpt\0")])
    assert filling(tmp_path / "journal").fill() == 1


@pytest.mark.parametrize("tokens", [2**63 - 1, 2**64, 10**400])
def test_counts_that_no_database_adds_up_are_cut_and_hold_up_nobody(
    place: Place, filling: Make, tmp_path: Path, tokens: int
) -> None:
    wild = [msgspec.structs.replace(ended(name), input=tokens, reasoning=tokens, output=7) for name in "ab"]
    write(tmp_path / "journal", "1", [*wild, ended("c")])
    assert filling(tmp_path / "journal").fill() == 3
    (sums,) = place.do("SELECT sum(input), sum(output), sum(reasoning), count(*) FROM usage")
    assert tuple(map(int, sums)) == (2 * 10**12, 14, 2 * 10**12, 3)


def test_many_at_once_take_each_line_once(place: Place, filling: Make, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    names = [f"{number:03}" for number in range(200)]
    for part in range(4):
        of = names[part * 50 : part * 50 + 50]
        write(folder, str(part), [*map(opened, of), *map(ended, of[:40])])
    live = Journal(folder)
    for name in ("x", "y"):
        live.end(ended(name), live.open(opened(name)))
    taken: list[int] = []
    fillers = [threading.Thread(target=lambda: taken.append(filling(folder, SMALL).fill())) for _ in range(4)]
    for filler in fillers:
        filler.start()
    for filler in fillers:
        filler.join()
    found = rows(place)
    assert len(found) == 202
    assert sum(end == "killed" for end in found.values()) == 40
    assert [is_locked(path) for path in folder.glob("*.jsonl")] == [True]


def test_a_file_that_was_never_locked_goes_once_it_is_old(filling: Make, tmp_path: Path) -> None:
    write(tmp_path / "journal", "1", [])
    young, old = tmp_path / "journal" / "2.new", tmp_path / "journal" / "3.new"
    for file in (young, old):
        file.touch()
    os.utime(old, (1.0, 1.0))
    filling(tmp_path / "journal").fill()
    assert (young.exists(), old.exists()) == (True, False)


@st.composite
def histories(draw: st.DrawFn) -> list[list[Line]]:
    """Draw journals: requests that begin and, most of them, end later in the same one."""
    found = []
    for part in range(draw(st.integers(1, 3))):
        lines: list[Line] = []
        begun: list[str] = []
        for number in range(draw(st.integers(0, 8))):
            ends = draw(st.booleans())
            if ends and begun:
                lines.append(ended(begun.pop(draw(st.integers(0, len(begun) - 1)))))
            else:
                begun.append(f"{part}-{number}")
                lines.append(opened(begun[-1]))
        found.append(lines)
    return found


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Give one database for all examples: to make one takes longer than an example."""
    return Place(tmp_path_factory.mktemp("filling"))


@pytest.fixture(scope="module")
def databases(database: Place) -> Iterator[list[Database]]:
    """Open it as three processes would."""
    made = [Database(database.file, pool=QueuePool, pragmas=FAST) for _ in range(3)]
    made[0].open()
    yield made
    for one in made:
        one.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(histories(), st.data())
def test_any_cut_and_any_order_of_fillers_takes_each_line_once(
    database: Place,
    databases: list[Database],
    tmp_path_factory: pytest.TempPathFactory,
    parts: list[list[Line]],
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("journals")
    database.do("DELETE FROM usage")
    database.do("DELETE FROM journals")
    fillers = [Filling(one, folder, data.draw(st.sampled_from([SMALL, 1 << 18]))) for one in databases]
    expected: dict[str, str] = {}
    for number, lines in enumerate(parts):
        whole = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        cut = data.draw(st.integers(0, len(whole)))
        kept = lines[: whole[:cut].count(b"\n")]
        expected |= {line.id: "killed" for line in kept} | {line.id: "done" for line in kept if isinstance(line, Ended)}
        _appear(folder / f"{number}.jsonl", whole[:cut], fillers, data)
    for _ in range(2):
        data.draw(st.sampled_from(fillers)).fill()
    assert rows(database) == expected
    assert [*folder.iterdir()] == []


def _appear(file: Path, content: bytes, fillers: list[Filling], data: st.DataObject) -> None:
    """Let a journal grow in pieces, with fillers between, under the lock of its process, and let that die."""
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    assert lock(descriptor)
    while content:
        size = data.draw(st.integers(1, len(content)))
        os.write(descriptor, content[:size])
        content = content[size:]
        if data.draw(st.booleans()):
            data.draw(st.sampled_from(fillers)).fill()
    os.close(descriptor)
