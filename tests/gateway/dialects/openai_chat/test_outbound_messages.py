"""The messages for a Chat upstream."""

import re
from collections.abc import Sequence

import pytest

from gateway import ir
from gateway.errors import InvalidRequest

from .outbound import (
    OTHER,
    Json,
    assistant,
    call,
    function,
    lost,
    message_of,
    messages,
    raw,
    result,
    tool_of,
    user,
    written,
)

PNG = "iVBORw0KGgo="
GEMINI = ir.Signature("gemini", "c2ln", "f")


def test_instructions_lead_as_one_message() -> None:
    system = (ir.Text(text="Be brief."), ir.Text(text="Be kind."))
    assert messages(user("hi"), system=system) == [
        {"role": "system", "content": "Be brief.\n\nBe kind."},
        {"role": "user", "content": "hi"},
    ]


def test_an_instruction_within_the_conversation_keeps_its_place() -> None:
    rule = ir.Turn(role="system", parts=(ir.Text(text="rule"),))
    roles = [message["role"] for message in messages(user("a"), assistant("b"), rule, user("c"))]
    assert roles == ["user", "assistant", "system", "user"]


def test_an_empty_last_word_of_the_user_is_still_one() -> None:
    assert messages(user("a"), assistant("b"), user(""))[-1] == {"role": "user", "content": "(empty)"}


@pytest.mark.parametrize("behind", [(), (user(""),)], ids=["nothing", "an empty word"])
def test_a_call_that_the_conversation_ends_with_was_interrupted(behind: Sequence[ir.Turn]) -> None:
    """Without a result OpenAI refuses it, as it does any other call."""
    last = messages(user("a"), assistant(call("c1")), *behind)[-1]
    assert (last["role"], last["tool_call_id"]) == ("tool", "c1")
    assert "interrupted" in last["content"]


def test_results_follow_their_calls_in_call_order() -> None:
    turns = (
        user("go"),
        assistant("I look.", call("c1", city="Rome"), call("c2", "g")),
        user(result("c2", "two"), "and now?", result("c1", "one")),
    )
    assert messages(*turns) == [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"city":"Rome"}'}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
        {"role": "user", "content": "and now?"},
    ]


def test_what_a_model_has_said_in_a_row_stays_apart() -> None:
    said = messages(user("a"), assistant("one"), assistant("two", "!"), assistant(ir.Thinking(text="hm")), user("b"))
    assert [one["content"] for one in said] == ["a", "one", "two!", "b"]
    calling = assistant("three", call("c1")), assistant("four"), user(result("c1", "x"))
    said = messages(user("a"), assistant("one"), *calling, assistant("five"), assistant("six"))
    assert [one["content"] for one in said] == ["a", "one\nthree\nfour", "x", "five", "six"]


def test_thoughts_stay_with_what_follows_them() -> None:
    first, second, third = (assistant(ir.Thinking(text=text)) for text in "123")
    turns = user("a"), first, assistant("one"), second, assistant("two"), third, user("b")
    said = messages(*turns, model="deepseek-reasoner")
    assert [(one["content"], one.get("reasoning_content")) for one in said[1:3]] == [("one", "1"), ("two", "23")]


def test_an_answer_of_calls_only_has_no_content() -> None:
    assert messages(user("go"), assistant(call("c1")))[1]["content"] is None


def test_an_interrupted_call_gets_an_error_for_its_result() -> None:
    said = messages(user("go"), assistant(call("c1")), user("never mind"))
    content = "Error: [no result: the tool call was interrupted]"
    assert said[2:] == [
        {"role": "tool", "tool_call_id": "c1", "content": content},
        {"role": "user", "content": "never mind"},
    ]


def test_the_result_of_an_unknown_call_becomes_text() -> None:
    answer = written(user(result("c9", "late")))
    assert answer.body["messages"] == [{"role": "user", "content": "[tool result c9] late"}]
    assert lost(answer) == [("messages[9]", "change")]


