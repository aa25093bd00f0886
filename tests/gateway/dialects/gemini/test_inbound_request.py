"""A Gemini caller's request as a whole: what stands around its contents, and what goes along untouched."""

import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest

from gateway import ir
from gateway.dialects.gemini.edits import pass_on
from gateway.dialects.gemini.inbound import Gemini
from gateway.errors import InvalidRequest
from gateway.routes import Route

from .caller import SSE, ask

SIGNED = ir.Signature("gemini", "R0VN")
SEALED = b64encode(ir.seal(SIGNED).encode()).decode()


def thought(signature: str) -> dict[str, Any]:
    said = [{"text": "hi"}], [{"thought": True, "text": "hm", "thoughtSignature": signature}]
    return {"contents": [{"role": role, "parts": one} for role, one in zip(("user", "model"), said, strict=True)]}


def test_the_smallest_request() -> None:
    body = b'{"contents":[{"parts":[{"text":"hi"}]}]}'
    read = Gemini().read_request(body, route=Route("gemini", "chat", "google/g"))
    assert (read.model, read.stream, read.include_usage) == ("google/g", False, True)
    assert read.turns == (ir.Turn(role="user", parts=(ir.Text(text="hi"),)),)
    assert (read.sampling, read.output, read.tools) == (ir.Sampling(), ir.Output(), ())
    assert read.reasoning == ir.Reasoning(visible=False)
    assert (read.extras, read.losses) == ({}, ())


@pytest.mark.parametrize(("route", "stream"), [(SSE, True), (Route("gemini", "chat", "m", streams="array"), True)])
def test_the_path_says_that_it_streams(route: Route, stream: bool) -> None:
    assert ask(route=route).stream is stream


def test_the_caller_s_own_bytes_go_along() -> None:
    body = b' { "contents" : [ {"parts":[{"text":"\\u00e9 \xc3\xa9"}]} ] ,\n "never_heard" : {"a_b": 1.0e3} }\n'
    read = Gemini().read_request(body, route=SSE)
    assert read.native is not None
    assert (read.native.dialect, bytes(read.native.body), read.native.only) == ("gemini", body.strip(), None)


def test_unknown_fields_at_the_top_are_extras() -> None:
    read = ask(safetySettings=[{"category": "c"}], labels={"a_b": "c"}, serviceTier="flex", model="models/other")
    assert {name: json.loads(bytes(raw)) for name, raw in read.extras.items()} == {
        "safetySettings": [{"category": "c"}],
        "labels": {"a_b": "c"},
        "serviceTier": "flex",
    }


@pytest.mark.parametrize("name", ["sessionId", "session_id"])
def test_the_session_is_the_caller_s(name: str) -> None:
    given: dict[str, Any] = {name: "s-1"}
    assert ask(**given).session == "s-1"


def test_null_is_absent() -> None:
    nulls: dict[str, Any] = dict.fromkeys(
        ("tools", "toolConfig", "generationConfig", "systemInstruction", "system_instruction")
    )
    assert ask(**nulls).losses == ()


@pytest.mark.parametrize(
    ("turn", "with_null"),
    [
        ({"role": "model"}, {"role": "model", "parts": None}),
        ({"parts": [{"functionCall": {"name": "f"}}]}, {"parts": [{"functionCall": {"name": "f", "args": None}}]}),
        (
            {"parts": [{"functionResponse": {"name": "f"}}]},
            {"parts": [{"functionResponse": {"name": "f", "response": None, "parts": None}}]},
        ),
    ],
)
def test_null_is_absent_in_every_message_of_a_turn(turn: Any, with_null: Any) -> None:
    hi = {"parts": [{"text": "hi"}]}
    assert ask({"contents": [hi, with_null]}).turns == ask({"contents": [hi, turn]}).turns


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"cachedContent": "cachedContents/c1"}, "cachedContent"),
        ({"cached_content": "cachedContents/c1"}, "cachedContent"),
        ({"continuationToken": "dG9r"}, "continuationToken"),
        ({"generationConfig": {"responseModalities": ["AUDIO"]}}, "generationConfig.responseModalities"),
    ],
)
def test_what_only_gemini_can_carry(fields: Any, path: str) -> None:
    native = ask(**fields).native
    assert native is not None
    assert native.only is not None
    assert native.only.path == path


