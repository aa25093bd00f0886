"""A real Chromium goes through the pages of keys and of what they have used."""

from __future__ import annotations

import csv
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from playwright.async_api import Page, Route, expect

from tests.gateway.admin.accounts import configured, made
from tests.gateway.admin.seeing import Noted, audit, enter, noted, picture, shown

pytestmark = pytest.mark.anyio

__all__ = ["noted"]
KEY = "sk-alice-0123456789"
LIMITS = {"requests_per_minute": 60, "tokens_per_day": 100_000, "usd_per_month": 5.0}


@pytest.fixture
async def url(page: Page, tmp_path: Path, noted: Noted, stopped: float) -> AsyncIterator[str]:
    """Serve a gateway over two demos, with a key, and with what it has asked."""
    config: dict[str, Any] = {
        "key": [{"name": "alice", "secret": KEY, "limits": LIMITS}],
        "usage": {"price": {"*": {"input": 1000.0, "output": 4000.0}}},
        "upstream": {"demo": {}, "other": {"type": "demo"}},
    }
    async with shown(configured(tmp_path, **config), page) as url:
        async with httpx.AsyncClient() as http:
            for prompt in ("Hello", "!error 503", "Hello once more", "!error 400"):
                await ask(http, url, prompt)
            await ask(http, url, "There", model="other/demo")
        yield url


async def ask(http: httpx.AsyncClient, url: str, prompt: str, key: str = KEY, model: str = "demo") -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    return await http.post(f"{url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"})


def row_of(page: Page, name: str) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))


# keys


async def test_a_key_is_made_shown_once_used_and_revoked(page: Page, url: str, tmp_path: Path) -> None:
    await enter(page, url, "/admin/keys")
    await page.get_by_label("Name").fill("bob the builder")
    await page.get_by_label("Models, separated by commas").fill("demo, gemini-*")
    await page.get_by_role("spinbutton", name="Requests per minute").fill("2")
    await page.get_by_role("button", name="Make the key").click()
    secret = await page.get_by_label("The key", exact=True).input_value()
    assert secret.startswith("gw-")
    assert secret not in page.url
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_text("Copied.")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == secret
    await picture(page, "key-made")
    await audit(page)
    async with httpx.AsyncClient() as http:
        assert (await ask(http, url, "Hi", secret)).status_code == 200
    await page.get_by_role("link", name="Continue to the keys").click()
    row = row_of(page, "bob the builder")
    await expect(row).to_contain_text("demo, gemini-*")
    await expect(row).to_contain_text("1 of 2")
    await expect(row).to_contain_text("1 request")
    assert secret not in await page.content()
    await page.go_back()
    assert secret not in await page.content()
    await page.goto(f"{url}/admin/keys")
    await picture(page, "keys")
    await audit(page)
    await row.get_by_text("Revoke …").click()
    await row.get_by_role("button", name="Revoke: bob the builder").click()
    await expect(page.get_by_role("status")).to_have_text("The key bob the builder is revoked.")
    await expect(row).to_have_count(0)
    async with httpx.AsyncClient() as http:
        assert (await ask(http, url, "Hi", secret)).status_code == 401
    assert secret.encode() not in b"".join(
        file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file()
    )


async def test_who_presses_twice_sees_the_secret(page: Page, url: str) -> None:
    sent = 0

    async def slowly(route: Route) -> None:
        nonlocal sent
        sent += route.request.method == "POST"
        await anyio.sleep(0.5)
        await route.continue_()

    await enter(page, url, "/admin/keys")
    await page.route("**/admin/keys", slowly)
    await page.get_by_label("Name").fill("bob")
    make = page.get_by_role("button", name="Make the key")
    await make.evaluate("it => { it.click(); setTimeout(() => it.click(), 200); }")
    await expect(page.get_by_label("The key", exact=True)).to_have_value(re.compile("gw-"))
    assert sent == 1
    await page.unroute("**/admin/keys")
    await page.go_back()
    await expect(make).to_be_enabled()


