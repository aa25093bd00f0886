"""GET /usage: a key sees its own limits and its own use, and nobody else's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clocks import FakeClock
from tests.scripted import Scripted, app_of, say
from tests.serving import serve

pytestmark = pytest.mark.anyio

CHAT = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}
KEYS: Any = [
    {"name": "alice", "secret": "sk-alice", "limits": {"requests_per_minute": 5, "usd_per_month": 1.5}},
    {"name": "bob", "secret": "sk-bob"},
    {"name": "prom", "secret": "sk-prom", "scopes": ["metrics"]},
]
NONE = {
    "requests": 0,
    "errors": 0,
    "input_tokens": 0,
    "cached_tokens": 0,
    "output_tokens": 0,
    "reasoning_tokens": 0,
    "usd": None,
    "estimated": 0,
    "unpriced": 0,
}


def running(tmp_path: Path, clock: FakeClock | None = None, **config: Any) -> Any:
    tables = {"server": {"data_dir": str(tmp_path)}, "key": KEYS, **config}
    return serve(app_of(Scripted(say("Hello")), config=tables, clock=clock or FakeClock()))


def as_key(name: str) -> Mapping[str, str]:
    return {"x-api-key": f"sk-{name}"}


async def usage(http: httpx.AsyncClient, name: str) -> Any:
    return (await http.get("/usage", headers=as_key(name))).json()


async def test_a_key_sees_its_limits_and_what_is_left(tmp_path: Path) -> None:
    limits = {"requests_per_minute": 100, "concurrent": 3}
    async with running(tmp_path, limits=limits) as url, httpx.AsyncClient(base_url=url) as http:
        await http.post("/v1/chat/completions", json=CHAT, headers=as_key("alice"))
        alice, bob = await usage(http, "alice"), await usage(http, "bob")
    assert (alice["name"], alice["limits"]) == (
        "alice", {"requests_per_minute": 5, "concurrent": 3, "usd_per_month": 1.5},
    )  # fmt: skip
    assert alice["left"] == {"requests_per_minute": 4, "concurrent": 3, "usd_per_month": 1.5}
    assert alice["reset_at"] == {
        "requests_per_minute": "2027-01-15T08:01:00Z",
        "concurrent": None,
        "usd_per_month": None,
    }
    assert (bob["limits"], bob["left"]) == (limits, limits)


class PassingClock(FakeClock):
    """Each look at it takes a while."""

    def time(self) -> float:
        self.wall += 0.0001
        return self.wall


async def test_a_limit_is_free_at_the_moment_that_is_told(tmp_path: Path) -> None:
    clock = PassingClock(wall=1_798_761_590.0)  # 2026-12-31, ten seconds before midnight
    limits = {"requests_per_month": 9}
    async with running(tmp_path, clock, limits=limits) as url, httpx.AsyncClient(base_url=url) as http:
        await http.post("/v1/chat/completions", json=CHAT, headers=as_key("bob"))
        bob = await usage(http, "bob")
    assert bob["reset_at"] == {"requests_per_month": "2027-01-01T00:00:00Z"}


async def test_a_key_sees_its_own_use_only(tmp_path: Path) -> None:
    async with running(tmp_path) as url, httpx.AsyncClient(base_url=url) as http:
        for name in ("alice", "alice", "bob"):
            await http.post("/v1/chat/completions", json=CHAT, headers=as_key(name))
        used = {name: (await usage(http, name))["usage"] for name in ("alice", "bob", "prom")}
    assert {name: one["today"]["requests"] for name, one in used.items()} == {"alice": 2, "bob": 1, "prom": 0}
    assert used["alice"]["this_month"] == {**NONE, "requests": 2, "input_tokens": 6, "output_tokens": 4, "unpriced": 2}
    assert used["prom"] == {"today": NONE, "this_month": NONE}


async def test_days_and_months_are_those_of_utc(tmp_path: Path) -> None:
    clock = FakeClock(wall=1_798_761_590.0)  # 2026-12-31, ten seconds before midnight
    counts = list[tuple[int, int]]()
    async with running(tmp_path, clock) as url, httpx.AsyncClient(base_url=url) as http:
        for wait in (0, 20, 7200, 86_400):
            clock.wall += wait
            await http.post("/v1/chat/completions", json=CHAT, headers=as_key("bob"))
            used = (await usage(http, "bob"))["usage"]
            counts.append((used["today"]["requests"], used["this_month"]["requests"]))
    assert counts == [(1, 1), (1, 1), (2, 2), (1, 3)]


async def test_what_is_not_kept_is_null(tmp_path: Path) -> None:
    async with running(tmp_path, usage={"enabled": False}) as url, httpx.AsyncClient(base_url=url) as http:
        assert (await usage(http, "bob"))["usage"] is None


async def test_what_cannot_be_read_now_hides_no_limits(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_text("no database at all, and long enough for it to be seen" * 99)
    async with running(tmp_path, log={"level": "critical"}) as url, httpx.AsyncClient(base_url=url) as http:
        said = await usage(http, "alice")
    assert (said["usage"], said["left"]) == (None, {"requests_per_minute": 5, "usd_per_month": 1.5})


async def test_nobody_else_is_answered_and_nothing_is_cached(tmp_path: Path) -> None:
    async with running(tmp_path) as url, httpx.AsyncClient(base_url=url) as http:
        nobody, unknown = await http.get("/usage"), await http.get("/usage", headers=as_key("no"))
        alice = await http.get("/usage", headers=as_key("alice"))
    assert [nobody.status_code, unknown.status_code] == [401, 401]
    assert unknown.json() == {
        "error": {
            "code": "invalid_api_key",
            "message": "Incorrect API key provided: it is unknown here; check it, or ask the operator for one",
        }
    }
    assert alice.headers["cache-control"] == "no-store"


async def test_each_answer_has_an_id(tmp_path: Path) -> None:
    async with running(tmp_path) as url, httpx.AsyncClient(base_url=url) as http:
        nobody = await http.get("/usage", headers={"x-request-id": "mine-1"})
        alice = await http.get("/usage", headers=as_key("alice"))
    assert nobody.headers["x-request-id"] == nobody.headers["request-id"] == "mine-1"
    assert alice.headers["x-request-id"] == alice.headers["request-id"]


async def test_it_is_read_and_nothing_else(tmp_path: Path) -> None:
    async with running(tmp_path) as url, httpx.AsyncClient(base_url=url) as http:
        head, post = [await http.request(method, "/usage", headers=as_key("bob")) for method in ("HEAD", "POST")]
    assert (head.status_code, head.content) == (200, b"")
    assert (post.status_code, post.headers["allow"]) == (405, "GET, HEAD")
