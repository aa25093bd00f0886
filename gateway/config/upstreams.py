"""[upstream.NAME]: one struct for each `type`."""

from collections.abc import Mapping
from functools import cache
from typing import ClassVar, Final, Literal, TypeAlias, cast

from msgspec import Struct, defstruct, field
from msgspec.structs import force_setattr

from gateway.config.sources import Tree, as_tree
from gateway.config.values import (
    Api,
    Base,
    Count,
    Endpoint,
    Fraction,
    Hidden,
    Keys,
    Line,
    ModelRule,
    Positive,
    Root,
    Rule,
    Seconds,
    Url,
    Words,
)
from gateway.redact import Secret

__all__ = [
    "TYPE_OF_NAME",
    "AnthropicConfig",
    "AzureConfig",
    "CooldownConfig",
    "DemoConfig",
    "GeminiConfig",
    "HealthConfig",
    "OAuthConfig",
    "OpenAIConfig",
    "OtherConfig",
    "PoolConfig",
    "UpstreamConfig",
    "V1InternalConfig",
    "VertexConfig",
    "aliases_of",
    "other",
    "v1internal_names",
]

# An upstream of one of these names need not say its type.
TYPE_OF_NAME: Final = {
    "antigravity": "v1internal",
    "v1internal": "v1internal",
    "gemini": "gemini",
    "vertex": "vertex",
    "openai": "openai",
    "azure": "azure",
    "anthropic": "anthropic",
    "demo": "demo",
}

# A widely copied misspelling; the weakest of all rules, so a list that knows the name wins.
_MISSPELT: Final = {"gemimi-3.0-pro-image": ModelRule(("gemini-3-pro-image",))}
# What Code Assist has in the place of models of Anthropic's own API. `[4]` makes a glob: an operator's goes before it.
_CLAUDE: Final = {
    "claude-opus-4-[6]": ModelRule(("claude-opus-4-6-thinking",)),
    "claude-opus-4-[015]": ModelRule(("claude-opus-4-5-thinking",)),
    "claude-opus-[4]": ModelRule(("claude-opus-4-5-thinking",)),
    "claude-sonnet-4-[0]": ModelRule(("claude-sonnet-4-5",)),
    "claude-sonnet-[4]": ModelRule(("claude-sonnet-4-5",)),
    "claude-haiku-4-[5]": ModelRule(("gemini-2.5-flash",)),
    "claude-3*haiku*": ModelRule(("gemini-2.5-flash",)),
    "claude-3*opus*": ModelRule(("claude-opus-4-5-thinking",)),
    "claude-3*": ModelRule(("claude-sonnet-4-5",)),
}
_GPT_ALIAS: Final = {
    "gpt-4*": ModelRule(("claude-sonnet-4-5",)),
    "gpt-3.5*": ModelRule(("gemini-2.5-flash",)),
}


def v1internal_names(tree: Tree) -> list[str]:
    """Name the upstreams of a raw configuration that are of type v1internal."""
    upstreams = as_tree(tree.get("upstream")) or {}
    return [
        name
        for name, table in upstreams.items()
        if (keys := as_tree(table)) is not None and keys.get("type", TYPE_OF_NAME.get(name)) == "v1internal"
    ]


class OAuthConfig(Struct, frozen=True, kw_only=True):
    """The operator's OAuth client. An empty URL means Google's."""

    client_id: str = ""
    client_secret: Hidden = Secret("")
    authorize_url: Url = ""
    token_url: Url = ""
    userinfo_url: Url = ""
    scopes: Words = ()


class CooldownConfig(Struct, frozen=True, kw_only=True):
    """Seconds that a rate-limited credential rests: bounds, and the length when the upstream names none."""

    min: Seconds = 5.0
    max: Seconds = 86_400.0
    unknown: Seconds = 60.0


class HealthConfig(Struct, frozen=True, kw_only=True):
    """Cheap checks of idle credentials."""

    interval: Seconds = 300.0
    idle_only: bool = True
    probes: tuple[Literal["models", "userinfo", "project"], ...] = ("models", "userinfo", "project")


class PoolConfig(Struct, frozen=True, kw_only=True):
    """Several credentials behind one upstream."""

    refresh_tokens: Keys = ()
    import_: str = field(name="import", default="")
    strategy: Literal["round_robin", "sticky", "fill_first", "least_used", "quota"] = "round_robin"
    uses_per_turn: Positive = 3
    min_credentials: Count = 1
    refresh_before: Seconds = 300.0
    cooldown: CooldownConfig = CooldownConfig()
    health: HealthConfig = HealthConfig()
    project_ids: dict[str, str] = {}
    project_fallback: Literal["discover", "random", "fail"] = "discover"
    quota_floor: Fraction = 0.0


