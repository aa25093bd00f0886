"""Tokens from Google's token endpoint or one that speaks like it; most often for a refresh token.

oauthlib writes and reads the messages, the gateway's own transport carries them.
"""

from typing import Final

from oauthlib.oauth2 import MissingTokenError, OAuth2Error, WebApplicationClient

from gateway.adapters.tokens import RefreshFailed, Tokens
from gateway.config import OAuthConfig
from gateway.transport import Transport, TransportError, Whole

__all__ = ["GOOGLE_TOKEN_URL", "ask", "refresh"]

GOOGLE_TOKEN_URL: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, no secret

_HEADERS: Final = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
_TIMEOUT_S: Final = 30.0
_MAX_BYTES: Final = 256 * 1024
_UNKNOWN_LIFETIME_S: Final = 60.0  # expires_in is missing, 0 or negative
_LONGEST_S: Final = 366 * 86_400.0  # what lasts for longer has no date
# RFC 6749 5.2; what else is said may be another answer next time
_REVOKED: Final = "invalid_grant"
_DELETED: Final = "deleted_client"
_NOT_OURS: Final = frozenset({"invalid_client", "unauthorized_client", _DELETED})
_HOLDS_NONE: Final = "the token endpoint's response ({}) holds no token"
_NEW_CLIENT: Final = "give oauth another client, and log the accounts in again"
_REMEDY: Final = "give oauth the client_id and the client_secret that the account was logged in with"


async def refresh(transport: Transport, oauth: OAuthConfig, refresh_token: str) -> Tokens:
    """Ask for a new access token; raise RefreshFailed."""
    client = WebApplicationClient(oauth.client_id)
    body = client.prepare_refresh_body(  # pyright: ignore[reportUnknownMemberType]  # **kwargs without a type
        refresh_token=refresh_token, client_id=oauth.client_id, client_secret=oauth.client_secret.reveal()
    )
    return await ask(transport, oauth, client, body)


async def ask(transport: Transport, oauth: OAuthConfig, client: WebApplicationClient, body: str) -> Tokens:
    """Send a form to the token endpoint, and read its answer; raise RefreshFailed."""
    try:
        answer = await transport.fetch(
            "POST",
            oauth.token_url or GOOGLE_TOKEN_URL,
            headers=_HEADERS,
            body=body.encode(),
            timeout_s=_TIMEOUT_S,
            max_bytes=_MAX_BYTES,
        )
    except TransportError as error:
        raise RefreshFailed(f"the token endpoint cannot be reached: {error}") from None
    return _read(client, answer)


def _read(client: WebApplicationClient, answer: Whole) -> Tokens:
    if answer.status == 429 or answer.status >= 500:
        raise RefreshFailed(f"the token endpoint responded with {answer.status}")
    try:
        token = client.parse_request_body_response(  # pyright: ignore[reportUnknownMemberType]  # **kwargs, too
            answer.body.decode()
        )
    except MissingTokenError:
        raise RefreshFailed(_HOLDS_NONE.format(answer.status)) from None
    except OAuth2Error as error:
        name = str(error.error or "error")
        reason = f"{name}: {error.description}" if error.description else name
        if name in _NOT_OURS:
            remedy = _NEW_CLIENT if name == _DELETED else _REMEDY
            raise RefreshFailed(f"{reason} ({remedy})", misconfigured=True) from None
        raise RefreshFailed(reason, revoked=name == _REVOKED) from None
    except (ValueError, TypeError, AttributeError, OverflowError):  # oauthlib's own on odd fields, or no JSON object
        raise RefreshFailed(f"the token endpoint's response ({answer.status}) cannot be read") from None
    access = token.get("access_token")
    if not access or not isinstance(access, str):  # null, say, which oauthlib lets through
        raise RefreshFailed(_HOLDS_NONE.format(answer.status))
    lifetime_s = float(token.get("expires_in") or 0)
    return Tokens(
        access_token=access,
        lifetime_s=min(lifetime_s, _LONGEST_S) if lifetime_s > 0 else _UNKNOWN_LIFETIME_S,
        refresh_token=str(token.get("refresh_token") or "") or None,
        id_token=str(token.get("id_token") or ""),
        scopes=frozenset(map(str, token.get("scope") or ())),  # oauthlib has split it
    )
