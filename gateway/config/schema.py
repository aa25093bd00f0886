"""Every key of gateway.toml with its type and default: the names of the fields are the names of the keys."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field
from msgspec.structs import force_setattr

from gateway.config.limits import Limits
from gateway.config.upstreams import DemoConfig, UpstreamConfig
from gateway.config.values import (
    Amount,
    Base,
    Count,
    Digest,
    Expires,
    Hidden,
    Key,
    Keys,
    Level,
    Path,
    Positive,
    Rule,
    Seconds,
    Size,
    Some,
    Url,
)
from gateway.redact import Secret

__all__ = [
    "VARIANTS",
    "AdminConfig",
    "AuthConfig",
    "Config",
    "CorsConfig",
    "DefaultsConfig",
    "KeyConfig",
    "LogConfig",
    "MetricsConfig",
    "MiddlewareConfig",
    "ModelsConfig",
    "PipelineConfig",
    "PriceConfig",
    "RecordConfig",
    "ResponsesConfig",
    "RetryConfig",
    "ServerConfig",
    "StoreConfig",
    "ThinkingRule",
    "TimeoutsConfig",
    "TranslateConfig",
    "UsageConfig",
    "VariantConfig",
]


class ServerConfig(Struct, frozen=True, kw_only=True):
    """Where the gateway listens, and its bounds. Sizes are bytes, times seconds."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8045
    public_url: Base = ""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1",)
    max_body: Size = 32 * 2**20
    drain: Seconds = 30.0
    data_dir: str = "data"


class PipelineConfig(Struct, frozen=True, kw_only=True):
    """The middlewares, outermost first."""

    order: tuple[str, ...] = (
        "request_id",
        "access_log",
        "metrics",
        "body_limit",
        "auth",
        "rate_limit",
        "protocol",
        "model_map",
        "usage",
    )


class MiddlewareConfig(Struct, frozen=True, kw_only=True):
    """Somebody's own ASGI middleware: `use(app, **options)`."""

    use: str
    options: dict[str, object] = {}


class AuthConfig(Struct, frozen=True, kw_only=True):
    """Plain keys, where a key may stand, and who may come without."""

    keys: tuple[Key, ...] = ()
    accept: tuple[Literal["bearer", "x-api-key", "x-goog-api-key", "api-key", "basic", "query"], ...] = (
        "bearer",
        "x-api-key",
        "x-goog-api-key",
        "api-key",
        "basic",
        "query",
    )
    allow_anonymous: Literal["never", "loopback", "always"] = "loopback"


class KeyConfig(Struct, frozen=True, kw_only=True):
    """A named key: by its hash or its text, with scopes and limits. `models` are globs, () = all.

    `upstreams`: names of those that may answer, () = all.
    """

    name: str
    sha256: Digest = ""
    secret: Key = Secret("")
    models: tuple[str, ...] = ()
    upstreams: tuple[str, ...] = ()
    scopes: tuple[Literal["chat", "admin", "metrics"], ...] = ("chat",)
    expires: Expires | None = None
    limits: Limits = ()

    @property
    def digest(self) -> str:
        """The hash of its text, by which it is known; "" where neither is set."""
        if self.sha256 or not self.secret:
            return self.sha256
        return hashlib.sha256(self.secret.reveal().encode()).hexdigest()


class StoreConfig(Struct, frozen=True, kw_only=True):
    """Database ("" = SQLite in data_dir), shared state, keys that encrypt credentials, newest first."""

    database: Hidden = Secret("")
    redis: Hidden = Secret("")
    encryption_key: Keys = ()


class VariantConfig(Struct, frozen=True, kw_only=True):
    """What a suffix of a model name changes. `only`: the glob of models that have it."""

    tools: tuple[Literal["google_search"], ...] = ()
    only: str = ""
    thinking: Literal["off", "max"] | None = None


VARIANTS: Final[Mapping[str, VariantConfig]] = {
    "-search": VariantConfig(tools=("google_search",)),
    "-nothinking": VariantConfig(only="gemini-2.5*", thinking="off"),
    "-maxthinking": VariantConfig(only="gemini-2.5*", thinking="max"),
}


class ModelsConfig(Struct, frozen=True, kw_only=True):
    """How a model name is resolved. Alias and family are ordered: the first match wins."""

    default_upstream: str = ""
    unknown: Literal["pass", "reject"] = "pass"
    echo: Literal["requested", "upstream"] = "requested"
    list_variants: bool = True
    alias: dict[str, Rule] = {}
    family: dict[str, Rule] = {}
    variant: dict[str, VariantConfig] = field(default_factory=lambda: dict(VARIANTS))

    def __post_init__(self) -> None:
        """Keep the built-in variants beside the operator's."""
        built_in = {end: variant for end, variant in VARIANTS.items() if end not in self.variant}
        force_setattr(self, "variant", {**self.variant, **built_in})


