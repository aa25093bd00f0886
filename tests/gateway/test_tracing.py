"""A caller's trace goes on to the upstream also where nothing is recorded here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.gemini_api import EMBED, GEMINI_3
from tests.conformance.openai_api import before
from tests.conformance.upstreams import EVERY, Upstream
from tests.conformance.upstreams import before as gateway_before
from tests.fakes.openai_api import FakeOpenAI

pytestmark = pytest.mark.anyio

TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "vendor=1"}
CHAT = {"model": GEMINI_3, "messages": [{"role": "user", "content": "hi"}]}
NATIVE = {"content": {"parts": [{"text": "hi"}]}}


@pytest.mark.parametrize("stream", [False, True])
async def test_the_upstream_gets_the_callers_trace_with_each_call(
    fake_openai: FakeOpenAI, tmp_path: Path, stream: bool
) -> None:
    async with before(fake_openai, tmp_path, "chat") as served:
        served.http.headers.update(TRACE)
        fake_openai.fail("500")
        await served.ask("openai-chat", stream=stream)
    assert [{name: call.headers[name] for name in TRACE} for call in served.calls] == [TRACE, TRACE]


@pytest.mark.parametrize("upstream", EVERY)
async def test_so_does_every_other_upstream(upstream: Upstream, tmp_path: Path) -> None:
    async with gateway_before(upstream, tmp_path) as served:
        answer = await served.http.post("/v1/chat/completions", json=CHAT | {"model": served.model}, headers=TRACE)
        assert answer.status_code == 200, answer.text
        assert served.fake.requests[-1].headers.items() >= TRACE.items()


async def test_so_does_what_is_passed_on_unread(tmp_path: Path) -> None:
    async with gateway_before("gemini", tmp_path) as served:
        answer = await served.http.post(f"/v1beta/models/{EMBED}:embedContent", json=NATIVE, headers=TRACE)
        assert answer.status_code == 200, answer.text
        assert served.fake.requests[-1].headers.items() >= TRACE.items()


@pytest.mark.parametrize("given", [{}, {"tracestate": "vendor=1"}, {"traceparent": "mine", "tracestate": "vendor=1"}])
async def test_without_a_trace_that_can_be_read_nothing_goes_on(
    fake_openai: FakeOpenAI, tmp_path: Path, given: dict[str, str]
) -> None:
    async with before(fake_openai, tmp_path, "chat") as served:
        served.http.headers.update(given)
        await served.ask("openai-chat")
    assert not served.calls[0].headers.keys() & TRACE.keys()


async def test_the_trace_of_one_request_does_not_go_with_the_next(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    async with before(fake_openai, tmp_path, "chat") as served:
        for headers in (TRACE, {}):
            await served.http.post("/v1/chat/completions", json=CHAT | {"model": "gpt-4.1"}, headers=headers)
    assert ["traceparent" in call.headers for call in served.calls] == [True, False]
