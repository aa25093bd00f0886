"""What the page says of the configuration: of its file as it is now, and of limits that nobody can count."""

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.config import load
from tests.gateway.admin.accounts import ADMIN, HTML, configured, visiting
from tests.gateway.store.test_sole import another
from tests.patience import patient
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.anyio

PAGE = "/admin/configuration"
LIMITED = '[[key]]\nname = "alice"\nsecret = "sk-alice"\nlimits = { requests_per_minute = 5 }\n'


class Site:
    """An app on a file that it does not watch, as one that a host has mounted does not."""

    def __init__(self, folder: Path) -> None:
        (folder / "data").mkdir(mode=0o700)
        self.file = folder / "gateway.toml"
        self.write("")
        self.app: Starlette = create_app(load(self.file, environ={}))
        self.app.state.generations.watches = False

    def write(self, toml: str, server: str = "") -> None:
        """Edit the file, of which only what is given here is another each time."""
        given = f'[log]\nlevel = "critical"\n[admin]\npassword = "{ADMIN[1]}"\n'
        self.file.write_text(f'{toml}{given}[server]\ndata_dir = "data"\n{server}\n')


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def shown(http: httpx.AsyncClient) -> tuple[dict[str, Any], str]:
    """Give what programs and what people see of it."""
    said = await http.get(PAGE, auth=ADMIN, headers={"accept": "application/json"})
    page = await http.get(PAGE, auth=ADMIN, headers=HTML)
    return said.json()["on_disk"], page.text


async def test_a_file_that_is_in_use_is_nothing_to_speak_of(site: Site) -> None:
    async with visiting(site.app) as http:
        said, page = await shown(http)
    assert said == {"problems": [], "changed": [], "waiting": {}}
    assert "edited" not in page
    assert "restart" not in page


async def test_a_file_that_is_refused_is_shown_with_each_problem(site: Site) -> None:
    async with visiting(site.app) as http:
        site.write("", "prot = 1\nport = 99999")
        assert not await site.app.state.generations.reload()
        said, page = await shown(http)
        site.write("")
        mended, _ = await shown(http)
    where = [problem.partition(": ")[0] for problem in said["problems"]]
    assert where == [f"{site.file}:7", f"{site.file}:8"]
    assert "unknown key; did you mean &#34;port&#34;?" in page
    assert "is invalid now" in page
    assert mended["problems"] == []


async def test_what_waits_for_a_restart_is_named_with_its_line(site: Site) -> None:
    async with visiting(site.app) as http:
        site.write("", "port = 9")
        assert await site.app.state.generations.reload()
        said, page = await shown(http)
    assert said == {"problems": [], "changed": [], "waiting": {"server.port": f"{site.file}:7"}}
    assert f"<code>server.port</code> from {site.file}:7" in page


async def test_an_edit_that_is_not_in_use_yet_is_named(site: Site) -> None:
    async with visiting(site.app) as http:
        site.write("[defaults]\nmax_tokens = 9\n")
        before, page = await shown(http)
        assert await site.app.state.generations.reload()
        after, _ = await shown(http)
    assert (before["changed"], after["changed"]) == (["defaults"], [])
    assert "edited, in defaults, and is about to be used" in page


async def test_a_configuration_without_a_file_is_never_edited(tmp_path: Path) -> None:
    given = {"server": {"data_dir": str(tmp_path)}, "admin": {"password": ADMIN[1]}, "log": {"level": "critical"}}
    async with visiting(create_app(given)) as http:
        said, _ = await shown(http)
    assert said == {"problems": [], "changed": [], "waiting": {}}


async def test_a_database_that_is_away_is_said(
    tmp_path: Path, postgres_url: str, postgres_server: PostgresServer
) -> None:
    app = configured(tmp_path, store={"database": postgres_url}, log={"level": "critical"})
    async with visiting(app) as http:
        _, before = await shown(http)
        postgres_server.stop()
        with anyio.fail_after(patient(20)):
            while "<dd>PostgreSQL fails: " not in (await shown(http))[1]:  # noqa: ASYNC110 - the keyring looks twice a second
                await anyio.sleep(0.05)
        postgres_server.start()
        with anyio.fail_after(patient(20)):
            while "<dd>PostgreSQL</dd>" not in (await shown(http))[1]:  # noqa: ASYNC110
                await anyio.sleep(0.05)
    assert "<dd>PostgreSQL</dd>" in before


# limits


async def test_where_limits_are_counted_is_said(site: Site) -> None:
    async with visiting(site.app) as http:
        _, without = await shown(http)
        site.write(LIMITED)
        assert await site.app.state.generations.reload()
        _, limited = await shown(http)
        keys = (await http.get("/admin/keys", auth=ADMIN, headers=HTML)).text
    assert "<dt>Limits</dt>" not in without
    assert "<dt>Limits</dt><dd>counted in this process</dd>" in limited
    assert "store.redis" not in keys


async def test_limits_that_nobody_can_count_are_said_on_both_pages(site: Site, tmp_path: Path) -> None:
    asked = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}
    async with visiting(site.app) as http:
        with another(tmp_path / "data", "joins"):
            site.write(LIMITED)
            assert await site.app.state.generations.reload()
            sent = {"authorization": "Bearer sk-alice", "origin": ""}
            refused = await http.post("/v1/chat/completions", json=asked, headers=sent)
            _, page = await shown(http)
            keys = (await http.get("/admin/keys", auth=ADMIN, headers=HTML)).text
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "limits_not_shared")
    why = "a key with limits would not be served; set store.redis, or run one process"
    assert why in page
    assert why in keys