class _Upstream(Struct, frozen=True, kw_only=True, tag_field="type"):
    models: tuple[str, ...] = ()
    alias: dict[str, Rule] = {}


class _Google(_Upstream, frozen=True, kw_only=True):
    built_in: ClassVar[Mapping[str, ModelRule]] = _MISSPELT

    def __post_init__(self) -> None:
        built_in = {name: rule for name, rule in self.built_in.items() if name not in self.alias}
        force_setattr(self, "alias", {**self.alias, **built_in})


class V1InternalConfig(_Google, frozen=True, kw_only=True, tag="v1internal"):
    """Google Cloud Code Assist. Empty lists and texts mean the adapter's own."""

    type: ClassVar[str] = "v1internal"
    built_in: ClassVar[Mapping[str, ModelRule]] = {**_MISSPELT, **_CLAUDE}
    base_urls: tuple[Root, ...] = ()
    user_agent: Line = ""
    headers: dict[str, Line] = {}
    envelope: Literal["antigravity", "gemini-cli"] = "antigravity"
    oauth: OAuthConfig = OAuthConfig()
    alias: dict[str, Rule] = field(default_factory=lambda: dict(_GPT_ALIAS))
    pool: PoolConfig = PoolConfig()


class GeminiConfig(_Google, frozen=True, kw_only=True, tag="gemini"):
    """The Gemini API. `base_url` is without /v1beta."""

    type: ClassVar[str] = "gemini"
    api_key: Keys = ()
    base_url: Root = ""
    pool: PoolConfig = PoolConfig()


class VertexConfig(_Google, frozen=True, kw_only=True, tag="vertex"):
    """Gemini and Claude on Vertex AI, by application default credentials. `base_url` is without /v1."""

    type: ClassVar[str] = "vertex"
    project: str = ""
    location: str = "us-central1"
    base_url: Root = ""


class OpenAIConfig(_Upstream, frozen=True, kw_only=True, tag="openai"):
    """OpenAI, or any server that speaks its API. `base_url` is with /v1."""

    type: ClassVar[str] = "openai"
    api_key: Keys = ()
    base_url: Api = ""
    api: Literal["chat", "responses"] = "chat"
    max_tokens_field: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto"
    pool: PoolConfig = PoolConfig()


class AzureConfig(_Upstream, frozen=True, kw_only=True, tag="azure"):
    """Azure OpenAI. `deployments`: model name → deployment; a name not in it is the deployment's."""

    type: ClassVar[str] = "azure"
    endpoint: Endpoint
    api_key: Keys = ()
    api_version: str = "2024-10-01"
    deployments: dict[str, str] = {}
    pool: PoolConfig = PoolConfig()


class AnthropicConfig(_Upstream, frozen=True, kw_only=True, tag="anthropic"):
    """The Anthropic API. `base_url` is without /v1."""

    type: ClassVar[str] = "anthropic"
    api_key: Keys = ()
    base_url: Root = ""
    pool: PoolConfig = PoolConfig()


class DemoConfig(Struct, frozen=True, kw_only=True, tag_field="type", tag="demo"):
    """Answers without any account. It lists one model, `demo`."""

    type: ClassVar[str] = "demo"
    alias: dict[str, Rule] = {}


class OtherConfig(_Upstream, frozen=True, kw_only=True):
    """An upstream whose adapter another distribution registers, and which reads what it needs of these."""

    type: ClassVar[str] = ""
    api_key: Keys = ()
    base_url: Base = ""
    pool: PoolConfig = PoolConfig()


@cache
def other(name: str) -> type[OtherConfig]:
    """Give the table of a type that another distribution registers."""
    made = defstruct(
        "OtherConfig", (), bases=(OtherConfig,), namespace={"type": name}, tag=name, frozen=True, kw_only=True
    )
    return cast(type[OtherConfig], made)


UpstreamConfig: TypeAlias = (
    V1InternalConfig | GeminiConfig | VertexConfig | OpenAIConfig | AzureConfig | AnthropicConfig | DemoConfig
)


def aliases_of(upstream: UpstreamConfig) -> list[str]:
    """Name the aliases that stand in an upstream's table; what is built in is none of them."""
    built_in = upstream.built_in if isinstance(upstream, _Google) else dict[str, ModelRule]()
    return [name for name, rule in upstream.alias.items() if rule is not built_in.get(name)]
