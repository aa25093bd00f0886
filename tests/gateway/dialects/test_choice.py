"""What it costs to narrow many tools to many of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import ir
from gateway.dialects.anthropic.outbound_request import write_request as write_messages
from gateway.dialects.anthropic.outbound_target import AnthropicTarget
from gateway.dialects.gemini.request import GeminiTarget
from gateway.dialects.gemini.request import write_request as write_contents
from gateway.dialects.openai_chat.outbound_request import write_request as write_chat
from gateway.dialects.openai_chat.tools import check_names
from gateway.dialects.openai_responses.outbound_request import write_request as write_responses
from gateway.dialects.outbound import OpenAITarget
from tests.translating import Sent, Upstreams

MANY = 50


class Names(tuple[str, ...]):
    """Counts how often all of them are gone through."""

    __slots__ = ()

    looks = 0

    def __iter__(self) -> Iterator[str]:
        Names.looks += 1
        return super().__iter__()

    def __contains__(self, name: object) -> bool:
        Names.looks += 1
        return super().__contains__(name)


class Name(str):
    """Counts how often it is compared."""

    __slots__ = ()
    __hash__ = str.__hash__

    compared = 0

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        Name.compared += 1
        return super().__ne__(other)


def test_each_name_of_a_choice_is_looked_up() -> None:
    Name.compared = 0
    names = [Name(f"f{number}") for number in range(MANY)]
    check_names(ir.ToolChoice(mode="auto", names=tuple(names)), [ir.Tool(name=name) for name in names], "tool_choice")
    assert Name.compared <= 2 * MANY


@pytest.mark.parametrize(
    "write",
    [
        lambda request: write_chat(request, OpenAITarget(model="mistral-large")),
        lambda request: write_chat(request, OpenAITarget(model="gpt-5.2")),
        lambda request: write_responses(request, OpenAITarget(model="gpt-5.2")),
        lambda request: write_messages(request, AnthropicTarget(model="claude-sonnet-4-5", max_output=100)),
        lambda request: write_contents(request, GeminiTarget(model="gemini-3-flash", family="gemini")),
    ],
)
def test_the_names_of_a_choice_are_gone_through_a_few_times(write: Callable[[ir.Request], Any]) -> None:
    names = [f"f{number}" for number in range(MANY)]
    tools = tuple(ir.Tool(name=name, path=f"tools[{place}]") for place, name in enumerate([*names, "g"]))
    turn = ir.Turn(role="user", parts=(ir.Text(text="hi"),))
    Names.looks = 0
    write(ir.Request(model="m", turns=(turn,), tools=tools, tool_choice=ir.ToolChoice(mode="auto", names=Names(names))))
    assert 0 < Names.looks < 10


@pytest.mark.parametrize("target", ["v1internal Gemini 3", "v1internal Claude", "anthropic", "openai chat"])
@pytest.mark.parametrize(
    "choice",
    ["none", {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}],
)
def test_nothing_is_lost_with_a_free_form_tool_that_may_not_be_called(tmp_path: Path, target: str, choice: Any) -> None:
    patch = {"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}}
    request = {"model": "m", "input": "hi", "tools": [{"type": "function", "name": "f"}, patch]}
    upstreams = Upstreams(str(tmp_path))
    sent, free = (upstreams.send("openai-responses", target, request | more) for more in ({"tool_choice": choice}, {}))
    assert isinstance(sent, Sent), sent
    assert isinstance(free, Sent), free
    assert {loss.severity for loss in sent.losses} <= {"hint"}
    assert {"tools[1]", "tools[1].format"} == {loss.path for loss in free.losses if loss.severity == "change"}
