"""Verdicts: which figures count, and when none is given."""

from __future__ import annotations

import re

import msgspec
import pytest

from bench.goals import GOALS, WRONG, judge
from bench.process import ROOT
from bench.report import write_summary, write_table
from bench.scenarios import EVERY, OPEN, PACE, SCENARIOS, STREAMS_200
from tests.bench.runs import HOST, RIGHT, changed, run_of

ALONE = {"passthrough": [RIGHT] * 3, "gateway": [RIGHT] * 3}
# of the six scenarios that are measured unless told otherwise, without peers
USUAL = {"P2", "P6", "P7", "P8", "P11", "P12", "P15", "T9"}


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
    assert met == {"P1", "P7", "P9", "P10", "P11", "P12", "P14", "P15", "T9"}


def test_a_goal_without_its_peer_is_left_out() -> None:
    assert {verdict.name for _, verdict in judge(run_of(ALONE))} == USUAL | {"P9", "P10", "P14"}


def test_a_goal_without_its_scenario_is_left_out() -> None:
    assert {verdict.name for _, verdict in judge(run_of(ALONE, scenarios=SCENARIOS))} == USUAL


def test_with_everything_every_goal_has_a_verdict() -> None:
    others = dict.fromkeys(("litellm", "portkey", "seed-like", "raw"), [changed(cpu_us=200.0)] * 3)
    report = msgspec.structs.replace(run_of(ALONE | others), install_mb=120.0)
    found = [verdict for _, verdict in judge(report)]
    assert {verdict.name for verdict in found} == {*(f"P{number}" for number in range(1, 16)), "T9"}
    assert [verdict.value for verdict in found if verdict.name == "P5"] == [0.1, 0.1]
    assert [(verdict.value, verdict.must) for verdict in found if verdict.name == "P2"] == [(1.0, 2.0), (0.1, 3.0)]
    [size] = [verdict for verdict in found if verdict.name == "P13"]
    assert (size.value, size.meets_must, size.meets_goal) == (120.0, True, False)


BOUNDS = [
    *[("P1", 1 / 10, 1 / 18), ("P2", 2.0, 1.5), ("P2", 3.0, 2.0), ("P3", 1 / 50, 1 / 90), ("P4", 1 / 25, 1 / 40)],
    *[("P5", 1 / 5, 1 / 9), ("P5", 1 / 4, 1 / 7), ("P6", 0.20, 0.10), ("P7", 0.30, 0.12), ("P8", 2.4, 1.5)],
    *[("P9", 3.0, 2.0), ("P9", 1.1, 1.1), ("P10", 60, 35), ("P10", 1.1, 1.1), ("P11", 110, 75), ("P11", 150, 100)],
    *[("P12", 1.0, 0.5), ("P13", 140, 100), ("P14", 3, 2), ("P15", 0, 0), ("T9", 10, 5)],
]


def test_the_goals_are_those_that_were_set_and_the_readme_has_each() -> None:
    assert sorted((goal.name, goal.must, goal.goal) for goal in (*GOALS, WRONG)) == sorted(BOUNDS)
    rows = re.findall(r"^\| ((?:P|T)\d.*?) \|", (ROOT / "bench" / "README.md").read_text("utf-8"), re.MULTILINE)
    assert {name for row in rows for name in row.split(", ")} == {name for name, _, _ in BOUNDS}


def test_of_memory_the_most_counts_and_of_lateness_the_least() -> None:
    ours = [changed(open_kb=kb, late=late) for kb, late in ((50.0, 1.3), (2.0, 1.05), (-1.0, 1.2))]
    report = run_of({"passthrough": [RIGHT] * 3, "gateway": ours})
    values = {(goal.name, goal.title): verdict.value for goal, verdict in judge(report)}
    assert sorted(value for (name, _), value in values.items() if name == "P10") == [1.05, 50.0]
    assert report.counted("gateway", OPEN.name, "open_kb") == 50.0
    assert report.counted("gateway", STREAMS_200.name, "late") == 1.05


@pytest.mark.parametrize(("late", "met"), [(1.09, True), (1.11, False)])
def test_streams_later_than_a_tenth_of_their_length_are_late(late: float, met: bool) -> None:
    report = run_of({"passthrough": [RIGHT] * 3, "gateway": [changed(late=late)] * 3})
    verdicts = [verdict for goal, verdict in judge(report) if "longest" in goal.title]
    assert [(verdict.name, verdict.meets_must) for verdict in verdicts] == [("P9", met), ("P10", met)]


def test_the_dialect_that_is_read_slowest_counts() -> None:
    found = run_of(ALONE)
    lines = write_table(found).splitlines()
    (row,) = (" ".join(line.split()) for line in lines if line.startswith("T9"))
    assert row.endswith("8.0 ms must ≤ 10.0 ms met goal ≤ 5.0 ms MISSED")
    assert lines[-1] == "CPU to read 1 MB of an agent's talk: chat 4.0 ms, gemini 8.0 ms"


