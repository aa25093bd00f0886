"""What follows when the owner of a Google account has agreed to log it in."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest

from gateway.adapters.credential import credential_id
from gateway.adapters.v1internal import V1Internal
from gateway.adapters.v1internal_control import Tell
from gateway.redact import Secret
from gateway.redirect import code_of
from gateway.store.credentials import CredentialStore
from gateway.store.known import StoredCredential
from gateway.upstream import CredentialView, LoggingIn, LoginFailed
from tests.adapters.site import Site
from tests.fakes.google_browser import press

pytestmark = pytest.mark.anyio

REDIRECT = "http://127.0.0.1:51999/oauth2/callback"
PERSON = "new@example.invalid"
FIRST = "1//rt-login-1"


class Desk:
    """Where people log in; `told` is what they hear."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.fake = site.fake
        self.told: list[str] = []
        self.fake.oauth.register("client", "secret", REDIRECT)
        self.person = self.fake.oauth.add_person(PERSON)

    async def open(self, *tokens: str, pool: Mapping[str, Any] | None = None, **upstream: Any) -> V1Internal:
        """Start an upstream that has these refresh tokens."""
        oauth = {"authorize_url": self.fake.authorize_url, **upstream.pop("oauth", {})}
        loaded = self.site.loaded(*tokens, pool=pool, oauth=oauth, **upstream)
        await self.site.stop()
        self.site.adapter = V1Internal("google", loaded, self.site.clock)
        await self.site.adapter.start(self.site.transport)
        return self.site.adapter

    async def log_in(self, email: str = PERSON, tell: Tell | None = None) -> CredentialView:
        """Agree, and come back with the code."""
        adapter = self.site.adapter
        assert adapter is not None
        consent = adapter.consent(REDIRECT)
        back = await anyio.to_thread.run_sync(press, consent.url, email)
        return await adapter.log_in(consent, code_of(consent, urlsplit(back).query), tell or self.tell)

    async def tell(self, step: str) -> None:
        self.told.append(step)

    def rows(self) -> dict[str, StoredCredential]:
        """Read the store, as another process sees it."""
        store = CredentialStore(self.site.folder / "gateway.db", read_only=True)
        store.open()
        try:
            return {id_: row for id_, row in store.load("google").items() if not row.removed}
        finally:
            store.close()


@pytest.fixture
def desk(site: Site) -> Desk:
    """Give a place where people log in."""
    return Desk(site)


async def test_people_can_log_in_to_it(desk: Desk) -> None:
    assert isinstance(await desk.open(), LoggingIn)


@pytest.mark.parametrize("oauth", [{"client_id": ""}, {"client_secret": ""}])
async def test_without_an_oauth_client_nobody_can(desk: Desk, oauth: dict[str, str]) -> None:
    adapter = await desk.open(oauth=oauth)
    with pytest.raises(ValueError, match=r"no OAuth client: .* set upstream\.google\.oauth"):
        adapter.consent(REDIRECT)


async def test_a_login_makes_an_account_with_its_project_and_its_quota(desk: Desk) -> None:
    await desk.open()
    view = await desk.log_in()
    assert (view.account, view.source, view.state, view.enabled) == (PERSON, "login", "active", True)
    assert (view.project, view.project_source) == ("fake-project-000", "discovered")
    assert view.quota["gemini-3-flash"][0] == 1
    assert view.token_expires_at is not None
    assert desk.told == [
        f"{PERSON} is new here: credential {view.id[:8]}",
        "looking for its project",
        "its project is fake-project-000 (discovered)",
        "asking for its models and their quotas",
        "2 models are there",
    ]


async def test_it_serves_at_once(desk: Desk) -> None:
    await desk.open()
    await desk.log_in()
    assert await desk.site.ask() == "hi"
    assert desk.fake.calls()[-1].credential == FIRST


async def test_it_is_written_down_before_anything_else_is_asked(desk: Desk) -> None:
    await desk.open()
    seen: list[StoredCredential] = []

    async def look(_: str) -> None:
        if not seen:
            seen.extend(desk.rows().values())
            assert desk.fake.calls("loadCodeAssist") == []

    await desk.log_in(tell=look)
    assert [(row.id, row.refresh_token, row.email) for row in seen] == [(credential_id(Secret(FIRST)), FIRST, PERSON)]


async def test_a_restart_knows_it(desk: Desk) -> None:
    await desk.open()
    await desk.log_in()
    adapter = await desk.open()
    assert [(view.account, view.source) for view in adapter.views()] == [(PERSON, "login")]
    assert await desk.site.ask() == "hi"


