"""For any bytes, in any reads, the decoder agrees with the algorithm of the WHATWG specification."""

import itertools
import json
import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.sse import Decoder, json_line

FRAGMENTS = [
    *b"data|data:|data: |id: 1|event: x|retry: 1|:|[DONE]|{}|x| ".split(b"|"),
    *b"\r|\n|\r\n|\n\n|\r\r|\r\n\r\n|\x00|\x0b|\x0c".split(b"|"),
    *b"\xef\xbb\xbf|\xef|\xbb|\xbf|\xe2\x80\xa8|\xe2\x80\xa9|\xc2\x85|\xc2|\xf0\x9f\x9a|\xff".split(b"|"),
    "ż🚀".encode(),
]
NAMED = b"event: a\ndata: {}\n\n|event: a\n\n|event: a\ndata: x\ndata: y\n\n|event: a\r\ndata: z\r\n\r\n".split(b"|")
EVENTS = NAMED + b"data: {}\n\n|data: x\r\n\r\n|data: \n\n|data: [DONE]\n\n|data: \xc5\xbc\n\n|data:x\n\n".split(b"|")
STREAMS = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=8), max_size=40).map(b"".join)


def specified(stream: bytes) -> list[str]:
    """Section 9.2.6 of the HTML standard; only, the end of the body ends the last event too."""
    text = stream.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace") + "\n\n"
    events: list[str] = []
    data = ""
    for line in re.split(r"\r\n|\n|\r", text):
        field, _, value = line.partition(":")
        if line == "":
            events += [data.removesuffix("\n")]
            data = ""
        elif field == "data":
            data += value.removeprefix(" ") + "\n"
    return [event for event in events if event not in ("", "[DONE]")]


def decoded(reads: list[bytes]) -> list[str]:
    decoder = Decoder()
    return [data for read in reads for data in decoder.feed(read)] + decoder.close()


@given(STREAMS)
def test_events_are_those_of_the_specification(stream: bytes) -> None:
    assert decoded([stream]) == specified(stream)


@given(STREAMS, st.lists(st.integers(0, 200), max_size=12))
def test_reads_may_split_anywhere(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reads = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert decoded(reads) == specified(stream)


@given(st.lists(st.lists(st.sampled_from(EVENTS) | st.sampled_from(FRAGMENTS), max_size=4).map(b"".join), max_size=8))
def test_whole_events_may_stand_beside_anything_else(reads: list[bytes]) -> None:
    assert decoded(reads) == specified(b"".join(reads))


@given(STREAMS)
def test_one_byte_a_read(stream: bytes) -> None:
    assert decoded([bytes([byte]) for byte in stream]) == specified(stream)


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\u2028\u2029\x85"), max_size=40))
def test_json_line_is_one_line_for_every_reader_and_the_same_value(text: str) -> None:
    line = json_line(json.dumps(text, ensure_ascii=False).encode()).decode()
    assert line.splitlines() == [line]
    assert json.loads(line) == text
