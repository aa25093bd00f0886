"""The page of the callers' keys without a browser: what is shown once, to whom, and what is said of mistakes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.gateway.admin.accounts import ADMIN, log_in, made, visiting

pytestmark = pytest.mark.anyio

PROGRAM = {"accept": "application/json"}


async def test_the_secret_is_in_one_answer_and_nowhere_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = made(tmp_path, log={"level": "debug", "format": "json"})
    async with visiting(app) as http:
        token = await log_in(http)
        shown = await http.post("/admin/keys", data={"csrf": token, "name": "bob", "scopes": "chat"})
        found = re.search(r'value="(gw-[^"]+)"', shown.text)
        assert found
        later = [await http.get("/admin/keys"), await http.get("/admin/keys", headers=PROGRAM)]
        assert (shown.status_code, shown.headers["cache-control"]) == (201, "no-store")
        assert "bob" in later[0].text
        assert [page for page in later if found[1] in page.text] == []
    assert found[1] not in capsys.readouterr().err


async def test_a_key_needs_the_token_of_the_session(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        await log_in(http)
        refused = await http.post("/admin/keys", data={"name": "bob"})
        assert refused.status_code == 403
        assert (await http.get("/admin/keys", headers=PROGRAM)).json()["keys"] == []


async def test_a_key_is_revoked_by_its_form(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        token = await log_in(http)
        await http.post("/admin/keys", data={"csrf": token, "name": "bob b", "scopes": "chat"})
        done = await http.post("/admin/keys/bob%20b/revoke", data={"csrf": token})
        page = await http.get(done.headers["location"])
        again = await http.post("/admin/keys/bob%20b/revoke", data={"csrf": token})
    assert (done.status_code, done.headers["location"]) == (303, "/admin/keys?done=bob+b")
    assert "The key bob b is revoked." in page.text
    assert (again.status_code, "no key is named" in again.text) == (404, True)


async def test_where_the_last_key_was_revoked_nobody_is_said_to_come_in_without(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        token = await log_in(http)
        before = await http.get("/admin/keys")
        await http.post("/admin/keys", data={"csrf": token, "name": "bob", "scopes": "chat"})
        await http.post("/admin/keys/bob/revoke", data={"csrf": token})
        after = await http.get("/admin/keys")
    assert "programs on this machine may ask without one" in before.text
    assert "programs on this machine may ask without one" not in after.text
    assert "Requests without one are rejected" in after.text


async def test_what_is_wrong_is_said_beside_what_was_typed(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        fields = {"name": "bob", "models": "<b>", "expires": "2001-01-01", "scopes": "chat"}
        page = await http.post("/admin/keys", data=fields, auth=ADMIN)
    assert page.status_code == 400
    assert "is in the past" in page.text
    assert 'value="&lt;b&gt;"' in page.text


async def test_a_key_that_may_do_nothing_is_none(tmp_path: Path) -> None:
    """Of the boxes of a form nothing is sent when none is ticked."""
    async with visiting(made(tmp_path)) as http:
        page = await http.post("/admin/keys", data={"name": "bob"}, auth=ADMIN)
        keys = (await http.get("/admin/keys", headers=PROGRAM, auth=ADMIN)).json()["keys"]
    assert (page.status_code, keys) == (400, [])
    assert "a key without scopes cannot do anything" in page.text


async def test_a_new_key_has_not_used_what_one_of_its_name_had(tmp_path: Path) -> None:
    chat = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}
    form = {"name": "bob", "scopes": "chat"}
    async with visiting(made(tmp_path)) as http:
        shown = await http.post("/admin/keys", data=form, auth=ADMIN)
        secret = re.findall(r'value="(gw-[^"]+)"', shown.text)[0]
        used = await http.post("/v1/chat/completions", json=chat, headers={"authorization": f"Bearer {secret}"})
        pages = [(await http.get("/admin/keys", auth=ADMIN)).text]
        await http.post("/admin/keys/bob/revoke", auth=ADMIN)
        await http.post("/admin/keys", data=form, auth=ADMIN)
        pages.append((await http.get("/admin/keys", auth=ADMIN)).text)
    assert used.status_code == 200
    assert [re.findall(r"(\d+) requests?\b", page)[:1] for page in pages] == [["1"], ["0"]]


async def test_what_a_key_has_used_this_month_leads_to_these_requests(tmp_path: Path, stopped: float) -> None:
    async with visiting(made(tmp_path)) as http:
        await http.post("/admin/keys", data={"name": "bob b", "scopes": "chat"}, auth=ADMIN)
        page = (await http.get("/admin/keys", auth=ADMIN)).text
        found = re.search(r'href="(/admin/usage\?[^"]*)"', page)
        assert found is not None
        asked = dict(parse_qsl(urlsplit(unescape(found[1])).query))
        usage = (await http.get(unescape(found[1]), auth=ADMIN)).text
    assert asked == {"caller": "bob b", "begin": f"{datetime.fromtimestamp(stopped, UTC):%Y-%m}-01", "by": "day"}
    assert f'name="begin" type="date" value="{asked["begin"]}"' in usage


async def test_programs_get_json(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        answer = await http.post("/admin/keys", json={"name": "bob"}, auth=ADMIN, headers=PROGRAM)
        gone = await http.delete("/admin/keys/bob", auth=ADMIN, headers=PROGRAM)
    assert (answer.status_code, answer.json()["secret"][:3]) == (201, "gw-")
    assert gone.status_code == 204


async def test_keys_are_found_by_a_part_of_their_name(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        token = await log_in(http)
        for name in ("Team a", "team b", "other"):
            await http.post("/admin/keys", data={"csrf": token, "name": name, "scopes": "chat"})
        found = await http.get("/admin/keys?find=TEAM")
        gone = await http.post("/admin/keys/Team%20a/revoke", data={"csrf": token, "find": "TEAM"})
        rest = await http.get(gone.headers["location"])
        none = await http.get("/admin/keys?find=%3Cb%3E")
    names = [re.findall(r'<span class="name">([^<]+)</span>', page.text) for page in (found, rest, none)]
    assert names == [["Team a", "team b"], ["team b"], []]
    assert "2 of 3 keys" in found.text
    assert "The key Team a is revoked." in rest.text
    assert 'value="&lt;b&gt;"' in none.text
    assert "There are no keys" not in none.text


async def test_many_keys_are_on_several_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What each has left is read from the ledger, one after the other: 500 took seconds."""
    monkeypatch.setattr("gateway.admin.keys_page._SHOWN", 2)
    path, found = "/admin/keys?find=team", list[list[str]]()
    async with visiting(made(tmp_path)) as http:
        token = await log_in(http)
        for name in ("team-1", "other", "team-2", "team-3", "team-4", "team-5"):
            await http.post("/admin/keys", data={"csrf": token, "name": name, "scopes": "chat"})
        while path:
            page = (await http.get(path)).text
            found.append(re.findall(r'<span class="name">([^<]+)</span>', page))
            link = re.search(r'href="([^"]+)">Next keys', page)
            path = unescape(link[1]) if link else ""
        chosen = {"csrf": token, "find": "team", "begin": "2"}
        gone = await http.post("/admin/keys/team-3/revoke", data=chosen)
        rest = (await http.get(gone.headers["location"])).text
        odd = [await http.get(f"/admin/keys?find=team&begin={word}") for word in ("-1", "x", "99")]
    assert found == [["team-1", "team-2"], ["team-3", "team-4"], ["team-5"]]
    assert "3 to 4 of 4 found among 5 keys" in rest
    assert re.findall(r'<span class="name">([^<]+)</span>', rest) == ["team-4", "team-5"]
    assert {page.status_code for page in odd} == {200}
    assert all("team-1" in page.text for page in odd)


async def test_a_small_limit_on_money_is_not_written_as_nothing(tmp_path: Path) -> None:
    limits = {"usd_per_month": 0.0025, "requests_per_minute": 60}
    async with visiting(made(tmp_path, key=[{"name": "bob", "secret": "sk-bob", "limits": limits}])) as http:
        page = (await http.get("/admin/keys", auth=ADMIN)).text
    assert "USD per month: $0.0025 of $0.0025 left" in page
    assert "Requests per minute: 60 of 60 left" in page


@pytest.mark.parametrize(
    ("path", "page"),
    [("keys", "keys"), ("keys/bob/revoke", "keys"), ("live/req_1/cancel", "live"), ("playground", "playground")],
)
async def test_who_acts_after_the_session_has_ended_is_led_to_the_login_and_back(
    tmp_path: Path, path: str, page: str
) -> None:
    async with visiting(made(tmp_path)) as http:
        answer = await http.post(f"/admin/{path}", data={"name": "bob"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/admin/login?next=/admin/{page}")


async def test_a_part_of_a_page_leads_to_the_login_as_a_whole(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        answer = await http.get("/admin/live", headers={"accept": "*/*", "hx-request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/admin/login?next=/admin/live")