def test_the_result_of_an_unknown_call_stays_between_the_words_around_it() -> None:
    said = messages(user("first"), user(result("c9", "late")), user("then"))
    assert [message["content"] for message in said] == ["first", "[tool result c9] late", "then"]


def test_the_result_of_an_unknown_call_stands_behind_those_of_known_ones() -> None:
    said = messages(user("go"), assistant(call("c1")), user(result("c9", "late"), result("c1", "one"), "next"))
    assert [message["content"] for message in said[2:]] == ["one", "[tool result c9] late", "next"]


def test_an_error_says_so_and_nothing_is_an_empty_string() -> None:
    said = messages(user("go"), assistant(call("a"), call("b")), user(result("a", "no", is_error=True), result("b")))
    assert [message["content"] for message in said[2:]] == ["Error: no", ""]


def test_a_call_that_the_talk_ends_with_is_answered_ahead_of_what_the_model_has_shown() -> None:
    picture = ir.Media(media_type="image/png", data=PNG)
    said = messages(user("draw"), assistant(picture, call("a")))
    assert [one["role"] for one in said] == ["user", "assistant", "tool", "user"]


def test_a_picture_in_a_result_follows_the_group() -> None:
    picture = ir.Media(media_type="image/png", data=PNG)
    said = messages(
        user("go"), assistant(call("a"), call("b")), user(result("a", "seen", picture), result("b", "ok"), "so?")
    )
    assert said[2:] == [
        {"role": "tool", "tool_call_id": "a", "content": "seen\n[image attached below]"},
        {"role": "tool", "tool_call_id": "b", "content": "ok"},
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}],
        },
        {"role": "user", "content": "so?"},
    ]


def test_a_document_in_a_result_is_not_called_a_picture() -> None:
    document = ir.Media(media_type="application/pdf", data="JVBERi0=")
    said = messages(user("go"), assistant(call("a")), user(result("a", "seen", document)))
    assert said[2]["content"] == "seen\n[file attached below]"
    assert [part["type"] for part in said[3]["content"]] == ["file"]


def test_long_ids_are_cut_alike_for_call_and_result() -> None:
    long = "toolu_" + "x" * 50
    said = messages(user("go"), assistant(call(long)), user(result(long, "ok")))
    ident = said[1]["tool_calls"][0]["id"]
    assert ident == said[2]["tool_call_id"] == messages(user("go"), assistant(call(long)))[1]["tool_calls"][0]["id"]
    assert len(ident) <= 40


@pytest.mark.parametrize("model", ["mistral-large-latest", "mistralai/Devstral-Small-2", "open-mixtral-8x22b"])
def test_mistrals_get_ids_of_their_own_form(model: str) -> None:
    turns = assistant(call("toolu_1"), call("D681PevKs")), user(result("toolu_1"), result("D681PevKs"))
    _, said, *answers = messages(user("go"), *turns, model=model)
    first, second = (one["id"] for one in said["tool_calls"])
    assert (len(first), first.isalnum(), second) == (9, True, "D681PevKs")
    assert [answer["tool_call_id"] for answer in answers] == [first, second]


def test_mistrals_answer_results_before_the_user_goes_on() -> None:
    turns = user("go"), assistant(call("c1")), user(result("c1", "ok"), "and then?")
    assert [message["role"] for message in messages(*turns)[2:]] == ["tool", "user"]
    said = messages(*turns, model="mistral-large-latest")[2:]
    assert [message["role"] for message in said] == ["tool", "assistant", "user"]
    assert said[1:] == [{"role": "assistant", "content": "OK."}, {"role": "user", "content": "and then?"}]


def test_illegal_ids_are_made_legal() -> None:
    said = messages(user("go"), assistant(call("functions.f:0")), user(result("functions.f:0", "ok")))
    ident = said[1]["tool_calls"][0]["id"]
    assert ident == said[2]["tool_call_id"]
    assert re.fullmatch("functions_f_0_[0-9a-f]{8}", ident)


