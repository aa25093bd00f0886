"""Blocks that change what the model is shown, or which tools it is offered."""

from typing import Any

import pytest

from gateway import ir
from gateway.errors import InvalidRequest, UndeclaredTool

from .asking import lost, read

Json = dict[str, Any]

SUMMARY: Json = {"type": "compaction", "content": "So far."}
F: Json = {"name": "f", "input_schema": {"type": "object"}}
G: Json = {"name": "g", "input_schema": {"type": "object"}}


def user(*content: Json | str) -> Json:
    return {"role": "user", "content": [block(one) for one in content]}


def model(*content: Json | str) -> Json:
    return {"role": "assistant", "content": [block(one) for one in content]}


def system(*content: Json | str, **also: Any) -> Json:
    return {"role": "system", "content": [block(one) for one in content], **also}


def block(given: Json | str) -> Json:
    return {"type": "text", "text": given} if isinstance(given, str) else given


def change(kind: str, name: str, **also: Any) -> Json:
    return {"type": f"tool_{kind}", "tool": {"type": "tool_reference", "name": name}, **also}


def added(definition: Json) -> Json:
    return {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": definition}}


def said(request: ir.Request) -> list[tuple[str, list[str]]]:
    return [(turn.role, [part.text for part in turn.parts if isinstance(part, ir.Text)]) for turn in request.turns]


def offered(*messages: Json, tools: list[Json] | None = None, **fields: Any) -> list[str]:
    return [tool.name for tool in read(messages=messages, tools=[F, G] if tools is None else tools, **fields).tools]


def test_a_summary_stands_for_all_that_was_before_it() -> None:
    request = read(messages=[user("a"), system("rule"), model("b", SUMMARY, "c"), user("d")])
    assert said(request) == [("user", ["So far."]), ("assistant", ["c"]), ("user", ["d"])]
    assert lost(request) == []


def test_a_summary_alone_leaves_no_empty_message() -> None:
    request = read(messages=[user("a"), model(SUMMARY), user("d")])
    assert said(request) == [("user", ["So far."]), ("user", ["d"])]


def test_the_user_can_begin_with_a_summary() -> None:
    request = read(messages=[user(SUMMARY, "a")])
    assert said(request) == [("user", ["So far."]), ("user", ["a"])]


def test_the_last_summary_holds() -> None:
    request = read(messages=[model(SUMMARY), user("a"), model({**SUMMARY, "content": "By now."}, "b"), user("c")])
    assert said(request) == [("user", ["By now."]), ("assistant", ["b"]), ("user", ["c"])]


@pytest.mark.parametrize("failed", [{"content": None}, {}, {"content": None, "tool_changes": []}])
def test_a_summary_that_failed_changes_nothing(failed: Json) -> None:
    request = read(messages=[user("a"), model("b", {"type": "compaction", **failed}), user("c")])
    assert said(request) == [("user", ["a"]), ("assistant", ["b"]), ("user", ["c"])]


def test_what_only_anthropic_reads_of_a_summary_is_reported() -> None:
    sealed = {**SUMMARY, "signature": "s", "encrypted_content": "e", "cache_control": {"type": "ephemeral"}}
    request = read(messages=[user("a"), model("b", sealed), user("c")])
    assert sorted(lost(request)) == [
        f"messages[1].content[1].{name}" for name in ("cache_control", "encrypted_content", "signature")
    ]


def test_a_call_after_a_summary_keeps_its_place() -> None:
    call: Json = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "1", "x": 1}
    request = read(messages=[user("a"), model("b", SUMMARY, call), user(result)], tools=[F])
    assert [type(part) for turn in request.turns for part in turn.parts] == [ir.Text, ir.ToolCall, ir.ToolResult]
    assert lost(request) == ["messages[2].content[0].x"]


