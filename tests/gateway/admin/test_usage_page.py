"""What requests came to over time: the steps, the JSON for the charts, the page and the CSV."""

from __future__ import annotations

import csv
import re
from codecs import BOM_UTF8
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from gateway.admin.series import window_of
from gateway.admin.wording import amount, money, seconds, words
from gateway.errors import InvalidRequest
from gateway.store.reports import Point
from tests.clocks import FakeClock
from tests.gateway.admin.accounts import ADMIN, made, visiting

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000.0  # 2027-01-15 08:00 UTC
PROGRAM = {"accept": "application/json"}


async def ask(http: httpx.AsyncClient, model: str = "demo") -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "x"}]}
    answer = await http.post("/v1/chat/completions", json=body)
    assert answer.status_code in (200, 400, 404)


@pytest.mark.parametrize(
    ("ago_s", "step_s", "steps"),
    [(3600, 60, 60), (86_400, 3600, 24), (7 * 86_400, 6 * 3600, 29), (30 * 86_400, 86_400, 31), (1, 60, 1)],
)
def test_a_time_is_cut_into_steps_that_a_chart_can_show(ago_s: int, step_s: int, steps: int) -> None:
    window = window_of(NOW - ago_s, None, NOW)
    points = window.filled([])
    assert (window.step_s, len(points)) == (step_s, steps)
    assert points[0].at % step_s == 0
    assert points[0].at <= NOW - ago_s == window.since
    assert points[-1].at + step_s >= NOW == window.until


def test_without_a_begin_it_is_the_last_day() -> None:
    assert window_of(None, None, NOW) == window_of(NOW - 86_400, NOW, NOW)


def test_steps_in_which_nothing_was_are_there() -> None:
    window = window_of(NOW - 180, NOW, NOW)
    points = window.filled([Point(at=NOW - 120, requests=3)])
    assert [(point.at - NOW, point.requests) for point in points] == [(-180, 0), (-120, 3), (-60, 0)]


def test_a_time_without_length_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="since: must be before until"):
        window_of(NOW, NOW - 1, NOW)


async def test_the_charts_get_a_column_for_each_number(tmp_path: Path) -> None:
    clock = FakeClock()
    async with visiting(made(tmp_path, clock=clock)) as http:
        await ask(http)
        await ask(http, "demo")
        await clock.advance(1)
        series = (await http.get("/admin/usage/series?since=1h", auth=ADMIN, headers=PROGRAM)).json()
        none = (await http.get("/admin/usage/series?since=1h&caller=bob", auth=ADMIN, headers=PROGRAM)).json()
    assert series["step_s"] == 60
    assert {len(column) for name, column in series.items() if name != "step_s"} == {len(series["at"])}
    assert (sum(series["requests"]), sum(series["output_tokens"]), sum(series["errors"])) == (2, 4, 0)
    assert sum(none["requests"]) == 0


async def test_a_chart_counts_what_the_report_of_the_same_time_counts(tmp_path: Path) -> None:
    """Its first step may begin before the time does: what came then is in neither."""
    clock = FakeClock()
    async with visiting(made(tmp_path, clock=clock)) as http:
        await clock.advance(3600 - clock.time() % 3600 + 60)
        for _ in range(3):
            await ask(http)
            await clock.advance(1200)
        series = (await http.get("/admin/usage/series?since=25h", auth=ADMIN, headers=PROGRAM)).json()
        clock.wall += 24 * 3600 + 600
        both = [
            await http.get(f"/admin/usage{path}?since=25h", auth=ADMIN, headers=PROGRAM) for path in ("", "/series")
        ]
    assert (sum(series["requests"]), series["step_s"]) == (3, 3600)
    assert (both[0].json()["total"]["requests"], sum(both[1].json()["requests"])) == (2, 2)


