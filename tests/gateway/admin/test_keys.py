"""The keys of callers as JSON: made once, shown without their texts, revoked."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clocks import FakeClock
from tests.gateway.admin.accounts import ADMIN, log_in, made, visiting
from tests.serving import serve

pytestmark = pytest.mark.anyio

FIELDS = {
    "name",
    "prefix",
    "models",
    "upstreams",
    "scopes",
    "expires",
    "limits",
    "created_at",
    "last_used_at",
    "source",
}


@asynccontextmanager
async def operator(tmp_path: Path, **config: Any) -> AsyncGenerator[httpx.AsyncClient]:
    """Visit as a program of the operator's."""
    app = made(tmp_path, clock=FakeClock(), **config)
    async with serve(app) as url, httpx.AsyncClient(base_url=url, auth=ADMIN, timeout=20) as http:
        yield http


@asynccontextmanager
async def person(tmp_path: Path, name: str, password: str) -> AsyncGenerator[tuple[httpx.AsyncClient, str]]:
    """Visit as a browser that has logged in; give what its forms carry, too."""
    async with visiting(made(tmp_path, clock=FakeClock())) as http:
        yield http, await log_in(http, name, password)


async def use(http: httpx.AsyncClient, key: str, path: str = "/v1/models") -> int:
    return (await http.get(path, auth=None, headers={"x-api-key": key})).status_code


async def test_a_key_is_made_shown_once_and_revoked(tmp_path: Path) -> None:
    async with operator(tmp_path) as http:
        given = {"name": "bob", "models": ["demo"], "expires": "2030-01-01", "limits": {"requests_per_minute": 60}}
        answer = await http.post("/admin/keys", json=given)
        assert (answer.status_code, answer.json().keys()) == (201, FIELDS | {"secret"})
        secret = answer.json().pop("secret")
        assert await use(http, secret) == 200
        (row,) = (await http.get("/admin/keys")).json()["keys"]
        assert row.keys() == FIELDS
        assert {name: row[name] for name in ("name", "prefix", "models", "scopes", "expires", "limits", "source")} == {
            "name": "bob",
            "prefix": secret[:8],
            "models": ["demo"],
            "scopes": ["chat"],
            "expires": "2030-01-01T00:00:00Z",
            "limits": {"requests_per_minute": 60},
            "source": "store",
        }
        assert (row["created_at"], row["last_used_at"]) == ("2027-01-15T08:00:00Z", "2027-01-15T08:00:00Z")
        assert (await http.delete("/admin/keys/bob")).status_code == 204
        assert await use(http, secret) == 401
        assert (await http.get("/admin/keys")).json() == {"keys": []}


async def test_a_form_makes_the_same_key(tmp_path: Path) -> None:
    form = {
        "name": " bob ",
        "models": "gpt-*, demo",
        "scopes": ["chat", "metrics"],
        "expires": "2030-01-01",
        "requests_per_minute": "5",
        "tokens_per_day": "",
        "limits": "usd_per_month=2.5 concurrent=2",
    }
    async with operator(tmp_path) as http:
        row = (await http.post("/admin/keys", data=form)).json()
    assert (row["name"], row["models"], row["scopes"], row["upstreams"]) == (
        "bob", ["gpt-*", "demo"], ["chat", "metrics"], [],
    )  # fmt: skip
    assert row["limits"] == {"requests_per_minute": 5, "usd_per_month": 2.5, "concurrent": 2}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "name is required"),
        ({"name": "x", "model": []}, 'model: unknown key; did you mean "models"?'),
        ({"name": 7}, "name: expected a string, got an integer"),
        (
            {"name": "a/b"},
            "name: up to 64 letters, digits, _ . @ + - and inner spaces, starting with a letter, digit or _",
        ),
        ({"name": "admin"}, 'name: "admin" means requests of operators through the page; choose another name'),
        ({"name": "anonymous"}, 'name: "anonymous" means callers without a key; choose another name'),
        (
            {"name": "x" * 65},
            "name: up to 64 letters, digits, _ . @ + - and inner spaces, starting with a letter, digit or _",
        ),
        ({"name": "x", "scopes": []}, "scopes: a key without scopes cannot do anything"),
        ({"name": "x", "scopes": "chat"}, "scopes: expected a list, got a string"),
        ({"name": "x", "scopes": ["root"]}, 'scopes[0]: "root" is not one of chat, admin, metrics'),
        ({"name": "x", "upstreams": ["gogle"]}, "upstreams: 'gogle' is not configured; did you mean \"google\"?"),
        ({"name": "x", "models": [""]}, "models: '' matches no model"),
        ({"name": "x", "expires": "soon"}, 'expires: "soon" is not a date such as 2027-01-01'),
        ({"name": "x", "expires": "2020-01-01"}, "expires: 2020-01-01 00:00 UTC is in the past"),
        ({"name": "x", "limits": {"tokens": 5}}, 'limits.tokens: unknown limit; did you mean "tokens_per_'),
        ({"name": "x", "limits": {"concurrent": 1.5}}, "limits.concurrent: is not a whole number"),
        ({"name": "x", "limits": {"usd_per_day": -1}}, "limits.usd_per_day: is negative"),
    ],
)
async def test_what_cannot_be_is_said(tmp_path: Path, given: dict[str, object], message: str) -> None:
    async with operator(tmp_path) as http:
        answer = await http.post("/admin/keys", json=given)
        assert answer.status_code == 400
        assert answer.json()["error"]["message"].startswith(message)
        assert (await http.get("/admin/keys")).json() == {"keys": []}


async def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    async with operator(tmp_path) as http:
        answer = await http.post("/admin/keys", json={"nam": "x", "scopes": ["root"]})
    assert answer.json()["error"]["message"].count(";") == 3  # two that are wrong, one missing, one hint


