"""What a caller of OpenAI's dialects wants cached by its key is marked for Anthropic."""

from typing import Any

import pytest

from gateway import ir

from .outbound import Json, assistant, body, call, function, lost, result, text, user, written

KEYED: Json = {"session": "talk-1", "paths": {"session": "prompt_cache_key"}}
MARK: Json = {"cache_control": {"type": "ephemeral"}}
SYSTEM = (ir.Text(text="be kind"), ir.Text(text="and short"))
TALK = (user("a"), assistant("b"), user("c"), assistant(call("c1")), user(result("c1")))


def marked(sent: Json) -> dict[str, list[int]]:
    """Give the places of the marks, block by block."""
    blocks: dict[str, list[Any]] = {name: sent.get(name, []) for name in ("tools", "system")}
    blocks |= {f"messages.{place}": message["content"] for place, message in enumerate(sent["messages"])}
    found = {name: [place for place, one in enumerate(them) if "cache_control" in one] for name, them in blocks.items()}
    return {name: places for name, places in found.items() if places}


def test_the_instructions_and_the_last_turns_are_marked() -> None:
    answer = written(*TALK, system=SYSTEM, tools=(function("f"),), **KEYED)
    assert marked(answer.body) == {"system": [1], "messages.2": [0], "messages.4": [0]}
    assert answer.body["system"] == [text("be kind"), text("and short") | MARK]
    assert lost(answer) == [("prompt_cache_key", "hint")]


def test_without_instructions_the_tools_are_marked() -> None:
    sent = body(user("a", "b"), tools=(function("f"), function("g")), **KEYED)
    assert marked(sent) == {"tools": [1], "messages.0": [1]}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"session": "talk-1"},  # as another dialect names a conversation
        {"session": "talk-1", "paths": {"session": "user"}},
        {"session": None, "paths": KEYED["paths"]},
        KEYED | {"target": {"model": "glm-5"}},  # caches as it likes
    ],
)
def test_nothing_is_marked_that_nobody_wants_cached(fields: Json) -> None:
    assert marked(body(*TALK, system=SYSTEM, tools=(function("f"),), **fields)) == {}


def test_a_caller_who_marks_by_himself_is_left_alone() -> None:
    mark = ir.Mark(path="messages[0].content[0].prompt_cache_breakpoint")
    turn = ir.Turn(role="user", parts=(ir.Text(text="a", mark=mark), ir.Text(text="b")))
    assert marked(body(turn, system=SYSTEM, marks=(mark,), **KEYED)) == {"messages.0": [0]}
