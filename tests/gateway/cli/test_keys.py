"""`gateway keys`: made once, listed without their texts, revoked; and what other commands know of them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from gateway.store.keys import KeyStore
from tests.gateway.cli.conftest import COMMAND_S, Run
from tests.gateway.store.places import Place
from tests.patience import patient
from tests.processes import PROGRAMS, environment, gateway

Write = Callable[[str], Path]
TOML = '[[key]]\nname = "carl"\nsecret = "sk-carl-and-more"\nscopes = ["metrics"]\nexpires = 2001-01-01\n'


def test_the_text_alone_is_on_standard_output(run: Run, folder: Path) -> None:
    made = run("keys", "new", "alice")
    assert made.code == 0
    assert re.fullmatch(r"gw-[\w-]{43}\n", made.out)
    assert made.err == "the key 'alice', shown this once:\n"
    assert (folder / "data" / "gateway.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no /dev/full")
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_key_that_nobody_has_read_does_not_stay(run: Run, folder: Path, more: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [PROGRAMS / "gateway", "keys", "new", "bob", *more],
            cwd=folder,
            env=environment(folder),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=patient(COMMAND_S),
            check=False,
        )
    assert done.returncode == 1
    assert "the key 'bob' could not be shown, so it was revoked\n" in done.stderr
    assert json.loads(run("keys", "list", "--json").out) == {"keys": []}
    assert run("keys", "new", "bob").code == 0


@pytest.mark.parametrize("flag", ["--models", "--upstreams", "--scopes"])
def test_a_flag_that_names_nothing_makes_no_key_for_everything(run: Run, flag: str) -> None:
    ended = run("keys", "new", "bob", flag, "")
    assert (ended.code, json.loads(run("keys", "list", "--json").out)) == (2, {"keys": []})
    assert f"{flag} is empty" in ended.err


def test_flags_say_what_a_key_may_do(run: Run) -> None:
    words = ["--models", "claude-*,gpt-*", "--models", "demo", "--upstreams", "demo", "--scopes", "chat,metrics"]
    more = ["--expires", "2030-01-02", "--limit", "requests_per_minute=60", "--limit", "usd_per_month=2.5", "--json"]
    made = json.loads(run("keys", "new", "alice", *words, *more).out)
    assert made.pop("secret").startswith(made.pop("prefix"))
    del made["created_at"]
    assert made == {
        "name": "alice",
        "models": ["claude-*", "gpt-*", "demo"],
        "upstreams": ["demo"],
        "scopes": ["chat", "metrics"],
        "expires": "2030-01-02T00:00:00Z",
        "limits": {"requests_per_minute": 60, "usd_per_month": 2.5},
        "last_used_at": None,
        "source": "store",
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["alice", "--scopes", "root"], 'scopes[0]: "root" is not one of chat, admin, metrics'),
        (["alice", "--upstreams", "dmeo"], "upstreams: 'dmeo' is not configured; did you mean \"demo\"?"),
        (["alice", "--expires", "soon"], 'expires: "soon" is not a date such as 2027-01-01'),
        (["alice", "--limit", "60"], 'limits: "60" is not of the form requests_per_minute=60'),
        (["alice", "--limit", "tokens_per_minut=5"], "limits.tokens_per_minut: unknown limit; did you mean"),
        (["alice", "--limit", "usd_per_day=much"], 'limits.usd_per_day: "much" is not a number'),
        (["alice", "--limit", "concurrent=5", "--limit", "concurrent=6"], "limits: concurrent is given twice"),
        (
            ["a/b"],
            "name: up to 64 letters, digits, _ . @ + - and inner spaces, starting with a letter, digit or _",
        ),
        (["admin"], 'name: "admin" means requests of operators through the page; choose another name'),
        (["carl"], 'gateway.toml has a key named "carl"; choose another name'),
    ],
)
def test_what_cannot_be_is_exit_2(run: Run, write: Write, words: list[str], message: str) -> None:
    write(TOML)
    refused = run("keys", "new", *words)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith(f"keys: {message}")
    assert not Path("data").exists()


def test_all_that_cannot_be_is_said_at_once(run: Run) -> None:
    refused = run("keys", "new", "b/ob", "--limit", "requests_per_minute=1.5", "--scopes", "x")
    (said,) = refused.err.splitlines()
    assert [part.partition(":")[0] for part in said.removeprefix("keys: ").split("; ")] == [
        "scopes[0]", "limits.requests_per_minute", "name",
    ]  # fmt: skip


def test_the_list_shows_both_sources_and_no_text(run: Run, write: Write) -> None:
    write(TOML)
    text = run("keys", "new", "alice", "--models", "demo", "--limit", "concurrent=2").out.strip()
    run("keys", "new", "bob")
    run("keys", "revoke", "bob")
    listed = run("keys", "list").out
    assert listed.splitlines() == [
        "NAME   KEY        SCOPES   EXPIRES (UTC)          LAST USED (UTC)  SOURCE",
        "carl   -          metrics  2001-01-01 00:00 over  -                gateway.toml",
        f"alice  {text[:8]}…  chat     -                      -                store",
        "  models: demo",
        "  limits: concurrent 2",
    ]
    rows = json.loads(run("keys", "list", "--json").out)["keys"]
    assert [(row["name"], row["source"], row["prefix"]) for row in rows] == [
        ("carl", "config", None),
        ("alice", "store", text[:8]),
    ]


def test_to_list_makes_nothing(run: Run) -> None:
    assert run("keys", "list").out == "no keys: `gateway keys new NAME` makes one\n"
    assert not Path("data").exists()


def test_a_folder_may_begin_with_two_slashes(run: Run, write: Write, folder: Path) -> None:
    """As a path that is joined to the root by hand does; SQLite takes what follows for a host."""
    write(f'[server]\ndata_dir = "/{folder}/there"\n')
    assert run("keys", "new", "alice").code == 0
    assert "alice" in run("keys", "list").out
    assert run("keys", "revoke", "alice").code == 0


def test_a_name_is_free_again_after_it_was_revoked(run: Run) -> None:
    codes = [run("keys", *words).code for words in (["new", "a"], ["new", "a"], ["revoke", "a"], ["new", "a"])]
    assert codes == [0, 2, 0, 0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("alcie", 'keys: no key is named "alcie"; did you mean "alice"?\n'),
        ("carl", 'keys: gateway.toml defines the key "carl"; remove it there\n'),
    ],
)
def test_what_is_not_in_the_store_cannot_be_revoked(run: Run, write: Write, name: str, message: str) -> None:
    write(TOML)
    run("keys", "new", "alice")
    refused = run("keys", "revoke", name)
    assert (refused.code, refused.err) == (2, message)


def test_a_key_that_another_command_revokes_first_is_said_to_be_gone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("keys", "new", "alice")
    remove = KeyStore.remove

    def second(store: KeyStore, name: str) -> None:
        remove(store, name)
        remove(store, name)

    monkeypatch.setattr(KeyStore, "remove", second)
    refused = run("keys", "revoke", "alice")
    assert (refused.code, refused.err) == (2, 'keys: no key is named "alice"\n')


def test_a_store_that_cannot_be_read_is_exit_2(run: Run) -> None:
    Path("data").mkdir()
    Path("data/gateway.db").write_bytes(b"something else" * 100)
    for words in (["list"], ["new", "alice"], ["revoke", "alice"]):
        refused = run("keys", *words)
        assert refused.code == 2
        assert "gateway.db: file is not a database" in refused.err


def test_postgresql_holds_them_too(run: Run, write: Write, postgres_url: str, folder: Path) -> None:
    write(f'store.database = "{postgres_url}"')
    text = run("keys", "new", "alice").out.strip()
    assert '"alice"' in run("keys", "list", "--json").out
    assert text.encode() not in Place(folder, postgres_url).content()
    run("keys", "revoke", "alice")
    assert run("keys", "list", "--json").out == '{"keys":[]}\n'


# other commands


def test_an_open_address_is_served_with_a_key_of_the_store_alone(run: Run, folder: Path) -> None:
    open_ = ("--host", "0.0.0.0")
    assert run("run", *open_, "--port", "0").code == 2
    key = run("keys", "new", "alice").out.strip()
    with gateway(folder, "run", *open_) as program:
        said = program.says("gateway ")
        port = re.findall(r":(\d+)", said)[0]
        asked = [
            httpx.get(f"http://127.0.0.1:{port}/v1/models", headers=headers, timeout=20).status_code
            for headers in ({}, {"x-api-key": key})
        ]
        assert program.says("keys:").strip() == "keys: 1"
    assert asked == [401, 200]
    run("keys", "revoke", "alice")
    assert "there is no key" in run("run", *open_, "--port", "0").err


def test_check_and_doctor_know_them(run: Run, write: Write) -> None:
    write('server.host = "0.0.0.0"')
    assert [run(word).code for word in ("check", "doctor")] == [2, 1]
    run("keys", "new", "alice")
    assert [run(word).code for word in ("check", "doctor")] == [0, 0]
    assert "1 key\n" in run("doctor").out
