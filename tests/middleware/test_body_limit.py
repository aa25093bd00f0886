import gzip
import zlib

import pytest

from gateway.middleware import BodyLimit
from tests.middleware.asgi import Inner, call, scope_of

pytestmark = pytest.mark.anyio

TEXT = b'{"a": "' + b"x" * 50 + b'"}'


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("GZIP", gzip.compress(TEXT, mtime=0)),
        ("identity", TEXT),
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


async def test_an_undeclared_body_over_the_limit_is_413() -> None:
    outcome = await call(BodyLimit(Inner(), 10), scope_of(), [b"x" * 6, b"x" * 6])
    assert (outcome.status, "server.max_body" in outcome.json["error"]["message"]) == (413, True)


async def test_a_body_of_exactly_the_limit_passes() -> None:
    assert (await call(BodyLimit(Inner(), 12), scope_of(), [b"x" * 6, b"x" * 6])).status == 200


async def test_the_limit_counts_what_is_decompressed() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    inner = Inner()
    outcome = await call(BodyLimit(inner, 1000), scope_of(headers={"content-encoding": "gzip"}), [bomb])
    assert (outcome.status, inner.body) == (413, b"")


@pytest.mark.parametrize("sent", [b"not gzip", gzip.compress(TEXT, mtime=0)[:-9]])
async def test_a_damaged_body_is_400(sent: bytes) -> None:
    outcome = await call(BodyLimit(Inner()), scope_of(headers={"content-encoding": "gzip"}), [sent])
    assert outcome.status == 400


async def test_anthropic_callers_read_request_too_large() -> None:
    outcome = await call(BodyLimit(Inner(), 1), scope_of("/v1/messages"), [b"xx"])
    assert outcome.json["error"]["type"] == "request_too_large"
