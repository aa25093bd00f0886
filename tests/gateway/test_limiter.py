"""Tokens and money: reserved before an upstream is called, settled when the answer ends, whatever ends it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import pytest
from starlette.applications import Starlette

from gateway import ir
from gateway.app import lifespan
from gateway.context import ANONYMOUS
from gateway.errors import StreamBroken, UpstreamUnavailable
from gateway.limiter import Limiter
from gateway.plans import Left
from tests.clocks import FakeClock
from tests.middleware.asgi import Outcome, call, scope_of
from tests.scripted import Play, Scripted, app_of, say

pytestmark = pytest.mark.anyio

CHAT, MESSAGES, GEMINI = "/v1/chat/completions", "/v1/messages", "/v1beta/models/demo:generateContent"
PRICE = {"price": {"demo": {"input": 1000.0, "output": 1_000_000.0}}}  # a dollar for each token of an answer
TOKENS = {"tokens_per_day": 10_000}


class Gateway:
    """An app over one scripted upstream, on a clock that stands still."""

    def __init__(self, app: Starlette, upstream: Scripted, clock: FakeClock) -> None:
        self.app, self.upstream, self.clock = app, upstream, clock

    async def ask(self, path: str = CHAT, **fields: Any) -> Outcome:
        return await call(self.app, scope_of(path), [question(path, **fields)])

    async def left(self) -> dict[str, float]:
        return {one.name: one.left for one in await left_of(self.app)}


async def left_of(app: Starlette) -> list[Left]:
    limiter: Limiter = app.state.gateway.limiter
    return await limiter.left(ANONYMOUS, app.state.gateway.loaded.config.limits)


def question(path: str = CHAT, **fields: Any) -> bytes:
    if path == GEMINI:
        return msgspec.json.encode({"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]} | fields)
    return msgspec.json.encode({"model": "demo", "messages": [{"role": "user", "content": "Hello"}], **fields})


@asynccontextmanager
async def gateway(limits: Mapping[str, float], *plays: Play, **config: Any) -> AsyncIterator[Gateway]:
    upstream, clock = Scripted(*plays or (say("Hello"),)), FakeClock()
    app = app_of(upstream, config={"limits": limits, "usage": PRICE, **config}, clock=clock)
    async with lifespan(app):
        yield Gateway(app, upstream, clock)


# what is reserved


@pytest.mark.parametrize("path", [CHAT, MESSAGES, GEMINI])
@pytest.mark.parametrize(
    ("name", "may"), [("tokens_per_day", "use 0 tokens a day"), ("usd_per_day", "spend 0 USD a day")]
)
async def test_nobody_need_try_again_for_more_of_nothing(path: str, name: str, may: str) -> None:
    async with gateway({name: 0}) as made:
        over = await made.ask(path)
    assert (over.status, over.headers["x-should-retry"]) == (429, "false")
    assert int(over.headers["retry-after"]) >= 1
    assert over.json["error"]["message"] == f"this key may {may}; ask the operator for more"


@pytest.mark.parametrize("window", ["second", "minute", "hour", "day", "month"])
@pytest.mark.parametrize(("amount", "status"), [(1000, 200), (0, 429)])
async def test_tokens_bound_everybody(window: str, amount: int, status: int) -> None:
    async with gateway({f"tokens_per_{window}": amount}) as made:
        assert (await made.ask(max_tokens=5)).status == status
        assert len(made.upstream.calls) == (status == 200)


@pytest.mark.parametrize("window", ["second", "minute", "hour", "day", "month"])
@pytest.mark.parametrize(("amount", "status"), [(0.5, 200), (0, 429)])
async def test_money_bounds_everybody(window: str, amount: float, status: int) -> None:
    async with gateway({f"usd_per_{window}": amount}) as made:
        assert (await made.ask(max_tokens=5)).status == status


async def test_what_an_answer_used_takes_the_place_of_what_was_reserved() -> None:
    async with gateway(TOKENS | {"usd_per_day": 10.0}) as made:
        await made.ask(max_tokens=5000)
        assert await made.left() == {"tokens_per_day": 9995, "usd_per_day": 10 - 2 - 0.003}


async def test_used_up_is_refused_until_the_window_is_over() -> None:
    async with gateway({"tokens_per_minute": 6}) as made:
        statuses = [(await made.ask(max_tokens=1)).status for _ in range(3)]
        assert statuses == [200, 200, 429]
        await made.clock.advance(120)
        assert (await made.ask(max_tokens=1)).status == 200


async def test_a_caller_alone_is_not_refused_for_what_it_might_use() -> None:
    async with gateway({"tokens_per_minute": 20}) as made:
        assert (await made.ask(max_tokens=100_000)).status == 200
        assert await made.left() == {"tokens_per_minute": 15}


@asynccontextmanager
async def one_open(
    limits: Mapping[str, float], defaults: Mapping[str, int] | None = None, **fields: Any
) -> AsyncIterator[Gateway]:
    """Have one request wait for its upstream."""
    gate = anyio.Event()
    async with (
        gateway(limits, [gate.wait, *say("Hello")], defaults=defaults or {}) as made,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(lambda: made.ask(**fields))
        await anyio.wait_all_tasks_blocked()
        yield made
        gate.set()


async def test_while_another_is_open_what_may_not_fit_is_refused() -> None:
    async with one_open({"tokens_per_minute": 2000}, max_tokens=1500) as made:
        over = await made.ask(max_tokens=1500)
        assert (over.status, over.headers["retry-after"]) == (429, "1")
        assert "2000 tokens a minute" in over.json["error"]["message"]
        assert (await made.left())["tokens_per_minute"] < 500


async def test_what_was_reserved_for_all_that_is_left_is_told_to_come_back_soon() -> None:
    async with one_open({"usd_per_month": 5.0}, max_tokens=100) as made:
        over = await made.ask(max_tokens=1)
        assert (over.status, over.headers["retry-after"]) == (429, "1")


async def test_without_max_tokens_1024_are_reserved() -> None:
    async with one_open(TOKENS) as made:
        assert 10_000 - 1024 - 20 < (await made.left())["tokens_per_day"] < 10_000 - 1024


async def test_what_the_configuration_fills_in_is_reserved() -> None:
    async with one_open(TOKENS, defaults={"max_tokens": 77}) as made:
        assert 10_000 - 77 - 20 < (await made.left())["tokens_per_day"] < 10_000 - 77


async def test_the_dearest_member_of_a_chain_is_reserved_for() -> None:
    gate = anyio.Event()
    cheap, dear = (Scripted([gate.wait, *say("Hello")], name=name) for name in ("cheap", "dear"))
    prices = {"cheap/demo": {"input": 0.0, "output": 1e6}, "dear/demo": {"input": 0.0, "output": 2e6}}
    config = {"limits": {"usd_per_day": 100}, "usage": {"price": prices}, "models": {"alias": CHAIN}}
    app = app_of(cheap, dear, config=config, clock=FakeClock())
    async with lifespan(app), anyio.create_task_group() as tasks:
        made = Gateway(app, cheap, FakeClock())
        tasks.start_soon(lambda: made.ask(model="chain", max_tokens=10))
        await anyio.wait_all_tasks_blocked()
        assert await made.left() == {"usd_per_day": 80}
        gate.set()


CHAIN = {"chain": ["cheap/demo", "dear/demo"]}


# what ends it


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_that_leaves_pays_what_the_upstream_has_counted(stream: bool) -> None:
    counted: list[ir.Event] = [ir.TextDelta("Hel"), ir.UsageReported(ir.Usage(input=3, output=7))]
    start: list[ir.Event] = [ir.Started(), ir.BlockStarted(kind="text")]
    assert await left_early(start, counted, stream=stream) == 9990


async def test_a_caller_that_leaves_pays_what_it_was_sent_where_the_upstream_says_nothing() -> None:
    start: list[ir.Event] = [ir.Started(), ir.BlockStarted(kind="text"), ir.TextDelta("Hel")]
    assert 9985 < await left_early(start) < 9995


async def test_a_caller_that_leaves_before_the_first_word_pays_the_estimate() -> None:
    assert 9970 < await left_early() < 9980


async def left_early(*said: list[ir.Event], stream: bool = True) -> float:
    """Leave an upstream that has said this and falls silent."""
    silent = anyio.Event()

    async def falls_silent() -> None:
        silent.set()
        await anyio.sleep_forever()

    async def ask() -> None:
        await made.ask(max_tokens=20, stream=stream)

    async with gateway(TOKENS, [*said, falls_silent]) as made:
        async with anyio.create_task_group() as asking:
            asking.start_soon(ask)
            await silent.wait()
            await anyio.wait_all_tasks_blocked()
            asking.cancel_scope.cancel()
        return (await made.left())["tokens_per_day"]


async def test_an_upstream_that_fails_costs_nothing() -> None:
    async with gateway(TOKENS, [UpstreamUnavailable("down")]) as made:
        assert (await made.ask()).status == 502
        assert await made.left() == {"tokens_per_day": 10_000}


async def test_an_answer_that_breaks_off_costs_what_was_counted() -> None:
    start: list[ir.Event] = [ir.Started(), ir.BlockStarted(kind="text"), ir.TextDelta("Hel")]
    start.append(ir.UsageReported(ir.Usage(input=3, output=1)))
    async with gateway(TOKENS, [start, StreamBroken("gone")]) as made:
        await made.ask(stream=True)
        assert await made.left() == {"tokens_per_day": 9996}


async def test_a_request_that_nobody_can_read_costs_nothing() -> None:
    async with gateway(TOKENS) as made:
        assert (await call(made.app, scope_of(CHAT), [b"{"])).status == 400
        assert await made.left() == {"tokens_per_day": 10_000}


async def test_what_is_used_counts_in_the_window_in_which_it_was_reserved() -> None:
    gate = anyio.Event()
    async with gateway({"tokens_per_minute": 1000}, [gate.wait, *say("Hello")]) as made:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: made.ask(max_tokens=500))
            await anyio.wait_all_tasks_blocked()
            await made.clock.advance(60)
            gate.set()
        await made.clock.advance(30)
        assert await made.left() == {"tokens_per_minute": 998}  # half of 5


# what is said


async def test_a_model_without_a_price_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    async with gateway({"usd_per_day": 1.0}, usage={}, log={"level": "warning"}) as made:
        assert [(await made.ask()).status for _ in range(3)] == [200, 200, 200]
    assert capsys.readouterr().err.count("without a price") == 1


async def test_openai_and_anthropic_are_told_what_is_left_of_the_tightest_limit_on_tokens() -> None:
    async with gateway({"tokens_per_minute": 2000, "tokens_per_day": 1990}) as made:
        openai, anthropic, gemini = [await made.ask(path, max_tokens=50) for path in (CHAT, MESSAGES, GEMINI)]
    assert openai.headers["x-ratelimit-limit-tokens"] == "1990"
    assert 1900 < int(openai.headers["x-ratelimit-remaining-tokens"]) < 1940
    assert openai.headers["x-ratelimit-reset-tokens"].endswith("s")
    assert int(anthropic.headers["anthropic-ratelimit-tokens-remaining"]) < 1940
    assert anthropic.headers["anthropic-ratelimit-tokens-reset"].endswith("Z")
    assert not [name for name in gemini.headers if "ratelimit" in name]


async def test_left_tells_of_every_limit_and_when_it_is_whole_again() -> None:
    async with gateway({"requests_per_day": 3, "usd_per_month": 10.0, "concurrent": 4}) as made:
        await made.ask(max_tokens=1)
        told = {one.name: (one.limit, one.left, one.reset_at is None) for one in await left_of(made.app)}
    expected = {"requests_per_day": (3, 2, False), "usd_per_month": (10, 7.997, False), "concurrent": (4, 4, True)}
    assert told == expected


@pytest.mark.parametrize(
    ("limits", "name", "kind"),
    [
        ({"requests_per_day": 1, "tokens_per_day": 9000}, "requests_per_day", "requests"),
        ({"requests_per_day": 9, "tokens_per_day": 5}, "tokens_per_day", "tokens"),
        ({"requests_per_day": 9, "usd_per_month": 1.0}, "usd_per_month", "requests"),
    ],
)
async def test_refusals_are_counted_by_limit_and_told_by_kind(limits: dict[str, float], name: str, kind: str) -> None:
    async with gateway(limits) as made:
        answers = [await made.ask(max_tokens=1) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 429, 429]
        assert answers[1].json["error"]["type"] == kind  # as OpenAI tells them apart
        scraped = await call(made.app, scope_of("/metrics", method="GET"))
    assert f'gateway_limit_refusals_total{{limit="{name}"}} 2.0' in scraped.body.decode()
