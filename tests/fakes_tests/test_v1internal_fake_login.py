"""What a code is good for, and the tokens that it gives."""

from __future__ import annotations

import base64
import json

import pytest

from tests.fakes.v1internal_oauth import SCOPES
from tests.fakes_tests.google_login import REDIRECT, USER, back, exchange, login, refresh, token
from tests.fakes_tests.v1internal_bodies import GEMINI_3, Client, Json, body


async def called(client: Client, access_token: str) -> int:
    headers = {"Authorization": f"Bearer {access_token}"}
    return (await client.post("generateContent", body(GEMINI_3), headers=headers)).status


async def user(client: Client, access_token: str) -> tuple[int, Json]:
    headers = {"Authorization": f"Bearer {access_token}"}
    async with client.session.get(client.fake.userinfo_url, headers=headers) as response:
        return response.status, await response.json()


async def test_a_code_gives_tokens_that_work(client: Client) -> None:
    answer = await login(client)
    assert (answer["expires_in"], answer["token_type"]) == (3599, "Bearer")
    assert set(answer["scope"].split()) == {*SCOPES.split(), "openid"}
    assert (await refresh(client, answer["refresh_token"]))[0] == 200
    assert await called(client, answer["access_token"]) == 200
    assert client.fake.requests[-1].email == USER


async def test_the_id_token_names_the_user(client: Client) -> None:
    head, claims, signature = (await login(client, nonce="n-1"))["id_token"].split(".")
    known = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert (known["iss"], known["aud"], known["email"]) == ("https://accounts.google.com", "i", USER)
    assert (known["sub"], known["nonce"]) == (client.fake.oauth.find(USER).sub, "n-1")
    assert head
    assert signature


async def test_there_is_no_id_token_without_a_scope_about_the_user(client: Client) -> None:
    assert "id_token" not in await login(client, scope=SCOPES.split()[0])


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"redirect_uri": "http://127.0.0.1:1/back"}, "redirect_uri_mismatch", "Bad Request"),
        ({"redirect_uri": None}, "redirect_uri_mismatch", "Bad Request"),
        ({"code_verifier": "w" * 43}, "invalid_grant", "Invalid code verifier."),
        ({"code_verifier": None}, "invalid_grant", "Missing code verifier."),
        ({"client_secret": "wrong"}, "invalid_client", "The provided client secret is invalid."),
        ({"client_id": "other"}, "invalid_client", "The OAuth client was not found."),
        ({"code": "4/none"}, "invalid_grant", "Malformed auth code."),
    ],
)
async def test_a_wrong_exchange_is_refused(
    client: Client, changes: dict[str, str | None], error: str, words: str
) -> None:
    code = (await back(client))["code"]
    _, answer = await exchange(client, **({"code": code} | changes))  # type: ignore[arg-type]  # a code is never None
    assert answer == {"error": error, "error_description": words}


async def test_a_short_verifier_is_refused_although_it_proves(client: Client) -> None:
    challenge = "ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs"  # of "a"
    code = (await back(client, code_challenge=challenge))["code"]
    assert (await exchange(client, code, code_verifier="a"))[1]["error_description"] == "Invalid code verifier."


async def test_a_verifier_without_a_challenge_is_refused(client: Client) -> None:
    code = (await back(client, code_challenge=None, code_challenge_method=None))["code"]
    assert (await exchange(client, code))[1]["error_description"] == "code_verifier or verifier is not needed."


async def test_a_code_is_of_its_client(client: Client) -> None:
    client.fake.oauth.register("other", "s", REDIRECT)
    code = (await back(client))["code"]
    assert (await exchange(client, code, client_id="other"))[1]["error"] == "invalid_grant"


async def test_a_code_ends(client: Client) -> None:
    client.fake.oauth.code_lifetime_s = -1
    code = (await back(client))["code"]
    assert (await exchange(client, code))[1] == {"error": "invalid_grant", "error_description": "Bad Request"}


async def test_a_code_that_comes_twice_ends_what_it_gave(client: Client) -> None:
    code = (await back(client))["code"]
    _, first = await exchange(client, code)
    _, second = await exchange(client, code)
    assert second == {"error": "invalid_grant", "error_description": "Bad Request"}
    assert await called(client, first["access_token"]) == 401
    assert (await refresh(client, first["refresh_token"]))[1]["error"] == "invalid_grant"
    assert (await refresh(client, "rt-1"))[0] == 200


async def test_there_is_no_refresh_token_without_offline_access(client: Client) -> None:
    assert "refresh_token" not in await login(client, access_type=None)
    assert "refresh_token" not in await login(client, access_type="online")


async def test_there_is_no_second_refresh_token_without_prompt_consent(client: Client) -> None:
    logins = [await login(client, prompt=prompt) for prompt in (None, None, "consent")]
    assert ["refresh_token" in one for one in logins] == [True, False, True]


async def test_a_refresh_token_is_of_its_client(client: Client) -> None:
    client.fake.oauth.register("other", "s", REDIRECT)
    answer = await login(client)
    form = {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"], "client_id": "other"}
    assert (await token(client, **form))[1]["error"] == "unauthorized_client"


async def test_a_second_login_is_of_the_same_account(client: Client) -> None:
    tokens = [(await login(client))["refresh_token"] for _ in range(2)]
    assert tokens[0] != tokens[1]
    assert client.fake.oauth.accounts[tokens[0]] is client.fake.oauth.accounts[tokens[1]]
    assert client.fake.oauth.accounts[tokens[0]] is client.fake.oauth.accounts["rt-1"]


async def test_a_person_who_granted_nothing_yet_can_log_in(client: Client) -> None:
    client.fake.oauth.add_person("new@example.invalid", project="theirs")
    answer = await login(client, "new@example.invalid")
    assert client.fake.oauth.find(answer["refresh_token"]).project == "theirs"


async def test_what_the_owner_revokes_is_no_longer_good(client: Client) -> None:
    answer = await login(client)
    client.fake.oauth.revoke(USER)
    assert await called(client, answer["access_token"]) == 401
    assert (await refresh(client, answer["refresh_token"]))[1]["error"] == "invalid_grant"
    assert "refresh_token" in await login(client, prompt=None)


async def test_a_token_for_something_else_is_not_enough(client: Client) -> None:
    answer = await login(client, scope="openid")
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    response = await client.post("generateContent", body(GEMINI_3), headers=headers)
    error = (await response.json())["error"]
    assert (response.status, error["details"][0]["reason"]) == (403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT")


async def test_the_user_information_shows_what_was_granted(client: Client) -> None:
    cloud = SCOPES.split()[0]
    nothing, number, email = [await login(client, scope=scope) for scope in (cloud, "openid", "openid email")]
    assert (await user(client, nothing["access_token"]))[0] == 403
    assert (await user(client, number["access_token"]))[1] == {"id": client.fake.oauth.find(USER).sub}
    assert (await user(client, email["access_token"]))[1]["email"] == USER


async def test_the_token_endpoint_is_posted_to(client: Client) -> None:
    async with client.session.get(client.fake.token_url) as response:
        assert response.status == 405
