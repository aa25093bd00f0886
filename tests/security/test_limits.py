"""Each limit on what one request may take, asked for through `gateway run`: one more is refused, the most is not."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.dialects.content import MAX_DEPTH
from gateway.heads import MAX_HEAD_BYTES
from gateway.testing import GRAMMARS
from tests.patience import patient
from tests.processes import Program, gateway
from tests.security.wires import exchange

MEGABYTE = 2**20
TOML = """
[[key]]
name = "one"
secret = "sk-one"

[timeouts]
keepalive = 0.05
"""
ONCE = """
[[key]]
name = "{0}"
secret = "sk-{0}"
limits = {{ concurrent = 1 }}
"""
PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/demo:generateContent",
}
DIALECTS = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
END = b"host: localhost\r\nx-api-key: sk-one\r\nconnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Run a gateway with the limits that it has by itself, and a key that may ask once at a time."""
    with gateway(tmp_path_factory.mktemp("gateway"), toml=TOML + "".join(map(ONCE.format, PATHS))) as one:
        yield one


def post(program: Program, path: str, body: bytes) -> httpx.Response:
    return httpx.post(program.url + path, content=body, headers={"x-api-key": "sk-one"}, timeout=60)


# heads


def status(came: bytes) -> int:
    return int(came.split(b" ", 2)[1])


