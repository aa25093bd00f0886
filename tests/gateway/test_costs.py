"""What a request may use, and what it has used."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway import ir
from gateway.context import RequestContext
from gateway.costs import Costs
from gateway.errors import UpstreamUnavailable
from gateway.routes import Operation, Route

EXPECTED = ir.Usage(input=5, output=100)


def context(operation: Operation = "chat", **fields: Any) -> RequestContext:
    return RequestContext("req_1", Route("openai-chat", operation), {}, 0.0, **fields)


def asked(**sampling: Any) -> ir.Request:
    turn = ir.Turn(role="user", parts=(ir.Text(text="Hello"),))
    return ir.Request(model="m", turns=(turn,), sampling=ir.Sampling(**sampling))


@pytest.mark.parametrize(
    ("sampling", "output"),
    [
        ({}, 1024),
        ({"max_tokens": 7}, 7),
        ({"max_tokens": 7, "n": 3}, 21),
        ({"max_tokens": -7}, 0),
        ({"n": 2}, 2048),
        ({"max_tokens": 10**310}, 10**12),
    ],
)
def test_an_answer_is_expected_to_be_as_long_as_the_caller_lets_it(sampling: Any, output: int) -> None:
    expected = Costs().expected(context(request=asked(**sampling)))
    assert expected.output == output
    assert 0 < expected.input < 20


@pytest.mark.parametrize(("operation", "output"), [("embeddings", 0), ("images", 1024)])
def test_what_is_made_is_expected_by_its_words(operation: Operation, output: int) -> None:
    body = msgspec.json.encode({"model": "m", "input": "four words of text " * 100})
    request = ir.Request(model="m", turns=(), native=ir.Native(dialect="openai", body=Raw(body)))
    expected = Costs().expected(context(operation, request=request))
    assert expected.output == output
    assert 400 < expected.input < 700


def test_a_call_that_nobody_reads_takes_what_is_said_of_it() -> None:
    assert Costs().expected(context("native", expected=EXPECTED)) == EXPECTED
    assert Costs().expected(context("native")) == ir.Usage()


@pytest.mark.parametrize(
    ("fields", "used"),
    [
        ({}, None),  # no upstream was called
        ({"attempts": 1, "upstream": "u/m", "usage": ir.Usage(input=1)}, ir.Usage(input=1)),
        ({"attempts": 1, "upstream": "u/m"}, EXPECTED),  # it says nothing
        ({"attempts": 1}, EXPECTED),  # the caller left before the first word
        ({"attempts": 1, "error": UpstreamUnavailable("down"), "status": 502}, None),
    ],
)
def test_what_was_used_is_what_was_counted_or_else_expected(fields: Any, used: ir.Usage | None) -> None:
    assert Costs().used(context(**fields), EXPECTED) == used


@pytest.mark.parametrize(("status", "used"), [(200, EXPECTED), (404, None), (None, EXPECTED)])
def test_a_native_call_that_was_refused_used_nothing(status: int | None, used: ir.Usage | None) -> None:
    made = context("native", attempts=1, upstream="u/m", status=status)
    assert Costs().used(made, EXPECTED) == used
