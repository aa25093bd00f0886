"""Reading what stands at the top of a request."""

from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.dialects import Dialect
from gateway.dialects.anthropic import Anthropic
from gateway.errors import InvalidRequest

from .asking import lost, read, read_raw

PATHS = {
    "stop": "stop_sequences",
    "schema": "output_config.format.schema",
    "response_format": "output_config.format",
    "display": "thinking.display",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    "user": "metadata.user_id",
    "session": "metadata.user_id",
}
HI = ir.Turn(role="user", parts=(ir.Text(text="hi"),))
SCHEMA = {"type": "object"}


def test_it_is_a_dialect() -> None:
    dialect: Dialect = Anthropic()
    assert dialect.name == "anthropic"
    assert dialect.keepalive == b'event: ping\ndata: {"type": "ping"}\n\n'


def test_the_smallest_request() -> None:
    request = read_raw(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')
    assert request == ir.Request(
        model="m",
        turns=(HI,),
        reasoning=ir.Reasoning(visible=False),
        include_usage=True,
        dialect="anthropic",
        paths=PATHS,
    )


def test_a_count_needs_no_max_tokens() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
    assert Anthropic().read_request(body, counting=True).turns == (HI,)


def test_sampling() -> None:
    request = read(temperature=0.5, top_p=0.9, top_k=40, stop_sequences=["END", ""])
    assert request.sampling == ir.Sampling(max_tokens=9, temperature=0.5, top_p=0.9, top_k=40, stop=("END",))


@pytest.mark.parametrize("off", [0, -1])
def test_a_top_k_that_is_switched_off_says_nothing(off: int) -> None:
    assert read(top_k=off).sampling.top_k is None


@pytest.mark.parametrize("stream", [True, False, None])
def test_stream(stream: bool | None) -> None:
    assert read(stream=stream).stream is stream


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"content": "hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "developer", "content": "hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "system", "content": "hi"}]}, "messages"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stop_sequences": [1]}, "stop_sequences.0"),
        ({"metadata": {"user_id": 5}}, "metadata.user_id"),
        ({"thinking": {"type": "much"}}, "thinking.type"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "yaml", "schema": {}}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema", "schema": None}}}, "output_config.format.schema"),
        ({"output_format": {"type": "json_schema", "schema": "{}"}}, "output_format.schema"),
        ({"thread": {"type": "create"}}, "thread"),
        ({"mcp_servers": [{"type": "url", "url": "https://a.example", "name": "a"}]}, "mcp_servers"),
        ({"compaction": {}}, "compaction"),
        ({"system": [{"type": "image"}]}, "system.0.type"),
        ({"system": 5}, "system"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    _, body = Anthropic().write_error(caught.value, "r")
    assert f'"message":"{path}: ' in body.decode()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"model":"m"}'])
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_raw(body)


@pytest.mark.parametrize("field", ["thread", "mcp_servers", "compaction", "tools", "system", "thinking"])
def test_null_is_absent(field: str) -> None:
    assert read(**{field: None}) == read()


def test_unknown_fields_are_kept_as_they_came() -> None:
    request = read_raw(b'{"model":"m","messages":[{"role":"user","content":"hi"}],"new": {"a" : 1}, "old":null}')
    assert request.extras == {"new": Raw(b'{"a" : 1}')}
    assert request.losses == ()


def test_fields_for_anthropics_servers_are_reported_as_hints() -> None:
    request = read(service_tier="auto", speed="fast", context_management={"edits": []}, betas=["b"])
    assert lost(request) == ["betas", "context_management", "service_tier", "speed"]
    assert {loss.severity for loss in request.losses} == {"hint"}
    assert request.extras == {}


def test_unknown_options_of_known_fields_are_reported() -> None:
    request = read(metadata={"user_id": "u", "team": 1}, output_config={"task_budget": {"total": 5}})
    assert lost(request) == ["metadata.team", "output_config.task_budget"]


