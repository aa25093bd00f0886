"""Take any accepted request and change one leaf: either the upstream body changes, or a loss record names that path."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.routes import DialectName
from tests.translating import TARGETS, Sent, Upstreams

from .examples import EXAMPLES
from .leaves import strategies
from .leaves.changes import silent, walk
from .leaves.chat import CHATS, SOUND
from .leaves.contents import CONTENTS
from .leaves.material import Json
from .leaves.messages import MESSAGES
from .leaves.responses import RESPONSES

REQUESTS: dict[DialectName, dict[str, Json]] = {
    "openai-chat": CHATS,
    "openai-responses": RESPONSES,
    "anthropic": MESSAGES,
    "gemini": CONTENTS,
}
KINDS = {
    "Code Assist": [target for target in TARGETS if target.startswith("v1internal")],
    "Google": [target for target in TARGETS if target.startswith(("gemini", "vertex"))],
    "OpenAI": [target for target in TARGETS if target.startswith(("openai", "azure"))],
    "Anthropic": [target for target in TARGETS if target.startswith("anthropic")],
}
DEAF = re.compile("Claude|anthropic|responses")
TARGET = pytest.mark.parametrize("target", TARGETS)


@TARGET
@pytest.mark.parametrize(
    ("dialect", "request_"),
    [
        pytest.param(dialect, one, id=f"{dialect}: {name}")
        for dialect, all_ in REQUESTS.items()
        for name, one in all_.items()
    ],
)
def test_no_leaf_is_lost_in_silence(upstreams: Upstreams, dialect: DialectName, target: str, request_: Json) -> None:
    assert silent(upstreams, dialect, target, request_, dict(walk(request_))) == []


@pytest.mark.parametrize("target", [target for target in TARGETS if not DEAF.search(target)])
def test_no_leaf_of_a_sound_is_lost_in_silence(upstreams: Upstreams, target: str) -> None:
    assert silent(upstreams, "openai-chat", target, SOUND, dict(walk(SOUND))) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", strategies.REQUESTS)
@EXAMPLES
@given(st.data())
def test_no_leaf_of_any_request_is_lost_in_silence(
    upstreams: Upstreams, dialect: DialectName, kind: str, data: st.DataObject
) -> None:
    target = data.draw(st.sampled_from(KINDS[kind]))
    request = data.draw(strategies.REQUESTS[dialect])
    assume(isinstance(upstreams.send(dialect, target, request), Sent))
    paths = data.draw(st.lists(st.sampled_from([path for path, _ in walk(request)]), min_size=1, max_size=6))
    assert silent(upstreams, dialect, target, request, paths) == []
