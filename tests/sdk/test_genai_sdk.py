"""google-genai, the newest and 1.x, gets from Google's and other models what it expects of Gemini's API."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.packaging import served
from tests.packaging.fixtures import WHEEL, once
from tests.packaging.served import KEY, Google
from tests.packaging.wheel import install, python_of
from tests.patience import patient
from tests.processes import Program

pytestmark = WHEEL

GEMINI, CLAUDE, DEMO = "gemini-3-flash", "claude-sonnet-4-6", "demo"
PROGRAM = Path(__file__).with_name("genai_scenarios.py")
ENDS_S = 90
LONG = "a long answer that comes in more than one piece"
DEMO_TOML = '[upstream.demo]\ntype = "demo"'


@pytest.fixture(scope="module")
def fake() -> Iterator[Google]:
    with served.google() as google:
        yield google


@pytest.fixture(scope="module")
def gateway(programs: Path, tmp_path_factory: pytest.TempPathFactory, fake: Google) -> Iterator[Program]:
    with served.gateway(programs, tmp_path_factory.mktemp("gateway"), fake, DEMO_TOML) as program:
        yield program


@pytest.fixture(scope="module", params=["newest", "1.x"])
def outcomes(
    request: pytest.FixtureRequest, gateway: Program, fake: Google, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Run every scenario once; `refused` is what the upstream did not accept."""
    python = Path(sys.executable)
    if request.param == "1.x":
        python = python_of(once(tmp_path_factory, "genai1", lambda folder: install(folder, "google-genai<2")) / "bin")
    fake.reset()
    command = [str(python), str(PROGRAM), gateway.url, KEY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patient(ENDS_S), check=False)
    assert done.returncode == 0, done.stderr + gateway.output
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["version"].startswith("1.") is (request.param == "1.x")
    return found | {"refused": fake.refused}


def test_text(outcomes: dict[str, Any]) -> None:
    assert outcomes["text"] == {model: ["good morning", "STOP", model] for model in (GEMINI, CLAUDE, DEMO)}


def test_stream(outcomes: dict[str, Any]) -> None:
    assert outcomes["streaming"] == {model: [LONG, True, ["STOP"]] for model in (GEMINI, CLAUDE, DEMO)}


def test_text_and_stream_in_an_event_loop(outcomes: dict[str, Any]) -> None:
    assert outcomes["event_loop"] == ["good evening", "good night"]


def test_line_separators_do_not_break_a_stream(outcomes: dict[str, Any]) -> None:
    assert outcomes["line_separators"] == [True, True]


def test_chat_keeps_its_history(outcomes: dict[str, Any]) -> None:
    assert outcomes["chat"] == {GEMINI: "three", DEMO: "three"}


def test_tool_loop_with_the_content_sent_back_as_it_came(outcomes: dict[str, Any]) -> None:
    assert outcomes["tool_loop"] == {model: ["where is Rome", True, "it is sunny"] for model in (GEMINI, CLAUDE)}


def test_streamed_tool_loop(outcomes: dict[str, Any]) -> None:
    assert outcomes["streamed_tool_loop"] == {GEMINI: "it is sunny", CLAUDE: "it is sunny"}


def test_functions_are_called_by_the_sdk(outcomes: dict[str, Any]) -> None:
    cities = ["Rome", "Oslo", "Rome", "Oslo"]
    assert outcomes["automatic_function_calling"] == [["it is sunny in both"] * 2, cities]
    assert outcomes["chat_with_tools"] == [["goodbye"] * 2, cities]


def test_parallel_calls(outcomes: dict[str, Any]) -> None:
    called = [[{"city": "Rome"}, {"city": "Oslo"}], "it is sunny in both"]
    assert outcomes["parallel_calls"] == [called, called]


def test_tool_of_the_demo_upstream(outcomes: dict[str, Any]) -> None:
    assert outcomes["demo_tool"] == [[{"city": "Rome"}], '{"result": "sunny in Rome"}']


def test_signatures_of_another_upstream_come_back_in_their_envelope(outcomes: dict[str, Any]) -> None:
    said, signatures, *answers = outcomes["tool_loop_with_another_upstream"]
    assert said == {"text": "a moment", "thoughts": "I was asked to think, so I do."}
    assert [signature.rpartition(".")[0] for signature in signatures] == ["gw1.g.t.WkdWdGJ3PT0"]
    assert answers == ["well", "!say well"]


