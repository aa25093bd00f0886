"""What the official SDK makes of a stream, byte by byte from a server."""

from typing import Any

import pytest

from gateway import errors, ir
from gateway.dialects.openai_responses.ran import RAN
from gateway.dialects.openai_responses.stream import StreamWriter

from .responses import answer, answering, block, call, signed, spoken, text, thinking

RUNS = tuple(ran.tool for ran in RAN.values())
TOOLS = (ir.Tool(name="ns__f", namespace=("ns", "f")), ir.Tool(name="patch", free_form=True))
PNG = ir.MediaChunk(media_type="image/png", data="iVBORw0KGgo=")
SOURCE = ir.CitationDelta(url="https://e.org", title="E", start=0, end=2)


def said(events: list[ir.Event], tools: tuple[ir.Tool, ...] = TOOLS, **request: Any) -> list[Any]:
    writer = StreamWriter(answering(store=False, tools=tools, **request))
    return spoken(writer.feed(events) + writer.close())


def test_every_kind_of_item_is_understood() -> None:
    events = said(
        answer(
            signed(thinking("h", "m"), "claude"),
            block("text", ir.TextDelta("so"), SOURCE),
            text(" be it"),
            signed(call("ns__f", '{"a":', "1}", ident="c1"), kind="f"),
            call("patch", '{"input":"diff"}', ident="c2"),
            block("media", PNG),
        )
    )
    response = events[-1].response
    reasoning, message, seal, function, custom, picture = response.output
    assert response.output_text == "so be it"
    assert ("".join(part.text for part in reasoning.summary), reasoning.encrypted_content[:4]) == ("hm", "gw1.")
    assert (message.content[0].annotations[0].url, seal.summary) == ("https://e.org", [])
    assert (function.namespace, function.name, function.call_id, function.arguments) == ("ns", "f", "c1", '{"a":1}')
    assert (custom.name, custom.call_id, custom.input, picture.result) == ("patch", "c2", "diff", PNG.data)


def test_what_the_caller_runs_is_an_item_of_its_own() -> None:
    """The Agents SDK runs a `shell_call`, and takes a function of this name for one that nobody has declared."""
    events = said(
        answer(
            signed(call("shell", '{"commands": ["ls",', '\n"pwd"]}', ident="c1"), kind="f"),
            call("local_shell", '{"command":["ls"],"timeout_ms":5}', ident="c2"),
            call("apply_patch", '{"type":"update_file","path":"a","diff":"@@\\n-b"}', ident="c3"),
            text("done"),
        ),
        tools=RUNS,
    )
    added = [event.item.type for event in events if event.type == "response.output_item.added"]
    kinds = ["shell_call", "local_shell_call", "apply_patch_call"]
    assert added == ["reasoning", *kinds, "message"]
    shell, local, patch = events[-1].response.output[1:4]
    assert [item.type for item in (shell, local, patch)] == kinds
    assert [(item.call_id, item.status) for item in (shell, local, patch)] == [
        ("c1", "completed"),
        ("c2", "completed"),
        ("c3", "completed"),
    ]
    assert (shell.action.commands, shell.action.timeout_ms) == (["ls", "pwd"], None)
    assert (local.action.type, local.action.command, local.action.env, local.action.timeout_ms) == (
        "exec",
        ["ls"],
        {},
        5,
    )
    assert (patch.operation.type, patch.operation.path, patch.operation.diff) == ("update_file", "a", "@@\n-b")


def test_a_function_of_the_callers_own_that_is_called_as_one_of_these_is_a_function() -> None:
    response = said(answer(call("shell", "{}")), tools=(ir.Tool(name="shell"),))[-1].response
    assert [item.type for item in response.output] == ["function_call"]


def test_what_the_caller_would_run_is_not_told_where_it_was_cut() -> None:
    last = said(answer(text("so"), call("shell", '{"commands":["rm -r /tm'), reason="length"), tools=RUNS)[-1]
    assert last.type == "response.incomplete"
    assert [item.type for item in last.response.output] == ["message"]


def test_arguments_that_are_no_object_leave_nothing_to_run() -> None:
    response = said(answer(call("shell", "{]"), text("so")), tools=RUNS)[-1].response
    assert [item.type for item in response.output] == ["shell_call", "message"]
    assert response.output[0].action.commands == []


def test_snapshots_grow_with_the_deltas() -> None:
    events = said(answer(text("He", "llo"), call("ns__f", '{"a"', ":1}")))
    snapshots = [event.snapshot for event in events if hasattr(event, "snapshot")]
    assert snapshots == ["He", "Hello", '{"a"', '{"a":1}']


@pytest.mark.parametrize("begun", [[], [ir.Started(), *text("a")[:-1]], [ir.Started(), *call("ns__f", "{")[:-1]]])
def test_a_failure_is_told(begun: list[ir.Event]) -> None:
    last = said([*begun, ir.Failed(errors.UpstreamRateLimited("no more"))])[-1]
    assert (last.type, last.response.error.code) == ("response.failed", "rate_limit_exceeded")


def test_a_cut_call_is_told() -> None:
    last = said(answer(call("ns__f", '{"a'), reason="length"))[-1]
    assert (last.type, last.response.incomplete_details.reason) == ("response.incomplete", "max_output_tokens")
    assert last.response.output[0].status == "incomplete"


def test_a_refusal_is_told() -> None:
    last = said(answer(reason="content_filter", explanation="No."))[-1]
    assert last.response.output[0].content[0].refusal == "No."
