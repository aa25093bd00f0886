"""How Azure OpenAI says no: its gateway's bare statuses, deployments, keys, quotas, and prompts that its filter stops.

https://learn.microsoft.com/azure/ai-foundry/openai/reference, …/concepts/content-filter, and what callers have
published of the bodies. What the model behind a deployment refuses of a request is said in OpenAI's words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fakes.azure_api_filters import STOPPED
from tests.fakes.openai_api_errors import OpenAIRefusal, unknown_argument
from tests.fakes.openai_api_errors import named as openai_named
from tests.fakes.v1internal_errors import Refusal

__all__ = [
    "NAMED",
    "deployment_not_found",
    "key_refused",
    "named",
    "not_found",
    "token_refused",
    "unknown_argument",
    "version_refused",
    "wrong_operation",
]

AUDIENCE = "https://cognitiveservices.azure.com"
QUOTA = "https://aka.ms/oai/quotaincrease"


def _said(status: int, code: str, message: str, headers: dict[str, str] | None = None, /, **more: Any) -> OpenAIRefusal:
    return OpenAIRefusal(status, {"code": code, "message": message, **more}, headers)


def not_found() -> OpenAIRefusal:
    """Write the 404 of a path, or an api-version, that there is not."""
    return _said(404, "404", "Resource not found")


def version_refused() -> OpenAIRefusal:
    """Write the 400 of a dated api-version on the v1 path."""
    return _said(400, "BadRequest", "API version not supported")


def key_refused() -> OpenAIRefusal:
    """Write the 401 of an api-key that is unknown."""
    return _said(
        401,
        "401",
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
        "active subscription and use a correct regional API endpoint for your resource.",
    )


def token_refused() -> Refusal:
    """Write the 401 of a call without an api-key, or with a bearer that is no access token; it has no `error`."""
    message = f"Unauthorized. Access token is missing, invalid, audience is incorrect ({AUDIENCE}), or have expired."
    return Refusal(401, {"statusCode": 401, "message": message})


def deployment_not_found() -> OpenAIRefusal:
    """Write the 404 of a deployment that there is not."""
    return _said(
        404,
        "DeploymentNotFound",
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
        "please wait a moment and try again.",
    )


def wrong_operation(operation: str, model: str) -> OpenAIRefusal:
    """Write the 400 of a call that the deployed model has not."""
    return _said(
        400,
        "OperationNotSupported",
        f"The {operation} operation does not work with the specified model, {model}. Please choose different model and "
        "try again. You can learn more about which models can be used with each operation here: "
        "https://go.microsoft.com/fwlink/?linkid=2197993.",
    )


def _over_limit(deployment: str) -> OpenAIRefusal:
    return _said(
        429,
        "429",
        "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2025-04-01-preview have "
        "exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 20 seconds. Please go "
        f"here: {QUOTA} if you would like to further increase the default rate limit.",
        {"retry-after": "20", "retry-after-ms": "19500", "x-ratelimit-remaining-tokens": "0"},
    )


NAMED: dict[str, Callable[[str], Refusal]] = {
    "400_content_filter": lambda _: _said(
        400,
        "content_filter",
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please "
        "modify your prompt and retry. To learn more about our content filtering policies please read our "
        "documentation: https://go.microsoft.com/fwlink/?linkid=2198766",
        type=None,
        param="prompt",
        status=400,
        innererror={"code": "ResponsibleAIPolicyViolation", "content_filter_result": STOPPED},
    ),
    "401_key": lambda _: key_refused(),
    "401_token": lambda _: token_refused(),
    "401_principal": lambda _: _said(401, "PermissionDenied", "Principal does not have access to API/Operation."),
    "403_network": lambda _: _said(403, "403", "Access denied due to Virtual Network/Firewall rules."),
    "403_quota": lambda _: _said(
        403, "403", "Out of call volume quota for CognitiveServices.OpenAI F0 pricing tier. Please retry after 14 days."
    ),
    "404_deployment": lambda _: deployment_not_found(),
    "404_path": lambda _: not_found(),
    "408_timeout": lambda _: _said(408, "Timeout", "The operation was timeout."),
    "429_tokens": _over_limit,
    "429_capacity": lambda _: _said(
        429,
        "NoCapacity",
        "The system is currently experiencing high demand and cannot process your request. Your request exceeds the "
        "maximum usage size allowed during peak load. For improved capacity reliability, consider switching to "
        "Provisioned Throughput.",
    ),
    "500_server": lambda _: _said(500, "InternalServerError", "Backend returned unexpected response."),
    "503_busy": lambda _: _said(
        503, "ServiceUnavailable", "The server is temporarily unable to process your request. Please try again later."
    ),
}


def named(name: str, deployment: str) -> Refusal:
    """Take an error of `NAMED`, or one that the model itself gives, in OpenAI's words."""
    return NAMED[name](deployment) if name in NAMED else openai_named(name, deployment)
