"""`gateway credentials`: what an operator sees and does, with a gateway beside it and without."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import msgspec
import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.adapters.credential import credential_id
from gateway.cli.credentials_files import export, import_
from gateway.cli.credentials_store import stored
from gateway.config import Loaded, Secret, load
from gateway.store.credentials import CredentialStore
from gateway.store.known import StoredCredential
from gateway.store.stored import StoreFailed
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.v1internal import FakeV1Internal
from tests.gateway.cli.conftest import Done, Run, antigravity
from tests.patience import patient
from tests.processes import gateway

pytestmark = pytest.mark.anyio

Write = Callable[[str], Path]

ACCOUNTS = """\
[upstream.google]
type = "v1internal"
models = ["gemini-3-flash"]
base_urls = ["http://127.0.0.1:9"]
oauth = { client_id = "our-client", client_secret = "our-secret" }
"""
TOKENS = {
    "oauth_config": {"client_id": "our-client", "client_secret": "our-secret", "token_url": "https://token.invalid"},
    "projects": [
        {"project_id": "p-1", "refresh_token": "1//one", "email": "one@example.org", "enabled": True, "note": [1, "x"]},
        {"project_id": "", "refresh_token": "1//two", "email": "two@example.org", "enabled": False},
    ],
}


def id_of(token: str) -> str:
    return credential_id(Secret(token))


def write_tokens(folder: Path, content: object = TOKENS, name: str = "tokens.json") -> Path:
    file = folder / name
    file.write_text(json.dumps(content))
    return file


def listed(run: Run, *words: str) -> dict[str, dict[str, Any]]:
    """Give what `list` says, by id."""
    done = run("credentials", "list", "--json", *words)
    assert done.code == 0, done.err
    return {one["id"]: one for one in json.loads(done.out)["credentials"]}


# list


def test_it_lists_what_gateway_toml_and_files_give(run: Run, write: Write, folder: Path) -> None:
    write(ACCOUNTS + '[upstream.google.pool]\nrefresh_tokens = ["1//zero"]\nimport = "tokens.json"\n')
    write_tokens(folder)
    found = listed(run)
    assert [(one["source"], one["account"], one["project"], one["state"]) for one in found.values()] == [
        ("config", None, None, "active"),
        ("import", "one@example.org", "p-1", "active"),
        ("import", "two@example.org", None, "disabled"),
    ]
    assert found[id_of("1//one")]["project_source"] == "import"
    assert found[id_of("1//two")]["reason"] == "not enabled in the imported file"


def test_it_lists_the_projects_that_gateway_toml_gives_by_e_mail(run: Run, write: Write, folder: Path) -> None:
    """No request has been served yet, and no gateway runs."""
    pool = '[upstream.google.pool]\nimport = "tokens.json"\nproject_ids = { "TWO@example.org" = "mapped" }\n'
    write(ACCOUNTS + pool)
    write_tokens(folder)
    for _ in range(2):
        found = listed(run)
        assert (found[id_of("1//one")]["project"], found[id_of("1//one")]["project_source"]) == ("p-1", "import")
        assert (found[id_of("1//two")]["project"], found[id_of("1//two")]["project_source"]) == ("mapped", "config")
    write(ACCOUNTS + pool.partition("project_ids")[0])
    assert listed(run)[id_of("1//two")]["project"] is None


def test_api_keys_are_listed_too(run: Run, write: Write) -> None:
    write('[upstream.gemini]\napi_key = ["AIza-first-key", "AIza-second-key"]\n')
    done = run("credentials", "list")
    assert [line.split()[:3] for line in done.out.splitlines() if "active" in line] == [
        [id_of("AIza-first-key")[:8], "active", "-"],
        [id_of("AIza-second-key")[:8], "active", "-"],
    ]


def test_nothing_to_list_says_what_to_do(run: Run) -> None:
    done = run("credentials", "list")
    assert (done.code, done.out[:15]) == (0, "no credentials:")


def test_a_row_that_is_damaged_is_told_and_nothing_is_exported_without_it(run: Run, write: Write, folder: Path) -> None:
    write(ACCOUNTS)
    store = CredentialStore(folder / "data" / "gateway.db")
    store.add("google", StoredCredential(**LONG))
    store.close()
    with closing(sqlite3.connect(folder / "data" / "gateway.db")) as file, file:
        file.execute("UPDATE credentials SET quota = 'nonsense'")
    said = "gateway.db: the row of credential "
    done = run("credentials", "list")
    assert (said in done.err, "credentials in the store may be missing" in done.err) == (True, True)
    done = run("credentials", "export", "--secrets")
    assert (done.code, said in done.err, done.out) == (2, True, "")


def test_it_lists_all_that_is_known_in_80_columns(run: Run, write: Write, folder: Path) -> None:
    write(ACCOUNTS)
    store = CredentialStore(folder / "data" / "gateway.db")
    store.add("google", StoredCredential(**LONG))
    store.close()
    done = run("credentials", "list")
    said = done.out.replace(LONG["link"], "LINK")  # which stays one
    assert max(map(len, said.splitlines())) <= 80
    assert said == LISTED


LONG: dict[str, Any] = {
    "id": "f" * 64,
    "source": "login",
    "email": "somebody.with.a.long.name@department.example.org",
    "state": "needs_verification",
    "reason": "Verify your account to continue, since this is the first time that it is used from here.",
    "link": "https://accounts.google.com/signin/continue?sarp=1&scc=1&plt=" + "x" * 60,
    "project_id": "a-project",
    "project_source": "discovered",
    "refresh_token": "1//hidden",
    "access_token": "ya29.hidden",
    "uses": 12,
    "last_error": "403 with ya29.another in it",
    "last_error_at": 1.0,
}
LISTED = """\
upstream google
ID        STATE               ACCOUNT                         USES  LAST USED
ffffffff  needs_verification  somebody.with.a.long.name@dep…  12    never
  project a-project (discovered)
  from login
  because: Verify your account to continue, since this is the first time that it
    is used from here.
  its owner must verify it at
    LINK
  last error: 403 with ya29.*** in it
