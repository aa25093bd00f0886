"""The SSE decoder gives the data of each event once, whatever the framing; the encoder gives single lines."""

import asyncio
import gc
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from gateway.sse import Decoder, EventTooLarge, Halves, event, json_line, sound, sound_escapes

FIXTURES = Path(__file__).parents[1] / "fixtures" / "v1internal"


def decode(*reads: bytes) -> list[str]:
    decoder = Decoder()
    return [data for read in reads for data in decoder.feed(read)] + decoder.close()


def texts(name: str) -> list[str]:
    """The text of each chunk of a recorded stream, with or without Google's envelope."""
    chunks = [json.loads(data) for data in decode((FIXTURES / f"{name}.sse").read_bytes())]
    bodies = [chunk.get("response", chunk) for chunk in chunks]
    parts = [c["content"]["parts"] for body in bodies for c in body.get("candidates", []) if "content" in c]
    return [part["text"] for some in parts for part in some]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(b"data: a\n\ndata: b\n\n", ["a", "b"], id="lf"),
        pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"], id="crlf"),
        pytest.param(b"data: a\r\rdata: b\r\r", ["a", "b"], id="cr"),
        pytest.param(b"data:a\n\ndata:  b\n\n", ["a", " b"], id="one-space-at-most-is-framing"),
        pytest.param(b"data: a\ndata: b\n\n", ["a\nb"], id="lines-of-one-event-are-joined"),
        pytest.param(b"data\ndata\n\n", ["\n"], id="data-without-a-colon"),
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", ["a"], id="byte-order-mark-at-the-start"),
        pytest.param(b"data: a\n\n\xef\xbb\xbfdata: b\n\n", ["a"], id="byte-order-mark-elsewhere-is-text"),
        pytest.param(b": ping\n\n:\n\ndata: a\n\n", ["a"], id="comments"),
        pytest.param(b"id: 7\n\n\n\ndata: a\n\n\n\n", ["a"], id="no-empty-events-after-an-id"),
        pytest.param(b"data:\n\ndata: \n\n", [], id="empty-data"),
        pytest.param(b"event: x\nretry: soon\nfoo: bar\ndata: a\n\n", ["a"], id="other-fields"),
        pytest.param(b"data: a\n\ndata: [DONE]\n\ndata: [DONE]\n\n", ["a"], id="done"),
        pytest.param("data: \u2028a\u2029\x85b\x0b\n\n".encode(), ["\u2028a\u2029\x85b\x0b"], id="one-line"),
        pytest.param(b"data: a\xff\xe2\x82b\n\n", ["a\ufffd\ufffdb"], id="invalid-utf8"),
        pytest.param(b"data: a\n\ndata: b", ["a", "b"], id="no-newline-at-the-end"),
        pytest.param(b"data: a\n\ndata: b\n", ["a", "b"], id="one-newline-at-the-end"),
        pytest.param(b"data: a\xe2\x82", ["a\ufffd"], id="half-a-character-at-the-end"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_data_of_events(stream: bytes, expected: list[str]) -> None:
    assert decode(stream) == expected
    assert decode(*(bytes([byte]) for byte in stream)) == expected


def test_event_is_given_by_the_read_that_completes_it() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\ndata: b\r\n\r\nda") == ["a", "b"]
    assert decoder.feed(b"ta: c\n\n") == ["c"]
    assert decoder.close() == []


def test_empty_read_changes_nothing() -> None:
    assert decode(b"data: a", b"", b"b\n\n") == ["ab"]


def test_megabytes_in_one_event() -> None:
    piece = b"x" * 65_536
    assert decode(b"data: ", *[piece] * 128, b"\n\n") == ["x" * 8 * 1024 * 1024]


def test_event_over_the_limit_is_refused() -> None:
    decoder = Decoder(max_event=100)
    assert decoder.feed(b"data: " + b"x" * 94) == []
    with pytest.raises(EventTooLarge, match="100 bytes"):
        decoder.feed(b"x")
    assert decoder.close() == []


def test_limit_counts_from_the_last_event() -> None:
    decoder = Decoder(max_event=100)
    for _ in range(10):
        assert decoder.feed(b"data: " + b"x" * 90) == []
        assert decoder.feed(b"\n\n") == ["x" * 90]


def test_limit_counts_lines_without_end_of_event() -> None:
    decoder = Decoder(max_event=100)
    assert [decoder.feed(b"data: 789\n") for _ in range(10)] == [[]] * 10
    with pytest.raises(EventTooLarge):
        decoder.feed(b"d")


def test_close_twice_gives_the_last_event_once() -> None:
    decoder = Decoder()
    decoder.feed(b"data: a")
    assert decoder.close() == ["a"]
    assert decoder.close() == []


REFUSAL = json.dumps({"error": {"code": 503, "status": "UNAVAILABLE"}}, indent=2)


@pytest.mark.parametrize(
    "document", [REFUSAL, REFUSAL.replace("\n", "\r\n"), '{"error":{}}', '{"type": "error", "error": {}}']
)
@pytest.mark.parametrize("within", ["%s", "[%s\n]"])
@pytest.mark.parametrize("before", ["", "data: a\n\n", "data: a\r\n\r\n", ": a\r\r\n\n\n"])
@pytest.mark.parametrize("behind", ["", "\n", "\r\n\r\n"])
@pytest.mark.parametrize("cut", [1, 7, 64, 4096])
def test_an_error_that_is_no_event_comes_out_at_the_end(
    document: str, within: str, before: str, behind: str, cut: int
) -> None:
    """So Google breaks a stream off."""
    stream = (before + within % document + behind).encode()
    *_, last = decode(*(stream[at : at + cut] for at in range(0, len(stream), cut)))
    assert json.loads(last) == json.loads(document)


@pytest.mark.parametrize("end", ["<html>", '{"text":"a"}', '"error"', 'x{"error":1}', 'event: a\n{"error":1}'])
def test_what_else_is_no_event_does_not_come_out(end: str) -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a\n\n" + end.encode()) + decoder.close() == ["a"]


def test_an_error_that_is_no_event_comes_out_once() -> None:
    decoder = Decoder()
    assert decoder.feed(REFUSAL.encode()) == []
    assert (decoder.close(), decoder.close()) == ([REFUSAL], [])


def test_abort_gives_nothing_more() -> None:
    decoder = Decoder()
    decoder.feed(b"data: a\n\r")
    decoder.abort()
    decoder.abort()
    assert decoder.close() == []


def test_abandoned_decoder_leaves_the_loop_nothing_to_finalize() -> None:
    finalized: list[object] = []

    async def abandon() -> None:
        sys.set_asyncgen_hooks(finalizer=finalized.append)
        aborted, forgotten = Decoder(), Decoder()
        for decoder in (aborted, forgotten):
            decoder.feed(b"data: a\n\ndata")
        aborted.abort()
        del decoder, aborted, forgotten
        gc.collect()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    gc.collect()  # other tests' garbage may start tasks of its own when it goes
    asyncio.run(abandon())
    assert finalized == []


def test_development_mode_finds_nothing_to_complain_about() -> None:
    script = (
        "import asyncio; from gateway.sse import Decoder\n"
        "async def main():\n"
        "    kept, closed, aborted, dropped = (Decoder() for _ in range(4))\n"
        "    for decoder in (kept, closed, aborted, dropped): decoder.feed(b'data: a\\n\\nda')\n"
        "    closed.close(); aborted.abort(); del dropped, decoder\n"
        "    return kept\n"
        "kept = asyncio.run(main())\n"
    )
    run = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("29_usage_only_and_keepalive", ["Part 1. ", "Part 2."]),
        ("30_framing_oddities", ["Zażółć ", "gęślą\u2028jaźń 🚀", "."]),
        ("31_no_envelope_and_done", ["bare ", "chunks"]),
        ("36_unterminated_last_event", ["almost ", "done"]),
    ],
)
def test_recorded_framing(name: str, expected: list[str]) -> None:
    assert texts(name) == expected


