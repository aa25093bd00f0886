"""A well-formed request of the consent page, and the calls that follow it."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qsl, urlencode, urlsplit

from anyio import to_thread

from tests.fakes.google_browser import press
from tests.fakes.v1internal_oauth import SCOPES
from tests.fakes_tests.v1internal_bodies import Client, Json

CLIENT = {"client_id": "i", "client_secret": "s"}
REDIRECT = "https://gateway.example/oauth2/callback"
USER = "user1@example.invalid"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "client_id": "i",
    "redirect_uri": REDIRECT,
    "response_type": "code",
    "scope": f"{SCOPES} openid",
    "state": "s-1",
    "access_type": "offline",
    "prompt": "consent",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def page(client: Client, **changes: str | None) -> str:
    """Write the address of the consent page, for a client that is registered; None takes a parameter away."""
    client.fake.oauth.register("i", "s", REDIRECT)
    asked = {name: value for name, value in (ASKED | changes).items() if value is not None}
    return f"{client.fake.authorize_url}?{urlencode(asked)}"


async def back(client: Client, email: str = USER, decision: str = "allow", **changes: str | None) -> dict[str, str]:
    """Decide at the consent page; give the parameters of the redirect."""
    address = await to_thread.run_sync(press, page(client, **changes), email, decision)
    assert address.startswith(changes.get("redirect_uri") or REDIRECT)
    return dict(parse_qsl(urlsplit(address).query, strict_parsing=True))


async def token(client: Client, **form: str) -> tuple[int, Json]:
    """Ask the token endpoint."""
    response = await client.session.post(client.fake.token_url, data=CLIENT | form)
    return response.status, await response.json()


async def exchange(client: Client, code: str, **changes: str | None) -> tuple[int, Json]:
    """Exchange a code; None takes a parameter away."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    return await token(client, **{name: value for name, value in (form | changes).items() if value is not None})


async def login(client: Client, email: str = USER, **changes: str | None) -> Json:
    """Go through a whole login; give the tokens."""
    status, answer = await exchange(client, (await back(client, email, "allow", **changes))["code"])
    assert status == 200
    return answer


async def refresh(client: Client, refresh_token: str = "rt-1") -> tuple[int, Json]:
    """Ask for an access token."""
    return await token(client, grant_type="refresh_token", refresh_token=refresh_token)
