"""Change one leaf of any accepted request: either the Messages body changes, or a loss names that path."""

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.json import decode, encode

from gateway.dialects.anthropic.outbound_request import AnthropicTarget, write_request
from gateway.errors import CallerError
from gateway.routes import DialectName, match
from tests.properties.leaves import strategies
from tests.properties.leaves.changes import silent, walk
from tests.properties.leaves.chat import CHATS
from tests.properties.leaves.contents import CONTENTS
from tests.properties.leaves.messages import MESSAGES
from tests.properties.leaves.responses import RESPONSES
from tests.translating import CODECS, Sent, Upstreams, answer_of

Json = Any

REQUESTS: dict[DialectName, dict[str, Json]] = {
    "openai-chat": CHATS,
    "openai-responses": RESPONSES,
    "anthropic": MESSAGES,
    "gemini": CONTENTS,
}
ROUTES = {
    "openai-chat": match("POST", "/v1/chat/completions", {}),
    "openai-responses": match("POST", "/v1/responses", {}),
    "anthropic": match("POST", "/v1/messages", {}),
    "gemini": match("POST", "/v1beta/models/m:generateContent", {}),
}
TARGETS = {
    "by a budget": AnthropicTarget(model="claude-sonnet-4-5", max_output=64_000),
    "as it finds right": AnthropicTarget(
        model="claude-opus-4-8", max_output=128_000, adaptive=True, sampling=False, system_turns=True
    ),
    "oldest": AnthropicTarget(model="claude-3-5-haiku", max_output=8192, both_samplings=False, structured=False),
}
# A subset of all the tools is no subset.
HARMLESS = ("allowedFunctionNames",)


class Direct(Upstreams):
    """The codec alone: no gateway around it."""

    def __init__(self) -> None:
        """Need nothing."""

    def send(self, dialect: DialectName, target: str, request: Json, *, own: bool = True) -> Sent | CallerError:
        """Translate a request, or give what refuses it."""
        try:
            read = CODECS[dialect].read_request(json.dumps(request).encode(), route=ROUTES[dialect])
            written = write_request(read, TARGETS[target])
        except CallerError as error:
            return error
        body = json.dumps(decode(encode(written.body)))
        return Sent(body, answer_of(CODECS[dialect], read), (*read.losses, *written.losses))


def places(request: Json) -> list[tuple[str | int, ...]]:
    """List the places where a change must show; what stands there twice is still said by the other."""
    twice = request.get("user") is not None and request.get("user") == request.get("safety_identifier")
    hidden = (*HARMLESS, "user", "safety_identifier") if twice else HARMLESS
    found = [path for path, _ in walk(request) if not path or path[-1] not in hidden]
    marked = {mark for at, one in enumerate(request.get("messages", [])) for mark in marked_twice(at, one)}
    return [path for path in found if not any(path[: len(mark)] == mark for mark in marked)]


def marked_twice(at: int, message: Json) -> list[tuple[str | int, ...]]:
    """Give the marks of a message and of its last part, which are the same."""
    mark, content = message.get("cache_control"), message.get("content")
    if mark is None or not isinstance(content, list) or not content or content[-1].get("cache_control") != mark:
        return []
    own = ("messages", at)
    return [(*own, "cache_control"), (*own, "content", len(content) - 1, "cache_control")]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("dialect", "request_"),
    [
        pytest.param(dialect, one, id=f"{dialect}: {name}")
        for dialect, all_ in REQUESTS.items()
        for name, one in all_.items()
    ],
)
def test_no_leaf_is_lost_in_silence(dialect: DialectName, target: str, request_: Json) -> None:
    upstreams = Direct()
    assert silent(upstreams, dialect, target, request_, places(request_)) == []


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dialect", strategies.REQUESTS)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_leaf_of_any_request_is_lost_in_silence(dialect: DialectName, target: str, data: st.DataObject) -> None:
    upstreams = Direct()
    request = data.draw(strategies.REQUESTS[dialect])
    assume(isinstance(upstreams.send(dialect, target, request), Sent))
    paths = data.draw(st.lists(st.sampled_from(places(request)), min_size=1, max_size=6))
    assert silent(upstreams, dialect, target, request, paths) == []
