"""What counts as a trace of a caller's, by W3C's Trace Context."""

import pytest

from gateway.trace_context import CARRIER, Carrier, carried, received

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
URL = "https://upstream.example/v1"


@pytest.mark.parametrize(
    "parent",
    [
        PARENT,
        PARENT[:-2] + b"00",
        b" " + PARENT + b" ",
        b"cc" + PARENT[2:],  # a version to come
        b"cc" + PARENT[2:] + b"-what-the-future-brings",
    ],
)
def test_a_trace_is_taken_as_it_is(parent: bytes) -> None:
    assert received([(b"accept", b"*/*"), (b"traceparent", parent)]) == {"traceparent": parent.strip().decode()}


@pytest.mark.parametrize(
    "parent",
    [
        b"",
        PARENT[:-1],
        PARENT + b"-more",  # not in version 00
        PARENT.upper(),
        b"ff" + PARENT[2:],
        b"cc" + PARENT[2:] + b".more",
        b"00-" + b"0" * 32 + PARENT[35:],
        PARENT[:36] + b"0" * 16 + b"-01",
        PARENT + b"\r\nx-evil: 1",
        "00-\u0660af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".encode(),
    ],
)
def test_what_is_no_trace_is_left_out_with_its_state(parent: bytes) -> None:
    assert received([(b"traceparent", parent), (b"tracestate", b"a=1")]) == {}


def test_two_traces_are_none() -> None:
    assert received([(b"traceparent", PARENT), (b"traceparent", PARENT)]) == {}


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ([b"a=1"], "a=1"),
        ([b"a=1,b=2", b"", b" c=3 "], "a=1,b=2,c=3"),  # may come in pieces
        ([b""], None),
        (["a=ä".encode()], None),
        ([b"a=" + b"1" * 2000], None),
    ],
)
def test_the_state_goes_along_where_it_can_be_read(given: list[bytes], state: str | None) -> None:
    found = received([(b"traceparent", PARENT), *((b"tracestate", one) for one in given)])
    assert found.get("tracestate") == state


def test_headers_stay_as_they_are_where_nothing_is_carried() -> None:
    headers = {"accept": "*/*"}
    assert carried(URL, headers) is headers


def test_what_is_carried_is_added_until_it_is_dropped() -> None:
    carrier = Carrier({"traceparent": "mine"})
    token = CARRIER.set(carrier)
    assert carried(URL, {"accept": "*/*", "traceparent": "another"}) == {"accept": "*/*", "traceparent": "mine"}
    assert carrier.url == URL
    CARRIER.reset(token)
    assert carried(URL, {}) == {}
