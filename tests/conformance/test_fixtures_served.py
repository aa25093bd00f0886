"""Every recorded stream through the running gateway: in one piece, and one byte a segment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.automata import WHOLES
from tests.conformance.recordings import LIMITED, SENT, agree, family
from tests.conformance.served import CLAUDE, EACH_DIALECT, GEMINI_3, Served, settings, standing
from tests.fakes.v1internal import FakeV1Internal

pytestmark = pytest.mark.anyio

MODELS = {"gemini": GEMINI_3, "claude": CLAUDE}
THINKING: dict[str, dict[str, Any]] = {
    "openai-chat": {"reasoning_effort": "low"},
    "openai-responses": {"reasoning": {"effort": "low", "summary": "auto"}},
    "anthropic": {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000},
}
LIMIT: dict[str, dict[str, Any]] = {
    "openai-chat": {"max_tokens": 50},
    "openai-responses": {"max_output_tokens": 50},
    "anthropic": {"max_tokens": 50},
}
DIALECT = pytest.mark.parametrize("dialect", EACH_DIALECT)


@pytest.fixture
def served(lasting: Served) -> Served:
    """Forget what was asked before; only a used-up quota leaves something behind."""
    lasting.fake.reset()
    return lasting


@pytest.mark.parametrize(("name", "sending"), SENT)
@DIALECT
async def test_a_recorded_stream_is_as_expected(served: Served, name: str, dialect: str, sending: str) -> None:
    for stream in (True, False):
        fields = THINKING[dialect] | {"model": MODELS[family(name)]}
        heard = await served.hear(dialect, f"!fixture {name}{sending}", stream=stream, **fields)
        agree(name, dialect, heard, streamed=stream)


@pytest.mark.parametrize("dialect", ["anthropic", "openai-responses"])
@pytest.mark.parametrize("name", ["04_thinking_text_gemini", "05_thinking_text_claude", "35_thinking_only_stop"])
async def test_thoughts_stay_with_us_unless_asked_for(served: Served, name: str, dialect: str) -> None:
    heard = await served.hear(dialect, f"!fixture {name}", stream=True, model=MODELS[family(name)], **LIMIT[dialect])
    agree(name, dialect, heard, streamed=True, thoughts=False)


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("01_text", 1),
        ("17_blocked_prompt", 1),
        ("19_max_tokens_thinking_only", 1),
        ("24_error_midstream", 1),
        ("26_cut_no_finish", 1),
        ("28_empty_text_stop", 3),
    ],
)
@DIALECT
async def test_an_answer_is_asked_for_again_only_while_nothing_was_said(
    served: Served, name: str, calls: int, dialect: str
) -> None:
    """An empty answer is tried twice more; what was blocked, cut short or has begun is not."""
    await served.hear(dialect, f"!fixture {name}", stream=True, **LIMIT[dialect])
    assert len(served.fake.calls()) == calls


@pytest.mark.parametrize("stream", [True, False])
@DIALECT
async def test_an_error_in_the_first_event_is_a_status(
    fake_v1internal: FakeV1Internal, tmp_path: Path, dialect: str, stream: bool
) -> None:
    async with standing(fake_v1internal, settings(fake_v1internal, tmp_path)) as served:
        response = await served.post(EACH_DIALECT[dialect], f"!fixture {LIMITED}", stream=stream, **LIMIT[dialect])
    assert (response.status_code, "retry-after" in response.headers) == (429, True)
    agree(LIMITED, dialect, WHOLES[dialect](response.content), streamed=False)


@DIALECT
async def test_an_error_in_the_first_event_moves_on_like_a_status(
    fake_v1internal: FakeV1Internal, tmp_path: Path, dialect: str
) -> None:
    two = {"pool": {"refresh_tokens": ["rt-1", "rt-2"]}}
    async with standing(fake_v1internal, settings(fake_v1internal, tmp_path, google=two)) as served:
        fake_v1internal.script.push(f"!fixture {LIMITED}")
        heard = await served.hear(dialect, "!say well", stream=True, **LIMIT[dialect])
    assert heard.text == "well"
    assert [call.credential for call in fake_v1internal.calls()] == ["rt-1", "rt-2"]
