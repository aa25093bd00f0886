"""Access tokens from refresh tokens, at Google's token endpoint or one that speaks like it.

oauthlib writes and reads the messages, the gateway's own transport carries them.
"""

from typing import Final

from msgspec import Struct
from oauthlib.oauth2 import MissingTokenError, OAuth2Error, WebApplicationClient

from gateway.config import OAuthConfig
from gateway.dialects.gemini.errors import mask
from gateway.transport import Transport, TransportError, Whole

__all__ = ["GOOGLE_TOKEN_URL", "GOOGLE_USERINFO_URL", "RefreshFailed", "Tokens", "refresh"]

GOOGLE_TOKEN_URL: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, no secret
GOOGLE_USERINFO_URL: Final = "https://www.googleapis.com/oauth2/v2/userinfo"

_HEADERS: Final = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
_TIMEOUT_S: Final = 30.0
_MAX_BYTES: Final = 256 * 1024
_MAX_REASON: Final = 300
_UNKNOWN_LIFETIME_S: Final = 60.0  # expires_in is missing, 0 or negative
# RFC 6749 5.2; what else is said may be another answer next time
_PERMANENT: Final = frozenset({"invalid_grant", "invalid_client", "unauthorized_client"})


class Tokens(Struct, frozen=True):
    """What a refresh gave. `refresh_token` None: the old one stays."""

    access_token: str
    lifetime_s: float
    refresh_token: str | None = None

    def __repr__(self) -> str:
        return f"Tokens(lifetime_s={self.lifetime_s})"


class RefreshFailed(Exception):
    """No new token. `reason` begins with the OAuth error's name.

    `permanent`: asking again does not help; `revoked`: only a new login does.
    """

    def __init__(self, reason: str, *, permanent: bool = False, revoked: bool = False) -> None:
        super().__init__(reason)
        self.reason = mask(reason)[:_MAX_REASON]
        self.permanent = permanent
        self.revoked = revoked


async def refresh(transport: Transport, oauth: OAuthConfig, refresh_token: str) -> Tokens:
    """Ask for a new access token; raise RefreshFailed."""
    client = WebApplicationClient(oauth.client_id)
    body = client.prepare_refresh_body(  # pyright: ignore[reportUnknownMemberType]  # **kwargs without a type
        refresh_token=refresh_token, client_id=oauth.client_id, client_secret=oauth.client_secret.reveal()
    )
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
        raise RefreshFailed(f"the token endpoint answered {answer.status}")
    try:
        token = client.parse_request_body_response(  # pyright: ignore[reportUnknownMemberType]  # **kwargs, too
            answer.body.decode()
        )
    except MissingTokenError:
        raise RefreshFailed(f"the token endpoint's answer ({answer.status}) holds no token") from None
    except OAuth2Error as error:
        name = str(error.error or "error")
        reason = f"{name}: {error.description}" if error.description else name
        raise RefreshFailed(reason, permanent=name in _PERMANENT, revoked=name == "invalid_grant") from None
    except (ValueError, TypeError, AttributeError):  # oauthlib's own on what is no JSON object, or has odd fields
        raise RefreshFailed(f"the token endpoint's answer ({answer.status}) cannot be read") from None
    lifetime_s = float(token.get("expires_in") or 0)
    return Tokens(
        access_token=str(token["access_token"]),
        lifetime_s=lifetime_s if lifetime_s > 0 else _UNKNOWN_LIFETIME_S,
        refresh_token=str(token.get("refresh_token") or "") or None,
    )
