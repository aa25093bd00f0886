"""T8: what nobody has heard of yet never fails a reader: blocks and keys of callers, events and keys of upstreams.

Between two dialects it is told of, key by key (`test_leaves`) and here block by block; within one it passes
(`test_passing`).
"""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway import ir
from gateway.routes import DialectName
from tests.translating import TARGETS, Sent, Upstreams

from .examples import EXAMPLES
from .leaves.changes import spelt, walk
from .leaves.strategies import REQUESTS
from .reading import UPSTREAMS, flat, fold, read, read_whole
from .upstreams import framing
from .upstreams.dressed import dressed

Json = Any

NAME: Final = "xNeverHeardOf"
BLOCK: Final = {"type": NAME, NAME: {"a": [1]}}
EVENTS: Final[dict[DialectName, Json]] = {
    "gemini": {"response": {NAME: {"a": [1]}}},
    "openai-chat": {"object": NAME, NAME: 1},
    "openai-responses": {"type": f"response.{NAME}", "sequence_number": 99, NAME: 1},
    "anthropic": {"type": NAME, NAME: 1},
}
# of each dialect, the lists whose elements are blocks
BLOCKS: Final[dict[DialectName, tuple[str, ...]]] = {
    "openai-chat": ("content", "tools"),
    "openai-responses": ("input", "content", "tools"),
    "anthropic": ("content", "tools", "system"),
    "gemini": ("parts", "tools"),
}
UPSTREAM = pytest.mark.parametrize("upstream", UPSTREAMS)


@pytest.mark.parametrize("dialect", REQUESTS)
@EXAMPLES
@given(data=st.data())
def test_t8_a_block_that_nobody_knows_passes_or_is_told(
    upstreams: Upstreams, dialect: DialectName, data: st.DataObject
) -> None:
    request = copy.deepcopy(data.draw(REQUESTS[dialect]))
    places = [path for path, value in walk(request) if path and path[-1] in BLOCKS[dialect] and isinstance(value, list)]
    assume(places)
    path = data.draw(st.sampled_from(places))
    blocks = dict(walk(request))[path]
    place = data.draw(st.integers(0, len(blocks)))
    blocks.insert(place, BLOCK)
    sent = upstreams.send(dialect, data.draw(st.sampled_from(sorted(TARGETS))), request)
    where = spelt(dialect, (*path, place))
    if not isinstance(sent, Sent):
        assert sent.status == 400
    elif NAME not in sent.body:
        assert any(loss.path.startswith(where) or where.startswith(f"{loss.path}.") for loss in sent.losses)


@UPSTREAM
@EXAMPLES
@given(data=st.data())
def test_t8_an_event_that_nobody_knows_changes_nothing(upstream: DialectName, data: st.DataObject) -> None:
    events = data.draw(UPSTREAMS[upstream].sound).events
    place = data.draw(st.integers(1, len(events)))
    other = framing.stream((*events[:place], EVENTS[upstream], *events[place:]))
    assert heard(read(upstream, [other])) == heard(read(upstream, [framing.stream(events)]))


@UPSTREAM
@EXAMPLES
@given(data=st.data())
def test_t8_a_key_that_nobody_knows_changes_nothing(upstream: DialectName, data: st.DataObject) -> None:
    """In any object of the stream, or of the whole answer, but for the arguments of calls."""
    sound = data.draw(UPSTREAMS[upstream].sound)
    events, whole = copy.deepcopy(list(sound.events)), copy.deepcopy(sound.whole)
    for value in (events, whole):
        objects = [one for path, one in walk(value) if isinstance(one, dict) and not {"args", "input"} & {*path}]
        for one in data.draw(st.lists(st.sampled_from(objects), min_size=1, max_size=3, unique_by=id)):
            one[NAME] = data.draw(st.sampled_from([None, 1, "x", {"a": [1]}]))
    assert heard(read(upstream, [framing.stream(tuple(events))])) == heard(
        read(upstream, [framing.stream(sound.events)])
    )
    assert heard([read_whole(upstream, encoded(whole))]) == heard([read_whole(upstream, encoded(sound.whole))])


@UPSTREAM
@EXAMPLES
@given(data=st.data(), chance=st.randoms(use_true_random=True))
def test_t8_what_the_types_of_the_sdks_have_besides_changes_nothing(
    upstream: DialectName, data: st.DataObject, chance: Random
) -> None:
    sound = data.draw(UPSTREAMS[upstream].sound)
    other = dressed(chance, upstream, sound)
    assert heard(read(upstream, [framing.stream(other.events)])) == heard(
        read(upstream, [framing.stream(sound.events)])
    )
    assert heard([read_whole(upstream, encoded(other.whole))]) == heard([read_whole(upstream, encoded(sound.whole))])


def encoded(value: Json) -> bytes:
    return json.dumps(value).encode()


def heard(batches: list[list[ir.Event]]) -> Json:
    """Give an answer, without what only its own dialect reads."""
    reply = fold(flat(batches))
    return (reply.parts, reply.finish, reply.usage, reply.id) if isinstance(reply, ir.Reply) else repr(reply)
