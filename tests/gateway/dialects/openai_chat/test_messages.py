"""Messages as callers send them → system texts and turns."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway import ir
from gateway.dialects.openai_chat import OpenAIChat
from gateway.errors import InvalidRequest

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
GEMINI = ir.Signature("gemini", "R0VN", "f")
CLAUDE = ir.Signature("claude", "Q0xB", "t")


def read(*messages: dict[str, Any]) -> ir.Request:
    return OpenAIChat().read_request(msgspec.json.encode({"model": "m", "messages": messages}))


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, **fields}


def parts(*messages: dict[str, Any]) -> tuple[ir.Part, ...]:
    """Read messages that make one turn, and give its parts."""
    (turn,) = read(*messages).turns
    return turn.parts


def signed(signature: ir.Signature) -> dict[str, Any]:
    return {"google": {"thought_signature": ir.seal(signature)}}


def test_leading_system_and_developer_messages_are_the_system_prompt() -> None:
    request = read(
        {"role": "developer", "content": "a"},
        {"role": "system", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]},
        user("u"),
    )
    assert request.system == (ir.Text(text="a"), ir.Text(text="b"), ir.Text(text="c"))
    assert [turn.role for turn in request.turns] == ["user"]


def test_a_later_system_message_keeps_its_place() -> None:
    request = read(user("u"), {"role": "developer", "content": "rule"}, user("v"))
    assert request.system == ()
    assert request.turns[1] == ir.Turn(role="system", parts=(ir.Text(text="rule"),))


def test_a_picture_in_a_system_message_is_refused() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    with pytest.raises(InvalidRequest) as caught:
        read({"role": "system", "content": [image]}, user("u"))
    assert caught.value.param == "messages[0].content[0].image_url.url"


@pytest.mark.parametrize("content", [None, "", [], [{"type": "text", "text": ""}]])
def test_a_message_may_be_empty(content: Any) -> None:
    assert parts(user(content)) == ()


def test_user_content_may_be_a_string_or_parts() -> None:
    assert parts(user("hi")) == (ir.Text(text="hi"),)
    assert parts(user([{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}])) == (
        ir.Text(text="a"),
        ir.Text(text="b"),
    )


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,AAAA", "detail": "low"}},
            ir.Media(
                media_type="image/jpeg",
                data="AAAA",
                detail="low",
                detail_path="messages[0].content[0].image_url.detail",
                path="messages[0].content[0].image_url.url",
            ),
        ),
        (
            {"type": "image_url", "image_url": "data:image/png;base64,AAAA"},
            ir.Media(media_type="image/png", data="AAAA", path="messages[0].content[0].image_url"),
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://x.test/a.webp"}},
            ir.Media(media_type="image/webp", url="https://x.test/a.webp", path="messages[0].content[0].image_url.url"),
        ),
        (  # OpenRouter's form, vLLM's and DashScope's
            {"type": "video_url", "video_url": {"url": "data:video/webm;base64,AAAA"}},
            ir.Media(media_type="video/webm", data="AAAA", path="messages[0].content[0].video_url.url"),
        ),
        (
            {"type": "video_url", "video_url": "https://x.test/a.mp4?b=c"},
            ir.Media(media_type="video/mp4", url="https://x.test/a.mp4?b=c", path="messages[0].content[0].video_url"),
        ),
        (
            {"type": "video_url", "video_url": {"url": "https://youtu.be/a"}},
            ir.Media(media_type="video/*", url="https://youtu.be/a", path="messages[0].content[0].video_url.url"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            ir.Media(media_type="audio/wav", data="AAAA", path="messages[0].content[0].input_audio.data"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            ir.Media(media_type="audio/mp3", data="AAAA", path="messages[0].content[0].input_audio.data"),
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
            ir.Media(
                media_type="application/pdf",
                data="AAAA",
                filename="a.pdf",
                path="messages[0].content[0].file.file_data",
            ),
        ),
        (  # OpenRouter's form
            {"type": "file", "file": {"file_data": "https://x.test/pdf/1", "filename": "a.pdf"}},
            ir.Media(
                media_type="application/pdf",
                url="https://x.test/pdf/1",
                filename="a.pdf",
                path="messages[0].content[0].file.file_data",
            ),
        ),
        (  # LiteLLM's
            {"type": "file", "file": {"file_id": "gs://b/a.mp4"}},
            ir.Media(media_type="video/mp4", url="gs://b/a.mp4", path="messages[0].content[0].file.file_id"),
        ),
    ],
)
def test_media_parts(part: dict[str, Any], expected: ir.Media) -> None:
    assert parts(user([part])) == (expected,)


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "video"}, "messages[1].content[0].type"),
        ({"text": "x"}, "messages[1].content[0].type"),
        ({"type": "text"}, "messages[1].content[0].text"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "messages[1].content[0].file.file_id"),
        ({"type": "file", "file": {}}, "messages[1].content[0].file.file_data"),
        ({"type": "image_url", "image_url": {"url": "data:x"}}, "messages[1].content[0].image_url.url"),
    ],
)
def test_a_part_that_cannot_be_read_is_named(part: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(user("u"), user([part]))
    assert caught.value.param == param


def test_assistant_text_refusal_and_calls_stand_in_order() -> None:
    assert parts(assistant(content="a", refusal="b", tool_calls=[CALL])) == (
        ir.Text(text="a"),
        ir.Text(text="b"),
        ir.ToolCall(id="c1", name="f", arguments=Raw(b'{"a": 1}')),
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, b"{}"),
        ("", b"{}"),
        ("[1]", b'{"input":[1]}'),
        ('{ "$a" = x; }', b'{"input":"{ \\"$a\\" = x; }"}'),
        ({"a": 1}, b'{"a":1}'),  # as some servers write them, and their callers send them back
    ],
)
def test_arguments_become_an_object(given: Any, expected: bytes) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": given}}
    assert parts(assistant(tool_calls=[call])) == (ir.ToolCall(id="c1", name="f", arguments=Raw(expected)),)


def test_a_custom_call_is_wrapped() -> None:
    call = {"id": "c1", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    assert parts(assistant(tool_calls=[call])) == (
        ir.ToolCall(id="c1", name="sql", arguments=Raw(b'{"input":"select 1"}')),
    )


def test_a_call_without_a_function_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(assistant(tool_calls=[CALL, {"id": "c2", "type": "function"}]))
    assert caught.value.param == "messages[0].tool_calls[1].function"


def test_results_in_a_row_are_one_turn() -> None:
    request = read(
        assistant(tool_calls=[CALL]),
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "2"}]},
        user("next"),
    )
    assert [turn.role for turn in request.turns] == ["assistant", "user", "user"]
    assert request.turns[1].parts == (
        ir.ToolResult(id="c1", parts=(ir.Text(text="1"),), path="messages[1]"),
        ir.ToolResult(id="c2", parts=(ir.Text(text="2"),), path="messages[2]"),
    )


def test_a_result_without_its_call_id_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read({"role": "tool", "content": "1"})
    assert caught.value.param == "messages[0].tool_call_id"


def test_an_older_function_call_and_its_result_get_one_id() -> None:
    request = read(
        user("u"),
        assistant(function_call={"name": "f", "arguments": "{}"}),
        {"role": "function", "name": "f", "content": "1"},
        assistant(function_call={"name": "f", "arguments": "{}"}),
        {"role": "function", "name": "f", "content": "2"},
    )
    ids = [part.id for turn in request.turns for part in turn.parts if isinstance(part, ir.ToolCall | ir.ToolResult)]
    assert ids == ["call_1", "call_1", "call_3", "call_3"]


def test_an_older_function_call_keeps_its_arguments() -> None:
    assert parts(assistant(function_call={"name": "f", "arguments": '{"a": 1}'})) == (
        ir.ToolCall(id="call_0", name="f", arguments=Raw(b'{"a": 1}')),
    )


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_comes_first(field: str) -> None:
    assert parts(assistant(content="c", **{field: "r"})) == (ir.Thinking(text="r"), ir.Text(text="c"))


@pytest.mark.parametrize(
    "thought",
    [
        {"type": "thinking", "thinking": [{"type": "text", "text": "r"}, {"type": "reference"}], "closed": True},
        {"type": "thinking", "thinking": "r"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "r"}]},
    ],
)
def test_thoughts_among_words_are_no_words(thought: dict[str, Any]) -> None:
    """Mistral and Databricks answer so, and the conversation goes on with another model."""
    words = {"type": "text", "text": "c"}
    assert parts(assistant(content=[thought, words])) == (ir.Thinking(text="r"), ir.Text(text="c"))
    request = read(assistant(content=[thought, words], reasoning_content="s"))
    assert request.turns[0].parts == (ir.Thinking(text="s"), ir.Text(text="c"))
    assert [loss.path for loss in request.losses] == ["messages[0].content"]
    with pytest.raises(InvalidRequest) as caught:
        read({"role": "user", "content": [thought]})
    assert caught.value.param == "messages[0].content[0].type"


def test_thinking_blocks_keep_their_signatures() -> None:
    blocks = [
        {"type": "thinking", "thinking": "a", "signature": ir.seal(CLAUDE)},
        {"type": "thinking", "thinking": "b", "signature": "bare"},
        {"type": "redacted_thinking", "data": "xyz"},
    ]
    assert parts(assistant(thinking_blocks=blocks, reasoning_content="ab")) == (
        ir.Thinking(text="a", signature=CLAUDE),
        ir.Thinking(text="b", signature=ir.Signature(None, "bare")),
        ir.Thinking(text="", redacted="xyz"),
    )


def test_openrouter_details_carry_thoughts_and_the_signature_of_a_call() -> None:
    details = [
        {"type": "reasoning.text", "text": "a", "signature": ir.seal(CLAUDE)},
        {"type": "reasoning.encrypted", "data": "R0VN", "id": "c1"},
    ]
    assert parts(assistant(reasoning_details=details, reasoning="a", tool_calls=[CALL])) == (
        ir.Thinking(text="a", signature=CLAUDE),
        ir.ToolCall(id="c1", name="f", arguments=Raw(b'{"a": 1}'), signature=ir.Signature(None, "R0VN", "f")),
    )


def test_thoughts_that_came_with_their_signature_are_those_that_it_signs() -> None:
    extra = signed(CLAUDE) | {"gateway": {"thoughts": "a whole thought"}}
    thought, _ = parts(assistant(reasoning_content="thought", content="a", extra_content=extra))
    assert thought == ir.Thinking(text="a whole thought", signature=CLAUDE)


def test_blocks_of_thoughts_come_back_to_their_places() -> None:
    first, second = (ir.Signature("claude", value) for value in ("Q0xB", "Q0xC"))
    blocks = [
        {"thinking": "ab", "signature": ir.seal(first)},
        {"thinking": "c", "signature": ir.seal(second), "calls": 1},
        {"thinking": "d", "signature": ir.seal(second), "calls": 7},
        {"thinking": "e", "signature": "gw1.claude.t.damaged", "calls": -1},
    ]
    calls = [CALL, CALL | {"id": "c2"}]
    extra = {"gateway": {"blocks": blocks}}
    request = read(assistant(reasoning_content="abc", content="x", tool_calls=calls, extra_content=extra))
    (turn,) = request.turns
    assert [part.id if isinstance(part, ir.ToolCall) else part for part in turn.parts] == [
        ir.Thinking(text="ab", signature=first),
        ir.Thinking(text="e"),
        ir.Text(text="x"),
        "c1",
        ir.Thinking(text="c", signature=second),
        "c2",
        ir.Thinking(text="d", signature=second),
    ]
    at = "messages[0].extra_content.gateway.blocks"
    assert turn.places == ((f"{at}[0]",), (f"{at}[3]",), (), (), (f"{at}[1]",), (), (f"{at}[2]",))
    assert [loss.path for loss in request.losses] == [f"{at}[3].signature", "messages[0].reasoning_content"]


def test_litellm_gives_back_what_was_hung_on_a_message_beside_its_own_fields() -> None:
    blocks = [{"thinking": "a", "signature": ir.seal(CLAUDE)}, {"thinking": "b", "signature": "gw1.c.t.damaged"}]
    aside = {"extra_content": signed(ir.Signature("claude", "Q0xC")) | {"gateway": {"blocks": blocks}}}
    message = assistant(reasoning_content="ab", content="x", provider_specific_fields={**aside, "citations": ["u"]})
    request = read(message)
    (turn,) = request.turns
    assert turn.parts == (
        ir.Thinking(text="a", signature=CLAUDE),
        ir.Thinking(text="b", signature=ir.Signature("claude", "Q0xC")),
        ir.Text(text="x"),
    )
    at = "messages[0].provider_specific_fields"
    hung = f"{at}.extra_content"
    signature = f"{hung}.google.thought_signature"
    assert turn.places == ((f"{hung}.gateway.blocks[0]",), (f"{hung}.gateway.blocks[1]", signature), ())
    damaged, said = f"{hung}.gateway.blocks[1].signature", "messages[0].reasoning_content"
    assert [loss.path for loss in request.losses] == [f"{at}.citations", damaged, said]


@pytest.mark.parametrize(
    ("aside", "lost"),
    [
        ({"extra_content": {"gateway": {"thoughts": "other"}}}, [".extra_content"]),
        ({"refusal": None}, []),
        ("text", [""]),
        ({"extra_content": "text"}, [""]),
    ],
)
def test_what_stands_in_the_message_itself_holds(aside: object, lost: list[str]) -> None:
    extra = {"gateway": {"thoughts": "a"}}
    request = read(assistant(content="x", extra_content=extra, provider_specific_fields=aside))
    assert request.turns[0].parts == (ir.Thinking(text="a"), ir.Text(text="x"))
    assert [loss.path for loss in request.losses] == [f"messages[0].provider_specific_fields{path}" for path in lost]


def test_blocks_of_thoughts_without_calls_stand_first() -> None:
    extra = {"gateway": {"blocks": [{"thinking": "a", "signature": ir.seal(CLAUDE), "calls": 1}]}}
    message = assistant(content="x", extra_content=extra)
    assert parts(message) == (ir.Thinking(text="a", signature=CLAUDE), ir.Text(text="x"))


@pytest.mark.parametrize("signature", [GEMINI, ir.Signature(None, "R0VN", "f")])
def test_the_signature_of_a_call_comes_back(signature: ir.Signature) -> None:
    (call,) = parts(assistant(tool_calls=[CALL | {"extra_content": signed(signature)}]))
    assert call == ir.ToolCall(id="c1", name="f", arguments=Raw(b'{"a": 1}'), signature=signature)


def test_the_message_signature_of_gemini_belongs_to_the_last_text() -> None:
    mine = ir.Signature("gemini", "R0VN")
    content = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    message = assistant(content=content, reasoning_content="r", extra_content=signed(mine))
    assert parts(message) == (ir.Thinking(text="r"), ir.Text(text="a"), ir.Text(text="b", signature=mine))


def test_the_message_signature_of_claude_belongs_to_the_thoughts() -> None:
    message = assistant(content="a", reasoning_content="r", extra_content=signed(CLAUDE))
    assert parts(message) == (ir.Thinking(text="r", signature=CLAUDE), ir.Text(text="a"))


def test_a_thinking_block_keeps_its_own_signature() -> None:
    blocks = [{"type": "thinking", "thinking": "a", "signature": ir.seal(CLAUDE)}]
    other = ir.Signature("claude", "T1RI")
    message = assistant(thinking_blocks=blocks, extra_content=signed(other))
    assert parts(message) == (ir.Thinking(text="a", signature=CLAUDE),)


@pytest.mark.parametrize(
    ("signature", "first"),
    [
        (CLAUDE, ir.Thinking(text="", signature=CLAUDE)),
        (ir.Signature("gemini", "R0VN"), ir.Text(text="", signature=ir.Signature("gemini", "R0VN"))),
    ],
)
def test_a_message_signature_survives_without_words(signature: ir.Signature, first: ir.Part) -> None:
    assert parts(assistant(extra_content=signed(signature), tool_calls=[CALL]))[0] == first


def test_a_damaged_signature_is_left_out_and_reported() -> None:
    broken = {"google": {"thought_signature": ir.seal(GEMINI)[:-1] + "x"}}
    request = read(assistant(tool_calls=[CALL | {"extra_content": broken}]))
    assert request.turns[0].parts == (ir.ToolCall(id="c1", name="f", arguments=Raw(b'{"a": 1}')),)
    assert [loss.severity for loss in request.losses] == ["hint"]


@pytest.mark.parametrize(
    ("message", "path", "severity"),
    [
        ({"role": "user", "content": "x", "name": "bob"}, "messages[0].name", "hint"),
        ({"role": "assistant", "audio": {"id": "a1"}}, "messages[0].audio", "content"),
    ],
)
def test_what_has_no_place_is_reported(message: dict[str, Any], path: str, severity: str) -> None:
    assert [(loss.path, loss.severity) for loss in read(message).losses] == [(path, severity)]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"content": "x"}, "messages[0].role"),
        ({"role": "robot", "content": "x"}, "messages[0].role"),
        ({"role": "user", "content": 1}, "messages[0].content"),
        ({"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}, "messages[0].tool_calls[0].id"),
    ],
)
def test_a_wrong_message_is_named(message: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(message)
    assert caught.value.param == param
