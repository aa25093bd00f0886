"""A real Chromium goes through the page: the login of an account at a fake Google, and every button.

The page is at localhost and Google at 127.0.0.1, which are two sites. What a person would see goes as pictures into the
folder that GATEWAY_TEST_SCREENSHOTS names.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import BrowserContext, Page, Request, expect

from tests.clocks import FakeClock
from tests.fakes.v1internal import FakeV1Internal
from tests.gateway.admin.accounts import ADMIN, Accounts, account, configured, made
from tests.gateway.admin.seeing import audit, enter, picture, shown
from tests.scripted import Scripted, say

pytestmark = pytest.mark.anyio

EMAIL = "user1@example.invalid"
LIST = "/admin/credentials"


# a login at Google


@pytest.fixture
async def url(page: Page, fake_v1internal: FakeV1Internal, tmp_path: Path) -> AsyncIterator[str]:
    """Serve a gateway that logs accounts in at the fake Google."""
    fake = fake_v1internal
    fake.oauth.register("our-desktop", "its-secret", desktop=True)
    config: dict[str, Any] = {
        "upstream": {
            "antigravity": {
                "base_urls": [fake.base("a")],
                "oauth": {
                    "client_id": "our-desktop",
                    "client_secret": "its-secret",
                    "authorize_url": fake.authorize_url,
                    "token_url": fake.token_url,
                    "userinfo_url": fake.userinfo_url,
                },
            }
        },
    }
    async with shown(configured(tmp_path, **config), page) as url:
        yield url


async def choose(page: Page, url: str) -> None:
    """Go to Google from the page, and choose the account."""
    await page.goto(f"{url}{LIST}")
    await page.get_by_role("link", name="Add a Google account").click()
    await page.get_by_role("button", name=EMAIL).click()


async def decide(page: Page, decision: str) -> str:
    """Decide, and give the address that Google led back to."""
    seen: list[str] = []

    def note(request: Request) -> None:
        if "/oauth2/callback" in request.url:
            seen.append(request.url)

    page.on("request", note)
    await page.get_by_role("button", name=decision, exact=True).click()
    await page.wait_for_url("**/oauth2/callback?*")
    return seen[0]


async def test_consent_brings_an_account(page: Page, url: str) -> None:
    await enter(page, url)
    await picture(page, "empty")
    await audit(page)
    await choose(page, url)
    await decide(page, "Allow")
    steps = page.get_by_role("listitem")
    await expect(page.get_by_role("status")).to_have_text(f"{EMAIL} is active.")
    await expect(steps.first).to_be_visible()
    await picture(page, "login-steps")
    await audit(page)
    await page.get_by_role("link", name="Continue to the credentials").click()
    row = page.get_by_role("row").filter(has_text=EMAIL)
    await expect(row.get_by_text("active", exact=True)).to_be_visible()
    await expect(row).to_contain_text("from login")
    await picture(page, "added")


async def test_the_buttons_reach_the_account(page: Page, url: str, fake_v1internal: FakeV1Internal) -> None:
    await enter(page, url)
    await choose(page, url)
    await decide(page, "Allow")
    await page.get_by_role("link", name="Continue to the credentials").click()
    said, before = page.get_by_role("status"), len(fake_v1internal.requests)
    await page.get_by_role("button", name=f"Check: {EMAIL}").click()
    await expect(said).to_have_text(f"Checked: {EMAIL} is active.")
    assert len(fake_v1internal.requests) > before
    await page.get_by_role("button", name=f"Disable: {EMAIL}").click()
    await expect(said).to_contain_text(f"Taken out of use: {EMAIL} is disabled")
    await page.get_by_role("button", name=f"Enable: {EMAIL}").click()
    await expect(said).to_have_text(f"Taken into use: {EMAIL} is active.")
    await page.get_by_text("Remove …").click()
    await page.get_by_role("button", name=f"Remove permanently: {EMAIL}").click()
    await expect(page.get_by_text("There are no credentials yet.")).to_be_visible()


async def test_a_denial_is_said_and_adds_nothing(page: Page, url: str) -> None:
    await enter(page, url)
    await choose(page, url)
    await decide(page, "Deny")
    await expect(page.get_by_role("alert")).to_contain_text("no account was added: access was denied")
    await picture(page, "denied")
    await audit(page)
    await page.get_by_role("link", name="Credentials").click()
    await expect(page.get_by_text("There are no credentials yet.")).to_be_visible()


async def test_a_wrong_state_is_refused(page: Page, url: str, fake_v1internal: FakeV1Internal) -> None:
    await enter(page, url)
    await choose(page, url)

    async def tamper(route: Any) -> None:
        answer = await route.fetch(max_redirects=0)
        back = re.sub(r"state=[^&]+", f"state={'x' * 43}", answer.headers["location"])
        await route.fulfill(response=answer, headers={**answer.headers, "location": back})

    await page.route("**/signin/oauth/consent", tamper)
    await page.get_by_role("button", name="Allow", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("this browser did not start this login")
    assert fake_v1internal.oauth.calls.all == []


async def test_a_replayed_code_is_refused(page: Page, url: str) -> None:
    await enter(page, url)
    await choose(page, url)
    address = await decide(page, "Allow")
    await expect(page.get_by_role("status")).to_contain_text(EMAIL)
    await page.goto(address)
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.goto(f"{url}{LIST}")
    await expect(page.get_by_role("rowheader")).to_have_count(1)


async def test_a_link_with_somebody_elses_code_is_refused(browser: BrowserContext, page: Page, url: str) -> None:
    await enter(page, url)
    await choose(page, url)
    state = parse_qs(urlsplit(await decide(page, "Allow")).query)["state"][0]
    await page.goto(f"{url}/oauth2/callback?state={state}&code=4%2F0AnotherCode")
    await expect(page.get_by_role("alert")).to_contain_text("this browser did not start this login")


async def test_a_login_that_was_begun_too_long_ago_is_refused(
    page: Page, fake_v1internal: FakeV1Internal, tmp_path: Path
) -> None:
    clock, upstream = FakeClock(), Accounts()
    fake_v1internal.oauth.register("our-desktop", "its-secret", desktop=True)
    async with shown(made(tmp_path, upstream, clock=clock), page) as url:
        await enter(page, url)

        async def late(route: Any) -> None:
            await clock.advance(601)
            state = parse_qs(urlsplit(route.request.url).query)["state"][0]
            await route.fulfill(status=302, headers={"location": f"{url}/oauth2/callback?state={state}&code=x"})

        await page.route("https://accounts.google.com/**", late)
        await page.get_by_role("link", name="Add a Google account").click()
        await expect(page.get_by_role("alert")).to_contain_text("older than 10 minutes")
    assert upstream.logins == []


# the buttons


@pytest.fixture
async def pool(page: Page, tmp_path: Path) -> AsyncIterator[tuple[str, Accounts]]:
    """Serve accounts in every state."""
    clock = FakeClock()
    now = clock.time()
    quota = {
        "claude-opus-4-5-thinking": (0.0, now + 7500),
        "claude-sonnet-4-5": (0.004, now + 7500),
        "gemini-3-flash": (0.87, now + 3600),
        "gemini-3-pro-high": (0.42, now + 172_800),
        "gpt-oss-120b-medium": (1.0, None),
    }
    upstream = Accounts(
        account(1, state="cooling", cooling={"claude-opus-4-5-thinking": now + 7500}, quota=quota, uses=1423,
                last_used_at=now - 4, last_error="429 RESOURCE_EXHAUSTED: You have exhausted your capacity."),
        account(2, source="config"),
        account(3, state="needs_verification", reason="Google wants the owner to verify the account",
                link="https://accounts.google.com/signin/continue"),
        account(4, state="disabled", enabled=False, reason="invalid_grant: the refresh token was revoked"),
        account(5, state="suspected", reason="5 requests in a row ended with a failure of the server"),
    )  # fmt: skip
    async with shown(made(tmp_path, upstream, Scripted(say("x"), name="openai"), clock=clock), page) as url:
        yield url, upstream


async def test_every_button_does_what_it_says(page: Page, pool: tuple[str, Accounts]) -> None:
    url, upstream = pool
    await enter(page, url)
    said = page.get_by_role("status")
    await page.get_by_role("button", name="Check: person1@example.com").click()
    await expect(said).to_have_text("Checked: person1@example.com is cooling.")
    await page.get_by_role("button", name="Disable: person2@example.com").click()
    await expect(said).to_contain_text("Taken out of use: person2@example.com is disabled")
    await page.get_by_role("button", name="Enable: person4@example.com").click()
    await expect(said).to_have_text("Taken into use: person4@example.com is active.")
    row = page.get_by_role("row").filter(has_text="person5@example.com")
    await row.get_by_text("Remove …").click()
    await row.get_by_role("button", name="Remove permanently: person5@example.com").click()
    await expect(said).to_have_text("Removed.")
    await expect(page.get_by_role("rowheader")).to_have_count(4)
    assert [(what, int(id_, 16)) for what, id_ in upstream.did] == [
        ("check", 1),
        ("disable", 2),
        ("enable", 4),
        ("remove", 5),
    ]


async def test_who_presses_a_button_far_down_stays_there(page: Page, tmp_path: Path) -> None:
    """The row stays in view with the focus in it, and what was done is seen, and heard from where it always is."""
    upstream = Accounts(*(account(number) for number in range(1, 81)))
    async with shown(made(tmp_path, upstream), page) as url:
        await enter(page, url)
        said = page.get_by_role("status")
        place = await said.element_handle()
        button = page.get_by_role("button", name="Disable: person60@example.com")
        await button.scroll_into_view_if_needed()
        before = await page.evaluate("scrollY")
        await button.focus()
        for done, next_ in (("Taken out of use", "Enable"), ("Taken into use", "Disable")):
            await page.keyboard.press("Enter")
            await expect(said).to_contain_text(f"{done}: person60@example.com")
            now = page.get_by_role("button", name=f"{next_}: person60@example.com")
            await expect(now).to_be_focused()
            await expect(now).to_be_in_viewport(ratio=1)
            await expect(said).to_be_in_viewport(ratio=1)
            assert abs(await page.evaluate("scrollY") - before) < 150
        row = page.get_by_role("row").filter(has_text="person60@example.com")
        await row.get_by_text("Remove …").click()
        await row.get_by_role("button", name="Remove permanently: person60@example.com").click()
        await expect(said).to_have_text("Removed.")
        next_row = page.get_by_role("row").filter(has_text="person61@example.com")
        await expect(next_row).to_be_focused()
        await expect(next_row).to_be_in_viewport()
        assert place is not None
        assert await place.evaluate("it => it.isConnected")


async def test_the_keyboard_is_enough(page: Page, pool: tuple[str, Accounts]) -> None:
    url, upstream = pool
    await page.goto(f"{url}{LIST}")
    await expect(page.get_by_label("Password")).to_be_focused()
    await page.keyboard.type(ADMIN[1])
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Credentials")).to_be_visible()
    button = page.get_by_role("button", name="Check: person1@example.com")
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await button.evaluate("it => it === document.activeElement"):
            break
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_be_visible()
    assert [what for what, _ in upstream.did] == ["check"]


async def test_no_page_is_wider_than_a_phone_or_breaks_its_own_policy(page: Page, pool: tuple[str, Accounts]) -> None:
    url, _ = pool
    told: list[str] = []
    asked: set[str] = set()
    page.on("console", lambda message: told.append(message.text))
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.goto(url)
    await picture(page, "login")
    await audit(page)
    await enter(page, url)
    for path, name in ((LIST, "credentials"), ("/", "overview-idle")):
        await page.set_viewport_size({"width": 360, "height": 740})
        await page.goto(url + path)
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        await picture(page, name)
        await audit(page)
    assert (told, asked) == ([], {urlsplit(url).netloc})


async def test_after_logging_out_nothing_is_shown(page: Page, pool: tuple[str, Accounts]) -> None:
    url, _ = pool
    await enter(page, url)
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_text("person1@example.com")).to_have_count(0)


async def test_another_site_cannot_press_a_button(page: Page, pool: tuple[str, Accounts]) -> None:
    url, upstream = pool
    await enter(page, url)
    form = f'<form method="post" action="{url}{LIST}/{account(2).id}/disable"><button>Win</button></form>'
    evil = "http://127.0.0.1:1/"

    async def lure(route: Any) -> None:
        await route.fulfill(body=form, content_type="text/html")

    await page.route(evil, lure)
    await page.goto(evil)
    await page.get_by_role("button", name="Win").click()
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert upstream.did == []
