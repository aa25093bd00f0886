"""A request of which two servers could disagree where it ends is none: 400, and the connection is closed."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from tests.processes import Program, gateway
from tests.security.wires import Upstream, exchange, listening

BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
SECOND = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"  # what would be smuggled in
LENGTH = b"content-length: %d" % len(BODY)
LENGTHS = {
    "twice, another": (LENGTH, b"content-length: 3"),
    "twice, the same": (LENGTH, LENGTH),
    "a list": (b"content-length: 57, 57",),
    "a sign": (b"content-length: +57",),
    "a negative one": (b"content-length: -1",),
    "hexadecimal": (b"content-length: 0x39",),
    "a space inside": (b"content-length: 5 7",),
    "words": (b"content-length: many",),
    "over 64 bits": (b"content-length: 18446744073709551673",),
    "with chunks": (LENGTH, b"transfer-encoding: chunked"),
    "with chunks before": (b"transfer-encoding: chunked", LENGTH),
    "a space before the colon": (b"content-length : 57",),
}
CODINGS = {
    "two of them": b"transfer-encoding: gzip, chunked",
    "twice": b"transfer-encoding: chunked\r\ntransfer-encoding: chunked",
    "unknown": b"transfer-encoding: xchunked",
    "misspelt": b"transfer-encoding: chunke",
    "not the last": b"transfer-encoding: chunked, identity",
    "identity": b"transfer-encoding: identity",
    "a space before the colon": b"transfer-encoding : chunked",
    "a tab before the colon": b"transfer-encoding\t: chunked",
    "a line of its own": b"transfer-encoding:\r\n chunked",
    "a vertical tab": b"transfer-encoding: \x0bchunked",
    "a nul": b"transfer-encoding: chunked\x00",
    "quoted": b'transfer-encoding: "chunked"',
    "behind a bare return": b"x: y\rtransfer-encoding: chunked",
}
HEADS = {
    "bare line feeds": b"POST /v1/chat/completions HTTP/1.1\nhost: localhost\n" + LENGTH + b"\n\n",
    "one bare line feed": b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\nx: y\r\n" + LENGTH + b"\r\n\r\n",
    "a bare line feed at the end": b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n" + LENGTH + b"\r\n\n",
    "a folded line": b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx: y\r\n z\r\n" + LENGTH + b"\r\n\r\n",
    "a line without a colon": b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx\r\n" + LENGTH + b"\r\n\r\n",
    "a nul in a value": b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\x00b\r\n" + LENGTH + b"\r\n\r\n",
    "a nul in the path": b"POST /v1/\x00 HTTP/1.1\r\nhost: localhost\r\n" + LENGTH + b"\r\n\r\n",
    "a space in a name": b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\na b: c\r\n" + LENGTH + b"\r\n\r\n",
    "no host": b"POST /v1/chat/completions HTTP/1.1\r\n" + LENGTH + b"\r\n\r\n",
    "two hosts": b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nhost: evil\r\n" + LENGTH + b"\r\n\r\n",
    "a version of its own": b"POST /v1/chat/completions HTTP/9.1\r\nhost: localhost\r\n" + LENGTH + b"\r\n\r\n",
}
CHUNKS = {
    "bare line feeds": CHUNKED.replace(b"\r\n", b"\n"),
    "hexadecimal with a prefix": b"0x39\r\n" + CHUNKED.partition(b"\r\n")[2],
    "a negative size": b"-1\r\n" + CHUNKED.partition(b"\r\n")[2],
    "a size that is none": b"zz\r\n" + CHUNKED.partition(b"\r\n")[2],
    "a size over 64 bits": b"10000000000000039\r\n" + CHUNKED.partition(b"\r\n")[2],
    "a size with a space": b"3 9\r\n" + CHUNKED.partition(b"\r\n")[2],
    "more than it says": b"2\r\n" + CHUNKED.partition(b"\r\n")[2],
    "a nul in an extension": b"39;a\x00b\r\n" + CHUNKED.partition(b"\r\n")[2],
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """Listen to what goes on."""
    with listening() as one:
        yield one


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Program]:
    """Run `gateway run` before it."""
    toml = f'[upstream.up]\ntype = "openai"\nbase_url = "{upstream.url}/v1"\nmodels = ["m"]\n'
    with gateway(tmp_path_factory.mktemp("gateway"), toml=toml) as one:
        yield one


def head(*lines: bytes) -> bytes:
    return b"\r\n".join((b"POST /v1/chat/completions HTTP/1.1", b"host: localhost", *lines, b"", b""))


def check_refused(program: Program, upstream: Upstream, sent: bytes) -> None:
    before = len(upstream.requests)
    came = exchange(program.url, sent + SECOND)
    assert came.startswith(b"HTTP/1.1 400 ")
    assert came.count(b"HTTP/1.1 ") == 1  # and what stood behind it is no request
    assert b"connection: close" in came.lower()
    assert len(upstream.requests) == before


@pytest.mark.parametrize("lines", LENGTHS.values(), ids=LENGTHS)
def test_a_length_that_is_not_one_number_is_refused(
    program: Program, upstream: Upstream, lines: tuple[bytes, ...]
) -> None:
    body = CHUNKED if any(line.startswith(b"transfer") for line in lines) else BODY
    check_refused(program, upstream, head(*lines) + body)


@pytest.mark.parametrize("line", CODINGS.values(), ids=CODINGS)
def test_another_coding_than_chunked_is_refused(program: Program, upstream: Upstream, line: bytes) -> None:
    check_refused(program, upstream, head(line) + CHUNKED)


@pytest.mark.parametrize("sent", HEADS.values(), ids=HEADS)
def test_a_head_that_others_would_read_otherwise_is_refused(program: Program, upstream: Upstream, sent: bytes) -> None:
    check_refused(program, upstream, sent + BODY)


def test_chunks_of_a_version_that_has_none_are_refused(program: Program, upstream: Upstream) -> None:
    check_refused(program, upstream, head(b"transfer-encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0", 1) + CHUNKED)


def test_a_host_is_not_asked_of_a_version_that_has_none(program: Program) -> None:
    assert exchange(program.url, b"GET /health HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "field", [b"authorization: Bearer other", b"origin: https://evil.example", b"x-forwarded-for: 192.0.2.1"]
)
def test_what_stands_behind_a_body_is_no_header(program: Program, field: bytes) -> None:
    sent = head(b"transfer-encoding: chunked", b"connection: close") + CHUNKED[:-2] + field + b"\r\n\r\n"
    assert exchange(program.url, sent).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
def test_chunks_that_others_would_read_otherwise_are_refused(
    program: Program, upstream: Upstream, chunks: bytes
) -> None:
    check_refused(program, upstream, head(b"transfer-encoding: chunked") + chunks)


OFFER = b"connection: upgrade, http2-settings, close\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAI"
PACKED = gzip.compress(BODY)
FRAMED = {
    "with its length": head(LENGTH, b"connection: close") + BODY,
    "in chunks": head(b"transfer-encoding: chunked", b"connection: close") + CHUNKED,
    "in a chunk with an extension": head(b"transfer-encoding: chunked", b"connection: close")
    + CHUNKED.replace(b"\r\n", b";a=b\r\n", 1),
    "with an offer of another protocol": head(OFFER, LENGTH) + BODY,
    "in chunks, with an offer": head(OFFER, b"transfer-encoding: chunked") + CHUNKED,
    "compressed": head(b"content-length: %d" % len(PACKED), b"content-encoding: gzip", b"connection: close") + PACKED,
}


@pytest.mark.parametrize("sent", FRAMED.values(), ids=FRAMED)
def test_upstream_gets_a_length_of_ours_whatever_the_caller_wrote(
    program: Program, upstream: Upstream, sent: bytes
) -> None:
    assert exchange(program.url, sent).startswith(b"HTTP/1.1 200 ")
    assert upstream.values(b"content-length") == [b"%d" % len(upstream.body)]
    assert upstream.values(b"transfer-encoding") == upstream.values(b"content-encoding") == []
    assert b'"content":"hi"' in upstream.body


@pytest.mark.parametrize("offer", [b"upgrade: h2c", b"upgrade: websocket", b"upgrade: a\r\nupgrade: b"])
def test_a_body_behind_an_offer_of_another_protocol_is_no_request(program: Program, offer: bytes) -> None:
    length = b"content-length: %d" % len(SECOND)
    came = exchange(program.url, head(b"connection: upgrade", offer, length) + SECOND + SECOND)
    assert came.startswith(b"HTTP/1.1 400 ")
    assert came.count(b"HTTP/1.1 ") == 2  # that of the body, which is no JSON, and that of what stands behind it


@pytest.mark.parametrize("size", [1, 7, 100])
def test_requests_with_an_offer_are_read_in_pieces_one_after_the_other(program: Program, size: int) -> None:
    sent = (head(b"connection: upgrade", b"upgrade: h2c", LENGTH) + BODY) * 3 + SECOND
    came = exchange(program.url, *(sent[at : at + size] for at in range(0, len(sent), size)))
    assert came.count(b"HTTP/1.1 200 ") == 4


def test_there_are_no_tunnels(program: Program, upstream: Upstream) -> None:
    check_refused(program, upstream, b"CONNECT localhost:443 HTTP/1.1\r\nhost: localhost\r\n\r\n")