@pytest.mark.parametrize(
    ("user", "session"),
    [
        ('{"device_id":"d","session_id":"s"}', '{"device_id":"d","session_id":"s"}'),
        ("user_ab_account__session_cd", "user_ab_account__session_cd"),
        ("alice", None),
        (None, None),
    ],
)
def test_the_user_and_the_session_in_it(user: str | None, session: str | None) -> None:
    request = read(metadata={"user_id": user})
    assert (request.user, request.session) == (user, session)


def test_system_as_a_string() -> None:
    assert read(system="be brief").system == (ir.Text(text="be brief"),)


def test_system_blocks_stay_apart() -> None:
    blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}]
    request = read(system=blocks)
    mark = ir.Mark(path="system[1].cache_control")
    assert request.system == (ir.Text(text="a"), ir.Text(text="b", mark=mark))
    assert (request.marks, lost(request)) == ((mark,), [])


def test_claude_codes_billing_line_is_dropped() -> None:
    blocks = [{"type": "text", "text": "x-anthropic-billing-header: v=2.1"}, {"type": "text", "text": "a"}]
    request = read(system=blocks)
    assert request.system == (ir.Text(text="a"),)
    assert lost(request) == ["system[0]"]


def test_a_system_message_within_the_talk_keeps_its_place() -> None:
    request = read(
        messages=[
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "system", "content": [{"type": "text", "text": "rule"}]},
        ]
    )
    assert [turn.role for turn in request.turns] == ["user", "assistant", "system"]
    assert request.turns[2].parts == (ir.Text(text="rule"),)


def test_a_leading_system_message_joins_the_system_prompt() -> None:
    messages = [{"role": "system", "content": "b"}, {"role": "user", "content": "hi"}]
    request = read(system="a", messages=messages)
    assert request.system == (ir.Text(text="a"), ir.Text(text="b"))
    assert request.turns == (HI,)


def test_a_system_message_is_cleared_once_the_user_speaks_again() -> None:
    reminder = {"role": "system", "content": "look", "clear_at": "next_user_message"}
    first, answer, second = ({"role": role, "content": "a"} for role in ("user", "assistant", "user"))
    turns = read(messages=[first, reminder, answer, second, reminder, answer]).turns
    assert [turn.role for turn in turns] == ["user", "assistant", "user", "system", "assistant"]
    kept = read(messages=[first, {**reminder, "clear_at": "never"}, answer, second])
    assert [turn.role for turn in kept.turns] == ["user", "system", "assistant", "user"]
    assert lost(kept) == []


@pytest.mark.parametrize("content", [{}, {"content": []}, {"content": ""}])
def test_the_effort_that_the_system_set_last_counts(content: dict[str, Any]) -> None:
    def turn(effort: str) -> dict[str, Any]:
        return {"role": "system", "output_config": {"effort": effort}, **content}

    hi = {"role": "user", "content": "hi"}
    request = read(messages=[hi, turn("low"), hi, turn("max")], output_config={"effort": "medium"})
    assert request.turns == (HI, HI)
    assert request.reasoning.level == "max"
    assert request.paths["thinking"] == "messages[3].output_config.effort"
    assert lost(request) == []
    off = read(messages=[hi, turn("low")], thinking={"type": "disabled"})
    assert lost(off) == ["messages[1].output_config.effort"]


@pytest.mark.parametrize("empty", [{"content": None}, {}, {"content": []}, {"content": ""}])
def test_an_answer_of_nothing_is_one_without_words(empty: dict[str, Any]) -> None:
    """§5.4: it is left out later."""
    said = [{"role": "user", "content": "hi"}, {"role": "assistant", **empty}, {"role": "user", "content": "hi"}]
    assert [turn.role for turn in read(messages=said).turns if turn.parts] == ["user", "user"]
    with pytest.raises(InvalidRequest):
        read(messages=[{"role": "user"}])


def test_a_system_message_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(messages=[{"role": "user", "content": "hi"}, {"role": "system"}])
    assert refused.value.param == "messages[1].content"


