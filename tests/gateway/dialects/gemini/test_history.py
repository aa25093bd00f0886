"""The order of a conversation: calls meet their results, nobody speaks twice, nothing is empty."""

import msgspec
import pytest
from msgspec import Raw

from gateway import ir
from gateway.errors import InvalidRequest

from .asking import (
    CLAUDE,
    GEMINI_2,
    GEMINI_3,
    GPT,
    assistant,
    call,
    contents,
    image,
    lost,
    raw,
    result,
    sent,
    thought,
    user,
    written,
)

FAMILIES = pytest.mark.parametrize("model", [GEMINI_3, GEMINI_2, CLAUDE, GPT])
INTERRUPTED = {"error": "[no result: the tool call was interrupted]"}


def shape(*turns: ir.Turn, model: str = GEMINI_2) -> list[str]:
    """Write the order as `role:part,part`, where a part is its words, or f(id) and r(id)."""
    return [f"{role}:{','.join(map(_named, parts))}" for role, parts in contents(*turns, model=model)]


def _named(part: dict[str, dict[str, str]]) -> str:
    if "functionCall" in part:
        return f"f({part['functionCall']['id']})"
    if "functionResponse" in part:
        return f"r({part['functionResponse']['id']})"
    return str(part.get("text", "media"))


@FAMILIES
def test_results_follow_in_call_order_and_words_come_after(model: str) -> None:
    turns = (
        user("u"),
        assistant(call("c1", "f"), call("c2", "g")),
        user(result("c2", "2")),
        user(result("c1", "1")),
        user("next"),
    )
    assert shape(*turns, model=model) == ["user:u", "model:f(c1),f(c2)", "user:r(c1),r(c2)", "user:next"]


@pytest.mark.parametrize(
    ("model", "order"),
    [
        (GEMINI_3, ["user:a, ,b", "model:\n,c,\n\n,d", "user:e"]),
        (CLAUDE, ["user:a ,b", "model:c\n\n,d", "user:e"]),
    ],
)
def test_claude_has_blank_words_behind_those_before_them(model: str, order: list[str]) -> None:
    assert shape(user("a", " ", "b"), assistant("\n", "c", "\n\n", "d"), user("e"), model=model) == order


@pytest.mark.parametrize(
    ("model", "order"),
    [
        (GEMINI_3, ["user:u", "model:here,media,see", "user:blue"]),
        (CLAUDE, ["user:u", "model:here,see", "user:[shown by the assistant:],media,blue"]),
    ],
)
def test_claude_is_shown_by_the_user_what_another_model_drew(model: str, order: list[str]) -> None:
    turns = (user("u"), assistant("here", image(), "see"), user("blue"))
    assert shape(*turns, model=model) == order
    assert bool(lost(written(*turns, model=model), "change")) == (model == CLAUDE)


def test_what_claude_is_shown_stands_behind_the_results_of_its_calls() -> None:
    turns = (user("u"), assistant(image(), call()), user(result(), "next"))
    shown = "user:[shown by the assistant:],media,next"
    assert shape(*turns, model=CLAUDE) == ["user:u", "model:f(c1)", "user:r(c1)", shown]
    assert shape(user("u"), assistant(image()), model=CLAUDE) == ["user:u,[shown by the assistant:],media"]


def test_words_before_the_results_come_after_them() -> None:
    assert shape(user("u"), assistant(call()), user("w", result())) == ["user:u", "model:f(c1)", "user:r(c1)", "user:w"]


def test_items_of_one_answer_become_one_turn() -> None:
    turns = (
        user("u"),
        assistant(thought()),
        assistant("say"),
        assistant(call("c1")),
        assistant(call("c2")),
        user(result("c1")),
        user(result("c2")),
    )
    assert shape(*turns) == ["user:u", "model:say,f(c1),f(c2)", "user:r(c1),r(c2)"]


def test_calls_stand_at_the_end_of_their_turn() -> None:
    assert shape(user("u"), assistant(call(), "after"), user(result()))[1] == "model:after,f(c1)"


