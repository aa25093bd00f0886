"""How Vertex AI says no: its projects, its permissions, its quotas and its models.

https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/api-errors and what callers have published.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fakes.v1internal_errors import Refusal, google, invalid, plain
from tests.fakes.vertex_api_login import unauthenticated

__all__ = ["NAMED", "model_not_found", "named", "project_denied", "quota_project_denied"]

SERVICE = "aiplatform.googleapis.com"
TYPE = "type.googleapis.com/google.rpc."
CONSOLE = f"https://console.developers.google.com/apis/api/{SERVICE}/overview?project="
EXHAUSTED = (
    "Resource exhausted. Please try again later. Please refer to "
    "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details."
)


def _info(reason: str, domain: str = "googleapis.com", **metadata: str) -> dict[str, Any]:
    return {
        "@type": f"{TYPE}ErrorInfo",
        "reason": reason,
        "domain": domain,
        "metadata": {"service": SERVICE, **metadata},
    }


def _help(description: str, url: str) -> dict[str, Any]:
    return {"@type": f"{TYPE}Help", "links": [{"description": description, "url": url}]}


def model_not_found(resource: str) -> Refusal:
    """Write the 404 of a publisher's model that this location does not have."""
    return google(
        404,
        f"Publisher Model `{resource}` was not found or your project does not have access to it. Please ensure you are "
        "using a valid model version. For more information, see: "
        "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions",
    )


def project_denied(project: str) -> Refusal:
    """Write the 403 of a project in which the caller may not predict."""
    permission = "aiplatform.endpoints.predict"
    resource = f"//{SERVICE}/projects/{project}/locations/us-central1/publishers/google/models/x"
    return google(
        403,
        f"Permission '{permission}' denied on resource '{resource}' (or it may not exist).",
        details=[_info("IAM_PERMISSION_DENIED", SERVICE, permission=permission, resource=resource)],
    )


def quota_project_denied(project: str) -> Refusal:
    """Write the 403 of a quota project that the caller may not bill."""
    console = f"https://console.developers.google.com/iam-admin/iam/project?project={project}"
    return google(
        403,
        f"Caller does not have required permission to use project {project}. Grant the caller the "
        "roles/serviceusage.serviceUsageConsumer role, or a custom role with the serviceusage.services.use permission, "
        f"by visiting {console} and then retry. Propagation of the new permission may take a few minutes.",
        details=[
            _help("Google developer console IAM admin", console),
            _info("USER_PROJECT_DENIED", consumer=f"projects/{project}"),
        ],
    )


def _disabled(project: str) -> Refusal:
    activation = f"{CONSOLE}{project}"
    return google(
        403,
        f"Vertex AI API has not been used in project {project} before or it is disabled. Enable it by visiting "
        f"{activation} then retry. If you enabled this API recently, wait a few minutes for the action to propagate to "
        "our systems and retry.",
        details=[
            _help("Google developers console API activation", activation),
            _info("SERVICE_DISABLED", activationUrl=activation, consumer=f"projects/{project}"),
        ],
    )


def _quota(project: str) -> Refusal:
    quota = "GenerateContentRequestsPerMinutePerProjectPerModel"
    return google(
        429,
        f"Quota exceeded for {SERVICE}/generate_content_requests_per_minute_per_project_per_base_model with base "
        "model: gemini-2.5-flash. Please submit a quota increase request. "
        "https://cloud.google.com/vertex-ai/docs/generative-ai/quotas-genai.",
        details=[
            {
                "@type": f"{TYPE}QuotaFailure",
                "violations": [{"quotaMetric": f"{SERVICE}/generate_content_requests", "quotaId": quota}],
            },
            {"@type": f"{TYPE}RetryInfo", "retryDelay": "27s"},
        ],
    )


def _said(code: int, message: str, **extra: Any) -> Callable[[str], Refusal]:
    return lambda _: google(code, message, **extra)


# name -> the error, given the project of the call
NAMED: dict[str, Callable[[str], Refusal]] = {
    "400_invalid_argument": _said(400, "Request contains an invalid argument."),
    "400_region": _said(
        400,
        "Publisher Model `projects/fake-project-000/locations/us-central1/publishers/anthropic/models/claude` is not "
        "servable in region us-central1.",
        status="FAILED_PRECONDITION",
    ),
    "401_expired": lambda _: unauthenticated("ACCESS_TOKEN_EXPIRED"),
    "403_permission": project_denied,
    "403_quota_project": quota_project_denied,
    "403_service_disabled": _disabled,
    "403_billing": _said(
        403,
        "This API method requires billing to be enabled. Please enable billing on project #0 by visiting "
        "https://console.developers.google.com/billing/enable?project=0 then retry.",
        details=[_info("BILLING_DISABLED", consumer="projects/0")],
    ),
    "429_bare": _said(429, EXHAUSTED),
    "429_quota": _quota,
    "499_cancelled": _said(499, "The operation was cancelled."),
    "500_internal": _said(500, "Internal error encountered."),
    "503_unavailable": _said(503, "The service is currently unavailable."),
    "504_deadline": _said(504, "Deadline expired before operation could complete."),
}


def named(name: str, project: str) -> Refusal:
    """Take an error of `NAMED`, or a bare one by its number."""
    if name.isdigit():
        return plain(int(name))
    if name not in NAMED:
        return invalid(f"fake: no error is called {name!r}")
    return NAMED[name](project)
