"""Sessions: a cookie that any worker knows and that ends with what it began with."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from html import unescape
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from starlette.applications import Starlette

from gateway.admin import Administration
from gateway.admin.lasting import Lasting
from gateway.store.stored import StoreFailed
from tests.clocks import FakeClock
from tests.gateway.admin.accounts import ADMIN, HTML, account, csrf, log_in, made, visiting
from tests.gateway.test_mounting import EACH_HOST, Host, running
from tests.patience import patient

pytestmark = pytest.mark.anyio

CHIEF = {"name": "chief", "secret": "sk-admin", "scopes": ["admin"]}


def cookie(answer: httpx.Response) -> Morsel[str]:
    return SimpleCookie(answer.headers["set-cookie"])[f"gateway_session_{answer.url.port}"]


def showing(http: httpx.AsyncClient, value: str) -> dict[str, str]:
    return {"cookie": f"gateway_session_{http.base_url.port}={value}"}


async def enter(http: httpx.AsyncClient, password: str = ADMIN[1], **more: Any) -> httpx.Response:
    return await http.post("/admin/login", data={"username": "admin", "password": password, **more})


async def knows(app: Starlette, value: str) -> bool:
    async with visiting(app) as http:
        return (await http.get("/", headers=showing(http, value))).status_code == 200


async def session_of(app: Starlette, password: str = ADMIN[1]) -> str:
    async with visiting(app) as http:
        return cookie(await enter(http, password)).value


async def test_the_form_opens_a_session(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        shown = await http.get("/admin/login")
        entered = await enter(http)
        page = await http.get("/")
    assert (shown.status_code, entered.status_code, entered.headers["location"], page.status_code) == (
        200,
        303,
        "/",
        200,
    )
    morsel = cookie(entered)
    assert (morsel["httponly"], morsel["samesite"], morsel["path"], morsel["secure"]) == (True, "strict", "/", "")
    assert (morsel["max-age"], morsel["domain"]) == (str(12 * 3600), "")


async def test_a_wrong_password_is_told_in_the_form(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        page = await enter(http, "<b>wrong</b>", username="<i>admin</i>")
    assert (page.status_code, "set-cookie" in page.headers) == (401, False)
    assert "wrong name, password or key" in page.text
    assert "&lt;i&gt;admin" in page.text
    assert "wrong</b>" not in page.text


async def test_a_program_gets_the_login_refused_as_json(tmp_path: Path) -> None:
    async with visiting(made(tmp_path), accept="application/json") as http:
        answer = await enter(http, "no")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


async def test_a_key_with_the_scope_admin_opens_a_session_too(tmp_path: Path) -> None:
    keys = [CHIEF, {"name": "alice", "secret": "sk-chat"}]
    async with visiting(made(tmp_path, key=keys)) as http:
        assert (await enter(http, "sk-chat")).status_code == 401
        await log_in(http, "", "sk-admin")
        assert "chief" in (await http.get("/")).text


async def test_one_who_is_in_needs_no_form(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        await log_in(http)
        again = await http.get("/admin/login?next=/admin/credentials")
    assert (again.status_code, again.headers["location"]) == (303, "/admin/credentials")


@pytest.mark.parametrize(
    ("wanted", "where"),
    [
        ("/admin/credentials", "/admin/credentials"),
        ("", "/"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/admin/login?x", "/"),
        ("/admin/logout", "/"),
        ("/admin/usage?by=day&since=30d", "/admin/usage?by=day&since=30d"),
        ("/oauth2/login?upstream=google", "/"),
        ("/?since=30d", "/?since=30d"),
        ("/\\evil.example?x", "/"),
        ("/admin/\r\nset-cookie: x=y", "/admin/%0D%0Aset-cookie%3A%20x=y"),
    ],
)
async def test_the_login_leads_on_to_our_own_pages_only(tmp_path: Path, wanted: str, where: str) -> None:
    async with visiting(made(tmp_path)) as http:
        entered = await enter(http, next=wanted)
    assert entered.headers["location"] == where


async def way_back(http: httpx.AsyncClient, path: str, **headers: str) -> str:
    """Ask for a page without a session, log in where that leads to, and give the path where that leads."""
    away = await http.get(path, headers=headers)
    form = (await http.get(urljoin(str(away.url), away.headers.get("location") or away.headers["hx-redirect"]))).text
    wanted = re.search(r'name="next" value="([^"]*)"', form)
    assert wanted, form
    return (await enter(http, next=unescape(wanted[1]))).headers["location"]


@pytest.mark.parametrize("headers", [{}, {"hx-request": "true"}], ids=["page", "htmx"])
@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/admin/usage?by=day&since=30d", "/admin/usage?by=day&since=30d"),
        ("/admin/usage?caller=a+b%26c%3D%C3%A9&model=x/y%25", "/admin/usage?caller=a%20b%26c%3D%C3%A9&model=x%2Fy%25"),
        ("/admin/usage?key=sk-no&by=day", "/admin/usage?by=day"),
        ("/admin/a%3Fb%25", "/admin/a%3Fb%25"),
        ("/?since=30d", "/?since=30d"),
    ],
)
async def test_the_way_back_keeps_what_was_asked_for(
    tmp_path: Path, path: str, where: str, headers: dict[str, str]
) -> None:
    async with visiting(made(tmp_path)) as http:
        assert await way_back(http, path, **headers) == where


@asynccontextmanager
async def below(host: Host, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Visit an app that is mounted in a host, as a browser does."""
    async with running(host, made(tmp_path)) as url:
        origin = url.removesuffix(host.prefix)
        async with httpx.AsyncClient(base_url=url, headers={**HTML, "origin": origin}, timeout=20) as http:
            yield http


