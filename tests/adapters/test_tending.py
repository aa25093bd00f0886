"""What happens to credentials although nobody asks for anything: tokens in time, and questions now and then."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import GatewayError, NoCredential
from gateway.store.known import StoredCredential
from tests.adapters.site import MODEL, GeminiSite, Site
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.v1internal import FakeV1Internal
from tests.patience import patient

pytestmark = pytest.mark.anyio

LOOPS = 2
QUESTIONS = {"fetchAvailableModels", "userinfo", "loadCodeAssist", "retrieveUserQuota"}


def health(*probes: str, interval: float = 300, idle_only: bool = True) -> dict[str, Any]:
    given: dict[str, Any] = {"interval": interval, "idle_only": idle_only}
    return {"health": given | ({"probes": list(probes)} if probes else {})}


async def passes(site: Site, seconds: float, step_s: float = 1.0, loops: int = LOOPS) -> None:
    """Let time pass, and all that it sets off come to its end."""
    await rests(site, loops)
    for _ in range(round(seconds / step_s)):
        await site.clock.advance(step_s)
        await rests(site, loops)


async def rests(site: Site, loops: int) -> None:
    async with asyncio.timeout(patient(10)):
        while site.clock.tending < loops:  # noqa: ASYNC110 - a sleep that begins sets no event
            await asyncio.sleep(0.0005)


async def both_rest(pair: list[Site]) -> None:
    """Let what runs in two processes come to its end; whoever waits there for the other one has the time to."""
    async with asyncio.timeout(patient(10)):
        while any(site.clock.sleepers or not site.clock.tending for site in pair):
            for site in pair:
                if site.clock.sleepers:
                    await site.clock.advance(0.1)
            await asyncio.sleep(0.0005)


def asked(site: Site) -> list[tuple[str, str]]:
    """List the questions so far, and about whom."""
    return [(call.method, call.credential) for call in site.fake.requests if call.method in QUESTIONS]


# questions


async def test_at_the_start_each_account_is_asked_what_is_left(site: Site) -> None:
    site.fake.oauth.accounts["rt-2"].quotas = {MODEL: 0.25}
    adapter = await site.open("rt-1", "rt-2", pool=health())
    await passes(site, 3)
    assert sorted(asked(site)) == [("fetchAvailableModels", "rt-1"), ("fetchAvailableModels", "rt-2")]
    assert [one.row.quota[MODEL].remaining for one in adapter.credentials] == [1.0, 0.25]


async def test_then_each_account_is_asked_something_now_and_then(site: Site) -> None:
    await site.open("rt-1", "rt-2", pool=health("userinfo", interval=100))
    await passes(site, 1000)
    asks = Counter(token for _, token in asked(site))
    assert all(9 <= asks[token] <= 12 for token in ("rt-1", "rt-2"))


async def test_the_question_is_picked_at_random(site: Site) -> None:
    await site.open(pool=health(interval=2))
    await passes(site, 120)
    kinds = Counter(kind for kind, _ in asked(site))
    assert kinds.keys() == {"fetchAvailableModels", "userinfo", "loadCodeAssist"}
    assert kinds.total() >= 40


@pytest.mark.parametrize(("probe", "method"), [("userinfo", "userinfo"), ("project", "loadCodeAssist")])
async def test_only_the_configured_questions_are_asked(site: Site, probe: str, method: str) -> None:
    await site.open(pool=health(probe, interval=5))
    await passes(site, 60)
    assert {kind for kind, _ in asked(site)} == {method}


@pytest.mark.parametrize("quiet", [health(interval=0), {"health": {"probes": []}}])
async def test_the_questions_can_be_switched_off(site: Site, quiet: Mapping[str, Any]) -> None:
    await site.open(pool=quiet)
    await passes(site, 700, 10, loops=1)
    assert site.fake.requests == []


async def test_nothing_is_asked_while_a_request_is_under_way(site: Site) -> None:
    await site.open(pool=health("userinfo", interval=5))
    begun = await site.begin()
    await passes(site, 30)
    assert asked(site) == [("loadCodeAssist", "rt-1")]  # the request's own
    begun.answer.close()
    begun.journey.done(None)
    await passes(site, 2)
    assert asked(site)[1:] == [("userinfo", "rt-1")]


async def test_with_idle_only_off_requests_do_not_matter(site: Site) -> None:
    await site.open(pool=health("userinfo", interval=5, idle_only=False))
    begun = await site.begin()
    await passes(site, 30)
    assert len(asked(site)) > 2
    begun.answer.close()
    begun.journey.done(None)


async def test_a_request_to_another_upstream_counts_too(site: Site) -> None:
    busy = True
    adapter = site.made(pool=health("userinfo", interval=5))
    adapter.watch(lambda: busy)
    site.adapter = adapter
    await adapter.start(site.transport)
    await passes(site, 30)
    assert asked(site) == []
    busy = False
    await passes(site, 2)
    assert asked(site) == [("userinfo", "rt-1")]


async def test_one_process_asks_for_all(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    first, second = (Site(fake_v1internal, tmp_path / "data") for _ in range(2))
    for one in (first, second):
        await one.open(pool=health("userinfo", interval=10))
        await passes(one, 1)
    for _ in range(10):
        await passes(first, 10)
        await passes(second, 10)
    alone = len(asked(first))
    assert 9 <= alone <= 13
    await first.close()
    await passes(second, 60)  # it looks every half minute whether it is its turn
    assert alone + 3 <= len(asked(second))
    await second.close()


async def test_an_account_that_came_by_another_process_is_asked_too(
    fake_v1internal: FakeV1Internal, tmp_path: Path
) -> None:
    first, second = (Site(fake_v1internal, tmp_path / "data") for _ in range(2))
    await first.open(pool=health("models"))
    await passes(first, 2)
    other = await second.open()
    await other._keeper.add(StoredCredential(id="2", source="login", refresh_token="rt-2"))
    await passes(first, 31)
    assert asked(first)[1:] == [("fetchAvailableModels", "rt-2")]
    for site in (first, second):
        await site.close()


# answers


async def test_an_account_that_does_not_answer_is_suspected_and_healed_by_the_next_answer(site: Site) -> None:
    adapter = await site.open(pool=health("models", interval=10))
    site.fake.fail("500_internal", method="fetchAvailableModels", times=2)  # both bases
    await passes(site, 2)
    (account,) = adapter.credentials
    assert (account.state, adapter.usable) == ("suspected", True)
    assert account.reason.startswith("models: ")
    await passes(site, 12)
    assert account.state == "active"


@pytest.mark.parametrize("error", ["429_rate_limit_minutes", "429_quota_exhausted_hours", "429"])
async def test_a_429_says_nothing_about_the_account(site: Site, error: str) -> None:
    adapter = await site.open(pool=health("models", interval=10))
    site.fake.fail(error, method="fetchAvailableModels", times=9)
    await passes(site, 2)
    (account,) = adapter.credentials
    assert (account.state, account.cooling) == ("active", {})
    assert account.row.last_error.startswith("models: ")


@pytest.mark.parametrize("error", ["401_unauthenticated", "403", "403_tos_disabled", "403_permission_denied_license"])
async def test_no_answer_to_a_question_disables_an_account(site: Site, error: str) -> None:
    adapter = await site.open(pool=health("models", interval=2))
    site.fake.fail(error, method="fetchAvailableModels", times=99)
    await passes(site, 20)
    assert adapter.credentials[0].state == "suspected"


async def test_a_refused_token_is_refreshed_for_a_question(site: Site) -> None:
    adapter = await site.open(pool=health("userinfo", interval=2))
    await passes(site, 2)
    site.fake.oauth.expire()
    await passes(site, 10)
    assert adapter.credentials[0].state == "active"
    assert len(site.fake.calls("token")) == 2


async def test_a_login_that_is_void_is_found_by_the_refresh(site: Site) -> None:
    site.fake.oauth.fail("invalid_grant")
    adapter = await site.open(pool=health("models", interval=2))
    await passes(site, 20)
    assert adapter.credentials[0].state == "disabled"
    assert len(site.fake.calls("token")) == 1


async def test_an_account_is_asked_for_its_project_until_its_owner_has_verified_it(site: Site) -> None:
    google = site.fake.oauth.accounts["rt-1"]
    google.state = "validation_required"
    adapter = await site.open(pool=health("models", "project", interval=4))
    await passes(site, 120)
    (account,) = adapter.credentials
    assert (account.state, account.link) == (
        "needs_verification",
        "https://accounts.example.invalid/signin/continue?fake=1",
    )
    before = len(asked(site))
    await passes(site, 20)
    assert {kind for kind, _ in asked(site)[before:]} == {"loadCodeAssist"}
    google.state = "onboarded"
    before = len(asked(site))
    while len(asked(site)) == before:
        await passes(site, 1)
    assert (account.state, account.link) == ("suspected", "")
    assert await site.ask() == "hi"
    assert account.state == "active"


async def test_an_account_that_is_refused_until_it_is_verified_is_left_alone(site: Site) -> None:
    """No answer besides says anything of it, so that none would keep requests from being refused again."""
    adapter = await site.open(pool=health("models", "project", interval=4))
    await passes(site, 2)
    site.fail("403_validation_required")
    with pytest.raises(NoCredential):
        await site.ask()
    before = len(site.fake.requests)
    await passes(site, 60)
    with pytest.raises(NoCredential):
        await site.ask()
    assert len(site.fake.requests) == before
    assert adapter.views()[0].link == "https://accounts.example.invalid/signin/continue?fake=1"


async def test_the_project_of_an_account_is_learnt(site: Site) -> None:
    adapter = await site.open(pool=health("project"))
    await passes(site, 2)
    account = adapter.credentials[0]
    assert (account.project, account.project_source) == ("fake-project-000", "discovered")
    await site.ask()
    assert len(site.fake.calls("loadCodeAssist")) == 1


async def test_the_e_mail_of_an_account_is_learnt(site: Site) -> None:
    adapter = await site.open(pool=health("userinfo"))
    await passes(site, 2)
    assert adapter.credentials[0].email == "user1@example.invalid"


async def test_the_other_client_asks_what_is_left_for_a_project(site: Site) -> None:
    site.fake.oauth.accounts["rt-1"].quotas = {"gemini-2.5-pro": None}
    adapter = await site.open(envelope="gemini-cli", pool=health("models", interval=5))
    await passes(site, 15)
    assert asked(site)[:2] == [("loadCodeAssist", "rt-1"), ("retrieveUserQuota", "rt-1")]
    assert site.fake.calls("retrieveUserQuota")[0].body == {"project": "fake-project-000"}
    assert adapter.credentials[0].row.quota["gemini-2.5-pro"].remaining == 0


async def test_the_model_list_says_what_is_left_too(site: Site) -> None:
    site.fake.oauth.accounts["rt-1"].quotas = {MODEL: 0.5}
    adapter = await site.open(models=[])
    assert await adapter.listed() == ""
    assert adapter.credentials[0].row.quota[MODEL].remaining == 0.5


# an operator's check


async def test_a_check_asks_everything_now(site: Site) -> None:
    adapter = await site.open()
    view = await adapter.check(adapter.credentials[0].id)
    assert {kind for kind, _ in asked(site)} == {"fetchAvailableModels", "userinfo", "loadCodeAssist"}
    assert (view.account, view.project, view.state) == ("user1@example.invalid", "fake-project-000", "active")
    assert view.quota[MODEL][0] == 1.0


async def test_a_check_asks_what_is_left_of_the_weekly_quotas(site: Site) -> None:
    """They are told in this answer alone: router-for-me/CLIProxyAPI#3876."""
    adapter = await site.open()
    view = await adapter.check(adapter.credentials[0].id)
    assert site.fake.calls("retrieveUserQuotaSummary")[0].body == {"project": "fake-project-000"}
    assert {name for name in view.groups if name.endswith("weekly")} == {
        "Gemini Models, weekly",
        "Claude and GPT models, weekly",
    }
    assert view.quota.keys().isdisjoint(view.groups)