@pytest.mark.parametrize(
    ("messages", "path"),
    [
        ([user("a"), system(SUMMARY)], "messages[1].content[0].type"),
        (
            [user({"type": "tool_result", "tool_use_id": "t", "content": [SUMMARY]})],
            "messages[0].content[0].content[0]",
        ),
        ([user("a"), model({"type": "compaction", "content": 5})], "messages[1].content[0].content"),
        ([user("a"), system({"type": "tool_addition"})], "messages[1].content[0].tool"),
        ([user("a"), system(change("removal", "f") | {"tool": {"type": "x"}})], "messages[1].content[0].tool.type"),
        (
            [user("a"), model({**SUMMARY, "tool_changes": [{"type": "x"}]})],
            "messages[1].content[0].tool_changes[0].type",
        ),
        ([system(change("removal", "f"))], "messages"),
        ([user("a"), system(change("removal", "f")), user({"type": "what"})], "messages[2].content[0].type"),
    ],
)
def test_what_is_wrong_is_named(messages: list[Json], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(messages=messages, tools=[F])
    assert (caught.value.param or "").startswith(path)


def test_a_removed_tool_is_not_offered() -> None:
    assert offered(user("a"), system("rule", change("removal", "f")), user("b")) == ["g"]


def test_words_beside_a_change_stay() -> None:
    request = read(messages=[user("a"), system(change("removal", "f"), "rule"), user("b")], tools=[F])
    assert said(request) == [("user", ["a"]), ("system", ["rule"]), ("user", ["b"])]


def test_a_message_of_changes_alone_is_none() -> None:
    request = read(messages=[user("a"), system(change("removal", "f")), user("b")], tools=[F])
    assert said(request) == [("user", ["a"]), ("user", ["b"])]
    assert lost(request) == []


def test_the_effort_beside_a_change_holds() -> None:
    effort = {"output_config": {"effort": "low"}}
    request = read(messages=[user("a"), system(change("removal", "f"), **effort)], tools=[F])
    assert request.reasoning.level == "low"


def test_the_last_change_of_a_tool_holds() -> None:
    back = (user("a"), system(change("removal", "f")), user("b"), system(change("addition", "f")), user("c"))
    assert sorted(offered(*back)) == ["f", "g"]
    assert sorted(offered(*back, system(change("removal", "f")))) == ["g"]


def test_a_tool_can_be_defined_within_the_conversation() -> None:
    messages = [user("a"), system(added({**F, "description": "new", "x": 1})), user("b")]
    request = read(messages=messages, tools=[F])
    assert [tool.description for tool in request.tools] == ["new"]
    assert request.tools[0].path == "messages[1].content[0].tool.definition"
    assert lost(request) == ["messages[1].content[0].tool.definition.x"]


def test_tools_can_all_come_from_the_conversation() -> None:
    defined = (user("a"), system(added(F)), system(change("removal", "f")), system(change("addition", "f")))
    assert offered(*defined, tools=[]) == ["f"]


def test_a_removed_tool_cannot_be_chosen() -> None:
    with pytest.raises(UndeclaredTool):
        offered(user("a"), system(change("removal", "f")), tool_choice={"type": "tool", "name": "f"})


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "tool_reference", "name": "h"},
        {"type": "tool_reference", "name": "tool_search_tool_regex"},
        {"type": "mcp_tool_reference", "server_name": "s", "name": "f"},
        {"type": "mcp_toolset_reference", "server_name": "s"},
    ],
)
@pytest.mark.parametrize("kind", ["addition", "removal"])
def test_a_change_of_what_is_not_here_is_reported(tool: Json, kind: str) -> None:
    request = read(messages=[user("a"), system({"type": f"tool_{kind}", "tool": tool})], tools=[F])
    assert [tool.name for tool in request.tools] == ["f"]
    assert len(lost(request)) == 1
    assert lost(request)[0].startswith("messages[1].content[0].tool")


def test_a_search_tool_that_is_added_finds_nothing_here() -> None:
    search = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
    assert offered(user("a"), system(added(search)), tools=[F]) == ["f"]


def test_a_mark_on_a_change_is_reported() -> None:
    marked = change("removal", "f", cache_control={"type": "ephemeral"})
    assert lost(read(messages=[user("a"), system(marked)], tools=[F])) == ["messages[1].content[0].cache_control"]


def test_a_summary_tells_the_changes_before_it() -> None:
    before = (user("a"), system(change("removal", "f")), user("b"))
    assert offered(*before, model(SUMMARY), user("c")) == ["g"]
    assert sorted(offered(*before, model({**SUMMARY, "tool_changes": []}), user("c"))) == ["f", "g"]
    told = {**SUMMARY, "tool_changes": [change("removal", "g"), added(F)]}
    assert offered(*before, model(told), user("c")) == ["f"]
    assert offered(*before, model(told), user("c"), system(change("addition", "g"))) == ["f", "g"]


def test_the_place_of_a_fallback_is_kept_for_anthropic() -> None:
    fallback = {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}, "trigger": None}
    request = read(messages=[user("a"), model("b", fallback, "c"), user("d")])
    kept = request.turns[1].parts[1]
    assert isinstance(kept, ir.Opaque)
    assert (kept.kind, kept.path) == ("fallback", "messages[1].content[1]")