@EACH_HOST
async def test_below_a_prefix_the_way_back_keeps_it_too(host: Host, tmp_path: Path) -> None:
    async with below(host, tmp_path) as http:
        away = await http.get("/admin/usage?by=day&since=30d")
        entered = await enter(http, next="/admin/usage?by=day&since=30d")
    assert away.headers["location"] == f"{host.public}/admin/login?next=/admin/usage%3Fby%3Dday%26since%3D30d"
    assert entered.headers["location"] == f"{host.public}/admin/usage?by=day&since=30d"


async def test_the_cookie_is_for_https_where_the_browser_talks_it(tmp_path: Path) -> None:
    async with visiting(made(tmp_path), **{"x-forwarded-proto": "https"}) as http:  # uvicorn trusts 127.0.0.1
        assert cookie(await enter(http))["secure"] is True


async def test_two_gateways_on_one_machine_keep_their_sessions_apart(tmp_path: Path) -> None:
    async with visiting(made(tmp_path / "one")) as browser, visiting(made(tmp_path / "two")) as second:
        other = str(second.base_url)  # the same host, so the browser shows it all the cookies of the first
        await enter(browser)
        given = {"username": ADMIN[0], "password": ADMIN[1]}
        await browser.post(f"{other}/admin/login", data=given, headers={"origin": other})
        pages = [(await browser.get(page)).status_code for page in ("/", other)]
    assert pages == [200, 200]


