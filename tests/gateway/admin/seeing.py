"""What tests do in a real Chromium on the page: log in, keep pictures, let axe-core look, note what goes out.

Pictures of each page, wide and on a phone, light and dark, go into the folder that GATEWAY_TEST_SCREENSHOTS names.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect
from starlette.types import ASGIApp

from tests.gateway.admin.accounts import ADMIN
from tests.serving import serve

__all__ = ["Noted", "audit", "axe_core", "enter", "log_in", "noted", "picture", "shown"]

SIZES = (("wide", 1280, 800), ("phone", 390, 844))
LIGHTS = ("light", "dark")
SERIOUS = ("serious", "critical")


@asynccontextmanager
async def shown(app: ASGIApp, page: Page) -> AsyncIterator[str]:
    """Serve the app for the page, which leaves before it stops: it may load files still, and would tell of each."""
    async with serve(app) as url:
        yield url.replace("127.0.0.1", "localhost")
        await page.goto("about:blank")


async def picture(page: Page, name: str) -> None:
    """Keep what is seen."""
    folder = os.environ.get("GATEWAY_TEST_SCREENSHOTS")
    if not folder:
        return
    for size, width, height in SIZES:
        await page.set_viewport_size({"width": width, "height": height})
        for light in LIGHTS:
            await page.emulate_media(color_scheme=light)  # type: ignore[arg-type]
            await page.screenshot(path=Path(folder) / f"{name}-{size}-{light}.png", full_page=True)


async def enter(page: Page, url: str, path: str = "/admin/credentials") -> None:
    """Log in, on the way to a page."""
    await page.goto(f"{url}/admin/login?next={path}")
    await log_in(page, ADMIN[1], ADMIN[0])
    await expect(page.get_by_role("button", name="Log out")).to_be_visible()
    await page.wait_for_load_state()  # until its script has come, a form leaves the page


async def log_in(page: Page, password: str, name: str = "") -> None:
    """Fill in and send the form that is shown.

    Chromium puts the focus into the password with the first frame that it draws, which may come after the load; where
    it finds it taken by then, it tells the console.
    """
    await expect(page.get_by_label("Password")).to_be_focused()
    if name:
        await page.get_by_label("User name").fill(name)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Log in").click()


async def audit(page: Page) -> None:
    """Demand that axe-core finds no serious fault, wide and on a phone, light and dark."""
    axe = axe_core()
    for size, width, height in SIZES:
        await page.set_viewport_size({"width": width, "height": height})
        for light in LIGHTS:
            await page.emulate_media(color_scheme=light)  # type: ignore[arg-type]
            await page.evaluate(axe)  # as the browser's own tools do, so the policy of the page does not matter
            found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            faults = [
                f"{one['id']} at {[node['target'] for node in one['nodes']][:3]}: {one['nodes'][0]['failureSummary']}"
                for one in found["violations"]
                if one["impact"] in SERIOUS
            ]
            assert faults == [], f"{page.url}, {size}, {light}"


def axe_core() -> str:
    """Give the program; skip the test where it is not installed, which cannot be done within a task group."""
    folder = os.environ.get("GATEWAY_TEST_NODE_MODULES")
    file = Path(folder or "", "axe-core", "axe.min.js")
    if not (folder and file.exists()) and os.environ.get("CI") != "true":
        pytest.skip("needs axe-core in GATEWAY_TEST_NODE_MODULES, which .ci/run installs")
    return file.read_text("utf-8")


class Noted:
    """What a page has told its console, and the servers that it has asked for anything."""

    def __init__(self, page: Page) -> None:
        self.told: list[str] = []
        self.servers: set[str] = set()
        page.on("console", lambda message: self.told.append(message.text))
        page.on("pageerror", lambda error: self.told.append(str(error)))
        page.on("request", lambda request: self.servers.add(urlsplit(request.url).netloc))


@pytest.fixture
def noted(page: Page) -> Iterator[Noted]:
    """Note it during the test, and demand that no more than one server was asked, and nothing told."""
    noted = Noted(page)
    yield noted
    refused = "Failed to load resource: the server responded with a status of 4"  # a page that says what is wrong
    told = [text for text in noted.told if not text.startswith(refused)]
    assert told == [], told
    assert len(noted.servers) <= 1, noted.servers
