"""The configuration: gateway.toml, the environment and the flags, read into one frozen `Config`."""

from gateway.config.again import NEEDS_RESTART, Again, Refuses, read_again
from gateway.config.check import Row, report
from gateway.config.decisions import Decision
from gateway.config.edits import EVERY_S, Edits, files_of
from gateway.config.effect import NOT_IN_EFFECT
from gateway.config.extras import missing_extras
from gateway.config.hidden import secrets_of
from gateway.config.limits import LIMIT_KEYS, Limit, of_keys, parse_limits, write_limits
from gateway.config.load import Loaded, load
from gateway.config.modelrules import FOLDER, family_of
from gateway.config.newkey import NewKey, numbered, read_new_key
from gateway.config.problems import ConfigError, Problem
from gateway.config.rules import SAMPLE_KEYS, host_and_port, is_loopback, refuses_bind
from gateway.config.schema import (
    AdminConfig,
    AuthConfig,
    Config,
    CorsConfig,
    DefaultsConfig,
    KeyConfig,
    LogConfig,
    MetricsConfig,
    MiddlewareConfig,
    ModelsConfig,
    PipelineConfig,
    PriceConfig,
    RecordConfig,
    ResponsesConfig,
    RetryConfig,
    ServerConfig,
    StoreConfig,
    ThinkingRule,
    TimeoutsConfig,
    TranslateConfig,
    UsageConfig,
    VariantConfig,
)
from gateway.config.shape import schema_keys
from gateway.config.sources import KeyPath, Source, dotted
from gateway.config.upstreams import (
    AnthropicConfig,
    AzureConfig,
    CooldownConfig,
    DemoConfig,
    GeminiConfig,
    HealthConfig,
    OAuthConfig,
    OpenAIConfig,
    OtherConfig,
    PoolConfig,
    UpstreamConfig,
    V1InternalConfig,
    VertexConfig,
    aliases_of,
)
from gateway.config.values import ModelRule
from gateway.config.variants import allows, cut
from gateway.redact import Secret

__all__ = [
    "EVERY_S",
    "FOLDER",
    "LIMIT_KEYS",
    "NEEDS_RESTART",
    "NOT_IN_EFFECT",
    "SAMPLE_KEYS",
    "AdminConfig",
    "Again",
    "AnthropicConfig",
    "AuthConfig",
    "AzureConfig",
    "Config",
    "ConfigError",
    "CooldownConfig",
    "CorsConfig",
    "Decision",
    "DefaultsConfig",
    "DemoConfig",
    "Edits",
    "GeminiConfig",
    "HealthConfig",
    "KeyConfig",
    "KeyPath",
    "Limit",
    "Loaded",
    "LogConfig",
    "MetricsConfig",
    "MiddlewareConfig",
    "ModelRule",
    "ModelsConfig",
    "NewKey",
    "OAuthConfig",
    "OpenAIConfig",
    "OtherConfig",
    "PipelineConfig",
    "PoolConfig",
    "PriceConfig",
    "Problem",
    "RecordConfig",
    "Refuses",
    "ResponsesConfig",
    "RetryConfig",
    "Row",
    "Secret",
    "ServerConfig",
    "Source",
    "StoreConfig",
    "ThinkingRule",
    "TimeoutsConfig",
    "TranslateConfig",
    "UpstreamConfig",
    "UsageConfig",
    "V1InternalConfig",
    "VariantConfig",
    "VertexConfig",
    "aliases_of",
    "allows",
    "cut",
    "dotted",
    "family_of",
    "files_of",
    "host_and_port",
    "is_loopback",
    "load",
    "missing_extras",
    "numbered",
    "of_keys",
    "parse_limits",
    "read_again",
    "read_new_key",
    "refuses_bind",
    "report",
    "schema_keys",
    "secrets_of",
    "write_limits",
]