@pytest.mark.parametrize("name", [None, b"message_stop"])
def test_written_event_reads_back(name: bytes | None) -> None:
    assert decode(event(b'{"a":1}', name)) == ['{"a":1}']


def test_event_on_the_wire() -> None:
    assert event(b"{}") == b"data: {}\n\n"
    assert event(b"{}", b"ping") == b"event: ping\ndata: {}\n\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('{"a":"b"}', b'{"a":"b"}'),
        ('"é—日\u2027\u202a\x84\x86"', '"é—日\u2027\u202a\x84\x86"'.encode()),
        ('"a\u2028b\u2029c\x85d\u2028"', b'"a\\u2028b\\u2029c\\u0085d\\u2028"'),
    ],
)
def test_json_line_escapes_line_separators_only(data: str, expected: bytes) -> None:
    assert json_line(data.encode()) == expected
    assert json.loads(json_line(data.encode())) == json.loads(data)


def test_json_line_keeps_bytes_that_are_not_utf8() -> None:
    assert json_line(b'"\xff\xe2\x80\xa8\xe2"') == b'"\xff\\u2028\xe2"'


@pytest.mark.parametrize("stream", [b"data: a\n\ndata: [DONE]\n\n", b"event: x\ndata: a\n\ndata:[DONE]\n\n"])
def test_done_comes_out_only_where_it_is_asked_for(stream: bytes) -> None:
    assert Decoder().feed(stream) == ["a"]
    assert Decoder(done=True).feed(stream) == ["a", "[DONE]"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (r'"\ud83d\ude00 \uD83D\uDE00 \u00e9"', r'"\ud83d\ude00 \uD83D\uDE00 \u00e9"'),
        (r'"\ud83d"', r'"\ufffd"'),
        (r'"\ude00\ud83d"', r'"\ufffd\ufffd"'),
        (r'"\ud83d\ud83d\ude00"', r'"\ufffd\ud83d\ude00"'),
        (r'"\\ud83d \\\ud83d \\\\ud83d"', r'"\\ud83d \\\ufffd \\\\ud83d"'),
    ],
)
def test_halves_of_characters_become_replacements(given: str, expected: str) -> None:
    assert sound_escapes(given) == expected
    assert Halves().join(f"{given[:-1]}.{given[-1]}") == f"{expected[:-1]}.{expected[-1]}"


