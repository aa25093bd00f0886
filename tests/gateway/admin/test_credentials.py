"""The credentials of every pool, as programs and people see them, and what can be done with one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gateway.store.stored import StoreFailed
from tests.clocks import FakeClock
from tests.gateway.admin.accounts import ADMIN, Accounts, account, csrf, log_in, made, visiting
from tests.scripted import Scripted, say

pytestmark = pytest.mark.anyio

LIST = "/admin/credentials"
ONE, TWO = account(1).id, account(2).id
JSON = {"accept": "application/json"}


async def listed(app: Starlette) -> Any:
    async with visiting(app, **JSON) as http:
        answer = await http.get(LIST, auth=ADMIN)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    return answer.json()


def act(http: httpx.AsyncClient, action: str, id_: str = ONE, **more: Any) -> Any:
    return http.post(f"{LIST}/{id_}/{action}", auth=ADMIN, **more)


async def test_what_is_not_known_is_null(tmp_path: Path) -> None:
    bare = account(project=None, project_source="", account=None, source="config")
    assert await listed(made(tmp_path, Accounts(bare))) == {
        "credentials": [
            {
                "id": ONE,
                "upstream": "google",
                "account": None,
                "project": None,
                "project_source": None,
                "source": "config",
                "state": "active",
                "reason": None,
                "link": None,
                "enabled": True,
                "token_expires_at": None,
                "cooling": {},
                "quota": {},
                "quota_groups": {},
                "uses": 0,
                "last_used_at": None,
                "last_error": None,
            }
        ]
    }


async def test_what_is_known_has_times_in_utc(tmp_path: Path) -> None:
    known = account(
        state="cooling",
        reason="it used up its quota",
        link="https://accounts.google.com/verify",
        token_expires_at=1_800_000_000.9,
        cooling={"gemini-3-pro": 1_800_003_600.0},
        quota={"gemini-3-pro": (0.0, 1_800_003_600.0), "claude": (0.25, None)},
        groups={"Gemini Models, weekly": (0.5, 1_800_003_600.0)},
        uses=7,
        last_used_at=1_799_999_999.0,
        last_error="429: quota",
    )
    (row,) = (await listed(made(tmp_path, Accounts(known))))["credentials"]
    assert row["token_expires_at"] == "2027-01-15T08:00:00Z"
    assert row["cooling"] == {"gemini-3-pro": "2027-01-15T09:00:00Z"}
    assert row["quota"] == {
        "claude": {"remaining": 0.25, "reset_at": None},
        "gemini-3-pro": {"remaining": 0.0, "reset_at": "2027-01-15T09:00:00Z"},
    }
    assert row["quota_groups"] == {"Gemini Models, weekly": {"remaining": 0.5, "reset_at": "2027-01-15T09:00:00Z"}}
    assert (row["uses"], row["last_used_at"], row["last_error"]) == (7, "2027-01-15T07:59:59Z", "429: quota")
    assert (row["account"], row["project"], row["project_source"]) == ("person1@example.com", "project-1", "discovered")
    assert (row["state"], row["reason"]) == ("cooling", "it used up its quota")


async def test_every_pool_is_listed_and_what_has_none_is_not(tmp_path: Path) -> None:
    app = made(
        tmp_path,
        Accounts(account(1), account(2)),
        Scripted(say("x"), name="plain"),
        Accounts(account(3, upstream="b"), name="b"),
    )
    assert [row["upstream"] for row in (await listed(app))["credentials"]] == ["google", "google", "b"]


async def test_a_program_acts_and_sees_how_it_stands_then(tmp_path: Path) -> None:
    upstream = Accounts(account())
    async with visiting(made(tmp_path, upstream), **JSON) as http:
        off, on, checked = [await act(http, action) for action in ("disable", "enable", "check")]
        gone = await http.delete(f"{LIST}/{ONE}", auth=ADMIN)
        again = await http.delete(f"{LIST}/{ONE}", auth=ADMIN)
    assert (off.json()["state"], off.json()["enabled"]) == ("disabled", False)
    assert off.json()["reason"] == "an operator disabled it"
    assert (on.json()["state"], checked.json()["id"]) == ("active", ONE)
    assert (gone.status_code, gone.content, again.status_code) == (204, b"", 404)
    assert [what for what, _ in upstream.did] == ["disable", "enable", "check", "remove"]


@pytest.mark.parametrize("action", ["enable", "disable", "check", "remove"])
async def test_an_unknown_one_is_404(tmp_path: Path, action: str) -> None:
    upstream = Accounts(account())
    async with visiting(made(tmp_path, upstream), **JSON) as http:
        answer = await act(http, action, TWO)
    assert (answer.status_code, answer.json()["error"]["code"], upstream.did) == (404, "not_found", [])


async def test_one_that_gateway_toml_gives_cannot_be_removed(tmp_path: Path) -> None:
    async with visiting(made(tmp_path, Accounts(account(source="config"))), **JSON) as http:
        answer = await http.delete(f"{LIST}/{ONE}", auth=ADMIN)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    assert answer.json()["error"]["message"] == "gateway.toml gives this credential; take it out there"


async def test_a_store_that_does_not_take_a_removal_is_503(tmp_path: Path) -> None:
    class Full(Accounts):
        async def remove(self, id_: str) -> None:
            raise StoreFailed("database or disk is full")

    async with visiting(made(tmp_path, Full(account())), **JSON) as http:
        answer = await http.delete(f"{LIST}/{ONE}", auth=ADMIN)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
    assert answer.json()["error"]["message"] == "the credentials cannot be saved now; the gateway's log says why"


async def test_the_same_secret_in_two_upstreams_needs_the_upstream(tmp_path: Path) -> None:
    first, second = Accounts(account()), Accounts(account(upstream="b"), name="b")
    async with visiting(made(tmp_path, first, second), **JSON) as http:
        which = await act(http, "disable")
        done = await act(http, "disable", params={"upstream": "b"})
        none = await act(http, "disable", params={"upstream": "c"})
    assert (which.status_code, done.status_code, none.status_code) == (409, 200, 404)
    assert "?upstream= with one of google, b" in which.json()["error"]["message"]
    assert (first.did, len(second.did)) == ([], 1)


async def test_what_was_done_is_in_the_log_without_the_account(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with visiting(made(tmp_path, log={"level": "info"}), **JSON) as http:
        await act(http, "disable")
    said = capsys.readouterr().err
    assert f'"action":"disable","credential":"{ONE[:8]}","by":"admin"' in said
    assert "person1" not in said


# the page


async def page_of(app: Starlette) -> str:
    async with visiting(app) as http:
        await log_in(http)
        return (await http.get(LIST)).text


def words(page: str) -> str:
    """Give what a person reads."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


