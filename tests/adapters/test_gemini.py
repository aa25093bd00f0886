"""Asking the Gemini API: its keys, their turns, and what each refusal leads to."""

import asyncio

import msgspec
import pytest
from msgspec import Raw

from gateway import ir
from gateway.errors import (
    GatewayError,
    ModelNotFound,
    NoCredential,
    NotFound,
    UpstreamCredential,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnavailable,
)
from tests.adapters.site import GEMINI_2, GEMINI_3, GeminiSite
from tests.conformance.raw import Raw as Server
from tests.serving import serve

pytestmark = pytest.mark.anyio


async def test_an_answer_comes_with_the_key_in_its_header_and_the_model_in_the_path(gemini: GeminiSite) -> None:
    await gemini.open()
    assert await gemini.ask("one two") == "one two"
    (call,) = gemini.fake.calls()
    assert call.path == f"/v1beta/models/{GEMINI_3}:streamGenerateContent"
    assert call.query == {"alt": "sse"}
    assert call.headers["x-goog-api-key"] == "key-1"
    assert call.headers["user-agent"].startswith("asgi-llm-gateway/")
    assert "authorization" not in call.headers


async def test_the_keys_take_turns(gemini: GeminiSite) -> None:
    await gemini.open("key-1", "key-2", "key-3")
    for _ in range(4):
        await gemini.ask()
    assert [key for key, _ in gemini.seen()] == ["key-1", "key-2", "key-3", "key-1"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("400_key_invalid", 400),
        ("400_key_expired", 400),
        ("401", 401),
        ("403", 403),
        ("403_key_suspended", 403),
        ("403_key_leaked", 403),
        ("403_service_disabled", 403),
    ],
)
async def test_a_refused_key_is_disabled_and_the_next_one_serves(gemini: GeminiSite, error: str, status: int) -> None:
    adapter = await gemini.open("key-1", "key-2")
    gemini.fail(error, token="key-1", times=9)
    assert await gemini.ask(attempts=1) == "hi"
    assert await gemini.ask(attempts=1) == "hi"
    assert gemini.seen() == [("key-1", status), ("key-2", 200), ("key-2", 200)]
    assert adapter.state() == "usable: 1 of 2 credentials; 1 disabled"
    assert adapter.credentials[0].reason


async def test_the_only_key_refused_is_a_bad_gateway_never_the_callers_401(gemini: GeminiSite) -> None:
    adapter = await gemini.open()
    gemini.fail("400_key_invalid", times=9)
    for _ in range(2):
        with pytest.raises(UpstreamCredential) as caught:
            await gemini.ask()
        assert caught.value.status == 502
    assert len(gemini.seen()) == 1
    assert adapter.state() == "no credential: 1 disabled: the API key was rejected"
    assert not adapter.usable


async def test_a_pool_of_which_all_are_refused_has_no_credential(gemini: GeminiSite) -> None:
    await gemini.open("key-1", "key-2")
    gemini.fail("403_key_suspended", times=9)
    with pytest.raises(NoCredential, match="2 credentials: 2 disabled; the operator of this gateway must act"):
        await gemini.ask()


async def test_a_refused_key_stays_disabled_over_a_restart(gemini: GeminiSite) -> None:
    await gemini.open("key-1", "key-2")
    gemini.fail("400_key_invalid", token="key-1")
    await gemini.ask()
    adapter = await gemini.open("key-1", "key-2")
    assert adapter.state() == "usable: 1 of 2 credentials; 1 disabled"
    assert adapter.credentials[0].reason.startswith("the API key was rejected: ")


async def test_no_key_is_written_down(gemini: GeminiSite) -> None:
    await gemini.open("key-1")
    gemini.fail("400_key_invalid")
    with pytest.raises(UpstreamCredential):
        await gemini.ask()
    await gemini.stop()
    assert b"key-1" not in b"".join(file.read_bytes() for file in gemini.folder.iterdir())


async def test_without_a_key_nothing_is_usable_and_the_state_says_what_to_set(gemini: GeminiSite) -> None:
    adapter = await gemini.open("x", api_key=[])
    assert adapter.state() == "no credential: set upstream.google.api_key"
    with pytest.raises(NoCredential):
        await gemini.ask()


# quotas


