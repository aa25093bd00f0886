"""Rules between keys: open addresses need keys, published keys stay at home, model rules lead somewhere."""

from hashlib import sha256

import pytest

from gateway.config import (
    Config,
    ConfigError,
    KeyConfig,
    Secret,
    ServerConfig,
    is_loopback,
    load,
    refuses_bind,
)
from tests.gateway.config.conftest import Load, Problems


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.7", False),
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("example.org", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def open_config(**tables: object) -> Config:
    return load({"server": {"host": "0.0.0.0"}, **tables}, environ={}).config


def test_an_open_address_without_keys_is_refused() -> None:
    reason = refuses_bind(open_config())
    assert reason is not None
    assert "auth.keys" in reason


@pytest.mark.parametrize(
    "tables",
    [
        {"auth": {"keys": ["sk-mine"]}},
        {"key": [{"name": "a", "secret": "sk-mine"}]},
        {"auth": {"allow_anonymous": "always"}},
        {"server": {"host": "::1"}},
    ],
)
def test_an_open_address_needs_a_key_or_the_word_always(tables: dict[str, object]) -> None:
    assert refuses_bind(open_config(**tables)) is None


def test_a_key_in_the_store_counts() -> None:
    assert refuses_bind(open_config(), stored_keys=True) is None


@pytest.mark.parametrize("key", ["123456", "sk-text", "sk-your-api-key"])
@pytest.mark.parametrize("place", ["auth", "secret", "sha256"])
def test_published_sample_keys_are_refused_off_loopback(key: str, place: str) -> None:
    digest = sha256(key.encode()).hexdigest()
    tables: dict[str, dict[str, object]] = {
        "auth": {"auth": {"keys": [key]}},
        "secret": {"key": [{"name": "a", "secret": key}]},
        "sha256": {"key": [{"name": "a", "sha256": digest.upper()}]},
    }
    load(tables[place], environ={})
    with pytest.raises(ConfigError, match="is a published sample key"):
        open_config(**tables[place])


@pytest.mark.parametrize(("field", "value"), [("secret", "sk-mine"), ("sha256", sha256(b"sk-mine").hexdigest())])
def test_a_key_of_two_tables_is_refused(problems: Problems, field: str, value: str) -> None:
    text = f'[[key]]\nname = "a"\nsecret = "sk-mine"\n[[key]]\nname = "b"\n{field} = "{value}"'
    assert problems(text) == [f'gateway.toml:6: key[1].{field}: is also the key of "a"; each needs its own']


def test_middlewares_of_ones_own_and_import_paths_may_stand_in_the_order(read: Load) -> None:
    order = 'order = ["mine", "pkg.module:Class", "auth"]'
    text = f'[pipeline]\n{order}\n[middleware.mine]\nuse = "pkg:Mine"'
    assert read(text).config.pipeline.order == ("mine", "pkg.module:Class", "auth")


def test_a_digest_is_read_in_any_case(read: Load) -> None:
    assert read(f'[[key]]\nname = "a"\nsha256 = "{"AB" * 32}"').config.key == (KeyConfig(name="a", sha256="ab" * 32),)


def test_a_slash_in_a_listed_model_name_is_no_upstream(read: Load) -> None:
    text = '[upstream.router]\ntype = "openai"\nmodels = ["meta/llama"]\n[models.alias]\nx = "meta/llama"'
    assert read(text).config.models.alias["x"].targets == ("meta/llama",)


@pytest.mark.parametrize("table", ["models.alias", "upstream.demo.alias"])
def test_an_alias_that_no_name_can_meet_is_refused(problems: Problems, table: str) -> None:
    """The model lists would show it, and whoever asks for it would be led elsewhere."""
    message = f'{table}."models/mine": never matches, because "models/" is removed from requested names: write "mine"'
    text = f'[upstream.demo]\ntype = "demo"\n[{table}]\n"models/mine" = "demo"'
    assert problems(text) == [f"gateway.toml:4: {message}"]


@pytest.mark.parametrize("table", ["models.family", "upstream.openai.alias"])
def test_every_kind_of_model_rule_needs_a_configured_upstream(problems: Problems, table: str) -> None:
    text = f'[upstream.openai]\napi_key = "k"\n[{table}]\nx = "azure/gpt-4o"'
    assert problems(text) == [
        f'gateway.toml:4: {table}.x: "azure/gpt-4o" refers to upstream "azure", which is not configured'
    ]


def test_a_model_rule_names_a_model_of_its_upstream(problems: Problems) -> None:
    assert problems('[models.alias]\nx = "demo/"') == [
        'gateway.toml:2: models.alias.x: "demo/" names no model of upstream "demo"'
    ]


def test_each_member_of_a_chain_and_of_weights_is_checked(problems: Problems) -> None:
    text = '[models.alias]\na = ["demo/demo", "x/1"]\nb = { "demo/demo" = 1, "y/1" = 2 }'
    assert [line.split(": ")[1] for line in problems(text)] == ["models.alias.a[1]", 'models.alias.b."y/1"']


LOOPS = [
    '[models.alias]\na = "b"\nb = "a"',
    '[models.alias]\na = "a"',
    '[models.alias]\na = ["demo", "b"]\nb = { demo = 1, c = 1 }\nc = "a"',
    '[models.family]\nhaiku = "my-sonnet"\nsonnet = "my-haiku"',
    '[models.family]\nhaiku = "haiku"',
    '[models.alias]\n"x*" = "xy-search"',
    '[models.alias]\n"gemini-*" = "gemini-2.5-flash-search-nothinking"\n[upstream.antigravity]',
    '[upstream.antigravity.alias]\n"gpt-4*" = "gpt-4o"',
    '[upstream.demo.alias]\n"gpt-*" = "gpt-4o"',
    '[upstream.antigravity]\nmodels = ["claude-a"]\nalias = { "claude-*" = "claude-b" }',
    '[upstream.antigravity.alias]\n"gpt-4*" = "big"\n[models.family]\nbig = "gpt-4.1"',
]


@pytest.mark.parametrize("text", LOOPS)
def test_a_rule_that_leads_back_to_itself_is_refused(problems: Problems, text: str) -> None:
    [problem] = problems(text)
    assert "forms a loop" in problem


def test_a_loop_names_its_rules_and_the_line_of_the_first(problems: Problems) -> None:
    assert problems(LOOPS[0]) == [
        "gateway.toml:2: models.alias.a: forms a loop: models.alias.a → models.alias.b → models.alias.a"
    ]


@pytest.mark.parametrize(
    "text",
    [
        '[models.alias]\n"gpt-4*" = "gpt-4o"',  # what an alias gives meets no glob of the aliases again
        '[models.family]\nhaiku = "claude-haiku-4-5"\n[upstream.anthropic]',  # its list may hold the name
        '[models.family]\nsonnet = "gpt-4.1"\n[upstream.antigravity]\n[upstream.openai]',
        '[models.family]\nhaiku = "local-haiku"\n[upstream.x]\ntype = "openai"\nbase_url = "http://localhost/v1"',
        '[models.family]\nhaiku = "haiku-1"\n[upstream.antigravity]\nmodels = ["haiku-1"]',
        '[models.family]\nhaiku = "demo/haiku"\n[upstream.demo]',
        '[models.alias]\na = "b"\nb = "demo"',
        '[models.alias]\n"gemini-*" = "antigravity/gemini-2.5-flash-search"\n[upstream.antigravity]',
        '[models.alias]\n"x*" = "xy-search"\n[upstream.antigravity]\nmodels = ["xy-search"]',
        '[models.alias]\n"claude-*" = "claude-a-nothinking"\n[upstream.antigravity]',  # only Gemini 2.5 has it
        '[models.family]\nflash = "gemini-2.5-flash-search"\n[upstream.antigravity]',
    ],
)
def test_a_way_that_ends_at_a_list_is_no_loop(read: Load, text: str) -> None:
    read(text)


def test_a_variant_needs_a_suffix(problems: Problems) -> None:
    [problem] = problems('[models.variant.""]\nthinking = "off"')
    assert "an empty suffix" in problem


def test_a_family_needs_a_word(problems: Problems) -> None:
    [problem] = problems('[models.family]\n"" = "demo/demo"')
    assert 'models.family."": an empty word would be in every name' in problem


def test_a_hundred_aliases_in_a_row_are_followed_once(read: Load) -> None:
    chain = "\n".join(f'a{number} = ["a{number + 1}", "a{number + 2}"]' for number in range(100))
    assert len(read(f"[models.alias]\n{chain}").config.models.alias) == 100


def test_config_can_be_built_by_hand() -> None:
    config = Config(server=ServerConfig(port=1), key=(KeyConfig(name="a", secret=Secret("s")),))
    assert refuses_bind(config) is None


@pytest.mark.parametrize(
    "address",
    ["localhost", "http://localhost:6379", "redis://localhost:six", "redis://h:0", "redis://h/one", "redis://h/-1"],
)
def test_what_is_no_address_of_redis_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="store.redis: is not a URL of the form redis://host:6379/0"):
        load({"store": {"redis": address}}, environ={})


