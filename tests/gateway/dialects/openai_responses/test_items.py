"""Each kind of item, in the neutral form."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import ir
from gateway.errors import InvalidRequest

from .asking import PDF, PNG, F, Json, ask, loads, lost, user

CALL: Json = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"q":1}'}
RESULT: Json = {"type": "function_call_output", "id": "fco_1", "call_id": "c1", "output": "done"}
ANSWER: Json = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "a", "annotations": []}],
}
CLAUDES = ir.Signature("claude", "c2ln")
CALLS = ir.Signature("gemini", "RUFC", "f")


def parts(request: ir.Request) -> list[ir.Part]:
    return [part for turn in request.turns for part in turn.parts]


def thought(text: str = "", sealed: str | None = None) -> Json:
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {"type": "reasoning", "id": "rs_1", "summary": summary, "content": None, "encrypted_content": sealed}


def test_a_string_is_what_the_user_says() -> None:
    request = ask(input="hello")
    assert request.turns == (ir.Turn(role="user", parts=(ir.Text(text="hello"),)),)
    assert request.thread is not None
    content = [{"type": "input_text", "text": "hello"}]
    assert [loads(item) for item in request.thread.items] == [{"type": "message", "role": "user", "content": content}]


def test_leading_instructions_become_the_system_prompt_and_later_ones_turns() -> None:
    rule = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "B"}]}
    request = ask(rule, user(), {"role": "system", "content": "C"}, instructions="A")
    assert request.system == (ir.Text(text="A"), ir.Text(text="B"))
    assert [turn.role for turn in request.turns] == ["user", "system"]


def test_instructions_alone_are_said_in_a_turn() -> None:
    request = ask({"role": "developer", "content": "Go!"}, instructions="A")
    assert (request.system, request.turns) == (
        (ir.Text(text="A"),),
        (ir.Turn(role="system", parts=(ir.Text(text="Go!"),)),),
    )


@pytest.mark.parametrize("kind", ["input_text", "output_text", "text"])
def test_words_are_text(kind: str) -> None:
    assert parts(ask(user({"type": kind, "text": "w"}))) == [ir.Text(text="w")]


def test_a_refusal_is_what_the_assistant_said() -> None:
    item = {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}
    assert ask(item).turns == (ir.Turn(role="assistant", parts=(ir.Text(text="no"),)),)


@pytest.mark.parametrize(
    ("part", "media"),
    [
        (
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"},
            ir.Media(
                media_type="image/png",
                data=PNG,
                detail="low",
                detail_path="input[0].content[0].detail",
                path="input[0].content[0].image_url",
            ),
        ),
        (
            {"type": "input_image", "image_url": "https://a.example/b.png"},
            ir.Media(media_type="image/png", url="https://a.example/b.png", path="input[0].content[0].image_url"),
        ),
        (
            {"type": "input_file", "file_data": PDF, "filename": "a.pdf"},
            ir.Media(media_type="application/pdf", data=PDF, filename="a.pdf", path="input[0].content[0].file_data"),
        ),
        (
            {"type": "input_file", "file_url": "https://a.example/b.pdf"},
            ir.Media(media_type="application/pdf", url="https://a.example/b.pdf", path="input[0].content[0].file_url"),
        ),
        (
            {"type": "input_file", "file_url": "https://a.example/pdf/1706.03762"},
            ir.Media(
                media_type="application/pdf",
                url="https://a.example/pdf/1706.03762",
                path="input[0].content[0].file_url",
            ),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "QUJDRA==", "format": "wav"}},
            ir.Media(media_type="audio/wav", data="QUJDRA==", path="input[0].content[0].input_audio.data"),
        ),
    ],
)
def test_media_are_read(part: Json, media: ir.Media) -> None:
    assert parts(ask(user(part))) == [media]


def test_two_messages_of_the_assistants_are_two_turns_also_around_a_call() -> None:
    """The words of one run on in those of the other where a dialect has one text for both."""
    request = ask(user(), ANSWER, CALL, ANSWER, ANSWER, RESULT)
    kinds = [[type(part).__name__ for part in turn.parts] for turn in request.turns]
    assert kinds[1:] == [["Text", "ToolCall"], ["Text"], ["Text"], ["ToolResult"]]


def test_what_the_assistant_says_in_a_row_is_one_turn_and_its_results_are_one() -> None:
    second = CALL | {"call_id": "c2"}
    request = ask(user(), thought("hm"), ANSWER, CALL, second, RESULT, RESULT | {"call_id": "c2"}, tools=[F])
    _, said, results = request.turns
    assert [type(part) for part in said.parts] == [ir.Thinking, ir.Text, ir.ToolCall, ir.ToolCall]
    assert [part.id for part in results.parts if isinstance(part, ir.ToolResult)] == ["c1", "c2"]
    assert (said.role, results.role) == ("assistant", "user")


def test_a_call_carries_its_arguments_and_its_namespace_in_its_name() -> None:
    (call,) = parts(ask(CALL | {"namespace": "crm"}))
    assert isinstance(call, ir.ToolCall)
    assert (call.id, call.name, loads(call.arguments)) == ("c1", "crm__f", {"q": 1})


def test_the_arguments_of_a_call_may_be_an_object() -> None:
    """Some servers write them so, and their callers send them back to another model."""
    (call,) = parts(ask(CALL | {"arguments": {"q": [1]}}))
    assert isinstance(call, ir.ToolCall)
    assert loads(call.arguments) == {"q": [1]}


def test_a_free_form_call_carries_its_text_as_input() -> None:
    (call,) = parts(ask({"type": "custom_tool_call", "call_id": "c1", "name": "sql", "input": "select 1"}))
    assert isinstance(call, ir.ToolCall)
    assert (call.name, loads(call.arguments)) == ("sql", {"input": "select 1"})


@pytest.mark.parametrize("kind", ["function_call_output", "custom_tool_call_output"])
def test_a_result_is_words_or_parts(kind: str) -> None:
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}
    output = [{"type": "input_text", "text": "see"}, picture]
    words, shown = parts(
        ask({"type": kind, "call_id": "c1", "output": "o"}, {"type": kind, "call_id": "c2", "output": output})
    )
    assert words == ir.ToolResult(id="c1", parts=(ir.Text(text="o"),), path="input[0]")
    assert isinstance(shown, ir.ToolResult)
    assert [type(part) for part in shown.parts] == [ir.Text, ir.Media]


def test_a_result_may_name_its_function_in_the_place_of_a_call() -> None:
    """Newer SDKs type `call_id` as optional."""
    given: Json = {"type": "function_call_output", "name": "f", "output": "o"}
    said = [CALL, CALL | {"call_id": "c2"}, RESULT, given, given | {"call_id": None}]
    results = [part for part in parts(ask(user(), *said)) if isinstance(part, ir.ToolResult)]
    assert [(one.id, one.name) for one in results] == [("c1", None), ("c2", "f"), ("f", "f")]


def test_thoughts_come_with_the_signature_in_our_envelope() -> None:
    request = ask(thought("hm", ir.seal(CLAUDES)))
    assert parts(request) == [ir.Thinking(text="hm", signature=CLAUDES)]
    assert request.turns[0].places == (("input[0]",),)


def test_thoughts_in_full_win_over_their_summary() -> None:
    item = thought("short") | {"content": [{"type": "reasoning_text", "text": "long"}]}
    request = ask(item)
    assert (parts(request), lost(request)) == ([ir.Thinking(text="long")], [("input[0].summary", "hint")])


def test_a_thought_that_nobody_signed_stays_unsigned() -> None:
    request = ask(thought("hm", ir.seal(ir.Signature("gemini", ""))))
    assert (parts(request), lost(request)) == ([ir.Thinking(text="hm")], [])


def test_what_openai_sealed_stays_openais() -> None:
    assert parts(ask(thought(sealed="gAAAA"))) == [ir.Thinking(text="", signature=ir.Signature("openai", "gAAAA"))]


def test_a_damaged_envelope_is_told_and_the_thoughts_are_unsigned() -> None:
    request = ask(thought("hm", "gw1.c.t.AAAA.00000000"))
    assert parts(request) == [ir.Thinking(text="hm")]
    assert lost(request) == [("input[0].encrypted_content", "hint")]


def test_the_signature_of_a_call_stands_in_an_item_before_it() -> None:
    (turn,) = ask(thought("hm", ir.seal(CALLS)), ANSWER, CALL).turns
    assert [getattr(part, "signature", None) for part in turn.parts] == [None, None, CALLS]
    assert turn.places == (("input[0]",), (), ("input[0]",))


def test_a_signature_that_no_call_follows_is_told() -> None:
    request = ask(thought(sealed=ir.seal(CALLS)), ANSWER, user(), CALL)
    assert lost(request) == [("input[0].encrypted_content", "hint")]
    assert [part.signature for part in parts(request) if isinstance(part, ir.ToolCall)] == [None]


@pytest.mark.parametrize(
    ("tool", "field", "action", "output", "text"),
    [
        ("local_shell", "action", {"type": "exec", "command": ["ls"]}, "a.txt", "a.txt"),
        ("shell", "action", {"commands": ["ls"]}, [{"stdout": "a"}], '[{"stdout": "a"}]'),
        ("apply_patch", "operation", {"path": "a"}, "ok", "ok"),
    ],
)
def test_what_the_caller_runs_is_a_function_where_one_is_declared(
    tool: str, field: str, action: Json, output: Any, text: str
) -> None:
    items: list[Json] = [
        {"type": f"{tool}_call", "call_id": "c1", "status": "completed", field: action},
        {"type": f"{tool}_call_output", "id": "c1", "output": output},
    ]
    made, result = parts(ask(*items, tools=[F | {"name": tool}]))
    assert isinstance(made, ir.ToolCall)
    assert (made.name, loads(made.arguments)) == (tool, action)
    assert result == ir.ToolResult(id="c1", parts=(ir.Text(text=text),), path="input[1]")
    assert [type(part) for part in parts(ask(*items))] == [ir.Opaque, ir.Opaque]


def test_a_patch_that_failed_is_an_error() -> None:
    item = {"type": "apply_patch_call_output", "call_id": "c1", "status": "failed"}
    (result,) = parts(ask(item, tools=[F | {"name": "apply_patch"}]))
    assert result == ir.ToolResult(id="c1", parts=(ir.Text(text="failed"),), is_error=True, path="input[0]")


@pytest.mark.parametrize("kind", ["web_search_call", "file_search_call", "mcp_call", "computer_call", "program"])
def test_what_openai_has_done_stays_whole(kind: str) -> None:
    request = ask(user(), {"type": kind, "id": "x", "action": {"a": 1}})
    (item,) = request.turns[1].parts
    assert isinstance(item, ir.Opaque)
    assert (item.dialect, item.kind, item.path, loads(item.value)["action"]) == (
        "openai-responses",
        kind,
        "input[1]",
        {"a": 1},
    )


def test_a_drawn_picture_is_a_picture() -> None:
    item = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PNG, "output_format": "png"}
    assert parts(ask(item)) == [ir.Media(media_type="image/png", data=PNG, path="input[0].result")]
    assert parts(ask({**item, "result": "AAAA", "output_format": None})) == [
        ir.Media(media_type="image/png", data="AAAA", path="input[0].result")
    ]


def test_the_first_bytes_of_a_drawn_picture_tell_its_type() -> None:
    item = {"type": "image_generation_call", "id": "ig_1", "result": PNG, "output_format": "webp"}
    assert parts(ask(item)) == [ir.Media(media_type="image/png", data=PNG, path="input[0].result")]
    (told,) = parts(ask({**item, "result": "AAAA"}))
    assert isinstance(told, ir.Media)
    assert told.media_type == "image/webp"


def test_a_drawing_that_is_no_picture_to_a_model_stays_whole() -> None:
    item = {"type": "image_generation_call", "id": "ig_1", "result": "PHN2Zy8+", "output_format": "svg"}
    (kept,) = parts(ask(item))
    assert isinstance(kept, ir.Opaque)
    assert kept.kind == "image_generation_call"


def agent_message(told: str) -> Json:
    """Write what Codex tells an agent that another one has begun."""
    header = {"type": "input_text", "text": "Message Type: NEW_TASK\nPayload:\n"}
    sealed = {"type": "encrypted_content", "encrypted_content": told}
    about = {"id": "amsg_1", "author": "/lead", "recipient": "/lead/a"}
    return {"type": "agent_message", **about, "content": [header, sealed]}


def test_what_another_agent_says_is_the_users_word() -> None:
    request = ask(user(), {"role": "assistant", "content": "Yes."}, agent_message("List the files."))
    assert [turn.role for turn in request.turns] == ["user", "assistant", "user"]
    texts = [part.text for part in request.turns[-1].parts if isinstance(part, ir.Text)]
    assert texts == ["Message Type: NEW_TASK\nPayload:\n", "List the files."]
    assert lost(request) == []


def test_what_openai_has_sealed_for_an_agent_is_told_to_be_unreadable() -> None:
    request = ask(user(), agent_message("gAAAAABo1x"))
    (*_, said) = request.turns[-1].parts
    assert said == ir.Text(text="[encrypted: only OpenAI's models can read this]")
    assert lost(request) == [("input[1].content[1].encrypted_content", "change")]


@pytest.mark.parametrize("kind", ["additional_tools", "tool_search_output"])
def test_tools_that_join_are_declared(kind: str) -> None:
    request = ask(user(), {"type": kind, "tools": [F]}, tools=[F | {"name": "g"}])
    assert [(tool.name, tool.path) for tool in request.tools] == [("g", "tools[0]"), ("f", "input[1].tools[0]")]


def test_new_settings_in_the_midst_are_those_of_the_request() -> None:
    """Each holds until it is set again."""
    updates: list[Json] = [
        {"type": "configuration_update", "reasoning": {"effort": "high"}, "text": {"format": {"type": "json_object"}}},
        {"type": "configuration_update", "reasoning": {"effort": "low"}},
    ]
    request = ask(updates[0], user(), updates[1], reasoning={"effort": "medium", "summary": "auto"})
    assert request.reasoning == ir.Reasoning(mode="level", level="low", visible=True)
    assert request.output.kind == "json"
    assert lost(request) == []


@pytest.mark.parametrize("item", [{"type": "item_reference", "id": "msg_1"}, {"id": "msg_1"}])
def test_where_an_item_is_only_named_is_noted(item: Json) -> None:
    request = ask(user(), item)
    assert request.thread is not None
    assert request.thread.references == ("input[1].id",)
    assert [turn.role for turn in request.turns] == ["user"]


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"type": "compaction", "encrypted_content": "x"}, "input[0].type"),
        ({"type": "compaction_trigger"}, "input[0].type"),
        ({"type": "surprise"}, "input[0].type"),
        ({}, "input[0].type"),
        ({"role": "critic", "content": "x"}, "input[0].role"),
        ({"role": "user"}, "input[0].content"),
        (user({"type": "video"}), "input[0].content[0].type"),
        (user({"type": "input_text"}), "input[0].content[0].text"),
        (user({"type": "input_image"}), "input[0].content[0].image_url"),
        (user({"type": "input_image", "file_id": "file_1"}), "input[0].content[0].file_id"),
        (user({"type": "input_file", "file_id": "file_1"}), "input[0].content[0].file_id"),
        (user({"type": "input_file"}), "input[0].content[0].file_data"),
        (
            {"role": "system", "content": [{"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}]},
            "input[0].content[0].image_url",
        ),
        ({"type": "function_call", "name": "f", "arguments": "{}"}, "input[0].call_id"),
        ({"type": "function_call", "call_id": "c", "arguments": "{}"}, "input[0].name"),
        ({"type": "function_call_output", "output": "x"}, "input[0].call_id"),
        ({"type": "function_call_output", "call_id": "c"}, "input[0].output"),
        ({"type": "reasoning", "summary": [{"type": "summary_text"}]}, "input[0].summary[0].text"),
    ],
)
def test_what_cannot_be_read_is_named(item: Json, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(item)
    assert caught.value.param == path
    assert caught.value.message.startswith(f"{path}: ")


@pytest.mark.parametrize("missing", ["action", "call_id"])
def test_a_shell_call_must_say_what_it_runs(missing: str) -> None:
    item = {"type": "shell_call", "call_id": "c", "action": {"commands": []}}
    del item[missing]
    with pytest.raises(InvalidRequest) as caught:
        ask(item, tools=[F | {"name": "shell"}])
    assert caught.value.param == f"input[0].{missing}"


@pytest.mark.parametrize(
    ("item", "path"),
    [
        (
            user({"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "implicit"}}),
            "input[0].content[0].prompt_cache_breakpoint",
        ),
        ({"role": "assistant", "content": "a", "phase": "commentary"}, "input[0].phase"),
        ({"role": "user", "content": "a", "x": 1}, "input[0].x"),
        (
            {"role": "assistant", "content": [{"type": "output_text", "text": "a", "annotations": [{"url": "u"}]}]},
            "input[0].content[0].annotations",
        ),
        (
            user({"type": "input_file", "file_data": PDF, "file_url": "https://a.example"}),
            "input[0].content[0].file_url",
        ),
        (CALL | {"caller": {"type": "direct"}}, "input[0].caller"),
    ],
)
def test_what_is_not_carried_is_told(item: Json, path: str) -> None:
    assert lost(ask(item)) == [(path, "hint")]


def test_a_mark_for_the_cache_is_read_with_its_part() -> None:
    request = ask(user({"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}))
    mark = ir.Mark(path="input[0].content[0].prompt_cache_breakpoint")
    assert request.turns[0].parts == (ir.Text(text="a", mark=mark),)
    assert (request.marks, lost(request)) == ((mark,), [])


def test_ids_and_states_of_items_say_nothing() -> None:
    assert lost(ask(ANSWER, CALL | {"status": "completed"}, RESULT, thought("hm"))) == []
