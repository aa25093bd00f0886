"""The spans of one request: a server span for all of it, below it a client span for each upstream call.

    POST /v1/chat/completions ──────────────────────────────────
        chat gpt-4.1 ──✗        chat gpt-4.1 ───────────────────

They carry names, numbers and times, never what anybody said.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct
from opentelemetry.context import Context, get_current
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

from gateway import ir
from gateway.clock import Clock
from gateway.context import RequestContext, reason_of
from gateway.errors import CallerError, GatewayError
from gateway.telemetry.attributes import (
    Attributes,
    answered,
    asked,
    described,
    operation_of,
    sampled,
    server_of,
    template_of,
    used,
)
from gateway.telemetry.instruments import Instruments
from gateway.trace_context import Carrier
from gateway.upstream import Target

__all__ = ["RequestTrace", "Tools"]

_W3C: Final = TraceContextTextMapPropagator()
_ERROR: Final = Status(StatusCode.ERROR)
_LEFT: Final = ("client_closed", "cancelled")


class Tools(Struct, frozen=True):
    """What all requests of an app are followed with."""

    tracer: Tracer
    instruments: Instruments
    clock: Clock


class RequestTrace:
    """Follows one request. `carrier`: what its next upstream call takes along."""

    def __init__(
        self,
        tools: Tools,
        scope: Scope,
        context: RequestContext,
        received: Mapping[str, str],
        types: Mapping[str, str],
    ) -> None:
        self.carrier = Carrier(received)
        self._tools = tools
        self._types = types
        self._context = context
        self._operation = operation_of(context.route.operation)
        self._call: _UpstreamCall | None = None
        above = get_current()  # where a host is followed, it has gone on with its caller's trace
        if not get_current_span(above).get_span_context().is_valid:
            above = _W3C.extract(received, Context())
        name = f"{scope['method']} {template_of(scope, context.route)}".rstrip()
        self._span = tools.tracer.start_span(name, above, SpanKind.SERVER, described(scope, context))
        self._below = set_span_in_context(self._span, above)
        self._carry(self._below)

    def tries(self, target: Target) -> None:
        """Begin the span of an upstream call."""
        if self._call is not None:
            self._call.end(self.carrier)
        labels = asked(self._operation, target, self._types)
        name = f"{self._operation} {target.model}".rstrip()
        attributes = {**labels, **sampled(self._context.request), "gateway.upstream": target.adapter.name}
        span = self._tools.tracer.start_span(name, self._below, SpanKind.CLIENT, attributes)
        self._call = _UpstreamCall(self._tools, span, labels, set_span_in_context(span, self._below))
        self.carrier.url = ""
        self._carry(self._call.below)

    def answers(self, events: Sequence[ir.Event]) -> None:
        """Note what the upstream says of itself when its answer begins."""
        if self._call is not None:
            self._call.begins(events)

    def fails(self, error: GatewayError) -> None:
        """End the span of the upstream call."""
        if self._call is not None:
            self._call.end(self.carrier, reason_of(error))
            self._call = None

    def ends(self) -> None:
        """End the spans that are open, and count."""
        context, failure = self._context, _failure(self._context)
        if self._call is not None:
            self._call.end(self.carrier, failure, context.usage, context.finish)
        self._span.set_attributes(answered(context))
        if failure:
            self._span.set_attribute("error.type", failure)
            if failure not in _LEFT and not isinstance(context.error, CallerError):
                self._span.set_status(_ERROR)
        self._span.end()
        if context.tried is not None:
            self._count(asked(self._operation, context.tried, self._types), failure)

    def _count(self, labels: Attributes, failure: str) -> None:
        context, instruments = self._context, self._tools.instruments
        if failure:
            labels["error.type"] = failure
        elif context.first_byte is not None:
            instruments.first_seconds.record(context.first_byte - context.started, labels)
        instruments.request_seconds.record(self._tools.clock.monotonic() - context.started, labels)

    def _carry(self, below: Context) -> None:
        headers: dict[str, str] = {}
        _W3C.inject(headers, below)
        self.carrier.headers = headers


class _UpstreamCall:
    """One upstream call. `below`: where the spans of the upstream belong."""

    def __init__(self, tools: Tools, span: Span, labels: Attributes, below: Context) -> None:
        self.below = below
        self._tools = tools
        self._span = span
        self._labels = labels
        self._began = tools.clock.monotonic()
        self._first: float | None = None

    def begins(self, events: Sequence[ir.Event]) -> None:
        """Note when the first content came, and what was said of the answer."""
        self._first = self._tools.clock.monotonic()
        self._span.set_attribute("gen_ai.response.time_to_first_chunk", self._first - self._began)
        started = next((event for event in events if isinstance(event, ir.Started)), None)
        if started is not None and started.model:
            self._labels["gen_ai.response.model"] = started.model
        if started is not None and started.id:
            self._span.set_attribute("gen_ai.response.id", started.id)

    def end(self, carrier: Carrier, failure: str = "", usage: ir.Usage | None = None, finish: str = "") -> None:
        """End the span, and count."""
        labels, instruments = self._labels, self._tools.instruments
        labels.update(server_of(carrier.url))
        if self._first is not None:
            instruments.call_first_seconds.record(self._first - self._began, labels)
        if usage is not None:
            instruments.tokens.record(usage.input, {**labels, "gen_ai.token.type": "input"})
            instruments.tokens.record(usage.output, {**labels, "gen_ai.token.type": "output"})
        if failure:
            labels["error.type"] = failure
            if failure not in _LEFT:
                self._span.set_status(_ERROR)
        instruments.call_seconds.record(self._tools.clock.monotonic() - self._began, labels)
        self._span.set_attributes({**labels, **used(usage, finish)})
        self._span.end()


def _failure(context: RequestContext) -> str:
    """Name what went wrong, "" when nothing did."""
    if context.error is not None:
        return reason_of(context.error)
    if context.end in _LEFT:
        return context.end
    return "" if context.status is not None and context.status < 500 else "defect"