async def test_its_list_of_models_is_taken(desk: Desk) -> None:
    desk.fake.models = {"gemini-3-flash": 0.5, "claude-sonnet-4-6": 1.0}
    adapter = await desk.open(models=[])
    await desk.log_in()
    assert list(adapter.models()) == ["gemini-3-flash", "claude-sonnet-4-6"]
    assert adapter.credentials[0].row.quota["gemini-3-flash"].remaining == 0.5
    assert desk.told[-1] == "2 models are there"


async def test_the_other_client_s_backend_is_asked_for_quotas_only(desk: Desk) -> None:
    await desk.open(envelope="gemini-cli")
    view = await desk.log_in()
    assert desk.fake.calls("fetchAvailableModels") == []
    assert view.quota["gemini-2.5-pro"][0] == 1


async def test_each_look_at_an_onboarding_is_told(desk: Desk) -> None:
    desk.person.state, desk.person.polls = "not_onboarded", 3
    await desk.open()
    logging_in = asyncio.create_task(desk.log_in())
    while not logging_in.done():
        await asyncio.sleep(0.001)
        await desk.site.clock.advance(1)
    assert (await logging_in).project_source == "onboarded"
    assert [step for step in desk.told if "(attempt " in step] == [
        f"waiting for the service to set it up (attempt {number} of at most 10)" for number in (1, 2, 3)
    ]


async def test_a_known_account_keeps_everything_but_its_login(desk: Desk) -> None:
    adapter = await desk.open()
    first = await desk.log_in()
    await desk.site.ask()
    await adapter.disable(first.id, "on holiday")
    again = await desk.log_in()
    assert (again.id, again.state, again.reason, again.uses) == (first.id, "active", "", 1)
    assert [row.refresh_token for row in desk.rows().values()] == ["1//rt-login-2"]
    assert f"{PERSON} was already here, and has its new login: credential {first.id[:8]}" in desk.told


async def test_the_next_call_is_made_with_the_new_login(desk: Desk) -> None:
    await desk.open()
    await desk.log_in()
    desk.fake.oauth.revoke(PERSON)
    await desk.log_in()
    assert await desk.site.ask() == "hi"
    assert desk.fake.calls()[-1].credential == "1//rt-login-2"


async def test_what_an_import_brought_along_stays(desk: Desk) -> None:
    store = CredentialStore(desk.site.folder / "gateway.db")
    store.open()
    old = StoredCredential(
        id="old",
        source="import",
        email="New@Example.invalid",
        refresh_token="void",
        project_id="mine",
        project_source="import",
        other='{"note": 1}',
    )
    store.add("google", old)
    store.close()
    await desk.open()
    view = await desk.log_in()
    assert (view.id, view.source, view.project) == ("old", "import", "mine")
    assert desk.rows()["old"].other == '{"note": 1}'
    assert desk.fake.calls("loadCodeAssist") == []


async def test_an_account_of_gateway_toml_gets_the_new_login(desk: Desk) -> None:
    adapter = await desk.open("rt-1", pool={"project_ids": {"user1@example.invalid": "mine"}})
    await desk.site.ask()  # so that its e-mail is known
    desk.fake.oauth.revoke("rt-1")
    view = await desk.log_in("user1@example.invalid")
    assert [one.id for one in adapter.views()] == [view.id]
    assert (view.source, view.state, view.project) == ("config", "active", "mine")
    await desk.open("rt-1", pool={"project_ids": {"user1@example.invalid": "mine"}})
    assert await desk.site.ask() == "hi"
    assert desk.fake.calls()[-1].credential == FIRST


async def test_an_account_is_known_by_its_refresh_token_whatever_its_e_mail(desk: Desk) -> None:
    adapter = await desk.open()
    await desk.log_in()
    desk.person.email = "renamed@example.invalid"
    desk.fake.oauth.logins = 0  # the same token again
    await desk.log_in("renamed@example.invalid")
    assert [view.account for view in adapter.views()] == ["renamed@example.invalid"]


async def test_an_account_that_was_removed_comes_back(desk: Desk) -> None:
    adapter = await desk.open()
    first = await desk.log_in()
    await adapter.remove(first.id)
    assert desk.rows() == {}
    desk.fake.oauth.logins = 0  # the same token again
    assert (await desk.log_in()).id == first.id
    assert await desk.site.ask() == "hi"