async def test_logging_out_takes_the_cookie_back(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        token = await log_in(http)
        out = await http.post("/admin/logout", data={"csrf": token})
        after = await http.get("/")
    assert (out.status_code, out.headers["location"], cookie(out)["max-age"]) == (303, "/admin/login", "0")
    assert (after.status_code, after.headers["location"]) == (303, "/admin/login")


async def test_logging_out_ends_copies_of_the_cookie_on_every_worker(tmp_path: Path) -> None:
    app, other = made(tmp_path), made(tmp_path)
    async with visiting(app) as http:
        value = cookie(await enter(http)).value
        token = csrf(await http.get("/admin/credentials"))
        assert await knows(other, value)
        await http.post("/admin/logout", data={"csrf": token})
    assert [await knows(app, value), await knows(other, value), await knows(made(tmp_path), value)] == [False] * 3
    assert await knows(app, await session_of(other))


async def test_a_session_lasts_twelve_hours(tmp_path: Path) -> None:
    clock = FakeClock()
    app = made(tmp_path, clock=clock)
    value = await session_of(app)
    await clock.advance(12 * 3600 - 1)
    assert await knows(app, value)
    await clock.advance(1)
    assert not await knows(app, value)


@pytest.mark.parametrize(
    "forge",
    [
        lambda value: value[:-1] + ("0" if value[-1] != "0" else "1"),
        lambda value: "9" + value,
        lambda value: value.replace(".password-", ".key-", 1),
        lambda value: value.rpartition(".")[0],
        lambda value: value.rpartition(".")[0] + ".",
        lambda _: "....",
        lambda _: "",
    ],
)
async def test_a_changed_cookie_is_none(tmp_path: Path, forge: Callable[[str], str]) -> None:
    app = made(tmp_path)
    value = await session_of(app)
    assert await knows(app, value)
    assert not await knows(app, forge(value))


async def test_every_worker_and_the_next_start_know_it(tmp_path: Path) -> None:
    value = await session_of(made(tmp_path))
    assert await knows(made(tmp_path), value)
    (tmp_path / "other").mkdir()
    assert not await knows(made(tmp_path / "other"), value)


async def test_another_host_with_the_same_database_knows_it(tmp_path: Path, postgres_url: str) -> None:
    one, other = (made(tmp_path / name, store={"database": postgres_url}) for name in ("one", "other"))
    assert await knows(other, await session_of(one))


async def test_another_password_ends_the_sessions_of_the_old_one(tmp_path: Path) -> None:
    value = await session_of(made(tmp_path))
    assert not await knows(made(tmp_path, admin={"password": "other"}), value)
    assert not await knows(made(tmp_path, admin={}), value)
    assert await knows(made(tmp_path), value)


async def test_a_password_ends_the_sessions_of_the_link(tmp_path: Path) -> None:
    app = made(tmp_path, admin={})
    async with visiting(app) as http:
        link = await app.state.gateway.administration.link(str(http.base_url), shared=True)
        value = cookie(await http.get(link)).value
    assert await knows(made(tmp_path, admin={}), value)
    assert not await knows(made(tmp_path), value)


async def test_the_session_of_a_key_ends_with_it(tmp_path: Path) -> None:
    value = await session_of(made(tmp_path, key=[CHIEF]), "sk-admin")
    assert await knows(made(tmp_path, key=[CHIEF]), value)
    assert not await knows(made(tmp_path, key=[{**CHIEF, "scopes": ["chat"]}]), value)
    assert not await knows(made(tmp_path), value)


@EACH_HOST
async def test_below_a_prefix_links_and_the_cookie_have_it(host: Host, tmp_path: Path) -> None:
    async with below(host, tmp_path) as http:
        away = await http.get("/admin/credentials")
        entered = await enter(http)
        value = cookie(entered)
        page = await http.get("/admin/credentials", headers=showing(http, value.value))
    assert away.headers["location"] == f"{host.public}/admin/login?next=/admin/credentials"
    assert (value["path"], entered.headers["location"]) == (host.public or "/", f"{host.public}/")
    assert f'href="{host.public}/admin/static/page.css"' in page.text
    assert f'action="{host.public}/admin/credentials/{account().id}/check"' in page.text


async def test_behind_a_proxy_that_cuts_a_prefix_public_url_says_it(tmp_path: Path) -> None:
    server = {"data_dir": str(tmp_path), "public_url": "https://ai.example.com/team"}
    async with visiting(made(tmp_path, server=server), host="ai.example.com") as http:
        away = await http.get("/admin/credentials")
    assert away.headers["location"] == "/team/admin/login?next=/admin/credentials"


# the store


class Broken:
    """A store that fails until somebody mends it."""

    def __init__(self) -> None:
        self.fails = True
        self.settings: dict[str, str] = {}

    def close(self) -> None:
        """Nothing to close."""

    def setting(self, name: str, make: Callable[[], str]) -> str:
        if self.fails:
            raise StoreFailed("disk full")
        return self.settings.setdefault(name, make())

    def begin_login(self, hash_: str, words: str, until: float) -> None:
        raise StoreFailed("disk full")

    def has_login(self, hash_: str, now: float) -> bool:
        raise StoreFailed("disk full")

    def take_login(self, hash_: str, now: float) -> str | None:
        raise StoreFailed("disk full")


async def test_while_the_store_is_away_a_process_knows_its_own_sessions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app, clock, store = made(tmp_path, log={"level": "warning"}), FakeClock(), Broken()
    held = app.state.gateway
    lasting = Lasting(lambda: store, clock, held.logger)
    held.administration = Administration(held.services, held.scrape._guard, held.administration.inside, lasting)
    value = await session_of(app)
    assert await knows(app, value)
    assert capsys.readouterr().err.count("disk full") == 1
    store.fails = False
    await clock.advance(1.1)
    assert not await knows(app, value)
    assert await knows(app, await session_of(app))
    assert list(store.settings) == ["admin_sessions"]


async def test_a_store_that_is_silent_keeps_no_visitor_and_no_end_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.admin.lasting._ANSWER_S", 0.05)
    clock, answers = FakeClock(), threading.Event()

    class Silent(Broken):
        def setting(self, name: str, make: Callable[[], str]) -> str:
            answers.wait(patient(60))
            return super().setting(name, make)

    lasting = Lasting(Silent, clock, made(Path("unused")).state.gateway.logger)
    try:
        async with asyncio.timeout(patient(20)):
            assert {*await asyncio.gather(lasting.secret(), lasting.secret())} == {lasting._own_secret}
            await clock.advance(1.1)
            assert await lasting.secret() == lasting._own_secret
            await lasting.close()
    finally:
        answers.set()


async def test_the_secret_is_known_before_the_page_is_opened() -> None:
    clock, store = FakeClock(), Broken()
    lasting = Lasting(lambda: store, clock, made(Path("unused")).state.gateway.logger)
    lasting.start()
    await clock.advance(1.1)  # it is away when this process starts
    store.fails = False
    while not lasting._secret:
        await clock.advance(1.1)
    store.fails = True
    assert await lasting.secret() == store.settings["admin_sessions"]
    await lasting.close()


async def test_what_is_begun_while_the_store_is_away_is_known_here_once() -> None:
    clock = FakeClock()
    lasting = Lasting(Broken, clock, made(Path("unused")).state.gateway.logger)
    assert not await lasting.begin("token", "words")
    assert [await lasting.take("token"), await lasting.take("token")] == ["words", None]
    await lasting.begin("token", "words")
    await clock.advance(600)
    assert await lasting.take("token") is None


async def test_a_wrong_encryption_key_leaves_the_page_usable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = ["cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=", "VuLtIHVlQsQ4lTDdmdY0tq8Fr0Whu2dwMRTcAu8M3zA="]
    await session_of(made(tmp_path, store={"encryption_key": keys[0]}))
    app = made(tmp_path, store={"encryption_key": keys[1]}, log={"level": "warning"})
    assert await knows(app, await session_of(app))
    assert "known to one process only" in capsys.readouterr().err
