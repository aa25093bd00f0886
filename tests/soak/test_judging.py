"""What is planted in the notes of a soak is found, and nothing else."""

from __future__ import annotations

import os
from random import Random

import pytest
from msgspec.structs import replace

from tests.soak.books import Booked, mangled, name_in, tokens_in
from tests.soak.callers import Seen
from tests.soak.faults import planned
from tests.soak.judging import MOST_BLOCKS, Row, held, hung, leaked, ledger, slopes
from tests.soak.looking import Look, Standing, extra
from tests.soak.memory import Sample, growth, mapped_mb, rss_mb, slope_of
from tests.soak.noted import Found, Options
from tests.soak.report import Line, report, table

NAME = "openai-a-00000001"
SEEN = Seen(NAME, began=100, ended=101, status=200, whole=True)
CALL = Booked(NAME, "openai", whole=True, tokens=(7, 3))
ROW = Row(NAME, "done", 200, 7, 3, estimated=False)


def test_equal_books_are_no_finding() -> None:
    assert [*ledger([ROW], [SEEN], [CALL], [])] == []
    assert [*ledger([ROW, Row("", "client_closed", 0, 0, 0, estimated=False)], [SEEN], [CALL], [])] == []
    assert [*hung([SEEN], [])] == []


@pytest.mark.parametrize(
    ("rows", "calls", "says"),
    [
        ([ROW, ROW], [CALL], "has 2 rows"),
        ([], [CALL], "was answered by an upstream, and has no row"),
        ([], [], "was answered, and has no row"),
        ([Row(NAME, "done", 200, 7, 4, estimated=False)], [CALL], "its upstream has told [(7, 3)]"),
        ([Row(NAME, "done", 200, 7, 3, estimated=True)], [CALL], "estimated"),
        ([Row(NAME, "error", 502, 7, 4, estimated=False)], [CALL], "(error) has 7+4 tokens"),
        ([Row(NAME, "error", 502, 0, 0, estimated=False)], [CALL], "came whole, and its row says error"),
        ([Row(NAME, "killed", 0, 0, 0, estimated=True)], [CALL], "is killed, and no worker was"),
        ([Row(NAME, "lost", 0, 0, 0, estimated=True)], [CALL], "ended as 'lost'"),
        ([ROW], [], "of which no upstream has told"),
        ([ROW], [CALL, CALL], "was answered 2 times"),
        ([ROW, Row("", "done", 200, 1, 1, estimated=False)], [CALL], "a row without a name"),
        ([ROW, Row("openai-a-00000002", "done", 200, 1, 1, estimated=False)], [CALL], "nobody asked for it"),
    ],
)
def test_an_unequal_ledger_is_found(rows: list[Row], calls: list[Booked], says: str) -> None:
    found = [*ledger(rows, [SEEN], calls, [])]
    assert [line for line in found if says in line], found


def test_a_killed_row_is_right_when_a_worker_was_killed_meanwhile() -> None:
    broken = Seen(NAME, began=100, ended=110, broken="ReadError: ")
    row = Row(NAME, "killed", 0, 0, 0, estimated=True)
    assert [*ledger([row], [broken], [CALL], [105.0]), *hung([broken], [105.0])] == []
    assert len([*ledger([row], [broken], [CALL], [90.0]), *hung([broken], [90.0])]) == 2


def test_a_worker_may_be_killed_before_it_knows_that_a_caller_has_left() -> None:
    row = Row(NAME, "killed", 0, 0, 0, estimated=True)
    left = Seen(NAME, began=100, ended=100.1, left=True)
    assert [*ledger([row], [left], [CALL], [103.0])] == []
    for seen, at in ((left, 106.0), (replace(left, left=False), 103.0)):
        (line,) = ledger([row], [seen], [CALL], [at])
        assert "no worker was" in line


def test_a_request_without_an_end_is_found() -> None:
    (line,) = hung([SEEN, Seen(NAME, began=100, ended=160, hung=True)], [])
    assert "hung: no end within 60 s" in line


IDLE = Look(tasks={"Ledger._keep": 1}, files=20, leases=0, answers=0)


def _standing(worker: Look, pid: int = 1, **open_: int) -> Standing:
    return Standing({"a": {pid: worker}}, open_)


def test_what_is_as_before_is_no_leak() -> None:
    assert [*extra(_standing(Look({"Ledger._keep": 1}, 22, 0, 0), under_way=0), _standing(IDLE))] == []
    assert [*extra(_standing(IDLE, pid=2), _standing(IDLE))] == []  # in the place of one that was killed


@pytest.mark.parametrize(
    ("worker", "says"),
    [
        (Look({"Ledger._keep": 1}, 23, 0, 0), "23 descriptors, 20 before"),
        (Look({"Ledger._keep": 2}, 20, 0, 0), "2 Ledger._keep, 1 before"),
        (Look({"Relay.relay": 1}, 20, 0, 0), "1 Relay.relay, 0 before"),
        (Look({}, 20, 1, 0), "1 leases, 0 before"),
        (Look({}, 20, 0, 1), "1 answers of upstreams, 0 before"),
    ],
)
def test_a_leak_is_found(worker: Look, says: str) -> None:
    for pid in (1, 2):
        (line,) = extra(_standing(worker, pid), _standing(IDLE))
        assert says in line


