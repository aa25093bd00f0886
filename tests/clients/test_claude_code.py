"""Claude Code works through the installed gateway, on Claude and on Gemini."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.claude_code import ClaudeCode, tool_results
from tests.packaging.fixtures import WHEEL
from tests.packaging.served import KEY, Google
from tests.processes import Program

pytestmark = [pytest.mark.clients, WHEEL]

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
MODELS = pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gemini-3-flash"])

TWO_ROUNDS = """Write a note, then read it.
!think a note is a file
!tool Bash {"command": "printf 'written by a tool' > note.txt", "description": "Write the note"}
!then
!think now it can be read
!tool Read {"file_path": "WORK/note.txt"}
!tool Bash {"command": "wc -c < note.txt", "description": "Count"}
!then
!say all tools are done"""
PICTURE = """!tool Read {"file_path": "WORK/dot.png"}
!then
!say a dot"""
DOCUMENT = """!tool Read {"file_path": "WORK/page.pdf"}
!then
!say a page"""
HELPED = """!tool Agent {"description": "Count", "subagent_type": "general-purpose", "prompt": "!say counted"}
!then
!say it is on its way"""
STRUCTURED = """!tool StructuredOutput {"colour": "red"}
!then
!say unused"""
NO_FILE = """!tool Read {"file_path": "WORK/nowhere.txt"}
!then
!say there is none"""


@pytest.fixture
def accepting(fake: Google) -> Iterator[Google]:
    """Demand that the service accepts whatever the gateway sends during the test."""
    fake.reset()
    yield fake
    assert fake.calls
    assert not fake.refused


@pytest.fixture
def claude_code(gateway: Program, node_modules: Path, tmp_path: Path) -> ClaudeCode:
    variables = {"ANTHROPIC_AUTH_TOKEN": KEY, "ANTHROPIC_SMALL_FAST_MODEL": "gemini-3-flash"}
    return ClaudeCode(gateway, node_modules, tmp_path, variables)


def test_its_menu_gets_the_models_of_the_gateway(claude_code: ClaudeCode) -> None:
    claude_code.run("!say hi", ANTHROPIC_MODEL="claude-sonnet-4-6", CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY="1")
    (file,) = claude_code.home.rglob("gateway-models.json")
    found = json.loads(file.read_text())
    assert found["baseUrl"] == claude_code.gateway.url
    names = [model["id"] for model in found["models"]]
    assert "claude-sonnet-4-6" in names
    assert "gemini-3-flash" not in names  # it keeps what has claude or anthropic in its name


@MODELS
def test_task_of_two_rounds_of_tools_is_finished(claude_code: ClaudeCode, accepting: Google, model: str) -> None:
    events = claude_code.run(TWO_ROUNDS, ANTHROPIC_MODEL=model)
    assert (claude_code.work / "note.txt").read_text() == "written by a tool"
    results = tool_results(events)
    assert [bool(result.get("is_error")) for result in results] == [False] * 3
    assert "written by a tool" in results[1]["content"]
    assert results[2]["content"].strip() == "17"
    ended = events[-1]
    assert (ended["type"], ended["subtype"], ended["is_error"]) == ("result", "success", False)
    assert (ended["result"], ended["num_turns"]) == ("all tools are done", 4)
    assert len(accepting.calls) == 3


@MODELS
def test_signatures_come_back_to_the_model_that_made_them(
    claude_code: ClaudeCode, accepting: Google, model: str
) -> None:
    claude_code.run(TWO_ROUNDS, ANTHROPIC_MODEL=model)
    assert accepting.signers == [model.partition("-")[0]] * 2


@MODELS
def test_thoughts_are_shown(claude_code: ClaudeCode, accepting: Google, model: str) -> None:
    events = claude_code.run(TWO_ROUNDS, ANTHROPIC_MODEL=model)
    blocks = [block for event in events if event["type"] == "assistant" for block in event["message"]["content"]]
    thoughts = [block["thinking"] for block in blocks if block["type"] == "thinking" and block["thinking"]]
    assert thoughts == ["a note is a file", "now it can be read"]


@MODELS
def test_an_answer_behind_a_thought_is_printed_from_its_first_word(
    claude_code: ClaudeCode, accepting: Google, model: str
) -> None:
    """It prints the last text of an answer; Gemini signs the first words by themselves."""
    said = "Take the train at nine, it is the fastest."
    assert claude_code.run(f"!think trains are fast\n!say {said}", ANTHROPIC_MODEL=model)[-1]["result"] == said


@MODELS
def test_picture_that_a_tool_read_reaches_the_model(claude_code: ClaudeCode, accepting: Google, model: str) -> None:
    (claude_code.work / "dot.png").write_bytes(base64.b64decode(PIXEL))
    assert claude_code.run(PICTURE, ANTHROPIC_MODEL=model)[-1]["result"] == "a dot"
    assert "inlineData" in str(accepting.generated[-1]["contents"][-1])


@MODELS
def test_document_that_a_tool_read_reaches_the_model(claude_code: ClaudeCode, accepting: Google, model: str) -> None:
    (claude_code.work / "page.pdf").write_bytes(b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n")
    assert claude_code.run(DOCUMENT, ANTHROPIC_MODEL=model)[-1]["result"] == "a page"
    assert "application/pdf" in str(accepting.generated[-1]["contents"][-1])


@MODELS
def test_failure_of_a_tool_reaches_the_model(claude_code: ClaudeCode, accepting: Google, model: str) -> None:
    events = claude_code.run(NO_FILE, ANTHROPIC_MODEL=model)
    assert [result["is_error"] for result in tool_results(events)] == [True]
    assert events[-1]["result"] == "there is none"
    assert "does not exist" in str(accepting.generated[-1]["contents"][-1])


@MODELS
def test_conversation_goes_on_in_another_run(claude_code: ClaudeCode, accepting: Google, model: str) -> None:
    claude_code.run(TWO_ROUNDS, ANTHROPIC_MODEL=model)
    assert claude_code.run("!say and more", "--continue", ANTHROPIC_MODEL=model)[-1]["result"] == "and more"
    assert "written by a tool" in str(accepting.generated[-1]["contents"])


@MODELS
def test_agent_that_it_starts_is_answered_beside_it(claude_code: ClaudeCode, accepting: Google, model: str) -> None:
    events = claude_code.run(HELPED, ANTHROPIC_MODEL=model)
    helped = [event["message"]["content"] for event in events if event.get("parent_tool_use_id")]
    assert "counted" in str(helped)
    assert events[-1]["result"] == "it is on its way"


@MODELS
def test_answer_of_a_schema(claude_code: ClaudeCode, accepting: Google, model: str) -> None:
    schema = '{"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}'
    events = claude_code.run(STRUCTURED, "--json-schema", schema, ANTHROPIC_MODEL=model)
    assert events[-1]["structured_output"] == {"colour": "red"}


@MODELS
def test_line_that_varies_with_each_version_stays_out_of_the_prompt(
    claude_code: ClaudeCode, accepting: Google, model: str
) -> None:
    claude_code.run("!say hi", ANTHROPIC_MODEL=model)
    texts = [part["text"] for part in accepting.generated[-1]["systemInstruction"]["parts"]]
    assert not [text for text in texts if text.startswith("x-anthropic-billing-header")]
    assert "Claude" in texts[0]
