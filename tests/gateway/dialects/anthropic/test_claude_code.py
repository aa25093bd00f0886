"""A request as Claude Code 2.1 sends it: 86 KiB, 12 tools, three system blocks, thinking, a tool loop."""

import json
from typing import Any

from gateway import ir
from gateway.dialects.anthropic import Anthropic
from gateway.ir.estimate import estimate

from .asking import lost

MARK = {"type": "ephemeral", "ttl": "1h"}
NAMES = (
    "Agent",
    "Bash",
    "DeferredToolPlaceholder",
    "Edit",
    "Glob",
    "Grep",
    "NotebookEdit",
    "Read",
    "Skill",
    "TodoWrite",
    "WebFetch",
    "Write",
)
THOUGHT = ir.Signature("gemini", "VGhvdWdodA==", "t")
CALLED = ir.Signature("gemini", "Q2FsbGVk", "f")
USER = '{"device_id":"d0","account_uuid":"","session_id":"5f0c9c52-7d0b-4b5e-9e7c-0d2a51c6b7aa"}'


def prose(words: int) -> str:
    return " ".join(f"Use the `tool{n % 7}` when step {n} says so; never guess paths." for n in range(words // 12))


def tool(name: str) -> dict[str, Any]:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "command": {"type": "string", "description": prose(60), "maxLength": 4096},
            "timeout": {"type": "number", "minimum": 0, "maximum": 600000, "default": 120000},
            "pattern": {"type": "string", "pattern": "^[a-z]+$"},
            "todos": {
                "type": "array",
                "maxItems": 20,
                "items": {"type": "object", "properties": {"n": {"type": "integer", "exclusiveMinimum": 0}}},
            },
        },
        "required": ["command"],
        "additionalProperties": False,
    }
    found: dict[str, Any] = {"name": name, "description": prose(1160), "input_schema": schema}
    return found | ({"defer_loading": True} if name == "DeferredToolPlaceholder" else {})


def request() -> dict[str, Any]:
    called = {"type": "tool_use", "id": "toolu_01", "name": "Bash", "input": {"command": "ls", "timeout": 5}}
    result = {
        "type": "tool_result",
        "tool_use_id": "toolu_01",
        "content": "README.md\nsrc",
        "is_error": False,
        "cache_control": MARK,
    }
    return {
        "model": "claude-opus-4-8",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": f"<system-reminder>\n{prose(400)}\n</system-reminder>\n"},
                    {"type": "text", "text": f"<system-reminder>\n{prose(200)}\n</system-reminder>"},
                    {"type": "text", "text": "List the files.", "cache_control": MARK},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "I need ls.", "signature": ir.seal(THOUGHT)},
                    {"type": "text", "text": "I'll look."},
                    {"type": "thinking", "thinking": "", "signature": ir.seal(CALLED)},
                    called,
                ],
            },
            {"role": "user", "content": [result]},
        ],
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.218.e5c; cc_entrypoint=cli;"},
            {"type": "text", "text": "You are Claude Code.", "cache_control": MARK},
            {"type": "text", "text": prose(1500), "cache_control": MARK},
        ],
        "tools": [tool(name) for name in NAMES],
        "metadata": {"user_id": USER},
        "max_tokens": 32000,
        "thinking": {"budget_tokens": 31999, "type": "enabled", "display": "updates"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "stream": True,
    }


BODY = json.dumps(request()).encode()


def test_it_is_as_large_as_the_real_one() -> None:
    assert 80 * 1024 < len(BODY) < 92 * 1024


def test_it_reads_without_error() -> None:
    read = Anthropic().read_request(BODY)
    assert [turn.role for turn in read.turns] == ["user", "assistant", "user"]
    assert [tool.name for tool in read.tools] == list(NAMES)
    assert read.reasoning == ir.Reasoning(mode="budget", budget=31999, visible=True, display="updates")
    assert (read.sampling.max_tokens, read.stream) == (32000, True)
    assert read.session == USER
    assert read.extras == {}


def test_its_tool_loop_comes_back_signed() -> None:
    thought, words, called = Anthropic().read_request(BODY).turns[1].parts
    assert thought == ir.Thinking(text="I need ls.", signature=THOUGHT)
    assert words == ir.Text(text="I'll look.")
    assert isinstance(called, ir.ToolCall)
    assert called.signature == CALLED


def test_only_hints_are_lost() -> None:
    read = Anthropic().read_request(BODY)
    assert {loss.severity for loss in read.losses} == {"hint"}
    assert lost(read) == [
        "context_management",
        "system[0]",
        "tools[2].defer_loading",
    ]


def test_its_marks_for_the_prompt_cache_are_read() -> None:
    assert [mark.path for mark in Anthropic().read_request(BODY).marks] == [
        "system[1].cache_control",
        "system[2].cache_control",
        "messages[0].content[2].cache_control",
        "messages[2].content[0].cache_control",
    ]


def test_its_reminders_stay_apart() -> None:
    first, second, question = Anthropic().read_request(BODY).turns[0].parts
    assert isinstance(first, ir.Text)
    assert isinstance(second, ir.Text)
    assert first.text.startswith("<system-reminder>")
    assert second.text.startswith("<system-reminder>")
    mark = ir.Mark(path="messages[0].content[2].cache_control", ttl="1h")
    assert question == ir.Text(text="List the files.", mark=mark)


def test_its_estimate_is_plausible() -> None:
    """4 characters a token is the rule of thumb; JSON and code take more tokens."""
    assert len(BODY) / 5 < estimate(Anthropic().read_request(BODY)) < len(BODY) / 2.5
