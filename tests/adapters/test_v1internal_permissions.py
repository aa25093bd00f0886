"""What a 401 or 403 does to a credential."""

import json

import pytest

from gateway.adapters.v1internal import V1Internal
from gateway.errors import (
    NoCredential,
    UpstreamCredential,
)
from gateway.store.known import Change
from tests.adapters.site import Site

pytestmark = pytest.mark.anyio

VERIFY = "https://accounts.example.invalid/signin/continue?fake=1"
THREE = ("rt-1", "rt-2", "rt-3")


async def test_a_refused_token_is_refreshed_once_although_it_has_not_ended(site: Site) -> None:
    await site.open()
    await site.ask()
    site.fake.oauth.expire("rt-1")
    assert await site.ask(attempts=1) == "hi"
    assert len(site.fake.calls("token")) == 2


@pytest.mark.parametrize("error", ["401_unauthenticated", "403"])
async def test_a_token_refused_after_a_refresh_disables_the_credential(site: Site, error: str) -> None:
    adapter = await site.open("rt-1", "rt-2")
    site.fail(error, times=2, token="rt-1")
    assert await site.ask() == "hi"
    assert [token for _, token, _ in site.seen()] == ["rt-1", "rt-1", "rt-2"]
    assert adapter.state() == "usable: 1 of 2 credentials; 1 disabled"
    for _ in range(4):
        await site.ask()
    assert {token for _, token, _ in site.seen()[3:]} == {"rt-2"}


async def test_our_credential_is_never_the_callers_401(site: Site) -> None:
    adapter = await site.open()
    site.fail("401_unauthenticated", times=99)
    with pytest.raises(NoCredential) as caught:
        await site.ask()
    assert caught.value.status == 503
    assert adapter.state() == "no credential: 1 disabled: 401 after a refresh"
    assert not adapter.usable


@pytest.mark.parametrize("error", ["403_tos_disabled", "403_permission_denied_license"])
async def test_an_account_refused_for_good_is_disabled_after_a_refresh(site: Site, error: str) -> None:
    adapter = await site.open("rt-1", "rt-2")
    site.fail(error, times=2)
    assert await site.ask() == "hi"
    assert site.seen() == [("a", "rt-1", 403), ("a", "rt-1", 403), ("a", "rt-2", 200)]
    assert len(site.fake.calls("token")) == 3
    assert adapter.state() == "usable: 1 of 2 credentials; 1 disabled"


