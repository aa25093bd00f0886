"""The messages for an Anthropic upstream."""

import re

import pytest
from msgspec.json import decode, encode

from gateway import ir
from gateway.errors import InvalidRequest

from .outbound import (
    NEWER,
    SIGNED,
    Json,
    assistant,
    body,
    call,
    function,
    lost,
    messages,
    raw,
    result,
    rule,
    text,
    thought,
    user,
    written,
)

PNG = "iVBORw0KGgo="
PICTURE = ir.Media(media_type="image/png", data=PNG, path="messages[0].content[0]")
SHOWN = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
THINKS = ir.Reasoning(mode="budget", budget=2000, visible=True)
NOT_OURS = "messages[1].content[0]"


def test_instructions_lead_as_blocks() -> None:
    system = (ir.Text(text="Be brief."), ir.Text(text=" \n"), ir.Text(text="Be kind."))
    assert body(user("hi"), system=system)["system"] == [text("Be brief."), text("Be kind.")]


def test_without_instructions_there_is_no_system() -> None:
    assert "system" not in body(user("hi"))


def test_a_later_instruction_stands_behind_the_users_words_where_a_model_takes_it() -> None:
    turns = (user("a"), assistant("b"), rule("Now."), user("c"), assistant("d"), user("e"))
    said = messages(*turns, target=NEWER | {"system_turns": True})
    assert [message["role"] for message in said] == ["user", "assistant", "user", "system", "assistant", "user"]
    assert said[3] == {"role": "system", "content": "Now."}


def test_an_instruction_that_the_user_speaks_behind_is_moved_and_that_is_told() -> None:
    answer = written(user("a"), rule("Now."), user("b"), target=NEWER | {"system_turns": True})
    assert answer.body["messages"] == [
        {"role": "user", "content": [text("a"), text("b")]},
        {"role": "system", "content": "Now."},
    ]
    assert lost(answer) == [("messages", "hint")]


def test_an_instruction_that_keeps_its_place_is_no_loss() -> None:
    talk, target = (user("a"), rule("Now."), assistant("b"), user("c")), NEWER | {"system_turns": True}
    assert [message["role"] for message in messages(*talk, target=target)] == ["user", "system", "assistant", "user"]
    assert lost(written(*talk, target=target)) == []


def test_two_moved_instructions_are_told_once_each_time() -> None:
    talk = (user("a"), rule("1"), rule("2"), user("b"), assistant("c"), user("d"), rule("3"), user("e"))
    target = NEWER | {"system_turns": True}
    rules = [message["content"] for message in messages(*talk, target=target) if message["role"] == "system"]
    assert rules == ["1\n\n2", "3"]
    assert lost(written(*talk, target=target)) == [("messages", "hint")] * 2


def test_a_later_instruction_leads_where_a_model_takes_none_in_between() -> None:
    answer = written(user("a"), assistant("b"), rule("Now."), user("c"), system=(ir.Text(text="First."),))
    assert answer.body["system"] == [text("First."), text("Now.")]
    assert lost(answer) == [("messages", "hint")]


@pytest.mark.parametrize("takes", [True, False])
def test_an_instruction_that_ends_the_talk_is_said_by_the_user(takes: bool) -> None:
    said = messages(user("a"), assistant("b"), rule("rule"), target=NEWER | {"system_turns": takes})
    assert said[-1] == {"role": "user", "content": [text("<system-reminder>\nrule\n</system-reminder>")]}


def test_results_come_first_and_in_call_order() -> None:
    turns = (
        user("go"),
        assistant("I look.", call("c1", city="Rome"), call("c2", "g")),
        user("and now?", result("c2", "two"), result("c1", "one")),
    )
    assert messages(*turns)[1:] == [
        {
            "role": "assistant",
            "content": [
                text("I look."),
                {"type": "tool_use", "id": "c1", "name": "f", "input": {"city": "Rome"}},
                {"type": "tool_use", "id": "c2", "name": "g", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [text("one")]},
                {"type": "tool_result", "tool_use_id": "c2", "content": [text("two")]},
                text("and now?"),
            ],
        },
    ]


def test_pitfall_46_an_interrupted_call_gets_an_error_first_thing_in_the_next_message() -> None:
    said = messages(user("go"), assistant(call("c1")), user("never mind"))
    failed = {
        "type": "tool_result",
        "tool_use_id": "c1",
        "content": [text("[no result: the tool call was interrupted]")],
        "is_error": True,
    }
    assert said[2] == {"role": "user", "content": [failed, text("never mind")]}


