"""Without a password `gateway run` prints a link that opens the page once, on this machine."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.clocks import FakeClock
from tests.gateway.admin.accounts import HTML, Accounts, account, made, visiting
from tests.processes import Program, gateway

pytestmark = pytest.mark.anyio

ONCE = "/admin/login/once"


def names(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def test_it_opens_a_session_once(tmp_path: Path) -> None:
    app = made(tmp_path, admin={})
    async with visiting(app) as http:
        link = await app.state.gateway.administration.link(str(http.base_url), shared=False)
        opened, page = await http.get(link), await http.get("/")
        http.cookies.clear()
        again, without = await http.get(link), await http.get("/")
    assert (opened.status_code, opened.headers["location"], page.status_code) == (303, "/", 200)
    assert opened.headers["referrer-policy"] == again.headers["referrer-policy"] == "no-referrer"
    assert (again.status_code, "has been used" in again.text, without.status_code) == (403, True, 303)


async def test_it_lives_ten_minutes(tmp_path: Path) -> None:
    clock = FakeClock()
    app = made(tmp_path, admin={}, clock=clock)
    async with visiting(app) as http:
        link = await app.state.gateway.administration.link(str(http.base_url), shared=True)
        await clock.advance(600)
        assert (await http.get(link)).status_code == 403


@pytest.mark.parametrize("shared", [True, False])
async def test_every_worker_knows_it_where_there_are_several(tmp_path: Path, shared: bool) -> None:
    one, other = made(tmp_path, admin={}), made(tmp_path, admin={})
    async with visiting(one), visiting(other) as http:
        link = await one.state.gateway.administration.link(str(http.base_url), shared=shared)
        opened, page = await http.get(link), await http.get("/")
        again = await http.get(link)
    assert (opened.status_code, page.status_code, again.status_code) == ((303, 200, 403) if shared else (403, 303, 403))


async def test_one_process_writes_nothing_for_it(tmp_path: Path) -> None:
    app = made(tmp_path, admin={})
    async with visiting(app) as http:
        assert await app.state.gateway.administration.link(str(http.base_url), shared=False)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "headers", [{"x-forwarded-for": "127.0.0.1"}, {"host": "gateway.lan"}, {"origin": "https://evil.example"}]
)
async def test_it_is_for_this_machine(tmp_path: Path, headers: dict[str, str]) -> None:
    app = made(tmp_path, admin={})
    async with visiting(app) as http:
        link = await app.state.gateway.administration.link(str(http.base_url), shared=False)
        refused, here = await http.get(link, headers=headers), await http.get(link)
    assert (refused.status_code, "works only in a browser" in refused.text, here.status_code) == (403, True, 303)
    assert "set admin.password" in refused.text


@pytest.mark.parametrize("query", ["", "?token=", "?token=x", "?token=link"])
async def test_a_guess_is_refused(tmp_path: Path, query: str) -> None:
    async with visiting(made(tmp_path, admin={})) as http:
        assert (await http.get(ONCE + query)).status_code == 403


@pytest.mark.parametrize(
    ("address", "starts"),
    [
        ("http://127.0.0.1:8045", "http://127.0.0.1:8045/admin/login/once?token="),
        ("http://[::1]:8045", "http://[::1]:8045/admin/login/once?token="),
        ("http://0.0.0.0:8045", "http://127.0.0.1:8045/admin/login/once?token="),
        ("http://[::]:8045", "http://[::1]:8045/admin/login/once?token="),
        ("http://192.0.2.7:8045", ""),
    ],
)
async def test_it_leads_to_where_this_machine_reaches_the_gateway(tmp_path: Path, address: str, starts: str) -> None:
    link = await made(tmp_path, admin={}).state.gateway.administration.link(address, shared=False)
    assert link.startswith(starts)
    assert bool(link) == bool(starts)


async def test_with_a_password_there_is_none(tmp_path: Path) -> None:
    app = made(tmp_path, Accounts(account()))
    assert await app.state.gateway.administration.link("http://127.0.0.1:8045", shared=False) == ""


# `gateway run`


def open_page(program: Program) -> tuple[int, int, int]:
    """Open the link, look at the page, and open the link again; give the statuses."""
    found = re.search(r"page: (http://\S+)", program.says("page: "))
    assert found is not None
    with httpx.Client(headers=HTML, timeout=20) as http:
        opened, page = http.get(found[1]), http.get(f"{program.url}/admin/credentials")
        return opened.status_code, page.status_code, http.get(found[1]).status_code


def test_gateway_run_prints_it(tmp_path: Path) -> None:
    with gateway(tmp_path) as program:
        assert open_page(program) == (303, 200, 403)
        assert "once, within 10 minutes, on this machine" in program.output


def test_gateway_run_with_several_workers_prints_one_that_each_knows(tmp_path: Path) -> None:
    with gateway(tmp_path, "--workers", "3") as program:
        found = re.search(r"page: (http://\S+)", program.says("page: "))
        assert found is not None
        statuses = [httpx.get(found[1], headers=HTML, timeout=20).status_code for _ in range(6)]
    assert sorted(statuses) == [303] + [403] * 5
    assert statuses[0] == 303


def test_gateway_run_with_a_password_prints_where_the_page_is(tmp_path: Path) -> None:
    with gateway(tmp_path, GATEWAY_ADMIN_PASSWORD="hunter22") as program:
        said = program.says("page: ").strip()
        assert said == f"page: {program.url}/ (as admin)"
        assert httpx.get(program.url, auth=("admin", "hunter22"), headers=HTML).status_code == 200
    assert "hunter22" not in program.output
