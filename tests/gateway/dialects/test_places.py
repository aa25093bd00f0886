"""Places in a text, in characters and in bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import places
from gateway.dialects.places import Places

TEXTS = st.text("aé\u20ac🙂", max_size=30)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_STRIDE", 4)


@given(st.lists(TEXTS, max_size=4), st.integers(0, 130), st.integers(0, 130))
def test_places_are_those_of_the_whole_text(pieces: list[str], start: int, end: int) -> None:
    text, made = "".join(pieces), Places()
    for piece in pieces:
        made.add(piece)
    assert made.length == len(text)
    assert made.to_bytes(start) == len(text[:start].encode())
    assert made.to_characters(start) == len(text.encode()[:start].decode("utf-8", "ignore"))
    assert made.between(start, end) == text[start:end]


def test_a_text_is_counted_once_for_all_its_places(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = 0
    size = places._size

    def counting(text: str) -> int:
        nonlocal counted
        counted += len(text)
        return size(text)

    monkeypatch.setattr(places, "_size", counting)
    made = Places("é" * 2000)
    for place in range(1000):
        assert made.to_bytes(place) == 2 * place
    assert counted <= 2000 + 4 * 1000
