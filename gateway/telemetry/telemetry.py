"""One app's own providers of spans and metrics; nothing is registered for the process.

    request ─► RequestTrace ─┬─► spans, in batches ─┐
                             └─► instruments ───────┴─► OTLP over HTTP, by threads of their own

What OpenTelemetry's own environment variables say of headers, certificates, sampling, batches and intervals holds.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from starlette.types import Scope
from structlog import get_logger
from structlog.typing import FilteringBoundLogger

from gateway import __version__
from gateway.clock import Clock, System
from gateway.context import RequestContext
from gateway.telemetry.exporters import Batches, Metrics, Reach
from gateway.telemetry.instruments import Instruments
from gateway.telemetry.spans import RequestTrace, Tools

__all__ = ["Telemetry", "misread"]

_NAME: Final = "asgi-llm-gateway"
_FLUSH_S: Final = 3.0
_UNNAMED: Final = "unknown_service"


class Telemetry:
    """Follows requests between `start` and `stop`, in the process that serves: its threads do not survive a fork."""

    def __init__(self, url: str, clock: Clock, logger: FilteringBoundLogger) -> None:
        self._clock = clock
        self._reach = Reach(_base(url), logger)
        self._tools: Tools | None = None
        self._spans: TracerProvider | None = None
        self._metrics: MeterProvider | None = None

    async def start(self) -> None:
        """Begin to send; waits for nobody."""
        self._reach.open()
        self.make()

    def make(self) -> None:
        """Make the providers, with their threads; raise ValueError for a variable that OpenTelemetry does not take."""
        resource = _resource()
        self._metrics = MeterProvider(
            [PeriodicExportingMetricReader(Metrics(self._reach))], resource, shutdown_on_exit=False
        )
        self._spans = TracerProvider(resource=resource, shutdown_on_exit=False, meter_provider=self._metrics)
        self._spans.add_span_processor(Batches(self._reach))
        tracer = self._spans.get_tracer(_NAME, __version__)
        instruments = Instruments(self._metrics.get_meter(_NAME, __version__))
        self._tools = Tools(tracer, instruments, self._clock)

    async def stop(self) -> None:
        """Send what is left, as long as that takes no more than a few seconds."""
        self._tools = None
        await asyncio.to_thread(self.end, _FLUSH_S)
        self._reach.close()

    def end(self, seconds: float) -> None:
        """Send what is left, unless it takes longer."""
        self._reach.end_in(seconds)
        for provider in (self._spans, self._metrics):
            if provider is not None:
                provider.shutdown()
        self._spans = self._metrics = None

    def follow(
        self, scope: Scope, context: RequestContext, received: Mapping[str, str], types: Mapping[str, str]
    ) -> RequestTrace | None:
        """Begin the span of a request, below that of its caller if there is one. `types`: of the upstreams, by name."""
        if self._tools is None:
            return None
        with self._reach.quiet():  # else any caller could have a warning logged for each of its requests
            return RequestTrace(self._tools, scope, context, received, types)


def misread() -> str:
    """Say what OpenTelemetry does not take of its own variables, "" = it takes them; nothing is sent."""
    idle = Telemetry("", System(), get_logger())
    before = logging.root.manager.disable
    logging.disable()  # what it takes in its own way, it says when it begins
    try:
        idle.make()
    except (ValueError, RuntimeError) as error:  # the latter of a plugin that is named and not there
        return str(error)
    finally:
        idle.end(-1)
        logging.disable(before)
    return ""


def _base(url: str) -> str:
    """Give the address that the paths of the signals are added to."""
    return url.rstrip("/").removesuffix("/v1/traces").removesuffix("/v1/metrics")


def _resource() -> Resource:
    found = Resource.create({SERVICE_VERSION: __version__})
    if str(found.attributes[SERVICE_NAME]).startswith(_UNNAMED):
        found = found.merge(Resource({SERVICE_NAME: _NAME}))
    return found
