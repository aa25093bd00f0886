"""`gateway connect`: what a client needs is said, written with a backup, and taken back."""

from __future__ import annotations

import errno
import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path, PosixPath

import pytest
from dotenv import dotenv_values

from gateway.cli.connect_files import Settings, apply, change, undo
from gateway.config import ConfigError
from tests.disk import full_disk
from tests.gateway.cli.conftest import Run

KEY = "sk-of-a-client"
CONFIG = f"""
[server]
port = 9001
[auth]
keys = ["{KEY}"]
[models]
unknown = "reject"
[upstream.demo]
type = "demo"
"""
CLIENTS = ("claude-code", "codex", "gemini-cli", "opencode", "openai")
CODEX = '# mine\nmodel = "gpt-5"  # the best\n\n[tools]\nweb = true\n'


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def gateway(write: Callable[[str], Path], home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a gateway.toml of another folder than the program's."""
    file = write(CONFIG)
    work = home / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("GATEWAY_CONFIG", str(file))
    return file


def files(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("client", CLIENTS)
def test_saying_it_writes_nothing(run: Run, home: Path, client: str) -> None:
    done = run("connect", client)
    assert done.code == 0
    assert "http://127.0.0.1:9001" in done.out
    assert KEY in done.out
    assert files(home) == {}


@pytest.mark.parametrize("client", CLIENTS)
def test_undo_leaves_no_trace_where_there_was_nothing(run: Run, home: Path, client: str) -> None:
    assert run("connect", client, "--apply").code == 0
    assert files(home) != {}
    assert run("connect", client, "--undo").code == 0
    assert files(home) == {}


@pytest.mark.parametrize("client", CLIENTS)
def test_applying_twice_and_undoing_once_gives_the_first_state(run: Run, home: Path, client: str) -> None:
    run("connect", client, "--apply")
    run("connect", client, "--apply", "--model", "demo-other", "--key", "sk-other")
    assert any("sk-other" in text for text in files(home).values())
    run("connect", client, "--undo")
    assert files(home) == {}


@pytest.mark.parametrize("linked", [False, True])
def test_undo_leaves_an_empty_file_where_it_was(run: Run, home: Path, linked: bool) -> None:
    config = home / ".codex" / "config.toml"
    config.parent.mkdir()
    kept = home / "dotfiles.toml" if linked else config
    kept.touch()
    if linked:
        config.symlink_to(kept)
    run("connect", "codex", "--apply")
    run("connect", "codex", "--undo")
    assert (config.is_symlink(), config.read_text(), kept.exists()) == (linked, "", True)


def test_what_is_written_can_only_be_read_by_its_owner(run: Run, home: Path) -> None:
    run("connect", "claude-code", "--apply")
    assert {file.stat().st_mode & 0o777 for file in (home / ".claude").iterdir()} == {0o600}


def test_claude_code_gets_its_variables_beside_what_it_has(run: Run, home: Path) -> None:
    settings = home / ".claude" / "settings.json"
    settings.parent.mkdir()
    before = '{"model": "opus", "env": {"A": "1"}}'
    settings.write_text(before)
    run("connect", "claude-code", "--apply")
    assert json.loads(settings.read_text()) == {
        "model": "opus",
        "env": {
            "A": "1",
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9001",
            "ANTHROPIC_AUTH_TOKEN": KEY,
            "ANTHROPIC_MODEL": "demo",
            "ANTHROPIC_SMALL_FAST_MODEL": "demo",
            **{f"ANTHROPIC_DEFAULT_{name}_MODEL": "demo" for name in ("FABLE", "OPUS", "SONNET", "HAIKU")},
            "API_TIMEOUT_MS": "3000000",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
    }
    run("connect", "claude-code", "--undo")
    assert settings.read_text() == before


def test_a_client_keeps_its_own_model_where_the_gateway_serves_it(run: Run, write: Callable[[str], Path]) -> None:
    write(f'{CONFIG}[models.alias]\n"claude-*" = "demo"')
    said = json.loads(run("connect", "claude-code", "--json").out)
    assert not [name for name in said["variables"] if name.endswith("_MODEL")]


@pytest.mark.parametrize(("config_dir", "file"), [("", ".claude.json"), ("other", "other/.claude.json")])
def test_claude_code_begins_without_its_questions(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, config_dir: str, file: str
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", config_dir and str(home / config_dir))
    run("connect", "claude-code", "--apply")
    assert json.loads((home / file).read_text()) == {"hasCompletedOnboarding": True}


def test_a_file_that_has_the_values_is_not_touched(run: Run, home: Path) -> None:
    mine = '{"hasCompletedOnboarding":true,"projects":{}}'
    (home / ".claude.json").write_text(mine)
    assert f"{home / '.claude.json'} already has these settings" in run("connect", "claude-code", "--apply").out
    assert files(home)[".claude.json"] == mine
    run("connect", "claude-code", "--undo")
    assert files(home) == {".claude.json": mine}


def test_no_file_is_written_when_one_cannot_be(run: Run, home: Path) -> None:
    (home / ".claude.json").write_text("[]")
    assert run("connect", "claude-code", "--apply").code == 2
    assert files(home) == {".claude.json": "[]"}


class Held(PosixPath):
    """A file in a folder that cannot be written."""

    def unlink(self, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")


def test_a_file_that_cannot_be_taken_away_is_told(home: Path) -> None:
    settings = Settings(file=Held(home / ".env"), form="env", values={("OPENAI_API_KEY",): KEY})
    planned = change(settings)
    assert planned is not None
    apply(planned)
    with pytest.raises(ConfigError, match=r"\.env: cannot be removed: Permission denied"):
        undo(settings)


def test_codex_keeps_its_comments(run: Run, home: Path) -> None:
    config = home / ".codex" / "config.toml"
    config.parent.mkdir()
    config.write_text(CODEX)
    run("connect", "codex", "--apply")
    assert tomllib.loads(config.read_text()) == {
        "model": "demo",
        "model_provider": "gateway",
        "tools": {"web": True},
        "model_providers": {
            "gateway": {
                "name": "gateway",
                "base_url": "http://127.0.0.1:9001/v1",
                "env_key": "GATEWAY_KEY",
                "wire_api": "responses",
            }
        },
    }
    assert "# mine" in config.read_text()
    assert (home / ".codex" / ".env").read_text() == f"GATEWAY_KEY={KEY}\n"
    run("connect", "codex", "--undo")
    assert config.read_text() == CODEX


def test_codex_gets_all_of_its_provider_where_others_stand_in_two_places(run: Run, home: Path) -> None:
    config = home / ".codex" / "config.toml"
    config.parent.mkdir()
    before = '[model_providers.a]\nname = "a"\n\n[tools]\nweb = true\n\n[model_providers.b]\nname = "b"\n'
    config.write_text(before)
    run("connect", "codex", "--apply")
    providers = tomllib.loads(config.read_text())["model_providers"]
    assert sorted(providers) == ["a", "b", "gateway"]
    assert sorted(providers["gateway"]) == ["base_url", "env_key", "name", "wire_api"]
    run("connect", "codex", "--undo")
    assert config.read_text() == before


def test_half_a_character_in_claude_codes_history_stays(run: Run, home: Path) -> None:
    before = r'{"history": [{"display": "dot\u00e9 \ud83d"}]}'
    (home / ".claude.json").write_text(before)
    run("connect", "claude-code", "--apply")
    assert json.loads((home / ".claude.json").read_text()) == {**json.loads(before), "hasCompletedOnboarding": True}
    run("connect", "claude-code", "--undo")
    assert files(home) == {".claude.json": before}


@pytest.mark.parametrize(
    ("client", "name", "before"),
    [
        ("claude-code", ".claude/settings.json", '{"env": {}}'),
        ("claude-code", ".claude/settings.json", '{\r\n\t"model": "opus",\r\n\t"env": {}\r\n}\r\n'),
        ("codex", ".codex/config.toml", 'model = "gpt-5"  # the best\n\n[model_providers]\n'),
        ("gemini-cli", ".gemini/settings.json", '{"security": {"auth": {}}, "theme": "x"}'),
        ("opencode", ".config/opencode/opencode.json", '{"provider": {}, "theme": "x"}'),
    ],
)
def test_undo_leaves_an_empty_table_where_it_was(run: Run, home: Path, client: str, name: str, before: str) -> None:
    file = home / name
    file.parent.mkdir(parents=True)
    file.write_bytes(before.encode())
    run("connect", client, "--apply")
    assert f"{file} is as it was before" in run("connect", client, "--undo").out
    assert [(found, found.read_bytes().decode()) for found in home.rglob("*") if found.is_file()] == [(file, before)]


def test_opencode_is_connected_in_the_file_that_wins(run: Run, home: Path) -> None:
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True)
    before = '{"$schema": "https://opencode.ai/config.json", "model": "other/model"}'
    (folder / "opencode.jsonc").write_text(before)
    run("connect", "opencode", "--apply")
    assert json.loads((folder / "opencode.jsonc").read_text())["model"].startswith("gateway/")
    assert not (folder / "opencode.json").exists()
    run("connect", "opencode", "--undo")
    assert files(home) == {".config/opencode/opencode.jsonc": before}


def test_opencode_is_undone_where_it_was_connected(run: Run, home: Path) -> None:
    run("connect", "opencode", "--apply")
    later = home / ".config" / "opencode" / "opencode.jsonc"
    later.write_text("{}")
    run("connect", "opencode", "--undo")
    assert files(home) == {".config/opencode/opencode.jsonc": "{}"}


def test_undo_keeps_what_was_changed_since(run: Run, home: Path) -> None:
    config = home / ".codex" / "config.toml"
    config.parent.mkdir()
    config.write_text(CODEX)
    run("connect", "codex", "--apply")
    config.write_text(config.read_text() + "\n[history]\nmax = 5\n")
    assert f"{config} keeps later changes" in run("connect", "codex", "--undo").out
    assert tomllib.loads(config.read_text()) == {**tomllib.loads(CODEX), "history": {"max": 5}}
    assert "# the best" in config.read_text()


def test_a_variable_gets_its_old_line_back(run: Run, home: Path) -> None:
    env = home / ".gemini" / ".env"
    env.parent.mkdir()
    before = "# keys\nexport GEMINI_API_KEY='old one'\nOTHER=1\n"
    env.write_text(before)
    run("connect", "gemini-cli", "--apply")
    assert f"GEMINI_API_KEY={KEY}\nOTHER=1\n" in env.read_text()
    run("connect", "gemini-cli", "--undo")
    assert env.read_text() == before


def test_what_the_lines_of_a_file_are_stays_as_it_is(run: Run, home: Path) -> None:
    before = {
        home / ".gemini" / ".env": 'A="one\u2028two"\r\nGEMINI_API_KEY=old\r\nB=\x0c'.encode(),
        home / ".gemini" / "settings.json": b'{\r\n    "a": 1\r\n}',
    }
    for file, data in before.items():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
    run("connect", "gemini-cli", "--apply")
    for file, data in before.items():
        assert Path(f"{file}.before-gateway").read_bytes() == data
        assert file.read_bytes().count(b"\n") == file.read_bytes().count(b"\r\n")
    env = home / ".gemini" / ".env"
    assert env.read_bytes().startswith(f'A="one\u2028two"\r\nGEMINI_API_KEY={KEY}\r\nB=\x0c\r\n'.encode())
    run("connect", "gemini-cli", "--undo")
    assert {file: file.read_bytes() for file in before} == before


@pytest.mark.parametrize("client", ["claude-code", "codex", "gemini-cli"])
def test_a_file_that_windows_has_marked_stays_marked(run: Run, home: Path, client: str) -> None:
    before = {
        home / ".claude" / "settings.json": '\ufeff{\r\n  "model": "opus"\r\n}\r\n'.encode(),
        home / ".codex" / "config.toml": '\ufeffmodel = "gpt-5"\r\n'.encode(),
        home / ".gemini" / ".env": "\ufeffGEMINI_API_KEY=old\r\n".encode(),
    }
    for file, data in before.items():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
    assert run("connect", client, "--apply").code == 0
    changed = [file for file, data in before.items() if file.read_bytes() != data]
    assert [(file.read_text().count("\ufeff"), file.read_text().count("GEMINI_API_KEY") < 2) for file in changed] == [
        (1, True)
    ]
    run("connect", client, "--undo")
    assert {file: file.read_bytes() for file in before} == before


def test_a_codex_with_other_ends_of_lines_gets_its_old_line_back(run: Run, home: Path) -> None:
    env = home / ".codex" / ".env"
    env.parent.mkdir()
    env.write_bytes(b"GATEWAY_KEY=old\r\n")
    run("connect", "codex", "--apply")
    env.write_bytes(env.read_bytes() + b"MINE=1\r\n")
    run("connect", "codex", "--undo")
    assert env.read_bytes() == b"GATEWAY_KEY=old\r\nMINE=1\r\n"


def test_a_file_stays_its_owners(run: Run, home: Path) -> None:
    owner = (1234, 5678) if os.geteuid() == 0 else (os.geteuid(), os.getegid())  # only root gives files away
    settings = home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text("{}")
    settings.chmod(0o640)
    os.chown(settings, *owner)
    run("connect", "claude-code", "--apply")
    for file in (settings, Path(f"{settings}.before-gateway")):
        stat = file.stat()
        assert (stat.st_uid, stat.st_gid, stat.st_mode & 0o777) == (*owner, 0o640)


def test_nothing_stays_where_there_is_no_room(command: Run, home: Path, gateway: Path) -> None:
    settings = home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text("{}")
    with full_disk():
        done = command("connect", "claude-code", "--apply", "-c", gateway, HOME=str(home))
    assert done.code == 2
    assert done.err == f"{settings}.before-gateway: cannot be written: File too large\n"
    assert files(home) == {".claude/settings.json": "{}"}


def test_no_backup_of_a_change_stays_that_there_was_no_room_for(command: Run, home: Path, gateway: Path) -> None:
    settings = home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text("{}")
    with full_disk(len("{}")):
        done = command("connect", "claude-code", "--apply", "-c", gateway, HOME=str(home))
    assert (done.code, done.err) == (2, f"{settings}: cannot be written: File too large\n")
    assert files(home) == {".claude/settings.json": "{}"}


def test_a_file_that_is_no_text_is_left_as_it_is(run: Run, home: Path) -> None:
    settings = home / ".codex" / "config.toml"
    settings.parent.mkdir()
    settings.write_bytes(b"\xff")
    done = run("connect", "codex", "--apply")
    assert (done.code, done.err) == (2, f"{settings}: cannot be read: it is not UTF-8 text\n")
    assert [*settings.parent.iterdir()] == [settings]


def test_a_link_stays_a_link(run: Run, home: Path) -> None:
    real = home / "dotfiles.json"
    real.write_text("{}")
    (home / ".claude").mkdir()
    (home / ".claude" / "settings.json").symlink_to(real)
    run("connect", "claude-code", "--apply")
    assert (home / ".claude" / "settings.json").is_symlink()
    assert KEY in real.read_text()


@pytest.mark.parametrize(
    ("client", "name", "text", "why"),
    [
        ("claude-code", ".claude/settings.json", "{// mine\n}", "is not plain JSON"),
        ("claude-code", ".claude/settings.json", '{"env": 1}', "env is not a table"),
        # tomlkit puts what follows into [model_providers.gateway]
        ("codex", ".codex/config.toml", 'model_providers.mine.name = "mine"\n', "cannot be edited safely"),
    ],
)
def test_a_file_that_cannot_be_edited_is_left_as_it_is(
    run: Run, home: Path, client: str, name: str, text: str, why: str
) -> None:
    settings = home / name
    settings.parent.mkdir()
    settings.write_text(text)
    done = run("connect", client, "--apply")
    assert done.code == 2
    assert f"{settings}: {why}" in done.err
    assert files(home) == {name: text}


def test_undo_without_apply_says_so(run: Run) -> None:
    done = run("connect", "codex", "--undo")
    assert done.code == 0
    assert "was not connected" in done.out


def test_folders_of_the_environment_count(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home / name))
    for client in ("claude-code", "codex", "opencode"):
        run("connect", client, "--apply")
    assert set(files(home)) >= {
        "CLAUDE_CONFIG_DIR/settings.json",
        "CODEX_HOME/config.toml",
        "XDG_CONFIG_HOME/opencode/opencode.json",
    }


USED = '[upstream.openai]\ntype = "openai"\nbase_url = "env:OPENAI_BASE_URL"\nmodels = ["x"]\n'


def test_the_gateways_own_folder_gets_what_it_does_not_read(
    run: Run, gateway: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a gateway.toml it reads of its .env what that names alone."""
    monkeypatch.chdir(gateway.parent)
    assert run("connect", "openai", "--apply").code == 0
    assert "OPENAI_BASE_URL=http://127.0.0.1:9001/v1" in (gateway.parent / ".env").read_text()
    shown = run("check", "--json").out
    assert run("connect", "openai", "--undo").code == 0
    assert (run("check", "--json").out, (gateway.parent / ".env").exists()) == (shown, False)


def test_the_gateways_own_folder_gets_no_key_that_it_would_use(
    run: Run, gateway: Path, write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(CONFIG + USED)
    monkeypatch.chdir(gateway.parent)
    done = run("connect", "openai", "--apply")
    assert done.code == 2
    assert "would then call itself" in done.err
    assert not (gateway.parent / ".env").exists()


def test_a_gateway_without_a_file_is_known_by_its_database(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATEWAY_CONFIG")
    database = home / "work" / "data" / "gateway.db"
    database.parent.mkdir()
    database.touch()
    done = run("connect", "openai", "--apply")
    assert (done.code, "would then call itself" in done.err) == (2, True)
    assert files(home).keys() == {"work/data/gateway.db"}
    assert run("connect", "openai", "--apply", "--url", "http://127.0.0.1:8045").code == 0
    assert run("connect", "openai", "--undo").code == 0
    database.unlink()
    assert run("connect", "openai", "--apply").code == 0
    assert "OPENAI_BASE_URL=http://127.0.0.1:8045/v1" in files(home)["work/.env"]


def test_the_gateways_own_folder_is_that_of_a_link_to_its_file(
    run: Run, gateway: Path, write: Callable[[str], Path], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(CONFIG + USED)
    linked = home / "work" / "gateway.toml"
    linked.symlink_to(gateway)
    monkeypatch.setenv("GATEWAY_CONFIG", str(linked))
    assert run("connect", "openai", "--apply").code == 2
    assert files(home / "work").keys() == {"gateway.toml"}


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ('host = "0.0.0.0"\nport = 1', "http://127.0.0.1:1/v1"),
        ('host = "::1"\nport = 1', "http://[::1]:1/v1"),
        ('host = "[::1]"\nport = 1', "http://[::1]:1/v1"),
        ('host = "[::]"\nport = 1', "http://[::1]:1/v1"),
        ('public_url = "https://ai.example/x"', "https://ai.example/x/v1"),
    ],
)
def test_the_address_is_one_that_can_be_reached(run: Run, write: Callable[[str], Path], server: str, url: str) -> None:
    write(f'[server]\n{server}\n[auth]\nkeys = ["{KEY}"]\n[upstream.demo]\ntype = "demo"\n')
    said = json.loads(run("connect", "openai", "--json").out)
    assert said["variables"]["OPENAI_BASE_URL"] == url


def test_keys_that_are_only_known_by_their_hash_must_be_named(run: Run, write: Callable[[str], Path]) -> None:
    write(f'[upstream.demo]\ntype = "demo"\n[[key]]\nname = "a"\nsha256 = "{"0" * 64}"\n')
    done = run("connect", "openai")
    assert done.code == 2
    assert "--key" in done.err
    assert run("connect", "openai", "--key", KEY).code == 0


def test_keys_that_were_made_at_run_time_must_be_named(run: Run, write: Callable[[str], Path]) -> None:
    write('[upstream.demo]\ntype = "demo"\n')
    run("keys", "new", "alice")
    done = run("connect", "openai")
    assert done.code == 2
    assert "--key" in done.err


def test_undo_needs_no_key(run: Run, home: Path, write: Callable[[str], Path]) -> None:
    write('[upstream.demo]\ntype = "demo"\n[[key]]\nname = "a"\nsha256 = "' + "0" * 64 + '"\n')
    run("connect", "codex", "--apply", "--key", KEY)
    assert run("connect", "codex", "--undo").code == 0
    assert files(home) == {}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("toml", ["[auth", '[auth]\nkeys = ["env:UNSET"]\n', '[upstream.a]\ntype = "nothing-such"\n'])
def test_undo_needs_no_configuration_that_can_be_used(
    run: Run, home: Path, write: Callable[[str], Path], client: str, toml: str
) -> None:
    settings = home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"theme": "dark"}')
    run("connect", client, "--apply")
    write(toml)
    done = run("connect", client, "--undo")
    assert (done.code, done.err) == (0, "")
    assert files(home) == {".claude/settings.json": '{"theme": "dark"}'}
    assert run("connect", client, "--apply").code == 2


@pytest.mark.parametrize("key", ["c2VjcmV0a2V5MTIzNA==", "with a #", "$HOME"])
def test_a_key_is_read_as_it_was_given(run: Run, home: Path, key: str) -> None:
    run("connect", "gemini-cli", "--apply", "--key", key)
    assert dotenv_values(home / ".gemini" / ".env")["GEMINI_API_KEY"] == key
    assert "Gemini CLI uses this gateway with a key that is not accepted" in run("doctor").out


@pytest.mark.parametrize("words", [("--url", "localhost:8045"), ("--apply", "--undo")])
def test_what_cannot_be_meant_is_bad_usage(run: Run, home: Path, words: tuple[str, ...]) -> None:
    assert run("connect", "codex", *words).code == 2
    assert files(home) == {}


def test_a_model_that_leads_nowhere_is_named(run: Run) -> None:
    done = run("connect", "codex", "--model", "nothing-such")
    assert done.code == 0
    assert "nothing-such is not served here" in done.err


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a user of whom this machine knows nothing, as a container may be given."""

    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", unknown)


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("client", ["claude-code", "codex", "gemini-cli", "opencode"])
def test_a_user_without_a_home_is_told_to_name_it(run: Run, client: str) -> None:
    done = run("connect", client)
    assert done.code == 2
    assert done.err.startswith("HOME: is not set, and this user's home folder is unknown")


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_has_no_clients_to_examine(run: Run) -> None:
    assert "client" not in run("doctor").out


def test_opencode_is_told_what_its_models_read_and_hold(run: Run, write: Callable[[str], Path]) -> None:
    write(CONFIG + '[upstream.openai]\ntype = "openai"\napi_key = "sk-x"\nmodels = ["gpt-4.1"]')
    (one,) = json.loads(run("connect", "opencode", "--json").out)["files"]
    models = json.loads(one["text"])["provider"]["gateway"]["models"]
    seeing = {"attachment": True, "modalities": {"input": ["text", "image"], "output": ["text"]}}
    limit = {"context": 1_047_576, "output": 32_768}
    assert (models["demo"], models["gpt-4.1"]) == (seeing, seeing | {"limit": limit})


def test_a_client_is_told_of_no_model_that_only_embeds_or_draws(run: Run, write: Callable[[str], Path]) -> None:
    models = '["dall-e-3", "text-embedding-3-small", "gpt-4.1"]'
    write(f'[models]\nlist_variants = false\n[upstream.openai]\napi_key = "sk-x"\nmodels = {models}')
    said = json.loads(run("connect", "opencode", "--json").out)
    written = json.loads(said["files"][0]["text"])
    assert list(written["provider"]["gateway"]["models"]) == ["gpt-4.1"]
    assert said["model"] == "gpt-4.1"
    assert {written["model"], written["small_model"]} == {"gateway/gpt-4.1"}


ANTIGRAVITY = """
[upstream.antigravity]
type = "v1internal"
oauth = { client_id = "id", client_secret = "secret" }
"""
GEMINI = '[upstream.gemini]\napi_key = "k"\n'
OPENAI = '[upstream.openai]\napi_key = "k"\nmodels = ["gpt-4o", "gpt-4.1", "gpt-4.1-mini"]\n'
FAMILIES = OPENAI + '[models.family]\nopus = "gpt-4.1"\nsonnet = "gpt-4.1"\nhaiku = "gpt-4.1-mini"\n'


@pytest.mark.parametrize(
    ("upstream", "model", "small", "context"),
    [
        (ANTIGRAVITY, "claude-opus-4-6-thinking", "gemini-2.5-flash-lite", "200000"),
        (GEMINI, "gemini-2.5-flash", "gemini-2.5-flash-lite", "1048576"),
        (OPENAI, "gpt-4o", "gpt-4.1-mini", "128000"),
        (FAMILIES, None, None, None),
        ('[upstream.anthropic]\napi_key = "k"\n', None, None, None),
    ],
)
def test_claude_code_is_given_models_where_nobody_is_known_to_have_its_own(
    run: Run, home: Path, write: Callable[[str], Path], upstream: str, model: str, small: str, context: str
) -> None:
    """A name that only goes to the one upstream because nobody knows it is none of the upstream's."""
    write(f'[auth]\nkeys = ["{KEY}"]\n{upstream}')
    run("connect", "claude-code", "--apply")
    settings = home / ".claude" / "settings.json"
    said = json.loads(settings.read_text())["env"]
    assert said.get("ANTHROPIC_MODEL") == model
    assert said.get("ANTHROPIC_SMALL_FAST_MODEL") == small
    assert {said.get(f"ANTHROPIC_DEFAULT_{name}_MODEL") for name in ("FABLE", "OPUS", "SONNET")} == {model}
    assert said.get("ANTHROPIC_DEFAULT_HAIKU_MODEL") == small
    assert said.get("CLAUDE_CODE_MAX_CONTEXT_TOKENS") == context
    settings.write_text(json.dumps({"env": said | {"MINE": "1"}}))
    run("connect", "claude-code", "--undo")
    assert json.loads(settings.read_text()) == {"env": {"MINE": "1"}}


def test_where_no_model_is_known_one_has_to_be_named(run: Run, write: Callable[[str], Path]) -> None:
    write(f'[auth]\nkeys = ["{KEY}"]\n[upstream.openai]\nbase_url = "http://127.0.0.1:1"\napi_key = "k"\n')
    assert "name one with --model" in run("connect", "claude-code").err
    assert run("connect", "claude-code", "--model", "qwen3").err == ""
    assert run("connect", "claude-code", "--undo").err == ""


@pytest.mark.parametrize(
    ("model", "context"), [("gemini-2.5-pro", 1_048_576), ("gpt-4.1", None), ("gemini-of-nobody", None)]
)
def test_codex_is_told_what_a_model_holds_that_it_does_not_know(
    run: Run, home: Path, write: Callable[[str], Path], model: str, context: int | None
) -> None:
    write(f'[auth]\nkeys = ["{KEY}"]\n{GEMINI}{OPENAI}')
    run("connect", "codex", "--model", model, "--apply")
    file = home / ".codex" / "config.toml"
    assert tomllib.loads(file.read_text()).get("model_context_window") == context
    file.write_text(f"mine = 1\n{file.read_text()}")
    run("connect", "codex", "--undo")
    assert file.read_text().strip() == "mine = 1"


def test_claude_codes_own_names_stay_its_own_beside_a_model_that_was_named(
    run: Run, write: Callable[[str], Path]
) -> None:
    write(f'[auth]\nkeys = ["{KEY}"]\n{FAMILIES}')
    said = json.loads(run("connect", "claude-code", "--model", "gpt-4.1", "--json").out)["variables"]
    assert said["ANTHROPIC_MODEL"] == "gpt-4.1"
    assert not [name for name in said if name.startswith("ANTHROPIC_DEFAULT_")]


def test_a_context_of_an_earlier_model_does_not_stay(run: Run, home: Path, write: Callable[[str], Path]) -> None:
    """A model that is larger than the client believes is compacted early, one that is smaller never."""
    write(f'[auth]\nkeys = ["{KEY}"]\n{GEMINI}{OPENAI}')
    code, codex = home / ".claude" / "settings.json", home / ".codex" / "config.toml"
    codex.parent.mkdir()
    codex.write_text("model_context_window = 5000\n")
    for client in ("claude-code", "codex"):
        run("connect", client, "--model", "gemini-2.5-pro", "--apply")
        assert "1048576" in (code if client == "claude-code" else codex).read_text()
        run("connect", client, "--model", "gemini-of-nobody", "--apply")
    said = json.loads(code.read_text())["env"]
    assert (said["ANTHROPIC_MODEL"], said.get("CLAUDE_CODE_MAX_CONTEXT_TOKENS")) == ("gemini-of-nobody", None)
    assert tomllib.loads(codex.read_text())["model_context_window"] == 5000


@pytest.mark.parametrize("before", ["gemini-2.5-pro", "gemini-of-nobody"])
def test_a_context_that_somebody_else_has_set_stays(
    run: Run, home: Path, write: Callable[[str], Path], before: str
) -> None:
    write(f'[auth]\nkeys = ["{KEY}"]\n{GEMINI}')
    run("connect", "claude-code", "--model", before, "--apply")
    settings = home / ".claude" / "settings.json"
    said = json.loads(settings.read_text())
    said["env"]["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] = "70000"
    settings.write_text(json.dumps(said))
    run("connect", "claude-code", "--model", "another-of-nobody", "--apply")
    assert json.loads(settings.read_text())["env"]["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "70000"


def test_the_context_of_a_model_that_stays_stays(run: Run, home: Path, write: Callable[[str], Path]) -> None:
    """Where Claude Code's own names lead somewhere, no model is set, and the one that was named before is asked."""
    names = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"]
    claude = f'[upstream.claude]\ntype = "anthropic"\napi_key = "a-key"\nmodels = {names}\n'
    write(f'[auth]\nkeys = ["{KEY}"]\n{GEMINI}{claude}')
    run("connect", "claude-code", "--model", "gemini-2.5-pro", "--apply")
    run("connect", "claude-code", "--apply")
    said = json.loads((home / ".claude" / "settings.json").read_text())["env"]
    assert (said["ANTHROPIC_MODEL"], said["CLAUDE_CODE_MAX_CONTEXT_TOKENS"]) == ("gemini-2.5-pro", "1048576")
