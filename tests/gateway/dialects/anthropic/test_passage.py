"""How an answer of Messages that passes ends: with `message_stop`, once."""

from __future__ import annotations

import pytest

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.anthropic import Anthropic

TO = Answering(
    request=ir.Request(model="m", turns=()), model="m", id="1", created=0, request_id="r", estimate=lambda: 0
)
WHY = b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
END = ir.Finished(reason="stop", native="end_turn")


@pytest.mark.parametrize("cut", [0, 1, 9, len(STOP) - 2, len(STOP) - 1, len(STOP)])
def test_the_end_is_said_once_however_much_of_it_comes(cut: int) -> None:
    """Clients of the SDK for JavaScript have no message before it."""
    passage = Anthropic().passage(TO)
    out = passage.feed([ir.Passed(WHY + STOP[:cut]), END])
    assert out + passage.close() == WHY + STOP


def test_the_word_in_an_answer_is_not_its_end() -> None:
    words = rb'data: {"delta":{"text":"{\"type\": \"message_stop\"}"}}' + b"\n\n"
    passage = Anthropic().passage(TO)
    assert passage.feed([ir.Passed(words + WHY), END]) == words + WHY + STOP


@pytest.mark.parametrize("native", [None, ""])  # "": nobody here could read it
def test_an_end_without_a_reason_passes_as_it_is(native: str | None) -> None:
    passage = Anthropic().passage(TO)
    assert passage.feed([ir.Passed(WHY), ir.Finished(reason="stop", native=native)]) + passage.close() == WHY
