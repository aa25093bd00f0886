"""T9: whatever the depth of a body and its size, it is read in time that grows as the body does, or refused.

Operations are counted, not seconds: a busy machine must not fail a property.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.middleware import BodyLimit
from gateway.routes import DialectName
from tests.middleware.asgi import Inner, call, scope_of
from tests.translating import CODECS, PATHS

from .examples import EXAMPLES
from .reading import UPSTREAMS, read, read_whole
from .test_requests import ROUTES, WRITERS
from .upstreams.framing import stream

Json = Any

DIALECT = pytest.mark.parametrize("dialect", CODECS)
HOLE: Final = "HOLE"
# Where a caller may put any JSON: known and unknown members, schemas, arguments.
SAID: Final[dict[DialectName, Json]] = {
    "openai-chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "openai-responses": {"model": "m", "input": "hi"},
    "anthropic": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
}
MEMBERS: Final[dict[DialectName, list[Json]]] = {
    "openai-chat": [
        {"messages": HOLE},
        {"xOther": HOLE},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": HOLE}}]},
        {"messages": [{"role": "user", "content": HOLE}]},
    ],
    "openai-responses": [
        {"input": HOLE},
        {"xOther": HOLE},
        {"tools": [{"type": "function", "name": "f", "parameters": HOLE}]},
        {"input": [{"role": "user", "content": HOLE}]},
    ],
    "anthropic": [
        {"messages": HOLE},
        {"xOther": HOLE},
        {"tools": [{"name": "f", "input_schema": HOLE}]},
        {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": HOLE}]}]},
    ],
    "gemini": [
        {"contents": HOLE},
        {"xOther": HOLE},
        {"tools": [{"functionDeclarations": [{"name": "f", "parameters": HOLE}]}]},
        {"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": HOLE}}]}]},
    ],
}
NESTS: Final = st.sampled_from([("[", "1", "]"), ('{"a":', "1", "}"), ('[{"items":', "{}", "}]"), ("[", "", "")])
DEPTHS: Final = st.sampled_from([1, 50, 199, 200, 201, 1000, 5000, 100_000]) | st.integers(1, 3000)
nested = st.builds(lambda nest, depth: nest[0] * depth + nest[1] + nest[2] * depth, NESTS, DEPTHS)


@DIALECT
@EXAMPLES
@given(data=st.data(), deep=nested)
def test_t9_a_body_of_any_depth_is_read_or_refused(dialect: DialectName, data: st.DataObject, deep: str) -> None:
    body = json.dumps(SAID[dialect] | data.draw(st.sampled_from(MEMBERS[dialect])))
    try:
        request = CODECS[dialect].read_request(body.replace(f'"{HOLE}"', deep).encode(), route=ROUTES[dialect])
        WRITERS[dialect](request)
    except GatewayError as error:
        assert error.status == 400


@pytest.mark.parametrize("upstream", UPSTREAMS)
@EXAMPLES
@given(data=st.data(), deep=nested)
def test_t9_an_answer_of_any_depth_is_read(upstream: DialectName, data: st.DataObject, deep: str) -> None:
    sound = data.draw(UPSTREAMS[upstream].sound)
    event = json.dumps(data.draw(st.sampled_from(sound.events)))
    place = data.draw(st.sampled_from([at for at, letter in enumerate(event) if letter in "{[:,"]))
    torn = (event[: place + 1] + deep + event[place + 1 :]).encode()
    read(upstream, [b"data: %b\n\n" % torn])
    read_whole(upstream, torn)


@DIALECT
@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.anyio
async def test_t9_a_body_over_the_limit_is_413(dialect: DialectName, over: int) -> None:
    body = json.dumps(SAID[dialect]).encode()
    scope = scope_of(path=PATHS[dialect])
    outcome = await call(BodyLimit(Inner(), len(body) - over), scope, [body[:9], body[9:]])
    assert outcome.status == (413 if over else 200)


# How often it says something: twice as much may take twice the operations, and a little.
TURNS: Final[dict[DialectName, Callable[[int], Json]]] = {
    "openai-chat": lambda count: {
        "messages": [{"role": "user" if place % 2 == 0 else "assistant", "content": "hi"} for place in range(count)],
        "tools": [{"type": "function", "function": {"name": f"f{place}"}} for place in range(count)],
    },
    "openai-responses": lambda count: {
        "input": [{"role": "user" if place % 2 == 0 else "assistant", "content": "hi"} for place in range(count)],
        "tools": [{"type": "function", "name": f"f{place}"} for place in range(count)],
    },
    "anthropic": lambda count: {
        "messages": [{"role": "user" if place % 2 == 0 else "assistant", "content": "hi"} for place in range(count)],
        "tools": [{"name": f"f{place}", "input_schema": {"type": "object"}} for place in range(count)],
    },
    "gemini": lambda count: {
        "contents": [
            {"role": "user" if place % 2 == 0 else "model", "parts": [{"text": "hi"}]} for place in range(count)
        ],
        "tools": [{"functionDeclarations": [{"name": f"f{place}"} for place in range(count)]}],
    },
}
SEAL: Final = {"type": "reasoning.encrypted", "id": "unknown", "data": "s", "format": "google-gemini-v1"}
CALL: Final = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "1"}}
EVENTS: Final[tuple[tuple[DialectName, Json], ...]] = (
    ("openai-chat", {"choices": [{"index": 0, "delta": {"content": "hi"}}]}),
    ("openai-chat", {"choices": [{"index": 0, "delta": {"tool_calls": [CALL], "reasoning_details": [SEAL]}}]}),
    ("openai-responses", {"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "delta": "hi"}),
    ("anthropic", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}}),
    ("gemini", {"response": {"candidates": [{"content": {"parts": [{"text": "hi"}]}}]}}),
)


@DIALECT
def test_t9_the_operations_of_a_request_grow_as_it_does(dialect: DialectName) -> None:
    def serve(count: int) -> Callable[[], None]:
        body = json.dumps(SAID[dialect] | TURNS[dialect](count)).encode()

        def served() -> None:
            WRITERS[dialect](CODECS[dialect].read_request(body, route=ROUTES[dialect]))

        return served

    assert operations(serve(800)) < 2.2 * operations(serve(400))


@pytest.mark.parametrize(("upstream", "event"), EVENTS)
def test_t9_the_operations_of_an_answer_grow_as_it_does(upstream: DialectName, event: Json) -> None:
    def serve(count: int) -> Callable[[], None]:
        body = stream((event,) * count)

        def served() -> None:
            read(upstream, [body])

        return served

    assert operations(serve(800)) < 2.2 * operations(serve(400))


def operations(work: Callable[[], None]) -> int:
    """Count the calls of Python and of C that some work takes, the second time."""
    work()
    count = 0

    def counted(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count