@pytest.mark.parametrize(
    ("error", "rests_s"),
    [
        ("429_per_minute", 38),
        ("429_tokens_per_minute", 26),
        ("429_limit_zero", 86_400),
        ("429_bare", 60),
    ],
)
async def test_a_used_up_quota_lets_the_key_rest_for_that_model(gemini: GeminiSite, error: str, rests_s: float) -> None:
    await gemini.open()
    gemini.fail(error, model=GEMINI_3)
    with pytest.raises(UpstreamRateLimited) as caught:
        await gemini.ask()
    assert caught.value.retry_after == pytest.approx(rests_s)
    assert await gemini.ask(model=GEMINI_2) == "hi"
    await gemini.clock.advance(rests_s)
    assert await gemini.ask() == "hi"


async def test_a_prompt_that_is_more_than_a_minute_s_tokens_lets_no_key_rest(gemini: GeminiSite) -> None:
    pool = await gemini.open("key-1", "key-2")
    for key in ("key-1", "key-2"):
        gemini.fail("429_tokens_per_minute", token=key)
    with pytest.raises(UpstreamRateLimited) as refused:
        await gemini.ask("words " * 200_000)
    assert (refused.value.retry_after, refused.value.headers) == (None, {"x-should-retry": "false"})
    assert gemini.seen() == [("key-1", 429), ("key-2", 429)]
    assert [key.cooling for key in pool.credentials] == [{}, {}]


async def test_a_days_quota_lasts_to_midnight_in_california_whatever_the_delay_says(gemini: GeminiSite) -> None:
    await gemini.open()
    gemini.fail("429_per_day")
    with pytest.raises(UpstreamRateLimited) as caught:
        await gemini.ask()
    wall = gemini.clock.time()  # 2027-01-15 08:00 UTC: midnight there
    assert wall == 1_800_000_000
    assert caught.value.retry_after == pytest.approx(86_400)


async def test_another_key_serves_while_one_rests(gemini: GeminiSite) -> None:
    await gemini.open("key-1", "key-2")
    gemini.fail("429_per_minute", token="key-1")
    assert await gemini.ask(attempts=1) == "hi"
    assert await gemini.ask(attempts=1) == "hi"
    assert gemini.seen() == [("key-1", 429), ("key-2", 200), ("key-2", 200)]


async def test_an_error_event_without_a_code_goes_by_its_status(gemini: GeminiSite) -> None:
    gemini.fake.script.push('!chunk {"error": {"status": "RESOURCE_EXHAUSTED", "message": "Please retry in 9s."}}')
    await gemini.open("key-1", "key-2")
    assert await gemini.ask() == "hi"
    assert gemini.seen() == [("key-1", 200), ("key-2", 200)]


async def test_a_rest_is_known_after_a_restart(gemini: GeminiSite) -> None:
    await gemini.open()
    gemini.fail("429_per_minute")
    with pytest.raises(UpstreamRateLimited):
        await gemini.ask()
    await gemini.open()
    with pytest.raises(UpstreamRateLimited, match="1 credential: 1 cooling until 08:01 UTC"):
        await gemini.ask()
    assert len(gemini.seen()) == 1


# the upstream's own troubles


async def test_a_busy_model_is_asked_with_another_key_and_again_after_a_pause(gemini: GeminiSite) -> None:
    await gemini.open("key-1", "key-2")
    gemini.fail("503_high_demand", times=2)
    assert await gemini.ask_over_pauses() == "hi"
    assert gemini.seen() == [("key-1", 503), ("key-2", 503), ("key-2", 200)]


async def test_a_model_that_is_busy_for_one_key_is_answered_with_another_at_once(gemini: GeminiSite) -> None:
    await gemini.open("key-1", "key-2")
    gemini.fail("503_high_demand", token="key-1")
    assert await gemini.ask() == "hi"
    assert gemini.seen() == [("key-1", 503), ("key-2", 200)]


async def test_a_model_that_stays_busy_is_overloaded(gemini: GeminiSite) -> None:
    adapter = await gemini.open()
    gemini.fail("503_overloaded", times=9)
    with pytest.raises(UpstreamOverloaded):
        await gemini.ask_over_pauses(attempts=2)
    assert len(gemini.seen()) == 2
    assert adapter.usable