async def test_what_is_wrong_with_a_key_is_said_and_what_was_typed_stays(page: Page, url: str) -> None:
    await enter(page, url, "/admin/keys")
    await page.get_by_label("Name").fill("alice")
    await page.get_by_label("administer this gateway").check()
    await page.get_by_role("spinbutton", name="USD per month").fill("7.5")
    await page.get_by_role("button", name="Make the key").click()
    await expect(page.get_by_role("alert")).to_contain_text("alice")
    await expect(page.get_by_label("Name")).to_have_value("alice")
    await expect(page.get_by_label("administer this gateway")).to_be_checked()
    await expect(page.get_by_role("spinbutton", name="USD per month")).to_have_value("7.5")


async def test_a_key_of_the_file_shows_what_is_left_and_cannot_be_revoked(page: Page, url: str) -> None:
    await enter(page, url, "/admin/keys")
    row = row_of(page, "alice")
    await expect(row).to_contain_text("55 of 60")
    await expect(row).to_contain_text("remove it from gateway.toml")
    await expect(row.get_by_role("button")).to_have_count(0)
    await expect(row.get_by_label("Requests per minute: 55 of 60 left")).to_be_visible()


async def test_below_many_keys_the_form_is_one_step_away(page: Page, tmp_path: Path) -> None:
    keys = [{"name": f"key-{number}", "secret": f"sk-{number:08}-0123456789"} for number in range(200)]
    async with shown(made(tmp_path, key=keys), page) as url:
        await enter(page, url, "/admin/keys")
        await page.get_by_role("link", name="Make a key").click()
        await expect(page.get_by_role("heading", name="Make a key")).to_be_in_viewport()
        await page.keyboard.press("Tab")
        await expect(page.get_by_label("Name")).to_be_focused()


# usage


async def test_the_usage_is_filtered_and_drawn(page: Page, url: str) -> None:
    await enter(page, url, "/admin/usage")
    await expect(row_of(page, "alice").first).to_contain_text("5")
    await expect(page.locator(".uplot")).to_have_count(4)
    await picture(page, "usage")
    await audit(page)
    await page.get_by_label("Grouped by").focus()
    await page.get_by_label("Grouped by").select_option("upstream")
    await expect(page.get_by_role("heading", name="By upstream")).to_be_visible()
    await expect(page.get_by_label("Grouped by")).to_be_focused()
    await page.get_by_label("Upstream", exact=True).select_option("other")
    await expect(page).to_have_url(re.compile("upstream=other"))
    table = page.get_by_role("table", name="Usage by upstream")
    await expect(table.get_by_role("rowheader")).to_have_text(["other"])
    await expect(page.locator(".uplot")).to_have_count(4)
    await page.get_by_text("The same numbers as a table").click()
    await expect(page.get_by_role("table", name="Requests, tokens, cost and latency over time")).to_be_visible()


async def test_a_period_that_is_chosen_ends_the_days_that_were_chosen_before(page: Page, url: str) -> None:
    await enter(page, url, "/admin/usage%3Fby=day%26begin=2020-01-01%26end=2020-01-02")
    await expect(page.get_by_role("region", name="By day").get_by_text("No requests.")).to_be_visible()
    await page.get_by_label("The last", exact=True).select_option("24h")
    await expect(page).to_have_url(re.compile("since=24h.*&begin=&end="))
    await expect(page.get_by_role("table", name="Usage by day").get_by_role("rowheader")).to_have_count(1)


