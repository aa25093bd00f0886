"""`GET /metrics` of a whole gateway: who may read it, what it says, and that two gateways do not mix."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gateway import ir
from gateway.app import create_app, lifespan
from gateway.errors import UpstreamUnavailable
from gateway.middleware.families import FAMILIES
from gateway.upstream import Step
from tests.conformance.openai_api import before
from tests.exposed import Numbers
from tests.fakes.openai_api import FakeOpenAI
from tests.gateway.config.asking import ask
from tests.middleware.asgi import Outcome, call, scope_of
from tests.patience import patient
from tests.ports import free_port
from tests.redis_server import RedisServer
from tests.scripted import Scripted, app_of, say
from tests.serving import serve

pytestmark = pytest.mark.anyio

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
KEYS: Any = [
    {"name": "scraper", "secret": "sk-metrics", "scopes": ["metrics"]},
    {"name": "both", "secret": "sk-both", "scopes": ["chat", "metrics"]},
    {"name": "old", "secret": "sk-old", "scopes": ["metrics"], "expires": "2001-01-01"},
    {"name": "alice", "secret": "sk-chat"},
]
AWAY = {"client": "10.0.0.7"}
OPENAI: Any = {"openai": {"type": "openai", "api_key": "key-1", "models": ["gpt-4.1"]}}
CHAT: Any = {"model": "demo", "messages": [{"role": "user", "content": "hi"}]}


@asynccontextmanager
async def talking(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        yield http


async def numbers(http: httpx.AsyncClient, path: str = "/metrics") -> Numbers:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return Numbers(answer.text)


def names(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def scrape(app: Starlette, path: str = "/metrics", method: str = "GET", **peer: Any) -> Outcome:
    async with lifespan(app):
        return await call(app, scope_of(path, method=method, **peer))


def app(tmp_path: Path, **config: Any) -> Starlette:
    return app_of(Scripted(say("Hello")), config={"server": {"data_dir": str(tmp_path)}, **config})


# who may read them


async def test_a_program_on_this_machine_needs_no_key(tmp_path: Path) -> None:
    assert (await scrape(app(tmp_path, key=KEYS))).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "127.0.0.1"},
        {"forwarded": "for=127.0.0.1"},
        {"host": "gateway.example"},
        {"origin": "https://evil.example"},
    ],
)
async def test_what_a_proxy_or_a_page_sends_from_this_machine_needs_one(
    tmp_path: Path, headers: Mapping[str, str]
) -> None:
    answer = await scrape(app(tmp_path), headers=headers)
    assert (answer.status, answer.json["error"]["code"]) == (401, "invalid_api_key")


async def test_a_trusted_proxy_cannot_say_that_a_caller_is_this_machine(tmp_path: Path) -> None:
    async with talking(app(tmp_path)) as http:  # uvicorn trusts 127.0.0.1
        answers = [await http.get("/metrics", headers={"x-forwarded-for": who}) for who in ("127.0.0.1", "10.0.0.7")]
    assert [answer.status_code for answer in answers] == [401, 401]


@pytest.mark.parametrize(
    ("key", "status"),
    [("sk-metrics", 200), ("sk-both", 200), ("sk-chat", 403), ("sk-plain", 403), ("sk-old", 401), ("sk-no", 401)],
)
async def test_from_elsewhere_a_key_needs_the_scope(tmp_path: Path, key: str, status: int) -> None:
    made = app(tmp_path, key=KEYS, auth={"keys": ["sk-plain"]})
    assert (await scrape(made, headers={"authorization": f"Bearer {key}"}, **AWAY)).status == status


@pytest.mark.parametrize("allowed", ["never", "loopback", "always"])
async def test_nobody_else_reads_them_whoever_may_chat(tmp_path: Path, allowed: str) -> None:
    assert (await scrape(app(tmp_path, auth={"allow_anonymous": allowed}), **AWAY)).status == 401


async def test_a_key_for_metrics_only_may_not_chat(tmp_path: Path) -> None:
    assert (await ask(app(tmp_path, key=KEYS), headers={"x-api-key": "sk-metrics"})).status == 403


async def test_they_are_there_without_the_middleware(tmp_path: Path) -> None:
    made = app(tmp_path, pipeline={"order": ["auth", "protocol", "model_map"]})
    answer = await scrape(made)
    assert (answer.status, Numbers(answer.body.decode()).total("workers")) == (200, 1)
    assert names(tmp_path) == []


async def test_the_path_says_where_the_metrics_are(tmp_path: Path) -> None:
    made = app(tmp_path, metrics={"path": "/internal/numbers"})
    assert ((await scrape(made, "/internal/numbers")).status, (await scrape(made)).status) == (200, 404)


@pytest.mark.parametrize(
    ("method", "status", "empty"), [("GET", 200, False), ("HEAD", 200, True), ("POST", 405, False)]
)
async def test_only_reading_is_possible(tmp_path: Path, method: str, status: int, empty: bool) -> None:
    answer = await scrape(app(tmp_path), method=method)
    assert (answer.status, not answer.body) == (status, empty)
    assert answer.headers.get("allow") == ("GET, HEAD" if status == 405 else None)


async def test_they_are_read_while_the_gateway_drains(tmp_path: Path) -> None:
    made = app(tmp_path)
    made.state.gateway.drain()
    assert (await scrape(made)).status == 200


# what they say


async def test_every_metric_of_the_contract_is_there(tmp_path: Path) -> None:
    async with talking(create_app({"server": {"data_dir": str(tmp_path)}, "log": {"level": "error"}})) as http:
        await http.post("/v1/chat/completions", json={**CHAT, "seed": 1})
        found = await numbers(http)
    answered = {"upstream": "demo", "model": "demo"}
    assert found.get("requests_total", dialect="openai-chat", status="200", **answered) == 1
    assert (found.get("tokens_total", kind="output", **answered) or 0) > 0
    assert found.get("first_byte_seconds_count", **answered) == found.get("request_seconds_count", **answered) == 1
    assert found.get("open_streams") == 0
    assert found.total("build_info") == found.get("workers") == 1
    names = {f"gateway_{family.name}" for family in FAMILIES} | {"gateway_credentials"}
    assert names <= {family.name for family in found.families}


async def test_openmetrics_are_given_to_who_asks_for_them(tmp_path: Path) -> None:
    made = app(tmp_path)
    async with lifespan(made):
        await ask(made)
        answer = await scrape(made, headers={"accept": OPENMETRICS})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert Numbers(answer.body.decode(), openmetrics=True).total("requests_total") == 1


async def test_losses_are_counted_for_the_pair(tmp_path: Path) -> None:
    upstream = Scripted(say("Hello"))
    upstream.losses = (ir.Loss("seed", "no such thing", "change"), ir.Loss("metadata", "no such thing", "hint"))
    made = app_of(upstream, config={"server": {"data_dir": str(tmp_path)}})
    async with lifespan(made):
        answer = await ask(made, "/v1/messages", max_tokens=9)
        found = Numbers((await scrape(made)).body.decode())
    pair = {"dialect": "anthropic", "upstream": "demo"}
    assert (answer.status, answer.headers["x-gateway-lossy"]) == (200, "1")
    assert [found.get("losses_total", severity=one, **pair) for one in ("hint", "change", "content")] == [1, 1, None]


async def test_a_stream_that_breaks_is_an_error_with_status_200(tmp_path: Path) -> None:
    made = app_of(
        Scripted([*say("Hel", "lo")[:2], UpstreamUnavailable("gone")]), config={"server": {"data_dir": str(tmp_path)}}
    )
    async with lifespan(made):
        assert (await ask(made, stream=True)).status == 200
        found = Numbers((await scrape(made)).body.decode())
    assert found.get("request_ends_total", dialect="openai-chat", upstream="demo", end="error") == 1
    assert found.labels("requests_total", "status") == {"200"}


async def test_the_next_member_of_a_chain_is_a_retry_of_the_one_before(tmp_path: Path) -> None:
    one = Scripted([UpstreamUnavailable("down")], name="one", after=lambda error: error)
    two = Scripted(say("Hello"), name="two")
    config = {"server": {"data_dir": str(tmp_path)}, "models": {"alias": {"x": ["one/demo", "two/demo"]}}}
    made = app_of(one, two, config=config)
    async with lifespan(made):
        await ask(made, model="x")
        found = Numbers((await scrape(made)).body.decode())
    assert found.get("retries_total", upstream="one", reason="upstream_error") == 1
    assert found.get("requests_total", dialect="openai-chat", upstream="two", model="demo", status="200") == 1


async def test_every_call_again_is_counted(tmp_path: Path) -> None:
    down = UpstreamUnavailable("down")
    upstream = Scripted([down], [down], say("Hello"), after=lambda _: Step())
    made = app_of(upstream, config={"server": {"data_dir": str(tmp_path)}})
    async with lifespan(made):
        assert (await ask(made)).status == 200
        found = Numbers((await scrape(made)).body.decode())
    assert found.get("retries_total", upstream="demo", reason="upstream_error") == 2


async def test_a_pool_says_why_it_was_tried_again_and_what_became_of_its_credentials(
    fake_openai: FakeOpenAI, tmp_path: Path
) -> None:
    async with before(fake_openai, tmp_path, "chat", "key-1", "key-2", "key-3") as served:
        fake_openai.fail("401_invalid_key")
        fake_openai.fail("429_requests")
        await served.ask("openai-chat")
        found = Numbers((await served.http.get("/metrics")).text)
    assert found.get("requests_total", dialect="openai-chat", upstream="openai", model="gpt-4.1", status="200") == 1
    assert found.get("retries_total", upstream="openai", reason="key") == 1
    assert found.get("retries_total", upstream="openai", reason="rate_limit") == 1
    states = {"active": 1, "cooling": 1, "needs_verification": 0, "disabled": 1}
    assert {state: found.get("credentials", upstream="openai", state=state) for state in states} == states
    assert found.get("cooldowns", upstream="openai") == found.get("cooldowns_begun_total", upstream="openai") == 1


async def test_a_sign_of_life_is_no_first_byte(tmp_path: Path) -> None:
    upstream = Scripted([max(0.3, patient(0.05)), *say("Hello")])  # for a sign of life
    made = app_of(upstream, config={"server": {"data_dir": str(tmp_path)}, "timeouts": {"keepalive": 0.05}})
    async with talking(made) as http:
        answer = await http.post("/v1/chat/completions", json={**CHAT, "stream": True})
        found = await numbers(http)
    assert re.search(r"^:", answer.text, re.MULTILINE)
    assert found.total("first_byte_seconds_sum") > 0.25


async def test_how_long_an_upstream_was_waited_for_in_its_answer_is_measured(tmp_path: Path) -> None:
    opened, first, *rest = say("Hel", "lo")
    upstream = Scripted([opened, first, 0.3, *rest])
    async with talking(app_of(upstream, config={"server": {"data_dir": str(tmp_path)}})) as http:
        for stream in (False, True):
            await http.post("/v1/chat/completions", json={**CHAT, "stream": stream})
        found = await numbers(http)
    assert found.get("chunk_gap_seconds_count", upstream="demo", model="demo") == 2 * len(rest)
    assert found.total("chunk_gap_seconds_sum") > 2 * 0.25
    assert found.get("finish_reasons_total", upstream="demo", model="demo", reason="stop") == 2


async def test_an_answer_that_fell_silent_is_a_stall(tmp_path: Path) -> None:
    upstream = Scripted([*say("Hel")[:2], 60.0])
    config = {"server": {"data_dir": str(tmp_path)}, "timeouts": {"idle": 0.05}}
    made = app_of(upstream, config=config)
    async with lifespan(made):
        await ask(made, stream=True)
        found = Numbers((await scrape(made)).body.decode())
    assert found.get("stalls_total", upstream="demo", model="demo", outcome="given_up") == 1
    assert found.get("errors_total", dialect="openai-chat", upstream="demo", reason="timeout") == 1


async def test_the_prices_of_the_configuration_make_the_cost(tmp_path: Path) -> None:
    priced = {"price": {"demo/demo": {"input": 1000.0, "output": 1_000_000.0}}}
    made = app_of(Scripted(say("Hello")), config={"server": {"data_dir": str(tmp_path)}, "usage": priced})
    async with lifespan(made):
        await ask(made)
        found = Numbers((await scrape(made)).body.decode())
    assert found.get("cost_usd_total", upstream="demo", model="demo") == pytest.approx(3 * 0.001 + 2 * 1.0)


@pytest.mark.usefixtures("stopped")
async def test_what_is_refused_before_an_upstream_is_asked_has_its_reason(tmp_path: Path) -> None:
    made = app(
        tmp_path,
        auth={"keys": ["sk-1"]},
        limits={"requests_per_minute": 2},
        server={"data_dir": str(tmp_path), "max_body": "1KB"},
    )
    key = {"x-api-key": "sk-1"}
    async with lifespan(made):
        await ask(made)
        await ask(made, headers=key, user="x" * 2000)
        await ask(made, headers=key)
        await ask(made, headers=key)
        found = Numbers((await scrape(made)).body.decode())
    reasons = ("rate_limit_exceeded", "invalid_api_key", "request_too_large")
    refused = {"dialect": "openai-chat", "upstream": ""}
    assert [found.get("errors_total", reason=reason, **refused) for reason in reasons] == [1, 1, 1]


async def redis_up(made: Starlette) -> float | None:
    return Numbers((await call(made, scope_of("/metrics", method="GET"))).body.decode()).get("redis_up")


async def test_redis_is_up(tmp_path: Path, redis: RedisServer) -> None:
    made = app(tmp_path, store={"redis": redis.url})
    async with lifespan(made), asyncio.timeout(patient(10)):
        while await redis_up(made) != 1:  # noqa: ASYNC110 - a busy machine may make it late for once
            await asyncio.sleep(0.05)


async def test_redis_is_away(tmp_path: Path) -> None:
    made = app(tmp_path, store={"redis": f"redis://127.0.0.1:{free_port()}"})
    async with lifespan(made):
        assert await redis_up(made) == 0


async def test_without_redis_nothing_is_said_of_it(tmp_path: Path) -> None:
    made = app(tmp_path)
    async with lifespan(made):
        assert await redis_up(made) is None


async def test_without_a_file_nothing_is_said_of_it(tmp_path: Path) -> None:
    assert Numbers((await scrape(app(tmp_path))).body.decode()).get("config_rejected") is None


async def test_a_redis_that_answers_later_than_a_request_waits_is_up(tmp_path: Path, redis: RedisServer) -> None:
    made = app(tmp_path, store={"redis": redis.url})

    async def asked_while_frozen() -> float | None:
        redis.freeze()
        asked = asyncio.ensure_future(redis_up(made))
        await asyncio.wait([asked], timeout=0.1)
        redis.thaw()
        return await asked

    async with lifespan(made), asyncio.timeout(patient(10)):
        while await asked_while_frozen() != 1:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)


async def test_a_store_that_begins_to_fail_is_counted_by_what_it_keeps(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").mkdir()
    made = create_app({"server": {"data_dir": str(tmp_path)}, "log": {"level": "critical"}, "upstream": OPENAI})
    async with lifespan(made):
        found = Numbers((await scrape(made)).body.decode())
    assert found.labels("store_failures_total", "part") >= {"credentials", "keys"}
    assert set(found.values("store_failures_total")) == {1}


# several gateways


async def test_two_gateways_in_one_process_do_not_mix(tmp_path: Path) -> None:
    one, two = app(tmp_path), app(tmp_path)
    async with talking(one) as first, talking(two) as second:
        for _ in range(3):
            await first.post("/v1/chat/completions", json=CHAT)
        await second.post("/v1/messages", json={**CHAT, "max_tokens": 9})
        found = [await numbers(http) for http in (first, second)]
    assert [one.total("requests_total") for one in found] == [3, 1]
    assert [one.labels("requests_total", "dialect") for one in found] == [{"openai-chat"}, {"anthropic"}]
    assert "metrics" not in names(tmp_path)


async def test_mounted_gateways_have_their_own(tmp_path: Path) -> None:
    host = Starlette()
    one, two = app(tmp_path), app(tmp_path, defaults={"temperature": 1.0})
    host.mount("/one", one)
    host.mount("/two", two)
    async with lifespan(one), lifespan(two), talking(host) as http:
        await http.post("/one/v1/chat/completions", json=CHAT)
        assert (await numbers(http, "/one/metrics")).total("requests_total") == 1
        assert (await numbers(http, "/two/metrics")).total("requests_total") == 0


@pytest.mark.parametrize("taken", ["data", "data/metrics"])
async def test_a_data_folder_that_cannot_be_written_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], taken: str
) -> None:
    (tmp_path / taken).parent.mkdir(exist_ok=True)
    (tmp_path / taken).touch()
    made = app_of(Scripted(say("Hello")), config={"server": {"data_dir": str(tmp_path / "data")}, "log": {}})
    async with lifespan(made):
        assert (await ask(made)).status == 200
        assert Numbers((await scrape(made)).body.decode()).total("requests_total") == 1
    assert "metrics are not shared with other workers" in capsys.readouterr().err