async def test_the_page_shows_what_each_can_still_do(tmp_path: Path) -> None:
    clock = FakeClock()  # 2027-01-15 08:00 UTC
    now = clock.time()
    shown = account(
        state="needs_verification",
        reason="Google wants its owner to act",
        link="https://accounts.google.com/verify?x=1&y=2",
        cooling={"claude": now + 3900},
        quota={"claude": (0.0, now + 3900), "flash": (0.004, None), "pro": (0.5, now + 86_400), "lite": (1.0, None)},
        groups={"Gemini Models, weekly": (0.25, now + 3 * 86_400)},
        uses=3,
        last_used_at=now - 30,
        last_error="403: verify your account",
        token_expires_at=now + 1800,
    )
    page = await page_of(made(tmp_path, Accounts(shown), clock=clock))
    said = words(page)
    assert "person1@example.com" in said
    assert "project-1 (discovered)" in said
    assert "needs verification Google wants its owner to act" in said
    assert 'href="https://accounts.google.com/verify?x=1&amp;y=2"' in page
    assert "claude cools down until 09:05 UTC (in 1 h 5 min)" in said
    assert '<time datetime="2027-01-15T09:05:00Z" title="2027-01-15T09:05:00Z">' in page
    assert "flash &lt; 1 %" in said
    assert "pro 50 %" in said
    assert "full at 16 Jan 08:00 UTC (in 1 d)" in said
    assert '<meter min="0" max="1" low="0.1" high="0.3" optimum="1" value="0.5" aria-label="pro: 50 % left">' in page
    assert "1 more" in said
    assert "Gemini Models, weekly 25 % full at 18 Jan 08:00 UTC (in 3 d)" in said
    assert "3 uses last 07:59 UTC (30 s ago)" in said
    assert "token until 08:30 UTC" in said
    assert "403: verify your account" in said


async def test_what_an_upstream_said_is_no_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    shown = account(account=evil, reason=evil, last_error=evil, project=evil, quota={evil: (0.5, None)},
                    cooling={evil: 9e9}, link="javascript:alert(1)")  # fmt: skip
    page = await page_of(made(tmp_path, Accounts(shown)))
    assert page.count("&lt;script&gt;") >= 6
    assert evil not in page
    assert "javascript:" not in page


async def test_the_buttons_fit_the_state_and_the_source(tmp_path: Path) -> None:
    upstream = Accounts(
        account(1),
        account(2, enabled=False, state="disabled"),
        account(3, source="config"),
        account(4, source="config", state="needs_verification"),
    )
    page = await page_of(made(tmp_path, upstream))
    buttons = re.findall(r'aria-label="(\w[\w ]*): (person\d)', page)
    assert buttons == [
        ("Check", "person1"),
        ("Disable", "person1"),
        ("Remove permanently", "person1"),
        ("Check", "person2"),
        ("Enable", "person2"),
        ("Remove permanently", "person2"),
        ("Check", "person3"),
        ("Disable", "person3"),
        ("Check", "person4"),
        ("Enable", "person4"),
        ("Disable", "person4"),
    ]


