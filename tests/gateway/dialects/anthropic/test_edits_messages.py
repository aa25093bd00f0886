"""What it costs to mend a long conversation of an Anthropic caller's."""

import json
from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.dialects.anthropic import edits_messages, edits_results, edits_walk
from gateway.dialects.anthropic.edits import Own, pass_through

Json = dict[str, Any]

MANY = 60
USER: Json = {"role": "user", "content": "hi"}


class Looks:
    """Counts the blocks that are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.blocks = 0
        blocks = edits_walk.blocks_of

        def reading(message: dict[str, Raw]) -> list[dict[str, Raw]]:
            found = blocks(message)
            self.blocks += len(found)
            return found

        monkeypatch.setattr(edits_results, "blocks_of", reading)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


def mended(*messages: Json) -> list[Json]:
    body = Raw(json.dumps({"model": "m", "max_tokens": 9, "messages": messages}).encode())
    written = pass_through(ir.Request(model="m", turns=()), body, Own(model="m"))
    found: list[Json] = json.loads(bytes(written.native or b""))["messages"]
    return found


def use(ident: str) -> Json:
    return {"type": "tool_use", "id": ident, "name": "f", "input": {}}


def result(ident: str) -> Json:
    return {"type": "tool_result", "tool_use_id": ident, "content": "r"}


def turn(role: str, *blocks: Json) -> Json:
    return {"role": role, "content": list(blocks)}


IDS = [f"c{number}" for number in range(MANY)]
CALLS, RESULTS = list(map(use, IDS)), list(map(result, IDS))


def test_results_that_stand_apart_are_put_together_at_once(looks: Looks) -> None:
    after = mended(USER, turn("assistant", *CALLS), *(turn("user", one) for one in RESULTS))
    assert after == [USER, turn("assistant", *CALLS), turn("user", *RESULTS)]
    assert looks.blocks < 20 * MANY


def test_calls_that_stand_apart_are_put_together_at_once(looks: Looks) -> None:
    apart = [*(turn("assistant", one) for one in CALLS), *(turn("user", one) for one in RESULTS)]
    assert mended(USER, *apart) == [USER, turn("assistant", *CALLS), turn("user", *RESULTS)]
    assert looks.blocks < 20 * MANY


def test_what_follows_calls_in_a_row_is_looked_at_once(looks: Looks) -> None:
    others = [turn("user", {"type": "text", "text": "x"}) for _ in IDS]
    after = mended(USER, *(turn("assistant", one) for one in CALLS), *others)
    assert [message["role"] for message in after[: 2 * MANY + 1]] == ["user", *("assistant", "user") * MANY]
    assert looks.blocks < 20 * MANY


def test_blanks_are_put_behind_their_words_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0
    encode = edits_messages._encode

    def writing(value: object) -> bytes:
        nonlocal written
        written += len(found := encode(value))
        return found

    monkeypatch.setattr(edits_messages, "_encode", writing)
    words, blank = {"type": "text", "text": "x" * 1000}, {"type": "text", "text": " "}
    after = mended(USER, turn("assistant", words, *[blank] * MANY, words), USER)
    assert after == [USER, turn("assistant", {**words, "text": words["text"] + " " * MANY}, words), USER]
    assert written < 20_000
