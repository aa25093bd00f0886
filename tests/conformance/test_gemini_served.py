"""Every recorded stream through the running gateway to a Gemini caller: in one piece, and one byte a segment."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.routes import Streaming
from tests.conformance.gemini import FORMS, agree, ask, chunks_of, natives, said, tools
from tests.conformance.recordings import EXPECTED, LIMITED, NAMES, SENT, family
from tests.conformance.replies import FC, T, chunk, script
from tests.conformance.served import CLAUDE, GEMINI_3, Served, settings, standing
from tests.conformance.test_gemini_written import events_of, one_line
from tests.fakes.v1internal import FakeV1Internal

pytestmark = pytest.mark.anyio

MODELS = {"gemini": GEMINI_3, "claude": CLAUDE}
THINKS = {"thinkingConfig": {"includeThoughts": True}}
FORM = pytest.mark.parametrize("form", FORMS)
ENDED = ("ok", "blocked", "empty")
PASSED = [name for name in NAMES if family(name) == "gemini" and EXPECTED[name]["outcome"] in ENDED]


@pytest.fixture
def served(lasting: Served) -> Served:
    """Forget what was asked before; only a used-up quota leaves something behind."""
    lasting.fake.reset()
    return lasting


@pytest.mark.parametrize(("name", "sending"), SENT)
@FORM
async def test_a_recorded_stream_is_as_expected(served: Served, name: str, form: Streaming, sending: str) -> None:
    response = await ask(
        served, f"!fixture {name}{sending}", form=form, model=MODELS[family(name)], generationConfig=THINKS
    )
    agree(name, said(response, form), form=form, native=family(name) == "gemini")
    assert "x-gateway-lossy" not in response.headers


@pytest.mark.parametrize("name", PASSED)
async def test_the_chunks_arrive_byte_for_byte(served: Served, name: str) -> None:
    response = await ask(served, f"!fixture {name}", form="sse")
    assert events_of(response.content) == [one_line(chunk) for chunk in natives(name)]


@FORM
async def test_an_answer_of_calls_ends_with_a_reason_though_google_has_none(served: Served, form: Streaming) -> None:
    call = FC("f", {"a": 1})
    served.push(script(chunk(T("so")), chunk(call)))
    answer = said(await ask(served, "go", tools=tools("f"), form=form), form)
    assert (answer.text, answer.calls, answer.finish) == ("so", [call["functionCall"]], "STOP")


@FORM
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
async def test_an_answer_is_asked_for_again_only_while_nothing_was_said(
    served: Served, name: str, calls: int, form: Streaming
) -> None:
    """An empty answer is tried twice more; what was blocked, cut short or has begun is not."""
    await ask(served, f"!fixture {name}", form=form)
    assert len(served.fake.calls()) == calls


@FORM
async def test_an_error_in_the_first_event_is_a_status(
    fake_v1internal: FakeV1Internal, tmp_path: Path, form: Streaming
) -> None:
    async with standing(fake_v1internal, settings(fake_v1internal, tmp_path)) as served:
        response = await ask(served, f"!fixture {LIMITED}", form=form)
    assert (response.status_code, "retry-after" in response.headers) == (429, True)
    (error,) = chunks_of(response, form)
    assert (error["error"]["code"], error["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")


@FORM
async def test_an_error_in_the_first_event_moves_on_like_a_status(
    fake_v1internal: FakeV1Internal, tmp_path: Path, form: Streaming
) -> None:
    two = {"pool": {"refresh_tokens": ["rt-1", "rt-2"]}}
    async with standing(fake_v1internal, settings(fake_v1internal, tmp_path, google=two)) as served:
        fake_v1internal.script.push(f"!fixture {LIMITED}")
        answer = said(await ask(served, "!say well", form=form), form)
    assert answer.text == "well"
    assert [call.credential for call in fake_v1internal.calls()] == ["rt-1", "rt-2"]
