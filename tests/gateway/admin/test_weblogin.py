"""Log an account in by the browser: where it is sent, what must come back, and what it sees meanwhile."""

from __future__ import annotations

from hashlib import sha256
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from gateway.errors import UpstreamUnavailable
from tests.clocks import FakeClock
from tests.gateway.admin.accounts import (
    ADMIN,
    AUTHORIZE,
    FAILED,
    Accounts,
    account,
    log_in,
    made,
    state_of,
    visiting,
)
from tests.gateway.test_mounting import EACH_HOST, Host, running
from tests.scripted import Scripted, say

pytestmark = pytest.mark.anyio

LOGIN = "/oauth2/login?upstream=google"
GOOGLE = "https://accounts.google.com"


async def begin(http: httpx.AsyncClient, path: str = LOGIN, **headers: str) -> httpx.Response:
    return await http.get(path, auth=ADMIN, headers=headers)


async def come_back(http: httpx.AsyncClient, begun: httpx.Response, **answer: str) -> httpx.Response:
    given = {"state": state_of(begun), "code": "4/code", **answer}
    return await http.get("/oauth2/callback", params={name: value for name, value in given.items() if value})


async def test_the_browser_is_sent_to_google_with_a_cookie_of_its_own(tmp_path: Path) -> None:
    async with visiting(made(tmp_path, Accounts())) as http:
        begun = await begin(http)
        origin = str(http.base_url).rstrip("/")
    ((name, morsel),) = SimpleCookie(begun.headers["set-cookie"]).items()
    assert (begun.status_code, begun.headers["location"].startswith(AUTHORIZE)) == (302, True)
    assert redirect_of(begun) == f"{origin}/oauth2/callback"
    assert name.startswith("gateway_login_")
    assert (morsel["path"], morsel["samesite"], morsel["httponly"], morsel["max-age"]) == (
        "/oauth2",
        "lax",
        True,
        "600",
    )
    assert state_of(begun) not in morsel.value


async def test_the_answer_is_traded_and_each_step_told(tmp_path: Path) -> None:
    upstream = Accounts()
    upstream.steps = ("It is <b>person9</b>", "Project project-9, discovered")
    async with visiting(made(tmp_path, upstream)) as http:
        begun = await begin(http)
        done = await come_back(http, begun, iss=GOOGLE, scope="email")
        origin = str(http.base_url).rstrip("/")
    assert (done.status_code, done.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<li>It is &lt;b&gt;person9&lt;/b&gt;</li>" in done.text
    assert "person9@example.com is active." in done.text
    assert 'href="/admin/credentials"' in done.text
    ((consent, code),) = upstream.logins
    assert (consent.state, consent.verifier, code) == (state_of(begun), "the-verifier", "4/code")
    assert (consent.redirect_uri, consent.url) == (f"{origin}/oauth2/callback", begun.headers["location"])
    assert "Max-Age=0" in done.headers["set-cookie"]


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        ("needs_verification", "the account must be verified", "needs verification: the account must be verified."),
        ("disabled", "refused for good: it was suspended.", "is disabled: refused for good: it was suspended."),
    ],
)
async def test_an_account_that_cannot_serve_is_not_called_well(
    tmp_path: Path, state: str, reason: str, said: str
) -> None:
    upstream = Accounts()
    upstream.outcome = account(9, state=state, reason=reason)
    async with visiting(made(tmp_path, upstream)) as http:
        done = await come_back(http, await begin(http))
    assert f'<p class="note bad" role="status">person9@example.com {said}</p>' in done.text


async def test_the_steps_are_seen_as_they_happen(tmp_path: Path) -> None:
    gate, upstream = anyio.Event(), Accounts()
    upstream.steps = ("The code was traded", gate.wait, "The project is there")
    async with visiting(made(tmp_path, upstream)) as http:
        begun = await begin(http)
        seen = ""
        async with http.stream("GET", f"/oauth2/callback?state={state_of(begun)}&code=x") as page:
            async for piece in page.aiter_text():
                seen += piece
                if "The code was traded</li>" in seen and not gate.is_set():
                    assert "The project is there" not in seen
                    gate.set()
    assert "The project is there" in seen
    assert seen.rstrip().endswith("</html>")