"""


# which one


@pytest.fixture
def taken(run: Run, write: Write, folder: Path) -> Run:
    """Give the command beside a store with two accounts."""
    write(ACCOUNTS)
    done = run("credentials", "import", write_tokens(folder))
    assert done.code == 0, done.err
    return run


def test_an_id_may_be_cut_short_or_an_e_mail(taken: Run) -> None:
    assert taken("credentials", "disable", id_of("1//one")[:6].upper()).code == 0
    assert taken("credentials", "enable", "TWO@example.org").code == 0
    assert [(one["account"], one["state"]) for one in listed(taken).values()] == [
        ("one@example.org", "disabled"),
        ("two@example.org", "active"),
    ]


def test_one_that_is_not_there_is_an_error_and_nothing_is_done(taken: Run) -> None:
    done = taken("credentials", "disable", "one@example.org", "nobody@example.org")
    assert done.code == 2
    assert done.err.startswith("nobody@example.org: no credential has this e-mail address, or an ID that starts so")
    assert listed(taken)[id_of("1//one")]["state"] == "active"


def test_one_that_may_be_several_is_an_error(run: Run, write: Write) -> None:
    write("".join(f'[upstream.{name}]\ntype = "openai"\napi_key = ["sk-the-same"]\n' for name in ("a", "b")))
    word = id_of("sk-the-same")[:8]
    assert f"{word}: may be " in run("credentials", "disable", word).err
    assert run("credentials", "disable", word, "--upstream", "b").code == 0
    done = run("credentials", "list", "--upstream", "a")
    assert (done.out.count("active"), done.out.count("disabled")) == (1, 0)


def test_an_upstream_that_is_not_there_is_an_error(taken: Run) -> None:
    done = taken("credentials", "list", "--upstream", "gogle")
    assert (done.code, done.err) == (2, "--upstream: gogle is not configured; these have: google\n")


# change


def test_what_is_disabled_stays_so_until_it_is_enabled(taken: Run) -> None:
    assert "disabled" in taken("credentials", "disable", "one@example.org").out
    said = listed(taken)[id_of("1//one")]
    assert (said["state"], said["enabled"], said["reason"]) == ("disabled", False, "an operator disabled it")
    taken("credentials", "enable", "one@example.org")
    assert listed(taken)[id_of("1//one")]["state"] == "active"


def test_what_is_removed_comes_back_by_hand_only(run: Run, write: Write, folder: Path) -> None:
    write(f'{ACCOUNTS}pool.import = "tokens.json"\n')
    file = write_tokens(folder)
    assert len(listed(run)) == 2
    done = run("credentials", "remove", "--json", "one@example.org")
    assert json.loads(done.out) == {"removed": [{"id": id_of("1//one"), "upstream": "google"}]}
    assert set(listed(run)) == {id_of("1//two")}
    assert b"1//one" not in b"".join(one.read_bytes() for one in (folder / "data").iterdir())
    run("credentials", "import", file)
    assert set(listed(run)) == {id_of("1//one"), id_of("1//two")}


def test_a_store_that_does_not_take_a_removal_is_said(run: Run, write: Write, folder: Path) -> None:
    write(ACCOUNTS)
    run("credentials", "import", write_tokens(folder))
    with closing(sqlite3.connect(folder / "data" / "gateway.db")) as store:
        store.execute("CREATE TRIGGER t BEFORE UPDATE ON credentials BEGIN SELECT RAISE(ABORT, 'no room'); END")
    done = run("credentials", "remove", "one@example.org")
    assert (done.code, done.err) == (2, f"{id_of('1//one')[:8]}: was not removed: no room\n")
    assert id_of("1//one") in listed(run)


def test_what_gateway_toml_gives_is_not_removed(run: Run, write: Write) -> None:
    write(f'{ACCOUNTS}pool.refresh_tokens = ["1//zero"]\n')
    done = run("credentials", "remove", id_of("1//zero")[:8])
    assert done.code == 2
    assert "is in gateway.toml" in done.err
    assert set(listed(run)) == {id_of("1//zero")}


async def test_a_running_gateway_takes_it_over_by_itself(
    command: Run, write: Write, folder: Path, fake_v1internal: FakeV1Internal
) -> None:
    write(antigravity(fake_v1internal, "[]"))
    write_tokens(folder, {"projects": [{"refresh_token": "rt-1", "project_id": "p"}]})

    def run() -> tuple[int, ...]:
        with gateway(folder) as running, httpx.Client(base_url=running.url, timeout=30) as client:
            body = {"model": "gemini-3-flash", "messages": [{"role": "user", "content": "hi"}]}
            said = []
            for words in (["import", "tokens.json"], ["disable", id_of("rt-1")], ["enable", id_of("rt-1")]):
                assert command("credentials", *words).code == 0
                said.append(client.post("/v1/chat/completions", json=body).status_code)
            return tuple(said)

    assert await asyncio.to_thread(run) == (200, 503, 200)


def test_a_change_that_cannot_be_written_is_an_error(taken: Run, folder: Path) -> None:
    store = CredentialStore(folder / "data" / "gateway.db")
    with store.database.writing():  # another one writes, and does not end
        done = taken("credentials", "disable", "one@example.org")
        for thread in threading.enumerate():
            if thread.name == "gateway-apart":  # which waits for the other one; it would end with the command's process
                thread.join(patient(20))
    assert done.code == 2
    assert "was not changed: the store cannot be written" in done.err
    assert listed(taken)[id_of("1//one")]["state"] == "active"


def test_a_store_that_cannot_be_used_is_told_of(run: Run, write: Write, folder: Path) -> None:
    write(f'{ACCOUNTS}pool.refresh_tokens = ["1//zero"]\n')
    (folder / "data").write_text("a file")
    done = run("credentials", "list")
    assert done.code == 0
    assert done.err.startswith(f"warning: {folder / 'data' / 'gateway.db'}: ")
    assert id_of("1//zero")[:8] in done.out


def test_a_program_gets_no_list_of_a_store_that_cannot_be_read(taken: Run, folder: Path) -> None:
    file = folder / "data" / "gateway.db"
    file.write_bytes(b"not a database at all, and long enough" * 40)
    done = taken("credentials", "list", "--json")
    assert (done.code, done.out, done.err) == (2, "", f"{file}: file is not a database\n")


def test_a_program_gets_the_list_of_a_store_that_can_only_be_read(taken: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that is read-only."""
    opens = CredentialStore.open

    def open_(store: CredentialStore) -> None:
        if not store.read_only:
            raise StoreFailed("its disk is read-only")
        opens(store)

    monkeypatch.setattr(CredentialStore, "open", open_)
    assert set(listed(taken)) == {id_of("1//one"), id_of("1//two")}


