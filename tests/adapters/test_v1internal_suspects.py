"""What a run of failures does to an account, and what is not one of its fault."""

import asyncio
from contextlib import suppress

import pytest

from gateway.errors import GatewayError, UpstreamRateLimited
from tests.adapters.site import MODEL, STREAM, Site

pytestmark = pytest.mark.anyio


async def failing(site: Site, error: str, times: int) -> None:
    """Let so many calls fail, one request each."""
    site.fail(error, times=times)
    for _ in range(times):
        with pytest.raises(GatewayError):
            await site.ask(attempts=1)


async def broken(site: Site, ending: str) -> None:
    """Ask for an answer that begins, and does not come to its end."""
    with suppress(GatewayError):
        assert await site.ask(ending)


async def only(site: Site) -> str:
    """Give the state of the only account."""
    assert site.adapter is not None
    (one,) = site.adapter.credentials
    return one.state


@pytest.mark.parametrize("error", ["500_internal", "502", "504"])
async def test_three_failures_of_the_server_in_a_row_make_a_suspect(site: Site, error: str) -> None:
    await site.open(base_urls=[site.fake.base("a")])
    await failing(site, error, 2)
    assert await only(site) == "active"
    await failing(site, error, 1)
    assert await only(site) == "suspected"


async def test_a_suspect_still_serves_and_one_answer_heals_it(site: Site) -> None:
    await site.open(base_urls=[site.fake.base("a")])
    await failing(site, "500_internal", 3)
    assert await site.ask() == "hi"
    assert await only(site) == "active"


async def test_a_suspect_is_the_last_to_be_asked(site: Site) -> None:
    adapter = await site.open("rt-1", "rt-2", pool={"uses_per_turn": 1})
    adapter._pool.happen(adapter.credentials[0], "failing", "500")
    for _ in range(4):
        await site.ask()
    assert {token for _, token, _ in site.seen()} == {"rt-2"}


async def test_that_it_is_a_suspect_is_known_after_a_restart(site: Site) -> None:
    await site.open(base_urls=[site.fake.base("a")])
    await failing(site, "500_internal", 3)
    await site.open(base_urls=[site.fake.base("a")])
    assert await only(site) == "suspected"
    assert await site.ask() == "hi"
    await site.open(base_urls=[site.fake.base("a")])
    assert await only(site) == "active"


@pytest.mark.parametrize(
    "ending", ["!fixture 24_error_midstream", "!fixture 26_cut_no_finish", "!say one\n!say two\n!drop 1"]
)
async def test_three_answers_in_a_row_that_end_in_their_midst_make_a_suspect(site: Site, ending: str) -> None:
    await site.open(base_urls=[site.fake.base("a")])
    for _ in range(2):
        await broken(site, ending)
    assert await only(site) == "active"
    await broken(site, ending)
    assert await only(site) == "suspected"
    assert await site.ask() == "hi"
    assert await only(site) == "active"


@pytest.mark.parametrize("error", ["503_no_capacity", "429_capacity", "499", "400_invalid_argument_schema"])
async def test_want_of_capacity_cancelling_and_bad_requests_are_no_fault_of_the_account(site: Site, error: str) -> None:
    await site.open(base_urls=[site.fake.base("a")])
    await failing(site, error, 4)
    assert await only(site) == "active"


async def test_a_client_that_leaves_is_no_fault_of_the_account(site: Site) -> None:
    await site.open()
    for number in range(1, 5):
        asked = asyncio.create_task(site.ask())
        await site.fake.wait_for(STREAM, number)
        asked.cancel()
        await asyncio.wait((asked,))
    assert await only(site) == "active"


async def test_no_number_of_429_disables_an_account(site: Site) -> None:
    adapter = await site.open()
    for _ in range(5):
        site.fail("429_quota_exhausted_hours")
        with pytest.raises(UpstreamRateLimited):
            await site.ask()
        await site.clock.advance(86_401)
    assert adapter.credentials[0].state == "active"


async def test_a_quota_used_up_is_stated_with_its_reset(site: Site) -> None:
    adapter = await site.open()
    site.fail("429_quota_exhausted_hours")
    with pytest.raises(UpstreamRateLimited):
        await site.ask()
    quota = adapter.credentials[0].row.quota[MODEL]
    assert quota.remaining == 0
    assert quota.reset_at is not None
    assert quota.reset_at > site.clock.time() + 3600