async def test_two_people_have_two_accounts(desk: Desk) -> None:
    adapter = await desk.open()
    await desk.log_in()
    await desk.log_in("user2@example.invalid")
    assert [view.account for view in adapter.views()] == [PERSON, "user2@example.invalid"]


async def test_another_process_takes_it_up(desk: Desk) -> None:
    adapter = await desk.open()
    other = V1Internal("google", desk.site.loaded(), desk.site.clock)
    await other.start(desk.site.transport)
    try:
        await desk.log_in()
        assert [view.account for view in other.views()] == [PERSON]
        assert (other.usable, adapter.usable) == (True, True)
    finally:
        await other.stop()


async def test_an_e_mail_that_cannot_be_asked_for_is_told(desk: Desk) -> None:
    await desk.open()
    desk.fake.fail("500_internal", method="userinfo")
    view = await desk.log_in()
    assert (view.account, view.state) == (None, "active")
    assert desk.told[0].startswith("its e-mail address is unknown: ")


async def test_steps_that_fail_are_told_and_the_account_stays(desk: Desk) -> None:
    await desk.open()
    for method in ("loadCodeAssist", "fetchAvailableModels"):
        desk.fake.fail("500_internal", method=method, times=2)  # once for each base
    view = await desk.log_in()
    assert (view.state, view.project) == ("active", None)
    failed = [step for step in desk.told if step.startswith("no ")]
    assert [step.partition(":")[0] for step in failed] == ["no project yet", "no response about its models yet"]
    assert list(desk.rows()) == [view.id]


async def test_an_account_that_must_be_verified_stays_with_its_link(desk: Desk) -> None:
    desk.person.state = "validation_required"
    await desk.open()
    view = await desk.log_in()
    link = "https://accounts.example.invalid/signin/continue?fake=1"
    assert (view.state, view.link) == ("needs_verification", link)
    assert desk.told[-1] == f"its owner must verify the account first: {link}"
    assert desk.fake.calls("fetchAvailableModels") == []


@pytest.mark.parametrize(("method", "asked"), [("loadCodeAssist", []), ("fetchAvailableModels", ["asking"])])
async def test_an_account_that_google_has_suspended_is_disabled_at_once(
    desk: Desk, method: str, asked: list[str]
) -> None:
    """It was called active, and the first request that got it found out."""
    await desk.open()
    desk.fake.fail("403_tos_disabled", method=method, times=math.inf)
    view = await desk.log_in()
    assert (view.state, view.reason.partition(":")[0]) == ("disabled", "refused for good")
    assert "violation of Terms of Service" in view.reason
    assert desk.told[-1].startswith("the account cannot be used: ")
    assert [step.split()[0] for step in desk.told if step.startswith("asking for its models")] == asked


async def test_an_account_that_can_have_no_project_says_what_to_set(desk: Desk) -> None:
    await desk.open(pool={"project_fallback": "fail"})
    await desk.log_in()
    assert "no project yet: a credential has no project: set pool.project_ids" in desk.told


async def test_a_project_by_e_mail_is_taken(desk: Desk) -> None:
    await desk.open(pool={"project_ids": {PERSON: "mine"}})
    view = await desk.log_in()
    assert (view.project, view.project_source) == ("mine", "config")
    assert desk.fake.calls("loadCodeAssist") == []


async def test_who_leaves_in_the_middle_leaves_the_account(desk: Desk) -> None:
    await desk.open()
    waits = asyncio.Event()

    async def leave(step: str) -> None:
        if step == "looking for its project":
            waits.set()
            await asyncio.Event().wait()

    logging_in = asyncio.create_task(desk.log_in(tell=leave))
    await waits.wait()
    logging_in.cancel()
    await asyncio.gather(logging_in, return_exceptions=True)
    assert [row.email for row in desk.rows().values()] == [PERSON]
    assert await desk.site.ask() == "hi"


async def test_an_account_that_cannot_be_written_down_is_not_used(desk: Desk) -> None:
    desk.site.folder.write_text("no folder")
    adapter = await desk.open()
    with pytest.raises(LoginFailed, match="the account cannot be saved, so it is not used"):
        await desk.log_in()
    assert adapter.views() == []


async def test_no_secret_is_logged(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.site.level = "debug"
    await desk.open()
    await desk.log_in()
    said = "".join(capsys.readouterr())
    sent = desk.fake.calls("token")[0].body
    secrets = [sent["code"], sent["code_verifier"], *desk.fake.oauth.tokens, *desk.fake.oauth.accounts]
    assert "an account has logged in" in said
    assert [secret for secret in secrets if secret in said] == []
