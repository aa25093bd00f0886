"""GATEWAY_A__B__C sets a key; a name that misses its key is an error, not silence."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config import Config, ConfigError, Limit, Loaded, ModelRule, Secret, VariantConfig, load
from gateway.config.upstreams import OpenAIConfig, V1InternalConfig
from tests.gateway.config.conftest import Load


def config(**environ: str) -> Config:
    return load(environ=environ).config


def refused(**environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(environ=environ)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("name", "text", "read", "expected"),
    [
        ("SERVER__PORT", "8080", lambda c: c.server.port, 8080),
        ("SERVER__HOST", "::1", lambda c: c.server.host, "::1"),
        ("SERVER__MAX_BODY", "1KB", lambda c: c.server.max_body, 1024),
        ("SERVER__MAX_BODY", "2000", lambda c: c.server.max_body, 2000),
        ("SERVER__DRAIN", "1.5", lambda c: c.server.drain, 1.5),
        ("SERVER__TRUSTED_PROXIES", '["::1", "*"]', lambda c: c.server.trusted_proxies, ("::1", "*")),
        ("MODELS__LIST_VARIANTS", "false", lambda c: c.models.list_variants, False),
        ("TRANSLATE__FETCH_URLS", "True", lambda c: c.translate.fetch_urls, True),
        ("RETRY__ON", "[500, 503]", lambda c: c.retry.on, (500, 503)),
        ("AUTH__KEYS", '["k1", "k2"]', lambda c: c.auth.keys, (Secret("k1"), Secret("k2"))),
        ("LOG__LEVEL", "DEBUG", lambda c: c.log.level, "debug"),
        ("LOG__LEVEL", "WARN", lambda c: c.log.level, "warning"),
        ("LOG__LEVEL", "FATAL", lambda c: c.log.level, "critical"),
        ("DEFAULTS__TEMPERATURE", "0.5", lambda c: c.defaults.temperature, 0.5),
        ("DEFAULTS__STREAM", "true", lambda c: c.defaults.stream, True),
        ("LIMITS__REQUESTS_PER_MINUTE", "60", lambda c: c.limits, (Limit("requests", 60, "minute"),)),
        ("LIMITS__USD_PER_DAY", "1.5", lambda c: c.limits, (Limit("usd", 1.5, "day"),)),
        ("MODELS__ALIAS__BEST", "demo/demo", lambda c: c.models.alias["best"], ModelRule(("demo/demo",))),
        ("STORE__ENCRYPTION_KEY", "one", lambda c: c.store.encryption_key, (Secret("one"),)),
        ("STORE__ENCRYPTION_KEY", '["a", "b"]', lambda c: c.store.encryption_key, (Secret("a"), Secret("b"))),
        ("ADMIN__PASSWORD", "[x", lambda c: c.admin.password, Secret("[x")),
    ],
)
def test_a_variable_sets_its_key(name: str, text: str, read: Callable[[Config], object], expected: object) -> None:
    environ = {f"GATEWAY_{name}": text} | ({"GATEWAY_UPSTREAM__DEMO__TYPE": "demo"} if "ALIAS" in name else {})
    assert read(load(environ=environ).config) == expected


def test_a_new_upstream_comes_from_variables_alone() -> None:
    found = config(GATEWAY_UPSTREAM__MINE__TYPE="openai", GATEWAY_UPSTREAM__MINE__API_KEY="k")
    assert found.upstream == {"mine": OpenAIConfig(api_key=(Secret("k"),))}


def test_an_upstream_of_a_known_name_needs_no_type() -> None:
    found = config(GATEWAY_UPSTREAM__OPENAI__API_KEY='["a", "b"]', GATEWAY_UPSTREAM__OPENAI__POOL__USES_PER_TURN="1")
    upstream = found.upstream["openai"]
    assert isinstance(upstream, OpenAIConfig)
    assert upstream.api_key == (Secret("a"), Secret("b"))
    assert upstream.pool.uses_per_turn == 1


def test_a_name_of_the_file_is_found_whatever_its_case_and_dashes(read: Load) -> None:
    text = '[upstream.My-Box]\ntype = "openai"\napi_key = "a"'
    upstream = read(text, {"GATEWAY_UPSTREAM__MY_BOX__BASE_URL": "http://localhost:1/v1/"}).config.upstream
    assert upstream == {"My-Box": OpenAIConfig(api_key=(Secret("a"),), base_url="http://localhost:1/v1")}


def test_a_built_in_variant_is_found_by_its_name() -> None:
    found = config(GATEWAY_MODELS__VARIANT___NOTHINKING__ONLY="gemini-3*").models.variant
    assert found["-nothinking"] == VariantConfig(only="gemini-3*", thinking="off")
    assert list(found) == ["-nothinking", "-search", "-maxthinking"]


def test_nested_keys_and_the_renamed_one_are_reached() -> None:
    found = config(
        GATEWAY_UPSTREAM__ANTIGRAVITY__POOL__COOLDOWN__MIN="1",
        GATEWAY_UPSTREAM__ANTIGRAVITY__POOL__IMPORT="tokens.json",
    ).upstream["antigravity"]
    assert isinstance(found, V1InternalConfig)
    assert found.pool.cooldown.min == 1.0
    assert found.pool.import_ == "tokens.json"


def test_a_reference_inside_a_json_list_is_followed() -> None:
    assert config(GATEWAY_AUTH__KEYS='["env:A"]', A="key").auth.keys == (Secret("key"),)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            "GATEWAY_SERVER__PROT",
            'environment: GATEWAY_SERVER__PROT: no such key; did you mean "GATEWAY_SERVER__PORT"?',
        ),
        (
            "GATEWAY_SERVR__PORT",
            'environment: GATEWAY_SERVR__PORT: no such key; did you mean "GATEWAY_SERVER__PORT"?',
        ),
        (
            "GATEWAY_SERVR__PROT",
            'environment: GATEWAY_SERVR__PROT: no such key; did you mean "GATEWAY_SERVER__PORT"?',
        ),
        (
            "GATEWAY_UPSTRAEM__X__API_KEY",
            'environment: GATEWAY_UPSTRAEM__X__API_KEY: no such key; did you mean "GATEWAY_UPSTREAM__X__API_KEY"?',
        ),
        (
            "GATEWAY_UPSTREAM__X__API_KYE",
            'environment: GATEWAY_UPSTREAM__X__API_KYE: no such key; did you mean "GATEWAY_UPSTREAM__X__API_KEY"?',
        ),
        ("GATEWAY_SERVER__PORT__X", "environment: GATEWAY_SERVER__PORT__X: no such key"),
        ("GATEWAY_UPSTREAM__X", "environment: GATEWAY_UPSTREAM__X: names a table; set its keys instead"),
        ("GATEWAY_KEY__NAME", "environment: GATEWAY_KEY__NAME: no such key"),
    ],
)
def test_a_variable_that_misses_its_key_is_an_error(name: str, problem: str) -> None:
    assert refused(**{name: "1"}) == [problem]


@pytest.mark.parametrize(
    "name",
    ["GATEWAY_PORT", "GATEWAY_KEY", "GATEWAY_SERVICE_HOST", "GATEWAY_ZZZ__A", "GATEWAY_", "GATEWAY___A"],
)
def test_variables_that_are_not_for_us_are_left_alone(name: str) -> None:
    assert config(**{name: "1"}) == Config()


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("PORT", "abc", 'environment: PORT: server.port: "abc" is not an integer'),
        (
            "GATEWAY_SERVER__DRAIN",
            "soon",
            'environment: GATEWAY_SERVER__DRAIN: server.drain: "soon" is not a number',
        ),
        (
            "GATEWAY_AUTH__KEYS",
            "a,b",
            'environment: GATEWAY_AUTH__KEYS: auth.keys: expected a JSON list such as ["a", "b"], got a string',
        ),
        ("LOG_LEVEL", "loud", 'environment: LOG_LEVEL: log.level: "loud" is not one of'),
        (
            "GATEWAY_LIMITS__TOKENS_PER_YEAR",
            "1",
            "GATEWAY_LIMITS__TOKENS_PER_YEAR: limits.tokens_per_year: unknown limit",
        ),
    ],
)
def test_a_bad_value_names_its_variable(name: str, text: str, problem: str) -> None:
    [found] = refused(**{name: text})
    assert problem in found


def test_what_a_table_of_variables_lacks_names_a_variable_of_it(read: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        read("[upstream.demo]", environ={"GATEWAY_UPSTREAM__DEMOO__API_KEY": "k"})
    assert str(caught.value).startswith(
        "environment: GATEWAY_UPSTREAM__DEMOO__API_KEY: upstream.demoo: type is required"
    )


def test_a_bad_value_in_dotenv_names_dotenv(folder: Path) -> None:
    (folder / ".env").write_text("GATEWAY_SERVER__PORT=x\nGATEWAY_SERVER__PROT=1\nNOTHING")
    assert refused() == [
        '.env: GATEWAY_SERVER__PROT: no such key; did you mean "GATEWAY_SERVER__PORT"?',
        '.env: GATEWAY_SERVER__PORT: server.port: "x" is not an integer',
    ]


def test_a_line_of_dotenv_that_sets_nothing_is_told_and_left_out(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / ".env").write_text("# mine\nPORT=1\nthis is none\n=x\nLOG_LEVEL='debug\nHOST=${PORT}\n")
    assert load(environ={}).dotenv == {"PORT": "1", "HOST": "1"}
    said = [f"{folder / '.env'}:{line}: is not NAME=value, and is ignored" for line in (3, 4, 5)]
    assert caplog.messages == said


def test_a_bad_flag_names_the_flag() -> None:
    with pytest.raises(ConfigError, match="^command line: --port: server.port: must be <= 65535, got 70000$"):
        load(environ={}, overrides={"server.port": 70_000})


@pytest.mark.parametrize("name", ["HOST", "PORT", "LOG_LEVEL"])
def test_an_empty_common_variable_counts_as_not_set(name: str) -> None:
    assert config(**{name: ""}) == Config()


@pytest.mark.parametrize("name", ["API_KEYS", "OPENAI_API_KEY", "GATEWAY_ADMIN_PASSWORD", "GATEWAY_ENCRYPTION_KEY"])
@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_around_a_secret_are_a_mistake(name: str, quote: str) -> None:
    """`docker run --env-file .env` keeps those that python-dotenv takes off."""
    with pytest.raises(ConfigError, match="quotes of its own") as caught:
        config(**{name: f"{quote}something{quote}"})
    assert "something" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "HOST",
        "LOG_LEVEL",
        "LOG_FILE",
        "LOG_FILE_PATTERN",
        "OPENAI_BASE_URL",
        "AZURE_API_VERSION",
        "VERTEX_PROJECT",
        "BIG_MODEL",
        "SMALL_MODEL",
        "GATEWAY_MODELS__DEFAULT_UPSTREAM",
    ],
)
@pytest.mark.parametrize("quote", ['"', "'"])
def test_so_are_those_around_any_other_text(name: str, quote: str) -> None:
    """The model was asked for with its quotes, and the log went into a folder whose name begins with one."""
    given = {
        "OPENAI_API_KEY": "sk-1",
        "AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com",
        "AZURE_OPENAI_API_KEY": "a",
        "USE_VERTEX_AUTH": "true",
        "VERTEX_PROJECT": "mine",
    }
    with pytest.raises(ConfigError, match=f"(?m)^environment: {name}: .*has quotes of its own"):
        config(**given | {name: f"{quote}something{quote}"})


def test_what_the_compilers_of_conda_call_the_machine_is_no_address() -> None:
    made_for = "x86_64-conda-linux-gnu"
    assert config(HOST=made_for, CONDA_TOOLCHAIN_HOST=made_for) == Config()
    assert config(HOST="::1", CONDA_TOOLCHAIN_HOST=made_for).server.host == "::1"


def test_a_variable_under_a_key_of_the_wrong_type_does_not_hide_the_mistake(read: Load) -> None:
    def load_it() -> Loaded:
        return read("server = 3", {"GATEWAY_SERVER__PORT": "1"})

    with pytest.raises(ConfigError, match="server: expected a table, got an integer"):
        load_it()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GATEWAY_SERVER_PORT", "GATEWAY_SERVER__PORT"),
        ("GATEWAY_STORE_ENCRYPTION_KEY", "GATEWAY_STORE__ENCRYPTION_KEY"),
        ("GATEWAY_AUTH_KEYS", "GATEWAY_AUTH__KEYS"),
        ("GATEWAY_UPSTREAM_MY_OWN_API_KEY", "GATEWAY_UPSTREAM__MY_OWN__API_KEY"),
        ("GATEWAY_MODELS_ALIAS_FAST", "GATEWAY_MODELS__ALIAS__FAST"),
        ("GATEWAY_PORT", "PORT"),
        ("GATEWAY_LOG_LEVEL", "GATEWAY_LOG__LEVEL"),
    ],
)
def test_a_variable_that_spells_a_key_with_single_underscores_is_told(name: str, meant: str) -> None:
    found = load({"upstream": {"my-own": {"type": "openai", "api_key": "k"}}}, environ={name: "1"})
    assert [*map(str, found.misspelt)] == [f'environment: {name}: is not read; did you mean "{meant}"?']


@pytest.mark.parametrize(
    "environ",
    [
        {"GATEWAY_SERVER_PORT": "tcp://10.0.0.1:80", "GATEWAY_PORT": "tcp://10.0.0.1:80"},  # as Kubernetes makes them
        {"GATEWAY_SERVICE_HOST": "10.0.0.1", "GATEWAY_PORT_8080_TCP_PORT": "8080"},
        {"GATEWAY_ADMIN_PASSWORD": "a long password", "GATEWAY_ENCRYPTION_KEY": "k"},
        {"GATEWAY_AUTH_KEYS": "k1"},
        {"GATEWAY_UPSTREAM_OPENAI": "x", "GATEWAY_KEY": "x", "GATEWAY_": "x", "GATEWAY_SERVER": "x"},
        {"GATEWAY_SERVER__PORT": "1"},
    ],
)
def test_other_variables_are_nobodys_mistake(environ: dict[str, str]) -> None:
    given = {"auth": {"keys": ["env:GATEWAY_AUTH_KEYS"]}} if "GATEWAY_AUTH_KEYS" in environ else {}
    assert load(given, environ=environ).misspelt == ()
