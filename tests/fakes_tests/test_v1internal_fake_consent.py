"""The consent pages: what is refused without a redirect, and what the owner's decision leads to."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from anyio import to_thread

from tests.fakes.google_browser import Refused, press
from tests.fakes.v1internal_accounts import OAuthClient
from tests.fakes_tests.google_login import REDIRECT, USER, back, login, page
from tests.fakes_tests.v1internal_bodies import Client


async def error(client: Client, **changes: str | None) -> tuple[int, str]:
    """Ask wrongly; give the status of the page, and its words. There is no redirect."""
    async with client.session.get(page(client, **changes), allow_redirects=False) as response:
        assert "location" not in response.headers
        return response.status, await response.text()


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"client_id": None}, 400, "Missing required parameter: client_id"),
        ({"client_id": "unknown"}, 401, "Error 401: invalid_client"),
        ({"redirect_uri": None}, 400, "Missing required parameter: redirect_uri"),
        ({"redirect_uri": f"{REDIRECT}/"}, 400, "Error 400: redirect_uri_mismatch"),
        ({"redirect_uri": f"{REDIRECT}?x=1"}, 400, "Error 400: redirect_uri_mismatch"),
        ({"redirect_uri": "http://127.0.0.1:1/back"}, 400, "Error 400: redirect_uri_mismatch"),
        ({"response_type": None}, 400, "Required parameter is missing: response_type"),
        ({"response_type": "token"}, 400, "Error 400: unsupported_response_type"),
        ({"scope": None}, 400, "Missing required parameter: scope"),
        ({"scope": "openid all"}, 400, "Error 400: invalid_scope"),
        ({"code_challenge_method": "plain"}, 400, "code_challenge_method: plain"),
        ({"code_challenge_method": None}, 400, "code_challenge_method: plain"),
        ({"code_challenge": None}, 400, "value for code_challenge"),
        ({"code_challenge": "short"}, 400, "value for code_challenge"),
        ({"access_type": "ever"}, 400, "access_type: ever"),
        ({"prompt": "consent maybe"}, 400, "Invalid prompt: consent maybe"),
        ({"client_secret": "s"}, 400, "not allowed for this message type: client_secret"),
        ({"code_verifier": "v"}, 400, "not allowed for this message type: code_verifier"),
    ],
)
async def test_a_wrong_request_is_an_error_page(
    client: Client, changes: dict[str, str | None], status: int, words: str
) -> None:
    given, text = await error(client, **changes)
    assert (given, words in text) == (status, True)


async def test_a_parameter_has_one_value(client: Client) -> None:
    async with client.session.get(f"{page(client)}&{urlencode({'state': 's-2'})}") as response:
        assert (response.status, "can only have a single value: state" in await response.text()) == (400, True)


async def test_an_error_page_shows_what_was_sent_as_text(client: Client) -> None:
    _, text = await error(client, redirect_uri="http://x/<script>")
    assert "&lt;script&gt;" in text
    assert "<script>" not in text


async def test_a_desktop_client_may_come_from_any_port_of_loopback(client: Client) -> None:
    client.fake.oauth.register("desktop", "s", desktop=True)
    for redirect in ("http://127.0.0.1:49152/oauth2callback", "http://localhost:1/x", "http://[::1]:9/"):
        assert "code" in await back(client, client_id="desktop", redirect_uri=redirect)


@pytest.mark.parametrize("redirect", ["http://10.0.0.1/x", "https://gateway.example/x", "http://127.0.0.1.example/x"])
async def test_a_desktop_client_comes_from_nowhere_else(client: Client, redirect: str) -> None:
    client.fake.oauth.register("desktop", "s", desktop=True)
    status, text = await error(client, client_id="desktop", redirect_uri=redirect)
    assert (status, "redirect_uri_mismatch" in text) == (400, True)


@pytest.mark.parametrize("redirect", ["http://gateway.example/back", "https://gateway.example/#back"])
def test_such_a_redirect_cannot_be_registered(redirect: str) -> None:
    with pytest.raises(ValueError, match="Invalid Redirect"):
        OAuthClient("i", "s", frozenset({redirect}))


async def test_allow_sends_back_code_state_and_scope(client: Client) -> None:
    answer = await back(client)
    assert answer["code"].startswith("4/")
    assert (answer["state"], "openid" in answer["scope"].split()) == ("s-1", True)


async def test_deny_sends_back_an_error_and_the_state(client: Client) -> None:
    assert await back(client, decision="deny") == {"error": "access_denied", "state": "s-1"}


async def test_a_redirect_keeps_the_parameters_it_had(client: Client) -> None:
    client.fake.oauth.register("asks", "s", f"{REDIRECT}?of=ours")
    answer = await back(client, client_id="asks", redirect_uri=f"{REDIRECT}?of=ours")
    assert answer.keys() >= {"of", "code", "state"}


async def test_the_issuer_stands_in_the_redirect_where_it_is_set(client: Client) -> None:
    client.fake.consent.issuer = "https://accounts.google.com"
    assert (await back(client))["iss"] == "https://accounts.google.com"


async def test_an_account_that_has_consented_is_asked_again_only_with_prompt_consent(client: Client) -> None:
    await login(client)
    with pytest.raises(LookupError, match="decision=maybe"):
        await back(client, decision="maybe")  # a page of two buttons, neither of which this is
    assert "code" in await back(client, decision="maybe", prompt=None)


async def test_more_scopes_than_before_are_asked_for(client: Client) -> None:
    await login(client, scope="openid")
    with pytest.raises(LookupError, match="decision=maybe"):
        await back(client, decision="maybe", prompt=None)


async def test_an_account_that_is_not_known_is_not_found(client: Client) -> None:
    with pytest.raises(LookupError, match="account=nobody"):
        await back(client, "nobody")
    typed = {"request": next(iter(client.fake.consent.pending)), "account": "nobody"}
    async with client.session.post(f"{client.fake.url}/signin/oauth/chooser", data=typed) as response:
        assert "Couldn&#x27;t find your Google Account" in await response.text()


async def test_login_hint_skips_the_choice(client: Client) -> None:
    async with client.session.get(page(client, login_hint=USER)) as response:
        text = await response.text()
    assert ("wants access to your Google Account" in text, "Choose an account" in text) == (True, False)


@pytest.mark.parametrize("form", [{}, {"request": "gone"}])
@pytest.mark.parametrize("form_page", ["chooser", "consent"])
async def test_a_form_belongs_to_a_request(client: Client, form_page: str, form: dict[str, str]) -> None:
    async with client.session.post(f"{client.fake.url}/signin/oauth/{form_page}", data=form) as response:
        assert (response.status, "This request has ended" in await response.text()) == (400, True)


async def test_nothing_is_decided_before_an_account_is_chosen(client: Client) -> None:
    async with client.session.get(page(client)):
        number = next(iter(client.fake.consent.pending))
    decided = {"request": number, "decision": "allow"}
    async with client.session.post(f"{client.fake.url}/signin/oauth/consent", data=decided) as response:
        assert (response.status, "No decision was made" in await response.text()) == (400, True)


async def test_the_pages_cannot_be_framed_and_tell_nobody_their_address(client: Client) -> None:
    async with client.session.get(page(client)) as response:
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["referrer-policy"] == "no-referrer"


async def test_the_page_is_another_site_than_a_gateway_on_127_0_0_1(client: Client) -> None:
    assert client.fake.authorize_url.startswith("http://localhost:")


async def test_the_browser_says_why_a_page_refused_it(client: Client) -> None:
    with pytest.raises(Refused, match="invalid_client") as refused:
        await to_thread.run_sync(press, page(client, client_id="unknown"), USER)
    assert refused.value.status == 401
