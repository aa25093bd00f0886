"""Where a credential's project comes from."""

import asyncio
import re

import pytest

from gateway.errors import GatewayError, NoCredential, UpstreamUnavailable
from tests.adapters.site import Site
from tests.fakes import v1internal_control

pytestmark = pytest.mark.anyio


def sent_project(site: Site) -> str:
    return str(site.fake.calls()[-1].body["project"])


async def test_the_project_is_asked_for_once_on_first_use(site: Site) -> None:
    await site.open()
    assert site.fake.requests == []
    await asyncio.gather(*(site.ask() for _ in range(10)))
    assert len(site.fake.calls("loadCodeAssist")) == 1
    assert sent_project(site) == "fake-project-000"


async def test_an_account_is_onboarded_and_the_operation_polled(site: Site) -> None:
    account = site.fake.oauth.accounts["rt-1"]
    account.state, account.polls = "not_onboarded", 3
    await site.open()
    assert await site.ask_over_pauses() == "hi"
    assert site.clock.naps == [1, 2, 3]
    onboarding = site.fake.calls("onboardUser")
    assert len(onboarding) == 1
    assert onboarding[0].body["tierId"] == "free-tier"
    assert "cloudaicompanionProject" not in onboarding[0].body  # the free tier refuses one
    polls = site.fake.calls("operation")
    assert [(poll.http_method, poll.path.startswith("/v1internal/operations/")) for poll in polls] == [
        ("GET", True)
    ] * 3


async def test_an_onboarding_without_end_is_given_up(site: Site) -> None:
    account = site.fake.oauth.accounts["rt-1"]
    account.state, account.polls = "not_onboarded", 1000
    await site.open(pool={"project_fallback": "discover"})
    with pytest.raises(GatewayError, match="did not finish onboarding"):
        await site.ask_over_pauses(attempts=1)
    assert len(site.fake.calls("operation")) == 10