async def test_a_login_goes_on_when_the_browser_has_gone(tmp_path: Path) -> None:
    gate, upstream = anyio.Event(), Accounts()
    upstream.steps = ("begun", gate.wait)
    async with visiting(made(tmp_path, upstream)) as http:
        begun = await begin(http)
        async with http.stream("GET", f"/oauth2/callback?state={state_of(begun)}&code=x"):
            pass
        gate.set()
        # the end of the app waits for it
    assert list(upstream.kept) == [account(9).id]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (FAILED, "No account was added: the code was refused: it had been used"),
        (UpstreamUnavailable("the token endpoint is away"), "No account was added: the token endpoint is away"),
        (RuntimeError("1//secret"), "No account was added: the gateway failed; its log says more"),
    ],
)
async def test_a_login_that_fails_says_why(
    tmp_path: Path, outcome: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream = Accounts()
    upstream.outcome = outcome
    async with visiting(made(tmp_path, upstream)) as http:
        done = await come_back(http, await begin(http))
    assert (done.status_code, said in done.text, upstream.kept) == (200, True, {})
    assert "secret" not in done.text + capsys.readouterr().err


# what does not fit


async def refused(http: httpx.AsyncClient, begun: httpx.Response, **answer: str) -> tuple[int, str]:
    page = await come_back(http, begun, **answer)
    return page.status_code, page.text


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ({"state": ""}, 400, "it has no state"),
        ({"state": "x" * 32}, 403, "this browser did not start this login"),
        ({"code": ""}, 403, "no account was added: the response has no code"),
        ({"error": "access_denied", "code": ""}, 403, "no account was added: access was denied"),
        ({"error": "admin_policy_enforced"}, 403, "the login was refused: admin_policy_enforced"),
        ({"error": "<b>x</b>"}, 403, "the login was refused: an unknown error"),
        ({"iss": "https://evil.example"}, 403, "the response comes from another server"),
        ({"iss": "https://accounts.google.com.evil.example"}, 403, "the response comes from another server"),
    ],
)
async def test_an_answer_that_does_not_fit_is_refused(
    tmp_path: Path, answer: dict[str, str], status: int, said: str
) -> None:
    upstream = Accounts()
    async with visiting(made(tmp_path, upstream)) as http:
        got, text = await refused(http, await begin(http), **answer)
    assert (got, said in text, upstream.logins) == (status, True, [])


async def test_a_denial_uses_the_state_up(tmp_path: Path) -> None:
    upstream = Accounts()
    async with visiting(made(tmp_path, upstream)) as http:
        begun = await begin(http)
        cookies = dict(http.cookies)
        await refused(http, begun, error="access_denied", code="")
        http.cookies.update(cookies)
        again = await refused(http, begun)
    assert (again[0], "has been used" in again[1], upstream.logins) == (400, True, [])


async def test_a_state_serves_once(tmp_path: Path) -> None:
    upstream = Accounts()
    async with visiting(made(tmp_path, upstream)) as http:
        begun = await begin(http)
        cookies = dict(http.cookies)
        await come_back(http, begun)
        http.cookies.update(cookies)  # as one has it who kept the cookie
        again = await refused(http, begun)
    assert (again[0], "has been used" in again[1], len(upstream.logins)) == (400, True, 1)


async def test_a_state_lives_ten_minutes(tmp_path: Path) -> None:
    upstream, clock = Accounts(), FakeClock()
    async with visiting(made(tmp_path, upstream, clock=clock)) as http:
        first, second = await begin(http), await begin(http)
        await clock.advance(599)
        in_time = await come_back(http, first)
        await clock.advance(1)
        late = await refused(http, second)
    assert (in_time.status_code, late[0], len(upstream.logins)) == (200, 400, 1)
    assert "older than 10 minutes" in late[1]


