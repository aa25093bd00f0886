"""The annotated gateway.toml is the operators' contract: each key parses, and what it shows is the default."""

import fnmatch
from pathlib import Path

import pytest
from msgspec import structs

from gateway.config import Config, ConfigError, Limit, ModelRule, Secret, load, schema_keys
from gateway.config.positions import positions
from gateway.config.upstreams import (
    AnthropicConfig,
    AzureConfig,
    DemoConfig,
    GeminiConfig,
    OAuthConfig,
    OpenAIConfig,
    V1InternalConfig,
    VertexConfig,
)

FILE = Path(__file__).parents[3] / "docs" / "gateway.toml"
VARIABLES = {
    "OAUTH_CLIENT_ID": "id",
    "OAUTH_CLIENT_SECRET": "client-secret",
    "GEMINI_API_KEY": "gemini-key",
    "VERTEX_PROJECT": "project",
    "OPENAI_API_KEY": "openai-key",
    "AZURE_OPENAI_ENDPOINT": "https://example.openai.azure.com/",
    "AZURE_OPENAI_API_KEY": "azure-key",
    "ANTHROPIC_API_KEY": "anthropic-key",
}
PLAIN = [
    "server", "pipeline", "auth", "limits", "store", "models.default_upstream", "models.unknown", "models.echo",
    "models.list_variants", "models.variant", "thinking", "defaults", "timeouts", "retry", "translate", "log",
    "responses", "usage.enabled", "usage.log_every", "usage.keep_days", "admin", "metrics", "cors", "record",
]  # fmt: skip


@pytest.fixture(scope="module")
def annotated() -> Config:
    return load(FILE, environ=VARIABLES, dotenv=False).config


@pytest.mark.parametrize("key", PLAIN)
def test_what_it_shows_is_the_default(annotated: Config, key: str) -> None:
    shown: object = annotated
    default: object = Config()
    for name in key.split("."):
        shown, default = getattr(shown, name), getattr(default, name)
    assert shown == default


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "antigravity",
            V1InternalConfig(oauth=OAuthConfig(client_id="id", client_secret=Secret("client-secret"))),
        ),
        ("gemini", GeminiConfig(api_key=(Secret("gemini-key"),))),
        ("vertex", VertexConfig(project="project")),
        ("openai", OpenAIConfig(api_key=(Secret("openai-key"),))),
        (
            "azure",
            AzureConfig(endpoint="https://example.openai.azure.com", api_key=(Secret("azure-key"),)),
        ),
        ("anthropic", AnthropicConfig(api_key=(Secret("anthropic-key"),))),
        ("demo", DemoConfig()),
    ],
)
def test_each_upstream_has_the_defaults_that_it_shows(annotated: Config, name: str, expected: object) -> None:
    assert annotated.upstream[name] == expected


def test_upstreams_keep_the_order_of_the_file(annotated: Config) -> None:
    assert list(annotated.upstream) == [
        "antigravity", "gemini", "vertex", "openai", "azure", "anthropic", "demo",
    ]  # fmt: skip


def test_examples_are_read(annotated: Config) -> None:
    key = annotated.key[0]
    assert key.name == "alice"
    assert key.expires is not None
    assert key.expires.isoformat() == "2027-01-01T00:00:00+00:00"
    assert key.limits == (
        Limit("requests", 60, "minute"),
        Limit("tokens", 200_000, "minute"),
        Limit("usd", 50.0, "month"),
        Limit("concurrent", 4, None),
    )
    assert annotated.middleware["redact"].options == {"words": ["secret"]}
    assert annotated.models.alias["best"] == ModelRule(
        ("antigravity/claude-opus-4-5-thinking", "anthropic/claude-opus-4-5")
    )
    assert annotated.models.alias["balanced"] == ModelRule(("openai/gpt-4.1", "azure/gpt-4o"), (3.0, 1.0))
    assert annotated.usage.price["gpt-4.1"].cached == 0.5


def test_values_have_their_units() -> None:
    config = Config()
    assert config.server.max_body == 33_554_432
    assert config.responses.max == 1_073_741_824
    assert config.timeouts.first_byte == 300.0


def test_every_key_of_the_schema_is_shown() -> None:
    text = FILE.read_text("utf-8")
    shown = {".".join("*" if isinstance(step, int) else step for step in path) for path in positions(text)}
    told_in_comments = ("limits.*", "key.*.limits.*", "defaults.*", "upstream.*.oauth.*", "key.*.secret")
    by_name = ("upstream.*.headers.*", "upstream.*.pool.project_ids.*", "upstream.*.deployments.*")
    hidden = [
        key
        for key in schema_keys()
        if not any(fnmatch.fnmatchcase(path, key) for path in shown)
        and not any(fnmatch.fnmatchcase(key, pattern) for pattern in (*told_in_comments, *by_name))
    ]
    assert hidden == []


@pytest.mark.parametrize("name", [name for name in VARIABLES if name != "VERTEX_PROJECT"])
def test_an_unset_example_variable_stops_the_start(name: str) -> None:
    environ = {key: value for key, value in VARIABLES.items() if key != name}
    line = next(number for number, text in enumerate(FILE.read_text("utf-8").splitlines(), 1) if f'env:{name}"' in text)
    with pytest.raises(ConfigError) as caught:
        load(FILE, environ=environ, dotenv=False)
    [problem] = caught.value.problems
    assert f"environment variable {name} is not set" in problem.message
    assert problem.line in (line, line - 2)  # a key that must be there is missed at its table's line


def test_an_unset_project_is_left_to_the_default_credentials() -> None:
    environ = {key: value for key, value in VARIABLES.items() if key != "VERTEX_PROJECT"}
    assert load(FILE, environ=environ, dotenv=False).config.upstream["vertex"] == VertexConfig()


def test_schema_structs_name_their_fields_as_the_keys() -> None:
    assert [field.encode_name for field in structs.fields(Config)] == [
        "server", "pipeline", "middleware", "auth", "key", "limits", "store", "models", "thinking", "defaults",
        "upstream", "timeouts", "retry", "translate", "log", "responses", "usage", "admin", "metrics", "cors",
        "record",
    ]  # fmt: skip
