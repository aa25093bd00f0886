"""Every reader that the fuzzer is for stands inputs like the known ones; with a fuzzer, `python -m tests.fuzz`."""

from __future__ import annotations

from typing import Final

import pytest

from gateway.registry import names
from tests.cpu import work
from tests.properties.examples import share

from .changing import changed
from .corpus import kept
from .seeds import seeds, words
from .targets import MAX_SECONDS, TARGETS, Hang, guarded

_EACH: Final = share(1)


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_stands_inputs_that_are_like_the_known_ones(name: str) -> None:
    inputs = [*kept(name), *seeds(name)]
    for number, data in enumerate(changed(inputs, words(inputs), _EACH, name)):
        try:
            guarded(TARGETS[name], data)
        except BaseException as error:
            error.add_note(f"{name}, input {number}: {data!r}")
            raise


def test_a_reader_that_is_slow_is_found() -> None:
    with pytest.raises(Hang):
        guarded(lambda _: work(MAX_SECONDS * 1.1), b"x")


def test_a_reader_is_not_blamed_for_what_happens_once() -> None:
    """As a collection of garbage does, of which thousands of tests before have left."""
    once = [MAX_SECONDS * 1.1]
    guarded(lambda _: work(once.pop() if once else 0.0), b"x")


def test_the_same_seed_changes_the_same() -> None:
    first, again, other = (list(changed([b"{}", b"data: x"], [b"w"], 50, seed)) for seed in ("a", "a", "b"))
    assert first == again != other
    assert len({*first}) > 25


@pytest.mark.parametrize("name", ["sse", "config", "routes", "redact", "signature"])
def test_each_reader_of_the_gateways_own_is_a_target(name: str) -> None:
    assert name in TARGETS


@pytest.mark.parametrize("dialect", names("gateway.dialects"))
def test_each_dialect_has_its_readers_among_the_targets(dialect: str) -> None:
    assert {f"{kind}-{dialect}" for kind in ("request", "stream", "whole", "error", "passage")} <= {*TARGETS}
