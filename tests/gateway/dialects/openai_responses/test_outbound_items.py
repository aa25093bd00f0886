"""A conversation on its way to an upstream that speaks OpenAI Responses."""

from base64 import b64encode
from typing import Any

import pytest

from gateway import ir
from gateway.errors import InvalidRequest

from .outbound import SEALED, assistant, call, items, lost, raw, result, thought, thread, tool, user, written

PNG = ir.Media(media_type="image/png", data="AAAA", path="messages[0].content[0].image_url.url")
PDF = ir.Media(media_type="application/pdf", data="JVBERi0=", path="messages[0].content[0].file.file_data")
FREE = tool("patch", free_form=True)


def kinds(*turns: ir.Turn, **fields: Any) -> list[str]:
    return [item["type"] for item in items(*turns, **fields)]


def content(*parts: ir.Part | str) -> list[dict[str, Any]]:
    (item,) = items(user(*parts))
    found: list[dict[str, Any]] = item["content"]
    return found


# what callers say


def test_words_and_picture_are_parts_of_one_message() -> None:
    assert content("see", PNG) == [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
    ]


def test_picture_keeps_its_address_and_its_detail() -> None:
    address = ir.Media(media_type="image/*", url="https://example.com/a.png", detail="high")
    assert content(address) == [
        {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "high"},
    ]


def test_document_has_a_name() -> None:
    data = "data:application/pdf;base64,JVBERi0="
    assert content(PDF) == [{"type": "input_file", "filename": "document.pdf", "file_data": data}]


def test_document_may_be_an_address() -> None:
    address = ir.Media(
        media_type="application/pdf",
        url="https://example.com/a.pdf",
        filename="a.pdf",
        path="input[0].content[0].file_url",
    )
    asked = written(user(address))
    assert asked.body["input"][0]["content"] == [{"type": "input_file", "file_url": "https://example.com/a.pdf"}]  # type: ignore[index]  # a list
    assert lost(asked) == {"input[0].content[0].filename": "hint"}


def test_text_file_is_words() -> None:
    file = ir.Media(media_type="text/plain", data=b64encode("żółć".encode()).decode())
    assert content(file) == [{"type": "input_text", "text": "żółć"}]


