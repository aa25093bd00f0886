"""Reading content blocks."""

import json
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from gateway import ir
from gateway.errors import InvalidRequest

from .asking import lost, read, read_content, read_raw

UNSIGNED = "gw1.g.t.dW5zaWduZWQ.951e3e77"

PNG = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}
URL = "https://a.example/x.png"
AT = "messages[0].content[0]"


@pytest.mark.parametrize(
    ("block", "parts"),
    [
        ({"type": "text", "text": "a"}, (ir.Text(text="a"),)),
        ({"type": "text", "text": ""}, ()),
        (
            {"type": "image", "source": PNG},
            (ir.Media(media_type="image/png", data="AAAA", path=f"{AT}.source"),),
        ),
        (
            {"type": "image", "source": PNG | {"media_type": "image/JPG; q=1"}},
            (ir.Media(media_type="image/jpeg", data="AAAA", path=f"{AT}.source"),),
        ),
        (
            {"type": "image", "source": {"type": "url", "url": URL}},
            (ir.Media(media_type="image/png", url=URL, path=f"{AT}.source"),),
        ),
        (
            {"type": "document", "source": PDF},
            (ir.Media(media_type="application/pdf", data="AAAA", path=f"{AT}.source"),),
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://a.example/doc"}},
            (ir.Media(media_type="application/pdf", url="https://a.example/doc", path=f"{AT}.source"),),
        ),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
            (ir.Text(text="words"),),
        ),
        (
            {"type": "document", "source": {"type": "content", "content": "words"}},
            (ir.Text(text="words"),),
        ),
        (
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "words"}]}},
            (ir.Text(text="words"),),
        ),
        (
            {"type": "document", "source": PDF, "title": "T", "context": "C"},
            (ir.Text(text="T\nC"), ir.Media(media_type="application/pdf", data="AAAA", path=f"{AT}.source")),
        ),
        (
            {"type": "document", "source": {"type": "content", "content": "words"}, "title": None, "context": "C"},
            (ir.Text(text="C"), ir.Text(text="words")),
        ),
        (
            {"type": "search_result", "title": "T", "source": "S", "content": [{"type": "text", "text": "words"}]},
            (ir.Text(text="T\nS\nwords"),),
        ),
        (
            {"type": "tool_result", "tool_use_id": "t"},
            (ir.ToolResult(id="t", path=AT),),
        ),
        (
            {"type": "tool_result", "tool_use_id": "t", "content": "out", "is_error": True},
            (ir.ToolResult(id="t", parts=(ir.Text(text="out"),), is_error=True, path=AT),),
        ),
        (
            {
                "type": "tool_result",
                "tool_use_id": "t",
                "content": [
                    {"type": "text", "text": "out"},
                    {"type": "image", "source": PNG},
                    {"type": "tool_reference", "tool_name": "grep"},
                ],
            },
            (
                ir.ToolResult(
                    id="t",
                    parts=(
                        ir.Text(text="out"),
                        ir.Media(media_type="image/png", data="AAAA", path=f"{AT}.content[1].source"),
                        ir.Text(text="grep"),
                    ),
                    path=AT,
                ),
            ),
        ),
    ],
)
def test_what_a_user_sends(block: dict[str, Any], parts: tuple[ir.Part, ...]) -> None:
    assert read_content([block]) == parts


@pytest.mark.parametrize(
    ("block", "parts"),
    [
        (
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            (ir.Thinking(text="hm", signature=ir.Signature(None, "c2ln")),),
        ),
        (
            {"type": "thinking", "thinking": "hm", "signature": ir.seal(ir.Signature("claude", "c2ln"))},
            (ir.Thinking(text="hm", signature=ir.Signature("claude", "c2ln")),),
        ),
        ({"type": "thinking", "thinking": "hm", "signature": "gw1.c.t.AAAA.00000000"}, (ir.Thinking(text="hm"),)),
        ({"type": "thinking", "thinking": "hm", "signature": ""}, (ir.Thinking(text="hm"),)),
        ({"type": "thinking", "thinking": "hm", "signature": UNSIGNED}, (ir.Thinking(text="hm"),)),
        ({"type": "thinking", "thinking": "", "signature": UNSIGNED}, ()),
        ({"type": "thinking", "thinking": "", "signature": ""}, ()),
        ({"type": "redacted_thinking", "data": "xyz"}, (ir.Thinking(text="", redacted="xyz"),)),
    ],
)
def test_what_a_model_thought(block: dict[str, Any], parts: tuple[ir.Part, ...]) -> None:
    assert read_content([block], "assistant") == parts


def test_a_call_keeps_its_arguments_byte_for_byte() -> None:
    body = (
        b'{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f",'
        b'"input":{ "a": 1.0,"\\u00e9":[ ] }}]}]}'
    )
    (part,) = read_raw(body).turns[0].parts
    assert part == ir.ToolCall(id="t", name="f", arguments=Raw(b'{ "a": 1.0,"\\u00e9":[ ] }'))


@pytest.mark.parametrize(("given", "kept"), [(None, {}), ("", {"input": ""}), ([1], {"input": [1]})])
def test_arguments_become_an_object(given: Any, kept: dict[str, Any]) -> None:
    (part,) = read_content([{"type": "tool_use", "id": "t", "name": "f", "input": given}], "assistant")
    assert isinstance(part, ir.ToolCall)
    assert json.loads(bytes(part.arguments)) == kept