async def test_no_login_is_advised_for_an_account_that_is_banned(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    site.level = "warning"
    adapter = await site.open("rt-1", "rt-2")
    site.fail("403_tos_disabled", times=2)
    await site.ask()
    (line,) = [json.loads(line) for line in capfd.readouterr().err.splitlines() if "a credential is disabled" in line]
    label = adapter.credentials[0].label
    assert line["hint"] == f"once the cause is gone: gateway credentials enable {label}"


async def test_an_account_to_be_verified_is_left_until_its_owner_has_acted(site: Site) -> None:
    adapter = await site.open("rt-1", "rt-2")
    site.fail("403_validation_required")
    for _ in range(4):
        assert await site.ask() == "hi"
    assert [token for _, token, _ in site.seen()] == ["rt-1", "rt-2", "rt-2", "rt-2", "rt-2"]
    first = adapter.credentials[0]
    assert (first.state, first.link) == ("needs_verification", VERIFY)


async def test_an_account_that_is_refused_until_it_is_verified_is_lifted_by_its_operator_only(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the upstream says of the account is as it always was."""
    site.level = "warning"
    adapter = await site.open()
    (account,) = adapter.credentials
    site.fail("403_validation_required")
    with pytest.raises(NoCredential):
        await site.ask()
    view = await adapter.check(account.id)
    assert (view.state, view.link) == ("needs_verification", VERIFY)
    assert view.reason.startswith("the account must be verified: the upstream rejects the gateway's credential: ")
    hint = f"once its owner has verified it: gateway credentials enable {account.label}"
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["hint"] for line in lines if line["event"] == "a credential must be verified by its owner"] == [hint]
    await adapter.enable(account.id)
    assert await site.ask() == "hi"


async def test_an_answer_that_had_begun_lifts_no_verification(site: Site) -> None:
    adapter = await site.open()
    begun = await site.begin()
    site.fail("403_validation_required")
    with pytest.raises(NoCredential):
        await site.ask()
    begun.journey.done(None)
    assert adapter.credentials[0].state == "needs_verification"


async def test_a_disabled_service_is_answered_by_finding_the_project_again(site: Site) -> None:
    await site.open(pool={"project_ids": {"user1@example.invalid": "wrong"}})
    site.fail("403_service_disabled")
    assert await site.ask(attempts=1) == "hi"
    assert [call.body["project"] for call in site.fake.calls()] == ["wrong", "fake-project-000"]


@pytest.mark.parametrize("error", ["403_tos_disabled", "403_permission_denied_license", "403_service_disabled"])
async def test_a_refusal_that_a_new_token_mends_disables_nobody(site: Site, error: str) -> None:
    adapter = await site.open()
    site.fail(error)
    assert await site.ask() == "hi"
    assert adapter.states()["active"] == 1


@pytest.mark.parametrize("fallback", ["discover", "random"])
async def test_a_project_to_be_billed_for_which_the_service_is_disabled_is_named_no_more(
    site: Site, capfd: pytest.CaptureFixture[str], fallback: str
) -> None:
    site.level = "warning"
    adapter = await site.open(headers={"X-Goog-User-Project": "mine"}, pool={"project_fallback": fallback})
    assert await site.ask(attempts=1) == "hi"
    assert await site.ask(attempts=1) == "hi"
    assert len(site.fake.calls("token")) == 1
    assert adapter.states()["active"] == 1
    assert capfd.readouterr().err.count("a header is left out from now on") == 1


async def test_a_service_that_stays_disabled_with_another_project_and_token_disables_the_credential(
    site: Site,
) -> None:
    adapter = await site.open()
    site.fail("403_service_disabled", times=9)
    with pytest.raises(NoCredential, match="1 credential: 1 disabled"):
        await site.ask()
    assert len(site.seen()) == 3
    assert adapter.credentials[0].reason.startswith("API not enabled in its project")


UNPERMITTED = ("403_iam_permission_denied", "403_subscription_required", "403_consumer_invalid")


async def remember(site: Site, project: str, **pool: str) -> V1Internal:
    """Open an account whose project was found before."""
    adapter = await site.open(pool=pool)
    (account,) = adapter.credentials
    account.learn(Change(id=account.id, project=(project, "discovered")))
    return adapter


async def test_a_project_that_is_another_account_s_is_found_again(site: Site) -> None:
    site.fake.own_projects = True
    adapter = await remember(site, "somebody-elses")
    assert await site.ask(attempts=1) == "hi"
    assert [call.body["project"] for call in site.fake.calls()] == ["somebody-elses", "fake-project-000"]
    assert len(site.fake.calls("token")) == 1
    assert adapter.states()["active"] == 1


@pytest.mark.parametrize("error", [*UNPERMITTED, "400_invalid_project"])
async def test_a_remembered_project_that_is_refused_is_found_again(site: Site, error: str) -> None:
    adapter = await remember(site, "old-project")
    site.fail(error)
    assert await site.ask(attempts=1) == "hi"
    assert [call.body["project"] for call in site.fake.calls()] == ["old-project", "fake-project-000"]
    assert adapter.states()["active"] == 1


@pytest.mark.parametrize("error", UNPERMITTED)
async def test_an_account_that_may_not_use_the_project_found_anew_is_disabled(site: Site, error: str) -> None:
    adapter = await remember(site, "old-project")
    site.fail(error, times=9)
    with pytest.raises(NoCredential, match="1 credential: 1 disabled"):
        await site.ask()
    assert len(site.seen()) == 2
    assert len(site.fake.calls("loadCodeAssist")) == 1
    assert adapter.credentials[0].reason.startswith("the account may not use its project: ")


@pytest.mark.parametrize("error", UNPERMITTED)
async def test_a_project_that_is_configured_stays_the_operators(site: Site, error: str) -> None:
    adapter = await site.open(pool={"project_ids": {"user1@example.invalid": "the-companys"}})
    site.fail(error, times=9)
    with pytest.raises(NoCredential):
        await site.ask()
    assert [call.body["project"] for call in site.fake.calls()] == ["the-companys"]
    assert site.fake.calls("loadCodeAssist") == []
    (account,) = adapter.credentials
    assert account.project == "the-companys"
    assert account.reason.startswith(
        "the account may not use its project: it is configured, so no other one is looked for: "
    )


async def test_no_other_project_is_looked_for_where_none_may_be(site: Site) -> None:
    adapter = await remember(site, "imported", project_fallback="fail")
    site.fail("403_iam_permission_denied", times=9)
    with pytest.raises(NoCredential):
        await site.ask()
    assert site.fake.calls("loadCodeAssist") == []
    (account,) = adapter.credentials
    assert account.project == "imported"
    assert 'project_fallback = "fail", so no other one is looked for' in account.reason


async def test_random_makes_up_a_project_where_the_account_may_not_use_the_services_own(site: Site) -> None:
    await site.open(pool={"project_fallback": "random"})
    site.fake.fail("403_subscription_required", method="loadCodeAssist")
    assert await site.ask(attempts=1) == "hi"
    assert site.fake.calls()[-1].body["project"].startswith("gateway-")


async def test_an_unknown_project_is_found_again(site: Site) -> None:
    site.fake.projects = {"fake-project-000"}
    await site.open(pool={"project_ids": {"user1@example.invalid": "wrong"}})
    assert await site.ask(attempts=1) == "hi"
    assert [call.body["project"] for call in site.fake.calls()] == ["wrong", "fake-project-000"]


async def test_a_project_that_stays_unknown_is_not_the_callers_404(site: Site) -> None:
    site.fake.projects = set()
    await site.open()
    with pytest.raises(UpstreamCredential) as caught:
        await site.ask()
    assert caught.value.status == 502
    assert "fake-project-000" not in caught.value.message


async def test_what_is_told_counts_the_credentials_that_were_asked(site: Site) -> None:
    site.fake.projects = set()
    adapter = await site.open(*THREE)
    with pytest.raises(NoCredential, match="^none of 2 credentials may do this: the upstream does not know"):
        await site.ask()
    told = [view.last_error or "" for view in adapter.views()]
    assert ["does not know the credential's project" in error for error in told] == [True, True, False]
