"""An upstream's own chunks told beside their events, for callers of the same dialect."""

import pytest

from gateway import ir
from gateway.dialects.gemini.wire import read_chunks, read_native
from gateway.errors import GatewayError

from .answering import chunk, payload, reader, text


def told(events: list[ir.Event]) -> list[bytes]:
    return [bytes(event.data) for event in events if isinstance(event, ir.Passed)]


def test_a_chunk_stands_before_its_events() -> None:
    one = reader(native=True)
    events = one.feed([payload(chunk(text("a"))), payload(chunk(text("b"), finish="STOP"))]) + one.close()
    assert [type(event).__name__ for event in events] == [
        "Passed",
        "Started",
        "BlockStarted",
        "TextDelta",
        "Passed",
        "TextDelta",
        "BlockEnded",
        "Finished",
    ]


def test_nothing_is_told_unless_asked_for() -> None:
    assert told(reader().feed([payload(chunk(text("a")))])) == []


@pytest.mark.parametrize(
    ("sent", "chunks"),
    [
        ('{"response": {"a":  1.0} , "traceId":"t"}', [b'{"a":  1.0}']),
        (' {"candidates":[ ]} ', [b'{"candidates":[ ]}']),
        ('{"response":null,"a":1}', [b'{"response":null,"a":1}']),
        ('[{"response":{"a":1}}, {"b":2}]', [b'{"a":1}', b'{"b":2}']),
        ("[]", []),
    ],
)
def test_chunks_come_out_of_their_envelope_byte_for_byte(sent: str, chunks: list[bytes]) -> None:
    assert [bytes(one) for one in read_native(sent)] == chunks
    assert [bytes(one) for one in read_native(sent.encode())] == chunks
    assert len(read_chunks(sent)) == len(chunks)


def test_an_error_is_told_as_an_error_only() -> None:
    events = reader(native=True).feed([payload(chunk(text("a"))), '{"error":{"code":503,"message":"no"}}'])
    assert len(told(events)) == 1
    assert isinstance(events[-1], ir.Failed)
    assert isinstance(events[-1].error, GatewayError)


def test_what_cannot_be_read_is_left_out() -> None:
    one, deep = reader(native=True), "[" * 1_000_000 + "]" * 1_000_000  # Python 3.14 reads 100,000
    sent = ["{", "5", '{"response":5}', f'{{"candidates":{deep}}}', f'{{"other":{deep}}}', payload({})]
    assert told(one.feed(sent)) == [b"{}"]
    assert one.skipped == 5


def test_an_error_that_is_none_is_not_told() -> None:
    """google-genai takes whatever begins with `error` for one."""
    sent = ['{"error":null}', '{ "error" : {}, "candidates":[]}', '{"candidates":[],"error":null}']
    assert told(reader(native=True).feed(sent)) == [b'{"candidates":[],"error":null}']


PIECES = [
    {"name": "f", "id": "c1", "willContinue": True},
    {"partialArgs": [{"jsonPath": "$.city", "stringValue": "Ber", "willContinue": True}], "willContinue": True},
    {"partialArgs": [{"jsonPath": "$.city", "stringValue": "lin"}], "willContinue": True},
    {},
]


def test_a_call_in_pieces_passes_and_is_one() -> None:
    one = reader(native=True)
    sent = [payload(chunk({"functionCall": piece})) for piece in PIECES]
    events = one.feed([*sent, payload(chunk(text(""), finish="STOP"))]) + one.close()
    assert len(told(events)) == len(PIECES) + 1
    assert [event.id for event in events if isinstance(event, ir.BlockStarted)] == ["c1"]
    assert events[-1] == ir.Finished(reason="tool_calls", native="STOP")


def test_a_piece_of_no_call_breaks_the_answer() -> None:
    sent = [payload(chunk({"functionCall": piece})) for piece in (*PIECES, {})]
    assert isinstance(reader(native=True).feed(sent)[-1], ir.Failed)


def test_pieces_break_the_answer_of_a_caller_who_cannot_read_them() -> None:
    sent = [payload(chunk({"functionCall": piece})) for piece in PIECES]
    assert isinstance(reader().feed(sent)[-1], ir.Failed)
