"""Every error that a caller can see, one class a cause.

    GatewayError
    ├── CallerError                  the request must change
    │   ├── InvalidRequest           400  bad JSON, bad field, an option that nothing can carry
    │   │   ├── ContextTooLong       400  prompt too long
    │   │   └── PreviousNotFound     400  the response to continue from is not stored
    │   ├── Unauthenticated          401  no key, or a wrong one
    │   ├── PermissionDenied         403  this key may not do that
    │   ├── NotFound                 404  unknown path
    │   │   └── ModelNotFound        404  unknown model
    │   ├── MethodNotAllowed         405
    │   ├── RequestTimeout           408  the body did not arrive
    │   ├── Conflict                 409  not possible in the current state
    │   ├── BodyTooLarge             413
    │   ├── UnsupportedMediaType     415
    │   ├── RateLimited              429  a limit of this gateway
    │   │   └── TokensLimited        429  a limit in tokens
    │   └── HeadTooLarge             431
    ├── UpstreamError                the upstream failed
    │   ├── UpstreamRejected         400  it rejects the request; 413, too large
    │   ├── UpstreamRateLimited      429  its quota is used up
    │   ├── UpstreamOverloaded       503  no capacity (529 towards Anthropic callers)
    │   ├── UpstreamUnavailable      502  it cannot be reached, or answered 5xx
    │   ├── UpstreamTimeout          504  it stayed silent
    │   ├── UpstreamCredential       502  it rejects our credential; never the caller's 401
    │   └── UpstreamMalformed        502  its response cannot be used
    │       └── StreamBroken         502  its stream ended before it was complete
    └── ServiceError                 this gateway cannot serve
        ├── InternalError            500
        ├── NotImplementedHere       501
        ├── NoCredential             503  a pool without a usable credential
        ├── ModelsAwaited            503  an upstream has not sent its model list yet
        ├── LimitsNotShared          503  several processes, and a key with limits that they cannot count together
        ├── StoreUnavailable         503  stored data cannot be read or written
        ├── Draining                 503  shutting down
        └── Cancelled                503  an operator has ended the request

The class says the cause; `gateway.dialects` says how each dialect spells it.
"""

from typing import ClassVar, Final, Self

__all__ = [
    "BodyTooLarge",
    "CallerError",
    "Cancelled",
    "Conflict",
    "ContextTooLong",
    "Draining",
    "GatewayError",
    "HeadTooLarge",
    "InternalError",
    "InvalidRequest",
    "LimitsNotShared",
    "MethodNotAllowed",
    "ModelNotFound",
    "ModelsAwaited",
    "NoCredential",
    "NotFound",
    "NotImplementedHere",
    "PermissionDenied",
    "PreviousNotFound",
    "RateLimited",
    "RequestTimeout",
    "ServiceError",
    "StoreUnavailable",
    "StreamBroken",
    "TokensLimited",
    "Unauthenticated",
    "UndeclaredTool",
    "UnsupportedMediaType",
    "UpstreamCredential",
    "UpstreamError",
    "UpstreamMalformed",
    "UpstreamOverloaded",
    "UpstreamRateLimited",
    "UpstreamRejected",
    "UpstreamTimeout",
    "UpstreamUnavailable",
]


class GatewayError(Exception):
    """An error with all that its answer needs.

    `message`: one line for a person: what happened, where, what to do. No secret.
    `status`: the HTTP status. `code`: a stable machine-readable word.
    `param`: the request field that is wrong, as the caller wrote it.
    `retry_after`: seconds until another try can succeed; None = unknown.
    `headers`: further reply headers, such as `allow`.
    `own`: what an upstream's error says of itself, for a caller of its dialect: `type`, `code`, `param`, `status`,
    `details`.
    `cause`: what an adapter takes it for, in one of its few words; `UNCALLED`: no credential could be used.
    """

    UNCALLED: Final = "cooling"

    status: int = 500
    code: str | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        self.headers = headers or {}
        self.own: dict[str, object] = {}
        self.cause = ""
        if status is not None:
            self.status = status
        if code is not None:
            self.code = code


class CallerError(GatewayError):
    """The caller can fix it."""

    status = 400


class InvalidRequest(CallerError):
    """The request is malformed, or asks for something that is not possible."""

    status = 400


class UndeclaredTool(InvalidRequest):
    """The tool choice names a tool that the request does not declare; every upstream would reject it."""

    code = "undeclared_tool"