async def test_an_end_alone_ends_the_time_that_is_chosen(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        await ask(http)
        page = await http.get("/admin/usage?since=7d&end=2020-01-10", auth=ADMIN)
    assert page.status_code == 200
    assert "since=2020-01-04T00%3A00%3A00Z" in page.text


async def test_the_page_is_for_people_and_the_json_for_programs(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        await ask(http)
        person = await http.get("/admin/usage", auth=ADMIN)
        program = await http.get("/admin/usage", auth=ADMIN, headers=PROGRAM)
    assert "<h1>Usage</h1>" in person.text
    assert program.json()["total"]["requests"] == 1


async def test_a_sum_of_money_says_what_is_not_in_it(tmp_path: Path) -> None:
    async with visiting(made(tmp_path, usage={"price": {"priced": {"input": 1, "output": 1}}})) as http:
        for model in ("priced", "demo", "demo"):
            await ask(http, model)
        pages = [(await http.get(path, auth=ADMIN)).text for path in ("/admin/usage", "/")]
    assert [page.count("+ 2 not priced") for page in pages] == [3, 2]


async def test_what_failed_without_a_token_has_cost_nothing(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        refused = await http.post("/v1/chat/completions", json={"model": "demo"}, auth=ADMIN)
        pages = [(await http.get(path, auth=ADMIN)).text for path in ("/admin/usage", "/")]
    assert refused.status_code == 400
    assert ["not known" in page for page in pages] == [False, False]
    assert "$0.00" in pages[0]


@pytest.mark.parametrize(
    ("by", "linked"),
    [
        ("key", {"since": "24h", "upstream": "google", "caller": "anonymous", "by": "model"}),
        ("model", {"since": "24h", "upstream": "google", "model": "x", "by": "key"}),
        ("upstream", {"since": "24h", "upstream": "google", "by": "model"}),
        ("day", {"since": "24h", "upstream": "google", "begin": "2027-01-15", "end": "2027-01-15", "by": "key"}),
        ("credential", None),
    ],
)
async def test_a_row_leads_to_its_requests(tmp_path: Path, by: str, linked: dict[str, str] | None) -> None:
    clock = FakeClock()
    async with visiting(made(tmp_path, clock=clock)) as http:
        await ask(http, "google/x")
        await clock.advance(1)
        page = (await http.get(f"/admin/usage?since=24h&upstream=google&by={by}", auth=ADMIN)).text
        found = re.search(r'scope="row"><a href="([^"]+)"', page)
        asked = dict(parse_qsl(urlsplit(unescape(found[1])).query)) if found else None
        of_row = (await http.get(unescape(found[1]), auth=ADMIN)).text if found else "Requests</dt><dd>1<"
    assert asked == linked
    assert "Requests</dt><dd>1<" in of_row


async def test_an_upstream_that_is_there_no_more_stays_chosen(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        gone = (await http.get("/admin/usage?upstream=%3Cgone%3E", auth=ADMIN)).text
        known = (await http.get("/admin/usage?upstream=google", auth=ADMIN)).text
    assert "<option selected>&lt;gone&gt;</option>" in gone
    assert known.count("google</option>") == 1


FORMULAS = ("=cmd()", "+cmd()", "-cmd()", "@cmd()", "\tcmd()")


async def test_the_csv_has_each_request_and_no_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.admin.usage_page._BATCH", 2)  # so that the order holds over several
    async with visiting(made(tmp_path)) as http:
        for model in FORMULAS:
            await ask(http, model)
        answer = await http.get("/admin/usage/requests.csv?since=1h", auth=ADMIN, headers=PROGRAM)
        of_browser = await http.get("/admin/usage/requests.csv?since=1h", auth=ADMIN)
    rows: list[dict[str, Any]] = list(csv.DictReader(answer.text.splitlines()))
    assert of_browser.content == BOM_UTF8 + answer.content  # by which Excel knows what it is
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert [row["asked"] for row in rows] == [f"'{model}" for model in reversed(FORMULAS)]
    assert len({row["id"] for row in rows}) == 5
    assert [row["started_at"] for row in rows] == sorted((row["started_at"] for row in rows), reverse=True)


@pytest.mark.parametrize(
    ("query", "status", "rows"),
    [("until=30m", 200, 0), ("since=24h&until=30m", 200, 0), ("since=7d&until=30m", 200, 0),
     ("since=2d&until=1d", 200, 0), ("since=1h&until=0m", 200, 1), ("since=1h&until=2020-01-01", 400, 0),
     ("since=1h&until=2h", 400, 0), ("since=24h&until=2h&model=demo", 200, 0), ("since=1h&until=", 200, 1)],
)  # fmt: skip
async def test_the_csv_ends_where_it_is_asked_to(tmp_path: Path, query: str, status: int, rows: int) -> None:
    async with visiting(made(tmp_path)) as http:
        await ask(http)
        answer = await http.get(f"/admin/usage/requests.csv?{query}", auth=ADMIN, headers=PROGRAM)
    assert answer.status_code == status
    assert status != 200 or len(list(csv.DictReader(answer.text.splitlines()))) == rows


async def test_a_row_has_the_id_by_which_the_log_knows_the_request(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        body = {"model": "demo", "messages": [{"role": "user", "content": "!error 500"}]}
        failed = await http.post("/v1/chat/completions", json=body, headers={"x-request-id": "my-request-7"})
        table = (await http.get("/admin/usage/requests.csv?since=1h", auth=ADMIN, headers=PROGRAM)).text
        page = (await http.get("/admin/usage", auth=ADMIN)).text
    assert failed.headers["x-request-id"] == "my-request-7"
    assert [row["request_id"] for row in csv.DictReader(table.splitlines())] == ["my-request-7"]
    assert "<code>my-request-7</code>" in page


async def test_the_page_leads_to_every_older_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.admin.usage_page._SHOWN", 2)
    path: str | None = "/admin/usage?since=1h&upstream=google"
    found: list[str] = []
    async with visiting(made(tmp_path)) as http:
        for number in range(5):
            body = {"model": "google/x", "messages": [{"role": "user", "content": "x"}]}
            await http.post("/v1/chat/completions", json=body, headers={"x-request-id": f"my-{number}"})
        await ask(http, "nowhere/x")  # which is not of this upstream
        for _ in range(3):
            assert path is not None
            page = (await http.get(path, auth=ADMIN)).text
            found += re.findall(r"<code>(my-\d)</code>", page)
            link = re.search(r'href="(/admin/usage[^"#]*after=[^"#]*)#requests"', page)
            path = unescape(link[1]) if link else None
        refused = await http.get("/admin/usage?after=x", auth=ADMIN)
    assert found == [f"my-{number}" for number in (4, 3, 2, 1, 0)]
    assert path is None
    assert "after: is not a position that the page gave" in refused.text


async def test_without_a_ledger_the_pages_say_so(tmp_path: Path) -> None:
    async with visiting(made(tmp_path, usage={"enabled": False})) as http:
        usage, overview = await http.get("/admin/usage", auth=ADMIN), await http.get("/", auth=ADMIN)
        table = await http.get("/admin/usage/requests.csv", auth=ADMIN)
    assert (usage.status_code, overview.status_code, table.status_code) == (404, 200, 404)
    assert "there is no ledger" in usage.text
    assert "There is nothing to show" in overview.text


@pytest.mark.parametrize(
    ("usd", "text"),
    [(None, "not known"), (0.0, "$0.00"), (1234.5, "$1,234.50"), (0.0042, "$0.0042"), (1e-9, "< $0.000001"),
     (0.000001, "$0.000001"), (0.0000758, "$0.000076"), (0.0249, "$0.025"), (0.05, "$0.05"), (0.5, "$0.50"),
     (0.999, "$1.00"), (12_345_678.9, "$12,345,678.90")],
)  # fmt: skip
def test_what_is_not_nothing_is_not_written_as_nothing(usd: float | None, text: str) -> None:
    assert money(usd) == text


@pytest.mark.parametrize(
    ("duration", "text"), [(None, "not known"), (0.0001, "1 ms"), (0.25, "250 ms"), (12.34, "12.3 s"), (240.4, "240 s")]
)
def test_a_duration_has_the_digits_that_matter(duration: float | None, text: str) -> None:
    assert seconds(duration) == text


def test_limits_are_written_for_people() -> None:
    assert (words("usd_per_month"), words("concurrent")) == ("USD per month", "Concurrent")
    assert (amount(1234567), amount(0.5)) == ("1,234,567", "0.50")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/admin/usage?since=1h", "Minute (UTC)"),
        ("/admin/usage?since=24h", "Hour (UTC)"),
        ("/admin/usage?since=7d", "6 hours from (UTC)"),
        ("/admin/usage?since=30d", "Day (UTC)"),
        ("/admin/usage?since=90d", "Week from (UTC)"),
        ("/admin/usage?since=400d", "Week from (UTC)"),
        ("/admin/usage?begin=2027-01-15T00:00:00Z", "15 minutes from (UTC)"),
        ("/", "Hour (UTC)"),
    ],
)
async def test_the_table_and_the_charts_name_their_step(tmp_path: Path, path: str, name: str) -> None:
    async with visiting(made(tmp_path, clock=FakeClock())) as http:
        page = (await http.get(path, auth=ADMIN)).text
    assert f'<div class="charts" data-every="{name}"' in page
    assert f'scope="col">{name}</th><th role="columnheader" scope="col">Requests' in page