def test_plain_turns_of_one_speaker_are_merged() -> None:
    assert shape(user("a"), user("b"), assistant("c"), assistant("d"), user("e")) == ["user:a,b", "model:c,d", "user:e"]


@FAMILIES
def test_missing_result_is_an_error_result(model: str) -> None:
    answer = contents(user("u"), assistant(call("c1"), call("c2")), user(result("c2", "ok"), "go on"), model=model)
    first, second = answer[2][1]
    assert first["functionResponse"] == {"id": "c1", "name": "f", "response": INTERRUPTED}
    assert second["functionResponse"]["response"] == {"output": "ok"}


@FAMILIES
def test_call_at_the_end_gets_a_result(model: str) -> None:
    assert contents(user("u"), assistant(call()), model=model)[-1][1][0]["functionResponse"]["response"] == INTERRUPTED


def test_result_without_call_becomes_words_of_the_user_and_is_told() -> None:
    answer = written(user("u", result("gone", "42", image())), model=GEMINI_2)
    assert sent(answer)["contents"][0]["parts"] == [
        {"text": "u"},
        {"text": "[tool result gone] 42"},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    ]
    assert lost(answer, "change") == ["results[gone]"]


def test_result_behind_another_answer_is_too_late() -> None:
    assert shape(user("u"), assistant(call()), user("x"), assistant("y"), user(result("c1", "late")))[2:] == [
        "user:r(c1)",
        "user:x",
        "model:y",
        "user:[tool result c1] late",
    ]


def test_last_of_two_results_for_one_call_holds() -> None:
    answer = written(user("u"), assistant(call()), user(result("c1", "old"), result("c1", "new")))
    (part,) = sent(answer)["contents"][2]["parts"]
    assert part["functionResponse"]["response"] == {"output": "new"}
    assert lost(answer, "change") == ["results[c1]"]


def test_two_calls_of_one_id_get_their_results_in_order() -> None:
    turns = (user("u"), assistant(call("c", "f"), call("c", "g")), user(result("c", "F"), result("c", "G")))
    responses = [part["functionResponse"] for part in contents(*turns)[2][1]]
    assert responses == [
        {"id": "c", "name": "f", "response": {"output": "F"}},
        {"id": "c_2", "name": "g", "response": {"output": "G"}},
    ]


@FAMILIES
def test_id_used_in_a_later_turn_is_made_another(model: str) -> None:
    turns = (user("u"), assistant(call()), user(result()), assistant(call()), user(result()))
    assert shape(*turns, model=model)[1::2] == ["model:f(c1)", "model:f(c1_2)"]
    assert shape(*turns, model=model)[2::2] == ["user:r(c1)", "user:r(c1_2)"]


def test_illegal_id_is_the_same_on_both_sides() -> None:
    _, (_, calls), (_, results) = contents(
        user("u"), assistant(call("functions.Bash:0")), user(result("functions.Bash:0"))
    )
    call_id = calls[0]["functionCall"]["id"]
    assert results[0]["functionResponse"]["id"] == call_id
    assert call_id.startswith("functions_Bash_0_")


def test_call_without_a_name_and_its_result_go_by_one() -> None:
    _, (_, calls), (_, results) = contents(user("u"), assistant(call("c1", "")), user(result("c1")))
    assert results[0]["functionResponse"]["name"] == calls[0]["functionCall"]["name"] != ""


@FAMILIES
def test_history_that_begins_with_the_model_gets_a_user_turn(model: str) -> None:
    assert shape(assistant("a"), user("u"), model=model)[0] == "user:(conversation continues)"


@FAMILIES
def test_an_empty_last_word_of_the_user_is_still_one(model: str) -> None:
    assert shape(user("a"), assistant("b"), user(""), model=model) == ["user:a", "model:b", "user:(empty)"]


@FAMILIES
def test_an_empty_last_word_adds_nothing_to_the_result_of_a_call(model: str) -> None:
    assert shape(user("a"), assistant(call("c1", "f")), user(""), model=model)[-1] == "user:r(c1)"