@pytest.mark.parametrize("kind", ["audio/wav", "video/mp4"])
def test_what_the_upstream_does_not_hear_is_refused_by_its_place(kind: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        written(user(ir.Media(media_type=kind, data="AAAA", path="messages[0].content[0]")))
    assert error.value.param == "messages[0].content[0]"


# what the model said


def test_words_of_an_answer_are_output() -> None:
    (_, said, _) = items(user("a"), assistant("b", "c"), user("d"))
    assert said == {
        "type": "message",
        "role": "assistant",
        "content": [
            {"type": "output_text", "text": "b", "annotations": []},
            {"type": "output_text", "text": "c", "annotations": []},
        ],
    }


def test_own_thoughts_go_back_sealed_and_without_an_id() -> None:
    found = items(user("a"), assistant(thought("Hm."), "b"), user("c"))
    assert found[1] == {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": SEALED,
    }


def test_thought_whose_words_were_withheld_goes_back_too() -> None:
    assert items(user("a"), assistant(thought(""), "b"))[1]["summary"] == []


@pytest.mark.parametrize(
    "foreign",
    [
        thought(issuer="claude"),
        thought(issuer="gemini"),
        thought(issuer=None),
        ir.Thinking(text="Hm."),
        ir.Thinking(text="", redacted="x"),
    ],
)
def test_thoughts_of_others_stay_behind_and_are_told(foreign: ir.Thinking) -> None:
    asked = written(user("a"), assistant(foreign, "b", places=(("messages[1].thinking_blocks[0]",), ())), user("c"))
    assert "reasoning" not in [item["type"] for item in asked.body["input"]]  # type: ignore[attr-defined]  # a list
    assert lost(asked) == {"messages[1].thinking_blocks[0]": "hint"}


@pytest.mark.parametrize("target", [{"signatures": False}, {"reasoning": False}])
def test_thoughts_stay_behind_where_they_are_not_taken(target: dict[str, bool]) -> None:
    assert kinds(user("a"), assistant(thought(), "b"), model="my-model", target={"reasoning": False} | target) == [
        "message",
        "message",
    ]


def test_thoughts_that_nothing_follows_stay_behind() -> None:
    asked = written(user("a"), assistant(thought(), places=(("input[1]",),)), user("b"))
    assert (len(asked.body["input"]), lost(asked)) == (2, {"input[1]": "hint"})  # type: ignore[arg-type]  # a list


def test_signature_of_another_family_on_a_call_is_told() -> None:
    signed = ir.ToolCall(id="c1", name="f", arguments=raw({}), signature=ir.Signature("gemini", "RUFC", "f"))
    turn = assistant(signed, places=(("messages[1].tool_calls[0]",),))
    assert lost(written(user("a"), turn, user(result()))) == {"messages[1].tool_calls[0]": "hint"}


def test_picture_of_an_answer_goes_back_as_the_users() -> None:
    asked = written(user("draw"), assistant("Here.", PNG), user("bigger"))
    assert [item["role"] for item in asked.body["input"]] == ["user", "assistant", "user", "user"]  # type: ignore[attr-defined]  # a list
    assert lost(asked) == {PNG.path: "change"}


# calls and results


def test_calls_come_first_then_their_results_in_call_order() -> None:
    found = items(user("a"), assistant(call("c1"), call("c2", "g")), user(result("c2", "2"), "next", result("c1", "1")))
    assert [(item["type"], item.get("call_id")) for item in found[1:]] == [
        ("function_call", "c1"),
        ("function_call", "c2"),
        ("function_call_output", "c1"),
        ("function_call_output", "c2"),
        ("message", None),
    ]
    assert found[3] == {"type": "function_call_output", "call_id": "c1", "output": "1"}


def test_assistant_turns_in_a_row_are_one() -> None:
    turns = (user("a"), assistant("b"), assistant(call("c1")), assistant(call("c2")))
    assert kinds(*turns, user(result("c1"), result("c2"))) == [
        "message",
        "message",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
    ]


def test_result_that_is_missing_is_made_up() -> None:
    found = items(user("a"), assistant(call()), user("b"))
    assert found[2]["output"] == "Error: [no result: the tool call was interrupted]"


def test_result_without_a_call_is_words_and_told() -> None:
    asked = written(user("a"), assistant("b"), user(result("c9", "late")))
    assert asked.body["input"][-1]["content"][0]["text"] == "[tool result c9] late"  # type: ignore[index]  # a list
    assert lost(asked) == {"results[c9]": "change"}


def test_last_result_for_a_call_holds() -> None:
    asked = written(user("a"), assistant(call()), user(result("c1", "old"), result("c1", "new")))
    assert asked.body["input"][-1]["output"] == "new"  # type: ignore[index]  # a list
    assert lost(asked) == {"results[c1]": "change"}


def test_ids_are_legal_and_unique() -> None:
    turns = (assistant(call("functions.f:0")), user(result("functions.f:0")))
    found = [item["call_id"] for item in items(user("a"), *turns, *turns) if "call_id" in item]
    assert (found[0], found[2]) == (found[1], found[3])
    assert found[0] != found[2]


def test_long_id_is_cut_alike_in_call_and_result() -> None:
    found = items(user("a"), assistant(call("x" * 90)), user(result("x" * 90)))
    assert len(found[1]["call_id"]) <= 64
    assert found[1]["call_id"] == found[2]["call_id"]


def test_error_is_said_in_words() -> None:
    assert items(user("a"), assistant(call()), user(result("c1", "no", is_error=True)))[2]["output"] == "Error: no"


def test_picture_in_a_result_stays_in_it() -> None:
    output = items(user("a"), assistant(call()), user(result("c1", "see", PNG, is_error=True)))[2]["output"]
    assert [part["type"] for part in output] == ["input_text", "input_text", "input_image"]
    assert output[0]["text"] == "Error:"


def test_call_of_a_free_form_tool_has_its_input() -> None:
    made = call("c1", "patch", input="*** Begin")
    assert items(user("a"), assistant(made), user(result("c1", "ok")), tools=(FREE,))[1:] == [
        {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"},
    ]


def test_call_in_a_namespace_names_it() -> None:
    nested = tool("ns__f", path="tools[0].tools[0]", namespace=("ns", "f"))
    own = thread(tools=[{"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "f"}]}])
    made = items(user("a"), assistant(call("c1", "ns__f")), user(result()), tools=(nested,), thread=own)[1]
    assert made == {"type": "function_call", "call_id": "c1", "namespace": "ns", "name": "f", "arguments": "{}"}


def test_item_of_this_dialect_goes_as_it_came() -> None:
    searched = {"type": "web_search_call", "status": "completed", "action": {"type": "search"}}
    kept = ir.Opaque(dialect="openai-responses", kind="web_search_call", value=raw(searched), path="input[1]")
    assert items(user("a"), assistant(kept, "b"), user("c"))[1] == searched
    assert kinds(user("a", kept, "b")) == ["message", "web_search_call", "message"]


def test_block_of_another_dialect_is_told() -> None:
    foreign = ir.Opaque(dialect="anthropic", kind="server_tool_use", value=raw({}), path="messages[1].content[0]")
    assert lost(written(user("a"), assistant(foreign, "b"))) == {"messages[1].content[0]": "hint"}
