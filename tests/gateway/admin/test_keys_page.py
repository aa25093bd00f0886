"""The page of the callers' keys without a browser: what is shown once, to whom, and what is said of mistakes."""

from __future__ import annotations

import re
from pathlib import Path

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
        await http.post("/admin/keys", data={"csrf": token, "name": "bob b"})
        done = await http.post("/admin/keys/bob%20b/revoke", data={"csrf": token})
        page = await http.get(done.headers["location"])
        again = await http.post("/admin/keys/bob%20b/revoke", data={"csrf": token})
    assert (done.status_code, done.headers["location"]) == (303, "/admin/keys?done=bob+b")
    assert "The key bob b is revoked." in page.text
    assert (again.status_code, "no key is named" in again.text) == (404, True)


async def test_what_is_wrong_is_said_beside_what_was_typed(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        fields = {"name": "bob", "models": "<b>", "expires": "2001-01-01", "scopes": "chat"}
        page = await http.post("/admin/keys", data=fields, auth=ADMIN)
    assert page.status_code == 400
    assert "is over" in page.text
    assert 'value="&lt;b&gt;"' in page.text


async def test_programs_get_json(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        answer = await http.post("/admin/keys", json={"name": "bob"}, auth=ADMIN, headers=PROGRAM)
        gone = await http.delete("/admin/keys/bob", auth=ADMIN, headers=PROGRAM)
    assert (answer.status_code, answer.json()["secret"][:3]) == (201, "gw-")
    assert gone.status_code == 204


async def test_a_part_of_a_page_leads_to_the_login_as_a_whole(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        answer = await http.get("/admin/live", headers={"accept": "*/*", "hx-request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/admin/login?next=/admin/live")
