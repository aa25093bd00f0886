"""What a self-test finds besides encoders: streams that stay open, grudges, missing dialects, keys, nobody there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.app import create_app
from gateway.testing import FakeUpstream, Finding, Received, Reply, Report, Selection, selftest
from tests.ports import free_port
from tests.serving import serve

pytestmark = pytest.mark.anyio

KEY = "sk-0123456789abcdef0123456789"


def gateway(folder: Path, **over: object) -> ASGIApp:
    demo = {"upstream": {"demo": {"type": "demo"}}, "timeouts": {"keepalive": 0.02}}
    return create_app({"server": {"data_dir": str(folder)}, "log": {"level": "error"}, **demo, **over})


class Watched:
    """Passes everything, and notes who left before an answer was over."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.left = 0
        self.asked: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        over = False

        async def hear() -> Message:
            message = await receive()
            self.left += message["type"] == "http.disconnect" and not over
            return message

        async def say(message: Message) -> None:
            nonlocal over
            over = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        if scope["type"] == "http":
            self.asked.append(scope["path"])
            if await self.answers(scope, receive, send):
                return
        await self._app(scope, hear, say)

    async def answers(self, scope: Scope, receive: Receive, send: Send) -> bool:
        return False


class Grudge(Watched):
    """Serves nobody any more once somebody has left."""

    async def answers(self, scope: Scope, receive: Receive, send: Send) -> bool:
        if self.left and scope["path"] == "/v1/messages":
            await JSONResponse({"error": "defect"}, 500)(scope, receive, send)
            return True
        return False


class Hoard(Watched):
    """Counts those who left as open."""

    async def answers(self, scope: Scope, receive: Receive, send: Send) -> bool:
        if scope["path"] == "/metrics":
            await PlainTextResponse(f'gateway_open_streams{{dialect="anthropic"}} {self.left}\n')(scope, receive, send)
            return True
        return False


async def leaving(app: ASGIApp, settle_s: float = 10) -> Finding:
    async with serve(app) as url:
        report = await selftest(url, dialects=["anthropic"], silence_s=0.2, settle_s=settle_s)
    (finding,) = [one for one in report.findings if one.check == "callers who leave"]
    return finding


async def test_callers_leave_in_the_midst_of_an_answer(tmp_path: Path) -> None:
    watched = Watched(gateway(tmp_path))
    finding = await leaving(watched)
    assert (finding.verdict, finding.problem) == ("ok", "")
    assert watched.left > 0
    assert finding.heard.endswith("; no stream is left open")


async def test_a_gateway_that_fails_once_somebody_has_left_is_found(tmp_path: Path) -> None:
    finding = await leaving(Grudge(gateway(tmp_path)))
    assert finding.verdict == "failed"
    assert "500" in finding.problem


async def test_a_stream_that_stays_open_is_found(tmp_path: Path) -> None:
    finding = await leaving(Hoard(gateway(tmp_path)), settle_s=0.3)
    assert finding.verdict == "failed"
    assert "streams are open" in finding.problem


# what is offered


async def test_a_dialect_that_is_not_there_is_no_failure(tmp_path: Path) -> None:
    class OpenAIOnly(Watched):
        async def answers(self, scope: Scope, receive: Receive, send: Send) -> bool:
            if "/messages" in scope["path"] or scope["path"].startswith("/v1beta"):
                await JSONResponse({"detail": "Not Found"}, 404)(scope, receive, send)
                return True
            return False

    async with serve(OpenAIOnly(gateway(tmp_path))) as url:
        report = await selftest(url, "simple")
    assert [*report.offered] == ["openai-chat", "openai-responses"]
    assert report.ok
    missing = [(one.dialect, one.check, one.verdict) for one in report.findings[4:]]
    assert missing == [("anthropic", "offered", "not offered"), ("gemini", "offered", "not offered")]


async def test_a_server_that_offers_nothing_fails() -> None:
    async with serve(Starlette()) as url:
        report = await selftest(url)
    assert (report.ok, [*report.offered], [*report.failed]) == (False, [], [])


async def test_nobody_there_is_a_failure() -> None:
    report = await selftest(f"http://127.0.0.1:{free_port()}", dialects=["gemini"], timeout_s=5)
    (finding,) = report.findings
    assert (report.ok, finding.verdict) == (False, "failed")
    assert "ConnectError" in finding.problem


# keys


async def report_with(folder: Path, key: str, **over: object) -> Report:
    async with serve(gateway(folder, auth={"keys": [KEY]}, models={"unknown": "reject"}, **over)) as url:
        return await selftest(url, "no-streaming", key=key, model="demo")


