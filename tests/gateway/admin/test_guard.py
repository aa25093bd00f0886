"""Who may administer: every role at every route, and what a failed attempt costs."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Message

from gateway.app import lifespan
from tests.clocks import FakeClock
from tests.gateway.admin.accounts import ADMIN, HTML, Accounts, account, log_in, made, visiting
from tests.middleware.asgi import Outcome, call, scope_of

pytestmark = pytest.mark.anyio

ID = account().id
KEYS: Any = [
    {"name": "chief", "secret": "sk-admin", "scopes": ["admin"]},
    {"name": "alice", "secret": "sk-chat"},
    {"name": "scraper", "secret": "sk-metrics", "scopes": ["metrics"]},
    {"name": "old", "secret": "sk-old", "scopes": ["admin"], "expires": "2001-01-01"},
]


def basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


ROLES: dict[str, tuple[dict[str, str], int]] = {
    "nobody": ({}, 401),
    "nobody on this machine": ({"host": "localhost"}, 401),
    "an unknown key": ({"x-api-key": "sk-no"}, 401),
    "a key for chat": ({"x-api-key": "sk-chat"}, 401),
    "a key for metrics": ({"authorization": "Bearer sk-metrics"}, 401),
    "a key that is over": ({"x-api-key": "sk-old"}, 401),
    "a wrong password": (basic("admin", "hunter2"), 401),
    "another name": (basic("root", ADMIN[1]), 401),
    "no name": (basic("", ADMIN[1]), 401),
    "Basic that is none": ({"authorization": "Basic %%%"}, 401),
    "a forged session": ({"cookie": f"gateway_session=9999999999.n.password.{'0' * 64}"}, 401),
    "the password": (basic(*ADMIN), 200),
    "a key for the administration": ({"authorization": "Bearer sk-admin"}, 200),
    "the same key elsewhere": ({"x-goog-api-key": "sk-admin"}, 200),
    "the same key as a password": (basic("anybody", "sk-admin"), 200),
}
ROUTES: dict[tuple[str, str], int] = {
    ("GET", "/"): 200,
    ("HEAD", "/"): 200,
    ("POST", "/"): 405,
    ("GET", "/admin"): 200,
    ("GET", "/admin/"): 404,
    ("GET", "/admin/nothing"): 404,
    ("GET", "/admin/usage"): 200,
    ("POST", "/admin/usage"): 405,
    ("GET", "/admin/usage/series"): 200,
    ("GET", "/admin/usage/requests.csv"): 200,
    ("GET", "/admin/keys"): 200,
    ("POST", "/admin/keys"): 415,
    ("POST", "/admin/keys/nobody/revoke"): 404,
    ("DELETE", "/admin/keys/nobody"): 404,
    ("GET", "/admin/models"): 200,
    ("GET", "/admin/live"): 200,
    ("POST", "/admin/live/req_1/cancel"): 404,
    ("GET", "/admin/live/req_1/cancel"): 405,
    ("GET", "/admin/playground"): 200,
    ("POST", "/admin/playground"): 400,
    ("GET", "/admin/configuration"): 200,
    ("POST", "/admin/configuration"): 405,
    ("GET", "/admin/credentials"): 200,
    ("PUT", "/admin/credentials"): 405,
    ("GET", f"/admin/credentials/{ID}"): 405,
    ("DELETE", f"/admin/credentials/{ID}"): 204,
    ("POST", f"/admin/credentials/{ID}/enable"): 200,
    ("POST", f"/admin/credentials/{ID}/disable"): 200,
    ("POST", f"/admin/credentials/{ID}/check"): 200,
    ("POST", f"/admin/credentials/{ID}/remove"): 204,
    ("GET", f"/admin/credentials/{ID}/remove"): 405,
    ("POST", f"/admin/credentials/{ID}/revoke"): 404,
    ("POST", "/admin/credentials/unknown/check"): 404,
    ("POST", "/admin/logout"): 303,
    ("GET", "/admin/logout"): 405,
    ("GET", "/oauth2"): 404,
    ("GET", "/oauth2/nothing"): 404,
    ("GET", "/oauth2/login"): 302,
    ("POST", "/oauth2/login"): 405,
}
OPEN: dict[tuple[str, str], int] = {
    ("GET", "/admin/login"): 200,
    ("PUT", "/admin/login"): 405,
    ("POST", "/admin/login/once"): 405,
    ("GET", "/admin/login/once"): 403,
    ("GET", "/admin/static/page.css"): 200,
    ("POST", "/admin/static/page.css"): 405,
    ("GET", "/admin/static/nothing.css"): 404,
    ("GET", "/admin/static/../administration.py"): 404,
    ("GET", "/oauth2/callback"): 400,
    ("POST", "/oauth2/callback"): 405,
}


async def visit(
    app: Starlette, path: str, method: str = "GET", headers: Any = None, client: str = "10.0.0.7"
) -> Outcome:
    async with lifespan(app):
        return await call(app, scope_of(path, method=method, headers=headers, client=client), [b""])


def app_with_keys(tmp_path: Path, **config: Any) -> Starlette:
    return made(tmp_path, Accounts(account()), key=KEYS, auth={"keys": ["sk-plain"]}, **config)


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
@pytest.mark.parametrize("role", ROLES)
async def test_every_route_denies_by_default(tmp_path: Path, role: str, route: tuple[str, str]) -> None:
    (headers, status), (method, path) = ROLES[role], route
    answer = await visit(app_with_keys(tmp_path), path, method, headers)
    assert answer.status == (ROUTES[route] if status == 200 else status)
    assert ("www-authenticate" in answer.headers) == (answer.status == 401)
    assert answer.headers["x-request-id"] == answer.headers["request-id"]
    if answer.status >= 400:
        assert answer.json["error"]["message"]


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", "*/*"])
async def test_a_script_of_a_page_gets_no_challenge(tmp_path: Path, accept: str) -> None:
    """A browser would hold its request for a dialog of its own."""
    headers = {"accept": accept, "x-requested-with": "fetch"}
    for role in ("nobody", "a forged session", "a wrong password"):
        answer = await visit(app_with_keys(tmp_path), "/admin/live", headers={**ROLES[role][0], **headers})
        assert (answer.status, "www-authenticate" in answer.headers) == (401, False)


@pytest.mark.parametrize(("accept", "challenged"), [(HTML["accept"], False), ("application/json", True)])
async def test_the_login_form_brings_up_no_dialog(tmp_path: Path, accept: str, challenged: bool) -> None:
    async with visiting(app_with_keys(tmp_path), accept=accept) as http:
        answer = await http.post("/admin/login", data={"username": "admin", "password": "no"})
    assert (answer.status_code, "www-authenticate" in answer.headers) == (401, challenged)


@pytest.mark.parametrize("route", OPEN, ids=" ".join)
async def test_few_routes_are_open(tmp_path: Path, route: tuple[str, str]) -> None:
    method, path = route
    answer = await visit(app_with_keys(tmp_path), path, method)
    assert answer.status == OPEN[route]


@pytest.mark.parametrize("allowed", ["never", "loopback", "always"])
async def test_whoever_may_chat_may_not_administer(tmp_path: Path, allowed: str) -> None:
    app = made(tmp_path, auth={"allow_anonymous": allowed})
    assert (await visit(app, "/admin/credentials", client="127.0.0.1")).status == 401


async def test_the_guard_stands_without_the_middleware(tmp_path: Path) -> None:
    app = app_with_keys(tmp_path, pipeline={"order": ["auth", "protocol", "model_map"]})
    assert (await visit(app, "/admin/credentials")).status == 401


async def test_the_username_is_part_of_the_password(tmp_path: Path) -> None:
    app = made(tmp_path, admin={"username": "root", "password": "toor"})
    answers = [(await visit(app, "/", headers=basic(*pair))).status for pair in (("root", "toor"), ("admin", "toor"))]
    assert answers == [200, 401]


@pytest.mark.parametrize("given", ["", "hunter22"])
async def test_without_a_password_none_is_right(tmp_path: Path, given: str) -> None:
    app = made(tmp_path, admin={})
    assert (await visit(app, "/", headers=basic("admin", given))).status == 401


async def test_accept_says_where_a_key_may_stand_but_not_the_password(tmp_path: Path) -> None:
    app = made(tmp_path, key=KEYS, auth={"accept": ["x-api-key"]})
    given = [{"x-api-key": "sk-admin"}, {"authorization": "Bearer sk-admin"}, basic("x", "sk-admin"), basic(*ADMIN)]
    assert [(await visit(app, "/", headers=headers)).status for headers in given] == [200, 401, 401, 200]


async def test_unknown_and_wrong_are_told_alike(tmp_path: Path) -> None:
    given = [basic("admin", "hunter2"), basic("root", "hunter22"), {"x-api-key": "sk-no"}, {"x-api-key": "sk-old"}]
    bodies = {(await visit(app_with_keys(tmp_path), "/", headers=headers)).body for headers in given}
    assert bodies == {b'{"error":{"code":"invalid_api_key","message":"wrong name, password or key"}}'}


async def test_a_person_is_led_to_the_login(tmp_path: Path) -> None:
    app = app_with_keys(tmp_path)
    away = [await visit(app, path, headers=HTML) for path in ("/", "/admin/credentials", "/admin/no?x")]
    assert [answer.headers["location"] for answer in away] == [
        "/admin/login",
        "/admin/login?next=/admin/credentials",
        "/admin/login?next=/admin/no%253Fx",
    ]
    assert {answer.status for answer in away} == {303}


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("", 401),
        ("*/*", 401),
        ("application/json", 401),
        ("text/html;q=0.5, application/json", 401),
        ("text/html;q=x, */*;q=0.1", 401),
        ("text/html, application/json", 401),
        ("text/html", 303),
        ("text/*, application/json;q=0.5", 303),
        (HTML["accept"], 303),
    ],
)
async def test_html_is_for_who_prefers_it(tmp_path: Path, accept: str, status: int) -> None:
    assert (await visit(app_with_keys(tmp_path), "/", headers={"accept": accept})).status == status


# failed attempts


async def attempts(app: Starlette, number: int, client: str = "10.0.0.7", **headers: str) -> list[int]:
    sent = headers or basic("admin", "wrong")
    return [(await visit(app, "/", headers=sent, client=client)).status for _ in range(number)]


async def test_after_ten_failed_attempts_in_a_minute_an_address_is_not_heard(tmp_path: Path) -> None:
    clock = FakeClock()
    app = made(tmp_path, clock=clock)
    assert await attempts(app, 12) == [401] * 10 + [429] * 2
    refused = await visit(app, "/", headers=basic(*ADMIN))
    assert (refused.status, refused.json["error"]["code"]) == (429, "rate_limit_exceeded")
    assert 0 < int(refused.headers["retry-after"]) <= 120
    assert await attempts(app, 1, client="10.0.0.8") == [401]
    await clock.advance(float(refused.headers["retry-after"]) + 1)
    assert (await visit(app, "/", headers=basic(*ADMIN))).status == 200


async def test_a_known_key_that_may_not_is_no_failed_attempt_and_is_told_why(tmp_path: Path) -> None:
    app = made(tmp_path, key=KEYS, clock=FakeClock())
    assert await attempts(app, 12, **{"x-api-key": "sk-chat"}) == [401] * 12
    refused = await visit(app, "/", headers={"x-api-key": "sk-chat"})
    assert "its scopes lack admin" in refused.json["error"]["message"]
    assert await attempts(app, 1) == [401]


async def test_a_failed_attempt_is_in_the_log_without_what_was_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await attempts(made(tmp_path, log={"level": "warning"}), 1)
    said = capsys.readouterr().err
    assert '"client":"10.0.0.7","path":"/","event":"administration refused"' in said
    assert "wrong" not in said


async def test_one_site_of_ipv6_counts_as_one(tmp_path: Path) -> None:
    app = made(tmp_path, clock=FakeClock())
    assert await attempts(app, 10, "2001:db8:1:2::1") == [401] * 10
    assert await attempts(app, 1, "2001:db8:1:2:ffff::9") == [429]
    assert await attempts(app, 1, "2001:db8:1:3::1") == [401]


async def test_a_visit_without_any_proof_is_no_attempt(tmp_path: Path) -> None:
    app = made(tmp_path, clock=FakeClock())
    assert await attempts(app, 12, cookie="gateway_session=x") == [401] * 12
    assert (await visit(app, "/", headers=basic(*ADMIN))).status == 200


async def test_keys_without_the_scope_are_no_attempts(tmp_path: Path) -> None:
    assert await attempts(app_with_keys(tmp_path), 12, **{"x-api-key": "sk-chat"}) == [401] * 12


async def test_a_key_is_heard_while_its_address_is_not(tmp_path: Path) -> None:
    app = app_with_keys(tmp_path, clock=FakeClock())
    await attempts(app, 12)
    given = [{"x-api-key": "sk-admin"}, {"x-api-key": "sk-no"}, basic(*ADMIN)]
    assert [(await visit(app, "/", headers=headers)).status for headers in given] == [200, 429, 429]


async def test_all_doors_count_together(tmp_path: Path) -> None:
    app = app_with_keys(tmp_path, clock=FakeClock())
    places = ("/v1/models", "/usage", "/metrics", "/admin/credentials", "/v1beta/models")
    tried = [(await visit(app, path, headers={"x-api-key": "sk-no"})).status for path in (*places, *places)]
    assert tried == [401] * 10
    assert [(await visit(app, path, headers={"x-api-key": "sk-no"})).status for path in places] == [429] * 5


async def test_the_form_counts_with_the_rest(tmp_path: Path) -> None:
    async with visiting(made(tmp_path, clock=FakeClock())) as http:
        wrong = [await http.post("/admin/login", data={"username": "admin", "password": "no"}) for _ in range(11)]
        other = await http.get("/admin/credentials", headers=basic(*ADMIN))
    assert [page.status_code for page in wrong] == [401] * 10 + [429]
    assert "retry-after" in wrong[-1].headers
    assert (other.status_code, "too many failed attempts" in wrong[-1].text) == (429, True)


async def test_a_session_goes_on_while_its_address_is_not_heard(tmp_path: Path) -> None:
    async with visiting(made(tmp_path, clock=FakeClock())) as http:
        await log_in(http)
        for _ in range(12):
            await http.get("/", headers=basic("admin", "no"))
        assert (await http.get("/")).status_code == 200


# what another site makes a browser do


async def change(http: httpx.AsyncClient, headers: Any = None, **form: str) -> int:
    sent = await http.post(f"/admin/credentials/{ID}/disable", data=form, headers=headers or {})
    return sent.status_code


async def test_a_form_needs_the_token_of_its_session(tmp_path: Path) -> None:
    upstream = Accounts(account())
    async with visiting(made(tmp_path, upstream)) as http:
        token = await log_in(http)
        assert [await change(http), await change(http, csrf="0" * 64), await change(http, csrf="ü")] == [403] * 3
        assert upstream.did == []
        assert [await change(http, csrf=token), await change(http, {"x-csrf-token": token})] == [303, 303]


async def test_the_token_of_another_session_is_none(tmp_path: Path) -> None:
    app = made(tmp_path)
    async with visiting(app) as http:
        other = await log_in(http)
        http.cookies.clear()
        token = await log_in(http)
        assert [await change(http, csrf=other), await change(http, csrf=token)] == [403, 303]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://127.0.0.1.evil.example", "http://["])
async def test_a_form_of_another_site_is_refused(tmp_path: Path, origin: str) -> None:
    upstream = Accounts(account())
    async with visiting(made(tmp_path, upstream)) as http:
        token = await log_in(http)
        assert await change(http, {"origin": origin}, csrf=token) == 403
        assert await change(http, {"origin": origin, **basic(*ADMIN)}) == 403
        entered = await http.post("/admin/login", data=dict(zip(("username", "password"), ADMIN, strict=True)),
                                  headers={"origin": origin})  # fmt: skip
    assert (entered.status_code, upstream.did) == (403, [])


async def test_a_session_without_any_origin_is_refused_and_a_program_is_not(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        token = await log_in(http)
        del http.headers["origin"]
        assert await change(http, csrf=token) == 403
        http.cookies.clear()
        assert await change(http, basic(*ADMIN)) == 303


async def test_the_origin_of_public_url_is_our_own(tmp_path: Path) -> None:
    server = {"data_dir": str(tmp_path), "public_url": "https://ai.example.com/team"}
    async with visiting(made(tmp_path, server=server), origin="https://ai.example.com") as http:
        token = await log_in(http)
        assert await change(http, csrf=token) == 303


@pytest.mark.parametrize(
    ("host", "origin", "code"),
    [
        ("gw.example.com:443", "https://gw.example.com", 303),
        ("gw.example.com:80", "http://gw.example.com", 303),
        ("gw.example.com:443", "http://gw.example.com", 403),
        ("gw.example.com:8443", "https://gw.example.com", 403),
    ],
)
async def test_a_proxy_may_name_the_port_that_no_browser_names(
    tmp_path: Path, host: str, origin: str, code: int
) -> None:
    async with visiting(made(tmp_path)) as http:
        form = dict(zip(("username", "password"), ADMIN, strict=True))
        entered = await http.post("/admin/login", data=form, headers={"host": host, "origin": origin})
    assert entered.status_code == code


@pytest.mark.parametrize(
    ("site", "code"), [("same-origin", 303), ("same-site", 403), ("cross-site", 403), ("none", 403), ("", 403)]
)
async def test_a_browser_says_that_a_form_is_our_own_where_a_proxy_names_another_host(
    tmp_path: Path, site: str, code: int
) -> None:
    """As nginx does without `proxy_set_header Host`; some proxies write `http` into `Origin` besides."""
    own = {"host": "gateway:8045", "origin": "https://ai.example.com", "sec-fetch-site": "same-origin"}
    async with visiting(made(tmp_path, Accounts(account()))) as http:
        http.headers.update(own)
        token = await log_in(http)
        http.headers["sec-fetch-site"] = site
        assert await change(http, csrf=token) == code
        form = dict(zip(("username", "password"), ADMIN, strict=True))
        entered = await http.post("/admin/login", data=form)
        assert (entered.status_code, "server.public_url" in entered.text) == (code, code == 403)


async def test_a_form_does_not_dawdle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.admin.visit._LIMIT_S", 0.05)
    app, form = made(tmp_path), {"content-type": "application/x-www-form-urlencoded"}

    async def begun() -> Message:
        return await first.get()

    first: asyncio.Queue[Message] = asyncio.Queue()
    first.put_nowait({"type": "http.request", "body": b"username=", "more_body": True})
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async with lifespan(app):
        await app(scope_of("/admin/login", headers=form), begun, send)
    assert sent[0]["status"] == 408


async def test_a_form_is_short(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        answer = await http.post("/admin/login", data={"username": "x" * 20_000})
    assert answer.status_code == 413