# check


async def check(run: Run, *words: str) -> Done:
    return await asyncio.to_thread(run, "credentials", "check", *words)


async def test_check_asks_about_each(run: Run, write: Write, fake_v1internal: FakeV1Internal) -> None:
    write(antigravity(fake_v1internal, '["rt-1", "rt-2"]'))
    done = await check(run, "--json")
    assert (done.code, done.err) == (0, "")
    assert {one["state"] for one in json.loads(done.out)["credentials"]} == {"active"}
    assert {call.body["refresh_token"] for call in fake_v1internal.calls("token")} == {"rt-1", "rt-2"}
    known = (await asyncio.to_thread(run, "credentials", "list")).out
    assert known.count("quota Gemini Models, weekly: ") == known.count("quota Claude and GPT models, 5h: ") == 2


async def test_check_ends_with_3_when_none_can_be_used(run: Run, write: Write, fake_v1internal: FakeV1Internal) -> None:
    write(antigravity(fake_v1internal, '["rt-1", "rt-2"]'))
    fake_v1internal.oauth.fail("invalid_grant", token="rt-2", times=9)
    both, second = await check(run), await check(run, id_of("rt-2")[:8])
    assert (both.code, both.err) == (1, f"1 of 2 cannot be used: {id_of('rt-2')[:8]}\n")
    assert second.code == 3
    assert "because: invalid_grant" in second.out
    assert second.err == "nothing usable: none of them can serve a request\n"


