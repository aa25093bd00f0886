"""What every answer of the administration has, the overview, and the files that all pages share."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from subprocess import run

import anyio
import pytest

from gateway.adapters.shortage import until
from gateway.admin.pages import Pages
from gateway.admin.wording import iso, percent, span, utc
from gateway.app import lifespan
from tests.gateway.admin.accounts import ADMIN, Accounts, account, configured, log_in, made, visiting
from tests.middleware.asgi import call, scope_of
from tests.patience import patient

pytestmark = pytest.mark.anyio

PAGES = ["/", "/admin/credentials", "/admin/models?model=google", "/admin/live", "/admin/configuration"]
PATHS = ["/", "/admin/credentials", "/admin/login", "/admin/static/page.css", "/admin/nothing", "/oauth2/callback"]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_has_the_strict_headers_once(tmp_path: Path, path: str, accept: str) -> None:
    for auth in (ADMIN, None):
        async with visiting(made(tmp_path), accept=accept) as http:
            headers = (await http.get(path, auth=auth)).headers
        assert headers.get_list("content-security-policy") == [POLICY]
        assert headers.get_list("cache-control") == ["no-cache" if "/static/" in path else "no-store"]
        assert headers.get_list("x-content-type-options") == ["nosniff"]
        assert headers.get_list("x-frame-options") == ["DENY"]
        expected = "no-referrer" if path == "/oauth2/callback" else "same-origin"
        assert headers.get_list("referrer-policy") == [expected]


async def test_no_page_needs_what_the_policy_forbids(tmp_path: Path) -> None:
    shown = account(quota={"pro": (0.5, None)}, cooling={"pro": 9e9}, last_error="x")
    async with visiting(made(tmp_path, Accounts(shown))) as http:
        pages = [await http.get("/admin/login"), await http.get("/oauth2/callback")]
        await log_in(http)
        pages += [await http.get(path) for path in (*PAGES, "/admin/nothing")]
    for page in pages:
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert not re.search(r"<style|\sstyle=|\son\w+=|\shx-on|javascript:", page.text)
        assert not re.search(r"<script[^>]*>[^<]", page.text)
        loaded = re.findall(r'<(?:link|img|script)[^>]*(?:href|src)="([^"]+)"', page.text)
        assert len(loaded) >= 3
        assert {address.rpartition("/")[0] for address in loaded} <= {"/admin/static", "/admin/static/vendor"}


async def test_the_overview_names_what_runs(tmp_path: Path) -> None:
    upstream = Accounts(account(1), account(2, state="cooling"))
    async with visiting(made(tmp_path, upstream)) as http:
        await log_in(http)
        page = (await http.get("/")).text
        origin = str(http.base_url).rstrip("/")
    assert f"<code>{origin}</code>" in page
    assert "<h3>google</h3>" in page
    assert '<a class="badge cooling" href="/admin/credentials?state=cooling">1 cooling</a>' in page
    assert "person" not in page


@pytest.mark.parametrize(
    ("states", "said"), [(("suspected", "disabled"), "failing"), (("suspected", "active"), "usable"), ((), "usable")]
)
async def test_an_upstream_of_which_only_suspected_credentials_serve_is_failing(
    tmp_path: Path, states: tuple[str, ...], said: str
) -> None:
    upstream = Accounts(*(account(number, state=state) for number, state in enumerate(states)))
    async with visiting(made(tmp_path, upstream)) as http:
        page = (await http.get("/", auth=ADMIN)).text
    assert re.findall(r'<p><span class="badge \w+">([a-z ]+)</span></p>', page) == [said]


async def test_an_overview_without_requests_says_what_to_do(tmp_path: Path) -> None:
    async with visiting(configured(tmp_path)) as http:
        new = (await http.get("/", auth=ADMIN)).text
        body = {"model": "demo", "messages": [{"role": "user", "content": "x"}]}
        await http.post("/v1/chat/completions", json=body)
        used = (await http.get("/", auth=ADMIN)).text
    upstream = {"openai": {"api_key": "sk-1", "models": ["gpt"], "base_url": "http://127.0.0.1:9/v1"}}
    async with visiting(configured(tmp_path / "other", upstream=upstream)) as http:
        real = (await http.get("/", auth=ADMIN)).text
    said = [["No requests in this time" in page, "Only the demo answers" in page] for page in (new, used, real)]
    assert said == [[True, True], [False, False], [True, False]]


async def test_a_page_without_credentials_says_how_to_have_some(tmp_path: Path) -> None:
    async with visiting(configured(tmp_path, upstream={"demo": {}})) as http:
        page = (await http.get("/admin/credentials", auth=ADMIN)).text
    assert "No upstream here uses credentials" in page
    assert "<code>[upstream.gemini]</code>" in page


async def test_the_overview_shows_public_url(tmp_path: Path) -> None:
    server = {"data_dir": str(tmp_path), "public_url": "https://ai.example.com/team"}
    async with visiting(made(tmp_path, server=server)) as http:
        page = (await http.get("/", auth=ADMIN)).text
    assert "<code>https://ai.example.com/team</code>" in page


async def test_an_error_is_a_page_for_people(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        await log_in(http)
        missing, wrong = await http.get("/admin/<i>nothing"), await http.put("/admin/credentials")
    assert missing.status_code == 404
    assert "/admin/&lt;i&gt;nothing is not served here" in missing.text
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD")


async def test_only_a_word_gets_a_capital(tmp_path: Path) -> None:
    """A path is another one with a capital."""
    async with visiting(made(tmp_path)) as http:
        await log_in(http)
        path, word = await http.get("/admin/nope"), await http.post("/admin/live/none/cancel")
    assert '<p class="note bad" role="alert">/admin/nope is' in path.text
    assert '<p class="note bad sentence" role="alert">the form belongs' in word.text


@pytest.mark.parametrize(("path", "name"), [("/", "Overview"), ("/admin", "Overview"), ("/admin/live", "Live")])
async def test_the_navigation_says_where_one_is(tmp_path: Path, path: str, name: str) -> None:
    async with visiting(made(tmp_path)) as http:
        page = (await http.get(path, auth=ADMIN)).text
    assert re.findall(r'aria-current="page">([^<]*)<', page) == [name]


@pytest.mark.parametrize("path", ["/admin/static/page.css", "/admin/static/icon.svg"])
async def test_the_files_are_served_to_everybody(tmp_path: Path, path: str) -> None:
    async with visiting(made(tmp_path)) as http:
        answer, head = await http.get(path), await http.head(path)
    assert (answer.status_code, len(answer.content) > 100, head.content) == (200, True, b"")


async def test_a_file_is_sent_again_only_when_it_has_changed(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        first = await http.get("/admin/static/vendor/htmx.min.js")
        again = await http.get("/admin/static/vendor/htmx.min.js", headers={"if-none-match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


@pytest.mark.parametrize(
    "path",
    [
        *("..%2fadministration.py", "%2e%2e/pages.py", "..\\pages.py", "%00", "/etc/passwd", ""),
        *("page.css/", "vendor/htmx.min.js//", "page.css%2f", "vendor/"),
    ],
)
async def test_nothing_beside_the_files_is_served(tmp_path: Path, path: str) -> None:
    async with visiting(made(tmp_path)) as http:
        assert (await http.get(f"/admin/static/{path}")).status_code in (404, 303)


async def test_the_sheet_asks_no_other_host_and_has_both_lights() -> None:
    sheet = (Path(__file__).parents[3] / "gateway/admin/static/page.css").read_text("utf-8")
    assert "url(" not in sheet
    assert "@import" not in sheet
    assert "prefers-color-scheme: dark" in sheet


async def test_it_is_there_while_the_gateway_drains(tmp_path: Path) -> None:
    app = made(tmp_path)
    app.state.gateway.drain()
    async with lifespan(app):
        assert (await call(app, scope_of("/admin/login", method="GET"))).status == 200


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
async def test_the_health_is_only_read(tmp_path: Path, path: str) -> None:
    async with visiting(made(tmp_path)) as http:
        answer = await http.post(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_nothing_is_loaded_before_a_page_is_asked_for() -> None:
    code = "import sys, gateway; gateway.create_app({}); print(*{'jinja2', 'sqlalchemy'} & sys.modules.keys())"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=patient(30))
    assert done.stdout.strip() == ""


async def test_others_have_their_turns_while_a_long_page_is_written() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    values = {"models": list(range(10_000)), "asked": {"dialect": "", "model": "", "prompt": "", "stream": ""}}
    around = {"base": "", "path": "", "operator": None, "csrf": "x", "error": None, "dialects": (), "events": None}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        page = await Pages().write("playground", {**values, **around})
        tasks.cancel_scope.cancel()
    assert page.count("<option") == 10_000
    assert turns > 50


# words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "1 s"), (59.9, "59 s"), (60, "1 min"), (3_661, "1 h 1 min"), (90_000, "1 d 1 h"), (86_400, "1 d"),
     (3_605, "1 h"), (-120, "2 min")],
)  # fmt: skip
def test_a_duration_has_at_most_two_units(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (1_800_003_600, "09:00 UTC"),
        (1_800_086_400, "16 Jan 08:00 UTC"),
        (1_832_000_000, "20 Jan 2028 16:54 UTC"),
        (1_799_999_999, "07:59 UTC"),
        (1_800_003_651, "09:01 UTC"),
        (253_402_300_799, "31 Dec 9999 23:59 UTC"),
    ],
)
def test_a_moment_has_its_day_where_it_is_not_today(time: float, words: str) -> None:
    assert utc(time, 1_800_000_000) == words
    assert iso(1_800_000_000.99) == "2027-01-15T08:00:00Z"


@pytest.mark.parametrize("seconds", [1.0, 29.0, 3651.0, 4200.0])
def test_a_pool_and_its_credential_rest_until_the_same_minute(seconds: float) -> None:
    assert until(seconds, 1_800_000_000) == utc(1_800_000_000 + seconds, 1_800_000_000)


@pytest.mark.parametrize(
    ("part", "words"), [(0, "0 %"), (0.001, "< 1 %"), (0.5, "50 %"), (0.999, "> 99 %"), (1.0, "100 %")]
)
def test_nearly_nothing_is_not_nothing(part: float, words: str) -> None:
    assert percent(part) == words


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize("path", ["/admin/models", "/admin/configuration"])
async def test_thousands_of_names_hold_nobody_up(tmp_path: Path, path: str, accept: str) -> None:
    """The guard of the event loop looks at every step."""
    names = [f"vendor/model-{number}" for number in range(1500)]
    table = {"type": "openai", "base_url": "http://127.0.0.1:9/v1", "models": names}
    alias = {f"name-{number}": f"one/{name}" for number, name in enumerate(names)}
    app = configured(tmp_path, upstream={"one": table, "two": table}, models={"alias": alias})
    async with visiting(app, accept=accept) as http:
        response = await http.get(path, auth=ADMIN)
    assert (response.status_code, "name-1499" in response.text) == (200, True)