def test_thoughts_are_shown_to_who_asked_for_them(outcomes: dict[str, Any]) -> None:
    shown = {"text": "four", "thoughts": "two and two"}
    demo = {"text": "four", "thoughts": "I was asked to think, so I do."}
    assert outcomes["thinking"] == {
        "shown": {GEMINI: shown, CLAUDE: shown},
        "hidden": {"text": "four", "thoughts": ""},
        "demo": [demo, demo | {"thoughts": ""}],
    }


def test_pictures_both_ways(outcomes: dict[str, Any]) -> None:
    assert outcomes["pictures"] == [["a dot", "a dot"], [True, True, True]]


def test_structured_output(outcomes: dict[str, Any]) -> None:
    assert outcomes["structured"] == ["Rome", 3]


def test_options(outcomes: dict[str, Any]) -> None:
    assert outcomes["options"] == "ok"


def test_grounding_and_code_execution(outcomes: dict[str, Any]) -> None:
    assert outcomes["grounding"] == [1, True]
    assert outcomes["code_execution"] == [True, True]


def test_blocked_prompt(outcomes: dict[str, Any]) -> None:
    assert outcomes["blocked"] == ["PROHIBITED_CONTENT", "PROHIBITED_CONTENT"]


def test_count_tokens(outcomes: dict[str, Any]) -> None:
    assert outcomes["counting"] == [True, True]


def test_models(outcomes: dict[str, Any]) -> None:
    assert outcomes["models"] == [True, f"models/{GEMINI}", ["generateContent", "countTokens"]]


def test_clients_of_vertex_ai(outcomes: dict[str, Any]) -> None:
    said = ["good day"] * 3 + ["good night", "hello", True, f"models/{GEMINI}", True]
    assert outcomes["vertex"] == [said] * 3


def test_versions_of_the_api(outcomes: dict[str, Any]) -> None:
    assert outcomes["versions"] == {version: ["good day", True] for version in ("v1", "v1beta", "v1alpha")}


@pytest.mark.parametrize(
    ("failure", "expected", "words"),
    [
        ("bad request", ["ClientError", 400, "INVALID_ARGUMENT"], "Cannot find field"),
        ("streamed bad request", ["ClientError", 400, "INVALID_ARGUMENT"], "Cannot find field"),
        ("rate limit", ["ClientError", 429, "RESOURCE_EXHAUSTED"], "429"),
        ("overloaded", ["ServerError", 503, "UNAVAILABLE"], "503"),
        ("wrong key", ["ClientError", 401, "UNAUTHENTICATED"], "key"),
        ("unknown model", ["ClientError", 404, "NOT_FOUND"], "gemini-9-of-tomorrow"),
        ("embeddings", ["ClientError", 404, "NOT_FOUND"], "no upstream here has Gemini's embeddings"),
    ],
)
def test_failures(outcomes: dict[str, Any], failure: str, expected: list[Any], words: str) -> None:
    *told, message = outcomes["failures"][failure]
    assert told == expected
    assert words in message


@pytest.mark.parametrize(
    ("broken", "begun", "error"),
    [
        ("error", "Part one and part", ["ServerError", 503, "UNAVAILABLE"]),
        ("cut", "The first half of the sentence and then", ["ServerError", 502, "INTERNAL"]),
        ("drop", "12345678", ["ServerError", 502, "INTERNAL"]),
        ("demo", "This answer breaks ", ["ServerError", 502, "INTERNAL"]),
    ],
)
def test_stream_that_breaks_raises(outcomes: dict[str, Any], broken: str, begun: str, error: list[Any]) -> None:
    assert outcomes["broken_streams"][broken] == [begun, error]


def test_the_upstream_accepts_whatever_was_not_meant_to_fail(outcomes: dict[str, Any]) -> None:
    asked = [call["body"]["request"]["contents"][-1]["parts"][-1]["text"] for call in outcomes["refused"]]
    assert {text.partition(" ")[0] for text in asked} == {"!error"}
