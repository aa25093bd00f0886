"""A real Chromium goes through the pages that show and try what the gateway does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from playwright.async_api import Page, Route, expect

from gateway.app import create_app
from tests.fakes.openai_api import FakeOpenAI
from tests.gateway.admin.accounts import ADMIN
from tests.gateway.admin.seeing import Noted, audit, axe_core, enter, log_in, noted, picture, shown

pytestmark = pytest.mark.anyio

__all__ = ["noted"]
KEY = "sk-alice-0123456789"


def config_of(folder: Path, fake: FakeOpenAI) -> dict[str, Any]:
    """Configure a gateway over the fake and the demo."""
    return {
        "server": {"data_dir": str(folder / "data")},
        "admin": {"password": ADMIN[1]},
        "log": {"level": "error"},
        "key": [{"name": "alice", "secret": KEY, "limits": {"requests_per_minute": 60}}],
        "models": {"alias": {"balanced": {"openai/gpt-4.1": 3, "demo/demo": 1}, "best": ["openai/gpt-4.1", "demo"]}},
        "upstream": {
            "openai": {
                "api_key": "key-1",
                "base_url": f"{fake.url}/v1",
                "models": ["gpt-4.1", "gpt-4.1-mini"],
            },
            "demo": {},
        },
    }


@pytest.fixture
async def url(page: Page, fake_openai: FakeOpenAI, tmp_path: Path, noted: Noted) -> AsyncIterator[str]:
    """Serve it."""
    async with shown(create_app(config_of(tmp_path, fake_openai)), page) as url:
        yield url


async def ask(http: httpx.AsyncClient, url: str, prompt: str, **more: Any) -> httpx.Response:
    body = {"model": "demo", "messages": [{"role": "user", "content": prompt}], **more}
    return await http.post(f"{url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"})


# health and configuration


async def test_the_configuration_shows_each_value_with_its_source(page: Page, url: str) -> None:
    await enter(page, url, "/admin/configuration")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="upstream.openai.base_url"))
    await expect(row).to_contain_text("127.0.0.1")
    await expect(page.get_by_text("ready", exact=True)).to_be_visible()
    text = await page.content()
    assert not [secret for secret in ("key-1", ADMIN[1], KEY) if secret in text]
    await picture(page, "configuration")
    await audit(page)


# models


async def test_the_models_page_says_where_each_name_goes(page: Page, url: str) -> None:
    await enter(page, url, "/admin/models")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="balanced", exact=True))
    await expect(row).to_contain_text("75 %: openai/gpt-4.1")
    await expect(row).to_contain_text("25 %: demo/demo")
    best = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="best", exact=True))
    await expect(best).to_contain_text("openai/gpt-4.1, then demo/demo")
    await picture(page, "models")
    await audit(page)


async def test_a_name_is_explained_in_the_page(page: Page, url: str, fake_openai: FakeOpenAI) -> None:
    await enter(page, url, "/admin/models")
    await page.get_by_role("link", name="best", exact=True).click()
    explained = page.get_by_role("region", name="best, requested by")
    await expect(explained).to_contain_text("1 of 2: openai/gpt-4.1")
    await expect(explained.get_by_label("Body for openai")).to_contain_text('"model": "gpt-4.1"')
    assert fake_openai.requests == []
    await picture(page, "explained")
    await audit(page)


async def test_a_whole_request_is_explained_in_the_page(page: Page, url: str) -> None:
    await enter(page, url, "/admin/models")
    await page.get_by_text("A whole request").click()
    await page.get_by_label("Its body, as JSON").fill(
        '{"model": "gpt-4.1", "max_tokens": 9, "top_k": 3, "system": "<b>",'
        ' "messages": [{"role": "user", "content": "x"}]}'
    )
    await page.get_by_role("button", name="Explain").click()
    explained = page.get_by_role("region", name="gpt-4.1, requested by")
    await expect(explained).to_contain_text("anthropic:")
    await expect(explained).to_contain_text("top_k")
    await page.get_by_label("Its body, as JSON").fill("{")
    await page.get_by_role("button", name="Explain").click()
    await expect(page.get_by_role("alert")).to_contain_text("is not JSON")


# live requests


async def test_a_request_that_runs_is_seen_and_cancelled(page: Page, url: str) -> None:
    axe_core()
    await enter(page, url, "/admin/live")
    await expect(page.get_by_text("No request is in progress.")).to_be_visible()
    answers: list[str] = []

    async def stream(http: httpx.AsyncClient) -> None:
        answers.append((await ask(http, url, "!slow 600\nHello", stream=True)).text)

    async with httpx.AsyncClient(timeout=30) as http, anyio.create_task_group() as tasks:
        tasks.start_soon(stream, http)
        row = page.get_by_role("row").filter(has_text="alice")
        await expect(row).to_be_visible()  # the page refreshes itself
        await expect(row).to_contain_text("demo/demo")
        await picture(page, "live")
        await audit(page)
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.get_by_role("status")).to_contain_text("was ended")
        await expect(page.get_by_text("No request is in progress.")).to_be_visible()
    assert "the operator of the gateway (admin) has ended this request" in answers[0]


async def test_the_focus_stays_among_the_requests_when_one_has_ended(page: Page, url: str) -> None:
    """It is on the row that took the place, not on its button: who presses twice would end another request."""
    await enter(page, url, "/admin/live")
    async with httpx.AsyncClient(timeout=60) as http, anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(ask, http, url, "!slow 600\nHello")
        buttons = page.get_by_role("button", name="Cancel")
        await expect(buttons).to_have_count(2)
        await buttons.first.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("was ended")
        await expect(buttons).to_have_count(1)
        await expect(page.get_by_role("row").filter(has=buttons)).to_be_focused()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("proxied", [False, True])
async def test_that_the_gateway_does_not_answer_is_said_until_it_does(
    page: Page, fake_openai: FakeOpenAI, tmp_path: Path, proxied: bool
) -> None:
    async def be_away(route: Route) -> None:
        await (route.fulfill(status=502, body="<h1>Bad Gateway</h1>") if proxied else route.abort())

    async with shown(create_app(config_of(tmp_path, fake_openai)), page) as url:
        await enter(page, url, "/admin/live")
        async with httpx.AsyncClient(timeout=60) as http, anyio.create_task_group() as tasks:
            tasks.start_soon(ask, http, url, "!slow 600\nHello")
            cancel, status = page.get_by_role("button", name="Cancel"), page.get_by_role("status")
            await expect(cancel).to_be_visible()
            await page.route("**/admin/live**", be_away)
            await expect(status).to_contain_text("The gateway does not answer")  # the page refreshes itself
            await status.locator("p").evaluate("it => it.remove()")
            await cancel.click()
            await expect(status).to_contain_text("The gateway does not answer")
            await expect(cancel).to_be_visible()
            await page.unroute("**/admin/live**")
            await expect(status).to_be_empty()
            await cancel.click()
            await expect(status).to_contain_text("was ended")


async def test_the_refreshing_can_be_stopped(page: Page, url: str) -> None:
    await enter(page, url, "/admin/live")
    await page.get_by_role("link", name="Stop that").click()
    assert await page.locator("[hx-trigger]").count() == 0
    await page.get_by_role("link", name="Refresh every two seconds").click()
    assert await page.locator("[hx-trigger]").count() == 1


# playground


async def test_the_playground_shows_both_sides_as_they_come(page: Page, url: str, fake_openai: FakeOpenAI) -> None:
    await enter(page, url, "/admin/playground")
    await page.get_by_label("Dialect").select_option("anthropic")
    await page.get_by_label("Model").fill("gpt-4.1")
    await page.get_by_label("Prompt").fill("Say Hello")
    await page.keyboard.press("Control+Enter")
    caller, upstream = (page.get_by_role("list", name=f"The {one}'s side") for one in ("caller", "upstream"))
    await expect(page.get_by_role("status")).to_contain_text("200 by openai/gpt-4.1")
    await expect(caller).to_contain_text("POST /v1/messages")
    await expect(caller).to_contain_text("event: message_stop")
    await expect(upstream).to_contain_text("/v1/chat/completions")
    await expect(upstream).to_contain_text("data: [DONE]")
    assert "key-1" not in await page.content()
    await picture(page, "playground")
    await audit(page)


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("openai-chat", "POST /v1/chat/completions"),
        ("openai-responses", "POST /v1/responses"),
        ("gemini", "POST /v1beta/models/demo:streamGenerateContent?alt=sse"),
    ],
)
async def test_every_dialect_can_be_played(page: Page, url: str, dialect: str, path: str) -> None:
    await enter(page, url, "/admin/playground%3Fmodel=demo")
    await page.get_by_label("Dialect").select_option(dialect)
    await page.get_by_label("Prompt").fill("Hello there")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("list", name="The caller's side")).to_contain_text(path)
    await expect(page.get_by_role("list", name="The caller's side")).to_contain_text("there")
    await expect(page.get_by_role("status")).to_contain_text("200 by demo/demo")
    await expect(page.get_by_role("list", name="The upstream's side")).to_contain_text("no server was called")


async def test_a_play_can_be_stopped(page: Page, url: str) -> None:
    await enter(page, url, "/admin/playground%3Fmodel=demo")
    await page.get_by_label("Prompt").fill("!slow 600\nHello")
    await page.get_by_role("button", name="Send").click()
    stop, send = page.get_by_role("button", name="Stop"), page.get_by_role("button", name="Send")
    await expect(stop).to_be_visible()
    places = [await button.bounding_box() for button in (stop, send)]
    assert [place and place["y"] for place in places] == [places[0] and places[0]["y"]] * 2
    await stop.click()
    await expect(page.get_by_role("status")).to_have_text("Stopped.")
    await page.goto(f"{url}/admin/live")
    await expect(page.get_by_text("No request is in progress.")).to_be_visible()


async def test_a_long_answer_ends_on_the_page_too(page: Page, url: str) -> None:
    """What is left out of the view is counted, and the end is shown."""
    pieces = [
        {"side": "caller", "kind": "piece", "at_ms": 1, "head": "", "text": f"piece {one}"} for one in range(3200)
    ]
    end = {"side": "caller", "kind": "end", "at_ms": 9, "head": "200 by demo/demo: done", "text": ""}
    lines = "".join(f"{json.dumps(event)}\n" for event in (*pieces, end))

    async def tell(route: Route) -> None:
        if route.request.method != "POST":
            return await route.continue_()
        return await route.fulfill(body=lines, content_type="application/x-ndjson")

    await page.route("**/admin/playground", tell)
    await enter(page, url, "/admin/playground%3Fmodel=demo")
    await page.get_by_label("Prompt").fill("Hello")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("status")).to_have_text("Answered: 200 by demo/demo: done")
    caller = page.get_by_role("list", name="The caller's side").get_by_role("listitem")
    await expect(caller.filter(has_text="more")).to_have_text("… 1,200 more pieces came, not shown here")
    await expect(caller).to_have_count(2000 + 2)
    await expect(caller.last).to_contain_text("end200 by demo/demo")


async def test_asking_after_the_session_has_ended_leads_to_the_login_and_back(page: Page, url: str) -> None:
    await enter(page, url, "/admin/playground%3Fmodel=demo")
    await page.context.clear_cookies()
    await page.get_by_label("Prompt").fill("Hello")
    await page.get_by_label("Dialect").select_option("gemini")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    await log_in(page, ADMIN[1])
    await expect(page.get_by_label("Prompt")).to_have_value("Hello")
    await expect(page.get_by_label("Dialect")).to_have_value("gemini")
    await page.reload()
    await expect(page.get_by_label("Prompt")).to_have_value("")
