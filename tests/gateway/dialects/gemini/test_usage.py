"""Token counts: what is inside what, and which report holds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import ir
from gateway.ir import Fold

from .answering import chunk, payload, read, reader, text

NAMES = {
    "prompt": "promptTokenCount",
    "candidates": "candidatesTokenCount",
    "thoughts": "thoughtsTokenCount",
    "cached": "cachedContentTokenCount",
    "tools": "toolUsePromptTokenCount",
    "total": "totalTokenCount",
}


def report(**counts: int) -> dict[str, Any]:
    return {"usageMetadata": {NAMES[name]: count for name, count in counts.items()}}


def counted(*reports: dict[str, Any]) -> ir.Usage | None:
    one = reader()
    one.feed([payload(value) for value in reports])
    return one.usage


USAGE = [
    (report(prompt=3, candidates=2, total=5), ir.Usage(input=3, output=2, total=5)),
    # thoughts beside the candidates, and among them
    (
        report(prompt=20, candidates=198, thoughts=405, total=623),
        ir.Usage(input=20, output=603, reasoning=405, total=623),
    ),
    (
        report(prompt=100, candidates=3362, thoughts=3347, total=3462),
        ir.Usage(input=100, output=3362, reasoning=3347, total=3462),
    ),
    (
        report(prompt=1000, cached=800, candidates=10, total=1010),
        ir.Usage(input=1000, output=10, cache_read=800, total=1010),
    ),
    (
        report(prompt=18, tools=8207, candidates=14, thoughts=10, total=8249),
        ir.Usage(input=8225, output=24, reasoning=10, total=8249),
    ),
    # thoughts only: candidates are missing
    (report(prompt=60, thoughts=1024, total=1084), ir.Usage(input=60, output=1024, reasoning=1024, total=1084)),
    (report(prompt=60, total=100), ir.Usage(input=60, output=40, total=100)),
    # the prompt is missing: it is what the others leave of the total
    (report(total=9), ir.Usage(input=9, total=9)),
    (report(candidates=20, total=70), ir.Usage(input=50, output=20, total=70)),
    (report(candidates=20, thoughts=5, total=75), ir.Usage(input=50, output=25, reasoning=5, total=75)),
    (report(tools=30, candidates=20, total=70), ir.Usage(input=50, output=20, total=70)),
    (report(candidates=20), ir.Usage(output=20)),
    (report(prompt=13, total=13), ir.Usage(input=13, total=13)),
    (report(prompt=5, candidates=2), ir.Usage(input=5, output=2)),
    (report(prompt=5, candidates=-2, cached=9, total=-1), ir.Usage(input=5, cache_read=5)),
    (report(prompt=0, candidates=0, total=0), ir.Usage()),
    (report(), None),
]


@pytest.mark.parametrize(("given_report", "expected"), USAGE)
def test_report_is_understood(given_report: dict[str, Any], expected: ir.Usage | None) -> None:
    assert counted(given_report) == expected


@pytest.mark.parametrize(
    "later", [{"usageMetadata": {"trafficType": "ON_DEMAND"}}, report(), report(prompt=0, total=0)]
)
def test_report_without_numbers_takes_nothing_away(later: dict[str, Any]) -> None:
    assert counted(report(prompt=3, candidates=2, total=5), later) == ir.Usage(input=3, output=2, total=5)


@pytest.mark.parametrize(
    ("said", "tier"),
    [
        ({"serviceTier": "flex"}, "flex"),
        ({"serviceTier": "PRIORITY"}, "priority"),
        ({"serviceTier": "standard"}, ""),
        ({"trafficType": "ON_DEMAND_FLEX"}, "flex"),
        ({"trafficType": "ON_DEMAND_PRIORITY"}, "priority"),
        ({"trafficType": "ON_DEMAND"}, ""),
        ({"trafficType": {}}, ""),
    ],
)
def test_the_tier_that_has_served_it_is_told(said: dict[str, Any], tier: ir.Tier) -> None:
    told = {"usageMetadata": {"promptTokenCount": 3, **said}}
    assert counted(told, report(prompt=3, candidates=2)) == ir.Usage(input=3, output=2, tier=tier)


def test_a_tier_alone_counts_nothing() -> None:
    assert counted({"usageMetadata": {"serviceTier": "flex"}}) is None


def test_reports_are_cumulative() -> None:
    first, last = report(prompt=12, candidates=1, total=13), report(prompt=12, candidates=5, total=17)
    assert counted(first, last) == ir.Usage(input=12, output=5, total=17)


@pytest.mark.parametrize("total", [50, 60, 70])
@pytest.mark.parametrize(
    "later",
    [[report(prompt=50, candidates=20, total=70)], [report(prompt=50), report(candidates=20), report(total=70)]],
)
def test_a_total_alone_counts_nothing_twice_once_its_parts_are_told(total: int, later: list[dict[str, Any]]) -> None:
    assert counted(report(total=total), *later) == ir.Usage(input=50, output=20, total=70)


def test_usage_is_told_once_at_the_end() -> None:
    chunks = [
        chunk(text("a"), usage={"promptTokenCount": 1}),
        chunk(text("b"), finish="STOP"),
        report(prompt=1, total=3),
    ]
    told = [event for event in read(*chunks) if isinstance(event, ir.UsageReported)]
    assert told == [ir.UsageReported(ir.Usage(input=1, output=2, total=3))]


def test_upstream_that_counts_nothing_reports_nothing() -> None:
    assert not any(isinstance(event, ir.UsageReported) for event in read(chunk(text("a"), finish="STOP")))


counts = st.dictionaries(st.sampled_from(sorted(NAMES)), st.integers(-5, 10**12), max_size=6).map(lambda c: report(**c))


@given(st.lists(counts, max_size=5))
def test_parts_are_never_more_than_the_whole(reports: list[dict[str, Any]]) -> None:
    usage = counted(*reports) or ir.Usage()
    assert 0 <= usage.cache_read <= usage.input
    assert 0 <= usage.reasoning <= usage.output
    assert usage.total is None or usage.total >= usage.input + usage.output


@given(st.lists(counts, max_size=5))
def test_stream_and_whole_count_alike(reports: list[dict[str, Any]]) -> None:
    fold = Fold()
    fold.feed(read(*reports, chunk(text("a"), finish="STOP")))
    assert fold.reply().usage == (counted(*reports) or ir.Usage())