@pytest.mark.parametrize("address", ["gateway.db", "sqlite:///x", "mysql://h/x", "postgresql://h:five/x"])
def test_what_is_no_address_of_a_database_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="store.database: is not a URL of the form postgresql://"):
        load({"store": {"database": address}}, environ={})


@pytest.mark.parametrize("password", ["one@two", "one/two", "one?two", "one#two", "@two", "one@t/wo"])
def test_a_password_of_a_database_that_is_not_escaped_is_refused_and_told_nowhere(password: str) -> None:
    """The rest of it was taken for the host, whose name stands in the log."""
    with pytest.raises(ConfigError, match="write @ as %40") as caught:
        load({"store": {"database": f"postgresql://u:{password}@h:5432/x"}}, environ={})
    assert "one" not in str(caught.value)
    assert "wo" not in str(caught.value).replace("password", "")


@pytest.mark.parametrize(
    "address", ["", "postgresql://h/x", "postgresql://h/x?user=a@b", "postgres://u:p%40w@h:5432/x?sslmode=require"]
)
def test_an_address_of_a_database_is_taken(address: str) -> None:
    assert load({"store": {"database": address}}, environ={}).config.store.database.reveal() == address


@pytest.mark.parametrize(
    "address", ["", "redis://localhost", "rediss://:pw@h:6380/2", "redis://h/1/", "unix:///run/redis.sock?db=1"]
)
def test_an_address_of_redis_is_taken(address: str) -> None:
    assert load({"store": {"redis": address}}, environ={}).config.store.redis.reveal() == address