async def test_check_ends_with_3_when_the_oauth_client_is_unknown(
    run: Run, write: Write, fake_v1internal: FakeV1Internal
) -> None:
    write(antigravity(fake_v1internal, '["rt-1", "rt-2"]'))
    fake_v1internal.oauth.fail("invalid_client", times=9)
    done = await check(run)
    assert done.code == 3
    assert "because: invalid_client" in done.out


@pytest.mark.parametrize("base", ["", "http://127.0.0.1:9"])
async def test_check_ends_with_3_when_the_only_one_has_failed(
    run: Run, write: Write, fake_openai: FakeOpenAI, base: str
) -> None:
    """A refused key and a host that is not there make a suspect, which is as good as none."""
    write(f'[upstream.openai]\napi_key = "wrong"\nbase_url = "{base or fake_openai.url}/v1"\nmodels = ["gpt-4.1"]\n')
    done = await check(run)
    assert (done.code, done.err) == (3, "nothing usable: none of them can serve a request\n")
    assert "suspected" in done.out


async def test_what_an_operator_took_out_of_use_is_not_counted(
    run: Run, write: Write, folder: Path, fake_v1internal: FakeV1Internal
) -> None:
    write(antigravity(fake_v1internal, '["rt-1", "rt-2"]', 'pool.import = "tokens.json"\n'))
    write_tokens(folder, {"projects": [{"refresh_token": "rt-3", "enabled": False}]})
    await asyncio.to_thread(run, "credentials", "disable", id_of("rt-2"))
    all_, off = await check(run), await check(run, id_of("rt-2"))
    assert (all_.code, all_.err) == (0, "")
    assert off.code == 3


