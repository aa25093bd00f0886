"""T2: where both ends speak one dialect, each member of a request goes on byte for byte, but for the named edits."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.json import Decoder

from gateway.dialects.tables import TABLES
from gateway.errors import CallerError
from gateway.routes import DialectName
from gateway.upstream import Passing
from tests.translating import TARGETS, Upstreams

from .examples import EXAMPLES
from .leaves.strategies import REQUESTS

FIELDS: Final = Decoder(dict[str, Raw])
SAME: Final[list[tuple[DialectName, str]]] = [
    ("openai-chat", "openai chat"),
    ("openai-chat", "openai chat, thinking"),
    ("openai-chat", "azure"),
    ("openai-responses", "openai responses"),
    ("anthropic", "anthropic"),
    ("anthropic", "anthropic, adaptive"),
    ("gemini", "gemini Gemini 3"),
    ("gemini", "vertex Gemini 3"),
]
# The members that an edit may have written otherwise: every edit of a request, but for those that NEVER says.
MEMBERS: Final[dict[DialectName, dict[str, frozenset[str]]]] = {
    "openai-chat": {
        "model": frozenset({"model"}),
        "stream": frozenset({"stream"}),
        "limit": frozenset({"max_tokens", "max_completion_tokens"}),
        "usage": frozenset({"stream_options"}),
        "parallel": frozenset({"parallel_tool_calls", "tool_choice"}),
        **dict.fromkeys(("own", "shown"), frozenset({"messages"})),
    },
    "openai-responses": {"model": frozenset({"model"}), "own": frozenset({"input"})},
    "anthropic": {
        "model": frozenset({"model"}),
        "budget": frozenset({"thinking", "max_tokens"}),
        "head": frozenset({"messages", "system"}),
        "drawing": frozenset({"temperature", "top_p", "top_k"}),
        "unforced": frozenset({"tool_choice"}),
        "own": frozenset(
            {"messages", "thinking"}
        ),  # which goes off where the thoughts that have to come first are dropped
        **dict.fromkeys(("blank", "shown", "marks", "ids", "results", "order"), frozenset({"messages"})),
    },
    "gemini": {
        **dict.fromkeys(("model", "path"), frozenset({"model"})),
        **dict.fromkeys(
            ("speaker", "own", "alone", "results", "roles", "parts", "empty", "order", "ids"), frozenset({"contents"})
        ),
        "services": frozenset({"tools", "toolConfig", "tool_config"}),
        **dict.fromkeys(("format", "limit"), frozenset({"generationConfig", "generation_config"})),
        "unknown": frozenset({"store", "generationConfig", "generation_config", "toolConfig", "tool_config"}),
    },
}
# What this test has none of: names that stand twice, [defaults], what was refused before, answers that are kept, Claude
# on Vertex AI.
NEVER: Final = {"once", "defaults", "refused", "items", "whole", "demanded", "history", "envelope"}


@st.composite
def bodies(draw: st.DrawFn, dialect: DialectName, model: str) -> bytes:
    """Draw a body, written in one way or another."""
    request: Any = draw(REQUESTS[dialect])
    if "model" in request and draw(st.booleans()):
        request = request | {"model": model}
    separators = draw(st.sampled_from([None, (",", ":"), (" , ", " : ")]))
    indent = draw(st.sampled_from([None, 1]))
    text = json.dumps(request, ensure_ascii=draw(st.booleans()), indent=indent, separators=separators)
    return text.replace("0.5", draw(st.sampled_from(["0.5", "5e-1", "0.50"]))).encode()


def test_each_edit_says_which_members_it_writes() -> None:
    told = {dialect: {edit.name for edit in table if edit.on == "request"} for dialect, table in TABLES.items()}
    assert {dialect: names - NEVER for dialect, names in told.items()} == {
        dialect: {*edits} for dialect, edits in MEMBERS.items()
    }


@pytest.mark.parametrize(("dialect", "target"), SAME)
@EXAMPLES
@given(data=st.data())
def test_t2_members_pass_byte_for_byte(
    upstreams: Upstreams, dialect: DialectName, target: str, data: st.DataObject
) -> None:
    body = data.draw(bodies(dialect, TARGETS[target][1]))
    try:
        journey = upstreams.embark(upstreams.read(dialect, body), target)
    except CallerError:
        assume(False)
        raise
    sent = bytes(journey.body())
    assert isinstance(journey, Passing)
    edits = [edit.name for edit in journey.edits]
    if not edits:
        assert sent == body
    edited = frozenset[str]().union(*(MEMBERS[dialect][name] for name in edits))
    assert unedited(sent, edited) == unedited(body, edited)


@pytest.mark.parametrize("dialect", REQUESTS)
@EXAMPLES
@given(data=st.data())
def test_t8_what_nobody_knows_passes_to_an_upstream_of_the_dialect(
    upstreams: Upstreams, dialect: DialectName, data: st.DataObject
) -> None:
    target = next(target for speaks, target in SAME if speaks == dialect)
    request = data.draw(REQUESTS[dialect]) | {"xNeverHeardOf": {"a": [1, None]}}
    body = json.dumps(request).encode()
    try:
        journey = upstreams.embark(upstreams.read(dialect, body), target)
    except CallerError:
        assume(False)
        raise
    assert bytes(FIELDS.decode(journey.body())["xNeverHeardOf"]) == b'{"a": [1, null]}'


def unedited(body: bytes, edited: frozenset[str]) -> list[tuple[str, bytes]]:
    """Give the members that no edit is about, in their order."""
    return [(name, bytes(value)) for name, value in FIELDS.decode(body).items() if name not in edited]