@pytest.mark.parametrize("given", ["", "api_key = []"])
def test_azure_needs_a_key(problems: Problems, given: str) -> None:
    text = f'[upstream.azure]\nendpoint = "https://a.example"\n{given}'
    assert problems(text) == ["gateway.toml:1: upstream.azure: api_key is required"]


@pytest.mark.parametrize(
    ("given", "place"),
    [("5", "api_key"), ('""', "api_key"), ('"file:none"', "api_key"), ('["env:NONE"]', "api_key[0]")],
)
def test_a_wrong_key_of_azure_is_one_mistake(problems: Problems, given: str, place: str) -> None:
    (said,) = problems(f'[upstream.azure]\nendpoint = "https://a.example"\napi_key = {given}')
    assert said.startswith(f"gateway.toml:3: upstream.azure.{place}: ")


@pytest.mark.parametrize(
    "place", ["server.data_dir", "record.dir", "log.file", "log.rotated", "upstream.gemini.pool.import"]
)
def test_a_home_folder_must_be_known(problems: Problems, place: str) -> None:
    table, _, key = place.rpartition(".")
    text = f'[upstream.gemini]\napi_key = ["k"]\n[{table}]\n{key} = "~nobody-of-that-name/x"'
    said = f'{place}: "~nobody-of-that-name/x" starts with a home folder that is unknown here; give the full path'
    assert problems(text) == [f"gateway.toml:4: {said}"]
