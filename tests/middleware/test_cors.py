"""Web pages of other origins: what a browser is told, and what a real one then lets a page do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from gateway.app import create_app, lifespan
from gateway.config import ConfigError, load
from gateway.middleware import Cors
from tests.chromium import Page
from tests.middleware.asgi import Inner, Outcome, call, scope_of
from tests.serving import serve

pytestmark = pytest.mark.anyio

PAGE = "https://app.example"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,x-stainless-os"}
CHAT = b'{"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}'
ASK = """async ([url, headers]) => {
  const body = JSON.stringify({model: "demo", stream: true, messages: [{role: "user", content: "Hello page"}]});
  try {
    const answer = await fetch(url, {method: "POST", body, headers});
    return [answer.status, await answer.text(), answer.headers.get("x-request-id"),
            answer.headers.get("x-gateway-upstream"), answer.headers.get("x-ratelimit-limit-requests")];
  } catch (error) { return [0, String(error), null, null, null]; }
}"""


def app_with(folder: Path, *origins: str, keys: tuple[str, ...] = ("sk-a",), **tables: Any) -> Starlette:
    auth = {"keys": list(keys)}
    return create_app({"server": {"data_dir": str(folder)}, "auth": auth, "cors": {"origins": origins}, **tables})


async def ask(app: Starlette, path: str = "/v1/chat/completions", method: str = "POST", **headers: str) -> Outcome:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with lifespan(app):
        return await call(app, scope_of(path, method=method, headers=sent), [CHAT])


def said(outcome: Outcome) -> set[str]:
    return {name for name in outcome.headers if name.startswith("access-control-")}


async def test_without_origins_there_is_no_header_of_cors(tmp_path: Path) -> None:
    app = app_with(tmp_path)
    assert not said(await ask(app, origin=PAGE, x_api_key="sk-a"))
    preflight = await ask(app, method="OPTIONS", origin=PAGE, **PREFLIGHT)
    assert (preflight.status, said(preflight)) == (401, set())


async def test_a_preflight_is_answered_before_anybody_asks_for_a_key(tmp_path: Path) -> None:
    answer = await ask(app_with(tmp_path, PAGE), method="OPTIONS", origin=PAGE, **PREFLIGHT)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, PAGE)
    assert answer.headers["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]
    assert {"GET", "POST", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))


async def test_another_origin_is_told_nothing(tmp_path: Path) -> None:
    app = app_with(tmp_path, PAGE)
    refused = await ask(app, method="OPTIONS", origin="https://evil.example", **PREFLIGHT)
    answered = await ask(app, origin="https://evil.example", x_api_key="sk-a")
    assert refused.status == 400
    for outcome in (refused, answered):
        assert "access-control-allow-origin" not in outcome.headers


async def test_a_star_is_every_origin_and_never_cookies(tmp_path: Path) -> None:
    answer = await ask(app_with(tmp_path, "*"), origin="https://any.example", x_api_key="sk-a")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/admin/credentials", "/", "/oauth2/login", "/metrics", "/health"])
async def test_the_operators_endpoints_are_for_no_page_of_another_origin(tmp_path: Path, path: str) -> None:
    app = app_with(tmp_path, "*", PAGE)
    for method in ("GET", "OPTIONS"):
        assert not said(await ask(app, path, method, origin=PAGE, **PREFLIGHT))


@pytest.mark.parametrize("keys", [(), ("sk-a",)])
async def test_an_allowed_origin_without_a_key_is_refused_and_may_read_why(
    tmp_path: Path, keys: tuple[str, ...]
) -> None:
    answer = await ask(app_with(tmp_path, PAGE, keys=keys), origin=PAGE)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (401, PAGE)


async def test_a_page_may_read_that_the_gateway_is_shutting_down(tmp_path: Path) -> None:
    app = app_with(tmp_path, PAGE)
    app.state.gateway.drain()
    answer = await ask(app, origin=PAGE, x_api_key="sk-a")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (503, PAGE)


@pytest.mark.parametrize("origin", ["https://app.example/", "app.example", "https://App.example", "null", ""])
async def test_what_no_browser_sends_is_told_with_its_line(tmp_path: Path, origin: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f'[cors]\norigins = ["*",\n "{origin}"]\n')
    with pytest.raises(ConfigError, match=r"gateway\.toml:3: cors\.origins.*not an origin as browsers send it"):
        load(file, environ={})


async def test_it_stands_in_an_app_of_its_own() -> None:
    answer = await call(Cors(Inner(), [PAGE]), scope_of(headers={"origin": PAGE}))
    assert answer.headers["access-control-allow-origin"] == PAGE


# in a real browser


@pytest.fixture
async def elsewhere(page: Page) -> AsyncIterator[tuple[Page, str]]:
    """Open a page of an origin of its own; give it, and that origin."""
    host = Starlette(routes=[Route("/", lambda _: HTMLResponse("<title>page</title>"))])
    async with serve(host) as url:
        await page.goto(url)
        yield page, url


LIMITS = {"requests_per_minute": 9}


async def asked(folder: Path, elsewhere: tuple[Page, str], *origins: str, **headers: str) -> list[Any]:
    page, url = elsewhere
    app = app_with(folder, *(url if origin == "page" else origin for origin in origins), limits=LIMITS)
    async with serve(app) as gateway:
        found: list[Any] = await page.evaluate(
            ASK, [f"{gateway}/v1/chat/completions", {"content-type": "application/json", **headers}]
        )
        return found


@pytest.mark.parametrize("origin", ["page", "*"])
@pytest.mark.parametrize("header", ["authorization", "x-api-key", "x-goog-api-key", "api-key"])
async def test_a_page_calls_with_a_key_and_reads_answer_and_headers(
    tmp_path: Path, elsewhere: tuple[Page, str], origin: str, header: str
) -> None:
    key = "Bearer sk-a" if header == "authorization" else "sk-a"
    status, text, request_id, upstream, limit = await asked(tmp_path, elsewhere, origin, **{header: key})
    assert (status, upstream, limit) == (200, "demo/demo", "9")
    assert "page" in text
    assert request_id.startswith("req_")


async def test_a_page_without_a_key_reads_why_it_is_refused(tmp_path: Path, elsewhere: tuple[Page, str]) -> None:
    status, text, *_ = await asked(tmp_path, elsewhere, "page")
    assert status == 401
    assert "no API key" in text


async def test_a_page_of_another_origin_reads_nothing(tmp_path: Path, elsewhere: tuple[Page, str]) -> None:
    status, text, *_ = await asked(tmp_path, elsewhere, "https://app.example", **{"x-api-key": "sk-a"})
    assert (status, text) == (0, "TypeError: Failed to fetch")