async def test_an_account_that_is_told_of_no_weekly_quota_is_well(site: Site) -> None:
    site.fake.fail("403_permission_denied_license", method="retrieveUserQuotaSummary", times=9)
    adapter = await site.open()
    view = await adapter.check(adapter.credentials[0].id)
    assert (view.state, view.groups, view.last_error, view.quota[MODEL][0]) == ("active", {}, None, 1.0)


async def test_a_check_of_one_that_is_out_of_use_leaves_it_so(site: Site) -> None:
    adapter = await site.open()
    (account,) = adapter.credentials
    await adapter.disable(account.id, "spare")
    view = await adapter.check(account.id)
    assert (view.state, view.reason, view.quota[MODEL][0]) == ("disabled", "spare", 1.0)


async def test_a_check_finds_out_that_the_owner_has_verified_the_account(site: Site) -> None:
    google = site.fake.oauth.accounts["rt-1"]
    google.state = "validation_required"
    adapter = await site.open()
    id_ = adapter.credentials[0].id
    assert (await adapter.check(id_)).state == "needs_verification"
    assert (await adapter.check(id_)).state == "needs_verification"
    google.state = "onboarded"
    assert (await adapter.check(id_)).state == "active"


async def test_a_check_that_fails_says_why(site: Site) -> None:
    adapter = await site.open()
    site.fake.fail("500_internal", method="userinfo")
    view = await adapter.check(adapter.credentials[0].id)
    assert view.state == "suspected"
    assert view.last_error is not None
    assert view.last_error.startswith("userinfo: ")


