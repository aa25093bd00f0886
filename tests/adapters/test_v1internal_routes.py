"""Which base and which credential is tried after what failed: by the gateway's own attempts."""

import json
import re

import pytest

from gateway.errors import (
    ModelNotFound,
    StreamBroken,
    UpstreamOverloaded,
    UpstreamRejected,
    UpstreamUnavailable,
)
from tests.adapters.site import Site

pytestmark = pytest.mark.anyio

THREE = ("rt-1", "rt-2", "rt-3")


@pytest.mark.parametrize(
    "error", ["404_not_found_model", "408", "500_internal", "501", "502", "503", "504", "505", "520", "429_bare"]
)
async def test_the_next_base_is_tried(site: Site, error: str) -> None:
    await site.open()
    site.fail(error, base="a")
    assert await site.ask() == "hi"
    assert [base for base, _, _ in site.seen()] == ["a", "b"]


@pytest.mark.parametrize("error", ["429_capacity", "503_no_capacity"])
async def test_want_of_capacity_goes_to_the_next_base_and_is_no_fault_of_the_credential(site: Site, error: str) -> None:
    adapter = await site.open()
    site.fail(error, base="a")
    assert await site.ask() == "hi"
    assert [base for base, _, _ in site.seen()] == ["a", "b"]
    assert await site.ask() == "hi"
    assert adapter.usable


async def test_want_of_capacity_everywhere_is_tried_three_times(site: Site) -> None:
    await site.open(*THREE)
    site.fail("503_no_capacity", times=9)
    with pytest.raises(UpstreamOverloaded) as caught:
        await site.ask_over_pauses()
    assert caught.value.status == 503
    assert [(base, token) for base, token, _ in site.seen()] == [("a", "rt-1"), ("b", "rt-1"), ("a", "rt-1")]


async def test_a_base_that_gives_no_reason_hides_none_that_another_one_has_given(site: Site) -> None:
    """It is then want of capacity, which is no fault of the account."""
    adapter = await site.open(*THREE)
    site.fail("503_no_capacity", base="a", times=9)
    site.fail("429_bare", base="b", times=9)
    with pytest.raises(UpstreamOverloaded, match="No capacity available"):
        await site.ask_over_pauses()
    assert [(base, token) for base, token, _ in site.seen()] == [("a", "rt-1"), ("b", "rt-1"), ("a", "rt-1")]
    assert adapter.states()["cooling"] == 0


async def test_a_base_that_says_when_to_come_again_is_believed_before_one_that_says_nothing(site: Site) -> None:
    await site.open(base_urls=[site.fake.base("a"), site.fake.base("b")])
    body = {"error": {"code": 503, "message": "busy, please retry in 7s", "status": "UNAVAILABLE"}}
    site.fake.script.push(f"!refuse {json.dumps(body)}")
    site.fail("429_bare", base="b", times=9)
    with pytest.raises(UpstreamOverloaded, match="busy") as caught:
        await site.ask(attempts=2)
    assert caught.value.retry_after == 7


async def test_a_base_that_refuses_connections_is_passed_over(site: Site) -> None:
    await site.open()
    await site.ask()  # the token and the project come by base a
    await site.fake.stop_base("a")
    assert await site.ask() == "hi"
    assert site.seen()[-1] == ("b", "rt-1", 200)


async def test_a_reset_before_the_answer_is_tried_again(site: Site) -> None:
    await site.open(base_urls=[site.fake.base("a")])
    site.fail("reset")
    assert await site.ask_over_pauses() == "hi"
    assert len(site.seen()) == 2


async def test_no_pause_is_made_while_a_credential_is_left(site: Site) -> None:
    await site.open(*THREE, base_urls=[site.fake.base("a")])
    site.fail("500_internal", times=2)
    assert await site.ask() == "hi"
    assert site.seen() == [("a", "rt-1", 500), ("a", "rt-2", 500), ("a", "rt-3", 200)]


async def test_a_server_error_goes_to_the_next_base_then_to_another_credential(site: Site) -> None:
    await site.open(*THREE)
    site.fail("500_internal", times=9, token="rt-1")
    assert await site.ask() == "hi"
    assert site.seen() == [("a", "rt-1", 500), ("b", "rt-1", 500), ("b", "rt-2", 200)]


async def test_a_lasting_server_error_is_told_as_it_is(site: Site) -> None:
    await site.open(*THREE)
    site.fail("500_internal", times=99)
    with pytest.raises(UpstreamUnavailable, match="Internal error encountered"):
        await site.ask_over_pauses()
    assert len(site.seen()) == 4


