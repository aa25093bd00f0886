"""What spans and metrics say, in the words of the semantic conventions, and where these have none in ours."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.util.types import AttributeValue
from starlette.types import Scope

from gateway import ir
from gateway.context import RequestContext, route_path
from gateway.redact import redact
from gateway.routes import Operation, Route, as_gemini
from gateway.upstream import Target

__all__ = [
    "Attributes",
    "answered",
    "asked",
    "described",
    "operation_of",
    "sampled",
    "server_of",
    "template_of",
    "used",
]

Attributes = dict[str, AttributeValue]

_OPERATIONS: Final[Mapping[Operation, str]] = {"images": "generate_content"}  # the others are called so there, too
_PROVIDERS: Final = {  # by the type of the upstream; one of somebody else's is called by it
    "anthropic": "anthropic",
    "azure": "azure.ai.openai",
    "gemini": "gcp.gemini",
    "openai": "openai",
    "v1internal": "gcp.gen_ai",
    "vertex": "gcp.vertex_ai",
}
_PORTS: Final = {"http": 80, "https": 443}
_LONGEST: Final = 200  # of what a caller chooses


def operation_of(operation: Operation) -> str:
    """Name what is asked for."""
    return _OPERATIONS.get(operation, operation)


def template_of(scope: Scope, route: Route) -> str:
    """Give the path with `{id}` in the place of a model or a response; "" where anything may stand."""
    if route.foreign or route.operation in ("none", "native"):
        return ""
    path = as_gemini(route_path(scope))
    return "{id}".join(path.rsplit(route.model, 1)) if route.model else path


def described(scope: Scope, context: RequestContext) -> Attributes:
    """Say what came in."""
    found: Attributes = {
        "http.request.method": scope["method"],
        "url.path": redact(scope["path"])[:_LONGEST],
        "url.scheme": scope.get("scheme", "http"),
    }
    template = template_of(scope, context.route)
    if template:
        found["http.route"] = template
    if scope.get("client"):
        found["client.address"] = scope["client"][0]
    return found


def asked(operation: str, target: Target, types: Mapping[str, str]) -> Attributes:
    """Say what an upstream is asked for."""
    name = target.adapter.name
    kind = types.get(name, name)
    found: Attributes = {"gen_ai.operation.name": operation, "gen_ai.provider.name": _PROVIDERS.get(kind, kind)}
    if target.model:
        found["gen_ai.request.model"] = target.model[:_LONGEST]
    return found


def sampled(request: ir.Request | None) -> Attributes:
    """Say how the answer is to be drawn."""
    if request is None:
        return {}
    said = request.sampling
    found = {
        "gen_ai.request.stream": request.stream,
        "gen_ai.request.max_tokens": said.max_tokens,
        "gen_ai.request.temperature": said.temperature,
        "gen_ai.request.top_p": said.top_p,
        "gen_ai.request.top_k": said.top_k,
        "gen_ai.request.seed": said.seed,
        "gen_ai.request.presence_penalty": said.presence_penalty,
        "gen_ai.request.frequency_penalty": said.frequency_penalty,
        "gen_ai.request.choice.count": said.n,
    }
    return {name: value for name, value in found.items() if value is not None}


def server_of(url: str) -> Attributes:
    """Say where a call went."""
    parts = urlsplit(url)
    if not parts.hostname:
        return {}
    return {"server.address": parts.hostname, "server.port": parts.port or _PORTS.get(parts.scheme, 0)}


def used(usage: ir.Usage | None, finish: str) -> Attributes:
    """Say what an answer took, and why it ended."""
    found: Attributes = {}
    if usage is not None:
        found = {
            "gen_ai.usage.input_tokens": usage.input,
            "gen_ai.usage.output_tokens": usage.output,
            "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
            "gen_ai.usage.cache_creation.input_tokens": usage.cache_write,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
        }
    if finish:
        found["gen_ai.response.finish_reasons"] = [finish]
    return found


def answered(context: RequestContext) -> Attributes:
    """Say what came of a request."""
    found: Attributes = {
        "gateway.request_id": context.request_id,
        "gateway.key": context.principal.name,
        "gateway.end": context.end or "done",
        "gateway.attempts": context.attempts,
        "gateway.losses": len(context.losses),
        **used(context.usage, context.finish),
    }
    if not context.route.foreign:
        found["gateway.dialect"] = context.route.dialect
    if context.status is not None:
        found["http.response.status_code"] = context.status
    if context.requested_model:
        found["gen_ai.operation.name"] = operation_of(context.route.operation)
        found["gen_ai.request.model"] = redact(context.requested_model)[:_LONGEST]
    upstream = context.called()
    if upstream:
        found["gateway.upstream"] = upstream[:_LONGEST]
    return found
