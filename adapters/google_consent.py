"""Log a Google account in: where its owner agrees, and what the code that comes of it is worth.

    begin() ─► Consent.url in the owner's browser ─► redirect with a code ─► trade() ─► Tokens

oauthlib writes and reads the messages, the gateway's own transport carries them. PKCE is always used.
"""

from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping
from secrets import token_urlsafe
from typing import Final

import msgspec
from msgspec import Struct
from oauthlib.common import add_params_to_uri
from oauthlib.oauth2 import WebApplicationClient

from gateway.adapters.google_oauth import ask
from gateway.adapters.tokens import RefreshFailed, Tokens
from gateway.config import OAuthConfig
from gateway.transport import Transport
from gateway.upstream import Consent, LoginFailed

__all__ = ["GOOGLE_AUTHORIZE_URL", "SCOPES", "begin", "trade"]

GOOGLE_AUTHORIZE_URL: Final = "https://accounts.google.com/o/oauth2/v2/auth"
_ISSUER: Final = "https://accounts.google.com"
_NEEDED: Final = "https://www.googleapis.com/auth/cloud-platform"
SCOPES: Final = (
    _NEEDED,
    "https://www.googleapis.com/auth/userinfo.email",
    "https://www.googleapis.com/auth/userinfo.profile",
)

_STATE_BYTES: Final = 32
_VERIFIER_BYTES: Final = 48  # 64 characters; RFC 7636 takes 43 to 128
_CLIENT: Final = "Google does not accept the OAuth client: check client_id and client_secret in the upstream's oauth"
_REFUSALS: Final[Mapping[str, str]] = {
    "invalid_grant": "the code has already been used, or is too old: start the login again",
    "invalid_client": _CLIENT,
    "unauthorized_client": _CLIENT,
    "deleted_client": "Google has deleted the OAuth client: put another one into the upstream's oauth",
    "redirect_uri_mismatch": "the redirect address is not registered with the OAuth client: register {redirect_uri}",
}


class _Claims(Struct):
    """What is looked at of an id_token."""

    iss: str = ""
    aud: str | list[str] = ""


_CLAIMS: Final = msgspec.json.Decoder(_Claims)


def begin(oauth: OAuthConfig, redirect_uri: str) -> Consent:
    """Begin a login; every one has its own state and verifier."""
    client = WebApplicationClient(oauth.client_id)
    state, verifier = token_urlsafe(_STATE_BYTES), token_urlsafe(_VERIFIER_BYTES)
    asked = {
        "response_type": "code",
        "client_id": oauth.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(oauth.scopes or SCOPES),
        "state": state,
        "code_challenge": client.create_code_challenge(verifier, "S256"),
        "code_challenge_method": "S256",
        "access_type": "offline",  # else there is no refresh token
        "prompt": "consent",  # else there is none the second time
    }
    url = oauth.authorize_url or GOOGLE_AUTHORIZE_URL
    return Consent(
        url=add_params_to_uri(url, asked.items()),
        state=state,
        verifier=verifier,
        redirect_uri=redirect_uri,
    )


async def trade(transport: Transport, oauth: OAuthConfig, consent: Consent, code: str) -> Tokens:
    """Trade a code for tokens, a refresh token among them; raise LoginFailed."""
    client = WebApplicationClient(oauth.client_id)
    body = client.prepare_request_body(  # pyright: ignore[reportUnknownMemberType]  # **kwargs without a type
        code=code,
        redirect_uri=consent.redirect_uri,
        code_verifier=consent.verifier,
        client_secret=oauth.client_secret.reveal(),
    )
    try:
        tokens = await ask(transport, oauth, client, body)
    except RefreshFailed as failed:
        raise LoginFailed(_refusal(failed.reason, consent)) from None
    _check(tokens, oauth)
    return tokens


def _check(tokens: Tokens, oauth: OAuthConfig) -> None:
    """Refuse what would be no account: raise LoginFailed."""
    if tokens.id_token:
        _check_claims(tokens.id_token, oauth)
    # each box on Google's page can be left empty; where nothing is said, all was granted (RFC 6749 5.1)
    if tokens.scopes and _NEEDED in (oauth.scopes or SCOPES) and _NEEDED not in tokens.scopes:
        raise LoginFailed("access to Google Cloud was not granted: start the login again, and tick every box")
    if not tokens.refresh_token:
        raise LoginFailed(
            "Google gave no refresh token: remove this OAuth client's access at "
            "https://myaccount.google.com/permissions, and start the login again"
        )


def _check_claims(id_token: str, oauth: OAuthConfig) -> None:
    """See that a token is for this client; its signature needs no look, it came from the endpoint itself."""
    claims, googles = _read(id_token), not oauth.token_url
    if claims is None:
        if googles:
            raise LoginFailed("Google's id_token cannot be read: start the login again")
        return
    audience: Collection[str] = (claims.aud,) if isinstance(claims.aud, str) else claims.aud
    # OpenID Connect Core 3.1.3.7; Google leaves the scheme out at times
    foreign = googles and claims.iss not in (_ISSUER, _ISSUER.removeprefix("https://"))
    if foreign or oauth.client_id not in audience:
        raise LoginFailed("the response is for another OAuth client: start the login again")


def _read(id_token: str) -> _Claims | None:
    try:
        payload = id_token.split(".")[1]
        return _CLAIMS.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return None


def _refusal(reason: str, consent: Consent) -> str:
    words = _REFUSALS.get(reason.partition(":")[0])
    return words.format(redirect_uri=consent.redirect_uri) if words else f"the code gave no tokens: {reason}"