async def test_check_ends_with_3_where_there_is_none(run: Run) -> None:
    assert (await check(run)).code == 3


# import


@pytest.mark.parametrize("name", ["tokens.json", "by-email.json", "single.json", "settings.json"])
def test_every_shape_is_imported(run: Run, write: Write, folder: Path, name: str) -> None:
    write(ACCOUNTS)
    shapes: dict[str, object] = {
        "tokens.json": TOKENS,
        "by-email.json": {"one@example.org": {"refresh_token": "1//one", "scopes": ["a"]}},
        "single.json": {"antigravity_refresh_token": "1//one", "antigravity_project_id": "p-1"},
        "settings.json": {"credentials_file": "tokens.json"},
    }
    write_tokens(folder)
    file = write_tokens(folder, shapes[name], name)
    before = file.read_bytes()
    done = run("credentials", "import", "--json", file)
    assert (done.code, done.err) == (0, "")
    said = json.loads(done.out)
    assert said["upstream"] == "google"
    assert said["accounts"][0]["word"].startswith(f"added to the store: credential {id_of('1//one')[:8]}")
    assert id_of("1//one") in listed(run)
    assert file.read_bytes() == before


def test_what_is_no_account_is_named_and_the_others_are_taken(run: Run, write: Write, folder: Path) -> None:
    write(ACCOUNTS)
    file = write_tokens(folder, {"one@example.org": {"refresh_token": "1//one"}, "two@example.org": {"token": "t"}})
    done = run("credentials", "import", file)
    assert (done.code, done.err) == (1, "two@example.org was not imported: it has no refresh_token\n")
    assert id_of("1//one") in listed(run)


def test_an_encrypted_file_is_imported_with_the_stores_key(run: Run, write: Write, folder: Path) -> None:
    write(ACCOUNTS)
    key = Fernet.generate_key()
    (folder / "key").write_bytes(key)
    (folder / "tokens.enc").write_bytes(Fernet(key).encrypt(json.dumps(TOKENS).encode()))
    assert run("credentials", "import", "tokens.enc").err == (
        "tokens.enc: is encrypted: give its key with --encryption-key-file\n"
    )
    done = run("credentials", "import", "--encryption-key-file", "key", "tokens.enc")
    assert done.code == 0, done.err
    assert len(listed(run, "--encryption-key-file", "key")) == 2


def test_another_oauth_client_is_told_of(run: Run, write: Write, folder: Path) -> None:
    write(ACCOUNTS.replace("our-client", "mine"))
    done = run("credentials", "import", write_tokens(folder))
    assert "warning: projects[0] has a different OAuth client than upstream.google.oauth\n" in done.err


@pytest.mark.parametrize(
    ("toml", "words", "reason"),
    [
        (ACCOUNTS, ["absent.json"], "absent.json: cannot be read: No such file or directory"),
        ("", ["tokens.json"], "--upstream: no upstream has accounts: add one of type v1internal"),
        (ACCOUNTS + ACCOUNTS.replace("google", "b"), ["tokens.json"], "--upstream: say which one; there are google, b"),
        (
            ACCOUNTS,
            ["tokens.json", "--upstream", "x"],
            "--upstream: x is not an upstream with accounts; there are google",
        ),
    ],
)
def test_what_cannot_be_imported_says_why(
    run: Run, write: Write, folder: Path, toml: str, words: list[str], reason: str
) -> None:
    write(toml)
    write_tokens(folder)
    done = run("credentials", "import", *words)
    assert (done.code, done.err) == (2, f"{reason}\n")


# export


def test_without_secrets_everything_secret_is_masked(taken: Run) -> None:
    done = taken("credentials", "export")
    assert (done.code, done.err[:25]) == (0, "refresh tokens are masked")
    said = json.loads(done.out)
    assert said["oauth_config"]["client_secret"] == "***"
    assert [one["refresh_token"] for one in said["projects"]] == ["***", "***"]
    assert said["projects"][0]["note"] == [1, "***"]
    assert "1//" not in done.out