def test_a_name_that_is_too_long_is_mapped_in_call_and_tool() -> None:
    name = "mcp__server__" + "x" * 80
    answer = written(user("go"), assistant(call("a", name)), tools=(function(name),))
    short = tool_of(answer)["function"]["name"]
    assert len(short) <= 64
    assert message_of(answer, 1)["tool_calls"][0]["function"]["name"] == short
    assert answer.names.original(short) == name


# media


def media_of(part: ir.Media) -> Json:
    (written_,) = messages(user(part), model=OTHER)[0]["content"]
    return dict(written_)


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        (
            ir.Media(media_type="image/png", data=PNG, detail="low"),
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
        ),
        (
            ir.Media(media_type="image/*", url="https://a.example/x"),
            {"type": "image_url", "image_url": {"url": "https://a.example/x"}},
        ),
        (
            ir.Media(media_type="video/mp4", data="AAAA"),
            {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
        ),
        (
            ir.Media(media_type="video/*", url="https://youtu.be/a"),
            {"type": "video_url", "video_url": {"url": "https://youtu.be/a"}},
        ),
        (
            ir.Media(media_type="audio/mpeg", data="AAAA"),
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        ),
        (
            ir.Media(media_type="application/pdf", data="JVBERi0="),
            {
                "type": "file",
                "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
            },
        ),
        (
            ir.Media(media_type="application/pdf", data="JVBERi0=", filename="a.pdf"),
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        ),
        (
            ir.Media(media_type="text/plain", data="/w=="),
            {"type": "file", "file": {"filename": "file", "file_data": "data:text/plain;base64,/w=="}},
        ),
    ],
)
def test_media_have_a_part_of_their_kind(media: ir.Media, expected: Json) -> None:
    assert media_of(media) == expected


def test_plain_text_in_a_file_is_text() -> None:
    assert messages(user("see:", ir.Media(media_type="text/csv", data="YSxi")))[0]["content"] == "see:\na,b"


@pytest.mark.parametrize(
    "media",
    [
        ir.Media(media_type="video/mp4", url="gs://bucket/x.mp4", path="messages[0].content[1]"),
        ir.Media(media_type="audio/flac", data="AAAA", path="messages[0].content[1]"),
        ir.Media(media_type="application/pdf", url="https://a.example/x.pdf", path="messages[0].content[1]"),
        ir.Media(media_type="image/png", url="gs://bucket/x.png", path="messages[0].content[1]"),
    ],
)
def test_media_that_nothing_can_carry_are_refused(media: ir.Media) -> None:
    with pytest.raises(InvalidRequest) as caught:
        messages(user("hi", media))
    assert caught.value.param == "messages[0].content[1]"


BLIND: list[Json] = [
    {"model": OTHER, "target": {"draws": False}},
    *({"model": model} for model in ("openai/gpt-4.1", "openai/o3", "anthropic/claude-opus-4.6")),
]


@pytest.mark.parametrize("given", BLIND)
@pytest.mark.parametrize(("data", "url"), [("AAAA", None), (None, "https://a.example/x.mp4")])
def test_the_models_of_openai_and_anthropic_are_shown_no_video(data: str | None, url: str | None, given: Json) -> None:
    """dialects.md §1.2: none of them sees one, whoever serves it."""
    video = ir.Media(media_type="video/mp4", data=data, url=url, path="messages[0].content[1]")
    with pytest.raises(InvalidRequest, match="does not accept video") as caught:
        messages(user("hi", video), **given)
    assert caught.value.param == "messages[0].content[1]"


def test_names_and_details_that_have_no_place_are_hints() -> None:
    picture = ir.Media(media_type="image/png", data=PNG, filename="a.png", path="m[0].inlineData.data")
    sound = ir.Media(media_type="audio/wav", data="AAAA", detail="low", detail_path="m[0].mediaResolution")
    answer = written(user(picture, sound), paths={"filename": "displayName"})
    assert lost(answer) == [("m[0].inlineData.displayName", "hint"), ("m[0].mediaResolution", "hint")]


# thoughts and signatures


