"""`gateway import`: accounts go into the store, once each, and are used from there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from gateway.adapters.credential import credential_id
from gateway.adapters.keeping import store_of
from gateway.adapters.v1internal import V1Internal
from gateway.clock import System
from gateway.config import Secret, V1InternalConfig, load
from gateway.store.credentials import CredentialStore
from gateway.store.known import Change, Happening, StoredCredential, StoredTokens
from tests.disk import shut
from tests.gateway.cli.conftest import Run

CLIENT = {"client_id": "a-client", "client_secret": "its-secret", "token_url": "https://oauth2.googleapis.com/token"}
TOKENS = {
    "oauth_config": CLIENT,
    "projects": [
        {"project_id": "p-1", "refresh_token": "1//one", "access_token": None, "expires_at": None, "enabled": True},
        {"project_id": "", "refresh_token": "1//two", "enabled": False, "disabled_reason": "403 twice", "note": "x"},
    ],
}
BY_EMAIL = {
    "a@example.org": {"refresh_token": "1//a", "token": "ya29.a", "client_id": "a-client", "client_secret": "s"},
    "b@example.org": {"refresh_token": "1//b"},
}


@pytest.fixture
def take(run: Run, folder: Path) -> Callable[..., Any]:
    """Import a content; give what was said, by old name."""

    def take(content: object, *words: str, name: str = "tokens.json") -> dict[str, str]:
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
        done = run("import", "--json", *words, name)
        assert done.code == 0, done.err
        return {
            row["old"]: row["word"] or row["became"] for rows in json.loads(done.out)["files"].values() for row in rows
        }

    return take


def store(folder: Path, *keys: str) -> CredentialStore:
    opened = CredentialStore(folder / "data" / "gateway.db", keys)
    opened.open()
    return opened


def accounts(folder: Path, *keys: str) -> dict[str, StoredCredential]:
    """Give the accounts by the token that each was given with or has got since."""
    rows = store(folder, *keys).load("antigravity").values()
    return {one.refresh_token: one for one in rows if not one.removed}


def learn(folder: Path, change: Change) -> None:
    store(folder).learn("antigravity", [change], 1.0)


def adapter(folder: Path) -> V1Internal:
    """Make the upstream as `gateway run` would."""
    return V1Internal("antigravity", load(folder / "gateway.toml", environ={}), System())


def test_the_projects_of_tokens_json(take: Any, folder: Path) -> None:
    said = take(TOKENS)
    found = accounts(folder)
    assert [(token, one.project_id, json.loads(one.other)) for token, one in found.items()] == [
        ("1//one", "p-1", {}),
        ("1//two", "", {"note": "x"}),
    ]
    assert said["projects[0]"] == f"added to the store: credential {found['1//one'].id[:8]} of upstream antigravity"
    assert said["projects[1]"].endswith("of upstream antigravity, disabled: 403 twice")
    assert said["projects[].access_token"] == "not needed: the gateway gets its own access tokens"
    assert said["projects[].note"] == "stored with its account; nothing reads it"


def test_an_entry_of_tokens_json_that_is_no_account_is_named(take: Any, folder: Path) -> None:
    said = take(TOKENS | {"projects": [{"project_id": "p-0", "refresh_token": ""}, *TOKENS["projects"], 5]})
    assert list(accounts(folder)) == ["1//one", "1//two"]
    assert said["projects[0]"] == "not imported: it has an empty refresh_token"
    assert said["projects[3]"] == "not imported: it is not an object"


async def test_they_are_used_from_there(take: Any, folder: Path) -> None:
    take(TOKENS)
    made = adapter(folder)
    assert made.state() == "usable: 1 of 2 credentials; 1 disabled"
    assert [(one.project, one.state, one.reason) for one in made.views()] == [
        ("p-1", "active", ""),
        (None, "disabled", "403 twice"),
    ]


async def test_what_gateway_toml_gives_comes_first_and_once(take: Any, folder: Path) -> None:
    take(TOKENS)
    toml = (folder / "gateway.toml").read_text()
    (folder / "gateway.toml").write_text(
        f'{toml}\n[upstream.antigravity.pool]\nrefresh_tokens = ["1//zero", "1//one"]\n'
    )
    ids = [credential_id(Secret(token)) for token in ("1//zero", "1//one", "1//two")]
    assert [one.id for one in adapter(folder).credentials] == ids


async def test_the_oauth_client_comes_along(take: Any, folder: Path) -> None:
    said = take(TOKENS)
    config = load(folder / "gateway.toml", environ={}).config.upstream["antigravity"]
    assert isinstance(config, V1InternalConfig)
    assert (config.oauth.client_id, config.oauth.client_secret.reveal()) == ("a-client", "its-secret")
    assert said["oauth_config.token_url"] == "Google's own, the default"


def test_accounts_by_e_mail(take: Any, folder: Path) -> None:
    said = take(BY_EMAIL | {"version": 2}, name="credentials.json")
    assert {one.email for one in accounts(folder).values()} == {"a@example.org", "b@example.org"}
    assert said["a@example.org"].startswith("added to the store: ")
    assert said["client_id"] == 'upstream.antigravity.oauth.client_id = "env:OAUTH_CLIENT_ID"'
    assert said["version"] == "not imported: it is no account"


def test_what_says_the_client_of_a_map_is_not_called_unknown(take: Any) -> None:
    client = {"client_id": "a-client", "client_secret": "its-secret", "token_uri": "https://token.invalid"}
    said = take({"a@example.org": {"refresh_token": "1//a"}, "oauth_config": client})
    assert said["client_id"] == 'upstream.antigravity.oauth.client_id = "env:OAUTH_CLIENT_ID"'
    assert not [word for word in said.values() if "not taken" in word]


def test_an_account_of_another_client_is_named(run: Run, folder: Path) -> None:
    other = {"c@example.org": {"refresh_token": "1//c", "client_id": "another"}}
    (folder / "tokens.json").write_text(json.dumps(BY_EMAIL | other))
    done = run("import", "tokens.json")
    assert "c@example.org  has a different OAuth client than the first: Google will reject it here" in done.out


@pytest.mark.parametrize(("client", "differs"), [("another", True), ("a-client", False)])
def test_accounts_whose_client_another_file_overrides_are_told(
    run: Run, folder: Path, client: str, differs: bool
) -> None:
    """Those of two proxies, each with a client of its own: one upstream has one."""
    (folder / "first.json").write_text(json.dumps(TOKENS))
    (folder / "second.json").write_text(json.dumps({"c@example.org": {"refresh_token": "1//c", "client_id": client}}))
    done = run("import", "first.json", "second.json")
    said = "a later file overrides it with a different OAuth client: Google will reject the accounts of this one here"
    assert (said in done.out) is differs


def test_the_single_token_of_a_config_json(take: Any, folder: Path) -> None:
    said = take({"antigravity_refresh_token": "1//single", "antigravity_project_id": "p"}, name="config.json")
    assert accounts(folder)["1//single"].project_id == "p"
    assert said["antigravity_project_id"] == "the project of that account"
    assert said["upstream.antigravity.oauth"].startswith("not given: ")


def test_the_file_that_a_config_json_names(take: Any, folder: Path) -> None:
    (folder / "credentials.json").write_text(json.dumps(BY_EMAIL))
    take({"credentials_file": "credentials.json"}, name="config.json")
    assert set(accounts(folder)) == {"1//a", "1//b"}


def test_the_file_of_somebody_else_that_a_config_json_names(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "config.json").write_text(json.dumps({"credentials_file": "theirs/tokens.json"}))
    shut(folder / "theirs", monkeypatch)
    done = run("import", "config.json")
    assert (done.code, done.err) == (2, "theirs/tokens.json: cannot be read: Permission denied\n")


@pytest.mark.parametrize("settings", [{"auth_keys": ["k1"]}, {"server": {"port": 8889}, "credentials_file": None}])
def test_the_file_that_a_config_json_means_without_a_name(take: Any, folder: Path, settings: dict[str, object]) -> None:
    (folder / "credentials1.json").write_text(json.dumps(BY_EMAIL))
    said = take(settings, name="config.json")
    assert said["a@example.org"].startswith("added to the store: ")
    assert set(accounts(folder)) == {"1//a", "1//b"}


def test_an_encrypted_file_needs_its_key(run: Run, folder: Path) -> None:
    key = Fernet.generate_key()
    (folder / "credentials.json").write_bytes(Fernet(key).encrypt(json.dumps(BY_EMAIL).encode()))
    (folder / "key").write_bytes(key)
    (folder / "wrong").write_bytes(Fernet.generate_key())
    closed = run("import", "credentials.json")
    wrong = run("import", "--encryption-key-file", "wrong", "credentials.json")
    opened = run("import", "--encryption-key-file", "key", "credentials.json")
    assert (closed.code, closed.err) == (
        2,
        "credentials.json: is encrypted: give its key with --encryption-key-file\n",
    )
    assert (wrong.code, wrong.err) == (2, "credentials.json: is encrypted, and the key does not open it\n")
    assert opened.code == 0
    assert set(accounts(folder, key.decode())) == {"1//a", "1//b"}
    assert "`gateway run --encryption-key-file key`" in opened.out


def test_the_store_is_encrypted_with_the_key(take: Any, folder: Path) -> None:
    key = Fernet.generate_key().decode()
    (folder / "key").write_text(key)
    take(TOKENS, "--encryption-key-file", "key")
    content = b"".join(file.read_bytes() for file in (folder / "data").iterdir())
    assert b"1//one" not in content
    assert b"note" not in content
    assert set(accounts(folder, key)) == {"1//one", "1//two"}


def test_a_store_with_another_key_is_refused_before_anything_is_written(run: Run, folder: Path) -> None:
    store(folder, Fernet.generate_key().decode())
    (folder / "tokens.json").write_text(json.dumps(TOKENS))
    done = run("import", "tokens.json")
    assert done.code == 2
    assert "store.encryption_key: is not set, but " in done.err
    assert not (folder / "gateway.toml").exists()


# again


def test_importing_again_changes_nothing(take: Any, folder: Path) -> None:
    take(TOKENS)
    before = accounts(folder), store(folder).load("antigravity"), (folder / "gateway.toml").read_bytes()
    original = (folder / "tokens.json").read_bytes()
    said = take(TOKENS)
    assert (accounts(folder), store(folder).load("antigravity"), (folder / "gateway.toml").read_bytes()) == before
    assert said["projects[0]"].startswith("already in the store, unchanged: credential ")
    assert (folder / "tokens.json").read_bytes() == original


def test_a_newer_token_of_the_store_stays(take: Any, folder: Path) -> None:
    take(BY_EMAIL)
    said = take({"a@example.org": {"refresh_token": "1//older"}, "b@example.org": BY_EMAIL["b@example.org"]})
    assert set(accounts(folder)) == {"1//a", "1//b"}
    assert said["a@example.org"].startswith("already in the store, unchanged: ")


def test_a_token_that_the_upstream_gave_later_is_recognised(take: Any, folder: Path) -> None:
    take({"refresh_token": "1//first"})
    id_ = accounts(folder)["1//first"].id
    learn(folder, Change(id=id_, tokens=StoredTokens("ya29.x", 60.0, 1.0, "1//later")))
    assert take({"refresh_token": "1//later"})["the account"].startswith(
        f"already in the store, unchanged: credential {id_[:8]}"
    )
    assert set(accounts(folder)) == {"1//later"}


def test_a_revoked_account_takes_the_new_token(take: Any, folder: Path) -> None:
    take(BY_EMAIL)
    id_ = accounts(folder)["1//a"].id
    learn(folder, Change(id=id_, events=(Happening("revoked", "invalid_grant: gone"),)))
    take(BY_EMAIL)
    assert set(accounts(folder)) == {"1//a", "1//b"}
    take({"a@example.org": {"refresh_token": "1//new"}})
    assert set(accounts(folder)) == {"1//new", "1//b"}
    assert id_ not in store(folder).load("antigravity")


def test_an_account_that_was_disabled_since_stays_so(take: Any, folder: Path) -> None:
    take(TOKENS)
    learn(folder, Change(id=accounts(folder)["1//one"].id, events=(Happening("refused", "403: no"),)))
    take(TOKENS)
    assert accounts(folder)["1//one"].reason == "403: no"


# a gateway.toml that is there


def test_they_go_to_the_upstream_and_the_store_of_that_file(run: Run, folder: Path) -> None:
    (folder / "gateway.toml").write_text('[server]\ndata_dir = "kept"\n[upstream.mine]\ntype = "v1internal"\n')
    (folder / "tokens.json").write_text(json.dumps(TOKENS))
    assert run("import", "tokens.json").code == 0
    opened = store_of(load(folder / "gateway.toml", environ={}))
    assert opened.file == folder / "kept" / "gateway.db"
    assert [one.refresh_token for one in opened.load("mine").values()] == ["1//one", "1//two"]


def test_a_database_that_is_away_is_named(run: Run, folder: Path) -> None:
    database = '[store]\ndatabase = "postgresql://someone@127.0.0.1:9/kept"\n'
    (folder / "gateway.toml").write_text(f'{database}[upstream.mine]\ntype = "v1internal"\n')
    (folder / "tokens.json").write_text(json.dumps(TOKENS))
    done = run("import", "tokens.json")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("the database kept at 127.0.0.1: ")


def test_what_init_made_is_completed(run: Run, folder: Path) -> None:
    run("init", "--for", "antigravity")
    (folder / "tokens.json").write_text(json.dumps(TOKENS))
    done = run("import", "tokens.json")
    assert done.code == 0
    assert run("check").code == 0
