"""Where the conversation is as usual, no edit would write anything of it otherwise."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateway import ir
from gateway.adapters.v1internal_native import pass_through
from gateway.dialects.gemini import edits, edits_sketch, edits_vertex
from gateway.dialects.gemini.edits_parts import PARTS
from gateway.dialects.gemini.edits_sketch import is_usual

Json = dict[str, Any]

SEALED: Final = ir.seal(ir.Signature("gemini", "QUJD"))
CODED: Final = b64encode(SEALED.encode()).decode()
WORDS: Final[Json] = {"text": "words"}
RESULT: Final[Json] = {"functionResponse": {"name": "f", "response": {"output": "1"}}}
CALL: Final[Json] = {"functionCall": {"name": "f", "args": {}}}

idents = st.sampled_from([{}, {"id": "a"}, {"id": "b"}, {"id": None}])
calls = st.builds(lambda ident: {"functionCall": {"name": "f", "args": {}} | ident}, idents)
results = st.builds(lambda ident: {"functionResponse": {"name": "f", "response": {}} | ident}, idents)
others = st.sampled_from(
    [
        {"text": ""},
        {"text": "", "thought": True},
        {"text": "why", "thought": True},
        {"text": None},
        {},
        *(WORDS | {name: value} for name in ("thoughtSignature", "thought_signature") for value in ("QUJD", SEALED)),
        CALL | {"thoughtSignature": CODED},
        CALL | {"thoughtSignature": CODED[:-4]},
        RESULT | {"thoughtSignature": "QUJD"},
        WORDS | {"partMetadata": {"a": 1}},
        {"functionResponse": {"name": "f", "response": {}, "willContinue": True}},
        {"function_response": {"name": "f", "response": {}}},
        {"toolCall": {"name": "s"}},
        {"inlineData": {"mimeType": "image/png", "data": "QUJD"}},
    ]
)
parts = st.one_of(st.just(WORDS), calls, results, others)
contents = st.builds(
    lambda role, parts: role | {"parts": parts},
    st.sampled_from([{"role": role} for role in ("user", "user", "model", "model", "function", "", None)] + [{}]),
    st.one_of(st.lists(parts, max_size=3), st.lists(results, max_size=2), parts, st.none()),
)


@st.composite
def exchanges(draw: st.DrawFn) -> list[Json]:
    """Draw a call and its result, as Gemini CLI sends them."""
    ident = draw(st.sampled_from([{}, {"id": "c"}]))
    call = {"functionCall": {"name": "f", "args": {}} | ident, "thoughtSignature": "QUJD"}
    result = {"functionResponse": {"name": "f", "response": {}} | ident}
    return [{"role": "model", "parts": [WORDS, call]}, {"role": "user", "parts": [result]}]


conversations = st.lists(st.one_of(exchanges(), exchanges(), st.lists(contents, max_size=2)), max_size=5)


@given(said=conversations, model=st.sampled_from(["gemini-3-flash-preview", "gemini-2.5-flash"]))
def test_no_edit_is_passed_over(said: list[list[Json]], model: str) -> None:
    body = Raw(json.dumps({"contents": [content for some in said for content in some], "store": False}).encode())
    assert taken(body, model, shortest=0) == taken(body, model, shortest=len(body))


def taken(body: Raw, model: str, *, shortest: int) -> list[object]:
    """Take a request to each upstream; give what is sent, and what is told."""
    native = ir.Native(dialect="gemini", body=body)
    request = ir.Request(model=model, turns=(), native=native)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edits_sketch, "_LONG", shortest)
        ours = [
            edits.pass_on(request, body, (), PARTS, usual=is_usual(body, ())),
            edits_vertex.pass_on(request, body),
        ]
        code = pass_through(request, native, ())
    told = [(bytes(one.body), one.edits, one.losses) for one in ours]
    return [*told, (bytes(code.native or b""), code.edits, code.losses)]


def usual(*said: object, refused: tuple[str, ...] = ()) -> bool:
    """Tell whether what the user and the model say in turn is so, in a long conversation."""
    roles = ("user", "model") * len(said)
    contents = [{"role": role, "parts": parts} for role, parts in zip(roles, said, strict=False)]
    head = [{"role": "user", "parts": [{"text": "long " * 2000}]}, {"role": "model", "parts": [WORDS]}]
    return is_usual(Raw(json.dumps({"contents": head + contents}).encode()), refused)


def call(ident: str) -> Json:
    return {"functionCall": {"id": ident, "name": "f", "args": {"text": ""}}}


def result(ident: str) -> Json:
    return {"functionResponse": {"id": ident, "name": "f", "response": {"text": ""}}}


def test_the_talk_of_an_agent_is_usual() -> None:
    signed = call("a") | {"thoughtSignature": "QUJD"}
    said = ([WORDS], [{"text": "why", "thought": True}, signed, call("b")], [result("a"), result("b")], [WORDS])
    assert usual(*said)
    assert not usual(*said, refused=("signatures",))
    assert usual([WORDS], [CALL], [RESULT])


def test_a_short_one_is_not_asked() -> None:
    assert not is_usual(Raw(b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}'), ())


@pytest.mark.parametrize(
    "said",
    [
        ([WORDS], [call("a"), call("b")], [result("b"), result("a")]),
        ([WORDS], [call("a")], [result("a"), WORDS]),
        ([WORDS], [call("a")], [result("b")]),
        ([result("a")],),
        ([WORDS], [result("a")]),
        ([],),
        ([{"text": ""}],),
        ([WORDS | {"partMetadata": {}}],),
        ([WORDS], [WORDS | {"thought_signature": "QUJD"}]),
        ([WORDS], [WORDS | {"thoughtSignature": SEALED}]),
        ([WORDS], [WORDS | {"thoughtSignature": CODED}]),
        ([{"functionResponse": {"name": "f", "willContinue": True}}],),
        (WORDS,),
        (None,),
    ],
)
def test_what_an_edit_may_be_about_is_not_usual(said: tuple[object, ...]) -> None:
    assert not usual(*said)


def test_what_the_model_says_in_a_row_is_not_usual() -> None:
    said = [{"role": role, "parts": [{"text": "long " * 2000}]} for role in ("user", "model", "model")]
    assert not is_usual(Raw(json.dumps({"contents": said}).encode()), ())
    assert is_usual(Raw(json.dumps({"contents": said[:2]}).encode()), ())
