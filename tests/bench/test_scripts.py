"""Scripts: what is asked of the fake upstream, and the stamps of paced chunks."""

from __future__ import annotations

import time

import pytest

from bench.script import WHOLE, Script, read_script, stamped, stamps, unstamped


@pytest.mark.parametrize("script", [WHOLE, Script("burst", 200), Script("pace", 20, 5)])
def test_a_prompt_names_its_script(script: Script) -> None:
    assert read_script(script.prompt) == script


@pytest.mark.parametrize("prompt", ["", "hello", "burst", "burst 0", "pace 3", "pace 3 0", "whole 2"])
def test_other_prompts_are_refused(prompt: str) -> None:
    with pytest.raises(ValueError, match=r"script|unpack|literal"):
        read_script(prompt)


def test_two_texts_take_turns() -> None:
    first, second, third = Script("burst", 3).pieces
    assert first == third != second


def test_a_stamp_says_when_its_chunk_was_written() -> None:
    before = time.perf_counter()
    frame = stamped(Script("pace", 1, 5).text.encode())
    [(end, written)] = stamps(frame)
    assert end == len(frame)
    assert before - 1e-6 <= written <= time.perf_counter()


def test_a_stamped_text_is_still_that_of_the_script() -> None:
    text = Script("pace", 4, 5).text.encode()
    assert stamped(text) != text
    assert unstamped(stamped(text)) == text
