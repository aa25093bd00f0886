"""A real Chromium shows long names beside numbers: no page gets wider than its window, and no number is torn apart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from playwright.async_api import Page, expect

from tests.clocks import FakeClock
from tests.gateway.admin.accounts import Accounts, account, configured, made
from tests.gateway.admin.seeing import Noted, audit, axe_core, enter, log_in, noted, picture, shown

pytestmark = pytest.mark.anyio

__all__ = ["noted"]
SECRET = "sk-somebody-0123456789"
KEY = "K" * 64
MODEL = f"demo/{'L' * 195}"
WIDTHS = (1280, 1153, 1152, 833, 640, 375, 320)
TORN = r"""() => {
  const torn = [], range = document.createRange();
  const boxes = (one) => [...one.getClientRects()].filter((box) => box.width);
  const lines = (one) => new Set(boxes(one).map((box) => Math.round(box.top)));
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    for (const found of text.data.matchAll(/[<$(]*\d[\d,.:]*(?: (?:%|ms|s)(?!\w))?/g)) {
      if (text.parentElement.closest("code, pre, script, textarea, h1, .name, .names, .uplot")) continue;
      range.setStart(text, found.index);
      range.setEnd(text, found.index + found[0].length);
      if (lines(range).size > 1) torn.push(found[0]);
    }
  }
  for (const one of document.querySelectorAll("main :is(button, .button, time, .badge)")) {
    range.selectNodeContents(one);
    if (lines(range).size > 1) torn.push(one.textContent);
  }
  return torn;
}"""


@pytest.fixture
async def url(page: Page, tmp_path: Path, noted: Noted) -> AsyncIterator[str]:
    """Serve a gateway with long names, large numbers, and a request that runs."""
    config: dict[str, Any] = {
        "key": [{"name": KEY, "secret": SECRET, "models": [MODEL, "demo"], "limits": {"tokens_per_day": 123_456_789}}],
        "models": {"alias": {"a" * 100: {f"demo/{'b' * 90}": 3, "demo/demo": 1}}},
        "usage": {"price": {"*": {"input": 1_000_000.0, "output": 4_000_000.0}}},
        "upstream": {"demo": {}},
    }
    async with shown(configured(tmp_path, **config), page) as url:
        headers = {"authorization": f"Bearer {SECRET}"}
        async with (
            httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as http,
            anyio.create_task_group() as tasks,
        ):
            for prompt in ("Hello " * 20_000, "!error 503"):
                await ask(http, prompt)
            tasks.start_soon(ask, http, "!slow 600\nHello")
            yield url
            tasks.cancel_scope.cancel()


async def ask(http: httpx.AsyncClient, prompt: str) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": prompt}]}
    assert (await http.post("/v1/chat/completions", json=body)).status_code in (200, 503)


async def check(page: Page) -> None:
    """Look at a page in each width, with all that can be opened open."""
    await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 800})
        await expect(page.locator("html")).to_have_js_property("scrollWidth", width)  # charts follow a little later
        assert await page.evaluate(TORN) == [], f"{page.url}, {width}"


async def test_long_names_leave_the_numbers_whole(page: Page, url: str) -> None:
    await enter(page, url, "/admin/live%3Frefresh=off")
    await expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    paths = ("/admin/live?refresh=off", "/admin/usage", "/admin/usage?by=model&since=90d", "/admin/keys", "/")
    for path in (*paths, f"/admin/models?model={'a' * 100}", "/admin/playground", "/admin/configuration"):
        await page.goto(url + path)
        await check(page)
        await picture(page, f"long-{path.strip('/').replace('/', '-').partition('?')[0]}")
    await page.goto(f"{url}/admin/live?refresh=off")
    await audit(page)


async def test_the_name_of_who_is_in_fits_beside_the_way_out(page: Page, tmp_path: Path) -> None:
    keys = [{"name": KEY, "secret": SECRET, "scopes": ["admin"]}]
    async with shown(made(tmp_path, key=keys), page) as url:
        await page.goto(f"{url}/admin/login")
        await log_in(page, SECRET)
        await expect(page.get_by_text(KEY)).to_be_visible()
        await check(page)


async def test_long_accounts_leave_the_buttons_whole(page: Page, noted: Noted, tmp_path: Path) -> None:
    axe_core()
    clock = FakeClock()
    now = clock.time()
    quota = {"claude-opus-4-5-thinking": (0.0, now + 7500), "m" * 90: (0.004, now + 90_000)}
    upstream = Accounts(
        account(1, state="cooling", cooling={"m" * 90: now + 90_000}, quota=quota, uses=1_234_567, last_used_at=now),
        account(2, account=f"{'long.' * 12}name@example.com", reason=f"https://example.com/{'x' * 150}"),
    )
    async with shown(made(tmp_path, upstream, clock=clock), page) as url:
        await enter(page, url)
        await page.goto(f"{url}/admin/credentials?done=check&id={account(2).id}")
        await check(page)
        await picture(page, "long-credentials")
        await audit(page)
