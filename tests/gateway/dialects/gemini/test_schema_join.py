"""Schemas that hold at once, as one."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects.gemini.schema_join import join


class Word(str):
    """A word that counts how often words are compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Word.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


@pytest.mark.parametrize(
    ("keyword", "values", "joined"),
    [
        ("minimum", [1, 3, 2], 2),
        ("properties", [{"a": 1, "b": 1}, {"b": 2}, {"c": 3}], {"a": 1, "b": 2, "c": 3}),
        ("properties", [{"a": 1}, None, {"b": 2}], {"b": 2}),
        ("required", [["b", "a"], ["a", "c"], ["b"]], ["b", "a", "c"]),
        ("required", [["a"], True], True),
        ("type", ["string", ["string", "null"]], ["string"]),
        ("type", [["integer", "null"], ["null", "integer", "string"], "integer"], ["integer"]),
        ("type", ["string", "integer"], "string"),
        ("enum", [[1, "1", True, None], [True, "1"]], ["1", True]),
        ("enum", [[{"a": 1, "b": 2}, [1]], [{"b": 2, "a": 1}]], [{"a": 1, "b": 2}]),
        ("enum", [["a", "b"], ["c"], ["b"]], ["b"]),
        ("description", ["One.", "Two.", "One."], "One. Two."),
        ("description", ["One.", 2], 2),
    ],
)
def test_what_each_keyword_says_together(keyword: str, values: list[Any], joined: Any) -> None:
    assert join({keyword: value} for value in values) == {keyword: joined}


@pytest.mark.parametrize("keyword", ["required", "enum"])
def test_words_are_not_compared_each_with_each(keyword: str) -> None:
    words = [Word(f"word-{number}") for number in range(1000)]
    said: list[list[Word]] = [words, *([word] for word in words), words[::-1]]
    Word.compared = 0
    join({keyword: value} for value in said)
    assert Word.compared < 4 * len(words)
