"""What is sent besides the spans, and what becomes of a receiver that is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics as names

from gateway import __version__
from gateway.app import lifespan
from gateway.errors import UpstreamUnavailable
from tests.fakes.otlp import Receiver, receiver
from tests.gateway.config.asking import ask
from tests.ports import free_port
from tests.scripted import Scripted, app_of, say

pytestmark = pytest.mark.anyio

LABELS = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "demo", "gen_ai.request.model": "demo"}


def config(url: str, folder: Path, level: str = "error") -> dict[str, Any]:
    return {"server": {"data_dir": str(folder)}, "metrics": {"otlp": url}, "log": {"level": level, "format": "json"}}


async def asked(folder: Path, upstream: Scripted, **fields: Any) -> Receiver:
    async with receiver() as sink:
        await ask(app_of(upstream, config=config(sink.url, folder)), **fields)
    return sink


async def test_metrics_have_the_names_of_the_conventions(tmp_path: Path) -> None:
    sink = await asked(tmp_path, Scripted(say("Hello")), stream=True)
    assert set(sink.metrics) == {
        names.GEN_AI_CLIENT_OPERATION_DURATION,
        names.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK,
        names.GEN_AI_CLIENT_TOKEN_USAGE,
        names.GEN_AI_SERVER_REQUEST_DURATION,
        names.GEN_AI_SERVER_TIME_TO_FIRST_TOKEN,
    }
    for name in set(sink.metrics) - {names.GEN_AI_CLIENT_TOKEN_USAGE}:
        assert [(labels, point.count) for labels, point in sink.points(name)] == [(LABELS, 1)]


async def test_tokens_are_told_by_kind(tmp_path: Path) -> None:
    sink = await asked(tmp_path, Scripted(say("Hello")))
    points = sink.points(names.GEN_AI_CLIENT_TOKEN_USAGE)
    assert {labels["gen_ai.token.type"]: point.sum for labels, point in points} == {"input": 3, "output": 2}


async def test_a_failure_is_told_by_its_reason(tmp_path: Path) -> None:
    sink = await asked(tmp_path, Scripted([UpstreamUnavailable("down")]))
    failed = LABELS | {"error.type": "upstream_error"}
    for name in (names.GEN_AI_CLIENT_OPERATION_DURATION, names.GEN_AI_SERVER_REQUEST_DURATION):
        assert [labels for labels, _ in sink.points(name)] == [failed]
    assert sink.points(names.GEN_AI_SERVER_TIME_TO_FIRST_TOKEN) == []


async def test_the_resource_names_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = await asked(tmp_path, Scripted(say("Hello")))
    assert {one["service.name"] for one in sink.resources} == {"asgi-llm-gateway"}
    assert {one["service.version"] for one in sink.resources} == {__version__}
    monkeypatch.setenv("OTEL_SERVICE_NAME", "edge")
    assert {one["service.name"] for one in (await asked(tmp_path, Scripted(say("Hello")))).resources} == {"edge"}


async def test_headers_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=blue")
    sink = await asked(tmp_path, Scripted(say("Hello")))
    assert {headers["x-team"] for headers in sink.headers} == {"blue"}


async def test_two_apps_send_to_their_own_receivers(tmp_path: Path) -> None:
    async with receiver() as one, receiver() as two:
        apps = [app_of(Scripted(say("Hello")), config=config(sink.url, tmp_path)) for sink in (one, two)]
        async with lifespan(apps[0]), lifespan(apps[1]):
            await ask(apps[0])
            await ask(apps[0])
            await ask(apps[1])
    assert (len(one.spans), len(two.spans)) == (4, 2)


async def test_nothing_is_registered_for_the_process(tmp_path: Path) -> None:
    before = trace.get_tracer_provider(), metrics.get_meter_provider()
    await asked(tmp_path, Scripted(say("Hello")))
    assert (trace.get_tracer_provider(), metrics.get_meter_provider()) == before


async def test_an_app_that_starts_again_sends_again(tmp_path: Path) -> None:
    async with receiver() as sink:
        app = app_of(Scripted(say("Hello")), config=config(sink.url, tmp_path))
        for _ in range(2):
            await ask(app)
    assert len(sink.spans) == 4


# a receiver that is not there


def told(capfd: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


async def test_a_receiver_that_is_away_disturbs_nobody_and_is_told_of_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    app = app_of(Scripted(say("Hello")), config=config(f"http://127.0.0.1:{free_port()}", tmp_path, "warning"))
    async with lifespan(app):
        for _ in range(20):
            assert (await ask(app)).status == 200
    (spans, *others) = told(capfd)
    assert (spans["event"], spans["what"], "refused" in spans["reason"]) == (
        "telemetry cannot be exported",
        "spans",
        True,
    )
    assert [one["what"] for one in others] in ([], ["metrics"])


@pytest.mark.parametrize("refused", ["traces", "metrics"])
async def test_a_receiver_may_take_one_of_both(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "20")
    async with receiver() as sink:
        sink.refuses = {f"/v1/{refused}": 404}
        await ask(app_of(Scripted([0.2, *say("Hello")]), config=config(sink.url, tmp_path, "warning")))
    (one,) = told(capfd)  # although it was refused many times
    assert (one["base"], "404" in one["reason"]) == (sink.url, True)
    assert (bool(sink.spans), bool(sink.metrics)) == (refused == "metrics", refused == "traces")


async def test_it_is_said_when_a_receiver_is_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "20")
    async with receiver() as sink:
        sink.refuses = {"/v1/metrics": 403}
        app = app_of(Scripted(say("Hello")), config=config(sink.url, tmp_path, "info"))
        async with lifespan(app):
            await ask(app)
            await sink.until(lambda: len(sink.headers) > 2)
            sink.refuses = {}
            await sink.until(lambda: bool(sink.metrics))
    said = [(one["event"], one["what"]) for one in told(capfd) if "telemetry" in one["event"]]
    assert said == [("telemetry cannot be exported", "metrics"), ("telemetry is exported again", "metrics")]


async def test_what_a_host_sends_by_opentelemetry_is_logged_as_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with receiver() as sink, lifespan(app_of(Scripted(say("Hello")), config=config(sink.url, tmp_path))):
        sink.refuses = {"/v1/traces": 403}
        exporter = OTLPSpanExporter(f"{sink.url}/v1/traces", timeout=1)
        assert await anyio.to_thread.run_sync(exporter.export, []) is SpanExportResult.FAILURE
    assert "403" in caplog.text


def test_without_it_nothing_of_opentelemetry_is_loaded() -> None:
    code = "import sys, gateway; gateway.create_app({}); print(any('opentelemetry' in name for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
