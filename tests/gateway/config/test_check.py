"""`gateway check` shows every value with its source, hides secrets and says what has no effect."""

from typing import Any

import pytest

from gateway.config import Config, Loaded, Row, load, report, schema_keys
from tests.gateway.config.conftest import Load
from tests.gateway.config.test_annotated import FILE, VARIABLES


def rows(loaded: Loaded) -> dict[str, Row]:
    return {row.key: row for row in report(loaded)}


def test_every_value_has_its_source(read: Load) -> None:
    found = rows(read("[server]\nport = 80", {"HOST": "::1"}))
    assert found["server.port"] == Row("server.port", "80", "gateway.toml:2", "")
    assert found["server.host"] == Row("server.host", '"::1"', "env HOST", "")
    assert found["server.drain"] == Row("server.drain", "30", "default", "")


def test_a_plain_set_up_shows_the_whole_schema() -> None:
    found = rows(load({}, environ={}))
    assert [key for key in schema_keys() if "*" not in key and not key.startswith("limits.") and key not in found] == []
    assert {"models.variant.-search.tools", 'thinking."gemini-*".budget', "upstream.demo.type"} < found.keys()


def test_values_are_written_as_in_the_file() -> None:
    found = {key: row.value for key, row in rows(load(FILE, environ=VARIABLES, dotenv=False)).items()}
    assert found["models.alias.best"] == '["antigravity/claude-opus-4-5-thinking", "anthropic/claude-opus-4-5"]'
    assert found["models.alias.balanced"] == '{ "openai/gpt-4.1" = 3, "azure/gpt-4o" = 1 }'
    assert found['upstream.antigravity.alias."gpt-4*"'] == '"claude-sonnet-4-5"'
    assert found["key[0].limits.usd_per_month"] == "50"
    assert found["key[0].expires"] == "2027-01-01T00:00:00+00:00"
    assert found["defaults.temperature"] == "unset"
    assert found["auth.accept"] == '["bearer", "x-api-key", "x-goog-api-key", "api-key", "basic", "query"]'
    assert found["translate.fetch_urls"] == "false"
    assert found["upstream.demo.type"] == '"demo"'


def test_no_secret_is_shown() -> None:
    secret = "canary-value"
    loaded = load(
        {
            "auth": {"keys": [secret]},
            "key": [{"name": "a", "secret": secret}],
            "store": {
                "database": f"postgresql://u:{secret}@h/d",
                "redis": f"redis://:{secret}@h/0",
                "encryption_key": [secret],
            },
            "admin": {"password": secret},
            "middleware": {"m": {"use": "a:B", "options": {"token": secret}}},
            "upstream": {
                "antigravity": {
                    "oauth": {"client_secret": secret},
                    "headers": {"x": secret},
                    "pool": {"refresh_tokens": [secret]},
                },
                "gemini": {"api_key": secret, "base_url": f"http://u:{secret}@h"},
            },
        },
        environ={},
    )
    assert secret not in "".join(row.value for row in report(loaded))
    assert secret not in repr(loaded.config).replace(f"'token': '{secret}'", "").replace(
        f"'x': '{secret}'", ""
    ).replace(f":{secret}@h'", "")
    assert rows(loaded)["middleware.m.options"].value == "token = ***"
    assert rows(loaded)["auth.keys"].value == "[***]"


def test_an_empty_secret_is_shown_as_empty() -> None:
    assert rows(load({}, environ={}))["admin.password"].value == '""'


def test_a_middleware_that_nobody_names_is_without_effect() -> None:
    tables = {"pipeline": {"order": ["auth", "mine"]}, "middleware": {"mine": {"use": "a:B"}, "other": {"use": "a:C"}}}
    found = rows(load(tables, environ={}))
    assert found["middleware.other.use"].reason == "not in pipeline.order"
    assert not found["middleware.other.use"].in_effect
    assert found["middleware.mine.use"].in_effect


def test_what_only_accounts_have_is_without_effect_on_api_keys() -> None:
    found = rows(load({"upstream": {"x": {"type": "gemini", "api_key": "k"}}}, environ={}))
    assert found["upstream.x.pool.refresh_tokens"].reason == "an API key has none"
    assert found["upstream.x.pool.uses_per_turn"].in_effect


@pytest.mark.parametrize(
    ("left_out", "keys"),
    [
        ("rate_limit", ["limits.requests_per_minute", "key[0].limits.concurrent"]),
        ("body_limit", ["server.max_body"]),
        ("usage", ["usage.keep_days", "usage.log_every"]),
    ],
)
def test_what_a_middleware_reads_is_not_in_effect_without_it(left_out: str, keys: list[str]) -> None:
    tables: dict[str, Any] = {
        "limits": {"requests_per_minute": 5},
        "key": [{"name": "a", "secret": "sk-a", "limits": {"concurrent": 1}}],
        "usage": {"price": {"m": {"input": 1.0}}},
    }
    order = ["body_limit", "auth", "rate_limit", "protocol", "model_map", "usage"]
    found = rows(load(tables | {"pipeline": {"order": order}}, environ={}))
    assert [key for key in keys if not found[key].in_effect] == []
    order.remove(left_out)
    found = rows(load(tables | {"pipeline": {"order": order}}, environ={}))
    assert {found[key].reason for key in keys} == {f"{left_out} is not in pipeline.order"}
    assert found["usage.price.m.input"].in_effect  # it may be for the one, or for the other


def test_the_report_needs_no_file() -> None:
    assert report(load(Config()))