async def test_a_status_that_retry_on_does_not_name_is_not_tried_again(site: Site) -> None:
    site.retry = {"on": [429]}
    await site.open(*THREE, base_urls=[site.fake.base("a")])
    site.fail("500_internal")
    with pytest.raises(UpstreamUnavailable):
        await site.ask()
    assert len(site.seen()) == 1


async def test_a_status_that_retry_on_does_not_name_is_tried_at_each_base_alone(site: Site) -> None:
    await site.open(*THREE)
    site.fail("520", times=9)
    with pytest.raises(UpstreamUnavailable):
        await site.ask()
    assert site.seen() == [("a", "rt-1", 520), ("b", "rt-1", 520)]


async def test_an_unknown_server_error_keeps_its_cause(site: Site) -> None:
    await site.open(base_urls=[site.fake.base("a")])
    site.fail("520")
    with pytest.raises(UpstreamUnavailable) as caught:
        await site.ask()
    assert (caught.value.status, len(site.seen())) == (502, 1)


async def test_a_cancelled_call_is_tried_once_more(site: Site) -> None:
    await site.open(*THREE)
    site.fail("499", times=9)
    with pytest.raises(UpstreamUnavailable):
        await site.ask_over_pauses()
    assert [token for _, token, _ in site.seen()] == ["rt-1", "rt-1"]


async def test_pauses_before_the_same_way_again_grow_within_bounds(site: Site) -> None:
    await site.open(base_urls=[site.fake.base("a")])
    site.fail("500_internal", times=9)
    with pytest.raises(UpstreamUnavailable):
        await site.ask_over_pauses()
    assert len(site.clock.naps) == 3
    assert all(0.25 <= nap <= most for nap, most in zip(site.clock.naps, (0.5, 1, 2), strict=True))


@pytest.mark.parametrize("error", ["400_invalid_argument_schema", "400_claude_prefill", "400_array_wrapped"])
async def test_a_refused_request_is_never_tried_again(site: Site, error: str) -> None:
    await site.open(*THREE)
    site.fail(error, times=9)
    with pytest.raises(UpstreamRejected):
        await site.ask()
    assert len(site.seen()) == 1


async def test_an_unknown_model_is_looked_for_at_every_base_with_one_other_credential(site: Site) -> None:
    await site.open(*THREE)
    with pytest.raises(ModelNotFound):
        await site.ask(model="gemini-99")
    assert [(base, token) for base, token, _ in site.seen()] == [
        ("a", "rt-1"),
        ("b", "rt-1"),
        ("b", "rt-2"),
        ("a", "rt-2"),
    ]


async def test_an_error_as_the_first_event_is_treated_as_if_it_were_the_status(site: Site) -> None:
    await site.open("rt-1", "rt-2")
    site.fake.script.push("!fixture 25")
    assert await site.ask() == "hi"
    assert [base for base, _, _ in site.seen()] == ["a", "b"]  # a 429 without details


@pytest.mark.parametrize("directive", ["!drop 0", "!cut 0", "!fin 0"])
async def test_an_answer_that_breaks_off_before_its_content_is_tried_again(site: Site, directive: str) -> None:
    await site.open()
    site.fake.script.push(directive)
    assert await site.ask_over_pauses() == "hi"
    assert len(site.seen()) == 2


async def test_an_answer_that_breaks_off_later_ends_with_an_error(site: Site) -> None:
    await site.open()
    begun = await site.begin("!acked\n!drop 2\none two three four five")
    site.fake.ack()
    with pytest.raises(StreamBroken):
        while await begun.answer.read() is not None:
            pass
    begun.answer.close()
    begun.journey.done(None)
    assert len(site.seen()) == 1


async def test_an_answer_that_says_nothing_is_tried_again_at_once(site: Site) -> None:
    await site.open()
    site.fake.script.push("!fixture 28")
    assert await site.ask() == "hi"
    assert site.clock.naps == []


async def test_each_attempt_has_a_request_id_of_its_own(site: Site) -> None:
    await site.open()
    site.fail("500_internal")
    await site.ask()
    first, second = (call.body["requestId"] for call in site.fake.calls())
    assert first != second
    assert re.fullmatch(r"agent-[0-9a-f-]{36}", first)


async def test_an_unknown_model_is_named_where_the_attempts_run_out(site: Site) -> None:
    adapter = await site.open("rt-1", "rt-2")
    known = next(iter(adapter.models()))
    site.fail("404_not_found_model", times=9)
    with pytest.raises(ModelNotFound) as caught:
        await site.ask(model=known[:-1], attempts=2)
    assert caught.value.message.endswith(f"lists no model '{known[:-1]}'; did you mean \"{known}\"?")
    assert len(site.seen()) == 3
