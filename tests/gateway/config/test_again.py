"""Reading the configuration while it is in use: each key changes at once, or is named as one that needs a restart."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import asdict, replace

from gateway.config import NEEDS_RESTART, Config, ConfigError, Loaded, load, read_again, schema_keys
from tests.gateway.config.conftest import Load

Write = Callable[[str], Path]

SECTIONS = {key.split(".")[0]: getattr(Config(), key.split(".")[0]) for key in schema_keys()}
# a table whose names the operator chooses, and that of the limits, are one value
KEYS = [
    *((section, key) for section, table in SECTIONS.items() if isinstance(table, Struct) for key in asdict(table)),
    *((section, None) for section, table in SECTIONS.items() if not isinstance(table, Struct)),
]


def refuses_nothing(_: Config) -> None:
    return None


def loaded(config: Config, then: Config) -> Loaded:
    """Give a configuration that reads as another one the next time."""
    return Loaded(
        config=config,
        file=None,
        folder=Path("/etc"),
        sources={},
        again=lambda: Loaded(config=then, file=None, folder=Path("/etc"), sources={}),
    )


def changed(section: str, key: str | None) -> Config:
    """Give a configuration with another value, whatever it is: only its readers look at what it means."""
    config = Config()
    table = getattr(config, section)
    old = table if key is None else getattr(table, key)
    new: Any = {"elsewhere": 1} if isinstance(old, dict) else "/elsewhere"
    return replace(config, **{section: new if key is None else replace(table, **{key: new})})


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_each_key_is_taken_or_waits_for_a_restart(section: str, key: str | None) -> None:
    other = changed(section, key)
    running = loaded(Config(), other)
    again = read_again(running, refuses_nothing)
    waits = (section, key) in NEEDS_RESTART
    assert (again.loaded.config == Config(), list(again.waiting)) == (waits, [(section, key)] if waits else [])
    assert again.changed(running) == ([] if waits else [section])


def test_the_table_names_keys_only() -> None:
    assert {".".join(map(str, path)) for path in NEEDS_RESTART} <= set(schema_keys())
    assert all(NEEDS_RESTART.values())


def test_every_key_of_the_schema_is_tried() -> None:
    tried = {section if key is None else f"{section}.{key}" for section, key in KEYS}
    assert [key for key in schema_keys() if not {key.split(".")[0], ".".join(key.split(".")[:2])} & tried] == []


def test_what_waits_is_named_by_its_line_and_the_rest_holds(read: Load, write: Write) -> None:
    running = read('[server]\nport = 1\nmax_body = "1MB"\n')
    write('[server]\n\nport = 2\nmax_body = "2MB"\n')
    again = read_again(running, refuses_nothing)
    assert {path: str(source) for path, source in again.waiting.items()} == {("server", "port"): "gateway.toml:3"}
    assert (again.loaded.config.server.port, again.loaded.config.server.max_body) == (1, 2 * 2**20)


def test_a_variable_and_a_flag_win_as_at_the_start(read: Load, write: Write) -> None:
    running = read("", {"GATEWAY_RETRY__ATTEMPTS": "7"}, overrides={"log.level": "debug"})
    write('[retry]\nattempts = 2\n[log]\nlevel = "error"\n')
    config = read_again(running, refuses_nothing).loaded.config
    assert (config.retry.attempts, config.log.level) == (7, "debug")


def test_a_secret_file_is_read_again(read: Load, folder: Path) -> None:
    (folder / "key").write_text("sk-old")
    running = read('[auth]\nkeys = ["file:key"]')
    (folder / "key").write_text("sk-new")
    again = read_again(running, refuses_nothing)
    assert again.loaded.config.auth.keys[0].reveal() == "sk-new"
    assert again.changed(running) == ["auth"]


def test_dotenv_is_read_again(read: Load, folder: Path) -> None:
    (folder / ".env").write_text("KEY=sk-old\n")
    running = read('[auth]\nkeys = ["env:KEY"]')
    (folder / ".env").write_text("KEY=sk-new\n")
    assert read_again(running, refuses_nothing).loaded.config.auth.keys[0].reveal() == "sk-new"


def test_it_can_be_read_any_number_of_times(read: Load, write: Write) -> None:
    running = read("[retry]\nattempts = 1")
    for attempts in (2, 3, 4):
        write(f"[retry]\nattempts = {attempts}")
        running = read_again(running, refuses_nothing).loaded
        assert running.config.retry.attempts == attempts


def test_what_is_wrong_is_raised_with_its_line(read: Load, write: Write) -> None:
    running = read("")
    write("\n[retry]\nattempt = 2")
    with pytest.raises(ConfigError) as caught:
        read_again(running, refuses_nothing)
    assert str(caught.value).startswith("gateway.toml:3: retry.attempt: unknown key")


def test_a_file_that_was_found_is_missed_when_it_is_gone(folder: Path, write: Write) -> None:
    file = write('[auth]\nkeys = ["sk-a"]')
    running = load(environ={})
    file.rename(folder / "away.toml")
    with pytest.raises(ConfigError, match=r"^gateway\.toml: there is no such file$"):
        read_again(running, refuses_nothing)
    write("[retry]\nattempts = 2")
    assert read_again(running, refuses_nothing).loaded.config.retry.attempts == 2


def test_a_file_that_has_appeared_is_missed_too(write: Write) -> None:
    running = load(environ={})
    file = write('[auth]\nkeys = ["sk-a"]')
    running = read_again(running, refuses_nothing).loaded
    file.unlink()
    with pytest.raises(ConfigError, match="there is no such file"):
        read_again(running, refuses_nothing)


@pytest.mark.parametrize("text", ['[server]\nhost = "0.0.0.0"', "[auth]\nkeys = []"])
def test_neither_what_is_written_nor_what_comes_of_it_may_be_refused(read: Load, write: Write, text: str) -> None:
    def refuses(config: Config) -> str | None:
        return "open to all" if config.server.host == "0.0.0.0" and not config.auth.keys else None

    host = "127.0.0.1" if "host" in text else "0.0.0.0"
    running = read(f'[server]\nhost = "{host}"\n[auth]\nkeys = ["sk-a"]')
    write(text)
    with pytest.raises(ConfigError, match="open to all"):
        read_again(running, refuses)


def test_a_folder_of_another_file_is_not_taken_for_the_data() -> None:
    config = Config()
    running = Loaded(config=config, file=None, folder=Path("/a"), sources={})
    found = Loaded(config=config, file=None, folder=Path("/b"), sources={})
    again = read_again(replace(running, again=lambda: found), refuses_nothing)
    assert again.loaded.resolve(again.loaded.config.server.data_dir) == Path("/a/data")
    assert list(again.waiting) == [("server", "data_dir")]


def test_a_value_cannot_be_read_again() -> None:
    with pytest.raises(ConfigError, match="given as a value"):
        read_again(load({}), refuses_nothing)
