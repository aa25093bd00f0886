"""`gateway import`: the settings of the replaced systems, each with what it became."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config, V1InternalConfig, load
from tests.disk import full_disk
from tests.gateway.cli.conftest import Done, Run

Old = Callable[..., Path]

SAMPLED = [{"server": {"host": "0.0.0.0"}, "auth_keys": keys} for keys in (["123456", "k2"], ["123456"])]

# the samples of the replaced systems
FLAT = {
    "antigravity_host": "127.0.0.1",
    "antigravity_port": 8080,
    "antigravity_api_key": "sk-your-api-key",
    "antigravity_refresh_token": "1//flat",
    "antigravity_project_id": "",
}
NESTED = {
    "server": {"host": "127.0.0.1", "port": 8888},
    "auth_keys": ["k1", "k2"],
    "credentials_file": "credentials.json",
    "project_id_map": {"a@example.org": "proj-a"},
    "min_credentials": 2,
    "public_url": "https://example.org",
    "log_level": "DEBUG",
    "request_timeouts": {"connect": 60, "read": 90},
    "usage_logging": {"enabled": False, "interval_sec": 30},
    "admin_username": "root",
    "admin_password": "s3cret ${HOME} '#",
}
DOTENV = """\
ANTHROPIC_AUTH_TOKEN="token"
OPENAI_API_KEY="sk-openai"
GEMINI_API_KEY="AIza-gemini"
PREFERRED_PROVIDER="google"
BIG_MODEL="gemini-2.5-pro"
SMALL_MODEL="gemini-2.5-flash"
VERTEX_PROJECT="unused"
OPENAI_BASE_URL=
LOG_LEVEL="INFO"
LOG_FILE_BACKUP_COUNT=3
COLOUR=blue
"""


@pytest.fixture
def old(folder: Path) -> Old:
    """Write a file of the old system, in a folder of its own."""

    def old(content: object, name: str = "config.json") -> Path:
        file = folder / "old" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return file

    return old


def config(folder: Path) -> Config:
    """Load what was written, as `gateway run` would."""
    return load(folder / "gateway.toml", environ={}).config


def rows(done: Done) -> dict[str, dict[str, Any]]:
    """Give what was said, by old name."""
    return {row["old"]: row for rows in json.loads(done.out)["files"].values() for row in rows}


def test_the_flat_config_json(run: Run, old: Old, folder: Path) -> None:
    assert run("import", str(old(FLAT))).code == 0
    found = config(folder)
    assert (found.server.host, found.server.port) == ("127.0.0.1", 8080)
    assert [key.reveal() for key in found.auth.keys] == ["sk-your-api-key"]
    assert list(found.upstream) == ["antigravity"]


def test_its_older_names(run: Run, old: Old, folder: Path) -> None:
    run("import", str(old({"host": "localhost", "port": "8081", "local_api_key": "sk-a"})))
    found = config(folder)
    assert (found.server.host, found.server.port) == ("localhost", 8081)
    assert [key.reveal() for key in found.auth.keys] == ["sk-a"]


def test_of_two_names_the_first_wins(run: Run, old: Old) -> None:
    said = rows(run("import", "--json", str(old({"antigravity_port": 1, "port": 2}))))
    assert said["antigravity_port"]["became"] == "server.port = 1"
    assert said["port"]["word"] == "antigravity_port says it"


def test_the_nested_config_json(run: Run, old: Old, folder: Path) -> None:
    assert run("import", str(old(NESTED))).code == 0
    found = config(folder)
    assert (found.server.host, found.server.port) == ("127.0.0.1", 8888)
    assert found.server.public_url == "https://example.org"
    assert [key.reveal() for key in found.auth.keys] == ["k1", "k2"]
    assert (found.timeouts.connect, found.timeouts.idle, found.log.level) == (60, 90, "debug")
    assert (found.usage.enabled, found.usage.log_every) == (False, 30)
    assert (found.admin.username, found.admin.password.reveal()) == ("root", "s3cret ${HOME} '#")
    upstream = found.upstream["antigravity"]
    assert isinstance(upstream, V1InternalConfig)
    assert (upstream.pool.min_credentials, upstream.pool.project_ids) == (2, {"a@example.org": "proj-a"})


@pytest.mark.parametrize("settings", [{"auth_keys": ["k1"]}, {"server": {"port": None}}])
def test_the_nested_config_json_without_a_port_goes_on_at_its_own(
    run: Run, old: Old, folder: Path, settings: dict[str, object]
) -> None:
    said = rows(run("import", "--json", str(old(settings))))
    assert said["server.port"] == {
        "old": "server.port",
        "became": "server.port = 8889",
        "word": "not given: the default there",
    }
    assert config(folder).server.port == 8889


def test_other_settings_without_a_port_get_the_gateways(run: Run, old: Old, folder: Path) -> None:
    run("import", str(old({"antigravity_api_key": "sk-a"})))
    assert config(folder).server.port == 8045


def test_the_variables(run: Run, old: Old, folder: Path) -> None:
    assert run("import", str(old(DOTENV, ".env"))).code == 0
    found = config(folder)
    assert [key.reveal() for key in found.auth.keys] == ["token"]
    assert list(found.upstream) == ["openai", "gemini"]
    assert found.models.default_upstream == "gemini"
    assert {name: rule.targets for name, rule in found.models.alias.items()} == {
        "*opus*": ("gemini/gemini-2.5-pro", "openai/gpt-4.1"),
        "*sonnet*": ("gemini/gemini-2.5-pro", "openai/gpt-4.1"),
        "*haiku*": ("gemini/gemini-2.5-flash", "openai/gpt-4.1-mini"),
    }
    assert (found.log.level, found.log.keep) == ("info", 3)


def test_the_variables_make_what_they_made_without_a_file(run: Run, old: Old, folder: Path) -> None:
    variables = {"AZURE_OPENAI_ENDPOINT": "https://a.example/", "AZURE_OPENAI_API_KEY": "z", "BIG_MODEL": "gpt-4o"}
    run("import", str(old("".join(f"{name}={value}\n" for name, value in variables.items()), ".env")))
    assert config(folder) == load(environ=variables, no_config=True, dotenv=False).config


def test_every_setting_has_a_line(run: Run, old: Old) -> None:
    said = rows(run("import", "--json", str(old(DOTENV, ".env"))))
    assert set(said) == {line.partition("=")[0] for line in DOTENV.splitlines()}
    assert said["GEMINI_API_KEY"]["became"] == 'upstream.gemini.api_key = "env:GEMINI_API_KEY"'
    assert said["SMALL_MODEL"]["became"].startswith('models.alias."*haiku*" = ["gemini/gemini-2.5-flash", ')
    assert said["VERTEX_PROJECT"]["word"] == "has no effect without USE_VERTEX_AUTH"
    assert said["OPENAI_BASE_URL"]["word"] == "is empty, which counts as not set"
    assert said["COLOUR"]["word"] == "unknown"


@pytest.mark.parametrize("switch", ["", "false"])
def test_what_belongs_to_a_switch_that_is_off_means_nothing(run: Run, old: Old, switch: str) -> None:
    dotenv = f"GEMINI_API_KEY=AIza\nVERTEX_PROJECT=x\nVERTEX_LOCATION=y\nUSE_VERTEX_AUTH={switch}\n"
    said = rows(run("import", "--json", str(old(dotenv, ".env"))))
    for name in ("VERTEX_PROJECT", "VERTEX_LOCATION"):
        assert said[name]["word"] == "has no effect without USE_VERTEX_AUTH"


def test_what_a_variable_of_the_gateways_own_says_is_not_said_twice(run: Run, old: Old) -> None:
    dotenv = "LOG_FILE=a.log\nGATEWAY_LOG__FILE=b.log\n"
    said = rows(run("import", "--json", str(old(dotenv, ".env"))))
    assert said["LOG_FILE"]["word"] == "another variable sets it"
    assert said["GATEWAY_LOG__FILE"]["became"] == 'log.file = "b.log"'


def test_every_setting_of_a_config_json_has_a_line(run: Run, old: Old) -> None:
    said = rows(run("import", "--json", str(old(NESTED | {"colour": "canary", "min_credential": 1, "host": None}))))
    assert said["request_timeouts.read"]["became"] == "timeouts.idle = 90"
    assert said["credentials_file"]["word"].endswith(
        "credentials.json does not exist, so there are no accounts from it"
    )
    assert said["colour"]["word"] == "unknown"
    assert said["min_credential"]["word"] == 'unknown; did you mean "min_credentials"?'
    assert said["host"]["word"] == "is null: the default applies"
    assert {name.partition(".")[0] for name in said} == {*NESTED, "colour", "min_credential", "host"}


def test_an_empty_refresh_token_is_said_to_give_no_account(run: Run, old: Old) -> None:
    said = rows(run("import", "--json", str(old(FLAT | {"antigravity_refresh_token": ""}))))
    assert said["antigravity_refresh_token"]["word"] == "is empty, so there is no account"


def test_all_that_is_taken_is_in_effect(run: Run, old: Old) -> None:
    said = rows(run("import", "--json", str(old(NESTED))))
    assert said["usage_logging.interval_sec"]["became"] == "usage.log_every = 30"
    assert [name for name, row in said.items() if row["word"].startswith("not in effect")] == []


@pytest.mark.usefixtures("unserved")
def test_what_cannot_be_served_yet_is_said(run: Run, old: Old) -> None:
    content = DOTENV.replace("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
    done = run("import", str(old(content, ".env")))
    assert "this version does not support upstreams of type anthropic" in done.err


def test_no_half_of_a_secret_stays_where_there_is_no_room(command: Run, old: Old, folder: Path) -> None:
    (folder / ".env").write_text("A=1\n")
    config_json = old({"local_api_key": "sk-of-an-earlier-proxy"})
    with full_disk(room=20):
        done = command("import", config_json)
    assert (done.code, done.err) == (2, ".env: cannot be written: No space left on device\n")
    assert (folder / ".env").read_text() == "A=1\n"
    assert not (folder / "gateway.toml").exists()


def test_no_secret_is_printed_or_put_into_gateway_toml(run: Run, old: Old, folder: Path) -> None:
    secrets = ["canary-1", "canary-2", "canary-3", "canary-4"]
    content = {
        "auth_keys": secrets[:1],
        "admin_password": secrets[1],
        "antigravity_refresh_token": secrets[2],
        "strange": secrets[3],
    }
    done = run("import", str(old(content)))
    assert "canary" not in done.out + done.err + (folder / "gateway.toml").read_text()
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("keys", [[], ["123456"], ["sk-text"]])
def test_an_open_address_gets_a_key(run: Run, old: Old, folder: Path, keys: list[str]) -> None:
    done = run("import", str(old({"host": "0.0.0.0", "auth_keys": keys})))
    (key,) = config(folder).auth.keys
    assert key.reveal() not in ("123456", "sk-text")
    assert "0.0.0.0 is open to the network" in done.out
    assert run("check").code == 0


def test_a_sample_key_is_left_out_beside_another(run: Run, old: Old, folder: Path) -> None:
    done = run("import", str(old({"host": "0.0.0.0", "auth_keys": ["123456", "mine"]})))
    assert [key.reveal() for key in config(folder).auth.keys] == ["mine"]
    assert "is a published sample key, not allowed on 0.0.0.0" in done.out


def test_a_variable_of_the_environment_is_not_shadowed(
    run: Run, old: Old, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "of-the-machine")
    run("import", str(old({"auth_keys": ["of-the-file"]})))
    assert tomllib.loads((folder / "gateway.toml").read_text())["auth"] == {"keys": ["env:GATEWAY_KEY_2"]}
    assert (folder / ".env").read_text() == "GATEWAY_KEY_2=of-the-file\n"


VERTEX = "USE_VERTEX_AUTH=true\nVERTEX_PROJECT=p\nGOOGLE_APPLICATION_CREDENTIALS=keys/sa.json\n"


def test_a_line_that_sets_nothing_is_told_with_its_file(
    run: Run, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "old.env").write_text("OPENAI_API_KEY=sk-1234567\nFOO BAR\n")
    assert run("import", "old.env").code == 0
    assert [one.getMessage() for one in caplog.records] == ["old.env:2: is not NAME=value, and is ignored"]


def test_the_file_that_google_logs_in_by_stays_a_variable(run: Run, old: Old, folder: Path) -> None:
    file, login = old(VERTEX, ".env"), folder / "old" / "keys" / "sa.json"
    said = rows(run("import", "--json", str(file)))["GOOGLE_APPLICATION_CREDENTIALS"]
    assert said["word"] == f"remains an environment variable, which Google's own library reads: {login} in .env"
    assert (folder / ".env").read_text() == f"GOOGLE_APPLICATION_CREDENTIALS={login}\n"
    assert load(folder / "gateway.toml", environ={}).dotenv == {"GOOGLE_APPLICATION_CREDENTIALS": str(login)}
    assert "nothing new to write" in run("import", str(file)).out


def test_another_login_that_is_there_stays(run: Run, old: Old, folder: Path) -> None:
    (folder / ".env").write_text("GOOGLE_APPLICATION_CREDENTIALS=/mine.json\n")
    said = rows(run("import", "--json", str(old(VERTEX, ".env"))))["GOOGLE_APPLICATION_CREDENTIALS"]
    assert said["word"] == ".env has a different value, and was not changed: /mine.json"
    assert (folder / ".env").read_text() == "GOOGLE_APPLICATION_CREDENTIALS=/mine.json\n"


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        (VERTEX, "remains an environment variable, which Google's own library reads: keys/sa.json in .env"),
        ("PORT=1\n", "set it yourself"),
    ],
)
def test_a_login_is_not_added_to_a_dotenv_that_is_imported(
    run: Run, old: Old, folder: Path, beside: str, said: str
) -> None:
    (folder / ".env").write_text(beside)
    files = [".env"] if beside == VERTEX else [".env", str(old(VERTEX, ".env"))]
    assert rows(run("import", "--json", *files))["GOOGLE_APPLICATION_CREDENTIALS"]["word"].startswith(said)
    assert (folder / ".env").read_text() == beside


def test_without_vertex_the_login_means_nothing(run: Run, old: Old, folder: Path) -> None:
    said = rows(run("import", "--json", str(old(VERTEX.replace("true", "false") + "LOG_LEVEL=info\n", ".env"))))
    assert said["GOOGLE_APPLICATION_CREDENTIALS"]["word"] == "has no effect without USE_VERTEX_AUTH"
    assert not (folder / ".env").exists()


def test_a_dotenv_that_is_in_place_is_not_changed(run: Run, folder: Path) -> None:
    file = folder / ".env"
    file.write_text('API_KEYS=["k1", "k2"]\nGEMINI_API_KEY=g\n')
    before = file.read_bytes()
    done = run("import", ".env")
    assert file.read_bytes() == before
    assert "gateway.toml, which has secrets and is readable only by you" in done.out
    assert (folder / "gateway.toml").stat().st_mode & 0o777 == 0o600
    assert [key.reveal() for key in config(folder).auth.keys] == ["k1", "k2"]
    assert "k1" not in done.out
    assert run("import", ".env").code == 0


def test_several_files_go_together(run: Run, old: Old, folder: Path) -> None:
    first, second = old("API_KEYS=k1\nPORT=1\n", ".env"), old({"port": 2, "auth_keys": ["k2"]})
    said = rows(run("import", "--json", str(first), str(second)))
    found = config(folder)
    assert ([key.reveal() for key in found.auth.keys], found.server.port) == (["k1", "k2"], 2)
    assert said["PORT"]["word"] == "a later file overrides it"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.json", '{"port": 99999}', "old/config.json: port: server.port: must be <= 65535, got 99999"),
        ("config.json", '{"log_level": "loud"}', 'old/config.json: log_level: log.level: "loud" is not one of'),
        ("config.json", '{"auth_keys": [5]}', "old/config.json: auth_keys: expected a string or a list of them"),
        ("config.json", "{", "old/config.json: is not JSON: "),
        (
            ".env",
            "API_KEYS=[1\n",
            'old/.env: API_KEYS: is not a JSON array of strings: write ["sk-one", "sk-two"] or sk-one,sk-two',
        ),
        (".env", "PREFERRED_PROVIDER=gogle\n", 'old/.env: PREFERRED_PROVIDER: "gogle" is not one of'),
        ("notes.txt", "nothing", "old/notes.txt: is not a config.json, tokens.json or .env"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_written(
    run: Run, old: Old, folder: Path, name: str, content: str, said: str
) -> None:
    old(content, name)
    done = run("import", f"old/{name}")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(said)
    assert [file.name for file in folder.iterdir()] == ["old"]


def test_a_file_that_is_not_there_is_said(run: Run) -> None:
    done = run("import", "nowhere.json")
    assert (done.code, done.err) == (2, "nowhere.json: cannot be read: No such file or directory\n")


@pytest.mark.parametrize("words", [(), ("--jsn", "x")])
def test_bad_usage_is_exit_2_with_a_hint(run: Run, words: tuple[str, ...]) -> None:
    done = run("import", *words)
    assert done.code == 2
    assert "Try 'gateway import --help' for help." in done.err


# a gateway.toml that is there


def test_it_stays_as_it_is_and_the_missing_lines_are_printed(run: Run, old: Old, folder: Path) -> None:
    mine = '[server]\nport = 9000\n\n[auth]\nkeys = ["k1"]\n'
    (folder / "gateway.toml").write_text(mine)
    done = run("import", "--json", str(old({"port": 8080, "log_level": "debug", "auth_keys": ["k1"]})))
    assert done.code == 1
    assert (folder / "gateway.toml").read_text() == mine
    assert tomllib.loads(json.loads(done.out)["lacking"]) == {"server": {"port": 8080}, "log": {"level": "debug"}}


def test_the_missing_lines_stand_in_the_text_too(run: Run, old: Old, folder: Path) -> None:
    (folder / "gateway.toml").write_text("")
    done = run("import", str(old({"log_level": "debug"})))
    lines = 'gateway.toml was not changed; it lacks these lines, each in its table:\n\n[log]\nlevel = "debug"\n'
    assert done.out.endswith(f"{lines}\n")


@pytest.mark.parametrize("content", [FLAT, NESTED, *SAMPLED])
def test_importing_again_changes_nothing(run: Run, old: Old, folder: Path, content: dict[str, object]) -> None:
    file = old(content)
    original = file.read_bytes()
    run("import", str(file))
    before = {each: each.read_bytes() for each in (folder / "gateway.toml", folder / ".env")}
    done = run("import", str(file))
    assert done.code == 0
    assert "nothing new to write" in done.out
    assert {each: each.read_bytes() for each in before} == before
    assert file.read_bytes() == original


@pytest.mark.parametrize(("content", "why"), [({}, ""), ({"colour": "blue"}, ": colour unknown")])
def test_a_file_that_gives_nothing_is_refused_and_nothing_is_written(
    run: Run, old: Old, folder: Path, content: dict[str, object], why: str
) -> None:
    done = run("import", str(old(content)))
    assert done.code == 2
    assert f"has nothing to import{why}" in done.err
    assert not (folder / "gateway.toml").exists()


def test_a_name_with_c_is_the_one_that_is_written(run: Run, old: Old, folder: Path) -> None:
    (folder / "conf").mkdir()
    done = run("import", "-c", "conf/mine.toml", str(old({"port": 8080, "auth_keys": ["k"]})))
    assert sorted(each.name for each in (folder / "conf").iterdir()) == [".env", "mine.toml"]
    assert "`gateway run -c conf/mine.toml`" in done.out
