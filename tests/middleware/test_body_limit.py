import gzip
import tracemalloc
import zlib

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.context import attach
from gateway.errors import NotFound
from gateway.middleware import BodyLimit
from gateway.middleware.body_limit import _Refused
from gateway.refusal import refuse
from tests.middleware.asgi import Inner, call, scope_of
from tests.patience import patient

pytestmark = pytest.mark.anyio

TEXT = b'{"a": "' + b"x" * 50 + b'"}'


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", zlib.compress(TEXT, wbits=-15)),
        ("deflate", gzip.compress(TEXT, mtime=0)),
        ("GZIP", gzip.compress(TEXT, mtime=0)),
        ("x-gzip", gzip.compress(TEXT, mtime=0)),
        ("identity", TEXT),
        ("gzip", b"".join(gzip.compress(part, mtime=0) for part in (TEXT[:20], b"", TEXT[20:]))),
    ],
)
async def test_the_body_arrives_plain(encoding: str, sent: bytes) -> None:
    inner = Inner()
    outcome = await call(BodyLimit(inner), scope_of(headers={"content-encoding": encoding}), [sent[:7], sent[7:]])
    assert (outcome.status, inner.body, b"content-encoding" in inner.headers) == (200, TEXT, False)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
async def test_other_encodings_are_415(encoding: str) -> None:
    outcome = await call(BodyLimit(Inner()), scope_of(headers={"content-encoding": encoding}))
    assert (outcome.status, outcome.json["error"]["code"]) == (415, "unsupported_media_type")


async def test_a_declared_length_over_the_limit_is_refused_unread() -> None:
    inner = Inner()
    outcome = await call(BodyLimit(inner, 10), scope_of(headers={"content-length": "11"}), [b"x" * 11])
    assert (outcome.status, inner.scopes) == (413, [])


@pytest.mark.parametrize(("setting", "hint"), [("", ""), ("server.max_body", " (server.max_body)")])
async def test_an_undeclared_body_over_the_limit_is_413(setting: str, hint: str) -> None:
    outcome = await call(BodyLimit(Inner(), 10, setting), scope_of(), [b"x" * 6, b"x" * 6])
    assert outcome.status == 413
    assert outcome.json["error"]["message"] == f"the body is longer than 10 bytes{hint}"


async def test_what_an_app_makes_of_the_refusal_is_kept_back() -> None:
    async def catching(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receive()
        except Exception:  # noqa: BLE001 - as frameworks do around the reading of a body
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"could not read"})

    outcome = await call(BodyLimit(catching, 10), scope_of(), [b"x" * 11])
    assert (outcome.status, outcome.json["error"]["code"]) == (413, "request_too_large")


async def test_what_an_app_has_begun_to_answer_goes_on() -> None:
    async def early(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()

    with pytest.raises(_Refused):
        await call(BodyLimit(early, 10), scope_of(), [b"x" * 11])


async def test_a_body_of_exactly_the_limit_passes() -> None:
    for headers in ({}, {"content-length": "12"}):
        assert (await call(BodyLimit(Inner(), 12), scope_of(headers=headers), [b"x" * 6, b"x" * 6])).status == 200


@pytest.mark.parametrize(
    ("encoding", "piece"),
    [("gzip", b"\0" * 4096), ("gzip", b"A" * 4096), ("deflate", b"\0\0\0\xff\xff" * 800)],
)
async def test_what_holds_nothing_is_not_read_for_ever(encoding: str, piece: bytes) -> None:
    """Empty blocks, the name of a file without an end, and what stands behind the end."""
    begun = {b"\0" * 4096: gzip.compress(TEXT), b"A" * 4096: b"\x1f\x8b\x08\x08" + bytes(6)}.get(piece, b"\x78\x9c")
    app = BodyLimit(Inner(), 10_000)
    outcome = await call(app, scope_of(headers={"content-encoding": encoding}), [begun, *[piece] * 5])
    assert outcome.status in (400, 413)


async def test_members_are_not_read_for_ever() -> None:
    sent = gzip.compress(b"") * 1100
    outcome = await call(BodyLimit(Inner()), scope_of(headers={"content-encoding": "gzip"}), [sent])
    assert (outcome.status, "content-encoding" in outcome.json["error"]["message"]) == (400, True)


async def test_the_limit_counts_what_is_decompressed() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    inner = Inner()
    outcome = await call(BodyLimit(inner, 1000), scope_of(headers={"content-encoding": "gzip"}), [bomb])
    assert (outcome.status, inner.body) == (413, b"")


async def test_no_more_is_decompressed_than_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    tracemalloc.start()
    try:
        await call(BodyLimit(Inner(), 1000), scope_of(headers={"content-encoding": "gzip"}), [bomb])
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"not gzip", "the body does not match its content-encoding"),
        (gzip.compress(TEXT, mtime=0)[:-9], "the compressed body is truncated"),
    ],
)
async def test_a_damaged_body_is_400(sent: bytes, why: str) -> None:
    outcome = await call(BodyLimit(Inner()), scope_of(headers={"content-encoding": "gzip"}), [sent])
    assert (outcome.status, outcome.json["error"]["message"]) == (400, why)


async def test_anthropic_callers_read_request_too_large() -> None:
    outcome = await call(BodyLimit(Inner(), 1), scope_of("/v1/messages"), [b"xx"])
    assert outcome.json["error"]["type"] == "request_too_large"


async def refuse_unread(scope: Scope, receive: Receive, send: Send) -> None:
    context, send = attach(scope, send)
    await refuse(context, send, NotFound("no"))


@pytest.mark.parametrize("framed", [{"content-length": "4"}, {"transfer-encoding": "chunked"}])
async def test_what_is_refused_unread_is_taken_in_first(framed: dict[str, str]) -> None:
    taken: list[bytes] = []
    pieces = [b"ab", b"", b"cd"]

    async def receive() -> Message:
        taken.append(pieces.pop(0))
        return {"type": "http.request", "body": taken[-1], "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        assert not pieces, message

    await BodyLimit(refuse_unread)(scope_of(headers=framed), receive, send)
    assert taken == [b"ab", b"", b"cd"]


@pytest.mark.parametrize("headers", [{}, {"content-length": "4", "expect": "100-continue"}])
async def test_nobody_waits_for_a_body_that_may_not_come(headers: dict[str, str]) -> None:
    async def receive() -> Message:
        raise AssertionError("nobody asks")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await BodyLimit(refuse_unread)(scope_of(headers=headers), receive, send)
    assert sent[0]["status"] == 404


async def test_a_body_that_does_not_come_is_not_waited_for_longer() -> None:
    pieces = [b"a"]

    async def receive() -> Message:
        if not pieces:
            await anyio.sleep_forever()
        return {"type": "http.request", "body": pieces.pop(), "more_body": True}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with anyio.fail_after(patient(10)):
        await BodyLimit(refuse_unread)(scope_of(headers={"content-length": "4"}), receive, send)
    assert (sent[0]["status"], pieces) == (404, [])
