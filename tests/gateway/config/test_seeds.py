"""Without a gateway.toml the variables of the replaced systems make a full set-up."""

from pathlib import Path

import pytest

from gateway.config import Config, ConfigError, Loaded, ModelRule, Secret, load
from gateway.config.upstreams import (
    AnthropicConfig,
    AzureConfig,
    DemoConfig,
    GeminiConfig,
    OpenAIConfig,
    V1InternalConfig,
    VertexConfig,
)

OPENAI = {"OPENAI_API_KEY": "o"}
GEMINI = {"GEMINI_API_KEY": "g"}
AZURE = {"AZURE_OPENAI_ENDPOINT": "https://a.example/", "AZURE_OPENAI_API_KEY": "z"}
ANTHROPIC = {"ANTHROPIC_API_KEY": "a"}


def config(*environ: dict[str, str], **more: str) -> Config:
    return seeded(*environ, **more).config


def seeded(*environ: dict[str, str], **more: str) -> Loaded:
    merged = {name: value for each in environ for name, value in each.items()}
    return load(environ=merged | more)


def alias(*environ: dict[str, str], **more: str) -> dict[str, tuple[str, ...]]:
    return {glob: rule.targets for glob, rule in config(*environ, **more).models.alias.items()}


@pytest.mark.parametrize("text", ['["k1", "k2"]', "k1,k2", " k1 , k2 , "])
def test_api_keys_is_json_or_a_list_with_commas(text: str) -> None:
    assert config(API_KEYS=text).auth.keys == (Secret("k1"), Secret("k2"))


def test_both_key_variables_are_added_together() -> None:
    loaded = seeded(API_KEYS="k1,k2", ANTHROPIC_AUTH_TOKEN="t,1")
    assert loaded.config.auth.keys == (Secret("k1"), Secret("k2"), Secret("t,1"))
    assert str(loaded.source(("auth", "keys", 2))) == "env ANTHROPIC_AUTH_TOKEN"


@pytest.mark.parametrize("text", ['["a"', "['a', 'b']", "[a, b]", '["a", 1]'])
def test_keys_that_are_no_json_array_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="environment: API_KEYS: is not a JSON array of strings: write "):
        seeded(API_KEYS=text)


def test_log_variables() -> None:
    log = config(LOG_FILE="logs/a-%Y.log", LOG_FILE_PATTERN="%Y.log", LOG_FILE_BACKUP_COUNT="3", LOG_LEVEL="INFO").log
    assert (log.file, log.rotated, log.keep, log.level) == ("logs/a-%Y.log", "%Y.log", 3, "info")


def test_token_rotation_count_sets_the_pools_turn() -> None:
    upstream = config(TOKEN_ROTATION_COUNT="5").upstream["antigravity"]
    assert isinstance(upstream, V1InternalConfig)
    assert (upstream.pool.strategy, upstream.pool.uses_per_turn) == ("round_robin", 5)


def test_openai_with_its_base_url() -> None:
    found = config(OPENAI, OPENAI_BASE_URL="http://localhost:1/v1").upstream
    assert found == {"openai": OpenAIConfig(api_key=(Secret("o"),), base_url="http://localhost:1/v1")}


def test_gemini_azure_and_anthropic() -> None:
    assert config(GEMINI, AZURE, ANTHROPIC, AZURE_API_VERSION="2025-01-01").upstream == {
        "gemini": GeminiConfig(api_key=(Secret("g"),)),
        "azure": AzureConfig(endpoint="https://a.example", api_key=(Secret("z"),), api_version="2025-01-01"),
        "anthropic": AnthropicConfig(api_key=(Secret("a"),)),
    }


def test_vertex_takes_the_gemini_names_too() -> None:
    vertex = VertexConfig(project="p", location="l")
    found = config(GEMINI, USE_VERTEX_AUTH="True", VERTEX_PROJECT="p", VERTEX_LOCATION="l").upstream
    assert found == {"gemini": vertex, "vertex": vertex}


