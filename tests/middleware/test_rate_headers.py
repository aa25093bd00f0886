"""What is left of a limit, in the headers of each dialect, as the SDKs hand them to their users."""

from datetime import datetime
from typing import Any

import anthropic
import anyio
import httpx
import openai
import pytest
from google import genai
from hypothesis import given
from hypothesis import strategies as st

from gateway.context import ANONYMOUS
from gateway.middleware import RateLimit
from gateway.store.windows import Window
from tests.clocks import FakeClock
from tests.middleware.asgi import Inner, Outcome, call, scope_of
from tests.middleware.test_rate_limit import Waiting, ask, holding
from tests.scripted import Scripted, app_of, say
from tests.serving import serve

pytestmark = pytest.mark.anyio

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
MESSAGES, GEMINI = "/v1/messages", "/v1beta/models/m:generateContent"
OPENAI = "x-ratelimit-{}-requests"
ANTHROPIC = "anthropic-ratelimit-requests-{}"
PROMPT: Any = [{"role": "user", "content": "hi"}]


def limited(clock: FakeClock | None = None, **limits: float) -> RateLimit:
    return RateLimit(Inner(), limits, clock or FakeClock())


def said(outcome: Outcome) -> tuple[str, str, str]:
    """Limit, what is left of it and when it is free, of OpenAI's headers."""
    limit, remaining, reset = (outcome.headers[OPENAI.format(word)] for word in ("limit", "remaining", "reset"))
    return limit, remaining, reset


def rate_headers(outcome: Outcome) -> set[str]:
    return {name for name in outcome.headers if "ratelimit" in name}


# one dialect each


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
async def test_openai_reads_a_duration(path: str) -> None:
    clock = FakeClock(wall=1_800_000_013.0)  # 13 s after a full minute
    assert said(await call(limited(clock, requests_per_minute=60), scope_of(path))) == ("60", "59", "47s")


async def test_anthropic_reads_a_time() -> None:
    outcome = await call(limited(FakeClock(wall=1_800_000_013.0), requests_per_minute=60), scope_of(MESSAGES))
    words = ("limit", "remaining", "reset")
    assert [outcome.headers[ANTHROPIC.format(word)] for word in words] == ["60", "59", "2027-01-15T08:01:00Z"]
    assert len(rate_headers(outcome)) == 3


async def test_gemini_has_none_but_says_in_the_body_when_to_come_again() -> None:
    app = limited(requests_per_minute=1)
    first, second = await call(app, scope_of(GEMINI)), await call(app, scope_of(GEMINI))
    assert (rate_headers(first), rate_headers(second), second.status) == (set(), set(), 429)
    delays = [detail["retryDelay"] for detail in second.json["error"]["details"] if "retryDelay" in detail]
    assert delays == [second.headers["retry-after"] + "s"] == ["60s"]


async def test_what_is_not_limited_has_no_headers() -> None:
    assert not rate_headers(await call(limited(concurrent=4), scope_of(CHAT)))
    assert not rate_headers(await call(limited(tokens_per_minute=4, usd_per_day=1.5), scope_of(CHAT)))


async def test_lists_and_counts_have_none_as_they_do_not_count() -> None:
    app = limited(requests_per_minute=4)
    assert not rate_headers(await call(app, scope_of("/v1/models", method="GET")))
    assert not rate_headers(await call(app, scope_of("/v1/messages/count_tokens")))


@pytest.mark.parametrize(
    ("window", "wall", "reset"),
    [
        ("second", 1_800_000_000.0, "1s"),
        ("second", 1_800_000_000.25, "750ms"),
        ("minute", 1_800_000_000.0, "1m0s"),
        ("minute", 1_800_000_059.5, "500ms"),
        ("minute", 1_800_000_059.9375, "63ms"),
        ("hour", 1_800_000_000.0, "1h0m0s"),
        ("hour", 1_800_003_239.6, "6m1s"),
        ("day", 1_800_000_000.0, "16h0m0s"),
        ("month", 1_800_000_000.0, "400h0m0s"),
    ],
)
async def test_the_first_request_is_free_again_when_its_window_ends(window: str, wall: float, reset: str) -> None:
    app = limited(FakeClock(wall=wall), **{f"requests_per_{window}": 1})
    assert said(await call(app, scope_of(CHAT))) == ("1", "0", reset)


# what they say is true


async def test_the_tightest_limit_is_shown() -> None:
    app = limited(requests_per_minute=3, requests_per_hour=4)
    clock = app._clock
    assert isinstance(clock, FakeClock)
    assert [said(await call(app, scope_of(CHAT)))[:2] for _ in range(3)] == [("3", "2"), ("3", "1"), ("3", "0")]
    await clock.advance(120)
    assert said(await call(app, scope_of(CHAT)))[:2] == ("4", "0")


async def test_of_two_exhausted_limits_the_one_that_lasts_is_named() -> None:
    app = limited(requests_per_minute=1, requests_per_day=1)
    await call(app, scope_of(CHAT))
    outcome = await call(app, scope_of(CHAT))
    assert (outcome.status, outcome.headers["retry-after"]) == (429, str(16 * 3600))
    assert said(outcome) == ("1", "0", "16h0m0s")
    assert "1 request a day" in outcome.json["error"]["message"]