async def test_a_name_that_cannot_be_is_said_with_the_rest(tmp_path: Path) -> None:
    name = "name: up to 64 letters, digits, _ . @ + - and inner spaces, starting with a letter, digit or _"
    limit = "limits.requests_per_minute: is not a whole number"
    given = {"name": "b/ob", "limits": {"requests_per_minute": 1.5}}
    more = {"scopes": ["root"], "upstreams": ["dmo"]}
    form = {"name": "b/ob", "requests_per_minute": "1.5"}
    async with operator(tmp_path) as http:
        answers = [
            await http.post("/admin/keys", json=given),
            await http.post("/admin/keys", data=form),
            await http.post("/admin/keys", json=given | more | {"name": 7}),
        ]
    said = [answer.json()["error"]["message"] for answer in answers]
    scope, upstream = 'scopes[0]: "root" is not one of chat, admin, metrics', "upstreams: 'dmo' is not configured"
    assert said[:2] == [f"{limit}; {name}"] * 2
    assert sorted(said[2].split("; ")) == [limit, "name: expected a string, got an integer", scope, upstream]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"[]", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[" * 15_000, "application/json", 400),
        (b'{"name": "' + b"x" * 20_000 + b'"}', "application/json", 413),
        (b'{"name": "x"}', "application/x-www-form-urlencoded", 415),
        (b'{"name": "x"}', "text/plain", 415),
        (b"", "application/json", 400),
        (b'{"name": "x", "expires": null}', "application/json; charset=utf-8", 201),
    ],
)
async def test_json_is_said_to_be_json(tmp_path: Path, body: bytes, kind: str, status: int) -> None:
    async with operator(tmp_path) as http:
        answer = await http.post("/admin/keys", content=body, headers={"content-type": kind})
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("encoding", "status"), [("gzip", 415), ("deflate", 415), ("br", 415), ("Identity", 201), ("", 201)]
)
async def test_json_is_not_compressed(tmp_path: Path, encoding: str, status: int) -> None:
    async with operator(tmp_path) as http:
        answer = await http.post("/admin/keys", json={"name": "bob"}, headers={"content-encoding": encoding})
        assert answer.status_code == status, answer.text
        assert len((await http.get("/admin/keys")).json()["keys"]) == (status == 201)


@pytest.mark.parametrize(
    "given",
    [
        {"expires": "9999-12-31T23:59:59.999999"},  # how several languages write the last moment that they know
        {"expires": "9999-12-31T23:59:59-12:00"},
        {"limits": {"usd_per_month": 1e300, "requests_per_day": 10**18}},
    ],
)
async def test_what_means_never_or_any_number_is_no_defect(tmp_path: Path, given: dict[str, object]) -> None:
    async with operator(tmp_path) as http:
        answer = await http.post("/admin/keys", json={"name": "bob", **given})
        assert (answer.status_code, await use(http, answer.json()["secret"])) == (201, 200)
        (row,) = (await http.get("/admin/keys")).json()["keys"]
        assert row["expires"] == ("9999-12-31T23:59:59Z" if "expires" in given else None)
        assert (await http.get("/admin/keys", headers={"accept": "text/html"})).status_code == 200


async def test_a_name_in_use_is_a_conflict_and_a_revoked_one_is_free(tmp_path: Path) -> None:
    async with operator(tmp_path, key=[{"name": "toml", "secret": "sk-toml"}]) as http:
        names = ("bob", "bob", "toml")
        assert [(await http.post("/admin/keys", json={"name": name})).status_code for name in names] == [201, 409, 409]
        assert (await http.post("/admin/keys/bob/revoke")).status_code == 204
        assert (await http.post("/admin/keys", json={"name": "bob"})).status_code == 201
        answers = [(await http.delete(f"/admin/keys/{name}")).status_code for name in ("toml", "nobody")]
    assert answers == [409, 404]


async def test_a_session_needs_its_token(tmp_path: Path) -> None:
    headers = {"accept": "application/json"}
    async with person(tmp_path, *ADMIN) as (http, token):
        refused = await http.post("/admin/keys", headers=headers, json={"name": "bob"})
        done = await http.post("/admin/keys", headers={**headers, "x-csrf-token": token}, json={"name": "bob"})
    assert (refused.status_code, done.status_code) == (403, 201)


async def test_a_revoked_key_ends_its_session_and_opens_no_door(tmp_path: Path) -> None:
    async with operator(tmp_path) as http:
        given = {"name": "chief", "scopes": ["admin", "metrics"]}
        secret = (await http.post("/admin/keys", json=given)).json()["secret"]
    async with person(tmp_path, "chief", secret) as (http, _):
        away = {"x-forwarded-for": "10.0.0.7", "x-api-key": secret}
        assert (await http.get("/metrics", headers=away)).status_code == 200
        await http.delete("/admin/keys/chief", headers={"x-api-key": secret})
        assert (await http.get("/admin/credentials")).status_code == 303
        assert (await http.get("/metrics", headers=away)).status_code == 401


async def test_a_store_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").mkdir()
    async with operator(tmp_path) as http:
        answer = await http.post("/admin/keys", json={"name": "bob"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        503,
        "the keys cannot be saved now; the gateway's log says why",
    )


async def test_who_made_a_key_is_in_the_log_and_its_text_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with operator(tmp_path, log={"level": "info"}) as http:
        secret = (await http.post("/admin/keys", json={"name": "bob"})).json()["secret"]
        await http.delete("/admin/keys/bob")
    said = capsys.readouterr().err
    assert '"event":"key made"' in said
    assert '"name":"bob","by":"admin","event":"key revoked"' in said
    assert secret not in said