def test_a_switch_that_is_neither_is_refused() -> None:
    with pytest.raises(ConfigError, match="USE_VERTEX_AUTH: is neither true nor false"):
        seeded(USE_VERTEX_AUTH="maybe")


def test_openai_is_preferred_and_its_models_take_the_families() -> None:
    found = config(OPENAI)
    assert found.models.default_upstream == "openai"
    assert found.models.alias == {
        "*opus*": ModelRule(("openai/gpt-4.1",)),
        "*sonnet*": ModelRule(("openai/gpt-4.1",)),
        "*haiku*": ModelRule(("openai/gpt-4.1-mini",)),
    }


def test_big_and_small_model() -> None:
    assert alias(OPENAI, BIG_MODEL="gpt-4o", SMALL_MODEL="openai/gpt-4o-mini") == {
        "*opus*": ("openai/gpt-4o",),
        "*sonnet*": ("openai/gpt-4o",),
        "*haiku*": ("openai/gpt-4o-mini",),
    }


def test_a_slash_that_names_no_provider_stays_in_the_name() -> None:
    assert alias(OPENAI, BIG_MODEL="meta-llama/llama-4")["*opus*"] == ("openai/meta-llama/llama-4",)


def test_the_prefix_of_an_upstream_that_is_not_there_is_a_part_of_the_name() -> None:
    found = alias(OPENAI, BIG_MODEL="anthropic/claude-sonnet-4.5", SMALL_MODEL="gemini/gemini-2.5-flash")
    assert (found["*opus*"], found["*haiku*"]) == (
        ("openai/anthropic/claude-sonnet-4.5",),
        ("openai/gemini/gemini-2.5-flash",),
    )


def test_the_prefix_of_another_upstream_leads_there() -> None:
    assert alias(OPENAI, ANTHROPIC, BIG_MODEL="anthropic/claude-sonnet-4-5")["*opus*"] == (
        "anthropic/claude-sonnet-4-5",
        "openai/gpt-4.1",
    )


def test_google_preferred_falls_back_to_openai() -> None:
    found = alias(
        OPENAI,
        GEMINI,
        PREFERRED_PROVIDER="google",
        BIG_MODEL="gemini-2.5-pro",
        SMALL_MODEL="gemini-2.5-flash",
    )
    assert found["*sonnet*"] == ("gemini/gemini-2.5-pro", "openai/gpt-4.1")
    assert found["*haiku*"] == ("gemini/gemini-2.5-flash", "openai/gpt-4.1-mini")


def test_google_preferred_with_a_name_that_is_not_geminis_goes_to_openai() -> None:
    assert alias(OPENAI, GEMINI, PREFERRED_PROVIDER="google")["*opus*"] == (
        "openai/gpt-4.1",
        "gemini/gemini-2.5-pro",
    )


def test_google_alone_uses_its_own_models() -> None:
    assert alias(GEMINI)["*opus*"] == ("gemini/gemini-2.5-pro",)


def test_google_alone_refuses_a_model_that_it_has_not() -> None:
    with pytest.raises(ConfigError, match='"openai/gpt-4.1" refers to upstream "openai", which is not configured'):
        seeded(GEMINI, BIG_MODEL="gpt-4.1")


def test_openai_preferred_falls_back_to_google() -> None:
    assert alias(OPENAI, GEMINI)["*haiku*"] == ("openai/gpt-4.1-mini", "gemini/gemini-2.5-flash")


@pytest.mark.parametrize("big", ["", "gemini-2.5-pro", "gemini/gemini-2.5-pro"])
def test_openai_serves_where_google_is_preferred_and_has_no_key(big: str) -> None:
    found = config(OPENAI, PREFERRED_PROVIDER="google", BIG_MODEL=big, SMALL_MODEL="gpt-4o-mini").models
    assert found.default_upstream == "openai"
    assert found.alias["*opus*"].targets == ("openai/gpt-4.1",)
    assert found.alias["*haiku*"].targets == ("openai/gpt-4o-mini",)