async def test_another_browser_cannot_end_a_login_nor_use_it_up(tmp_path: Path) -> None:
    upstream, app = Accounts(), made(tmp_path, Accounts())
    app = made(tmp_path, upstream)
    async with visiting(app) as http:
        begun = await begin(http)
        cookies = dict(http.cookies)
        http.cookies.clear()
        assert (await refused(http, begun))[0] == 403
        other = await begin(http)  # a login of its own is not one of this one
        assert (await refused(http, begun))[0] == 403
        assert state_of(other) != state_of(begun)
        http.cookies.update(cookies)
        assert (await come_back(http, begun)).status_code == 200


async def test_two_logins_at_a_time_do_not_meet(tmp_path: Path) -> None:
    upstream = Accounts()
    async with visiting(made(tmp_path, upstream)) as http:
        first, second = await begin(http), await begin(http)
        assert [(await come_back(http, one)).status_code for one in (first, second)] == [200, 200]


async def test_any_worker_takes_the_answer(tmp_path: Path) -> None:
    one, other = Accounts(), Accounts()
    async with visiting(made(tmp_path, one)) as http:
        begun = await begin(http)
        cookies = dict(http.cookies)
    async with visiting(made(tmp_path, other)) as http:
        http.cookies.update(cookies)
        assert (await come_back(http, begun)).status_code == 200
    assert (one.logins, len(other.logins)) == ([], 1)


async def test_another_host_with_the_same_database_takes_the_answer_once(tmp_path: Path, postgres_url: str) -> None:
    upstreams = [Accounts(), Accounts()]
    one, other = (
        made(tmp_path / str(place), upstream, store={"database": postgres_url})
        for place, upstream in enumerate(upstreams)
    )
    async with visiting(one) as http:
        begun = await begin(http)
        cookies = dict(http.cookies)
    statuses = []
    for app in (other, one):
        async with visiting(app) as http:
            http.cookies.update(cookies)
            statuses.append((await come_back(http, begun)).status_code)
    assert (statuses, [len(upstream.logins) for upstream in upstreams]) == ([200, 400], [0, 1])


# where it begins


@pytest.mark.parametrize(
    ("path", "status"),
    [("/oauth2/login?upstream=nobody", 404), ("/oauth2/login?upstream=x", 404)],
)
async def test_an_upstream_without_logins_is_none(tmp_path: Path, path: str, status: int) -> None:
    async with visiting(made(tmp_path, Accounts(), Scripted(say("x"), name="x"))) as http:
        assert (await begin(http, path)).status_code == status


async def test_the_only_one_with_logins_needs_no_name(tmp_path: Path) -> None:
    upstream = Accounts()
    async with visiting(made(tmp_path, upstream, Scripted(say("x"), name="x"))) as http:
        begun = await begin(http, "/oauth2/login")
        assert begun.headers["location"].startswith(AUTHORIZE)
        assert (await come_back(http, begun)).status_code == 200
    assert len(upstream.logins) == 1


async def test_of_several_one_is_to_be_named(tmp_path: Path) -> None:
    async with visiting(made(tmp_path, Accounts(name="one"), Accounts(name="two"))) as http:
        answer = await begin(http, "/oauth2/login")
    assert (answer.status_code, "one, two" in answer.text) == (400, True)


async def test_without_an_upstream_that_takes_accounts_there_is_no_login(tmp_path: Path) -> None:
    async with visiting(made(tmp_path, Scripted(say("x"), name="x"))) as http:
        assert (await begin(http, "/oauth2/login")).status_code == 404


async def test_what_is_not_configured_is_said(tmp_path: Path) -> None:
    upstream = Accounts()
    upstream.missing = "set upstream.google.oauth.client_id"
    async with visiting(made(tmp_path, upstream)) as http:
        answer = await begin(http)
    assert (answer.status_code, upstream.missing in answer.text) == (409, True)


