"""Where the owner of a Google account agrees, and what the code of it is traded for."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from gateway.adapters.google_consent import SCOPES, begin, trade
from gateway.adapters.tokens import Tokens
from gateway.config import OAuthConfig
from gateway.redact import Secret
from gateway.redirect import code_of
from gateway.transport import Transport, Whole
from gateway.upstream import Consent, LoginFailed
from tests.fakes.google_browser import press
from tests.fakes.v1internal import FakeV1Internal

pytestmark = pytest.mark.anyio

REDIRECT = "http://127.0.0.1:51999/oauth2/callback"
PERSON = "new@example.invalid"
ISSUER = "https://accounts.google.com"
GOOGLE = OAuthConfig(client_id="client", client_secret=Secret("s&cret"))


class Answers:
    """A token endpoint that says this; what it was sent is in `sent`."""

    def __init__(self, status: int = 200, **answer: Any) -> None:
        self.status = status
        self.answer = answer
        self.sent = b""

    async def fetch(self, method: str, url: str, *, body: bytes, **_: Any) -> Whole:
        self.sent = body
        return Whole(self.status, {}, json.dumps(self.answer).encode())


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    made = Transport()
    yield made
    await made.close()


@pytest.fixture
def oauth(fake_v1internal: FakeV1Internal) -> OAuthConfig:
    """A client that is registered with the fake, where a person has an account."""
    fake_v1internal.oauth.register("client", "s&cret", REDIRECT)
    fake_v1internal.oauth.add_person(PERSON)
    return OAuthConfig(
        client_id="client",
        client_secret=Secret("s&cret"),
        authorize_url=fake_v1internal.authorize_url,
        token_url=fake_v1internal.token_url,
    )


async def agreed(consent: Consent, url: str = "") -> str:
    back = await anyio.to_thread.run_sync(press, url or consent.url, PERSON)
    return code_of(consent, urlsplit(back).query)


def parameters(url: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query, strict_parsing=True).items()}


def jwt(**claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"head.{payload}.signature"


async def traded(oauth: OAuthConfig = GOOGLE, status: int = 200, **answer: Any) -> Tokens:
    given = {"access_token": "at", "token_type": "Bearer", "expires_in": 3599, "refresh_token": "rt"}
    endpoint = Answers(status, **(given | answer if status == 200 else answer))
    return await trade(cast(Transport, endpoint), oauth, begin(oauth, REDIRECT), "4/abc")


async def failure(oauth: OAuthConfig = GOOGLE, status: int = 200, **answer: Any) -> str:
    with pytest.raises(LoginFailed) as caught:
        await traded(oauth, status, **answer)
    return str(caught.value)


def test_the_link_leads_to_google_with_all_that_a_login_needs() -> None:
    consent = begin(GOOGLE, REDIRECT)
    digest = hashlib.sha256(consent.verifier.encode()).digest()
    assert consent.url.startswith("https://accounts.google.com/o/oauth2/v2/auth?")
    assert parameters(consent.url) == {
        "response_type": "code",
        "client_id": "client",
        "redirect_uri": REDIRECT,
        "scope": "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/userinfo.email "
        "https://www.googleapis.com/auth/userinfo.profile",
        "state": consent.state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        "access_type": "offline",
        "prompt": "consent",
    }


def test_each_login_has_its_own_state_and_verifier() -> None:
    many = [begin(GOOGLE, REDIRECT) for _ in range(50)]
    assert len({consent.state for consent in many} | {consent.verifier for consent in many}) == 100
    assert all(len(base64.urlsafe_b64decode(f"{consent.state}=")) * 8 >= 128 for consent in many)
    assert all(43 <= len(consent.verifier) <= 128 for consent in many)


def test_the_verifier_is_not_in_the_link() -> None:
    consent = begin(GOOGLE, REDIRECT)
    assert consent.verifier not in consent.url


def test_address_and_scopes_can_be_configured() -> None:
    own = OAuthConfig(client_id="client", authorize_url="https://login.example/auth?tenant=1", scopes=("a", "b"))
    consent = begin(own, REDIRECT)
    assert consent.url.startswith("https://login.example/auth?tenant=1&")
    assert parameters(consent.url)["scope"] == "a b"


async def test_a_code_is_traded_for_tokens(
    fake_v1internal: FakeV1Internal, oauth: OAuthConfig, transport: Transport
) -> None:
    consent = begin(oauth, REDIRECT)
    tokens = await trade(transport, oauth, consent, await agreed(consent))
    assert tokens.refresh_token == "1//rt-login-1"
    assert tokens.access_token in fake_v1internal.oauth.tokens
    assert set(SCOPES) < tokens.scopes
    sent = fake_v1internal.calls("token")[0].body
    assert sent.keys() == {"grant_type", "client_id", "client_secret", "code", "code_verifier", "redirect_uri"}
    assert (sent["grant_type"], sent["redirect_uri"]) == ("authorization_code", REDIRECT)


async def test_a_code_is_good_for_one_use(oauth: OAuthConfig, transport: Transport) -> None:
    consent = begin(oauth, REDIRECT)
    code = await agreed(consent)
    await trade(transport, oauth, consent, code)
    with pytest.raises(LoginFailed, match="has already been used, or is too old: start the login again"):
        await trade(transport, oauth, consent, code)


async def test_a_code_of_another_login_is_of_no_use(oauth: OAuthConfig, transport: Transport) -> None:
    stolen = await agreed(begin(oauth, REDIRECT))
    with pytest.raises(LoginFailed, match="has already been used, or is too old"):
        await trade(transport, oauth, begin(oauth, REDIRECT), stolen)


async def test_without_a_refresh_token_it_is_said_what_to_do(oauth: OAuthConfig, transport: Transport) -> None:
    consent = begin(oauth, REDIRECT)
    online = consent.url.replace("access_type=offline", "access_type=online")
    with pytest.raises(LoginFailed, match=r"gave no refresh token: .*myaccount\.google\.com/permissions"):
        await trade(transport, oauth, consent, await agreed(consent, online))


async def test_a_box_that_was_left_empty_is_said(oauth: OAuthConfig, transport: Transport) -> None:
    consent = begin(oauth, REDIRECT)
    less = consent.url.replace("https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform+", "")
    assert less != consent.url
    with pytest.raises(LoginFailed, match="access to Google Cloud was not granted: .*tick every box"):
        await trade(transport, oauth, consent, await agreed(consent, less))


async def test_an_answer_that_names_no_scopes_grants_all() -> None:
    assert (await traded()).refresh_token == "rt"


async def test_scopes_of_ones_own_are_asked_for_nothing_more() -> None:
    own = OAuthConfig(client_id="client", client_secret=Secret("s"), scopes=("openid",))
    assert (await traded(own, scope="openid")).refresh_token == "rt"


@pytest.mark.parametrize("issuer", [ISSUER, "accounts.google.com"])
@pytest.mark.parametrize("audience", ["client", ["other", "client"]])
async def test_an_id_token_for_this_client_is_taken(issuer: str, audience: object) -> None:
    assert (await traded(id_token=jwt(iss=issuer, aud=audience))).refresh_token == "rt"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": ISSUER, "aud": "another"},
        {"iss": ISSUER, "aud": ["another"]},
        {"iss": ISSUER},
        {"iss": "https://evil.example", "aud": "client"},
        {"aud": "client"},
    ],
)
async def test_an_id_token_for_another_client_or_of_another_issuer_is_refused(claims: dict[str, Any]) -> None:
    assert await failure(id_token=jwt(**claims)) == "the response is for another OAuth client: start the login again"


@pytest.mark.parametrize("id_token", ["nonsense", "a.b.c", "a.!!!!!.c", jwt(iss=1, aud=2)])
async def test_an_id_token_that_nobody_can_read_is_refused(id_token: str) -> None:
    assert await failure(id_token=id_token) == "Google's id_token cannot be read: start the login again"


async def test_another_server_may_have_tokens_of_its_own() -> None:
    own = OAuthConfig(client_id="client", client_secret=Secret("s"), token_url="https://login.example/token")
    assert (await traded(own, id_token="FAKE.ID.TOKEN")).refresh_token == "rt"
    assert (await traded(own, id_token=jwt(iss="https://login.example", aud="client"))).refresh_token == "rt"
    assert "another OAuth client" in await failure(own, id_token=jwt(iss="https://login.example", aud="x"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("invalid_client", "check client_id and client_secret in the upstream's oauth"),
        ("unauthorized_client", "check client_id and client_secret in the upstream's oauth"),
        ("deleted_client", "put another one into the upstream's oauth"),
        ("redirect_uri_mismatch", f"register {REDIRECT}"),
        ("invalid_request", "the code gave no tokens: invalid_request: Bad Request"),
    ],
)
async def test_a_refusal_says_what_to_do(error: str, said: str) -> None:
    assert said in await failure(status=400, error=error, error_description="Bad Request")


async def test_an_endpoint_that_fails_is_named() -> None:
    assert await failure(status=503) == "the code gave no tokens: the token endpoint responded with 503"


async def test_what_the_endpoint_says_of_secrets_is_masked() -> None:
    words = "bad code_verifier=canary-verifier and client_secret=canary-secret"
    said = await failure(status=400, error="invalid_request", error_description=words)
    assert "canary" not in said