async def test_a_button_leads_back_with_a_message(tmp_path: Path) -> None:
    upstream = Accounts(account())
    async with visiting(made(tmp_path, upstream)) as http:
        token = await log_in(http)
        done = await http.post(f"{LIST}/{ONE}/disable", data={"csrf": token, "upstream": "google"})
        page = await http.get(done.headers["location"])
        gone = await http.post(f"{LIST}/{ONE}/remove", data={"csrf": csrf(page), "upstream": "google"})
        empty = await http.get(gone.headers["location"])
    assert (done.status_code, gone.status_code) == (303, 303)
    assert "Taken out of use: person1@example.com is disabled (an operator disabled it)." in words(page.text)
    assert "Removed." in words(empty.text)
    assert "There are no credentials yet." in words(empty.text)


async def test_the_credentials_in_a_state_are_shown_alone_also_when_one_has_left_it(tmp_path: Path) -> None:
    upstream = Accounts(account(1), account(2, state="disabled", enabled=False), account(3, state="disabled"))
    async with visiting(made(tmp_path, upstream)) as http:
        token = await log_in(http)
        whole = (await http.get(LIST)).text
        closed = (await http.get(f"{LIST}?state=disabled")).text
        back = await http.post(f"{LIST}/{TWO}/enable", data={"csrf": token, "state": "disabled"})
        rest = (await http.get(back.headers["location"])).text
        none = (await http.get(f"{LIST}?state=cooling")).text
    shown = [re.findall(r'<span class="name">(person\d)', page) for page in (whole, closed, rest, none)]
    assert shown == [["person1", "person2", "person3"], ["person2", "person3"], ["person3"], []]
    assert '<a href="/admin/credentials?state=disabled" aria-current="true">2 disabled</a>' in closed
    assert "person2@example.com is active" in rest
    assert "None of its credentials is in this state." in none


async def test_a_button_that_cannot_be_pressed_says_why(tmp_path: Path) -> None:
    async with visiting(made(tmp_path, Accounts(account(source="config")))) as http:
        token = await log_in(http)
        answer = await http.post(f"{LIST}/{ONE}/remove", data={"csrf": token})
    assert answer.status_code == 409
    assert '<p class="note bad" role="alert">gateway.toml gives this credential; take it out there</p>' in answer.text


@pytest.mark.parametrize("query", ["done=hello", "done=check&id=<b>", "done=check"])
async def test_a_link_cannot_put_words_on_the_page(tmp_path: Path, query: str) -> None:
    async with visiting(made(tmp_path)) as http:
        await log_in(http)
        assert '<div id="said" role="status">\n</div>' in (await http.get(f"{LIST}?{query}")).text


async def test_basic_gets_buttons_and_a_key_in_a_header_none(tmp_path: Path) -> None:
    key = {"name": "chief", "secret": "sk-admin", "scopes": ["admin"]}
    async with visiting(made(tmp_path, key=[key])) as http:
        by_password = await http.get(LIST, auth=ADMIN)
        by_key = await http.get(LIST, headers={"x-api-key": "sk-admin"})
    assert ("Disable" in by_password.text, "Disable" in by_key.text) == (True, False)
    assert "person1@example.com" in by_key.text


async def test_accounts_are_added_where_one_can_log_in(tmp_path: Path) -> None:
    page = await page_of(made(tmp_path, Accounts(), Scripted(say("x"), name="plain")))
    assert 'href="/oauth2/login?upstream=google"' in page
    assert page.count("Add a Google account") == 1
    assert "your own OAuth client" in words(page)
    assert "You are responsible for the terms" in words(page)
    assert re.search(r"redirect URI <code>http://127\.0\.0\.1:\d+/oauth2/callback</code>", page)


async def test_an_account_whose_e_mail_is_not_known_is_no_api_key(tmp_path: Path) -> None:
    said = words(await page_of(made(tmp_path, Accounts(account(account=None)))))
    assert f"Google account {account().id[:8]}, from login" in said
    assert "API key" not in said


async def test_what_a_login_misses_is_said_instead(tmp_path: Path) -> None:
    upstream = Accounts()
    upstream.missing = "set upstream.google.oauth.client_id"
    page = await page_of(made(tmp_path, upstream))
    assert "Accounts cannot be added yet: set upstream.google.oauth.client_id" in words(page)
    assert "Add a Google account" not in page


async def test_where_google_cannot_lead_back_the_page_says_so(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        page = await http.get(LIST, auth=ADMIN, headers={"host": "gateway.lan"})
    assert "server.public_url" in page.text
    assert "Add a Google account" not in page.text


async def test_what_is_wrong_with_an_account_is_said_once(tmp_path: Path) -> None:
    same = account(state="suspected", reason="5 failures in a row", last_error="5 failures in a row")
    async with visiting(made(tmp_path, Accounts(same, account(2, reason="it rests", last_error="503 away")))) as http:
        page = (await http.get("/admin/credentials", auth=ADMIN)).text
    assert [page.count(text) for text in ("5 failures in a row", "it rests", "503 away")] == [1, 1, 1]