def test_halves_of_a_character_that_two_events_share_come_together_in_the_second() -> None:
    halves = Halves()
    said = [
        r'{"index": 0, "a": "x\ud83d"}',
        '{"usage": 1}',
        r'{"index": 0, "a": "\uDE00y"}',
        r'{"index": 0, "a": "\ude00"}',
    ]
    assert [halves.join(one) for one in said] == [
        '{"index": 0, "a": "x"}',
        '{"usage": 1}',
        r'{"index": 0, "a": "\ud83d\uDE00y"}',
        r'{"index": 0, "a": "\ufffd"}',
    ]


def test_halves_of_two_choices_are_not_mixed() -> None:
    halves = Halves()
    said = [(0, r"\ud83d"), (1, r"\ud83c"), (0, r"\ude00"), (1, r"\udf55")]
    joined = [halves.join(f'{{"index":{index},"a":"{half}"}}') for index, half in said]
    assert joined[2:] == [r'{"index":0,"a":"\ud83d\ude00"}', r'{"index":1,"a":"\ud83c\udf55"}']


@pytest.mark.parametrize("given", [r'"\\ud83d"', r'"\"\\ude00"', r'"\ud83d\ude00"', r'"\\\ud83d\ude00"'])
def test_what_is_no_half_waits_for_none(given: str) -> None:
    halves = Halves()
    assert [halves.join(given), halves.join(r'"\ude00"')] == [given, r'"\ufffd"']


@hypothesis.given(st.text(max_size=12), st.data())
def test_a_text_that_is_cut_anywhere_within_utf16_comes_out_as_it_was(text: str, data: st.DataObject) -> None:
    units = text.encode("utf-16-be")
    cuts = sorted(data.draw(st.sets(st.integers(0, len(units) // 2))))
    pieces = [units[2 * start : 2 * end] for start, end in pairwise([0, *cuts, len(units) // 2])]
    events = [json.dumps({"index": 3, "a": one.decode("utf-16-be", "surrogatepass")}) for one in pieces]
    halves = Halves()
    assert "".join(json.loads(halves.join(one))["a"] for one in events) == text
    stream = "".join(f"data: {one}\n\n" for one in events).encode()
    passed = sound(stream, halves=Halves(), lines=True).decode()
    assert "".join(json.loads(line[6:])["a"] for line in passed.splitlines() if line) == text
