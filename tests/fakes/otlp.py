"""A receiver of OpenTelemetry data: OTLP over HTTP in protobuf, as the specification has it, and no more lenient."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped] # it has no stubs
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.patience import patient

__all__ = ["Receiver", "attributes", "receiver"]

PROTOBUF = "application/x-protobuf"
TRACE_BYTES, SPAN_BYTES = 16, 8
WAIT_S = 10.0


class Receiver:
    """What came. `refuses`: what it answers with which status instead of taking it; `headers`: of each call."""

    def __init__(self) -> None:
        self.url = ""
        self.refuses: dict[str, int] = {}
        self.headers: list[dict[str, str]] = []
        self.spans: list[Span] = []
        self.metrics: dict[str, list[HistogramDataPoint]] = {}
        self.resources: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self._called = asyncio.Event()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for calls until something is so."""
        while not is_so():
            self._called = asyncio.Event()
            await asyncio.wait_for(self._called.wait(), patient(WAIT_S))

    def points(self, name: str) -> list[tuple[dict[str, Any], HistogramDataPoint]]:
        """Give what was sent last of a metric, with its attributes."""
        return [(attributes(point.attributes), point) for point in self.metrics.get(name, ())]

    async def take(self, request: web.Request) -> web.Response:
        """Answer an export."""
        self._called.set()
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if request.path in self.refuses:
            return web.Response(status=self.refuses[request.path])
        kinds: dict[str, tuple[type[Message], type[Message]]] = {
            "/v1/traces": (ExportTraceServiceRequest, ExportTraceServiceResponse),
            "/v1/metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
        }
        if request.path not in kinds:
            return web.Response(status=404)
        if request.content_type != PROTOBUF:
            return web.Response(status=415)
        body = await request.read()  # aiohttp has inflated it
        asked, answered = (kind() for kind in kinds[request.path])
        try:
            asked.ParseFromString(body)
            self._check(asked)
        except (DecodeError, AssertionError) as error:
            return web.Response(status=400, text=str(error))
        self.bodies.append(body)
        return web.Response(body=answered.SerializeToString(), content_type=PROTOBUF)

    def _check(self, asked: Any) -> None:
        if isinstance(asked, ExportTraceServiceRequest):
            for resource in asked.resource_spans:
                self.resources.append(attributes(resource.resource.attributes))
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        assert (len(span.trace_id), len(span.span_id)) == (TRACE_BYTES, SPAN_BYTES), "ids"
                        assert len(span.parent_span_id) in (0, SPAN_BYTES), "parent"
                        assert span.name, "a span without a name"
                        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano, "times"
                        assert all(_says(one) for one in span.attributes), "an attribute without a value"
                        self.spans.append(span)
        else:
            for resource in asked.resource_metrics:
                self.resources.append(attributes(resource.resource.attributes))
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        assert metric.name, "a metric without a name"
                        assert metric.unit, f"{metric.name} has no unit"
                        points = list(metric.histogram.data_points)
                        for point in points:
                            assert len(point.bucket_counts) == len(point.explicit_bounds) + 1, metric.name
                            assert sum(point.bucket_counts) == point.count, metric.name
                        self.metrics[metric.name] = points


@asynccontextmanager
async def receiver(port: int = 0) -> AsyncIterator[Receiver]:
    """Serve one on loopback."""
    made = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", port))
    await web.SockSite(runner, listener).start()
    made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


def attributes(given: Sequence[KeyValue]) -> dict[str, Any]:
    """Read attributes, of which each name may stand once."""
    names = [one.key for one in given]
    assert len(set(names)) == len(names), f"twice: {names}"
    return {one.key: _value(one.value) for one in given}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind) if kind else None


def _says(one: KeyValue) -> bool:
    return bool(one.key) and one.value.WhichOneof("value") is not None
