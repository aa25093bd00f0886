"""However deep a part of a request is, wherever it stands: it is refused, for who works on it later recurses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import pytest

from bench.decode import FORMS
from gateway import ir
from gateway.dialects.content import MAX_DEPTH
from gateway.dialects.edits import edited
from gateway.dialects.rewriting import decoded
from gateway.errors import InvalidRequest
from gateway.routes import DialectName
from tests.compatibility.page import DIALECTS

Json = Any

LONG: Final = b" " * 10_000  # what is short is looked at as a whole
HOLE: Final = "\ufffd hole \ufffd"
LEVELS: Final = MAX_DEPTH + 4  # what a reader looks at by itself may be as deep as a whole body
DEEP: Final = {
    "lists": b"[" * LEVELS + b"]" * LEVELS,
    "objects": b'{"a":' * LEVELS + b"1" + b"}" * LEVELS,
    "both": b'[{"a":' * (LEVELS // 2) + b"1" + b"}]" * (LEVELS // 2),
}
ASKED: Final = ir.Request(model="m", turns=())
NAMES: Final = {"openai-chat": "chat", "openai-responses": "responses"}


def holed(value: Json) -> Iterator[Json]:
    """Put a hole in the place of each value, and beside all members and elements."""
    yield HOLE
    if isinstance(value, dict):
        yield value | {"x_unknown": HOLE}
        for name, inner in value.items():
            yield from (value | {name: other} for other in holed(inner))
    elif isinstance(value, list):
        yield [*value, HOLE]
        for index, inner in enumerate(value):
            yield from ([*value[:index], other, *value[index + 1 :]] for other in holed(inner))


def bodies(dialect: DialectName) -> list[bytes]:
    """Give requests with each field that is known, and one hole."""
    requests = [probe.request for group in DIALECTS[dialect][1] for probe in group.probes]
    return sorted({msgspec.json.encode(one) for request in requests for one in holed(request)})


@pytest.mark.parametrize("deep", DEEP)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_too_deep_is_refused_wherever_it_stands(dialect: DialectName, deep: str) -> None:
    codec, route, _, _ = FORMS[NAMES.get(dialect, dialect)]
    hole, accepted, tried = msgspec.json.encode(HOLE), list[bytes](), bodies(dialect)
    for body in tried:
        try:
            codec.read_request(body.replace(hole, DEEP[deep]) + LONG, route=route)
        except InvalidRequest:
            continue
        accepted.append(body)
    assert accepted == []
    assert len(tried) > 1000


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_nearly_exhausts_the_interpreter_is_refused_as_what_does(dialect: DialectName) -> None:
    codec, route, _, _ = FORMS[NAMES.get(dialect, dialect)]
    hole, limit = msgspec.json.encode(HOLE), sys.getrecursionlimit()
    for place, body in enumerate(bodies(dialect)[::11]):
        for levels in range(limit - 120 + place % 17, limit + 10, 17):  # it is looked at again a few calls further
            with pytest.raises(InvalidRequest):
                codec.read_request(body.replace(hole, b'{"a":' * levels + b"1" + b"}" * levels) + LONG, route=route)


@pytest.mark.parametrize("read", [decoded, lambda data: edited(ASKED, msgspec.Raw(data), None, ())])
def test_what_exhausts_the_interpreter_is_refused_under_a_name_that_stands_there_again(
    read: Callable[[bytes], object],
) -> None:
    levels = 100_000
    with pytest.raises(InvalidRequest, match="nested deeper than 200 levels"):
        read(b'{"a":%b%b,"a":1}' % (b"[" * levels, b"]" * levels))
