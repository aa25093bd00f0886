"""What an answer cost, where the upstream has not told it: at least what was asked and said."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import pytest

from gateway import ir
from gateway.errors import UpstreamMalformed
from gateway.ir import said as module
from gateway.ir.estimate import estimate_text
from gateway.ir.said import Said

ASKED = ir.Request(model="m", turns=(ir.Turn(role="user", parts=(ir.Text(text="word"),)),))  # costs 6
TOLD = ir.Usage(input=70, output=30, reasoning=5, total=100)


def heard(*batches: Sequence[ir.Event]) -> Said:
    said = Said()
    for batch in batches:
        said.hear(batch)
    return said


def test_what_is_told_of_a_whole_answer_holds() -> None:
    assert heard([ir.TextDelta("word " * 99)]).usage(TOLD, ASKED, whole=True) is TOLD


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (ir.Usage(input=70, cache_read=60, total=70), ir.Usage(input=70, cache_read=60, output=3, estimated=True)),
        (ir.Usage(output=30, reasoning=5, total=30), ir.Usage(input=6, output=30, reasoning=5, estimated=True)),
    ],
    ids=["prompt", "answer"],
)
def test_what_is_told_of_one_side_leaves_the_other_to_be_counted(told: ir.Usage, expected: ir.Usage) -> None:
    assert heard([ir.TextDelta("two words")]).usage(told, ASKED, whole=True) == expected


def test_an_answer_that_says_nothing_may_cost_nothing() -> None:
    told = ir.Usage(input=70, total=70)
    assert heard([ir.BlockStarted(kind="text"), ir.BlockEnded()]).usage(told, ASKED, whole=True) is told


def test_what_other_answers_say_is_counted_too() -> None:
    said = heard([ir.TextDelta("two "), ir.Alternative(1, ir.TextDelta("words"))])
    assert said.usage(None, ASKED, whole=True) == ir.Usage(input=6, output=3, estimated=True)


@pytest.mark.parametrize("told", [None, ir.Usage()])
def test_what_nobody_told_is_counted(told: ir.Usage | None) -> None:
    said = heard([ir.TextDelta("two "), ir.TextDelta("words")])
    assert said.usage(told, ASKED, whole=True) == ir.Usage(input=6, output=3, estimated=True)


@pytest.mark.parametrize(
    ("event", "output"),
    [
        (ir.TextDelta("word word"), 2),
        (ir.ThinkingDelta("word word word"), 3),
        (ir.ArgumentsDelta('{"a":1}'), 5),
        (ir.BlockStarted(kind="tool_call", id="call_1", name="look"), 1),
        (ir.BlockStarted(kind="text"), 0),
        (ir.BlockEnded(), 0),
    ],
)
def test_words_thoughts_and_calls_are_counted(event: ir.Event, output: int) -> None:
    found = heard([event]).usage(None, ASKED, whole=False)
    assert found == ir.Usage(input=6, output=output, estimated=True)


def test_words_that_come_in_pieces_are_counted_whole() -> None:
    found = heard([ir.TextDelta("wo")], [ir.TextDelta("rd"), ir.TextDelta(" wo"), ir.TextDelta("rd")])
    assert found.usage(None, ASKED, whole=False) == ir.Usage(input=6, output=2, estimated=True)


def test_an_answer_that_broke_off_costs_what_was_told_before_at_least() -> None:
    found = heard([ir.TextDelta("word")]).usage(TOLD, ASKED, whole=False)
    assert found == ir.Usage(input=70, output=30, reasoning=5, estimated=True)


def test_an_answer_that_broke_off_costs_what_was_said_at_least() -> None:
    found = heard([ir.TextDelta("word " * 50)]).usage(TOLD, ASKED, whole=False)
    assert found == ir.Usage(input=70, output=50, reasoning=5, estimated=True)


@pytest.mark.parametrize("background", [True, False])
def test_an_answer_that_nobody_waits_for_is_not_counted_yet(background: bool) -> None:
    asked = ir.Request(model="m", turns=(), thread=ir.Thread(background=background))
    assert (heard().usage(None, asked, whole=True) is None) is background


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 5_000)
    said = Said()
    for _ in range(4):
        said.hear([ir.TextDelta("word ")] * 1_000)
    with pytest.raises(UpstreamMalformed, match="does not end: it has more than 5,000 tokens"):
        for _ in range(4):
            said.hear([ir.TextDelta("word ")] * 1_000)


@pytest.mark.parametrize("place", [None, 1])
def test_an_answer_of_parts_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch, place: int | None) -> None:
    monkeypatch.setattr(module, "_PARTS", 5_000)
    call: ir.Event = ir.BlockStarted(kind="tool_call", id="c", name="f")
    said, many = Said(), [call if place is None else ir.Alternative(place=place, event=call)] * 2_000
    said.hear(many)
    said.hear(many)
    with pytest.raises(UpstreamMalformed, match="does not end: it has more than 5,000 parts"):
        said.hear(many)


def test_the_words_of_a_long_answer_are_not_kept() -> None:
    said, text = Said(), "two words, and letters. " * 20_000
    tracemalloc.start()
    for start in range(0, len(text), 7):
        said.hear([ir.TextDelta(text[start : start + 7])])
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < len(text)
    found = said.usage(None, ASKED, whole=False)
    assert found is not None
    assert found == ir.Usage(input=6, output=found.output, estimated=True)
    assert found.output == pytest.approx(estimate_text(text), rel=0.005)  # of a long text not every word is counted