async def test_the_charts_are_drawn_from_the_page_itself(page: Page, url: str) -> None:
    """To ask the ledger once more took as long as the page, and what had ended meanwhile stood in one of both."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await enter(page, url, "/admin/usage")
    await expect(page.locator(".uplot")).to_have_count(4)
    assert await page.evaluate("drawn[0].plot.data[1].reduce((sum, top) => sum + top)") == 5
    assert [one for one in asked if "series" in one] == []


async def test_a_legend_is_read_where_the_system_forces_its_colours(page: Page, url: str) -> None:
    await page.emulate_media(forced_colors="active")
    await enter(page, url, "/admin/usage")
    await expect(page.locator(".uplot")).to_have_count(4)
    marks = (await page.locator("figure").filter(has_text="Latency").locator(".u-marker").all())[1:]  # behind time's
    colours = {await mark.evaluate("it => getComputedStyle(it).borderColor") for mark in marks}
    assert (len(marks), len(colours)) == (2, 2)


@pytest.mark.parametrize(
    ("value", "tick", "legend"),
    [("2453, ''", "2.5K", "2,453"), ("85.746, '$'", "$86", "$85.75"), ("0.0249, '$'", "$0.025", "$0.025"),
     ("0.000001, '$'", "$0.000001", "$0.000001"), ("12345.6, '$'", "$12.3K", "$12,345.60"), ("null, '$'", "", "")],
)  # fmt: skip
async def test_a_legend_says_what_the_table_says(page: Page, url: str, value: str, tick: str, legend: str) -> None:
    await enter(page, url, "/admin/usage")
    await expect(page.locator(".uplot")).to_have_count(4)
    assert await page.evaluate(f"((value, unit) => [short(unit, value), exact(unit, value)])({value})") == [
        tick,
        legend,
    ]


async def test_the_charts_say_what_their_steps_are(page: Page, url: str) -> None:
    await enter(page, url, "/admin/usage%3Fsince=90d")
    legends = page.locator(".u-legend .u-series:first-child .u-label")
    await expect(legends).to_have_text(["Week from (UTC)"] * 4)
    await page.get_by_label("The last", exact=True).select_option("24h")
    await expect(legends).to_have_text(["Hour (UTC)"] * 4)


async def test_a_bar_of_tokens_has_what_came_out_below_what_went_in(page: Page, url: str) -> None:
    """One before the other would hide the smaller of the two, whichever that is."""
    await enter(page, url, "/admin/usage")
    chart = page.locator("figure").filter(has_text="Tokens")
    await expect(chart.locator(".uplot")).to_be_visible()
    tiles = page.locator(".tiles div")
    into, out = [int(await tiles.filter(has_text=name).locator("dd").inner_text()) for name in ("in", "out")]
    assert await page.evaluate("drawn[1].plot.data.slice(1).map((tops) => Math.max(...tops))") == [into + out, out]
    filled = await page.evaluate("drawn[1].plot.data[1].findIndex((top) => top)")
    left = await page.evaluate(f"drawn[1].plot.valToPos(drawn[1].plot.data[0][{filled}], 'x')")
    await chart.locator(".u-over").hover(position={"x": left + 1, "y": 20})
    await expect(chart.locator(".u-legend .u-value").nth(1)).to_have_text(str(into))
    await expect(chart.locator(".u-legend .u-value").nth(2)).to_have_text(str(out))
    await picture(page, "tokens")


async def test_the_requests_are_downloaded_as_csv(page: Page, url: str) -> None:
    await enter(page, url, "/admin/usage")
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="Download the requests as CSV").click()
    download = await waiting.value
    rows = list(csv.DictReader((await download.path()).read_text("utf-8-sig").splitlines()))
    assert re.fullmatch(r"usage-\d{4}-\d\d-\d\d-\d{4}-\d\d-\d\d\.csv", download.suggested_filename)
    assert [row["key"] for row in rows] == ["alice"] * 5
    ended = [(row["upstream"], row["model"], row["status"], row["end"]) for row in rows]
    assert sorted(ended) == [  # the wall clock stands still: none of them is the newest
        ("demo", "demo", "200", "done"),
        ("demo", "demo", "200", "done"),
        ("demo", "demo", "400", "error"),
        ("demo", "demo", "503", "error"),
        ("other", "demo", "200", "done"),
    ]


async def test_a_wrong_day_is_said(page: Page, url: str) -> None:
    await enter(page, url)
    await page.goto(f"{url}/admin/usage?since=yesterday")
    await expect(page.get_by_role("alert")).to_contain_text("'yesterday' is not a time")


# overview


async def test_the_overview_draws_what_requests_came_to(page: Page, url: str) -> None:
    await enter(page, url)
    await page.goto(url)
    await expect(page.locator(".uplot")).to_have_count(4)
    await expect(page.get_by_role("heading", name="The last 24 hours")).to_be_visible()
    tile = page.get_by_role("term").filter(has_text="Requests").locator("..")
    await expect(tile).to_contain_text("5")
    await picture(page, "overview")
    await audit(page)
    await page.get_by_role("link", name="7 days", exact=True).click()
    await expect(page.get_by_role("heading", name="The last 7 days")).to_be_visible()
    await expect(page.locator(".uplot")).to_have_count(4)