@pytest.mark.parametrize("words", [("credentials", "import"), ("import",)])
def test_a_masked_file_is_not_imported(taken: Run, words: tuple[str, ...]) -> None:
    taken("credentials", "export", "masked.json")
    before = taken("credentials", "list").out
    done = taken(*words, "masked.json")
    assert done.code == 2
    assert done.err.startswith("masked.json: projects[0] is masked")
    assert taken("credentials", "list").out == before


def test_a_hyphen_is_standard_output(taken: Run, folder: Path) -> None:
    assert json.loads(taken("credentials", "export", "--secrets", "-").out)["projects"]
    assert not (folder / "-").exists()


def test_with_secrets_the_file_is_for_its_owner_and_can_be_imported(taken: Run, folder: Path) -> None:
    done = taken("credentials", "export", "--secrets", "out.json")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert stat.S_IMODE((folder / "out.json").stat().st_mode) == 0o600
    assert json.loads((folder / "out.json").read_text()) == {
        "oauth_config": {
            "client_id": "our-client",
            "client_secret": "our-secret",
            "token_url": "https://oauth2.googleapis.com/token",
        },
        "projects": [
            {
                "email": "one@example.org",
                "project_id": "p-1",
                "refresh_token": "1//one",
                "access_token": None,
                "expires_at": None,
                "enabled": True,
                "disabled_reason": None,
                "note": [1, "x"],
            },
            {
                "email": "two@example.org",
                "project_id": "",
                "refresh_token": "1//two",
                "access_token": None,
                "expires_at": None,
                "enabled": False,
                "disabled_reason": "not enabled in the imported file",
            },
        ],
    }
    assert taken("credentials", "export", "--secrets", "out.json").code == 2  # it is there


def test_what_gateway_toml_gives_is_exported_too(run: Run, write: Write) -> None:
    write(f'{ACCOUNTS}pool.refresh_tokens = ["1//zero"]\n')
    said = json.loads(run("credentials", "export", "--secrets").out)
    assert [one["refresh_token"] for one in said["projects"]] == ["1//zero"]


def written(other: object) -> str:
    return msgspec.json.encode(other).decode()


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
ROWS = st.builds(
    StoredCredential,
    id=st.just(""),
    source=st.sampled_from(["import", "login"]),
    refresh_token=TEXTS.map(str.strip).filter(bool),
    email=TEXTS.map(str.casefold),
    project_id=TEXTS,
    state=st.sampled_from(["active", "disabled"]),
    reason=TEXTS.filter(bool),
    other=st.dictionaries(TEXTS.map("x-{}".format), TEXTS | st.integers() | st.none(), max_size=3).map(written),
)


KEPT = ("id", "refresh_token", "email", "project_id", "state", "other")


def place(folder: Path) -> Loaded:
    upstream = {"type": "v1internal", "models": ["m"], "oauth": {"client_id": "c", "client_secret": "s"}}
    config = {"server": {"data_dir": str(folder)}, "upstream": {"google": upstream}}
    return load(config, environ={}, dotenv=False)


def kept(loaded: Loaded) -> list[tuple[Any, ...]]:
    with stored(loaded) as store:
        rows = store.load("google").values()
    return [(*(getattr(row, name) for name in KEPT), row.reason if row.state == "disabled" else "") for row in rows]


@settings(max_examples=30)
@given(
    st.lists(ROWS, max_size=4, unique_by=(lambda row: row.refresh_token, lambda row: row.email or row.refresh_token))
)
def test_an_export_into_an_empty_store_gives_the_same(rows: list[StoredCredential]) -> None:
    with TemporaryDirectory() as folder:
        one, other = place(Path(folder, "one")), place(Path(folder, "other"))
        with stored(one) as store:
            for at, row in enumerate(rows):
                store.add("google", replace(row, id=id_of(row.refresh_token), added_at=float(at)))
        file = Path(folder, "tokens.json")
        file.write_bytes(export(one, None, True))
        if rows:
            import_(other, None, file)
        assert kept(other) == kept(one)
        assert export(other, None, True) == file.read_bytes()