async def test_an_onboarding_without_end_keeps_nobody_waiting_again(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    site.level = "warning"
    account = site.fake.oauth.accounts["rt-1"]
    account.state, account.polls = "not_onboarded", 1000
    adapter = await site.open("rt-1", "rt-2")
    assert [await site.ask_over_pauses() for _ in range(4)] == ["hi"] * 4
    assert len(site.fake.calls("onboardUser")) == 1
    (first, _) = adapter.views()
    assert (first.state, first.reason) == ("cooling", "the upstream did not finish onboarding the account in time")
    assert first.last_error == first.reason
    assert capfd.readouterr().err.count("a credential has no project") == 1
    account.polls = 1
    await site.clock.advance(61)
    assert [await site.ask_over_pauses() for _ in range(3)] == ["hi"] * 3
    assert adapter.views()[0].project


async def test_while_an_onboarding_goes_on_a_lone_account_says_when_to_come_again(site: Site) -> None:
    account = site.fake.oauth.accounts["rt-1"]
    account.state, account.polls = "not_onboarded", 1000
    await site.open()
    with pytest.raises(GatewayError):
        await site.ask_over_pauses(attempts=1)
    with pytest.raises(UpstreamUnavailable, match="^the upstream did not finish onboarding") as caught:
        await site.ask()
    assert 0 < (caught.value.retry_after or 0) <= 60
    assert len(site.fake.calls("onboardUser")) == 1


async def test_an_account_that_must_be_verified_first_is_left_with_its_link(site: Site) -> None:
    site.fake.oauth.accounts["rt-1"].state = "validation_required"
    adapter = await site.open("rt-1", "rt-2")
    assert await site.ask() == "hi"
    first = adapter.credentials[0]
    assert first.state == "needs_verification"
    assert first.link == "https://accounts.example.invalid/signin/continue?fake=1"
    assert site.fake.calls("onboardUser") == []


async def test_a_project_by_e_mail_is_taken_without_discovery(site: Site) -> None:
    await site.open(pool={"project_ids": {"user1@example.invalid": "mine"}})
    await site.ask()
    assert sent_project(site) == "mine"
    assert site.fake.calls("loadCodeAssist") == []
    assert len(site.fake.calls("userinfo")) == 1


async def test_the_case_of_an_e_mail_says_nothing(site: Site) -> None:
    await site.open(pool={"project_ids": {"User1@Example.invalid": "mine"}})
    await site.ask()
    assert sent_project(site) == "mine"


async def test_an_account_without_an_entry_is_discovered(site: Site) -> None:
    await site.open(pool={"project_ids": {"another@example.invalid": "mine"}})
    await site.ask()
    await site.ask()
    assert sent_project(site) == "fake-project-000"
    assert len(site.fake.calls("userinfo")) == 1


async def test_a_configured_project_beats_the_one_found_before(site: Site) -> None:
    await site.open()
    await site.ask()
    await site.open(pool={"project_ids": {"user1@example.invalid": "mine"}})
    await site.ask()
    assert sent_project(site) == "mine"


async def test_fail_never_asks(site: Site) -> None:
    adapter = await site.open(pool={"project_fallback": "fail"})
    with pytest.raises(NoCredential, match="no project"):
        await site.ask()
    assert site.fake.calls("loadCodeAssist") == []
    assert adapter.state() == "no credential: 1 paused: no project: set pool.project_ids"
    await site.open()
    assert await site.ask() == "hi"  # a restart with another configuration


async def test_random_makes_up_a_project_for_an_account_without_one_and_keeps_it(site: Site) -> None:
    account = site.fake.oauth.accounts["rt-1"]
    account.project, account.state = "", "not_onboarded"
    await site.open(pool={"project_fallback": "random"})
    await site.ask()
    made_up = sent_project(site)
    assert re.fullmatch(r"gateway-[0-9a-f]{8}", made_up)
    await site.open(pool={"project_fallback": "random"})
    await site.ask()
    assert sent_project(site) == made_up


async def test_discover_has_no_use_for_an_account_without_a_project(site: Site) -> None:
    account = site.fake.oauth.accounts["rt-1"]
    account.project, account.state = "", "not_onboarded"
    await site.open()
    with pytest.raises(NoCredential, match="no project"):
        await site.ask()


@pytest.mark.parametrize("method", ["loadCodeAssist", "onboardUser"])
@pytest.mark.parametrize("error", ["400", "400_claude_invalid_signature", "404", "404_project", "412"])
async def test_an_account_that_the_service_gives_no_project_rests_and_another_one_serves(
    site: Site, capfd: pytest.CaptureFixture[str], error: str, method: str
) -> None:
    site.level = "warning"
    site.fake.oauth.accounts["rt-1"].state = "not_onboarded"
    adapter = await site.open("rt-1", "rt-2", pool={"uses_per_turn": 1})
    site.fake.fail(error, method=method, token="rt-1", times=99)
    assert [await site.ask() for _ in range(4)] == ["hi"] * 4
    refused = [base for base, token, _ in site.seen(method) if token == "rt-1"]
    assert refused == (["a", "b"] if error.startswith("404") else ["a"])  # once, by each base that may know
    first = adapter.views()[0]
    assert (first.state, first.reason) == ("cooling", first.last_error)
    assert first.reason.startswith("no project: set pool.project_ids (")
    assert capfd.readouterr().err.count("a credential has no project") == 1


@pytest.mark.parametrize("error", ["400", "404", "412"])
async def test_a_lone_account_that_the_service_gives_no_project_is_no_fault_of_a_caller(site: Site, error: str) -> None:
    adapter = await site.open()
    site.fake.fail(error, method="loadCodeAssist", times=99)
    for _ in range(2):
        with pytest.raises(NoCredential, match=r"no project: set pool\.project_ids \(") as caught:
            await site.ask()
        assert caught.value.retry_after == pytest.approx(300)
    assert not adapter.usable
    assert len(site.fake.calls("loadCodeAssist")) == (2 if error == "404" else 1)
    site.fake.faults.clear()
    await site.clock.advance(301)
    assert await site.ask() == "hi"


@pytest.mark.parametrize("error", ["400", "403", "403_service_disabled", "404", "412"])
async def test_random_makes_up_a_project_also_where_the_service_refuses_to_give_one(site: Site, error: str) -> None:
    await site.open(pool={"project_fallback": "random"})
    site.fake.fail(error, method="loadCodeAssist", times=99)
    assert await site.ask() == "hi"
    assert sent_project(site).startswith("gateway-")


@pytest.mark.parametrize("error", ["401_unauthenticated", "429_bare", "500_internal", "reset"])
async def test_random_makes_up_nothing_where_the_service_may_still_give_a_project(site: Site, error: str) -> None:
    await site.open("rt-1", "rt-2", pool={"project_fallback": "random"})
    site.fake.fail(error, method="loadCodeAssist", token="rt-1", times=2)
    assert await site.ask() == "hi"
    assert sent_project(site) == "fake-project-000"


@pytest.mark.parametrize("fallback", ["discover", "random"])
async def test_an_account_that_cannot_be_set_up_is_left_with_the_reason(
    site: Site, monkeypatch: pytest.MonkeyPatch, fallback: str
) -> None:
    failed = {"name": "operations/1", "done": True, "error": {"code": 7, "message": "not eligible for this tier"}}
    monkeypatch.setattr(v1internal_control, "_progress", lambda _: failed)
    site.fake.oauth.accounts["rt-1"].state = "not_onboarded"
    adapter = await site.open("rt-1", "rt-2", pool={"project_fallback": fallback})
    assert await site.ask() == "hi"
    if fallback == "random":
        assert sent_project(site).startswith("gateway-")
    else:
        assert adapter.views()[0].reason == (
            "no project: set pool.project_ids (the upstream did not set the account up: not eligible for this tier)"
        )


async def test_accounts_are_looked_up_at_the_next_base_when_one_fails(site: Site) -> None:
    await site.open()
    site.fake.fail("503", base="a", method="loadCodeAssist")
    assert await site.ask() == "hi"
    assert [call.base for call in site.fake.calls("loadCodeAssist")] == ["a", "b"]


async def test_an_e_mail_that_cannot_be_asked_for_is_no_harm(site: Site) -> None:
    await site.open(pool={"project_ids": {"user1@example.invalid": "mine"}})
    site.fake.fail("500_internal", method="userinfo")
    assert await site.ask() == "hi"
    assert sent_project(site) == "fake-project-000"


async def test_a_token_refused_while_asking_for_the_e_mail_is_refreshed(site: Site) -> None:
    await site.open(pool={"project_ids": {"user1@example.invalid": "mine"}})
    site.fake.fail("401_unauthenticated", method="userinfo")
    assert await site.ask() == "hi"
    assert sent_project(site) == "mine"


async def test_a_project_found_since_is_not_forgotten(site: Site) -> None:
    await site.open()
    await site.ask()
    site.fail("403_service_disabled", times=2)
    await asyncio.gather(*(site.ask() for _ in range(2)))
    assert len(site.fake.calls("loadCodeAssist")) == 2


async def test_a_token_refused_while_looking_up_is_refreshed(site: Site) -> None:
    await site.open()
    site.fake.fail("401_unauthenticated", method="loadCodeAssist")
    assert await site.ask() == "hi"
    assert len(site.fake.calls("token")) == 2
