"""What the token endpoint is asked, and what its answers mean."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

from gateway.adapters.google_oauth import refresh
from gateway.adapters.tokens import RefreshFailed, Tokens
from gateway.config import OAuthConfig
from gateway.redact import Secret
from gateway.transport import Transport
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.v1internal_errors import Refusal
from tests.fakes.v1internal_oauth import oauth_error

pytestmark = pytest.mark.anyio


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    made = Transport()
    yield made
    await made.close()


def client(fake: FakeV1Internal, **changes: Any) -> OAuthConfig:
    given = {"client_id": "client", "client_secret": Secret("s&cret"), "token_url": fake.token_url}
    return OAuthConfig(**{**given, **changes})


async def failure(transport: Transport, oauth: OAuthConfig, token: str = "rt-1") -> RefreshFailed:
    with pytest.raises(RefreshFailed) as caught:
        await refresh(transport, oauth, token)
    return caught.value


async def test_a_refresh_sends_the_form_and_reads_the_token(
    fake_v1internal: FakeV1Internal, transport: Transport
) -> None:
    tokens = await refresh(transport, client(fake_v1internal), "rt-1")
    assert (tokens.access_token, tokens.lifetime_s, tokens.refresh_token) == ("FAKE-ACCESS-TOKEN-1", 3599, None)
    assert fake_v1internal.calls("token")[0].body == {
        "grant_type": "refresh_token",
        "refresh_token": "rt-1",
        "client_id": "client",
        "client_secret": "s&cret",
    }


async def test_a_new_refresh_token_is_given_on(fake_v1internal: FakeV1Internal, transport: Transport) -> None:
    fake_v1internal.oauth.rotate = True
    tokens = await refresh(transport, client(fake_v1internal), "rt-1")
    assert tokens.refresh_token == "rt-1~1"


@pytest.mark.parametrize(
    ("expires_in", "lifetime_s"), [(None, 60), (0, 60), (-5, 60), ("120", 120), (90.5, 90), (1e300, 31_622_400)]
)
async def test_odd_lifetimes_are_taken(
    fake_v1internal: FakeV1Internal, transport: Transport, expires_in: object, lifetime_s: float
) -> None:
    fake_v1internal.oauth.expires_in = expires_in
    assert (await refresh(transport, client(fake_v1internal), "rt-1")).lifetime_s == lifetime_s


async def test_a_lifetime_that_is_no_number_of_seconds_is_passing(
    fake_v1internal: FakeV1Internal, transport: Transport
) -> None:
    fake_v1internal.oauth.expires_in = float("inf")
    failed = await failure(transport, client(fake_v1internal))
    assert (failed.revoked, failed.reason) == (False, "the token endpoint's response (200) cannot be read")


async def test_a_revoked_login_is_final(fake_v1internal: FakeV1Internal, transport: Transport) -> None:
    failed = await failure(transport, client(fake_v1internal), "unknown")
    assert (failed.revoked, failed.misconfigured) == (True, False)
    assert failed.reason == "invalid_grant: Token has been expired or revoked."


async def test_a_wrong_client_is_no_fault_of_the_login(fake_v1internal: FakeV1Internal, transport: Transport) -> None:
    fake_v1internal.oauth.clients = {"another": "secret"}
    failed = await failure(transport, client(fake_v1internal))
    assert (failed.revoked, failed.misconfigured) == (False, True)
    assert failed.reason.startswith("invalid_client: ")
    assert "give oauth the client_id and the client_secret" in failed.reason


async def test_a_client_that_was_deleted_calls_for_another_one(
    fake_v1internal: FakeV1Internal, transport: Transport
) -> None:
    fake_v1internal.oauth.deleted = True
    failed = await failure(transport, client(fake_v1internal))
    assert (failed.revoked, failed.misconfigured) == (False, True)
    assert failed.reason == (
        "deleted_client: The OAuth client was deleted. (give oauth another client, and log the accounts in again)"
    )


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_busy_endpoint_is_passing(fake_v1internal: FakeV1Internal, transport: Transport, status: int) -> None:
    fake_v1internal.oauth.fail(status)
    failed = await failure(transport, client(fake_v1internal))
    assert (failed.revoked, failed.misconfigured) == (False, False)
    assert failed.reason == f"the token endpoint responded with {status}"


async def test_an_unreachable_endpoint_is_passing(fake_v1internal: FakeV1Internal, transport: Transport) -> None:
    await fake_v1internal.stop_base("b")
    failed = await failure(transport, client(fake_v1internal, token_url=f"{fake_v1internal.base('b')}/token"))
    assert (failed.revoked, failed.misconfigured) == (False, False)


async def test_an_answer_that_is_none_is_passing(fake_v1internal: FakeV1Internal, transport: Transport) -> None:
    failed = await failure(transport, client(fake_v1internal, token_url=f"{fake_v1internal.url}/nothing"))
    assert (failed.revoked, failed.reason) == (False, "the token endpoint's response (404) holds no token")


@pytest.mark.parametrize("token", [None, 7, ["a"], ""])
async def test_a_token_that_is_no_text_is_none(
    fake_v1internal: FakeV1Internal, transport: Transport, token: object
) -> None:
    said = Refusal(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3599})
    fake_v1internal.oauth.faults.append((None, said))
    failed = await failure(transport, client(fake_v1internal))
    assert (failed.revoked, failed.reason) == (False, "the token endpoint's response (200) holds no token")


async def test_an_endpoint_that_repeats_what_is_secret_is_not_repeated(
    fake_v1internal: FakeV1Internal, transport: Transport
) -> None:
    said = oauth_error("invalid_request", "no refresh-canary of client-canary")
    fake_v1internal.oauth.faults.append((None, said))
    oauth = client(fake_v1internal, client_secret=Secret("client-canary"))
    failed = await failure(transport, oauth, "refresh-canary")
    assert (failed.reason, str(failed)) == ("invalid_request: no *** of ***",) * 2


def test_tokens_do_not_show_themselves() -> None:
    assert "ya29" not in repr(Tokens("ya29.x", 1, "1//y"))


def test_a_gateway_of_api_keys_loads_nothing_of_it(tmp_path: Path) -> None:
    code = (
        "import sys, gateway\n"
        "gateway.create_app({'upstream': {'keys': {'type': 'gemini', 'api_key': 'k', 'models': ['m']}}})\n"
        "print('oauthlib' in sys.modules)"
    )
    done = run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
