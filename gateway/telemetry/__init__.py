"""OpenTelemetry: spans and metrics of requests, sent to `metrics.otlp`. Loads the extra `otel`."""

from gateway.telemetry.telemetry import Telemetry, misread

__all__ = ["Telemetry", "misread"]
