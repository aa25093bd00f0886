"""What is not looked at block by block is what no edit would write otherwise."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateway import ir
from gateway.dialects.anthropic.edits import Own, pass_through
from gateway.dialects.anthropic.edits_sketch import Sketch

Json = dict[str, Any]

SEALED: Final = [ir.seal(ir.Signature(family, "QUJD")) for family in ("claude", "gemini")]
WORDS: Final[Json] = {"type": "text", "text": "words"}
THOUGHT: Final[Json] = {"type": "thinking", "thinking": "why", "signature": "QUJD"}
REDACTED: Final[Json] = {"type": "redacted_thinking", "data": "QUJD"}
MARK: Final[Json] = {"cache_control": {"type": "ephemeral"}}

signatures = st.sampled_from([*SEALED, SEALED[0][:-1], "QUJD", "", None, 5])
thoughts = st.one_of(
    st.just(THOUGHT),
    st.just(REDACTED),
    st.builds(lambda value: THOUGHT | {"signature": value}, signatures),
    st.builds(lambda value: REDACTED | {"data": value}, signatures),
    st.sampled_from([THOUGHT | MARK, {"type": "thinking", "signature": "QUJD"}, {"type": "thinking"}]),
)
ids = st.sampled_from(["a", "b", "c", "c d", "", "é", None])
calls = st.builds(lambda ident: {"type": "tool_use", "id": ident, "name": "f", "input": {}}, ids)
results = st.builds(lambda ident: {"type": "tool_result", "tool_use_id": ident, "content": "1"}, ids)
searches = st.sampled_from(
    [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"encrypted_content": ""}]},
        WORDS | {"citations": [{"encrypted_index": ""}]},
        WORDS | {"citations": None},
    ]
)
blocks = st.one_of(st.just(WORDS), thoughts, calls, results, searches)
contents = st.one_of(st.sampled_from(["words", "", None, [], ["words"], 5]), st.lists(blocks, max_size=4))
messages = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant", "assistant", "system", None]),
    contents,
)


@st.composite
def exchanges(draw: st.DrawFn) -> list[Json]:
    """Draw a call and its result, as agents send them."""
    ident = f"toolu_{draw(st.integers(0, 99))}"
    said = [*draw(st.lists(thoughts, max_size=1)), {"type": "tool_use", "id": ident, "name": "f", "input": {}}]
    given = [{"type": "tool_result", "tool_use_id": ident, "content": "1"}, *draw(st.lists(st.just(WORDS), max_size=1))]
    return [{"role": "assistant", "content": said}, {"role": "user", "content": given}]


conversations = st.lists(st.one_of(exchanges(), exchanges(), st.lists(messages, max_size=2)), max_size=5)


@given(said=conversations, model=st.sampled_from(["claude-opus-4-5", "kimi-k2.5"]))
def test_no_edit_is_passed_over(said: list[list[Json]], model: str) -> None:
    messages = [message for some in said for message in some]
    body = Raw(json.dumps({"model": "m", "thinking": {"type": "enabled"}, "messages": messages}).encode())
    quick = passed(body, model)
    with pytest.MonkeyPatch.context() as patch:
        for usual in ("is_paired", "is_plain"):
            patch.setattr(Sketch, usual, False)
        assert passed(body, model) == quick


def passed(body: Raw, model: str) -> tuple[object, ...]:
    written = pass_through(ir.Request(model="m", turns=()), body, Own(model=model))
    return bytes(written.native or b""), written.edits, written.losses


def sketch(*contents: object) -> Sketch:
    """Read what the model and the user say in turn."""
    roles = ("assistant", "user") * len(contents)
    said = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=False)]
    return Sketch(Raw(json.dumps(said).encode()))


def call(ident: str) -> Json:
    return {"type": "tool_use", "id": ident, "name": "f", "input": {"id": 1, "type": None}}


def result(ident: str) -> Json:
    return {"type": "tool_result", "tool_use_id": ident, "content": [WORDS]}


def test_the_talk_of_an_agent_is_as_usual() -> None:
    talk = sketch([THOUGHT, WORDS, call("a"), call("b")], [result("b"), result("a"), WORDS], [REDACTED, call("c")])
    assert (talk.is_paired, talk.is_plain) == (True, True)


@pytest.mark.parametrize(
    "contents",
    [
        ([call("a")], "words"),
        ([call("a")], [WORDS, result("a")]),
        ([call("a"), call("b")], [result("a")]),
        ([call("a")], [result("a"), result("a")]),
        ([call("a")], [result("a")], [call("a")], [result("a")]),
        ([call("a b")], [result("a b")]),
        ([call("")], [result("")]),
        ("words", [result("a b")]),
        ([call("a")], [result("a"), "words"]),
        ([call("a")], [result("a")], 5),
    ],
)
def test_calls_that_are_not_paired_are_looked_at(contents: tuple[object, ...]) -> None:
    assert not sketch(*contents).is_paired


@pytest.mark.parametrize(
    "block",
    [
        *(THOUGHT | {"signature": value} for value in (*SEALED, "", None)),
        *(REDACTED | {"data": value} for value in (*SEALED, "", None)),
        THOUGHT | MARK,
        REDACTED | MARK,
        {"type": "thinking", "signature": "QUJD"},
        WORDS | {"citations": []},
        {"type": "server_tool_use", "id": "s"},
        {"type": "web_search_tool_result", "tool_use_id": "s"},
    ],
)
def test_what_is_not_plain_is_looked_at(block: Json) -> None:
    assert not sketch([WORDS, block]).is_plain
    assert sketch([WORDS]).is_plain