@pytest.mark.parametrize("field", [{"clear_at": "never"}, {"output_config": {"effort": "low"}}])
def test_what_only_the_system_says_is_reported_of_others(field: dict[str, Any]) -> None:
    request = read(messages=[{"role": "user", "content": "hi", **field}])
    assert lost(request) == [f"messages[0].{next(iter(field))}"]
    assert request.reasoning.mode == "unset"


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({}, ir.Reasoning(visible=False)),
        ({"thinking": {"type": "disabled"}}, ir.Reasoning(mode="off", visible=False)),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 31999}},
            ir.Reasoning(mode="budget", budget=31999, visible=True),
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 5, "display": "updates"}},
            ir.Reasoning(mode="budget", budget=5, visible=True, display="updates"),
        ),
        ({"thinking": {"type": "adaptive"}}, ir.Reasoning(mode="auto", visible=True)),
        (
            {"thinking": {"type": "adaptive", "display": "omitted"}},
            ir.Reasoning(mode="auto", visible=False, display="omitted"),
        ),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
            ir.Reasoning(mode="level", level="max", visible=True),
        ),
        ({"output_config": {"effort": "low"}}, ir.Reasoning(mode="level", level="low", visible=False)),
    ],
)
def test_thinking(fields: dict[str, Any], reasoning: ir.Reasoning) -> None:
    request = read(**fields)
    assert request.reasoning == reasoning
    assert request.losses == ()


def test_thinking_between_tools_alone_is_nobody_elses() -> None:
    request = read(thinking={"type": "between_tools"})
    assert request.reasoning == ir.Reasoning(mode="auto", visible=True)
    assert lost(request) == ["thinking.type"]


def test_a_budget_outweighs_the_effort() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    request = read(thinking=thinking, output_config={"effort": "low"})
    assert (request.reasoning.mode, request.reasoning.level) == ("budget", None)
    assert lost(request) == ["output_config.effort"]


@pytest.mark.parametrize("name", ["output_config", "output_format"])
def test_structured_output(name: str) -> None:
    form = {"type": "json_schema", "schema": SCHEMA}
    request = read(**{name: {"format": form} if name == "output_config" else form})
    assert request.output == ir.Output(kind="schema", schema=Raw(b'{"type": "object"}'))


def test_marks_for_the_prompt_cache_are_read_where_they_stand() -> None:
    mark = {"type": "ephemeral"}
    block = {"type": "text", "text": "a", "cache_control": mark}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [block]}
    request = read(
        cache_control=mark,
        messages=[{"role": "user", "content": [block, result]}],
        tools=[{"name": "f", "input_schema": {}, "cache_control": mark}],
    )
    assert lost(request) == ["cache_control"]
    assert [mark.path for mark in request.marks] == [
        "tools[0].cache_control",
        "messages[0].content[0].cache_control",
        "messages[0].content[1].content[0].cache_control",
    ]


EPHEMERAL = {"type": "ephemeral"}


@pytest.mark.parametrize(
    ("block", "path"),
    [
        ({"type": "text", "text": "", "cache_control": {"type": "ephemeral"}}, "cache_control"),
        ({"type": "text", "text": "a", "cache_control": {"type": "persistent"}}, "cache_control"),
        (
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "scope": "global"}},
            "cache_control.scope",
        ),
    ],
)
def test_a_mark_that_cannot_be_read_is_told(block: dict[str, Any], path: str) -> None:
    request = read(messages=[{"role": "user", "content": [{"type": "text", "text": "go"}, block]}])
    assert lost(request) == [f"messages[0].content[1].{path}"]


def test_a_tool_that_is_declared_twice_may_be_marked_once() -> None:
    tool = {"name": "f", "input_schema": {}}
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    for tools in ([tool, tool | mark], [tool | mark, tool]):
        (one,) = read(tools=tools).tools
        assert one.mark is not None
        assert one.mark.ttl == "1h"