def test_claude_is_asked_to_go_on_instead_of_a_prefill() -> None:
    answer = written(user("u"), assistant("The answer is"), model=CLAUDE)
    assert sent(answer)["contents"][-1] == {"role": "user", "parts": [{"text": "Continue from where you stopped."}]}
    assert lost(answer, "change") == ["messages"]


@pytest.mark.parametrize("model", [GEMINI_3, GPT])
def test_others_take_a_prefill(model: str) -> None:
    assert shape(user("u"), assistant("The answer is"), model=model)[-1] == "model:The answer is"


# what is empty


@FAMILIES
def test_empty_answer_is_dropped_and_its_neighbours_merged(model: str) -> None:
    assert shape(user("a"), assistant("", thought(signature=None)), user("b"), model=model) == ["user:a,b"]


def test_blank_text_is_kept_for_gemini_and_dropped_for_claude() -> None:
    assert shape(user(" ", "a"), model=GEMINI_3) == ["user: ,a"]
    assert shape(user(" ", "a"), model=CLAUDE) == ["user:a"]


@pytest.mark.parametrize("turns", [(user(""),), (user(), assistant(""))])
@FAMILIES
def test_nothing_at_all_is_refused(model: str, turns: tuple[ir.Turn, ...]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        written(*turns, model=model)
    assert caught.value.param == "messages"


@FAMILIES
def test_nothing_at_all_is_refused_as_the_caller_calls_it(model: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^input: has nothing") as caught:
        written(user(""), model=model, paths={"messages": "input"})
    assert caught.value.param == "input"


# results and arguments


@pytest.mark.parametrize(
    ("text", "response"),
    [
        ("sunny", {"output": "sunny"}),
        ("", {"output": ""}),
        ('{ "$a" = x; }', {"output": '{ "$a" = x; }'}),
        ("[1, 2]", {"output": "[1, 2]"}),
        ("42", {"output": "42"}),
        ('{"ok":1}', {"ok": 1}),
        (' {"ok": {"deep": [1]}}\n', {"ok": {"deep": [1]}}),
        ('{"ok":1} trailing', {"output": '{"ok":1} trailing'}),
        ('{"id":12345678901234567890}', {"output": '{"id":12345678901234567890}'}),
        ('{"most":1E+400}', {"output": '{"most":1E+400}'}),
        ('{"least":1e-400,"much":5e99}', {"least": 0, "much": 5e99}),
        ('{"a":' * 70 + "1" + "}" * 70, {"output": '{"a":' * 70 + "1" + "}" * 70}),
        ('{"a":"\\ud800"}', {"output": '{"a":"\\ud800"}'}),
        ('{"a":{"$ref":"#/b"}}', {"output": '{"a":{"$ref":"#/b"}}'}),
    ],
)
def test_result_is_an_object_with_its_text_intact(text: str, response: dict[str, object]) -> None:
    answer = contents(user("u"), assistant(call()), user(result("c1", text)))
    assert answer[2][1][0]["functionResponse"]["response"] == response


def test_failed_result_is_an_error_even_when_it_is_json() -> None:
    answer = contents(user("u"), assistant(call()), user(result("c1", '{"a":1}', is_error=True)))
    assert answer[2][1][0]["functionResponse"]["response"] == {"error": '{"a":1}'}


def test_texts_of_a_result_are_joined() -> None:
    answer = contents(user("u"), assistant(call()), user(result("c1", "a", "b")))
    assert answer[2][1][0]["functionResponse"]["response"] == {"output": "a\nb"}


def test_image_of_a_result_stands_inside_for_gemini_3() -> None:
    (part,) = contents(user("u"), assistant(call()), user(result("c1", "see", image())), model=GEMINI_3)[2][1]
    assert part["functionResponse"]["parts"] == [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]


@pytest.mark.parametrize("model", [GEMINI_2, CLAUDE])
def test_images_of_results_are_shown_behind_all_results_elsewhere(model: str) -> None:
    """dialects.md §5.5"""
    given = result("a", image()), result("b", "x"), ir.Text(text="well?")
    turns = (user("u"), assistant(call("a"), call("b")), user(*given))
    assert shape(*turns, model=model)[2:] == ["user:r(a),r(b)", "user:media,well?"]
    assert shape(*turns[:2], user(*given[:2]), model=model)[2:] == ["user:r(a),r(b)", "user:media"]


def test_arguments_are_untouched() -> None:
    given = {"format": "x", "title": "y", "const": 1, "$ref": "#", "cache_control": None}
    made = ir.ToolCall(id="c1", name="f", arguments=raw(given))
    turn = contents(user("u"), assistant(made), user(result()))[1]
    assert turn[1][0]["functionCall"]["args"] == given


def test_arguments_go_out_byte_for_byte() -> None:
    made = ir.ToolCall(id="c", name="f", arguments=Raw(b'{"n": 12345678901234567890}'))
    answer = written(user("u"), assistant(made))
    assert b'"args":{"n": 12345678901234567890}' in msgspec.json.encode(answer.body)


# media and blocks of other dialects


@pytest.mark.parametrize("model", [GEMINI_3, CLAUDE])
@pytest.mark.parametrize("media_type", ["image/png", "image/webp", "application/pdf"])
def test_media_is_inline_data(model: str, media_type: str) -> None:
    (turn,) = contents(user(image(media_type=media_type)), model=model)
    assert turn == ("user", [{"inlineData": {"mimeType": media_type, "data": "AAAA"}}])


@pytest.mark.parametrize(
    ("media", "model"),
    [
        (image(data=None, url="https://example.org/a.png"), GEMINI_3),
        (image(media_type="application/zip"), GEMINI_3),
        (image(media_type="audio/wav"), CLAUDE),
        (image(), GPT),
    ],
)
def test_media_that_cannot_go_is_refused_by_its_path(media: ir.Media, model: str) -> None:
    with pytest.raises(InvalidRequest, match=r"messages\[0\]\.content\[0\]") as caught:
        written(user("u", media), model=model)
    assert caught.value.param == "messages[0].content[0]"


def test_block_of_another_dialect_is_dropped_and_told() -> None:
    block = ir.Opaque(dialect="anthropic", kind="server_tool_use", value=raw({}), path="messages[1].content[0]")
    answer = written(user("u"), assistant(block, "found"), user("v"))
    assert sent(answer)["contents"][1]["parts"] == [{"text": "found"}]
    assert lost(answer, "hint") == ["messages[1].content[0]"]


def test_block_of_gemini_goes_as_it_is() -> None:
    part = {"fileData": {"fileUri": "gs://b/x.mp4", "mimeType": "video/mp4"}}
    block = ir.Opaque(dialect="gemini", kind="fileData", value=raw(part))
    assert contents(user("u", block))[0][1] == [{"text": "u"}, part]


def test_calls_of_one_id_are_told_apart_however_many_there_are() -> None:
    """Some clients call every call the same; to try the numbers from 2 on for each would take minutes."""
    calls = [call("x", "f") for _ in range(20_000)]
    _, (_, parts), *_ = contents(user("u"), assistant(*calls), model=GEMINI_2)
    ids = [part["functionCall"]["id"] for part in parts]
    assert ids[:3] == ["x", "x_2", "x_3"]
    assert len(set(ids)) == len(calls)


@pytest.mark.parametrize(("later", "severity"), [("1", "hint"), ("2", "change")])
def test_a_result_that_came_twice_is_a_loss_only_if_it_says_something_else(later: str, severity: str) -> None:
    turns = (user("u"), assistant(call("c1", "f")), user(result("c1", "1"), result("c1", later)))
    answer = written(*turns, model=GEMINI_2)
    assert [turn["parts"][0]["functionResponse"]["response"] for turn in sent(answer)["contents"][2:]] == [
        {"output": later}
    ]
    assert [loss.severity for loss in answer.losses] == [severity]
