"""Sizes, limits and the shapes that a model rule may have."""

import pytest

from gateway.config import Limit, ModelRule, load, parse_limits, schema_keys
from gateway.config.limits import LIMIT_KEYS
from gateway.config.upstreams import AnthropicConfig, GeminiConfig, OpenAIConfig, V1InternalConfig, VertexConfig


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (0, 0),
        (1000, 1000),
        ("1000", 1000),
        ("12B", 12),
        ("1KB", 2**10),
        ("32MB", 32 * 2**20),
        ("32 mb", 32 * 2**20),
        ("1.5MiB", 3 * 2**19),
        ("1GB", 2**30),
        ("2TB", 2**41),
    ],
)
def test_sizes_are_bytes(text: object, size: int) -> None:
    assert load({"responses": {"max": text}}, environ={}).config.responses.max == size


@pytest.mark.parametrize(
    ("kind", "base", "ends"),
    [
        ("anthropic", "https://x.test/anthropic", ("", "/", "/v1", "/v1/", "/v1/messages")),
        ("gemini", "https://x.test", ("", "/v1beta", "/v1alpha/", "/v1")),
        ("vertex", "https://x.test", ("", "/v1", "/v1beta1")),
        ("openai", "https://x.test/api/v1", ("", "/", "/chat/completions", "/responses/", "/completions")),
    ],
)
def test_a_base_may_have_what_is_appended_to_it(kind: str, base: str, ends: tuple[str, ...]) -> None:
    for end in ends:
        table = {"type": kind, "base_url": f"{base}{end}"}
        upstream = load({"upstream": {"x": table}}, environ={}).config.upstream["x"]
        assert isinstance(upstream, AnthropicConfig | GeminiConfig | VertexConfig | OpenAIConfig)
        assert upstream.base_url == base


def test_the_bases_of_code_assist_may_have_it_too() -> None:
    bases = ["https://x.test/v1internal", "https://y.test"]
    upstream = load({"upstream": {"x": {"type": "v1internal", "base_urls": bases}}}, environ={}).config.upstream["x"]
    assert isinstance(upstream, V1InternalConfig)
    assert upstream.base_urls == ("https://x.test", "https://y.test")


def test_limits_keep_their_order() -> None:
    assert parse_limits({"usd_per_month": 0.5, "concurrent": 4, "requests_per_second": 0}) == (
        Limit("usd", 0.5, "month"),
        Limit("concurrent", 4, None),
        Limit("requests", 0, "second"),
    )


def test_limits_name_a_resource_and_a_window() -> None:
    assert len(LIMIT_KEYS) == 16
    assert {limit.window for limit in parse_limits(dict.fromkeys(LIMIT_KEYS, 1))} == {
        "second", "minute", "hour", "day", "month", None,
    }  # fmt: skip


@pytest.mark.parametrize("value", [{"x": 1}, {"concurrent": -1}, {"concurrent": True}, {"concurrent": 0.5}, 5])
def test_bad_limits_are_refused(value: object) -> None:
    with pytest.raises(ValueError):
        parse_limits(value)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("a", ModelRule(("a",))),
        (["a", "b"], ModelRule(("a", "b"))),
        ({"a": 3, "b": 0.5}, ModelRule(("a", "b"), (3.0, 0.5))),
    ],
)
def test_a_model_rule_is_a_name_a_chain_or_weights(value: object, rule: ModelRule) -> None:
    assert load({"models": {"alias": {"x": value}}}, environ={}).config.models.alias["x"] == rule


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-01-01", "2027-01-01T00:00:00+00:00"),
        ("2027-01-01T10:00:00", "2027-01-01T10:00:00+00:00"),
        ("2027-01-01T10:00:00+02:00", "2027-01-01T10:00:00+02:00"),
    ],
)
def test_a_key_expires_at_a_moment(text: str, moment: str) -> None:
    [key] = load({"key": [{"name": "a", "secret": "s", "expires": text}]}, environ={}).config.key
    assert key.expires is not None
    assert key.expires.isoformat() == moment


@pytest.mark.parametrize("text", ["", "a b", ["a", "b"]])
def test_scopes_are_a_list_or_words(text: object) -> None:
    loaded = load({"upstream": {"antigravity": {"oauth": {"scopes": text}}}}, environ={})
    assert loaded.config.upstream["antigravity"].oauth.scopes == (("a", "b") if text else ())  # type: ignore[union-attr]  # v1internal


def test_schema_keys_are_patterns() -> None:
    keys = schema_keys()
    assert len(keys) == len(set(keys))
    assert {"server.port", "key.*.limits.usd_per_day", "upstream.*.pool.import", "models.alias.*"} < set(keys)