def test_one_wrong_answer_of_anybody_takes_every_ratio() -> None:
    wrong = changed(errors={"status 500": 2})
    report = run_of({"passthrough": [RIGHT] * 3, "gateway": [RIGHT] * 3, "litellm": [RIGHT, wrong, RIGHT]})
    [(_, verdict)] = judge(report)
    assert (verdict.name, verdict.value, verdict.meets_must) == ("P15", 2 * len(EVERY), False)
    table = write_table(report)
    assert f"round 2, {PACE.name}, litellm: 2 times status 500" in table
    assert table.startswith("chat-gemini: wrong answers, so no ratios")
    assert table.count("P15") == 1
    assert not re.search(r"P[1-9]\b|\d x\b|1/\d", table)


def test_two_rounds_have_no_verdict() -> None:
    report = run_of({"passthrough": [RIGHT] * 2, "gateway": [RIGHT] * 2})
    assert judge(report) == []
    assert "no verdicts" in write_table(report)


def test_a_quick_run_has_no_verdict() -> None:
    assert judge(run_of(ALONE, quick=True)) == []


def test_the_table_says_met_or_missed_for_each_goal() -> None:
    ours = changed(cpu_us=100.0, chunk_p50_ms=0.30)
    found = run_of({"passthrough": [RIGHT] * 3, "gateway": [ours] * 3, "litellm": [changed(cpu_us=2500.0)] * 3})
    lines = {line.split()[0]: " ".join(line.split()) for line in write_table(found).splitlines() if line}
    assert lines["P1"].endswith("1/25 must ≤ 1/10 met goal ≤ 1/18 met")
    assert lines["P3"].endswith("1/25 must ≤ 1/50 MISSED goal ≤ 1/90 MISSED")
    assert lines["P4"].endswith("1/25 must ≤ 1/25 met goal ≤ 1/40 MISSED")
    assert lines["P8"].endswith("3.00 x must ≤ 2.40 x MISSED goal ≤ 1.50 x MISSED")


def test_the_table_says_where_and_beside_whom_it_ran() -> None:
    table = write_table(run_of(ALONE))
    assert "servers on core [0], upstream and load on [1]" in table
    assert "load average at the start 0.10 0.20 0.30; others took 2% of 2 cores, at most 2%" in table


def test_one_core_for_everything_is_said() -> None:
    report = run_of(ALONE)
    alone = msgspec.structs.replace(report, host=msgspec.structs.replace(HOST, rest=[0]))
    assert "one core for everything" in write_table(alone)


def test_the_summary_has_a_row_for_each_pair_without_wrong_answers() -> None:
    right = run_of({"passthrough": [RIGHT] * 3, "gateway": [changed(cpu_us=50.0)] * 3})
    wrong = run_of({"passthrough": [RIGHT] * 3, "gateway": [RIGHT, RIGHT, changed(errors={"status 500": 1})]})
    _, *rows = write_summary([right, msgspec.structs.replace(wrong, pair="chat-chat")]).splitlines()
    assert [row.split() for row in rows] == [["chat-gemini", *["2.50", "x"] * len(EVERY)]]


def test_what_was_not_measured_is_a_dash_and_is_said() -> None:
    report = run_of(ALONE | {"seed-like": [RIGHT] * 3})
    for measured in report.rounds:
        del measured[OPEN.name]["seed-like"]
    report = msgspec.structs.replace(report, left_out={"nginx": "there is no nginx on this machine"})
    table = write_table(report)
    assert "left out: nginx: there is no nginx on this machine" in table
    rows = [line for line in table.splitlines() if line.startswith(OPEN.name)]
    assert rows
    assert all(re.search(r" -  ", row) for row in rows)


def test_a_table_has_the_scenarios_that_were_measured_and_no_others() -> None:
    table = write_table(run_of(ALONE, scenarios=[PACE, OPEN]))
    rows = table.partition("\nscenario ")[2].partition("\n\n")[0].splitlines()[1:]
    names = [row.partition("  ")[0] for row in rows]
    assert list(dict.fromkeys(names)) == [PACE.name, OPEN.name]
    assert names.count(OPEN.name) == names.count(PACE.name) + 1  # its memory


def test_a_pair_with_fewer_scenarios_has_dashes_in_the_summary() -> None:
    few = msgspec.structs.replace(run_of(ALONE, scenarios=[PACE]), pair="chat-chat")
    _, _, row = write_summary([run_of(ALONE), few]).splitlines()
    assert row.split().count("-") == len(EVERY) - 1
    assert row.count("1.00 x") == 1
