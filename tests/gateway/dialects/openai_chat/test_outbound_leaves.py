"""Change one leaf of any accepted request: either the Chat body changes, or a loss names that path."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.json import decode, encode

from gateway.dialects.openai_chat.outbound_request import write_request
from gateway.dialects.outbound import OpenAITarget
from gateway.errors import CallerError
from gateway.routes import DialectName, match
from tests.properties.leaves import strategies
from tests.properties.leaves.changes import silent, walk
from tests.properties.leaves.chat import CHATS, SOUND
from tests.properties.leaves.contents import CONTENTS
from tests.properties.leaves.messages import MESSAGES
from tests.translating import CODECS, Sent, Upstreams, answer_of

Json = Any

REQUESTS: dict[DialectName, dict[str, Json]] = {
    "openai-chat": CHATS | {"sound": SOUND},
    "anthropic": MESSAGES,
    "gemini": CONTENTS,
}
# A picture is the user's, whoever showed it, and its loss names the picture; a subset of all the tools is no subset.
HARMLESS = ("role", "allowedFunctionNames")
THOUGHTS = ("reasoning", "reasoning_content")  # the one spelling and the other
MODELS = ("gpt-4.1", "gpt-5.2", "o3", "deepseek-reasoner")


class Direct(Upstreams):
    """The codec alone: no gateway around it."""

    def __init__(self) -> None:
        """Need nothing."""

    def send(self, dialect: DialectName, target: str, request: Json, *, own: bool = True) -> Sent | CallerError:
        """Translate a request, or give what refuses it."""
        try:
            read = CODECS[dialect].read_request(json.dumps(request).encode(), route=ROUTES[dialect])
            written = write_request(read, OpenAITarget(model=target, max_output=65_536))
        except CallerError as error:
            return error
        body = json.dumps(decode(encode(written.body)))
        return Sent(body, answer_of(CODECS[dialect], read), (*read.losses, *written.losses))


ROUTES = {
    "openai-chat": match("POST", "/v1/chat/completions", {}),
    "openai-responses": match("POST", "/v1/responses", {}),
    "anthropic": match("POST", "/v1/messages", {}),
    "gemini": match("POST", "/v1beta/models/m:generateContent", {}),
}


def places(request: Json) -> list[tuple[str | int, ...]]:
    """List the places where a change must show; thoughts that stand there twice are still said by the other."""
    found = dict(walk(request))
    return [path for path in found if not path or (path[-1] not in HARMLESS and not _is_said_twice(found, path))]


def _is_said_twice(found: Mapping[tuple[str | int, ...], object], path: tuple[str | int, ...]) -> bool:
    others = [(*path[:-1], name) for name in THOUGHTS if name != path[-1]]
    return path[-1] in THOUGHTS and any(found.get(other) == found[path] for other in others)


@pytest.mark.parametrize("target", MODELS)
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


@pytest.mark.parametrize("target", MODELS)
@pytest.mark.parametrize("dialect", strategies.REQUESTS)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_leaf_of_any_request_is_lost_in_silence(dialect: DialectName, target: str, data: st.DataObject) -> None:
    upstreams = Direct()
    request = data.draw(strategies.REQUESTS[dialect])
    assume(isinstance(upstreams.send(dialect, target, request), Sent))
    paths = data.draw(st.lists(st.sampled_from(places(request)), min_size=1, max_size=6))
    assert silent(upstreams, dialect, target, request, paths) == []
