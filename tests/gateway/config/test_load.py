"""Which file is read, what beats what, and where a value says it came from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config import (
    AuthConfig,
    Config,
    ConfigError,
    DemoConfig,
    KeyConfig,
    PoolConfig,
    Secret,
    VariantConfig,
    load,
)
from gateway.config.upstreams import V1InternalConfig
from tests.gateway.config.conftest import Load, Problems

PORT = ("server", "port")


def test_without_anything_the_demo_is_served_on_loopback() -> None:
    loaded = load(environ={})
    assert loaded.file is None
    assert loaded.config.server.host == "127.0.0.1"
    assert loaded.config.server.port == 8045
    assert loaded.config.upstream == {"demo": DemoConfig()}


def test_a_configured_upstream_takes_the_demos_place(read: Load) -> None:
    assert list(read('[upstream.x]\ntype = "openai"').config.upstream) == ["x"]


def test_an_empty_upstream_table_keeps_the_demo(read: Load) -> None:
    assert list(read("[upstream]").config.upstream) == ["demo"]


def test_the_file_in_the_working_folder_is_found(read: Load, folder: Path) -> None:
    loaded = read("[server]\nport = 1")
    assert loaded.file == folder / "gateway.toml"
    assert loaded.config.server.port == 1


def test_gateway_config_beats_the_working_folder(write: Callable[[str], Path], folder: Path) -> None:
    write("[server]\nport = 1")
    (folder / "other.toml").write_text("[server]\nport = 2")
    assert load(environ={"GATEWAY_CONFIG": "other.toml"}).config.server.port == 2


def test_a_named_file_beats_gateway_config(folder: Path) -> None:
    (folder / "a.toml").write_text("[server]\nport = 1")
    (folder / "b.toml").write_text("[server]\nport = 2")
    assert load(folder / "a.toml", environ={"GATEWAY_CONFIG": "b.toml"}).config.server.port == 1


def test_no_config_looks_for_no_file(read: Load) -> None:
    loaded = read("[server]\nport = 1", {"GATEWAY_CONFIG": "gateway.toml"}, no_config=True)
    assert loaded.file is None
    assert loaded.config.server.port == 8045


@pytest.mark.parametrize("environ", [{}, {"GATEWAY_CONFIG": "nowhere.toml"}])
def test_a_named_file_that_is_missing_is_an_error(environ: dict[str, str]) -> None:
    source = None if environ else "nowhere.toml"
    with pytest.raises(ConfigError, match="nowhere.toml: there is no such file"):
        load(source, environ=environ)


def test_a_folder_is_no_file(folder: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(folder, environ={})


def test_bytes_that_are_no_text_are_an_error(folder: Path) -> None:
    (folder / "gateway.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(environ={})


def test_a_byte_order_mark_is_skipped(folder: Path) -> None:
    (folder / "gateway.toml").write_bytes("\ufeff[server]\nport = 1".encode())
    assert load(environ={}).config.server.port == 1


@pytest.mark.parametrize(("text", "line"), [("[server]\nport = \n", 2), ("a = 1\na = 2", 2), ("\n\n[server", 3)])
def test_a_syntax_error_has_its_line(problems: Problems, text: str, line: int) -> None:
    [problem] = problems(text)
    assert problem.startswith(f"gateway.toml:{line}: not TOML: ")
    assert "gateway import" not in problem


@pytest.mark.parametrize(("name", "text"), [("config.json", '{"server": {}}'), ("old/.env", "HOST=0.0.0.0")])
def test_an_earlier_proxys_file_is_shown_the_way(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(name, environ={})
    [problem] = caught.value.problems
    assert problem.message.endswith(
        f"; `gateway import {name}` converts the file of an earlier proxy into a gateway.toml"
    )


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 3000 + "]" * 3000, ".".join("a" * 3000) + " = 1", "[" + ".".join("a" * 3000) + "]"],
)
def test_deep_nesting_is_a_problem_not_a_crash(problems: Problems, text: str) -> None:
    assert problems(text)


PRECEDENCE = [
    ("file", "gateway.toml:2", 1),
    ("PORT in .env", ".env PORT", 2),
    ("PORT", "env PORT", 3),
    ("GATEWAY_ in .env", ".env GATEWAY_SERVER__PORT", 4),
    ("GATEWAY_", "env GATEWAY_SERVER__PORT", 5),
    ("flag", "flag --port", 6),
]


@pytest.mark.parametrize("strongest", range(len(PRECEDENCE)))
def test_what_beats_what(read: Load, folder: Path, strongest: int) -> None:
    given = [name for name, _, _ in PRECEDENCE[: strongest + 1]]
    dotenv = ["PORT=2"] * ("PORT in .env" in given) + ["GATEWAY_SERVER__PORT=4"] * ("GATEWAY_ in .env" in given)
    (folder / ".env").write_text("\n".join(dotenv))
    environ = {"PORT": "3"} if "PORT" in given else {}
    environ |= {"GATEWAY_SERVER__PORT": "5"} if "GATEWAY_" in given else {}
    loaded = read("[server]\nport = 1", environ, overrides={"server.port": 6 if "flag" in given else None})
    _, source, port = PRECEDENCE[strongest]
    assert loaded.config.server.port == port
    assert str(loaded.source(PORT)) == source


def test_a_default_has_no_other_source(read: Load) -> None:
    loaded = read('[server]\nhost = "127.0.0.1"')
    assert str(loaded.source(PORT)) == "default"


def test_dotenv_is_read_beside_the_file(folder: Path) -> None:
    inner = folder / "etc"
    inner.mkdir()
    (inner / "gateway.toml").write_text('[auth]\nkeys = ["env:MY_KEY"]')
    (inner / ".env").write_text("MY_KEY=from-dotenv")
    loaded = load(inner / "gateway.toml", environ={})
    assert loaded.config.auth.keys == (Secret("from-dotenv"),)


def test_dotenv_can_be_left_out(read: Load, folder: Path) -> None:
    (folder / ".env").write_text("PORT=2")
    assert read("", dotenv=False).config.server.port == 8045


def test_a_dotenv_that_is_no_text_is_an_error(folder: Path) -> None:
    (folder / ".env").write_bytes(b"A=\xff")
    with pytest.raises(ConfigError, match=r"\.env: cannot be read: it is not UTF-8 text$"):
        load(environ={})


def test_a_mapping_stands_in_place_of_the_file(write: Callable[[str], Path]) -> None:
    write("[server]\nport = 1")
    loaded = load({"server": {"host": "::1"}}, environ={"GATEWAY_SERVER__DRAIN": "5"})
    assert loaded.file is None
    assert loaded.config.server.host == "::1"
    assert loaded.config.server.port == 8045
    assert loaded.config.server.drain == 5.0
    assert str(loaded.source(("server", "host"))) == "configuration"


def test_a_mapping_is_not_changed() -> None:
    source = {"auth": {"keys": ["env:A"]}, "server": {"data_dir": Path("x")}}
    assert load(source, environ={"A": "key"}).config.server.data_dir == "x"
    assert source == {"auth": {"keys": ["env:A"]}, "server": {"data_dir": Path("x")}}


def test_problems_of_a_mapping_name_the_key() -> None:
    with pytest.raises(ConfigError, match=r"^configuration: server.port: expected an integer, got a string$"):
        load({"server": {"port": "80"}}, environ={})


def test_a_finished_config_is_taken_as_it_stands() -> None:
    config = Config(auth=AuthConfig(keys=(Secret("k"),)))
    assert load(config, environ={"PORT": "1"}).config is config


def test_a_finished_config_must_keep_the_rules() -> None:
    config = Config()
    broken = load(config).config.models.__class__(default_upstream="nobody")
    with pytest.raises(ConfigError, match='upstream "nobody" is not configured'):
        load(Config(models=broken))


def test_relative_paths_start_at_the_files_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = folder / "etc"
    inner.mkdir()
    (inner / "gateway.toml").write_text("")
    monkeypatch.chdir("/")
    loaded = load(inner / "gateway.toml", environ={})
    assert loaded.folder == inner
    assert loaded.resolve("data") == inner / "data"
    assert loaded.resolve("/var/lib/gateway") == Path("/var/lib/gateway")


def test_a_refresh_token_flag_makes_the_antigravity_upstream() -> None:
    loaded = load(environ={}, overrides={"upstream.*.pool.refresh_tokens": ["1//token"]})
    pool = PoolConfig(refresh_tokens=(Secret("1//token"),))
    assert loaded.config.upstream == {"antigravity": V1InternalConfig(pool=pool)}
    assert str(loaded.source(("upstream", "antigravity", "pool", "refresh_tokens"))) == "flag --refresh-token"


def test_a_refresh_token_flag_joins_the_upstream_that_is_there(read: Load) -> None:
    text = '[upstream.mine]\ntype = "v1internal"'
    loaded = read(text, overrides={"upstream.*.pool.refresh_tokens": ["1//token"]})
    assert list(loaded.config.upstream) == ["mine"]


def test_keys_keep_their_order_and_defaults(read: Load) -> None:
    loaded = read('[[key]]\nname = "a"\nsecret = "s"\n[[key]]\nname = "b"\nsecret = "t"\nscopes = ["admin"]')
    assert loaded.config.key == (
        KeyConfig(name="a", secret=Secret("s")),
        KeyConfig(name="b", secret=Secret("t"), scopes=("admin",)),
    )


def test_a_variant_of_ones_own_stands_beside_the_built_in_ones(read: Load) -> None:
    variants = read('[models.variant."-fast"]\nthinking = "off"').config.models.variant
    assert list(variants) == ["-fast", "-search", "-nothinking", "-maxthinking"]


@pytest.mark.parametrize(
    ("text", "suffix", "variant"),
    [
        ('"-search".only = "gemini-*"', "-search", VariantConfig(tools=("google_search",), only="gemini-*")),
        ('"-nothinking".only = "gemini-3*"', "-nothinking", VariantConfig(only="gemini-3*", thinking="off")),
        ('"-maxthinking".thinking = "off"', "-maxthinking", VariantConfig(only="gemini-2.5*", thinking="off")),
        ('"-search" = { tools = [] }', "-search", VariantConfig()),
        ('"-maxthinking".only = ""', "-maxthinking", VariantConfig(thinking="max")),
    ],
)
def test_the_keys_of_a_built_in_variant_have_their_own_defaults(
    read: Load, text: str, suffix: str, variant: VariantConfig
) -> None:
    assert read(f"[models.variant]\n{text}").config.models.variant[suffix] == variant


def test_a_thinking_table_of_ones_own_replaces_the_default(read: Load) -> None:
    assert list(read('[thinking]\n"gemini-*" = { budget = 5 }').config.thinking) == ["gemini-*"]


def test_an_alias_table_of_an_upstream_replaces_the_default(read: Load) -> None:
    upstream = read('[upstream.antigravity.alias]\n"x" = "claude-y"').config.upstream["antigravity"]
    assert isinstance(upstream, V1InternalConfig)
    assert list(upstream.alias)[:2] == ["x", "gemimi-3.0-pro-image"]
    assert "gpt-4*" not in upstream.alias