@pytest.mark.parametrize("big", ["", "gpt-4o", "openai/gpt-4o"])
def test_google_serves_where_openai_is_preferred_and_has_no_key(big: str) -> None:
    found = config(GEMINI, PREFERRED_PROVIDER="openai", BIG_MODEL=big).models
    assert (found.default_upstream, found.alias["*opus*"].targets) == ("gemini", ("gemini/gemini-2.5-pro",))


def test_a_preferred_provider_without_its_key_needs_a_fallback() -> None:
    with pytest.raises(ConfigError, match="PREFERRED_PROVIDER: is google, but GEMINI_API_KEY is not set"):
        seeded(AZURE, PREFERRED_PROVIDER="google")


def test_azure_takes_deployment_names() -> None:
    found = alias(AZURE, OPENAI, PREFERRED_PROVIDER="azure", BIG_MODEL="gpt-4o")
    assert found["*opus*"] == ("azure/gpt-4o", "openai/gpt-4.1")


def test_anthropic_maps_nothing() -> None:
    found = config(ANTHROPIC, OPENAI, PREFERRED_PROVIDER="anthropic").models
    assert (found.default_upstream, found.alias) == ("anthropic", {})


@pytest.mark.parametrize(
    ("provider", "reason"),
    [
        ("azure", "PREFERRED_PROVIDER: is azure, but AZURE_OPENAI_ENDPOINT is not set"),
        (
            "gogle",
            'PREFERRED_PROVIDER: "gogle" is not one of openai, google, azure, anthropic; did you mean "google"?',
        ),
    ],
)
def test_a_preferred_provider_must_be_there(provider: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        seeded(OPENAI, PREFERRED_PROVIDER=provider)
    assert str(caught.value) == f"environment: {reason}"


def test_empty_variables_count_as_not_set() -> None:
    names = [
        "API_KEYS",
        "ANTHROPIC_AUTH_TOKEN",
        "USE_VERTEX_AUTH",
        "PREFERRED_PROVIDER",
        "LOG_FILE",
        *OPENAI,
        *AZURE,
    ]
    assert config(dict.fromkeys(names, "")) == Config()


def test_sources_name_the_variables() -> None:
    loaded = seeded(OPENAI, SMALL_MODEL="m")
    assert str(loaded.source(("upstream", "openai", "api_key"))) == "env OPENAI_API_KEY"
    assert str(loaded.source(("models", "alias", "*haiku*"))) == "env SMALL_MODEL"
    assert str(loaded.source(("models", "alias", "*opus*"))) == "env OPENAI_API_KEY"


def test_native_variables_and_flags_beat_them() -> None:
    environ = OPENAI | {"GATEWAY_UPSTREAM__OPENAI__API_KEY": "mine", "LOG_LEVEL": "debug"}
    loaded = load(environ=environ, overrides={"log.level": "error", "auth.keys": ["k"]})
    assert loaded.config.upstream["openai"] == OpenAIConfig(api_key=(Secret("mine"),))
    assert loaded.config.log.level == "error"
    assert loaded.config.auth.keys == (Secret("k"),)


def test_dotenv_of_the_working_folder_is_enough(folder: Path) -> None:
    (folder / ".env").write_text('OPENAI_API_KEY="o"\nANTHROPIC_AUTH_TOKEN=t\nHOST=0.0.0.0\n')
    loaded = load(environ={}, no_config=True)
    assert loaded.config.server.host == "0.0.0.0"
    assert loaded.config.auth.keys == (Secret("t"),)
    assert str(loaded.source(("upstream", "openai", "type"))) == ".env OPENAI_API_KEY"


def test_a_configuration_in_use_silences_them(folder: Path) -> None:
    (folder / "gateway.toml").write_text("")
    every = OPENAI | GEMINI | AZURE | ANTHROPIC | {"API_KEYS": "k", "LOG_FILE": "f", "TOKEN_ROTATION_COUNT": "2"}
    assert load(environ=every).config == Config()
    assert load({}, environ=every).config.upstream == {"demo": DemoConfig()}


def test_no_config_reads_them_beside_a_file(folder: Path) -> None:
    (folder / "gateway.toml").write_text("")
    assert list(load(environ=OPENAI, no_config=True).config.upstream) == ["openai"]
