"""The token endpoint, the consent page and the user information."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from anyio import to_thread

from tests.fakes.google_browser import press
from tests.fakes.v1internal_oauth import SCOPES, Code
from tests.fakes_tests.v1internal_bodies import GEMINI_3, Client, Json, body

CLIENT = {"client_id": "i", "client_secret": "s"}
REDIRECT = "http://127.0.0.1:1/back"


async def token(client: Client, form: Json) -> tuple[int, Json]:
    response = await client.session.post(client.fake.token_url, data=form)
    return response.status, await response.json()


async def refresh(client: Client, refresh_token: str = "rt-1") -> tuple[int, Json]:
    return await token(client, CLIENT | {"grant_type": "refresh_token", "refresh_token": refresh_token})


async def status_with(client: Client, access_token: str) -> int:
    headers = {"Authorization": f"Bearer {access_token}"}
    return (await client.post("generateContent", body(GEMINI_3), headers=headers)).status


async def test_a_refresh_token_gives_an_access_token_that_works(client: Client) -> None:
    status, answer = await refresh(client)
    assert (status, answer["expires_in"], answer["token_type"]) == (200, 3599, "Bearer")
    assert "refresh_token" not in answer
    assert await status_with(client, answer["access_token"]) == 200
    assert client.fake.requests[-1].credential == "rt-1"


async def test_each_access_token_is_new(client: Client) -> None:
    tokens = {(await refresh(client))[1]["access_token"] for _ in range(3)}
    assert len(tokens) == 3


async def test_an_unknown_refresh_token_is_an_invalid_grant(client: Client) -> None:
    assert await refresh(client, "rt-none") == (
        400,
        {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
    )


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        (
            {"grant_type": "refresh_token", "refresh_token": "rt-1", "client_secret": "s"},
            400,
            "invalid_request",
        ),
        ({"grant_type": "refresh_token", "refresh_token": "rt-1", "client_id": "i"}, 400, "invalid_request"),
        (CLIENT | {"grant_type": "password"}, 400, "unsupported_grant_type"),
        (CLIENT | {"grant_type": "authorization_code", "code": "none"}, 400, "invalid_grant"),
    ],
)
async def test_a_wrong_form_is_refused(client: Client, form: Json, status: int, error: str) -> None:
    given, answer = await token(client, form)
    assert (given, answer["error"]) == (status, error)


async def test_an_unknown_client_is_refused_where_clients_are_known(client: Client) -> None:
    client.fake.oauth.clients = {"other": "s"}
    status, answer = await refresh(client)
    assert (status, answer["error"]) == (401, "invalid_client")


async def test_faults_hit_the_token_they_are_set_for(client: Client) -> None:
    client.fake.oauth.fail("invalid_grant", token="rt-2")  # a name of this test
    client.fake.oauth.fail(503, token="rt-1", times=2)  # a name of this test
    answers = [(await refresh(client, name))[0] for name in ("rt-3", "rt-2", "rt-1", "rt-1", "rt-1", "rt-2")]
    assert answers == [200, 400, 503, 503, 200, 200]


async def test_a_rotated_refresh_token_replaces_the_old_one(client: Client) -> None:
    client.fake.oauth.rotate = True
    fresh = (await refresh(client))[1]["refresh_token"]
    assert ((await refresh(client))[0], (await refresh(client, fresh))[0]) == (400, 200)


@pytest.mark.parametrize("expires_in", [0, -5, "3599"])
async def test_expires_in_may_be_anything(client: Client, expires_in: Any) -> None:
    client.fake.oauth.expires_in = expires_in
    assert (await refresh(client))[1]["expires_in"] == expires_in


async def test_expires_in_may_be_missing(client: Client) -> None:
    client.fake.oauth.expires_in = None
    assert "expires_in" not in (await refresh(client))[1]


async def test_access_tokens_end_when_they_are_told_to(client: Client) -> None:
    first = (await refresh(client))[1]["access_token"]
    client.fake.oauth.expire("rt-1")
    client.fake.oauth.lifetime_s = -1
    second = (await refresh(client))[1]["access_token"]
    assert [await status_with(client, one) for one in (first, second, "static-1")] == [401, 401, 200]


async def test_held_calls_wait_for_their_release(client: Client) -> None:
    client.fake.oauth.hold()
    waiting = asyncio.ensure_future(refresh(client))
    await client.fake.wait_for("token")
    assert not waiting.done()
    client.fake.oauth.release()
    assert (await waiting)[0] == 200


async def login(client: Client, verifier: str) -> tuple[int, Json]:
    client.fake.oauth.register("i", "s", REDIRECT)
    client.fake.oauth.add_person("new@example.invalid")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()
    query = {"client_id": "i", "response_type": "code", "redirect_uri": REDIRECT, "state": "s-1", "scope": SCOPES}
    query |= {"code_challenge": challenge, "code_challenge_method": "S256", "access_type": "offline"}
    url = f"{client.fake.authorize_url}?{urlencode(query)}"
    back = parse_qs(urlsplit(await to_thread.run_sync(press, url, "new@example.invalid")).query)
    assert back["state"] == ["s-1"]
    form = {"grant_type": "authorization_code", "code": back["code"][0], "redirect_uri": REDIRECT}
    return await token(client, CLIENT | form | {"code_verifier": verifier})


async def test_a_login_gives_both_tokens_and_a_new_account(client: Client) -> None:
    status, answer = await login(client, "v" * 43)
    assert (status, set(answer) >= {"access_token", "refresh_token", "id_token", "scope"}) == (200, True)
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    user = await (await client.session.get(client.fake.userinfo_url, headers=headers)).json()
    assert user["email"] == "new@example.invalid"
    assert (await refresh(client, answer["refresh_token"]))[0] == 200


async def test_a_login_with_the_wrong_verifier_is_an_invalid_grant(client: Client) -> None:
    status, answer = await login(client, "w" * 43)
    assert (status, answer["error"]) == (400, "invalid_grant")


def coded(client: Client) -> None:
    query = {"client_id": "i", "redirect_uri": REDIRECT}
    client.fake.oauth.codes["c"] = Code(query, client.fake.oauth.find("rt-1"))


async def test_a_code_works_once(client: Client) -> None:
    coded(client)
    form = CLIENT | {"grant_type": "authorization_code", "code": "c", "redirect_uri": REDIRECT}
    assert [(await token(client, form))[0] for _ in range(2)] == [200, 400]


async def test_a_code_is_bound_to_its_redirect(client: Client) -> None:
    coded(client)
    form = CLIENT | {"grant_type": "authorization_code", "code": "c", "redirect_uri": "http://other"}
    assert (await token(client, form))[1]["error"] == "redirect_uri_mismatch"


async def test_user_information_needs_a_bearer(client: Client) -> None:
    async with client.session.get(client.fake.userinfo_url) as response:
        assert response.status == 401