def test_thoughts_are_left_out_and_told() -> None:
    thought = ir.Thinking(text="hm", signature=ir.Signature("claude", "x"))
    answer = written(user("a"), assistant(thought, "b", places=(("messages[1].content[0]",), ())))
    assert message_of(answer, 1) == {"role": "assistant", "content": "b"}
    assert lost(answer) == [("messages[1].content[0]", "hint")]


def test_an_answer_of_nothing_but_thoughts_is_left_out() -> None:
    said = messages(user("a"), assistant(ir.Thinking(text="hm")), user("b"))
    assert said == [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]


@pytest.mark.parametrize("model", ["deepseek-reasoner", "kimi-k2-thinking", "xiaomi/MiMo-V2.5-Pro"])
def test_those_that_ask_for_the_thoughts_before_a_call_get_them_back(model: str) -> None:
    turns = (user("a"), assistant(ir.Thinking(text="hm"), call("c1"), places=(("messages[1]",), ())))
    answer = written(*turns, model=model)
    assert message_of(answer, 1)["reasoning_content"] == "hm"
    assert answer.losses == ()
    assert "reasoning_content" not in messages(*turns, model=model, target={"signatures": False})[1]


def test_thoughts_without_an_answer_are_told_to_be_lost() -> None:
    alone = assistant(ir.Thinking(text="hm"), places=(("messages[1].reasoning_content",),))
    answer = written(user("a"), alone, user("b"), model="deepseek-reasoner")
    assert [message["role"] for message in messages(user("a"), alone, user("b"), model="deepseek-reasoner")] == [
        "user",
        "user",
    ]
    assert lost(answer) == [("messages[1].reasoning_content", "hint")]


def test_an_instruction_between_two_turns_of_the_user_keeps_its_place() -> None:
    rule = ir.Turn(role="system", parts=(ir.Text(text="rule"),))
    roles = [message["role"] for message in messages(user("a"), rule, user("b"))]
    assert roles == ["user", "system", "user"]
    assert lost(written(user("a"), rule, user("b"))) == []


def test_deepseek_does_not_get_the_thoughts_of_others() -> None:
    thought = ir.Thinking(text="hm", signature=ir.Signature("claude", "x"))
    said = messages(user("a"), assistant(thought, call("c1")), model="deepseek-reasoner")
    assert said[1]["reasoning_content"] == ""


def test_geminis_compatible_server_gets_its_signatures_back() -> None:
    turn = assistant(call("c1", signature=GEMINI), places=(("messages[1].tool_calls[0]",),))
    answer = written(user("a"), turn, model="gemini-3-pro")
    (made,) = message_of(answer, 1)["tool_calls"]
    assert made["extra_content"] == {"google": {"thought_signature": "c2ln"}}
    assert answer.losses == ()


def test_nobody_else_gets_a_signature() -> None:
    turn = assistant(call("c1", signature=GEMINI), places=(("messages[1].tool_calls[0]",),))
    answer = written(user("a"), turn, model=OTHER)
    (made,) = message_of(answer, 1)["tool_calls"]
    assert "extra_content" not in made
    assert lost(answer) == [("messages[1].tool_calls[0]", "hint")]


# what is left out


def test_blocks_that_only_another_dialect_reads_are_told() -> None:
    search = ir.Opaque(dialect="anthropic", kind="server_tool_use", value=raw({}), path="messages[1].content[0]")
    called = ir.Opaque(dialect="gemini", kind="toolCall", value=raw({}), path="contents[1].parts[0]")
    answer = written(user("a"), assistant(search, "b"), user("c", called))
    assert message_of(answer, 2) == {"role": "user", "content": "c"}
    assert lost(answer) == [("messages[1].content[0]", "hint"), ("contents[1].parts[0]", "content")]


def test_empty_messages_are_left_out() -> None:
    assert messages(user(), user(""), assistant(""), user("hi")) == [{"role": "user", "content": "hi"}]


def test_nothing_to_read_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        written(user(""), paths={"messages": "contents"})
    assert caught.value.param == "contents"