def test_a_call_that_ends_the_talk_gets_an_error_too() -> None:
    (answered,) = messages(user("go"), assistant(call("c1")))[2]["content"]
    assert (answered["tool_use_id"], answered["is_error"]) == ("c1", True)


def test_pitfall_48_the_result_of_an_unknown_call_becomes_text() -> None:
    answer = written(user(result("c9", "late")))
    assert answer.body["messages"] == [{"role": "user", "content": [text("[tool result c9] late")]}]
    assert lost(answer) == [("messages[9]", "change")]


def test_pitfall_85_of_two_results_for_one_call_the_last_goes_on() -> None:
    turns = (user("go"), assistant(call("a")), user(result("a", "old"), result("a", "new")))
    (answered,) = messages(*turns)[2]["content"]
    assert answered["content"] == [text("new")]


def test_pitfall_49_no_blank_text_goes_on() -> None:
    turns = (user("go", ""), assistant("", " ", call("a")), user(result("a", "  "), "\n"))
    assert messages(*turns) == [
        {"role": "user", "content": [text("go")]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]},
    ]


def test_an_error_without_words_says_that_it_is_empty() -> None:
    (answered,) = messages(user("go"), assistant(call("a")), user(result("a", is_error=True)))[2]["content"]
    assert answered["content"] == [text("(empty)")]


def test_the_pictures_of_an_error_follow_it() -> None:
    said = messages(user("go"), assistant(call("a")), user(result("a", "no", PICTURE, is_error=True)))
    assert said[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": [text("no")], "is_error": True},
        SHOWN,
    ]


def test_a_picture_stays_in_its_result() -> None:
    (answered,) = messages(user("go"), assistant(call("a")), user(result("a", "seen", PICTURE)))[2]["content"]
    assert answered["content"] == [text("seen"), SHOWN]


def test_messages_of_one_speaker_become_one() -> None:
    assert messages(user("a"), user("b"), assistant("c"), assistant("d"), user("e")) == [
        {"role": "user", "content": [text("a"), text("b")]},
        {"role": "assistant", "content": [text("c"), text("d")]},
        {"role": "user", "content": [text("e")]},
    ]


def test_the_user_speaks_first() -> None:
    assert messages(assistant("hi"), user("ho"))[0] == {"role": "user", "content": [text("(conversation continues)")]}


def test_a_begun_answer_is_continued_without_space_at_its_end() -> None:
    assert messages(user("Greek sun?"), assistant("It is ( \n"))[-1]["content"] == [text("It is (")]


@pytest.mark.parametrize("fields", [{"target": NEWER}, {"reasoning": THINKS}])
def test_a_begun_answer_is_not_continued_by_newer_models_nor_by_those_that_think(fields: Json) -> None:
    answer = written(user("a"), assistant("b"), **fields)
    said: list[Json] = decode(encode(answer.body["messages"]))
    assert said[-1] == {"role": "user", "content": [text("Continue from where you stopped.")]}
    assert ("messages", "change") in lost(answer)


def test_a_blank_last_word_of_the_user_is_still_one() -> None:
    assert messages(user("a"), assistant("b"), user(" "))[-1] == {"role": "user", "content": [text("(empty)")]}


def test_instructions_alone_are_said_by_the_user() -> None:
    answer = written(ir.Turn(role="system", parts=(ir.Text(text="Say a word."),)))
    said: list[Json] = decode(encode(answer.body["messages"]))
    assert said == [{"role": "user", "content": [text("<system-reminder>\nSay a word.\n</system-reminder>")]}]
    assert lost(answer) == [("messages", "hint")]


def test_what_holds_nothing_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="has nothing that") as caught:
        written(user(" "))
    assert caught.value.param == "messages"


def test_pitfall_51_illegal_ids_are_made_legal_alike_for_call_and_result() -> None:
    said = messages(user("go"), assistant(call("functions.Bash:0")), user(result("functions.Bash:0", "ok")))
    ident = said[1]["content"][0]["id"]
    assert ident == said[2]["content"][0]["tool_use_id"]
    assert re.fullmatch(r"functions_Bash_0_[0-9a-f]{8}", ident)


