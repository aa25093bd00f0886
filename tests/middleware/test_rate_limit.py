from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from gateway.config import Limit
from gateway.context import Principal, attach
from gateway.middleware import RateLimit
from tests.clocks import FakeClock
from tests.middleware.asgi import Inner, Outcome, call, scope_of

pytestmark = pytest.mark.anyio


class As:
    """Stands outside: says who asks."""

    def __init__(self, app: RateLimit, principal: Principal) -> None:
        self.app, self.principal = app, principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context, send = attach(scope, send)
        context.principal = self.principal
        await self.app(scope, receive, send)


ALICE, BOB = (Principal(name=name, id=name) for name in ("alice", "bob"))


def requests(amount: int, window: str = "minute") -> Limit:
    return Limit("requests", amount, window)  # type: ignore[arg-type]  # a test's word


async def ask(app: RateLimit, who: Principal = ALICE, path: str = "/v1/chat/completions") -> Outcome:
    method = "GET" if path == "/v1/models" else "POST"
    return await call(As(app, who), scope_of(path, method=method))


@pytest.mark.parametrize("window", ["second", "minute", "hour", "day", "month"])
async def test_requests_over_the_limit_are_429(window: str) -> None:
    app = RateLimit(Inner(), (requests(3, window),), FakeClock())
    assert [(await ask(app)).status for _ in range(5)] == [200, 200, 200, 429, 429]


async def test_the_answer_says_when_to_come_again() -> None:
    app = RateLimit(Inner(), (requests(1),))
    await ask(app)
    outcome = await ask(app)
    assert 1 <= int(outcome.headers["retry-after"]) <= 120
    assert outcome.json["error"]["message"] == "this key may make 1 request a minute; wait and try again"


async def test_each_key_has_its_own_count() -> None:
    app = RateLimit(Inner(), (requests(1),))
    assert [(await ask(app, who)).status for who in (ALICE, BOB, ALICE)] == [200, 200, 429]


async def test_a_keys_own_limit_takes_the_place_of_the_default() -> None:
    app = RateLimit(Inner(), (requests(1),))
    rich = Principal(name="rich", id="rich", limits=(requests(3),))
    assert [(await ask(app, rich)).status for _ in range(4)] == [200, 200, 200, 429]


async def test_all_limits_hold_and_a_refused_request_counts_nowhere() -> None:
    clock = FakeClock()
    app = RateLimit(Inner(), (requests(2, "second"), requests(3, "day")), clock)
    assert [(await ask(app)).status for _ in range(8)] == [200] * 2 + [429] * 6
    await clock.advance(2)
    assert [(await ask(app)).status for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/messages/count_tokens"])
async def test_lists_and_counts_do_not_count(path: str) -> None:
    app = RateLimit(Inner(), (requests(1),))
    assert {(await ask(app, path=path)).status for _ in range(3)} == {200}
    assert (await ask(app)).status == 200


@pytest.mark.parametrize(
    "path",
    ["/v1/responses", "/v1/embeddings", "/v1beta/models/m:generateContent", "/v1beta/files", "/v1/nothing"],
)
async def test_whatever_else_is_asked_for_counts(path: str) -> None:
    app = RateLimit(Inner(), (requests(1),), FakeClock())
    assert [(await ask(app, path=path)).status for _ in range(2)] == [200, 429]


@pytest.mark.parametrize(
    ("limits", "may"),
    [
        ([requests(0)], "make 0 requests a minute"),
        ([requests(0), requests(0, "day")], "make 0 requests a minute"),
        ([Limit("concurrent", 0, None)], "make 0 requests at once"),
    ],
)
async def test_zero_allows_nothing_and_nobody_need_try_again(limits: list[Limit], may: str) -> None:
    outcome = await ask(RateLimit(Inner(), tuple(limits)))
    assert outcome.json["error"]["message"] == f"this key may {may}; ask the operator for more"
    assert (outcome.status, outcome.headers["x-should-retry"]) == (429, "false")
    assert int(outcome.headers["retry-after"]) >= 1


class Waiting(Inner):
    """Holds every answer until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.go.wait()
        await super().__call__(scope, receive, send)


@asynccontextmanager
async def holding(app: RateLimit, inner: Waiting, number: int) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        for _ in range(number):
            tasks.start_soon(ask, app)
        await anyio.wait_all_tasks_blocked()
        yield
        inner.go.set()


@pytest.mark.parametrize(("places", "said"), [(1, "1 request at once"), (2, "2 requests at once")])
async def test_concurrent_answers_are_bounded_and_given_back(places: int, said: str) -> None:
    inner = Waiting()
    app = RateLimit(inner, (Limit("concurrent", places, None),))
    async with holding(app, inner, places):
        over = await ask(app)
    assert f"may make {said};" in over.json["error"]["message"]
    assert (over.status, over.headers["retry-after"], app.open_requests) == (429, "1", {})
    assert (await ask(app)).status == 200


@pytest.mark.parametrize("limits", [(), (Limit("tokens", 9, "minute"),)], ids=["alone", "beside tokens"])
async def test_a_place_is_free_before_the_caller_has_the_last_byte(limits: tuple[Limit, ...]) -> None:
    app = RateLimit(Inner(), (Limit("concurrent", 1, None), *limits))
    held: list[Mapping[str, int]] = []

    async def outside(scope: Scope, receive: Receive, send: Send) -> None:
        async def hear(message: Message) -> None:
            held.append(dict(app.open_requests))
            await send(message)

        await As(app, ALICE)(scope, receive, hear)

    await call(outside, scope_of("/v1/chat/completions", method="POST"))
    assert held == [{"alice": 1}, {}]


async def test_a_caller_that_is_cancelled_gives_its_place_back() -> None:
    inner = Waiting()
    app = RateLimit(inner, (Limit("concurrent", 1, None),))
    async with anyio.create_task_group() as asking:
        asking.start_soon(ask, app)
        await anyio.wait_all_tasks_blocked()
        assert app.open_requests
        asking.cancel_scope.cancel()
    assert app.open_requests == {}


@given(st.lists(st.sampled_from([ALICE, BOB]), max_size=30), st.integers(0, 5))
def test_no_schedule_admits_more_than_the_limit(callers: list[Principal], amount: int) -> None:
    app = RateLimit(Inner(), (requests(amount, "day"),))

    async def run() -> dict[str, int]:
        admitted = {"alice": 0, "bob": 0}
        for who in callers:
            admitted[who.name] += (await ask(app, who)).status == 200
        return admitted

    admitted = anyio.run(run)
    assert all(admitted[who.name] == min(amount, callers.count(who)) for who in (ALICE, BOB))