SIGNED = ir.Signature("gemini", "c2ln", "f")
CARRIER = {"type": "thinking", "thinking": "", "signature": ir.seal(SIGNED)}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}


def call(signature: ir.Signature | None) -> ir.ToolCall:
    return ir.ToolCall(id="t", name="f", arguments=Raw(b"{}"), signature=signature)


def test_an_empty_thinking_block_signs_the_call_after_it() -> None:
    assert read_content([CARRIER, USE, USE], "assistant") == (call(SIGNED), call(None))


def test_the_empty_text_of_such_a_block_may_be_left_out() -> None:
    """As @langchain/anthropic does, and so LibreChat: of an event without text it keeps the signature alone."""
    carrier = {key: value for key, value in CARRIER.items() if key != "thinking"}
    assert read_content([carrier, USE], "assistant") == (call(SIGNED),)


def test_words_may_stand_between_a_signature_and_its_call() -> None:
    words = {"type": "text", "text": "a"}
    assert read_content([CARRIER, words, USE], "assistant") == (ir.Text(text="a"), call(SIGNED))


def test_a_signature_without_its_call_is_dropped() -> None:
    assert read_content([CARRIER, {"type": "text", "text": "a"}], "assistant") == (ir.Text(text="a"),)


def test_an_empty_thought_with_its_own_signature_stays() -> None:
    omitted = {"type": "thinking", "thinking": "", "signature": ir.seal(ir.Signature("claude", "c2ln"))}
    parts = read_content([omitted, USE], "assistant")
    assert parts == (ir.Thinking(text="", signature=ir.Signature("claude", "c2ln")), call(None))


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        ("assistant", "server_tool_use"),
        ("assistant", "web_search_tool_result"),
        ("assistant", "web_fetch_tool_result"),
        ("assistant", "code_execution_tool_result"),
        ("assistant", "bash_code_execution_tool_result"),
        ("assistant", "text_editor_code_execution_tool_result"),
        ("assistant", "tool_search_tool_result"),
        ("user", "container_upload"),
    ],
)
def test_blocks_of_anthropics_servers_stay_whole(role: str, kind: str) -> None:
    block = {"type": kind, "x": 1}
    value = Raw(json.dumps(block).encode())
    assert read_content([block], role) == (ir.Opaque(dialect="anthropic", kind=kind, value=value, path=AT),)


@pytest.mark.parametrize(
    ("role", "block", "param"),
    [
        ("user", {"type": "hologram"}, f"{AT}.type"),
        ("user", {"text": "a"}, f"{AT}.type"),
        ("user", {"type": 5}, f"{AT}.type"),
        ("user", "words", AT),
        ("user", {"type": "text"}, f"{AT}.text"),
        ("user", {"type": "text", "text": 5}, f"{AT}.text"),
        ("user", USE, f"{AT}.type"),
        ("assistant", {"type": "tool_result", "tool_use_id": "t"}, f"{AT}.type"),
        ("assistant", {"type": "tool_use", "id": "t", "input": {}}, f"{AT}.name"),
        ("user", {"type": "tool_result", "tool_use_id": "t", "content": [USE]}, f"{AT}.content[0].type"),
        ("user", {"type": "image", "source": {"type": "file", "file_id": "f"}}, f"{AT}.source.file_id"),
        ("user", {"type": "document", "source": {"type": "file", "file_id": "f"}}, f"{AT}.source.file_id"),
        ("user", {"type": "image", "source": {"type": "text", "data": "a"}}, f"{AT}.source.type"),
        ("user", {"type": "image", "source": {"type": "base64", "data": "?"}}, f"{AT}.source"),
        ("user", {"type": "image", "source": {"type": "base64"}}, f"{AT}.source"),
        ("user", {"type": "image", "source": {"type": "url", "url": "file:///etc/passwd"}}, f"{AT}.source"),
        ("user", {"type": "image", "source": {"type": "ftp"}}, f"{AT}.source.type"),
    ],
)
def test_a_wrong_block_is_named(role: str, block: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_content([block], role)
    assert caught.value.param == param


def test_what_a_block_says_beyond_its_kind_is_reported() -> None:
    block = {"type": "document", "source": PDF, "citations": {"enabled": True}}
    request = read(messages=[{"role": "user", "content": [block]}])
    assert lost(request) == [f"{AT}.citations"]


def test_nulls_of_replayed_blocks_are_not_reported() -> None:
    block = {"type": "text", "text": "a", "citations": None, "cache_control": None}
    assert read(messages=[{"role": "assistant", "content": [block]}]).losses == ()


def test_text_blocks_stay_apart() -> None:
    blocks = [{"type": "text", "text": "<system-reminder>a</system-reminder>"}, {"type": "text", "text": "b"}]
    assert read_content(blocks) == (ir.Text(text="<system-reminder>a</system-reminder>"), ir.Text(text="b"))


def test_an_empty_message_has_no_parts() -> None:
    assert read_content("") == ()
    assert read_content([]) == ()


def test_unknown_keys_of_a_message_do_no_harm() -> None:
    message = {"role": "user", "content": "hi", "id": "msg_1", "gateway_note": 1}
    request = read(messages=[message])
    assert replace(request, losses=()) == read()
    assert lost(request) == ["messages[0].id", "messages[0].gateway_note"]
