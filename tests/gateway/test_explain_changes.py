"""What came is told beside what goes out: where each value went, what it became, what is lost, what is new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway import ir
from gateway.explain import Change, Member, written
from gateway.explain.changes import changes
from gateway.explain.difference import difference
from tests.gateway.explained import ask, of, only, settled

pytestmark = pytest.mark.anyio

UPSTREAMS = """
[upstream.gemini]
api_key = "k"
[upstream.openai]
api_key = "k"
[upstream.anthropic]
api_key = "k"
[upstream.google]
type = "v1internal"
oauth = { client_id = "c", client_secret = "s" }
pool = { refresh_tokens = ["r"] }
"""
PNG = "iVBORw0KGgoAAAANSUhEUgAA"
CALLS: Any = [
    {"role": "user", "content": "Add them"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 17}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "it is 42"}]},
]
ADD = {"name": "add", "input_schema": {"type": "object", "properties": {"a": {"type": "number"}}}}


def rows(came: Any, goes: Any, *losses: ir.Loss) -> list[tuple[str, str | None, str | None]]:
    return [(one.how, one.came, one.goes) for one in changes(came, goes, losses)]


async def explained(folder: Path, dialect: str, model: str, **fields: Any) -> Member:
    return only(await of(settled(folder, UPSTREAMS), ask(dialect, model, **fields)))


def where(member: Member, came: str) -> list[tuple[str, str | None]]:
    return [(one.how, one.goes) for one in member.changes if one.came == came]


def one(member: Member, came: str) -> Change:
    (found,) = [change for change in member.changes if change.came == came]
    return found


# two documents


def test_the_same_document_is_carried_whole() -> None:
    assert rows({"a": [1, 2]}, {"a": [1, 2]}) == [("carried", "", "")]


def test_the_largest_equal_value_is_told_not_what_stands_in_it() -> None:
    assert rows({"schema": {"b": 5, "c": "word"}}, {"function": {"parameters": {"c": "word", "b": 5}}}) == [
        ("carried", "schema", "function.parameters")
    ]


def test_equal_values_are_told_in_their_order() -> None:
    came = {"messages": [{"text": "again"}, {"text": "again"}]}
    goes = {"contents": [{"parts": "again"}, {"parts": "again"}]}
    assert rows(came, goes) == [
        ("carried", "messages[0].text", "contents[0].parts"),
        ("carried", "messages[1].text", "contents[1].parts"),
    ]


def test_of_equal_values_that_of_the_nearest_name_is_told() -> None:
    goes = {"contents": [{"call": {"name": "add"}}], "tools": [{"declared": {"name": "add", "strict": False}}]}
    assert rows({"tools": [{"name": "add", "kind": "own"}]}, goes)[0] == (
        "carried",
        "tools[0].name",
        "tools[0].declared.name",
    )


def test_json_in_a_text_is_the_value_itself() -> None:
    call, arguments = {"input": {"a": 17, "b": [1]}}, {"arguments": '{"b": [1], "a": 17}'}
    assert rows(call, arguments) == [("carried", "input", "arguments")]
    assert rows(arguments, call) == [("carried", "arguments", "input")]


def test_a_text_within_another_is_told() -> None:
    came = {"system": [{"text": "Be brief."}, {"text": "Be kind."}]}
    assert rows(came, {"instructions": "Be brief.\n\nBe kind."}) == [
        ("changed", "system[0].text", "instructions"),
        ("changed", "system[1].text", "instructions"),
    ]


def test_the_pieces_of_a_data_address_are_told() -> None:
    came = {"parts": [{"url": f"data:image/png;base64,{PNG}"}]}
    assert rows(came, {"parts": [{"type": "image", "mime": "image/png", "data": PNG}]}) == [
        ("changed", "parts[0].url", "parts[0].mime"),
        ("changed", "parts[0].url", "parts[0].data"),
        ("added", None, "parts[0].type"),
    ]


@pytest.mark.parametrize(
    ("came", "goes", "names"),
    [
        ({"max_tokens": 900}, {"config": {"maxOutputTokens": 800}}, ("max_tokens", "config.maxOutputTokens")),
        ({"reasoning_effort": "high"}, {"reasoning": {"effort": "low"}}, ("reasoning_effort", "reasoning.effort")),
        (
            {"choice": {"no_parallel_tool_use": True}},
            {"parallel_tool_calls": False},
            ("choice.no_parallel_tool_use",) * 2,
        ),
    ],
)
def test_options_of_one_name_are_told_together(came: Any, goes: Any, names: tuple[str, str]) -> None:
    ((how, before, after),) = rows(came, goes)
    assert (how, before) == ("changed", names[0])
    assert after in (names[1], "parallel_tool_calls")


def test_options_that_only_look_alike_are_not() -> None:
    came, goes = {"bias": {"5": 1}, "stop": True, "top_k": 3}, {"budget": 2, "stop": "no", "top_p": 0.5}
    assert {how for how, _, _ in rows(came, goes)} == {"restated", "added"}


def test_small_values_are_no_ones_by_chance() -> None:
    came, goes = {"n": 1, "store": False, "kind": "a"}, {"strict": False, "count": 1, "as": "a"}
    assert rows(came, goes) == [
        ("restated", "n", None),
        ("restated", "store", None),
        ("restated", "kind", None),
        ("added", None, "strict"),
        ("added", None, "count"),
        ("added", None, "as"),
    ]


def test_what_is_lost_is_told_with_its_reason() -> None:
    loss = ir.Loss("messages[0].cache_control", "not carried", "hint")
    came = {"messages": [{"text": "Hello", "cache_control": {"type": "ephemeral"}}]}
    assert changes(came, {"contents": "Hello"}, [loss])[1] == Change(
        how="lost", came=loss.path, before={"type": "ephemeral"}, why="hint: not carried"
    )


def test_an_equal_value_elsewhere_is_not_what_was_lost() -> None:
    assert rows({"seed": 40}, {"top": {"k": 40}}, ir.Loss("seed", "not known", "change")) == [
        ("lost", "seed", None),
        ("added", None, "top"),
    ]


def test_what_stands_in_a_lost_block_is_lost() -> None:
    came = {"messages": [{"type": "document", "title": "A title", "data": "JVBERi0"}]}
    loss = ir.Loss("messages[0]", "no place for a document", "content")
    assert rows(came, {"said": "nothing"}, loss) == [("lost", "messages[0]", None), ("added", None, "said")]


def test_a_loss_that_stands_in_no_document_is_told_too() -> None:
    assert rows({}, {}, ir.Loss("anthropic-beta", "not known", "hint")) == [
        ("carried", "", ""),
        ("lost", "anthropic-beta", None),
    ]


def test_a_change_that_a_loss_explains_says_so() -> None:
    loss = ir.Loss("max_tokens", "cut to 800", "hint")
    assert changes({"max_tokens": 900}, {"max_output_tokens": 800}, [loss]) == (
        Change(how="changed", came="max_tokens", goes="max_output_tokens", before=900, after=800, why="cut to 800"),
    )


# requests


@pytest.mark.parametrize(
    ("model", "call", "result"),
    [
        ("gemini/gemini-2.5-flash", "contents[1].parts[0].functionCall.args", "contents[2].parts[0].functionResponse"),
        ("openai/gpt-4.1", "messages[2].tool_calls[0].function.arguments", "messages[3].content"),
        ("google/claude-sonnet-4-5", "request.contents[1].parts[0].functionCall.args", "request.contents[2].parts[0]"),
    ],
)
async def test_a_tool_loop_is_followed(model: str, call: str, result: str, tmp_path: Path) -> None:
    member = await explained(tmp_path, "anthropic", model, messages=CALLS, tools=[ADD])
    assert where(member, "messages[1].content[0].input") == [("carried", call)]
    ((how, goes),) = where(member, "messages[2].content[0].content")
    assert how == "carried"
    assert str(goes).startswith(result)


async def test_what_the_address_says_is_not_missed(tmp_path: Path) -> None:
    member = await explained(tmp_path, "openai-chat", "gemini/gemini-2.5-flash", stream=True)
    assert {one(member, "model").why, one(member, "stream").why} == {"in the address"}


async def test_every_loss_is_among_the_changes(tmp_path: Path) -> None:
    member = await explained(tmp_path, "anthropic", "openai/gpt-4.1", top_k=40, metadata={"user_id": "u"})
    told = {change.came for change in member.changes if change.why}
    assert member.losses
    assert {loss.path for loss in member.losses} <= told


async def test_own_words_are_told_by_the_lines_that_are_others(tmp_path: Path) -> None:
    member = await explained(tmp_path, "anthropic", "anthropic/claude-sonnet-4-5")
    assert member.passed_on
    changed = [line.rstrip(",") for line in member.difference[2:] if line[:1] in "+-"]
    assert changed == ['-  "model": "anthropic/claude-sonnet-4-5"', '+  "model": "claude-sonnet-4-5"']


async def test_own_words_that_go_on_as_they_came_differ_in_no_line(tmp_path: Path) -> None:
    file, asking = settled(tmp_path, UPSTREAMS), ask("gemini", "gemini/gemini-2.5-flash")
    explanation = await of(file, asking)
    member = only(explanation)
    assert (member.passed_on, member.difference, bytes(member.body or b"")) == (True, (), asking.body)
    assert "received and sent: the same" in written(explanation)


async def test_own_words_are_compared_with_what_stands_in_the_envelope(tmp_path: Path) -> None:
    member = await explained(tmp_path, "gemini", "google/gemini-2.5-flash")
    changed = [line.strip("+-, {}") for line in member.difference[2:] if line[:1] in "+-"]
    assert [line.partition(":")[0] for line in changed if line] == ['"sessionId"']


async def test_a_refused_request_has_no_changes(tmp_path: Path) -> None:
    file = settled(tmp_path, UPSTREAMS, '[translate]\nlossy = "strict"')
    member = only(await of(file, ask("anthropic", "openai/gpt-4.1", top_k=40)))
    assert (member.body, member.changes, member.difference) == (None, (), ())


async def test_the_conversation_before_is_said_to_be_unknown(tmp_path: Path) -> None:
    file = settled(tmp_path, UPSTREAMS)
    explanation = await of(file, ask("openai-responses", "gemini/gemini-2.5-flash", previous_response_id="resp_1"))
    (note,) = explanation.notes
    assert note.startswith("previous_response_id: not looked up")
    assert note in written(explanation)


# the text


async def test_the_text_has_a_line_for_each_value_but_not_for_roles(tmp_path: Path) -> None:
    file = settled(tmp_path, UPSTREAMS)
    text = written(await of(file, ask("anthropic", "gemini/gemini-2.5-flash", messages=CALLS, max_tokens=4000)))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "carried max_tokens → generationConfig.maxOutputTokens" in lines
    assert 'lost system[0].cache_control {"type":"ephemeral"} hint: marks for the prompt cache are not carried' in lines
    assert not [line for line in lines if "].role" in line]


async def test_a_long_list_is_cut_and_says_so(tmp_path: Path) -> None:
    turns = [{"role": ("user", "assistant")[n % 2], "content": f"the words of turn {n}"} for n in range(101)]
    file = settled(tmp_path, UPSTREAMS)
    explanation = await of(file, ask("anthropic", "gemini/gemini-2.5-flash", messages=turns))
    shown = [change for change in only(explanation).changes if not change.is_form]
    text = written(explanation)
    assert text.count("carried ") <= 60
    assert f"… {len(shown) - 60} more, which --json has" in text


# differences


def test_bodies_that_are_spaced_otherwise_differ_in_no_line() -> None:
    assert difference(b'{"a": [1,  2]}', b'{"a":[1,2]}') == ()


def test_a_difference_has_the_lines_around_it() -> None:
    came, goes = b'{"a": 1, "b": 2, "c": 3}', b'{"a": 1, "b": 2, "c": 4}'
    assert difference(came, goes)[-5:] == ('   "a": 1,', '   "b": 2,', '-  "c": 3', '+  "c": 4', " }")


def test_long_lines_and_long_differences_are_cut() -> None:
    (*_, long, _) = difference(b'{"a": 1}', json.dumps({"a": "x" * 1000}).encode())
    assert long.endswith("… 1,010 characters")
    many = difference(b"[]", json.dumps(list(range(1000))).encode())
    assert (len(many), many[-1]) == (401, "… and more")


def test_what_is_too_long_to_compare_says_so() -> None:
    body = json.dumps(list(range(20_001))).encode()
    assert difference(body, body) == ()
    assert difference(body, b"[]") == ("… too long to be compared line by line",)