@pytest.mark.parametrize("name", ["cachedContent", "cached_content", "continuationToken"])
def test_an_empty_name_of_what_google_has_kept_names_nothing(name: str) -> None:
    fields: Any = {name: ""}
    native = ask(**fields).native
    assert native is not None
    assert native.only is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b'"hi"', None),
        (b"{}", "contents"),
        (b'{"contents": null}', "contents"),
        (b'{"contents":[{"parts":[{"text":"\xff"}]}]}', None),
        (b'{"contents":' + b"[" * 300 + b"]" * 300 + b"}", None),
        (b'{"contents":[{"parts":[{"text":"a"}]}],"sessionId":5}', "sessionId"),
    ],
)
def test_a_body_that_is_no_request(body: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Gemini().read_request(body, route=SSE)
    assert caught.value.param == param


# signatures


@pytest.mark.parametrize(
    "signature",
    [
        SEALED,
        urlsafe_b64encode(ir.seal(SIGNED).encode()).decode(),
        SEALED.rstrip("="),
        ir.seal(SIGNED),
    ],
)
def test_an_envelope_comes_home_in_every_alphabet(signature: str) -> None:
    read = ask(thought(signature))
    assert read.turns[1].parts == (ir.Thinking(text="hm", signature=SIGNED),)


def test_a_conversation_with_an_envelope_keeps_its_own_words() -> None:
    """The edits of the dialect open the envelope."""
    read = ask(thought(SEALED))
    assert read.native is not None
    written = pass_on(read, read.native.body)
    part = json.loads(bytes(written.body))["contents"][1]["parts"][0]
    known = SIGNED.issuer == "gemini"
    assert part.get("thoughtSignature") == (SIGNED.value if known else None)
    assert (["own"], not known) == ([edit.name for edit in written.edits], bool(written.losses))


def test_a_bare_signature_goes_up_as_it_is() -> None:
    read = ask(thought("R0VN+/=="))
    assert read.turns[1].parts == (ir.Thinking(text="hm", signature=ir.Signature(None, "R0VN+/==")),)
    assert read.native is not None


@pytest.mark.parametrize("signature", ["Z3cxA", "Z3cxL!!", "Z3cxL/8=", b64encode(b"gw1\xff").decode()])
def test_what_only_looks_like_an_envelope_is_bare(signature: str) -> None:
    read = ask(thought(signature))
    assert read.turns[1].parts == (ir.Thinking(text="hm", signature=ir.Signature(None, signature)),)
    assert read.native is not None


def test_an_empty_signature_is_none() -> None:
    assert ask(thought("")).turns[1].parts == (ir.Thinking(text="hm"),)


@pytest.mark.parametrize("damaged", [SEALED[:-12] + "A" * 12, b64encode(b"gw1.g.t.R0VN.00000000").decode()])
def test_a_damaged_envelope_is_left_out_and_told(damaged: str) -> None:
    read = ask(thought(damaged))
    assert read.turns[1].parts == (ir.Thinking(text="hm"),)
    assert [loss.path for loss in read.losses] == ["contents[1].parts[0].thoughtSignature"]
    assert read.native is not None
    written = pass_on(read, read.native.body)
    assert "thoughtSignature" not in json.loads(bytes(written.body))["contents"][1]["parts"][0]
    assert [loss.path for loss in written.losses] == ["contents[1].parts[0].thoughtSignature"]


def test_what_signs_a_call_and_is_lost_leaves_the_sentinel() -> None:
    foreign = b64encode(ir.seal(ir.Signature("claude", "Q0xB", "f")).encode()).decode()
    part = {"functionCall": {"name": "f"}, "thoughtSignature": foreign}
    read = ask({"contents": [{"role": "model", "parts": [part]}]})
    assert read.native is not None
    written = json.loads(bytes(pass_on(read, read.native.body).body))
    assert written["contents"][0]["parts"][0]["thoughtSignature"] == "skip_thought_signature_validator"


@pytest.mark.parametrize(
    "sentinel", ["skip_thought_signature_validator", "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="]
)
def test_the_sentinel_of_clients_is_no_signature(sentinel: str) -> None:
    """Gemini CLI puts it to each call that came without one; what is remembered of the call goes before."""
    part = {"functionCall": {"name": "f"}, "thoughtSignature": sentinel}
    (called,) = ask({"contents": [{"role": "model", "parts": [part]}]}).turns[0].parts
    assert isinstance(called, ir.ToolCall)
    assert called.signature is None


# counting


def test_contents_are_counted() -> None:
    assert ask(counting=True).turns[0].parts == (ir.Text(text="hi"),)


@pytest.mark.parametrize("name", ["generateContentRequest", "generate_content_request"])
def test_a_whole_request_is_counted(name: str) -> None:
    inner = {
        "model": "models/other",
        "contents": [{"parts": [{"text": "hi"}]}],
        "systemInstruction": {"parts": [{"text": "s"}]},
        "tools": [{"functionDeclarations": [{"name": "f"}]}],
    }
    read = ask({name: inner}, counting=True)
    assert (read.model, read.system, [tool.name for tool in read.tools]) == ("asked", (ir.Text(text="s"),), ["f"])


def test_an_error_within_the_counted_request_has_its_whole_path() -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask({"generateContentRequest": {"contents": []}}, counting=True)
    assert caught.value.param == "generateContentRequest.contents"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (
            {"tools": [{"functionDeclarations": [{"name": "f", "parameters": {"maximum": "@"}}]}]},
            "tools[0].functionDeclarations[0].parameters",
        ),
        (
            {"generationConfig": {"responseMimeType": "application/json", "responseSchema": {"maximum": "@"}}},
            "generationConfig.responseSchema",
        ),
        (
            {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": {"a": "@"}}}]}]},
            "contents[0].parts[0].functionResponse.response",
        ),
    ],
)
def test_a_number_that_nothing_holds_is_refused_where_it_stands(fields: dict[str, Any], param: str) -> None:
    body = json.dumps({"contents": [{"parts": [{"text": "hi"}]}]} | fields).replace('"@"', "1e400")
    with pytest.raises(InvalidRequest) as caught:
        Gemini().read_request(body.encode(), route=SSE)
    assert str(caught.value.param).startswith(param)
