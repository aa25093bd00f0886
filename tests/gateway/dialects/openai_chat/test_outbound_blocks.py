"""Blocks of an answer that come mixed, and what it costs to tell them apart."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import ir
from gateway.dialects.openai_chat import outbound_blocks
from gateway.dialects.openai_chat.outbound_blocks import Blocks, CallBlock

PARALLEL = 200
PIECES = 400


class Work:
    """Counts the characters that are decoded, and how often a call is asked whether it is complete."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.decoded = self.asked = 0
        is_json, complete = outbound_blocks._is_json, vars(CallBlock)["complete"]

        def decoding(text: str) -> bool:
            self.decoded += len(text)
            return is_json(text)

        def asking(call: CallBlock) -> bool:
            self.asked += 1
            return bool(complete.fget(call))

        monkeypatch.setattr(outbound_blocks, "_is_json", decoding)
        monkeypatch.setattr(CallBlock, "complete", property(asking))


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(monkeypatch)


def started(blocks: Blocks, index: int) -> CallBlock:
    call = blocks.call(index, f"id_{index}", "f")
    call.name = "f"
    return call


def said(events: list[ir.Event]) -> str:
    return "".join(event.json for event in events if isinstance(event, ir.ArgumentsDelta))


def test_calls_that_come_mixed_are_asked_only_when_they_may_be_complete(work: Work) -> None:
    blocks = Blocks("salt")
    events: list[ir.Event] = []
    for piece in ("", '{"a":', "1}"):
        for index in range(PARALLEL):
            started(blocks, index).argue(piece)
            events += blocks.events()
    events += blocks.events(ended=True)
    assert said(events) == '{"a":1}' * PARALLEL
    assert work.decoded == len('{"a":1}') * PARALLEL
    assert work.asked < 8 * PARALLEL


def test_arguments_whose_pieces_end_like_an_object_are_decoded_once(work: Work) -> None:
    blocks = Blocks("salt")
    call, pieces = started(blocks, 0), ['{"a":[{}', *[",{}"] * PIECES, "]}"]
    started(blocks, 1)
    for piece in pieces:
        call.argue(piece)
        list(blocks.events())
    assert not call.garbled
    assert call.ended
    assert work.decoded == len("".join(pieces))


@pytest.mark.parametrize("piece", ["{}", '{"a":}', "{]"])
def test_arguments_that_can_no_longer_become_whole_are_decoded_at_most_once(work: Work, piece: str) -> None:
    call = CallBlock(0, "")
    for _ in range(PIECES):
        call.argue(piece)
        assert call.garbled or piece == "{}"
    assert call.garbled
    assert work.decoded <= len(piece)


@given(st.text('{}[]":,a1\\ \n\u00a0', max_size=40), st.lists(st.integers(0, 40), max_size=8))
def test_a_call_is_garbled_as_long_as_what_came_of_it_is_no_json(text: str, cuts: list[int]) -> None:
    call, came = CallBlock(0, ""), ""
    bounds = sorted({0, *cuts, len(text) + 1})
    for start, end in pairwise(bounds):
        call.argue(text[start:end])
        came += text[start:end]
        assert call.garbled == (came.lstrip().startswith("{") and not is_json(came))


@given(
    st.sampled_from(('{"a":[{"b":"\\\\"},{}]}', '{"a":"\\"}{"}', ' {"\\\\\\"":{"a":"}"}} ', "{}\n")),
    st.sets(st.integers(1, 20)),
)
def test_a_call_is_whole_wherever_it_was_cut(text: str, cuts: set[int]) -> None:
    call, bounds = CallBlock(0, ""), sorted({0, *cuts, len(text)})
    for start, end in pairwise(bounds):
        call.argue(text[start:end])
        assert call.garbled == (bool(text[:end].strip()) and not is_json(text[:end]))


def test_half_of_a_character_does_not_garble_a_call() -> None:
    call = CallBlock(0, "")
    call.argue('{"a":"\\ud83d!"}')
    assert not call.garbled


def is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except ValueError:
        return False
    return True


def test_blanks_before_arguments_are_looked_at_once() -> None:
    call = CallBlock(0, "")
    for piece in (" ", "\n", ' "', "{", '}"'):
        call.argue(piece)
    assert call.held == []
    assert said(call.closing()) == '{"input":"{}"}'


@pytest.mark.parametrize(
    ("fragments", "calls"),
    [
        ([(0, "a"), (1, "a"), (0, ""), (0, "a")], [0, 1, 0, 0]),
        ([(None, "a"), (None, "b"), (None, "a")], [0, 1, 0]),
        ([(0, ""), (1, "a"), (0, "a"), (None, "a")], [0, 1, 0, 1]),
        ([(None, "a"), (0, "a"), (1, "a")], [0, 0, 0]),
        ([(0, "a"), (0, "b"), (0, "a"), (0, "")], [0, 1, 0, 1]),
    ],
)
def test_a_fragment_belongs_to_the_last_call_of_its_id_else_of_its_index(
    fragments: list[tuple[int | None, str]], calls: list[int]
) -> None:
    blocks = Blocks("salt")
    assert [blocks.call(index, ident, "f").place for index, ident in fragments] == calls