def test_pitfall_18_long_names_are_cut_and_mapped_back() -> None:
    long = "mcp__server__" + "x" * 80
    answer = written(user("go"), assistant(call("a", long)), user(result("a", "ok")), tools=(function(long),))
    (tool,) = decode(encode(answer.body["tools"]))
    said: list[Json] = decode(encode(answer.body["messages"]))
    assert said[1]["content"][0]["name"] == tool["name"]
    assert len(tool["name"]) == 64
    assert answer.names.original(tool["name"]) == long


# pictures and documents


def test_pictures_go_as_data_or_by_address() -> None:
    address = ir.Media(media_type="image/*", url="https://a.example/b.png", path="p")
    assert messages(user(PICTURE, address))[0]["content"] == [
        SHOWN,
        {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
    ]


def test_a_call_that_the_talk_ends_with_is_answered_ahead_of_what_the_model_has_shown() -> None:
    *_, asked, last = messages(user("draw"), assistant(PICTURE, call("a")))
    assert asked["content"] == [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]
    assert [block["type"] for block in last["content"]] == ["tool_result", "text", "image"]


def test_a_pdf_is_a_document_with_its_name() -> None:
    pdf = ir.Media(media_type="application/pdf", data="JVBERi0=", filename="a.pdf", path="p")
    address = ir.Media(media_type="application/pdf", url="https://a.example/b.pdf", path="p")
    assert messages(user(pdf, address))[0]["content"] == [
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            "title": "a.pdf",
        },
        {"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"}},
    ]


@pytest.mark.parametrize("kind", ["text/csv", "application/json"])
def test_a_text_is_a_document_of_words(kind: str) -> None:
    media = ir.Media(media_type=kind, data="w6QsMQ==", filename="a.csv", path="p")
    source = {"type": "text", "media_type": "text/plain", "data": "ä,1"}
    assert messages(user(media))[0]["content"] == [{"type": "document", "source": source, "title": "a.csv"}]


def test_a_file_of_blanks_says_that_it_is_empty() -> None:
    media = ir.Media(media_type="text/plain", data="IAo=", filename="a.txt", path="p.data")
    assert messages(user(media))[0]["content"] == [text("(empty)")]
    assert lost(written(user(media))) == [("p.filename", "hint")]


@pytest.mark.parametrize(
    "media",
    [
        ir.Media(media_type="audio/wav", data="UklGRg==", path="messages[0].content[0]"),
        ir.Media(media_type="video/mp4", data="AAAA", path="messages[0].content[0]"),
        ir.Media(media_type="image/bmp", data="Qk0=", path="messages[0].content[0]"),
        ir.Media(media_type="image/*", url="http://a.example/a.png", path="messages[0].content[0]"),
        ir.Media(media_type="text/csv", url="https://a.example/a.csv", path="messages[0].content[0]"),
        ir.Media(media_type="text/plain", data="//8=", path="messages[0].content[0]"),
        ir.Media(media_type="application/zip", data="UEs=", path="messages[0].content[0]"),
    ],
)
def test_what_claude_cannot_take_is_refused_by_its_path(media: ir.Media) -> None:
    with pytest.raises(InvalidRequest) as caught:
        written(user(media))
    assert caught.value.param == "messages[0].content[0]"


def test_the_detail_and_the_name_of_a_picture_are_told() -> None:
    media = ir.Media(
        media_type="image/png", data=PNG, detail="low", detail_path="a.detail", filename="a.png", path="a.url"
    )
    assert lost(written(user(media))) == [("a.detail", "hint"), ("a.filename", "hint")]


def test_blank_words_stand_behind_those_before_them() -> None:
    said = messages(user("a", " ", "b"), assistant("\n", "c", "\n\n", "d", " "), user("e"))
    assert [message["content"] for message in said] == [
        [text("a "), text("b")],
        [text("c\n\n"), text("d ")],
        [text("e")],
    ]


# thoughts


def test_signed_thoughts_lead_the_turn_that_they_led_to() -> None:
    turns = (user("go"), assistant("I look.", thought("Hm."), call("a")), user(result("a", "ok")))
    assert messages(*turns, reasoning=THINKS)[1]["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "RXNpZw=="},
        text("I look."),
        {"type": "tool_use", "id": "a", "name": "f", "input": {}},
    ]


def test_thoughts_between_words_stay_there() -> None:
    said = assistant(thought("a"), "I look.", thought("b"), "There:", call("1"))
    content = messages(user("go"), said, user(result("1", "x")), reasoning=THINKS)[1]["content"]
    assert [block["type"] for block in content] == ["thinking", "text", "thinking", "text", "tool_use"]