async def test_a_refused_request_takes_nothing() -> None:
    app = limited(requests_per_minute=1, requests_per_hour=9)
    await call(app, scope_of(CHAT))
    for _ in range(3):
        assert said(await call(app, scope_of(CHAT)))[:2] == ("1", "0")
    await app._clock.advance(120)  # type: ignore[attr-defined]  # the fake one
    assert said(await call(app, scope_of(CHAT)))[:2] == ("1", "0")
    assert (await state(app, 9)).left == 7


async def state(app: RateLimit, amount: int) -> Window:
    rules = app._plan(ANONYMOUS.id, ()).requests
    (window,) = app._limiter._own.look([next(rule for rule in rules if rule.amount == amount)])
    return window


async def test_too_many_at_once_takes_nothing_either() -> None:
    inner = Waiting()
    app = RateLimit(inner, {"requests_per_minute": 9, "concurrent": 1}, FakeClock())
    async with holding(app, inner, 1):
        over = await ask(app)
    other = await ask(app)
    assert (over.status, over.headers["retry-after"], said(over)[:2]) == (429, "1", ("9", "8"))
    assert said(other)[:2] == ("9", "7")


@given(st.lists(st.floats(0, 90), max_size=12), st.integers(1, 6), st.floats(0, 60))
def test_waiting_as_long_as_told_is_enough_and_not_too_long(pauses: list[float], amount: int, start: float) -> None:
    clock = FakeClock(wall=1_800_000_000.0 + start)
    app = limited(clock, requests_per_minute=amount)

    async def run() -> None:
        for pause in pauses:
            clock.wall += pause
            await call(app, scope_of(CHAT))
        window = await state(app, amount)
        begun = clock.wall
        for seconds, left in ((window.wait, 1), (window.reset, amount)):
            for moment, free in ((seconds - 0.01, False), (seconds + 0.01, True)):
                clock.wall = max(clock.wall, begun + moment)
                if clock.wall == begun + moment:
                    assert ((await state(app, amount)).left >= left) is free

    anyio.run(run)


# as the SDKs see it

LIMITS = {"requests_per_minute": 3, "requests_per_day": 100}


@pytest.mark.usefixtures("stopped")
async def test_openai_sdk_sees_them_on_answers_streams_and_refusals() -> None:
    app = app_of(Scripted(say("Hello")), config={"limits": LIMITS})
    async with serve(app) as url, openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        create = client.chat.completions.with_raw_response.create
        whole = await create(model="demo", messages=PROMPT)
        streamed = await create(model="demo", messages=PROMPT, stream=True)
        with pytest.raises(openai.BadRequestError) as bad:
            await create(model="demo", messages=PROMPT, extra_body={"messages": "none"})
        with pytest.raises(openai.RateLimitError) as caught:
            await create(model="demo", messages=PROMPT)
    answers = [whole.headers, streamed.headers, bad.value.response.headers, caught.value.response.headers]
    assert [headers[OPENAI.format("remaining")] for headers in answers] == ["2", "1", "0", "0"]
    assert {headers[OPENAI.format("limit")] for headers in answers} == {"3"}


async def test_anthropic_sdk_sees_them_on_answers_streams_and_refusals(stopped: float) -> None:
    app = app_of(Scripted(say("Hello")), config={"limits": LIMITS | {"requests_per_minute": 2}})
    async with serve(app) as url, anthropic.AsyncAnthropic(base_url=url, api_key="any", max_retries=0) as client:
        create = client.messages.with_raw_response.create
        whole = await create(model="demo", max_tokens=9, messages=PROMPT)
        streamed = await create(model="demo", max_tokens=9, messages=PROMPT, stream=True)
        with pytest.raises(anthropic.RateLimitError) as caught:
            await create(model="demo", max_tokens=9, messages=PROMPT)
    answers = [whole.headers, streamed.headers, caught.value.response.headers]
    assert [headers[ANTHROPIC.format("remaining")] for headers in answers] == ["1", "0", "0"]
    reset = datetime.fromisoformat(caught.value.response.headers[ANTHROPIC.format("reset")])
    assert stopped < reset.timestamp() < stopped + 121


@pytest.mark.usefixtures("stopped")
async def test_genai_sdk_sees_how_long_to_wait() -> None:
    app = app_of(Scripted(say("Hello")), config={"limits": {"requests_per_minute": 1}})
    async with serve(app) as url:
        options: Any = {"base_url": url}
        async with genai.Client(api_key="any", http_options=options).aio as client:
            await client.models.generate_content(model="demo", contents="hi")
            with pytest.raises(genai.errors.ClientError) as caught:
                await client.models.generate_content(model="demo", contents="hi")
    kinds = [detail["@type"].rpartition(".")[2] for detail in caught.value.details["error"]["details"]]
    assert (caught.value.code, "RetryInfo" in kinds) == (429, True)


@pytest.mark.usefixtures("stopped")
async def test_a_body_that_nobody_can_read_still_says_what_is_left() -> None:
    app = app_of(Scripted(say("Hello")), config={"limits": LIMITS})
    async with serve(app) as url, httpx.AsyncClient(base_url=url) as http:
        answer = await http.post(CHAT, content=b"{")
    assert (answer.status_code, answer.headers[OPENAI.format("remaining")]) == (400, "2")
