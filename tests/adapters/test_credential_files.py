"""Credential files of other programs, read and never written."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gateway.adapters.credential_files import (
    SHORT_LIVED,
    Imported,
    ImportedCredential,
    load_credentials,
    read_credentials,
    write_credentials,
)
from gateway.adapters.v1internal import V1Internal
from gateway.config import ConfigError
from gateway.errors import NoCredential
from tests.adapters.site import Site

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
TOKENS = {
    "oauth_config": {"client_id": "theirs", "client_secret": "hidden", "token_url": "https://example.invalid/token"},
    "projects": [
        {"project_id": "p-1", "refresh_token": "rt-1", "access_token": None, "expires_at": None, "enabled": True},
        {"project_id": "", "refresh_token": "rt-2", "note": "unknown fields are no harm"},
        {"refresh_token": "rt-3", "enabled": False, "disabled_reason": "403 twice"},
    ],
}


def read(content: object) -> Any:
    return read_credentials(json.dumps(content).encode())


def test_tokens_json_is_read() -> None:
    imported = read(TOKENS)
    assert [(one.refresh_token, one.project_id, one.enabled) for one in imported.credentials] == [
        ("rt-1", "p-1", True),
        ("rt-2", "", None),
        ("rt-3", None, False),
    ]
    assert (imported.client_id, imported.client_secret) == ("theirs", "hidden")
    assert imported.token_url == "https://example.invalid/token"


@pytest.mark.parametrize(
    "content",
    [
        {"access_token": "x", "refresh_token": "rt-1", "scope": "s", "token_type": "Bearer", "expiry_date": 1},
        {
            "type": "antigravity",
            "refresh_token": "rt-1",
            "expired": "2026-01-01T00:00:00Z",
            "email": "a@example.invalid",
        },
        {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "rt-1"},
        {
            "client_id": "c",
            "client_secret": "s",
            "token": "x",
            "refresh_token": "rt-1",
            "expiry": "2026",
            "project_id": "p",
        },
        {"a@example.invalid": {"refresh_token": "rt-1"}},
        [{"refresh_token": "rt-1"}],
        {"antigravity_refresh_token": "rt-1", "antigravity_project_id": "p", "antigravity_port": 8080},
    ],
)
def test_other_shapes_are_read(content: object) -> None:
    assert [one.refresh_token for one in read(content).credentials] == ["rt-1"]


OPENCODE: dict[str, Any] = {
    "version": 3,
    "accounts": [
        {"email": "a@example.invalid", "refreshToken": "rt-1", "projectId": "mine", "managedProjectId": "made"},
        {"refreshToken": "rt-2", "managedProjectId": "made", "enabled": False, "addedAt": 1, "lastUsed": 0},
        {"email": "c@example.invalid", "refreshToken": "rt-3|packed|managed"},
        {"email": "d@example.invalid", "refreshToken": "rt-4||managed"},
        {"email": "e@example.invalid"},
    ],
    "activeIndex": 0,
}


def test_a_list_of_accounts_with_packed_tokens_is_read() -> None:
    imported = read(OPENCODE)
    assert [(one.refresh_token, one.project_id, one.email, one.enabled) for one in imported.credentials] == [
        ("rt-1", "mine", "a@example.invalid", None),
        ("rt-2", "made", None, False),
        ("rt-3", "packed", "c@example.invalid", None),
        ("rt-4", "managed", "d@example.invalid", None),
    ]
    assert imported.others == {"accounts[4]": "has no refresh_token"}
    assert imported.credentials[1].other == {"addedAt": 1, "lastUsed": 0}


@pytest.mark.parametrize(
    ("content", "project"),
    [
        ({"auth_method": "consumer", "token": {"access_token": "at", "refresh_token": "rt-1", "expiry": "2026"}}, None),
        ({"id": "1", "email": "a@example.invalid", "token": {"refresh_token": "rt-1", "project_id": "p"}}, "p"),
    ],
)
def test_an_account_whose_tokens_stand_together_is_read(content: object, project: str | None) -> None:
    imported = read(content)
    (one,) = imported.credentials
    assert (one.refresh_token, one.project_id, imported.others) == ("rt-1", project, {})
    assert "token" not in one.other


def test_a_list_of_accounts_may_be_empty() -> None:
    assert read_credentials(b'{"version": 3, "accounts": []}', empty=True).credentials == ()


def test_a_client_comes_with_a_single_account() -> None:
    imported = read({"client_id": "c", "client_secret": "s", "refresh_token": "rt-1", "token_uri": "https://t"})
    assert (imported.client_id, imported.client_secret, imported.token_url) == ("c", "s", "https://t")


def test_blanks_around_a_token_are_not_of_it() -> None:
    assert read({"refresh_token": " rt-1\n"}).credentials[0].refresh_token == "rt-1"


def test_an_e_mail_map_gives_the_e_mails() -> None:
    assert read({"a@example.invalid": {"refresh_token": "rt-1"}}).credentials[0].email == "a@example.invalid"


def test_what_is_no_account_in_a_map_is_named_with_why() -> None:
    account, client = {"refresh_token": "rt-1"}, {"oauth_config": {"client_id": "c"}, "token_uri": "https://t"}
    imported = read({**client, "a@example.invalid": account, "b@example.invalid": {"token": "x"}, "version": 2})
    assert len(imported.credentials) == 1
    assert imported.others == {"b@example.invalid": "has no refresh_token", "version": "is no account"}


def test_what_is_no_account_in_a_list_keeps_no_other_from_being_taken() -> None:
    wrong = ["rt-1", {"project_id": "x"}, {"refresh_token": 5}, {"refresh_token": " "}, {"refresh_token": "***"}]
    for content, where in (
        ([*wrong, {"refresh_token": "rt-1"}], ""),
        ({"projects": [*wrong, *TOKENS["projects"]]}, "projects"),
    ):
        imported = read(content)
        assert imported.credentials[0].place == f"{where}[5]"
        assert [*imported.others] == [f"{where}[{place}]" for place in range(5)]
        assert [why.partition(":")[0] for why in imported.others.values()] == [
            "is not an object",
            "has no refresh_token",
            "cannot be read",
            "has an empty refresh_token",
            "is masked",
        ]


@pytest.mark.parametrize(
    "content",
    [TOKENS, {"refresh_token": "rt-1", "note": {}}, {"antigravity_refresh_token": "rt-1", "antigravity_port": 1}],
)
def test_only_a_map_has_others_than_accounts(content: object) -> None:
    assert read(content).others == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, "holds no refresh_token"),
        ({"projects": []}, "holds no refresh_token"),
        ({"projects": ["rt-1"]}, r"projects\[0\] is not an object"),
        ({"projects": [{"project_id": "x"}]}, r"projects\[0\] has no refresh_token"),
        ({"projects": [{"refresh_token": ""}]}, r"projects\[0\] has an empty refresh_token"),
        ({"refresh_token": 5}, "Expected `str`"),
        ({"oauth_config": 5, "refresh_token": "rt"}, "oauth_config"),
        ("text", "holds no refresh_token"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(content: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read(content)


def test_what_is_no_json_is_said() -> None:
    with pytest.raises(ValueError, match="is not JSON"):
        read_credentials(b"refresh_token = 1")


def test_nothing_secret_is_shown() -> None:
    assert "rt-1" not in repr(read(TOKENS))


# files


def test_the_file_that_settings_name_is_read(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text('{"a@example.invalid": {"refresh_token": "rt-1"}}')
    (tmp_path / "config.json").write_text('{"credentials_file": "credentials.json", "min_credentials": 1}')
    assert [one.email for one in load_credentials(tmp_path / "config.json").credentials] == ["a@example.invalid"]


def test_settings_that_name_no_file_mean_credentials1(tmp_path: Path) -> None:
    (tmp_path / "credentials1.json").write_text('{"a@example.invalid": {"refresh_token": "rt-1"}}')
    (tmp_path / "config.json").write_text('{"auth_keys": ["k1"]}')
    (tmp_path / "other.json").write_text('{"b@example.invalid": {"refresh_token": "rt-2"}}')
    assert [one.email for one in load_credentials(tmp_path / "config.json").credentials] == ["a@example.invalid"]
    assert [one.email for one in load_credentials(tmp_path / "other.json").credentials] == ["b@example.invalid"]


def test_what_is_wrong_with_the_file_that_settings_name_is_told_of_it(tmp_path: Path) -> None:
    settings, accounts = tmp_path / "config.json", tmp_path / "accounts.json"
    settings.write_text('{"credentials_file": "accounts.json"}')
    with pytest.raises(ValueError, match=r"^its credentials_file, accounts\.json, cannot be read: No such file"):
        load_credentials(settings)
    accounts.write_text("{}")
    with pytest.raises(ValueError, match=r"^its credentials_file, accounts\.json: holds no refresh_token"):
        load_credentials(settings)


@pytest.mark.parametrize("keys", [[NEW, OLD], [OLD]])
def test_an_encrypted_file_is_opened_by_any_of_the_keys(tmp_path: Path, keys: list[str]) -> None:
    file = tmp_path / "credentials.json"
    file.write_bytes(Fernet(OLD).encrypt(json.dumps(TOKENS).encode()))
    before = file.read_bytes()
    assert load_credentials(file, keys) == read(TOKENS)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ([], "is encrypted: give its key"),
        ([NEW], "is encrypted, and the key does not open it"),
        (["short"], "and the key given is not valid"),
    ],
)
def test_an_encrypted_file_without_its_key_says_so(tmp_path: Path, keys: list[str], reason: str) -> None:
    (tmp_path / "credentials.json").write_bytes(Fernet(OLD).encrypt(b"{}"))
    with pytest.raises(ValueError, match=reason):
        load_credentials(tmp_path / "credentials.json", keys)


# written

WRITTEN = """\
{
  "oauth_config": {
    "client_id": "c",
    "client_secret": "s",
    "token_url": "https://t"
  },
  "projects": [
    {
      "email": "a@example.invalid",
      "project_id": "p",
      "refresh_token": "rt-1",
      "access_token": null,
      "expires_at": null,
      "enabled": false,
      "disabled_reason": "403 twice",
      "note": [
        1,
        {
          "x": null
        }
      ]
    }
  ]
}
"""


def test_accounts_are_written_as_tokens_json() -> None:
    one = ImportedCredential(
        refresh_token="rt-1",
        project_id="p",
        email="a@example.invalid",
        enabled=False,
        disabled_reason="403 twice",
        other={"note": [1, {"x": None}]},
    )
    imported = Imported(credentials=(one,), client_id="c", client_secret="s", token_url="https://t")
    assert write_credentials(imported).decode() == WRITTEN


NUMBERS = st.integers(-(10**25), 10**25) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KNOWN = {"refresh_token", "project_id", "email", "enabled", "disabled_reason", "client_id", "client_secret"}
KNOWN |= {"token_url", "token_uri", *SHORT_LIVED}
ACCOUNTS = st.builds(
    ImportedCredential,
    refresh_token=st.text(min_size=1).map(str.strip).filter(bool),
    project_id=st.text(),
    email=st.text(min_size=1) | st.none(),
    enabled=st.booleans(),
    disabled_reason=st.text() | st.none(),
    other=st.dictionaries(st.text().filter(lambda name: name not in KNOWN), VALUES, max_size=4),
)


@given(st.lists(ACCOUNTS, min_size=1, max_size=4))
def test_what_is_written_is_read_again(accounts: list[ImportedCredential]) -> None:
    found = read_credentials(write_credentials(Imported(credentials=tuple(accounts)))).credentials
    assert [lasting(one) for one in found] == accounts


def lasting(one: ImportedCredential) -> ImportedCredential:
    other = {name: value for name, value in one.other.items() if name not in SHORT_LIVED}
    return structs.replace(one, place="", other=other)


# in use


def write(site: Site, content: object) -> Path:
    file = site.folder.parent / "tokens.json"
    file.write_text(json.dumps(content))
    return file


@pytest.mark.anyio
async def test_an_imported_file_brings_accounts_projects_and_client(site: Site) -> None:
    client = {"client_id": "theirs", "client_secret": "hidden", "token_url": site.fake.token_url}
    file = write(site, {**TOKENS, "oauth_config": client})
    before = file.read_bytes()
    empty = {"client_id": "", "client_secret": "", "token_url": ""}
    adapter = await site.open(pool={"refresh_tokens": [], "import": str(file), "uses_per_turn": 1}, oauth=empty)
    assert adapter.state() == "usable: 2 of 3 credentials; 1 disabled"
    await site.ask()
    await site.ask()
    assert [call.body["project"] for call in site.fake.calls()] == ["p-1", "fake-project-000"]
    assert {call.body["client_id"] for call in site.fake.calls("token")} == {"theirs"}
    assert file.read_bytes() == before


@pytest.mark.anyio
async def test_a_configured_client_is_not_mixed_with_the_files(site: Site) -> None:
    file = write(site, TOKENS)
    await site.open(pool={"refresh_tokens": [], "import": str(file)})
    await site.ask()
    assert site.fake.calls("token")[0].body["client_id"] == "client"
    assert site.fake.calls("token")[0].body["client_secret"] == "secret"


@pytest.mark.anyio
async def test_what_is_no_account_of_an_imported_map_is_said_at_the_start(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.level = "warning"
    file = write(site, {"a@example.org": {"refresh_token": "rt-1"}, "b@example.org": {"token": "x"}, "version": 2})
    await site.open(pool={"refresh_tokens": [], "import": str(file)})
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "pool.import" in line]
    assert [(line["entry"], line["reason"]) for line in said] == [
        ("b@example.org", "it has no refresh_token"),
        ("version", "it is no account"),
    ]


@pytest.mark.anyio
async def test_a_token_given_twice_is_one_credential(site: Site) -> None:
    adapter = await site.open("rt-1", pool={"import": str(write(site, {"refresh_token": "rt-1", "project_id": "p"}))})
    assert [one.project for one in adapter.credentials] == ["p"]


@pytest.mark.anyio
async def test_what_the_store_knows_beats_the_file(site: Site) -> None:
    pool = {
        "refresh_tokens": [],
        "import": str(write(site, {"projects": [{"refresh_token": "rt-1", "enabled": True}]})),
    }
    site.fake.oauth.fail("invalid_grant")
    await site.open(pool=pool)
    with pytest.raises(Exception, match="1 credential: 1 disabled"):
        await site.ask()
    assert not (await site.open(pool=pool)).usable


@pytest.mark.anyio
@pytest.mark.parametrize("content", [{"projects": []}, []])
async def test_a_list_without_anybody_yet_starts_without_a_credential(site: Site, content: object) -> None:
    upstream = await site.open(pool={"refresh_tokens": [], "import": str(write(site, content))})
    assert not upstream.usable
    with pytest.raises(NoCredential):
        await site.ask()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "cannot be read: No such file"), ("{", "is not JSON"), ("{}", "holds no refresh_token")],
)
async def test_a_file_that_cannot_be_used_stops_the_start(site: Site, content: str | None, reason: str) -> None:
    file = site.folder.parent / "tokens.json"
    if content is not None:
        file.write_text(content)
    loaded = site.loaded(pool={"refresh_tokens": [], "import": str(file)})
    with pytest.raises(ConfigError, match=f"upstream.google.pool.import: .*tokens.json.*{reason}"):
        V1Internal("google", loaded, site.clock)