def test_thoughts_between_calls_stay_there() -> None:
    turns = (
        user("go"),
        assistant(thought("a"), call("1"), thought("b"), call("2")),
        user(result("1", "x"), result("2", "y")),
    )
    kinds = [block["type"] for block in messages(*turns, reasoning=THINKS)[1]["content"]]
    assert kinds == ["thinking", "tool_use", "thinking", "tool_use"]


@pytest.mark.parametrize(
    "part",
    [
        ir.Thinking(text="", redacted="sealed"),
        thought("", ir.Signature("claude", "gw1.redacted_thinking.sealed")),
    ],
)
def test_sealed_thoughts_go_back_sealed(part: ir.Thinking) -> None:
    said = messages(user("go"), assistant(part, "So."), user("on"), reasoning=THINKS)
    assert said[1]["content"] == [{"type": "redacted_thinking", "data": "sealed"}, text("So.")]


@pytest.mark.parametrize(
    "signature",
    [None, ir.Signature("gemini", "RXNpZw=="), ir.Signature("openai", "gAAA"), ir.Signature(None, "RUFCQw==")],
)
def test_pitfall_28_thoughts_that_claude_did_not_sign_are_left_out_and_told(signature: ir.Signature | None) -> None:
    said = assistant(thought("Hm.", signature), "So.", places=((NOT_OURS,), ()))
    answer = written(user("go"), said, user("on"), reasoning=THINKS)
    assert decode(encode(answer.body["messages"]))[1]["content"] == [text("So.")]
    assert lost(answer) == [(NOT_OURS, "hint")]


def test_bare_signatures_that_look_like_claudes_go_back() -> None:
    bare = thought("Hm.", ir.Signature(None, "EuYBCkQYBSJA"))
    said = messages(user("go"), assistant(bare, "So."), user("on"), reasoning=THINKS)
    assert said[1]["content"][0] == {"type": "thinking", "thinking": "Hm.", "signature": "EuYBCkQYBSJA"}


def test_pitfall_27_the_signature_of_a_gemini_call_stays_here() -> None:
    signed = ir.ToolCall(id="a", name="f", arguments=raw({}), signature=ir.Signature("gemini", "c2ln", "f"))
    said = assistant(signed, places=(("messages[1].tool_calls[0]",),))
    answer = written(user("go"), said, user(result("a", "ok")))
    assert b"c2ln" not in encode(answer.body)
    assert lost(answer) == [("messages[1].tool_calls[0]", "hint")]


def test_without_signatures_no_thoughts_go_back() -> None:
    said = assistant(thought("Hm."), "So.", places=((NOT_OURS,), ()))
    answer = written(user("go"), said, user("on"), reasoning=THINKS, target={"signatures": False})
    assert b"Hm." not in encode(answer.body)
    assert lost(answer) == [(NOT_OURS, "hint")]


def test_a_turn_of_thoughts_only_is_left_out() -> None:
    said = assistant(thought("Hm."), places=((NOT_OURS,),))
    answer = written(user("a"), said, user("b"), reasoning=THINKS)
    assert answer.body["messages"] == [{"role": "user", "content": [text("a"), text("b")]}]
    assert lost(answer) == [(NOT_OURS, "hint")]


def test_thoughts_go_back_to_a_model_that_thinks_unasked() -> None:
    said = messages(user("go"), assistant(thought("Hm."), "So."), user("on"), target=NEWER)
    assert said[1]["content"][0]["signature"] == SIGNED.value


# what other services did


def test_blocks_of_anthropics_own_services_go_back_as_they_came() -> None:
    value = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
    part = ir.Opaque(dialect="anthropic", kind="server_tool_use", value=raw(value), path="p")
    assert messages(user("go"), assistant(part, "So."), user("on"))[1]["content"] == [value, text("So.")]


def test_a_service_that_paused_goes_on() -> None:
    part = ir.Opaque(dialect="anthropic", kind="server_tool_use", value=raw({"type": "server_tool_use"}), path="p")
    assert messages(user("go"), assistant("So.", part), target=NEWER)[-1]["role"] == "assistant"


@pytest.mark.parametrize(("dialect", "severity"), [("gemini", "content"), ("openai-responses", "hint")])
def test_blocks_of_other_services_are_told(dialect: str, severity: str) -> None:
    part = ir.Opaque(dialect=dialect, kind="x", value=raw({}), path="p")
    assert lost(written(user("go"), assistant(part, "So."), user("on"))) == [("p", severity)]
