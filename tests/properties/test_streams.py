"""Whatever bytes an upstream sends, and however they are cut: callers get one grammatical answer, always the same.

Each upstream's bytes are read once, and written for the callers of all dialects.
"""

from __future__ import annotations

import json
import re

import pytest
from anthropic._streaming import SSEDecoder
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway import ir
from gateway.dialects import Answering
from gateway.routes import DialectName

from .examples import EXAMPLES
from .reading import UPSTREAMS, are_sound, flat, read, read_whole
from .upstreams.framing import cut
from .writing import CODECS, PASSING, answerings, ends, listen, listen_whole, passed, write, write_whole

UPSTREAM = pytest.mark.parametrize("upstream", UPSTREAMS)
BOUNDARY = re.compile(rb"(?:\A|(?:\r\n|\r|\n){2}|}\n|\[)\Z")  # in an array a chunk ends with its line
ADDED = "[DONE]", "message_stop", "response.completed", "response.incomplete"  # which some servers leave out
SAME = pytest.mark.parametrize("dialect", PASSING)


@UPSTREAM
@EXAMPLES
@given(data=st.data(), to=answerings())
def test_t4_any_cut_gives_the_same_bytes(upstream: DialectName, data: st.DataObject, to: Answering) -> None:
    sent = data.draw(UPSTREAMS[upstream].bodies)
    pieces, joined = read(upstream, data.draw(cut(sent))), read(upstream, [sent])
    for codec in CODECS.values():
        assert write(codec, pieces, to) == write(codec, joined, to)
        assert write_whole(codec, pieces, to) == write_whole(codec, joined, to)


@UPSTREAM
def test_t4_a_document_behind_a_late_mark_of_the_encoding_is_the_same_in_pieces(upstream: DialectName) -> None:
    sent = b'\n\xef\xbb\xbf{"a'
    pieces, joined = (flat(read(upstream, network)) for network in ([sent[:1], sent[1:]], [sent]))
    assert str(pieces) == str(joined)
    assert "\ufeff" not in str(joined)


def test_t4_what_comes_behind_the_end_of_an_answer_may_be_a_read_of_its_own() -> None:
    end = b'data: {"candidates": [{"finishReason": "SAFETY"}], "usageMetadata": {"candidatesTokenCount": 1}}\n\n'
    pieces, joined = (flat(read("gemini", network)) for network in ([end, b"data: [DONE]\n\n"], [end]))
    assert pieces == joined


@SAME
@EXAMPLES
@given(data=st.data(), to=answerings())
def test_t4_any_cut_passes_the_same_bytes(dialect: DialectName, data: st.DataObject, to: Answering) -> None:
    """Of an answer that breaks off, the rest does not pass: how much of it had come already, the cut decides."""
    sent = data.draw(UPSTREAMS[dialect].bodies)
    pieces, joined = (read(dialect, network, passes=True) for network in (data.draw(cut(sent)), [sent]))
    codec = PASSING[dialect]
    if all(isinstance(flat(batches)[-1], ir.Finished) for batches in (pieces, joined)):
        assert passed(codec, pieces, to) == passed(codec, joined, to)
    else:
        said = [b"".join(map(codec.passage(to).feed, unended(batches))) for batches in (pieces, joined)]
        assert said[1].startswith(said[0])


def unended(batches: list[list[ir.Event]]) -> list[list[ir.Event]]:
    """Give what passes, without an end."""
    return [[event for event in batch if isinstance(event, ir.Passed)] for batch in batches]


@UPSTREAM
@EXAMPLES
@given(data=st.data(), to=answerings())
def test_t5_any_bytes_give_one_grammatical_stream(upstream: DialectName, data: st.DataObject, to: Answering) -> None:
    batches = read(upstream, [data.draw(UPSTREAMS[upstream].bodies)])
    last = flat(batches)[-1]
    for dialect, codec in CODECS.items():
        written = write(codec, batches, to)
        assert ends(dialect, written, to) == [isinstance(last, ir.Finished)]
        if are_sound(flat(batches)):
            heard = listen(dialect, written, to)
            assert (heard.error is None) == isinstance(last, ir.Finished) == (heard.finish is not None)


@UPSTREAM
@EXAMPLES
@given(data=st.data(), to=answerings())
def test_t5_any_document_gives_one_answer(upstream: DialectName, data: st.DataObject, to: Answering) -> None:
    sound = UPSTREAMS[upstream].sound.flatmap(lambda one: damaged(json.dumps(one.whole, ensure_ascii=False).encode()))
    body = data.draw(st.one_of(sound, UPSTREAMS[upstream].payloads.map(str.encode), st.binary(max_size=60)))
    batches = [read_whole(upstream, body)]
    assume(are_sound(flat(batches)))
    for dialect, codec in CODECS.items():
        heard = listen_whole(dialect, write_whole(codec, batches, to))
        assert (heard.error is None) == (heard.finish is not None)


@st.composite
def damaged(draw: st.DrawFn, body: bytes) -> bytes:
    """Write another byte in the place of one."""
    place = draw(st.integers(0, len(body) - 1))
    return body[:place] + draw(st.binary(min_size=1, max_size=1)) + body[place + 1 :]


def ends_one(end: bytes, sent: bytes) -> bool:
    """Tell whether one event is ended, behind which there may be the end that the server has left out."""
    if not BOUNDARY.search(end):
        return False
    events = [event.event or event.data for event in SSEDecoder().iter_bytes(iter([end]))]
    added = [event for event in events[-1:] if event in ADDED and event.encode() not in sent]
    return len(events) - len(added) <= 1


@SAME
@EXAMPLES
@given(data=st.data(), to=answerings())
def test_t5_a_passage_ends_once(dialect: DialectName, data: st.DataObject, to: Answering) -> None:
    """What the upstream has not ended itself is ended by one error, which stands where an event may begin.

    A last event that it has not ended is ended.
    """
    sent = data.draw(UPSTREAMS[dialect].bodies)
    batches = read(dialect, [sent], passes=True)
    passage, last = PASSING[dialect].passage(to), flat(batches)[-1]
    said = b"".join(map(passage.feed, [*batches[:-1], batches[-1][:-1]]))
    end = passage.feed([last]) + passage.close()
    assert passage.feed([last]) + passage.close() == b""
    if isinstance(last, ir.Failed) and not last.told:
        assert BOUNDARY.search(said)
        assert ends(dialect, said + end if dialect == "gemini" and to.array else end, to)[-1:] == [False]
    elif dialect == "gemini" and isinstance(last, ir.Finished) and (last.reason, last.native) == ("tool_calls", None):
        assert ends(dialect, said + end if to.array else end, to) == [True]
    elif dialect == "anthropic" and isinstance(last, ir.Failed):
        said = passed(PASSING[dialect], batches, to)
        assert "error" in [event.event for event in SSEDecoder().iter_bytes(iter([said]))]  # none else is heard
    else:
        assert sent.endswith(end) or end in (b"]", b"[]") or ends_one(end, sent)
