"""[timeouts], [retry], [translate] and [log] change how one call is made and answered."""

import socket
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from gateway import ir
from gateway.app import Gateway, create_app
from gateway.errors import UpstreamUnavailable
from gateway.transport import ConnectFailed, Transport
from gateway.upstream import Call, Step
from tests.gateway.config.asking import ask
from tests.middleware.asgi import Outcome
from tests.patience import patient
from tests.scripted import Play, Scripted, app_of, say

pytestmark = pytest.mark.anyio

DOWN = UpstreamUnavailable("the upstream answered 500")
SIGNED: Play = [
    [ir.Started(), ir.BlockStarted(kind="tool_call", id="call_1", name="look"), ir.ArgumentsDelta("{}")],
    [ir.SignatureDelta(ir.Signature("gemini", "c2ln")), ir.BlockEnded(), ir.Finished(reason="tool_calls")],
]
DRAWN: Play = [
    [ir.Started(), ir.BlockStarted(kind="media"), ir.MediaChunk(media_type="image/png", data="aGVsbG8=")],
    [ir.BlockEnded(), ir.Finished(reason="stop")],
]


async def answer(upstream: Scripted, **config: Any) -> Outcome:
    return await ask(app_of(upstream, config=config))


class Dialling(Scripted):
    """Its call connects to a listener that never finishes a handshake."""

    async def start(self, transport: Transport) -> None:
        self.transport = transport

    async def dial(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"https://127.0.0.1:{listener.getsockname()[1]}"
            try:
                await self.transport.send("POST", url, headers={})
            except ConnectFailed as error:
                raise UpstreamUnavailable(str(error)) from None


async def test_connect_bounds_the_handshake() -> None:
    upstream = Dialling([])
    upstream.plays, upstream.after = [[upstream.dial]], lambda error: error
    with anyio.fail_after(patient(5)):
        assert (await answer(upstream, timeouts={"connect": 0.05})).status == 502


async def test_first_byte_bounds_the_wait_for_content() -> None:
    assert (await answer(Scripted([0.1, *say("Hello")]))).status == 200
    outcome = await answer(Scripted([0.1, *say("Hello")]), timeouts={"first_byte": 0.02})
    assert outcome.status == 504
    assert "timeouts.first_byte" in outcome.json["error"]["message"]


@pytest.mark.parametrize("attempts", [1, 3])
async def test_attempts_bounds_the_calls(attempts: int) -> None:
    upstream = Scripted([DOWN], after=lambda _: Step())
    assert (await answer(upstream, retry={"attempts": attempts})).status == 502
    assert len(upstream.calls) == attempts


@pytest.mark.parametrize(("max_wait", "status", "calls"), [(1, 200, 2), (0, 502, 1)])
async def test_max_wait_says_which_pause_is_taken(max_wait: int, status: int, calls: int) -> None:
    upstream = Scripted([DOWN], say("Hello"), after=lambda _: Step(wait_s=0.01))
    outcome = await answer(upstream, retry={"max_wait": max_wait})
    assert (outcome.status, len(upstream.calls), "retry-after" in outcome.headers) == (status, calls, status == 502)


@pytest.mark.parametrize(("lossy", "status"), [("report", 200), ("strict", 400)])
async def test_strict_refuses_what_report_names(lossy: str, status: int) -> None:
    upstream = Scripted(say("Hello"))
    upstream.losses = (ir.Loss("seed", "no such thing here", "change"),)
    outcome = await answer(upstream, translate={"lossy": lossy})
    assert (outcome.status, outcome.headers.get("x-gateway-lossy")) == (status, "1" if status == 200 else None)


@pytest.mark.parametrize(("signatures", "sealed"), [("sealed", True), ("off", False)])
async def test_signatures_travel_in_the_answer_or_not_at_all(signatures: str, sealed: bool) -> None:
    outcome = await answer(Scripted(SIGNED), translate={"signatures": signatures})
    (call,) = outcome.json["choices"][0]["message"]["tool_calls"]
    assert ("extra_content" in call) == sealed


@pytest.mark.parametrize(("images_out", "beside"), [("markdown", False), ("images", True)])
async def test_images_stand_in_the_text_or_beside_it(images_out: str, beside: bool) -> None:
    outcome = await answer(Scripted(DRAWN), translate={"images_out": images_out})
    message = outcome.json["choices"][0]["message"]
    assert ("images" in message) == beside
    assert ("data:image/png" in (message["content"] or "")) == (not beside)


@pytest.mark.parametrize(
    ("conflict", "budget", "raised"), [("clamp", 2999, False), ("raise", 4000, True), ("drop", None, False)]
)
async def test_thinking_conflict_says_what_gives_way(
    conflict: str, budget: int | None, raised: bool, tmp_path: Path
) -> None:
    config: dict[str, Any] = {
        "server": {"data_dir": str(tmp_path)},
        "upstream": {"google": {"type": "v1internal", "models": ["claude-sonnet-4-5"]}},
        "translate": {"thinking_conflict": conflict},
    }
    gateway: Gateway = create_app(config).state.gateway
    request = ir.Request(
        model="claude-sonnet-4-5",
        turns=(ir.Turn(role="user", parts=(ir.Text(text="Hello"),)),),
        sampling=ir.Sampling(max_tokens=3000),
        reasoning=ir.Reasoning(mode="budget", budget=4000),
    )
    body = gateway.adapters["google"].open(Call(request=request, request_id="req_1")).body()
    made = msgspec.json.decode(body)["request"]["generationConfig"]
    assert made.get("thinkingConfig", {}).get("thinkingBudget") == budget
    assert (made["maxOutputTokens"] > 4000) == raised
    assert (made["maxOutputTokens"] == 3000) == (not raised)


@pytest.mark.parametrize(("level", "lines"), [("info", 1), ("warning", 0)])
async def test_the_level_says_what_is_logged(level: str, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    await answer(Scripted(say("Hello")), log={"level": level})
    assert len(capsys.readouterr().err.splitlines()) == lines


@pytest.mark.parametrize(("form", "json"), [("json", True), ("auto", True), ("console", False)])
async def test_the_format_says_how_it_is_written(form: str, json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    await answer(Scripted(say("Hello")), log={"format": form, "level": "info"})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("{") == json