def test_what_is_still_open_is_found() -> None:
    (line,) = extra(_standing(IDLE, under_way=1), _standing(IDLE))
    assert "1 under_way" in line
    assert [*leaked("x", {"a": 1}, {"a": 1})] == []


def _samples(mb_per_hour: float, noise_mb: float = 0.2) -> list[Sample]:
    dice = Random(5)
    warm = [(float(at), 80 + at / 60) for at in range(0, 600, 5)]  # it grows fast at first
    return warm + [(float(at), 90 + mb_per_hour * at / 3600 + dice.gauss(0, noise_mb)) for at in range(600, 1800, 5)]


@pytest.mark.parametrize(("true", "found"), [(0.0, 0), (0.9, 0), (6.0, 1), (60.0, 1)])
def test_memory_that_grows_is_found_and_noise_is_not(true: float, found: int) -> None:
    slope = slope_of(_samples(true), 600)
    assert slope is not None
    assert abs(slope.mb_per_hour - true) <= 2 * slope.margin < 2
    assert len([*slopes({"worker": slope})]) == found


def test_objects_that_stay_are_found() -> None:
    assert [*held({"worker 1 of a": MOST_BLOCKS, "worker 2 of a": -500})] == []
    (line,) = held({"worker 1 of a": MOST_BLOCKS + 1})
    assert "worker 1 of a holds 10001 blocks" in line


def test_only_a_run_that_is_long_enough_is_judged_by_its_objects() -> None:
    grown = Found(
        samples={1: _samples(0)},
        before=Standing({"a": {1: IDLE}}),
        after=Standing({"a": {1: replace(IDLE, blocks=MOST_BLOCKS + 1, heap_mb=2.5), 2: replace(IDLE, blocks=10**6)}}),
    )
    (line,) = (line for line in report(grown, Options()) if line.findings)
    assert line.what.startswith("objects")
    assert line.figure == "worker 1 of a +10001, and +2.5 MB of malloc's"
    grown.samples[1] = grown.samples[1][:5]
    assert not [line for line in report(grown, Options()) if line.findings]


def test_growth_is_told_by_what_is_mapped() -> None:
    assert abs(sum(mapped_mb(os.getpid()).values()) - rss_mb(os.getpid())) < 3  # the kernel counts a process roughly
    taken = [(0.0, {"[heap]": 1.0}), (60.0, {"[heap]": 9.0, "a.so": 2.0}), (120.0, {"[heap]": 9.5, "anonymous": 1.0})]
    assert growth(taken, 60) == {"anonymous": 1.0, "[heap]": 0.5, "a.so": -2.0}
    assert growth([], 60) == {}


def test_too_few_samples_make_no_slope() -> None:
    assert slope_of(_samples(0)[:30], 100) is None
    assert slope_of([(at / 10, 80) for at in range(1000)], 10) is None
    assert slope_of([], 0) is None


def test_findings_are_in_the_table_and_many_are_cut_short() -> None:
    found = Found(seen=[Seen(f"openai-a-{n:08}", 0, 60, hung=True) for n in range(7)], codes={"a": 1})
    lines = report(found, Options())
    assert {line.what: len(line.findings) for line in lines if line.findings} == {
        "no request hung or broke": 7,
        "the gateways go on, and end": 1,
    }
    said = table(lines)
    assert "7 FOUND" in said
    assert "and 2 more" in said
    assert "gateway a ended with 1" in said
    assert table([Line("x", "1")]) == "x  ok         1"


@pytest.mark.parametrize("seconds", [8, 60, 1800])
def test_the_same_seed_plans_the_same_faults(seconds: float) -> None:
    first, again, other = (planned(Random(seed), seconds) for seed in (1, 1, 2))
    assert first == again != other
    assert {fault.what for fault in first} == {"kill", "redis", "storm"}
    assert all(0 <= fault.at_s <= seconds for fault in first)
    last = max(fault.at_s for fault in planned(Random(3), 8) if fault.what == "kill")
    assert last < max(fault.at_s for fault in planned(Random(3), 8) if fault.what == "redis")


@pytest.mark.parametrize(
    ("chunk", "tokens"),
    [
        (b'data: {"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n', (7, 3)),
        (
            b'{"response":{"usageMetadata":{"promptTokenCount":7,"thoughtsTokenCount":3}}}',
            (7, 3),
        ),
        (b'event: x\ndata: {"message":{"usage":{"input_tokens":7,"output_tokens":3}}}\n\n', (7, 3)),
        (b'data: {"response":{"usage":{"input_tokens":7,"output_tokens":3}}}\n\n', (7, 3)),
        (b'data: {"usage":null}\n\n', None),
        (b'data: {"usage', None),
    ],
)
def test_an_upstream_books_what_it_told(chunk: bytes, tokens: tuple[int, int] | None) -> None:
    call = Booked(NAME, "openai")
    assert [*call.heard([b"data: first\n\n", chunk])] == [b"data: first\n\n", chunk]
    assert call.tokens == tokens


def test_a_broken_event_comes_behind_the_first() -> None:
    assert [*mangled([b"1", b"2"])][::2] == [b"1", b"2"]
    assert tokens_in([*mangled([b"1"])][1]) == {}
    assert name_in(b'{"x": "chain-b-00000012\\n!say"}') == "chain-b-00000012"
    assert name_in(b"openai-c-00000012") == ""
