"""What goes to the receiver, and what is said of one that cannot be reached: once, and once more when it can.

The exporters log each failure and each further try by themselves, for the whole process; of ours nothing of it is seen.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar, cast

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from structlog.typing import FilteringBoundLogger

__all__ = ["Batches", "Metrics", "Reach", "Spans"]

_R = TypeVar("_R")

_SEND_S: Final = 3.0  # a batch, with all further tries
_LOGGERS: Final = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.sdk._shared_internal",  # its queue is full
    "opentelemetry.trace.span",  # a caller's tracestate is none
)


class Reach(logging.Filter):
    """Whether the receiver at `base` takes what it is sent. Between `open` and `close`."""

    def __init__(self, base: str, logger: FilteringBoundLogger) -> None:
        super().__init__()
        self.base = base
        self._logger = logger
        self._loop: asyncio.AbstractEventLoop | None = None
        self._until: float | None = None
        self._failing = set[str]()  # of what is sent; a receiver may take only some of it
        self._thread = threading.local()

    def open(self) -> None:
        """Begin to say how it is, by the loop that runs."""
        self._loop = asyncio.get_running_loop()
        self._until = None
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self)

    def end_in(self, seconds: float) -> None:
        """Begin no more sending after so long."""
        self._until = time.monotonic() + seconds

    def close(self) -> None:
        """Say nothing more."""
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self)
        self._loop = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep back what is logged of our own sending."""
        if not getattr(self._thread, "ours", False):
            return True
        self._thread.said = self._thread.said or record.getMessage()  # the first one says most
        return False

    @contextmanager
    def quiet(self) -> Generator[None]:
        """Hide what is logged inside."""
        self._thread.ours, self._thread.said = True, ""
        try:
            yield
        finally:
            self._thread.ours = False

    def send(self, what: str, export: Callable[[], _R], failure: _R) -> _R:
        """Export something, in a thread of OpenTelemetry's."""
        if self._until is not None and time.monotonic() > self._until:
            return failure
        with self.quiet():
            result = export()
        loop, fails = self._loop, result == failure
        if fails != (what in self._failing) and loop is not None:
            (self._failing.add if fails else self._failing.discard)(what)
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._tell, what, self._thread.said if fails else "")
        return result

    def _tell(self, what: str, reason: str) -> None:
        if reason:
            self._logger.warning("telemetry cannot be exported", base=self.base, what=what, reason=reason[:300])
        else:
            self._logger.info("telemetry is exported again", base=self.base, what=what)


class Spans(OTLPSpanExporter):
    """Sends spans."""

    def __init__(self, reach: Reach) -> None:
        super().__init__(endpoint=f"{reach.base}/v1/traces", timeout=_SEND_S)
        self._reach = reach

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch."""
        export = super().export
        return self._reach.send("spans", lambda: export(spans), SpanExportResult.FAILURE)


class Metrics(OTLPMetricExporter):
    """Sends metrics."""

    def __init__(self, reach: Reach) -> None:
        super().__init__(endpoint=f"{reach.base}/v1/metrics", timeout=_SEND_S)
        self._reach = reach

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Send what there is."""
        # its further options are not typed
        export = cast("Callable[..., MetricExportResult]", super().export)  # pyright: ignore[reportUnknownMemberType]
        failure = MetricExportResult.FAILURE
        return self._reach.send("metrics", lambda: export(metrics_data, timeout_millis, **kwargs), failure)


class Batches(BatchSpanProcessor):
    """Gathers spans; those that find its queue full are dropped without a word."""

    def __init__(self, reach: Reach) -> None:
        super().__init__(Spans(reach))
        self._reach = reach

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span."""
        with self._reach.quiet():
            super().on_end(span)