async def test_a_check_without_a_token_says_why(site: Site) -> None:
    site.fake.oauth.clients = {"another": "secret"}
    adapter = await site.open()
    view = await adapter.check(adapter.credentials[0].id)
    assert view.last_error is not None
    assert view.last_error.startswith("invalid_client: ")
    assert asked(site) == []


# API keys


@pytest.fixture
async def keys(fake_gemini: FakeGemini, tmp_path: Path) -> AsyncIterator[GeminiSite]:
    made = GeminiSite(fake_gemini, tmp_path / "keys")
    yield made
    await made.close()


async def test_a_lone_api_key_is_only_looked_at_when_asked(keys: GeminiSite) -> None:
    adapter = await keys.open("key-1", pool=health(interval=5))
    assert keys.clock.tending == 0
    view = await adapter.check(adapter.credentials[0].id)
    assert (view.state, view.last_error, len(keys.fake.requests)) == ("active", None, 1)


async def test_a_refused_key_is_suspected_and_not_disabled_by_a_check(keys: GeminiSite) -> None:
    adapter = await keys.open("unknown-key")
    view = await adapter.check(adapter.credentials[0].id)
    assert view.state == "suspected"


# tokens


async def test_a_token_is_refreshed_before_its_end_although_nobody_asks(site: Site) -> None:
    await site.open(pool=health(interval=0) | {"refresh_before": 300})
    await site.ask()
    await passes(site, 3599 - 301, 10, loops=1)
    assert len(site.fake.calls("token")) == 1
    await passes(site, 40, 10, loops=1)
    await site.fake.wait_for("token", 2)


