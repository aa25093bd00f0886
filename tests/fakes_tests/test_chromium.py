"""The real Chromium of the tests, at the pages of the fake Google."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.async_api import Error

from tests.chromium import BrowserContext, Page
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes_tests.google_login import ASKED, USER

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def consent(fake_v1internal: FakeV1Internal) -> str:
    """Give the address of a consent page, which goes back to a page of the fake itself."""
    redirect = f"{fake_v1internal.url}/back"
    fake_v1internal.oauth.register("i", "s", redirect)
    return f"{fake_v1internal.authorize_url}?{urlencode(ASKED | {'redirect_uri': redirect})}"


async def test_a_page_of_a_local_server_is_opened_and_pictured(page: Page, consent: str, tmp_path: Path) -> None:
    await page.goto(consent)
    await page.screenshot(path=tmp_path / "page.png")
    assert await page.title() == "Sign in - Google Accounts"
    assert (tmp_path / "page.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(("button", "answer"), [("Allow", "code"), ("Deny", "error")])
async def test_a_login_is_pressed_through(page: Page, consent: str, button: str, answer: str) -> None:
    await page.goto(consent)
    await page.get_by_role("button", name=USER).click()
    await page.get_by_role("button", name=button).click()
    await page.wait_for_url("**/back?*")
    assert parse_qs(urlsplit(page.url).query).keys() >= {"state", answer}


async def test_an_account_can_be_typed(page: Page, consent: str) -> None:
    await page.goto(consent)
    await page.get_by_label("Email or phone").fill(USER)
    await page.get_by_role("button", name="Next").click()
    assert await page.get_by_role("button", name="Allow").is_visible()


async def test_names_beyond_loopback_are_not_found(page: Page) -> None:
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        await page.goto("http://gateway.example/")


async def test_pages_share_the_cookies_of_their_browser(browser: BrowserContext, consent: str) -> None:
    first, second = await browser.new_page(), await browser.new_page()
    for one in (first, second):
        await one.goto(consent)
    await first.evaluate("document.cookie = 'a=1; path=/'")
    assert await second.evaluate("document.cookie") == "a=1"
