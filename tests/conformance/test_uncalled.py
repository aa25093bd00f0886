"""What is told of upstreams that were not called, or have refused: no call, no tokens, no money."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from gateway.app import create_app
from tests.fakes.openai_api import CHAT, FakeOpenAI
from tests.patience import patient
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

ADMIN = ("admin", "pw")
KEY = {"authorization": "Bearer sk-caller"}
LIMITS = {"tokens_per_day": 100_000, "usd_per_month": 10}
ASKED: Json = {"model": "best", "max_tokens": 500, "messages": [{"role": "user", "content": "hello"}]}


@asynccontextmanager
async def before(folder: Path, *fakes: FakeOpenAI) -> AsyncIterator[httpx.AsyncClient]:
    """Serve a chain of these."""
    names = {f"up{place}": fake for place, fake in enumerate(fakes)}
    pool = {"cooldown": {"min": 5, "unknown": 5}}
    own = {"type": "openai", "api_key": ["key-1"], "models": ["gpt-4.1"], "pool": pool}
    config = {
        "server": {"data_dir": str(folder / "data")},
        "log": {"file": str(folder / "log"), "format": "json"},
        "admin": {"password": "pw"},
        "key": [{"name": "caller", "secret": "sk-caller", "limits": LIMITS}],
        "models": {"alias": {"best": [f"{name}/gpt-4.1" for name in names]}},
        "upstream": {name: own | {"base_url": f"{fake.url}/v1"} for name, fake in names.items()},
    }
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(create_app(config)))
        yield await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20))


async def shown(http: httpx.AsyncClient, name: str) -> list[Json]:
    """Read what operators are shown."""
    headers = {"accept": "application/json"}
    rows: list[Json] = next(iter((await http.get(f"/admin/{name}", auth=ADMIN, headers=headers)).json().values()))
    return rows


async def until(reached: Callable[[], Awaitable[Any]]) -> None:
    """Wait for it."""
    with anyio.fail_after(patient(10)):
        while not await reached():  # noqa: ASYNC110 - the gateway has no event for it
            await anyio.sleep(0.01)


async def leave(http: httpx.AsyncClient, when: Callable[[], Awaitable[Any]]) -> None:
    """Ask, and leave without an answer."""

    async def ask() -> None:
        await http.post("/v1/chat/completions", json=ASKED, headers=KEY)

    async def nothing_runs() -> bool:
        return not await shown(http, "live")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await until(when)
        tasks.cancel_scope.cancel()
    await until(nothing_runs)


async def line(folder: Path) -> Json:
    """Give the line of the last request for an answer."""
    said = [json.loads(one) for one in (folder / "log").read_text("utf-8").splitlines()]
    found: Json = [one for one in said if one["event"] == "request" and one["method"] == "POST"][-1]
    return found


async def costs_nothing(http: httpx.AsyncClient) -> None:
    """Hold that all is left of each limit, and that no cost is unknown."""
    own = (await http.get("/usage", headers=KEY)).json()
    assert own["left"] == LIMITS
    used = own["usage"]["today"]
    assert (used["input_tokens"], used["output_tokens"], used["estimated"], used["unpriced"]) == (0, 0, 0, 0)


async def test_who_leaves_in_the_pause_after_a_refusal_has_used_nothing(
    fake_openai: FakeOpenAI, tmp_path: Path
) -> None:
    fake_openai.fail("429_bare")

    async def is_refused() -> bool:
        return any(one["last_error"] for one in await shown(http, "credentials"))

    async with before(tmp_path, fake_openai) as http:
        await leave(http, is_refused)
        await costs_nothing(http)


async def test_who_leaves_while_a_key_cools_down_has_called_nobody(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    fake_openai.fail("429_bare")

    async def cools() -> bool:
        return any(one["cooling"] for one in await shown(http, "credentials"))

    async def waits() -> bool:
        return any(one["upstream"] == "up0/gpt-4.1" for one in await shown(http, "live"))

    async with before(tmp_path, fake_openai) as http:
        await leave(http, cools)
        await leave(http, waits)
        assert len(fake_openai.calls(CHAT)) == 1
        assert (await line(tmp_path))["attempts"] == 0
        await costs_nothing(http)


async def test_a_member_without_a_usable_key_is_no_failed_call(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    fake_openai.fail("401_invalid_key")
    async with FakeOpenAI() as other, before(tmp_path, fake_openai, other) as http:
        for _ in range(3):
            assert (await http.post("/v1/chat/completions", json=ASKED, headers=KEY)).status_code == 200
        assert (len(fake_openai.calls(CHAT)), len(other.calls(CHAT))) == (1, 3)
        assert (await line(tmp_path))["attempts"] == 1
        retries = [one for one in (await http.get("/metrics")).text.splitlines() if "gateway_retries_total{" in one]
        assert retries == ['gateway_retries_total{reason="key",upstream="up0"} 1.0']