class ContextTooLong(InvalidRequest):
    """The prompt does not fit into the model's context."""

    code = "context_length_exceeded"


class PreviousNotFound(InvalidRequest):
    """The response that the request continues from is not stored here."""

    code = "previous_response_not_found"


class Unauthenticated(CallerError):
    """No API key, or one that is not known here."""

    status = 401
    code = "invalid_api_key"


class PermissionDenied(CallerError):
    """The key is known, but not allowed to do this."""

    status = 403
    code = "permission_denied"


class NotFound(CallerError):
    """There is nothing at this path."""

    status = 404
    code = "not_found"


class ModelNotFound(NotFound):
    """No upstream serves a model of this name."""

    code = "model_not_found"


class MethodNotAllowed(CallerError):
    """The path exists, but does not accept this method."""

    status = 405
    code = "method_not_allowed"


class RequestTimeout(CallerError):
    """The body did not arrive in time."""

    status = 408
    code = "request_timeout"


class Conflict(CallerError):
    """The object exists, but this is not possible in its current state."""

    status = 409
    code = "conflict"


class BodyTooLarge(CallerError):
    """The body is longer than server.max_body."""

    status = 413
    code = "request_too_large"


class UnsupportedMediaType(CallerError):
    """The body is not JSON, or has a content-encoding other than gzip and deflate."""

    status = 415
    code = "unsupported_media_type"


class RateLimited(CallerError):
    """A limit of the key in this gateway is used up."""

    status = 429
    code = "rate_limit_exceeded"


class TokensLimited(RateLimited):
    """A token limit of the key in this gateway is used up; for OpenAI clients the type says so."""


class HeadTooLarge(CallerError):
    """The request line and the headers are longer than `gateway run` reads."""

    status = 431
    code = "head_too_large"


class UpstreamError(GatewayError):
    """The upstream failed; not the caller's fault."""

    status = 502
    code: str | None = "upstream_error"


class UpstreamRejected(UpstreamError):
    """The upstream rejects the translated request as bad, or too large (413); its message is passed on."""

    status = 400
    code = None


class UpstreamRateLimited(UpstreamError):
    """The upstream's quota is used up for every usable credential."""

    SPENT: ClassVar[str] = "insufficient_quota"  # the code where no wait helps
    status = 429
    code = "rate_limit_exceeded"


class UpstreamOverloaded(UpstreamError):
    """The upstream has no capacity for this model now."""

    status = 503
    code = "overloaded"


class UpstreamUnavailable(UpstreamError):
    """The upstream cannot be reached, or failed."""


class UpstreamTimeout(UpstreamError):
    """The upstream stayed silent for longer than [timeouts] allows."""

    status = 504
    code = "timeout"


class UpstreamCredential(UpstreamError):
    """The upstream rejects the gateway's credential."""

    code = "upstream_credential"


class UpstreamMalformed(UpstreamError):
    """The upstream's response cannot be used."""

    code = "upstream_malformed"


class StreamBroken(UpstreamMalformed):
    """The upstream's stream ended before it was complete."""

    CUT: ClassVar[str] = "the upstream's response ended before it was complete"  # where it does not say why
    code = "upstream_truncated"


class ServiceError(GatewayError):
    """This gateway cannot serve the request."""


class InternalError(ServiceError):
    """A bug in this gateway."""

    code = "internal_error"

    @classmethod
    def of_defect(cls) -> Self:
        """Make the one for what nobody has foreseen."""
        return cls("the gateway failed; its log says more")


class NotImplementedHere(ServiceError):
    """The path is known, but nothing in this gateway serves it."""

    status = 501
    code = "not_implemented"


class NoCredential(ServiceError):
    """The upstream has no usable credential."""

    status = 503
    code = "no_credential"


class ModelsAwaited(ServiceError):
    """No upstream is known to serve the model, and one has not sent its model list yet."""

    status = 503
    code = "models_awaited"


class LimitsNotShared(ServiceError):
    """The key has limits, but several processes are serving that cannot count together."""

    status = 503
    code = "limits_not_shared"


class StoreUnavailable(ServiceError):
    """The gateway's stored data cannot be read or written now; its log says why."""

    status = 503
    code = "store_unavailable"


class Draining(ServiceError):
    """The gateway is shutting down."""

    status = 503
    code = "draining"


class Cancelled(ServiceError):
    """An operator has ended the request; it should not be sent again at once."""

    status = 503
    code = "cancelled"