def lined(size: int) -> bytes:
    """Write a head of this size, in headers of a kilobyte."""
    start = b"GET /v1/models HTTP/1.1\r\n"
    left = size - len(start) - len(END)
    lines = [b"x-%04d: %b\r\n" % (number, b"a" * 1000) for number in range(left // 1010)]
    rest = left - sum(map(len, lines))
    return start + b"".join(lines) + b"x-rest: " + b"a" * (rest - 10) + b"\r\n" + END


def test_a_head_within_the_limit_is_heard(program: Program) -> None:
    assert status(exchange(program.url, lined(MAX_HEAD_BYTES - 256))) == 200


@pytest.mark.parametrize(
    "sent",
    [
        lined(MAX_HEAD_BYTES + 256),
        b"GET /v1/models HTTP/1.1\r\nx: " + b"a" * MAX_HEAD_BYTES + b"\r\n" + END,
        b"GET /v1/models?" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\n" + END,
        b"GET /v1/models HTTP/1.1\r\n" + b"x:y\r\n" * (MAX_HEAD_BYTES // 4) + END,
    ],
    ids=["headers", "one header", "the path", "very many"],
)
def test_a_head_over_the_limit_is_431(program: Program, sent: bytes) -> None:
    came = exchange(program.url, sent)
    head, _, body = came.partition(b"\r\n\r\n")
    assert (status(came), b"connection: close" in head) == (431, True)
    assert json.loads(body)["error"]["code"] == "head_too_large"


LONG = b"x-long: " + b"a" * MAX_HEAD_BYTES + b"\r\n"
SPOKEN: list[tuple[str, bytes, bytes]] = [
    *((dialect, f"POST {path}".encode(), b"") for dialect, path in PATHS.items()),
    ("gemini", b"POST /v1beta/models/demo:streamGenerateContent?alt=sse", b""),
    ("openai-chat", b"GET /v1/models", b"x-api-key: sk-one\r\n"),
    ("anthropic", b"GET /v1/models", b"anthropic-version: 2023-06-01\r\n"),
    ("gemini", b"GET /v1/models", b"x-goog-api-key: sk-one\r\n"),
    ("gemini", b"GET /v1/models?key=sk-one", b""),
]
ENDS = {
    "too long": (431, LONG + b"\r\n"),
    "malformed": (400, b"x: y\r\nno colon\r\n\r\n"),
}


@pytest.mark.parametrize(("dialect", "begins", "named"), SPOKEN)
@pytest.mark.parametrize("end", ENDS)
def test_a_head_is_refused_in_the_dialect_that_it_shows(
    program: Program, dialect: str, begins: bytes, named: bytes, end: str
) -> None:
    wanted, rest = ENDS[end]
    came = exchange(program.url, begins + b" HTTP/1.1\r\nhost: localhost\r\n" + named + rest)
    head, _, body = came.partition(b"\r\n\r\n")
    assert (status(came), b"content-length: %d" % len(body) in head) == (wanted, True)
    assert GRAMMARS[dialect].error(wanted, body)
    request_id = re.search(rb"\nx-request-id: (req_\w+)\r", head)
    assert request_id is not None
    assert (dialect == "anthropic") is (request_id[1] in body)


def test_at_a_path_of_no_dialect_it_is_plain(program: Program) -> None:
    came = exchange(program.url, b"GET /health HTTP/1.1\r\n" + LONG + b"\r\n")
    assert json.loads(came.partition(b"\r\n\r\n")[2])["error"].keys() == {"code", "message"}


def test_a_head_that_comes_in_two_reads_is_measured_as_one(program: Program) -> None:
    sent = lined(MAX_HEAD_BYTES + 256)
    address = urlsplit(program.url)
    with socket.create_connection((address.hostname, address.port), timeout=patient(30)) as connection:
        connection.sendall(sent[:1000])
        # an answer to another connection: by then what was sent on this one has been read
        assert httpx.get(f"{program.url}/health").status_code == 200
        connection.sendall(sent[1000:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 431 ")


CHUNK = b"2\r\n{}\r\n"
FIELD = b"x: " + b"a" * 1000 + b"\r\n"


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [(CHUNK + b"0\r\n", FIELD), (CHUNK + b"0\r\nx: ", b"a" * 1000), (CHUNK + b"2;", b"a" * 1000), (b"", b"0" * 1000)],
    ids=["headers behind it", "one header behind it", "an extension of a chunk", "the size of a chunk"],
)
def test_what_is_no_body_has_the_bound_of_a_head(program: Program, begins: bytes, goes_on: bytes) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n" + END
    address = urlsplit(program.url)
    with socket.create_connection((address.hostname, address.port), timeout=patient(30)) as connection:
        connection.sendall(head + begins)
        with suppress(ConnectionError):  # it is closed before these 64 MB have gone
            for _ in range(64):
                connection.sendall(goes_on * 1000)
            pytest.fail("it was taken")


def test_a_head_without_end_is_not_taken(program: Program) -> None:
    """The kernel holds some of it; the gateway ends the connection long before these 64 MB have gone."""
    address = urlsplit(program.url)
    with socket.create_connection((address.hostname, address.port), timeout=patient(30)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nx: ")
        with pytest.raises(ConnectionError):
            for _ in range(64):
                connection.sendall(b"a" * MEGABYTE)


def test_a_large_body_is_no_head(program: Program) -> None:
    said = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "a" * MEGABYTE}]}).encode()
    with httpx.Client(headers={"x-api-key": "sk-one"}, timeout=60) as http:  # one connection
        answers = [http.post(f"{program.url}/v1/chat/completions", content=said) for _ in range(3)]
    assert [one.status_code for one in answers] == [200] * 3


# bodies


@DIALECTS
def test_a_body_over_32_mb_is_413(program: Program, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\ncontent-length: {32 * MEGABYTE + 1}\r\n".encode()
    assert status(exchange(program.url, head + END)) == 413


def test_a_body_over_32_mb_in_chunks_is_413(program: Program) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n"
    chunk = b"%x\r\n%b\r\n" % (MEGABYTE, b" " * MEGABYTE)
    address = urlsplit(program.url)
    with socket.create_connection((address.hostname, address.port), timeout=patient(60)) as connection:
        connection.sendall(head + END)
        for _ in range(32):
            connection.sendall(chunk)
        connection.sendall(b"1\r\n \r\n")  # and no end: it is refused before
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def nested(depth: int) -> bytes:
    """Write a body with a member that no dialect has, so deep."""
    return b'{"model":"demo","x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"," + b" " * 400 + b'"max_tokens":5%b}'


SAID = {
    "openai-chat": b',"messages":[{"role":"user","content":"hi"}]',
    "openai-responses": b',"input":"hi"',
    "anthropic": b',"messages":[{"role":"user","content":"hi"}]',
    "gemini": b',"contents":[{"role":"user","parts":[{"text":"hi"}]}]',
}


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1, 100_000])
def test_json_deeper_than_200_is_400(program: Program, dialect: str, depth: int) -> None:
    answer = post(program, PATHS[dialect], nested(depth) % SAID[dialect])
    assert (answer.status_code == 400 and "nested deeper" in answer.text) is (depth > MAX_DEPTH), answer.text


# at a time


@pytest.mark.parametrize("dialect", PATHS)
def test_one_more_at_a_time_than_allowed_is_429(program: Program, dialect: str) -> None:
    slow = {"model": "demo", "stream": True, "messages": [{"role": "user", "content": "!slow 60"}]}
    keys = {"x-api-key": f"sk-{dialect}"}
    with httpx.stream("POST", f"{program.url}/v1/chat/completions", json=slow, headers=keys, timeout=30) as first:
        lines = first.iter_lines()
        assert (first.status_code, bool(next(lines))) == (200, True)  # a sign of life: it is under way
        second = httpx.post(program.url + PATHS[dialect], content=nested(3) % SAID[dialect], headers=keys, timeout=30)
    assert (second.status_code, "at once" in second.text) == (429, True)