async def test_two_idle_processes_refresh_once(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    pair = [Site(fake_v1internal, tmp_path / "data") for _ in range(2)]
    for site in pair:
        await site.open()
        await site.ask()
    for _ in range(360):
        for site in pair:
            await site.clock.advance(10)
            await both_rest(pair)
    for site in pair:
        await site.close()
    assert len(fake_v1internal.calls("token")) == 2


async def test_a_token_that_could_not_be_had_is_fetched_after_the_pause(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    site.level = "warning"
    adapter = await site.open()
    site.fake.oauth.fail(503, times=3)
    view = await adapter.check(adapter.credentials[0].id)
    assert view.last_error == "the token endpoint responded with 503"
    await passes(site, 20, loops=1)
    assert len(site.fake.calls("token")) == 4
    assert adapter.credentials[0].trouble == ""
    assert capfd.readouterr().err.count("no access token") == 1


async def test_a_request_that_gets_no_token_is_told_of_at_once(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    site.level = "warning"
    await site.open()
    site.fake.oauth.fail("invalid_client", times=9)
    for _ in range(3):
        with pytest.raises(GatewayError, match="invalid_client"):
            await site.ask()
    assert capfd.readouterr().err.count("no access token") == 1


async def test_an_account_that_nobody_uses_gets_no_token(site: Site) -> None:
    await site.open()
    await passes(site, 7200, 60, loops=1)
    assert site.fake.requests == []