async def test_with_a_key_a_strangers_is_refused_in_every_dialect(tmp_path: Path) -> None:
    report = await report_with(tmp_path, KEY)
    assert report.ok
    assert [one.verdict for one in report.findings if one.check == "wrong key"] == ["ok"] * 4
    assert [one.verdict for one in report.findings if one.check == "unknown model"] == ["ok"] * 4


async def test_where_wrong_keys_are_not_looked_at_for_a_while_none_is_tried(tmp_path: Path) -> None:
    """Its own wrong keys, of one run and the next, are too many for a minute."""
    async with serve(gateway(tmp_path, auth={"keys": [KEY]})) as url:
        for _ in range(10):
            await selftest(url, "simple", key="sk-another", model="demo", dialects=["anthropic"])
        report = await selftest(url, "no-streaming", key=KEY, model="demo", dialects=["anthropic"])
    (finding,) = [one for one in report.findings if one.check == "wrong key"]
    assert (report.ok, finding.verdict) == (True, "not offered")
    assert finding.problem.startswith("not tried: too many wrong keys came from here, it checks more in ")


async def test_a_stranger_who_is_told_no_time_to_wait_is_not_refused_rightly(tmp_path: Path) -> None:
    class Throttle(Watched):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if (b"x-api-key", b"sk-selftest-stranger") in scope.get("headers", ()):
                await JSONResponse({"error": "slow down"}, 429)(scope, receive, send)
            else:
                await super().__call__(scope, receive, send)

    async with serve(Throttle(gateway(tmp_path, auth={"keys": [KEY]}))) as url:
        report = await selftest(url, "no-streaming", key=KEY, model="demo", dialects=["anthropic"])
    assert [one.check for one in report.failed] == ["wrong key"]


async def test_a_key_that_is_refused_fails_and_is_not_told(tmp_path: Path) -> None:
    report = await report_with(tmp_path, "sk-somebody-elses-key-0123456789")
    assert {one.check for one in report.failed} >= {"text", "tool call"}
    assert "somebody-elses" not in str(report)


# selections


@pytest.mark.parametrize(
    ("selection", "checks"),
    [
        ("simple", {"text", "text, streamed"}),
        ("tools", {"tool call", "tool call, streamed", "tool results", "tool results, streamed"}),
    ],
)
async def test_a_selection_has_its_checks(tmp_path: Path, selection: Selection, checks: set[str]) -> None:
    async with serve(gateway(tmp_path)) as url:
        report = await selftest(url, selection)
    assert {one.check for one in report.findings} == checks
    assert len(report.findings) == 4 * len(checks)


@pytest.mark.parametrize(("selection", "streams"), [("streaming-only", True), ("no-streaming", False)])
async def test_only_one_selection_asks_for_streams(tmp_path: Path, selection: Selection, streams: bool) -> None:
    watched = Watched(gateway(tmp_path))
    async with serve(watched) as url:
        report = await selftest(url, selection, dialects=["gemini"], silence_s=0.05)
    assert report.ok
    assert any("streamGenerateContent" in path for path in watched.asked) is streams


def two_calls(asked: Received) -> Reply:
    """Answer with two calls; streamed, both are of one place."""
    function = {"name": "get_weather", "arguments": '{"city": "Rome"}'}
    calls = [{"index": 0, "id": f"call_{place}", "type": "function", "function": function} for place in "ab"]
    head = {"id": "c", "created": 1, "model": "m"}
    if not asked.json()["stream"]:
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        choice = {"index": 0, "message": {"role": "assistant", "tool_calls": calls}, "finish_reason": "tool_calls"}
        return Reply.json({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
    deltas: list[dict[str, object]] = [{"role": "assistant"}, {"tool_calls": calls[:1]}, {"tool_calls": calls[1:]}, {}]
    choices = [{"index": 0, "delta": delta, "finish_reason": None if delta else "tool_calls"} for delta in deltas]
    chunks = [json.dumps({**head, "object": "chat.completion.chunk", "choices": [choice]}) for choice in choices]
    return Reply.events(*chunks, "[DONE]")


async def test_calls_of_one_place_in_a_stream_are_found() -> None:
    async with FakeUpstream(answer=two_calls) as upstream:
        report = await selftest(upstream.url, "tools", dialects=["openai-chat"], model="m")
    found = {finding.check: finding.problem for finding in report.failed}
    assert "a call is named again" in found["tool results, streamed"]
