"""What is fuzzed: every reader of bytes that somebody else wrote. A target raises what must never happen.

Errors that a caller or an operator is told of are answers, not crashes.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from gateway import ir
from gateway.config import ConfigError, load, report
from gateway.dialects import Answering
from gateway.dialects.openai_embeddings import read_texts, write_vectors
from gateway.dialects.openai_images import nearest_shape, read_wanted
from gateway.dialects.openai_making import read_making, renamed
from gateway.errors import GatewayError
from gateway.ir.estimate import estimate
from gateway.redact import MASK, redact
from gateway.routes import DialectName, match
from gateway.sse import Decoder
from tests.cpu import cpu_seconds
from tests.properties.reading import UPSTREAMS, flat, read, read_whole
from tests.properties.writing import CODECS, PASSING, passed, passed_whole, write, write_whole

__all__ = ["MAX_BYTES", "MAX_SECONDS", "TARGETS", "Hang", "Hog", "guarded"]

MAX_SECONDS: Final = 1.0
MAX_BYTES: Final = 64 * 1024 * 1024

_SECRET: Final = "5ekret-value"
_TO: Final = Answering(
    request=ir.Request(model="m", turns=(), reasoning=ir.Reasoning(visible=True), include_usage=True),
    model="asked",
    id="0f" * 12,
    created=1_700_000_000,
    request_id="req_1",
    estimate=lambda: 5,
)
_ROUTES: Final = {
    "openai-chat": match("POST", "/v1/chat/completions", {}),
    "openai-responses": match("POST", "/v1/responses", {}),
    "anthropic": match("POST", "/v1/messages", {}),
    "gemini": match("POST", "/v1beta/models/m:generateContent", {}),
}
_FILE: Final = Path(mkdtemp(prefix="fuzz-")) / "gateway.toml"


class Hang(Exception):
    """An input took more than MAX_SECONDS of the processor."""


class Hog(Exception):
    """An input took more than MAX_BYTES of memory."""


def _cut(data: bytes) -> list[bytes]:
    """Cut in two, at a place that the length chooses."""
    place = len(data) * 7 % (len(data) + 1)
    return [data[:place], data[place:]]


def _sse(data: bytes) -> None:
    whole, pieces = Decoder(), Decoder()
    found = [event for piece in _cut(data) for event in pieces.feed(piece)] + pieces.close()
    assert found == whole.feed(data) + whole.close()


def _answer(name: DialectName, data: bytes) -> None:
    """Read a stream in one piece and in two, and write it for all callers."""
    pieces, joined = read(name, _cut(data)), read(name, [data])
    for codec in CODECS.values():
        assert write(codec, pieces, _TO) == write(codec, joined, _TO)


def _whole(name: DialectName, data: bytes) -> None:
    batches = [read_whole(name, data)]
    for codec in CODECS.values():
        write_whole(codec, batches, _TO)


def _passage(name: DialectName, data: bytes) -> None:
    """Pass a stream on, and a document; of a stream that breaks off, the cut decides how much passes."""
    codec = PASSING[name]
    pieces, joined = read(name, _cut(data), passes=True), read(name, [data], passes=True)
    written = [passed(codec, batches, _TO) for batches in (pieces, joined)]
    if all(isinstance(flat(batches)[-1], ir.Finished) for batches in (pieces, joined)):
        assert written[0] == written[1]
    passed_whole(codec, [read_whole(name, data, passes=True)], _TO)


def _error(name: DialectName, data: bytes) -> None:
    upstream = UPSTREAMS[name]
    upstream.is_error(data)
    status = 200 + len(data) * 7 % 400
    message = upstream.read_failure(status, data, {"retry-after": data[:8].decode("latin-1")}, 0.0).error.message
    assert "\n" not in message


def _request(name: DialectName, data: bytes) -> None:
    with suppress(GatewayError):
        estimate(CODECS[name].read_request(data, route=_ROUTES[name]))


def _making(name: str, data: bytes) -> None:
    with suppress(GatewayError):
        renamed(data, read_making(data).model + "x", added=True)
    with suppress(GatewayError):
        _MAKING[name](data)


def _embeddings(data: bytes) -> None:
    asked = read_texts(data)
    assert all(asked.texts)
    write_vectors("m", [[0.5]] * len(asked.texts), 1, base64=asked.base64)


def _images(data: bytes) -> None:
    wanted = read_wanted(data)
    assert wanted.size is None or nearest_shape(wanted.size, ("1:1", "16:9")) in ("1:1", "16:9")


_MAKING: Final = {"embeddings": _embeddings, "images": _images}


def _config(data: bytes) -> None:
    _FILE.write_bytes(data)
    with suppress(ConfigError):
        report(load(_FILE, environ={"A": "1"}, dotenv=False))


def _routes(data: bytes) -> None:
    method, path, query, header, *_ = *data.split(b"\n"), b"", b"", b"", b""
    route = match(method.decode("latin-1"), path.decode("latin-1"), {header: b"1"}, query)
    assert (route.error is None) == (route.operation != "none") or route.operation == "native"


def _redact(data: bytes) -> None:
    masked = redact(data.decode("utf-8", "replace"), [_SECRET])
    assert _SECRET not in masked
    assert MASK in redact(f"Bearer {_SECRET}")


def _signature(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    found = ir.unseal(text)
    assert found is None or found.issuer is not None or found.value == text
    made = ir.Signature("claude", text, "f")
    assert ir.unseal(ir.seal(made)) == made


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "sse": _sse,
    **{f"stream-{name}": partial(_answer, name) for name in UPSTREAMS},
    **{f"whole-{name}": partial(_whole, name) for name in UPSTREAMS},
    **{f"passage-{name}": partial(_passage, name) for name in PASSING},
    **{f"error-{name}": partial(_error, name) for name in UPSTREAMS},
    **{f"request-{name}": partial(_request, name) for name in CODECS},
    **{f"making-{name}": partial(_making, name) for name in _MAKING},
    "config": _config,
    "routes": _routes,
    "redact": _redact,
    "signature": _signature,
}


def guarded(target: Callable[[bytes], None], data: bytes) -> None:
    """Run one input; one that takes too long or too much is a crash, too."""
    held = _resident()
    took = cpu_seconds(partial(target, data), below=MAX_SECONDS)
    grown = _resident() - held
    if took > MAX_SECONDS:
        raise Hang(f"{took:.1f} s for {len(data)} bytes")
    if grown > MAX_BYTES:
        raise Hog(f"{grown >> 20} MB for {len(data)} bytes")


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
