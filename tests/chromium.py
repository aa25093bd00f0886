"""A real Chromium, without a window, that Playwright drives; each test has a user folder of its own.

    async def test_x(page: Page) -> None:            # playwright.async_api: it runs in the loop of the test
        await page.goto(url)
        await page.get_by_role("button", name="Allow").click()
        await page.screenshot(path=tmp_path / "after.png")
    async def test_y(browser: BrowserContext) -> None:
        first, second = await browser.new_page(), await browser.new_page()

Servers of the test, its fakes among them, answer while it awaits. Names are those of loopback only: whatever else a
page asks for is not found. `localhost` and `127.0.0.1` are two sites, by which cookies are told apart.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from tests.patience import patient

__all__ = ["BrowserContext", "Page"]

WAIT_S = 10.0
LAUNCH_MS = 30_000.0  # as Playwright has it
MOST_S = 100.0  # less than a test may take: what never comes is named
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]",
)


def _program() -> str:
    program = shutil.which("chromium")
    if program is None and os.environ.get("CI") != "true":
        pytest.skip("needs chromium, which .ci/run installs")
    assert program is not None, "apt-get install chromium"
    return program


@pytest.fixture
async def browser(anyio_backend_name: str, tmp_path: Path) -> AsyncIterator[BrowserContext]:
    """Run a Chromium that nobody has used before."""
    assert anyio_backend_name == "asyncio"
    home = tmp_path / "chromium"
    home.mkdir()
    wait_ms = 1000 * min(patient(WAIT_S), MOST_S)
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            home / "user",
            executable_path=_program(),
            args=OPTIONS,
            timeout=max(wait_ms, LAUNCH_MS),
            env={"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC"},
        )
        context.set_default_timeout(wait_ms)
        expect.set_options(timeout=wait_ms)
        try:
            yield context
        finally:
            await context.close()


@pytest.fixture
async def page(browser: BrowserContext) -> Page:
    """Open an empty page."""
    return await browser.new_page()