async def test_an_internal_error_is_tried_with_another_key(gemini: GeminiSite) -> None:
    await gemini.open("key-1", "key-2")
    gemini.fail("500_internal", token="key-1")
    assert await gemini.ask() == "hi"
    assert gemini.seen() == [("key-1", 500), ("key-2", 200)]


async def test_an_unknown_model_is_tried_with_one_other_key(gemini: GeminiSite) -> None:
    adapter = await gemini.open("key-1", "key-2", "key-3")
    with pytest.raises(ModelNotFound):
        await gemini.ask(model="gemini-9")
    assert len(gemini.seen()) == 2
    assert adapter.state() == "usable: 3 of 3 credentials"


async def test_a_wrong_base_url_is_the_operators(gemini: GeminiSite) -> None:
    raw = Server()
    raw.says(b"404 page not found", status=404, kind="text/plain")
    async with serve(raw) as url:
        adapter = await gemini.open(base_url=f"{url}/v1beta")
        with pytest.raises(UpstreamUnavailable, match="base_url is given without /v1beta: 404 page not found"):
            await gemini.ask()
    assert adapter.usable


async def test_a_place_that_is_not_served_is_the_gateways_trouble(gemini: GeminiSite) -> None:
    adapter = await gemini.open()
    gemini.fail("400_location")
    with pytest.raises(UpstreamUnavailable, match="location is not supported"):
        await gemini.ask()
    assert adapter.usable


async def test_a_bad_request_is_the_callers_and_is_not_repeated(gemini: GeminiSite) -> None:
    await gemini.open("key-1", "key-2")
    gemini.fail("400_invalid_argument")
    with pytest.raises(UpstreamRejected, match="invalid argument"):
        await gemini.ask()
    assert len(gemini.seen()) == 1


@pytest.mark.parametrize("kind", ["reset", "500"])
async def test_a_failure_without_an_answer_is_tried_again(gemini: GeminiSite, kind: str) -> None:
    await gemini.open()
    gemini.fail(kind)
    assert await gemini.ask_over_pauses() == "hi"


async def test_a_permission_that_is_about_a_resource_is_not_held_against_the_key(gemini: GeminiSite) -> None:
    adapter = await gemini.open("key-1", "key-2")
    refusal = '{"error":{"code":403,"message":"You do not have permission to access the File f.","status":"X"}}'
    with pytest.raises(NotFound, match="only the API key that made it"):
        await gemini.ask(f"!refuse {refusal}")
    assert adapter.state() == "usable: 2 of 2 credentials"


BARE = '{"error":{"code":403,"message":"The caller does not have permission","status":"PERMISSION_DENIED"}}'


@pytest.mark.parametrize(("keys", "error"), [(["key-1"], UpstreamCredential), (["key-1", "key-2"], NoCredential)])
async def test_a_bare_lack_of_permission_is_the_operators_where_nothing_is_named(
    gemini: GeminiSite, keys: list[str], error: type[GatewayError]
) -> None:
    adapter = await gemini.open(*keys)
    with pytest.raises(error, match="does not have permission"):
        await gemini.ask(f"!refuse {BARE}")
    assert len(gemini.seen()) == len(keys)
    assert adapter.states()["active"] == len(keys)


async def test_a_bare_lack_of_permission_for_a_file_is_the_callers(gemini: GeminiSite) -> None:
    await gemini.open()
    parts = [{"text": f"!refuse {BARE}"}, {"fileData": {"fileUri": "https://www.youtube.com/watch?v=x"}}]
    body = Raw(msgspec.json.encode({"contents": [{"role": "user", "parts": parts}]}))
    with pytest.raises(NotFound, match="only the API key that made it") as caught:
        await gemini.ask(stream=True, native=ir.Native(dialect="gemini", body=body))
    assert "status" not in caught.value.own  # Google's would be that of a 403


async def test_a_caller_that_leaves_gives_the_key_back(gemini: GeminiSite) -> None:
    adapter = await gemini.open()
    asked = asyncio.create_task(gemini.ask("!slow 60"))
    await gemini.fake.wait_for()
    assert adapter.leases == 1
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await gemini.fake.wait_closed()
    assert adapter.leases == 0