async def test_only_who_is_in_begins_one(tmp_path: Path) -> None:
    async with visiting(made(tmp_path, Accounts())) as http:
        away = await http.get(LOGIN)
        await log_in_without_accounts(http)
        begun = await http.get(LOGIN)
    assert (away.status_code, away.headers["location"]) == (303, "/admin/login")
    assert (begun.status_code, begun.headers["location"].startswith(AUTHORIZE)) == (302, True)


async def log_in_without_accounts(http: httpx.AsyncClient) -> None:
    entered = await http.post("/admin/login", data=dict(zip(("username", "password"), ADMIN, strict=True)))
    assert entered.status_code == 303


def redirect_of(begun: httpx.Response) -> str:
    return httpx.URL(begun.headers["location"]).params["redirect_uri"]


@pytest.mark.parametrize("host", ["localhost:9", "127.0.0.1", "[::1]:80", "LOCALHOST:1"])
async def test_on_loopback_google_leads_back_to_where_the_browser_is(tmp_path: Path, host: str) -> None:
    async with visiting(made(tmp_path, Accounts())) as http:
        assert redirect_of(await begin(http, host=host)) == f"http://{host}/oauth2/callback"


@pytest.mark.parametrize("host", ["gateway.lan", "localhost.evil.example", "localhost:80@evil.example", "127.0.0.1:x"])
async def test_elsewhere_public_url_is_needed(tmp_path: Path, host: str) -> None:
    upstream = Accounts()
    async with visiting(made(tmp_path, upstream)) as http:
        answer = await begin(http, host=host)
    assert (answer.status_code, "server.public_url" in answer.text) == (409, True)


async def test_public_url_is_where_google_leads_back(tmp_path: Path) -> None:
    server = {"data_dir": str(tmp_path), "public_url": "https://ai.example.com/team/"}
    async with visiting(made(tmp_path, Accounts(), server=server), **{"x-forwarded-proto": "https"}) as http:
        begun = await begin(http, host="ai.example.com")
    assert redirect_of(begun) == "https://ai.example.com/team/oauth2/callback"
    ((_, morsel),) = SimpleCookie(begun.headers["set-cookie"]).items()
    assert (morsel["path"], morsel["secure"]) == ("/team/oauth2", True)


@EACH_HOST
async def test_a_mounted_gateway_is_led_back_to_below_its_prefix(host: Host, tmp_path: Path) -> None:
    async with running(host, made(tmp_path, Accounts())) as url, httpx.AsyncClient(base_url=url) as http:
        begun = await begin(http)
    assert redirect_of(begun) == f"{url.removesuffix(host.prefix)}{host.public}/oauth2/callback"


# what is written down


async def test_neither_code_nor_state_nor_cookie_is_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream = Accounts()
    async with visiting(made(tmp_path, upstream, log={"level": "debug"})) as http:
        await log_in_without_accounts(http)
        begun = await http.get(LOGIN)
        secrets: list[Any] = [state_of(begun), "4/canary", "the-verifier", *dict(http.cookies).values()]
        await come_back(http, begun, code="4/canary")
        await come_back(http, begun, code="4/canary")
        upstream.outcome = RuntimeError("a defect")
        await come_back(http, await http.get(LOGIN), code="4/canary")
        token = await log_in(http)
    said = capsys.readouterr().err
    assert '"event":"account logged in"' in said
    assert '"event":"defect"' in said
    assert [secret for secret in (*secrets, token) if secret in said] == []


def written(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())


async def test_what_is_kept_of_a_login_is_encrypted(tmp_path: Path) -> None:
    key = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
    app = made(tmp_path, Accounts(), store={"encryption_key": key})
    async with visiting(app) as http:
        begun = await begin(http)
    kept = written(tmp_path)
    assert b"logins" in kept
    assert sha256(state_of(begun).encode()).hexdigest().encode() in kept
    assert state_of(begun).encode() not in kept
    assert b"the-verifier" not in kept