class ThinkingRule(Struct, frozen=True, kw_only=True):
    """What a model thinks when the client asked for nothing. `budget` in tokens, -1 = the model decides."""

    include: bool = True
    budget: Annotated[int, Meta(ge=-1)] = -1


def _thinking() -> dict[str, ThinkingRule]:
    return {
        "claude-*-thinking": ThinkingRule(include=True, budget=1024),
        "claude-*": ThinkingRule(include=False, budget=0),
        "gemini-*": ThinkingRule(include=True, budget=-1),
    }


class DefaultsConfig(Struct, frozen=True, kw_only=True):
    """Filled in where the client left them out; None = nothing is injected."""

    temperature: Amount | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Positive | None = None
    max_tokens: Positive | None = None
    stream: bool | None = None


class TimeoutsConfig(Struct, frozen=True, kw_only=True):
    """Seconds. `keepalive` 0 = off."""

    connect: Some = 10.0
    first_byte: Some = 300.0
    idle: Some = 90.0
    keepalive: Seconds = 15.0


class RetryConfig(Struct, frozen=True, kw_only=True):
    """How often and when a call is tried again."""

    attempts: Positive = 4
    on: tuple[Annotated[int, Meta(ge=400, le=599)], ...] = (408, 429, 500, 502, 503, 504, 529)
    max_wait: Seconds = 10.0


class TranslateConfig(Struct, frozen=True, kw_only=True):
    """What happens where dialects differ."""

    lossy: Literal["report", "strict"] = "report"
    thinking_conflict: Literal["clamp", "raise", "drop"] = "clamp"
    images_out: Literal["markdown", "images"] = "markdown"
    fetch_urls: bool = False
    signatures: Literal["sealed", "off"] = "sealed"


class LogConfig(Struct, frozen=True, kw_only=True):
    """`file` and `rotated` may hold strftime fields."""

    level: Level = "info"
    format: Literal["auto", "console", "json"] = "auto"
    file: str = ""
    rotated: str = ""
    keep: Count = 7
    bodies: Literal["never", "errors", "all"] = "never"


class ResponsesConfig(Struct, frozen=True, kw_only=True):
    """What `store: true` of OpenAI Responses keeps."""

    keep_days: Count = 30
    max: Size = 2**30


class PriceConfig(Struct, frozen=True, kw_only=True):
    """USD per million tokens. `cached` None = as `input`."""

    input: Amount = 0.0
    cached: Amount | None = None
    output: Amount = 0.0


class UsageConfig(Struct, frozen=True, kw_only=True):
    """The ledger."""

    enabled: bool = True
    log_every: Seconds = 300.0
    keep_days: Count = 400
    price: dict[str, PriceConfig] = {}


class AdminConfig(Struct, frozen=True, kw_only=True):
    """The page's login; without a password a one-time link on loopback."""

    username: str = "admin"
    password: Hidden = Secret("")


class MetricsConfig(Struct, frozen=True, kw_only=True):
    """Where measurements are shown or sent."""

    path: Path = "/metrics"
    otlp: Url = ""


class CorsConfig(Struct, frozen=True, kw_only=True):
    """Origins of browser apps; none = off."""

    origins: tuple[str, ...] = ()


class RecordConfig(Struct, frozen=True, kw_only=True):
    """Redacted recordings; "" = off."""

    dir: str = ""


def _demo() -> dict[str, UpstreamConfig]:
    return {"demo": DemoConfig()}


class Config(Struct, frozen=True, kw_only=True):
    """The whole configuration."""

    server: ServerConfig = ServerConfig()
    pipeline: PipelineConfig = PipelineConfig()
    middleware: dict[str, MiddlewareConfig] = {}
    auth: AuthConfig = AuthConfig()
    key: tuple[KeyConfig, ...] = ()
    limits: Limits = ()
    store: StoreConfig = StoreConfig()
    models: ModelsConfig = field(default_factory=ModelsConfig)
    thinking: dict[str, ThinkingRule] = field(default_factory=_thinking)
    defaults: DefaultsConfig = DefaultsConfig()
    upstream: dict[str, UpstreamConfig] = field(default_factory=_demo)
    timeouts: TimeoutsConfig = TimeoutsConfig()
    retry: RetryConfig = RetryConfig()
    translate: TranslateConfig = TranslateConfig()
    log: LogConfig = LogConfig()
    responses: ResponsesConfig = ResponsesConfig()
    usage: UsageConfig = UsageConfig()
    admin: AdminConfig = AdminConfig()
    metrics: MetricsConfig = MetricsConfig()
    cors: CorsConfig = CorsConfig()
    record: RecordConfig = RecordConfig()
