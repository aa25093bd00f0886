"""Callers of every dialect before Anthropic: an older model, and one that thinks as much as it finds right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.anthropic_api import (
    FORCED,
    NEW,
    OLD,
    ClaudeServed,
    before,
    seen_by_a_tool,
    settings,
)
from tests.conformance.openai_api import CALLERS, Said, Wish
from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.anthropic_api_models import SERVED
from tests.fakes.v1internal_reply import PIXEL

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
DIALECT = pytest.mark.parametrize("dialect", CALLERS)


REFUSED = "!refuse " + json.dumps(
    {
        "status": 400,
        "error": {
            "type": "invalid_request_error",
            "message": 'tool_choice: type "tool" and "any" are not supported for this model.',
        },
    }
)


def statuses(served: ClaudeServed) -> list[int]:
    return [call.status for call in served.calls]


@pytest.mark.parametrize("dialect", ["anthropic", "gemini", "openai-responses"])
async def test_a_picture_that_a_tool_gives_back_stays_in_its_result(claude: ClaudeServed, dialect: str) -> None:
    more = seen_by_a_tool(dialect, "!tool f {}\n!then\n!say seen")
    heard = await claude.ask(dialect, tools=("f",), more=more)
    assert heard.text == "seen"
    (result,) = claude.sent["messages"][-1]["content"]
    assert result["type"] == "tool_result"
    assert result["content"][-1]["source"]["data"] == PIXEL


@DIALECT
async def test_a_tool_can_be_forced(claude: ClaudeServed, dialect: str) -> None:
    """B12"""
    heard = await claude.ask(dialect, "!tool f {}", tools=("f",), more=FORCED[dialect])
    assert [one.name for one in heard.calls] == ["f"]
    assert claude.sent["tool_choice"]["type"] == "any"


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-2", "another/opus-5.5"])
@DIALECT
async def test_a_model_that_cannot_be_forced_may_call(claude: ClaudeServed, dialect: str, model: str) -> None:
    """The last one is known by nothing but its refusal."""
    if model not in SERVED:
        claude.claude.script.push(REFUSED)
    wish = Wish(said=[Said("!tool f {}")], model=f"anthropic/{model}", tools=("f",), more=FORCED[dialect])
    claude.claude.models = [*SERVED, model]
    response = await claude.response(dialect, wish)
    assert response.status_code == 200, response.text
    assert claude.sent["tool_choice"]["type"] == "auto"
    assert response.headers["x-gateway-lossy"] == "1"


QUIET: dict[str, Json] = {
    "openai-chat": {"reasoning_effort": "none"},
    "openai-responses": {"reasoning": {"effort": "none"}},
    "anthropic": {"thinking": {"type": "disabled"}},
    "gemini": {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}},
}


@DIALECT
async def test_a_model_that_thinks_between_its_calls_is_kept_from_thinking_before(
    claude: ClaudeServed, dialect: str
) -> None:
    wish = Wish(said=[Said("!say ok")], model="anthropic/claude-sonnet-5-5", more=QUIET[dialect])
    for _ in range(2):
        assert (await claude.response(dialect, wish)).status_code == 200
    assert claude.sent["thinking"] == {"type": "between_tools"}
    assert statuses(claude)[-2:] == [200, 200]


@STREAM
@DIALECT
async def test_thoughts_are_heard_where_they_are_asked_for(claude: ClaudeServed, dialect: str, stream: bool) -> None:
    """E8"""
    own = dialect == "anthropic" and claude.model == NEW  # what a caller says passes as it is, so it says what fits
    more = {"thinking": {"type": "adaptive", "display": "summarized"}} if own else {}
    heard = await claude.ask(dialect, "!think ab\n!say c", thinks=True, more=more, stream=stream)
    assert (heard.thoughts, heard.text) == ("ab", "c")
    quiet = await claude.ask(dialect, "!think ab\n!say c", stream=stream)
    assert (quiet.thoughts, quiet.text) == ("", "c")


@STREAM
@DIALECT
async def test_code_that_ran_is_told_with_what_it_printed(claude: ClaudeServed, dialect: str, stream: bool) -> None:
    use = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "bash_code_execution", "input": {"command": "ls"}}
    ran = {"type": "bash_code_execution_result", "stdout": "here", "stderr": "", "return_code": 0, "content": []}
    result = {"type": "bash_code_execution_tool_result", "tool_use_id": "srvtoolu_1", "content": ran}
    script = f"!block {json.dumps(use)}\n!block {json.dumps(result)}\n!say ok"
    heard = await claude.ask(dialect, script, stream=stream)
    told = "" if dialect == "anthropic" else "\n```bash\nls\n```\n\n```output\nhere\n```\n"
    assert heard.text == f"{told}ok"


# errors


@STREAM
@DIALECT
@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("400_policy", 400),
        ("400_context", 400),
        ("400_credit", 429),
        ("400_disabled", 502),
        ("401_key", 502),
        ("403_permission", 502),
        ("404_model", 404),
        ("413_large", 413),
        ("429_rate", 429),
    ],
)
async def test_a_refusal_is_a_status_and_never_the_callers_401(
    sonnet: ClaudeServed, dialect: str, stream: bool, error: str, status: int
) -> None:
    """H1, H2, H6"""
    wish = Wish(said=[Said(f"!error {error}")], model=OLD, stream=stream)
    response = await sonnet.response(dialect, wish)
    assert response.status_code == status
    assert CALLERS[dialect].whole(response.content).error is not None
    assert ("retry-after" in response.headers) is (status == 429)
    assert "key-1" not in response.text


@DIALECT
async def test_a_busy_upstream_is_overloaded(fake_anthropic: FakeAnthropic, tmp_path: Path, dialect: str) -> None:
    async with before(fake_anthropic, tmp_path, retry={"attempts": 1}) as served:
        wish = Wish(said=[Said("!error 529_overloaded")], model=OLD)
        assert (await served.response(dialect, wish)).status_code == (529 if dialect == "anthropic" else 503)


@DIALECT
async def test_another_key_serves_when_one_is_refused(
    fake_anthropic: FakeAnthropic, tmp_path: Path, dialect: str
) -> None:
    async with before(fake_anthropic, tmp_path, "nobody", "key-2") as served:
        heard = await served.ask(dialect, "!say a")
    assert (heard.text, statuses(served)) == ("a", [401, 200])


@STREAM
@DIALECT
async def test_an_error_before_the_first_word_is_tried_again(sonnet: ClaudeServed, dialect: str, stream: bool) -> None:
    sonnet.push("!midway 529_overloaded 1")
    heard = await sonnet.ask(dialect, "!say a", stream=stream)
    first = 200 if stream or dialect != "anthropic" else 529  # others are answered from a stream
    assert (heard.text, statuses(sonnet)) == ("a", [first, 200])


@STREAM
@DIALECT
async def test_an_error_event_after_the_first_word_keeps_its_class(
    sonnet: ClaudeServed, dialect: str, stream: bool
) -> None:
    """Pitfall 37"""
    wish = Wish(said=[Said("!say a\n!midway 429_rate")], model=OLD, stream=stream)
    response = await sonnet.response(dialect, wish)
    assert response.status_code == (200 if stream else 429)
    assert "rate" in response.text.lower() or "RESOURCE_EXHAUSTED" in response.text


@DIALECT
async def test_a_model_that_is_listed_with_its_date_is_found_without_it(
    fake_anthropic: FakeAnthropic, tmp_path: Path, dialect: str
) -> None:
    own = settings(fake_anthropic, tmp_path, anthropic={"models": []})["upstream"]
    async with before(fake_anthropic, tmp_path, upstream={**own, "demo": {"type": "demo"}}) as served:
        while "claude" not in (await served.http.get("/v1/models")).text:
            pass  # the list is being fetched
        heard = await served.ask(dialect, "!say a")
    assert (heard.text, served.sent["model"]) == ("a", OLD)


async def test_a_model_that_is_listed_with_its_date_is_described_without_it(
    fake_anthropic: FakeAnthropic, tmp_path: Path
) -> None:
    async with before(fake_anthropic, tmp_path, anthropic={"models": []}) as served:
        while "claude" not in (await served.http.get("/v1/models")).text:
            pass  # the list is being fetched
        answer = await served.http.get(f"/v1/models/{OLD}", headers={"anthropic-version": "2023-06-01"})
        unknown = await served.http.get("/v1/models/claude-nothing-4-5")
    assert (answer.json()["id"], answer.json()["max_input_tokens"]) == (OLD, 200_000)
    assert unknown.status_code == 404
