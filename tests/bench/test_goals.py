"""Verdicts: which figures count, and when none is given."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bench.figures import Figures, Host, Report, Start
from bench.goals import judge
from bench.report import write_summary, write_table
from bench.scenarios import PACE, SCENARIOS

HOST = Host(python="3.11.7", cores=2, load=(0.1, 0.2, 0.3), measured=[0], rest=[1], versions={"peer": "1.2"})
RIGHT = Figures(
    cpu_us=20.0,
    first_p50_ms=0.20,
    first_p99_ms=1.0,
    whole_p50_ms=0.20,
    whole_p99_ms=1.0,
    chunk_p50_ms=0.10,
    chunk_p99_ms=1.0,
    rss_mb=90.0,
    others=0.02,
    answers=1,
    errors={},
)


def run_of(systems: dict[str, Sequence[Figures]], *, quick: bool = False) -> Report:
    """Make a run in which every scenario of a round has the same figures."""
    rounds = [
        {scenario.name: dict(zip(systems, measured, strict=True)) for scenario in SCENARIOS}
        for measured in zip(*systems.values(), strict=True)
    ]
    starts = {name: Start(ready_s=0.4, rss_mb=80.0) for name in systems}
    decoded = {"chat": 4.0, "gemini": 8.0}
    return Report(pair="chat-gemini", host=HOST, quick=quick, starts=starts, rounds=rounds, decode_ms=decoded)


def changed(**figures: object) -> Figures:
    return msgspec.structs.replace(RIGHT, **figures)


def test_the_least_of_all_rounds_counts_on_each_side() -> None:
    ours = [changed(cpu_us=cpu) for cpu in (60.0, 40.0, 50.0)]
    floor = [changed(cpu_us=cpu) for cpu in (30.0, 50.0, 20.0)]
    verdict = {goal.name: verdict for goal, verdict in judge(run_of({"passthrough": floor, "gateway": ours}))}["P2"]
    assert verdict.value == 2.0
    assert verdict.meets_must
    assert not verdict.meets_goal


def test_a_peer_is_a_share_and_a_wait_is_added() -> None:
    ours = changed(cpu_us=50.0, whole_p50_ms=0.45, first_p50_ms=0.40, chunk_p50_ms=0.30)
    theirs = changed(cpu_us=1000.0)
    found = run_of({"passthrough": [RIGHT] * 3, "gateway": [ours] * 3, "litellm": [theirs] * 3})
    by_name = {verdict.name: verdict for _, verdict in judge(found)}
    assert [by_name[name].value for name in ("P1", "P3", "P4")] == [0.05, 0.05, 0.05]
    assert round(by_name["P6"].value, 6) == 0.25
    assert round(by_name["P7"].value, 6) == 0.20
    assert round(by_name["P8"].value, 6) == 3.0
    met = {name for name, verdict in by_name.items() if verdict.meets_must}
    assert met == {"P1", "P7", "P11", "P12", "T9"}


def test_without_a_peer_its_goals_are_left_out() -> None:
    names = {verdict.name for _, verdict in judge(run_of({"passthrough": [RIGHT] * 3, "gateway": [RIGHT] * 3}))}
    assert names == {"P2", "P6", "P7", "P8", "P11", "P12", "T9"}


def test_the_dialect_that_is_read_slowest_counts() -> None:
    found = run_of({"passthrough": [RIGHT] * 3, "gateway": [RIGHT] * 3})
    lines = write_table(found, SCENARIOS).splitlines()
    (row,) = (" ".join(line.split()) for line in lines if line.startswith("T9"))
    assert row.endswith("8.0 ms must ≤ 10.0 ms met goal ≤ 5.0 ms MISSED")
    assert lines[-1] == "CPU to read 1 MB of an agent's talk: chat 4.0 ms, gemini 8.0 ms"


def test_one_wrong_answer_of_anybody_takes_every_ratio() -> None:
    wrong = changed(errors={"status 500": 2})
    report = run_of({"passthrough": [RIGHT] * 3, "gateway": [RIGHT] * 3, "litellm": [RIGHT, wrong, RIGHT]})
    assert judge(report) == []
    table = write_table(report, SCENARIOS)
    assert f"round 2, {PACE.name}, litellm: 2 times status 500" in table
    assert table.startswith("chat-gemini: wrong answers, so no ratios")
    assert "P2" not in table


def test_two_rounds_have_no_verdict() -> None:
    report = run_of({"passthrough": [RIGHT] * 2, "gateway": [RIGHT] * 2})
    assert judge(report) == []
    assert "no verdicts" in write_table(report, SCENARIOS)


def test_a_quick_run_has_no_verdict() -> None:
    assert judge(run_of({"passthrough": [RIGHT] * 3, "gateway": [RIGHT] * 3}, quick=True)) == []


def test_the_table_says_met_or_missed_for_each_goal() -> None:
    ours = changed(cpu_us=100.0, chunk_p50_ms=0.30)
    found = run_of({"passthrough": [RIGHT] * 3, "gateway": [ours] * 3, "litellm": [changed(cpu_us=2500.0)] * 3})
    lines = {line.split()[0]: " ".join(line.split()) for line in write_table(found, SCENARIOS).splitlines() if line}
    assert lines["P1"].endswith("1/25 must ≤ 1/10 met goal ≤ 1/18 met")
    assert lines["P3"].endswith("1/25 must ≤ 1/50 MISSED goal ≤ 1/90 MISSED")
    assert lines["P4"].endswith("1/25 must ≤ 1/25 met goal ≤ 1/40 MISSED")
    assert lines["P8"].endswith("3.00 x must ≤ 2.40 x MISSED goal ≤ 1.50 x MISSED")


def test_the_table_says_where_and_beside_whom_it_ran() -> None:
    table = write_table(run_of({"passthrough": [RIGHT] * 3, "gateway": [RIGHT] * 3}), SCENARIOS)
    assert "servers on core [0], upstream and load on [1]" in table
    assert "load average at the start 0.10 0.20 0.30; others took 2% of 2 cores, at most 2%" in table


def test_one_core_for_everything_is_said() -> None:
    report = run_of({"passthrough": [RIGHT] * 3, "gateway": [RIGHT] * 3})
    alone = msgspec.structs.replace(report, host=msgspec.structs.replace(HOST, rest=[0]))
    assert "one core for everything" in write_table(alone, SCENARIOS)


def test_the_summary_has_a_row_for_each_pair_without_wrong_answers() -> None:
    right = run_of({"passthrough": [RIGHT] * 3, "gateway": [changed(cpu_us=50.0)] * 3})
    wrong = run_of({"passthrough": [RIGHT] * 3, "gateway": [RIGHT, RIGHT, changed(errors={"status 500": 1})]})
    _, *rows = write_summary([right, msgspec.structs.replace(wrong, pair="chat-chat")], SCENARIOS).splitlines()
    assert [row.split() for row in rows] == [["chat-gemini", *["2.50", "x"] * len(SCENARIOS)]]
