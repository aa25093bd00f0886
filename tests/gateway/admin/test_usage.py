"""`GET /admin/usage`, as programs see it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from gateway.app import lifespan
from tests.gateway.admin.accounts import ADMIN, visiting
from tests.scripted import Scripted, app_of, say

pytestmark = pytest.mark.anyio

CHAT = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}
USED = {"requests": 1, "errors": 0, "input_tokens": 3, "cached_tokens": 0, "output_tokens": 2, "reasoning_tokens": 0}


def made(folder: Path, **config: Any) -> Starlette:
    given = {"server": {"data_dir": str(folder)}, "admin": {"password": ADMIN[1]}, **config}
    return app_of(Scripted(say("Hello")), config=given)


async def asked(app: Starlette, query: str = "", *, requests: int = 1) -> Any:
    async with lifespan(app), visiting(app, accept="application/json") as http:
        for _ in range(requests):
            await http.post("/v1/chat/completions", json=CHAT)
        return await http.get(f"/admin/usage{query}", auth=ADMIN)


async def test_it_is_by_key_and_of_all_times_where_nothing_is_asked_for(tmp_path: Path) -> None:
    used = USED | {"usd": None, "estimated": 0, "unpriced": USED["requests"]}
    assert (await asked(made(tmp_path))).json() == {
        "by": "key",
        "since": None,
        "until": None,
        "rows": [{"name": "anonymous"} | used],
        "total": used,
    }


async def test_it_is_by_what_and_from_when_to_when_is_asked_for(tmp_path: Path) -> None:
    report = (await asked(made(tmp_path), "?by=model&since=2026-01-01T00:00:00%2B02:00&until=2099-01-01")).json()
    assert (report["by"], report["since"], report["until"]) == (
        "model",
        "2025-12-31T22:00:00Z",
        "2099-01-02T00:00:00Z",
    )
    assert [row["name"] for row in report["rows"]] == ["demo"]


async def test_a_plus_need_not_be_escaped(tmp_path: Path) -> None:
    report = (await asked(made(tmp_path), "?since=2026-01-01T00:00:00+02:00&until=2026-01-02T03:30+0330")).json()
    assert (report["since"], report["until"]) == ("2025-12-31T22:00:00Z", "2026-01-02T00:00:00Z")


@pytest.mark.parametrize(
    ("query", "since", "until"),
    [
        ("since=0001-01-01T00:00:00%2B12:00", "1970-01-01T00:00:00Z", None),
        ("since=999999d&until=9999-12-31T23:59:59-12:00", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
    ],
)
async def test_moments_at_the_edge_of_the_calendar_are_moments(
    tmp_path: Path, query: str, since: str, until: str | None
) -> None:
    report = (await asked(made(tmp_path), f"?{query}")).json()
    assert (report["since"], report["until"], report["total"]["requests"]) == (since, until, 1)


async def test_a_key_in_the_query_is_no_parameter(tmp_path: Path) -> None:
    keys = [{"name": "operator", "secret": "sk-operator", "scopes": ["admin"]}]
    async with visiting(made(tmp_path, key=keys), accept="application/json") as http:
        answer = await http.get("/admin/usage?by=day&key=sk-operator")
    assert (answer.status_code, answer.json()["by"]) == (200, "day")


async def test_before_the_first_request_there_is_nothing(tmp_path: Path) -> None:
    report = (await asked(made(tmp_path), requests=0)).json()
    assert (report["rows"], report["total"]["requests"]) == ([], 0)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("by=colour", "by: 'colour' is not one of key, credential, model, upstream, day"),
        ("since=soon", "since: 'soon' is not a time: a day such as 2026-11-30"),
        ("since=1h&until=2h", "since: must be before until"),
        ("from=7d", "from: the parameters are by, since, until"),
    ],
)
async def test_what_cannot_be_asked_for_is_refused_with_what_can(tmp_path: Path, query: str, said: str) -> None:
    answer = await asked(made(tmp_path), f"?{query}")
    assert answer.status_code == 400
    assert said in answer.text


async def test_without_a_ledger_it_says_what_that_needs(tmp_path: Path) -> None:
    answer = await asked(made(tmp_path, usage={"enabled": False}))
    assert answer.status_code == 404
    assert "usage.enabled" in answer.text


async def test_it_is_for_operators_only(tmp_path: Path) -> None:
    async with visiting(made(tmp_path), accept="application/json") as http:
        assert (await http.get("/admin/usage")).status_code == 401
