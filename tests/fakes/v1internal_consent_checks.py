"""What the consent page refuses: Google's error page in its words, and no redirect."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tests.fakes import v1internal_consent_html as html
from tests.fakes import v1internal_scopes as scopes
from tests.fakes.v1internal_oauth import OAuth

CHALLENGE = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
PROMPTS = frozenset({"consent", "select_account"})
# parameters of the token endpoint, which have no business in an address
MISPLACED = frozenset({"client_secret", "code", "code_verifier", "grant_type", "refresh_token"})


class PageError(Exception):
    """A request that is shown as Google's error page; the application hears nothing of it."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description

    @property
    def page(self) -> str:
        """Write the page."""
        title = f"Error {self.status}: {self.error}"
        words = f"<p>{html.safe(self.description)}<p>{html.safe(title)}"
        return html.page(title, f"<h1>Access blocked: Authorization Error</h1>{words}")


def _known_client(query: Mapping[str, str], oauth: OAuth) -> None:
    if not query.get("client_id"):
        raise PageError("invalid_request", "Missing required parameter: client_id")
    if query["client_id"] not in oauth.registered:
        raise PageError("invalid_client", "The OAuth client was not found.", 401)


def _registered_redirect(query: Mapping[str, str], oauth: OAuth) -> None:
    redirect = query.get("redirect_uri")
    if not redirect:
        raise PageError("invalid_request", "Missing required parameter: redirect_uri")
    if not oauth.registered[query["client_id"]].takes(redirect):
        raise PageError(
            "redirect_uri_mismatch",
            "You can't sign in to this app because it doesn't comply with Google's OAuth 2.0 policy. If you're the app "
            "developer, register the redirect URI in the Google Cloud Console. "
            f"Request details: redirect_uri={redirect}",
        )


def _response_type(query: Mapping[str, str], _: OAuth) -> None:
    kind = query.get("response_type")
    if not kind:
        raise PageError("invalid_request", "Required parameter is missing: response_type")
    if kind != "code":
        raise PageError("unsupported_response_type", f"Invalid response_type: {kind}")


def _known_scopes(query: Mapping[str, str], _: OAuth) -> None:
    scope = query.get("scope", "").strip()
    if not scope:
        raise PageError("invalid_request", "Missing required parameter: scope")
    invalid = scopes.unknown(scope)
    if invalid:
        valid = [name for name in scope.split() if name not in invalid]
        raise PageError("invalid_scope", f"Some requested scopes were invalid. {{valid={valid}, invalid={invalid}}}")


def _proof(query: Mapping[str, str], _: OAuth) -> None:
    """A challenge is one of S256; `plain`, which is also meant where no method is named, proves nothing."""
    challenge, method = query.get("code_challenge"), query.get("code_challenge_method")
    if challenge is None and method is None:
        return
    if method != "S256":
        raise PageError("invalid_request", f"Invalid parameter value for code_challenge_method: {method or 'plain'}")
    if challenge is None or not CHALLENGE.fullmatch(challenge):
        raise PageError("invalid_request", "Invalid parameter value for code_challenge")


def _modes(query: Mapping[str, str], _: OAuth) -> None:
    if query.get("access_type", "online") not in {"online", "offline"}:
        raise PageError("invalid_request", f"Invalid parameter value for access_type: {query['access_type']}")
    prompts = query.get("prompt", "").split()
    if not PROMPTS.issuperset(prompts):
        raise PageError("invalid_request", f"Invalid parameter value for prompt: Invalid prompt: {query['prompt']}")


def _misplaced(query: Mapping[str, str], _: OAuth) -> None:
    for name in sorted(MISPLACED.intersection(query)):
        raise PageError("invalid_request", f"Parameter not allowed for this message type: {name}")


CHECKS: tuple[Callable[[Mapping[str, str], OAuth], None], ...] = (
    _known_client,
    _registered_redirect,
    _response_type,
    _known_scopes,
    _proof,
    _modes,
    _misplaced,
)
