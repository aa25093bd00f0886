"""The OAuth side: consent page, token endpoint, user information, and the access tokens in use.

An account is known by its refresh token. Access tokens end after `lifetime_s`, whatever `expires_in` said. Faults
are set on the object: `fail` refuses, `rotate` gives new refresh tokens, `hold` keeps callers until `release`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.fakes.v1internal_errors import RECORDED_PROJECT, RECORDINGS, Refusal, plain, recorded

SCOPES = "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/userinfo.email"

State = Literal["onboarded", "not_onboarded", "validation_required"]


@dataclass
class Account:
    """One Google account; `polls` is how often its onboarding is asked for before it is done."""

    credential: str
    email: str = "user@example.invalid"
    project: str = RECORDED_PROJECT
    state: State = "onboarded"
    polls: int = 0
    operation: str = ""


@dataclass
class Token:
    """An access token in use."""

    account: Account
    ends_at: float


@dataclass
class OAuth:
    """Issues tokens and says whose they are."""

    accounts: dict[str, Account] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    clients: dict[str, str] | None = None
    expires_in: Any = 3599
    lifetime_s: float = 3599
    rotate: bool = False
    delay_s: float = 0
    issued: int = 0
    logins: int = 0
    faults: list[tuple[str | None, Refusal]] = field(default_factory=list)
    gate: asyncio.Event | None = None

    def add(self, refresh_token: str, **account: Any) -> Account:
        """Make a refresh token known."""
        self.accounts[refresh_token] = Account(refresh_token, **account)
        return self.accounts[refresh_token]

    def add_static(self, access_token: str, **account: Any) -> Account:
        """Make an access token known that never ends and was never issued."""
        owner = Account(access_token, **account)
        self.tokens[access_token] = Token(owner, float("inf"))
        return owner

    def fail(self, error: str | int, *, token: str | None = None, times: int = 1) -> None:
        """Refuse the next calls, of one refresh token or of any: an OAuth error by name, or a status."""
        refusal = plain(error) if isinstance(error, int) else oauth_error(error)
        self.faults += [(token, refusal)] * times

    def hold(self) -> None:
        """Let calls wait until `release`."""
        self.gate = asyncio.Event()

    def release(self) -> None:
        """Let the waiting calls go on."""
        if self.gate is not None:
            self.gate.set()
        self.gate = None

    def expire(self, credential: str | None = None) -> None:
        """End the access tokens of one account, or of all; static ones too."""
        for value in [v for v, token in self.tokens.items() if credential in {None, token.account.credential}]:
            del self.tokens[value]

    def owner(self, authorization: str) -> Account:
        """Say whose bearer this is, or refuse with the recorded 401."""
        scheme, _, value = authorization.partition(" ")
        token = self.tokens.get(value.strip()) if scheme.lower() == "bearer" else None
        if token is None or token.ends_at < time.monotonic():
            raise recorded("401_unauthenticated")
        return token.account

    async def token(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Answer a call of the token endpoint."""
        await asyncio.sleep(self.delay_s)
        if self.gate is not None:
            await self.gate.wait()
        self._known_client(form)
        self._no_fault(form.get("refresh_token"))
        grants = {"refresh_token": self._refresh, "authorization_code": self._exchange}
        grant = form.get("grant_type", "")
        if grant not in grants:
            raise oauth_error("unsupported_grant_type", f"Invalid grant_type: {grant}")
        return grants[grant](form)

    def consent(self, query: Mapping[str, str]) -> str:
        """Answer the consent page at once: where the browser goes, with a code."""
        if query.get("response_type") != "code" or not query.get("client_id"):
            raise oauth_error("invalid_request", "Missing required parameter: response_type or client_id")
        self.logins += 1
        code = f"fake-code-{self.logins}"
        self.codes[code] = dict(query)
        return f"{query['redirect_uri']}?code={code}&state={query.get('state', '')}"

    def userinfo(self, account: Account) -> dict[str, Any]:
        """Describe the user."""
        known: dict[str, Any] = json.loads((RECORDINGS / "control" / "userinfo.json").read_text("utf-8"))
        return known | {"email": account.email, "id": _number(account.credential)}

    def _refresh(self, form: Mapping[str, str]) -> dict[str, Any]:
        given = form.get("refresh_token", "")
        account = self.accounts.get(given)
        if account is None:
            raise oauth_error("invalid_grant")
        answer = self._issue(account)
        if self.rotate:
            del self.accounts[given]
            account.credential = f"{given.partition('~')[0]}~{self.issued}"
            self.accounts[account.credential] = account
            answer["refresh_token"] = account.credential
        return answer

    def _exchange(self, form: Mapping[str, str]) -> dict[str, Any]:
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or not _proves(form, asked):
            raise oauth_error("invalid_grant", "Bad Request")
        if form.get("redirect_uri") != asked.get("redirect_uri"):
            raise oauth_error("redirect_uri_mismatch", "Bad Request")
        refresh_token = f"rt-login-{self.logins}"
        account = self.add(refresh_token, email=f"login{self.logins}@example.invalid")
        return self._issue(account) | {"refresh_token": refresh_token, "id_token": "FAKE.ID.TOKEN"}

    def _issue(self, account: Account) -> dict[str, Any]:
        self.issued += 1
        value = f"FAKE-ACCESS-TOKEN-{self.issued}"
        self.tokens[value] = Token(account, time.monotonic() + self.lifetime_s)
        answer = {"access_token": value, "scope": SCOPES, "token_type": "Bearer"}
        return answer if self.expires_in is None else answer | {"expires_in": self.expires_in}

    def _known_client(self, form: Mapping[str, str]) -> None:
        name, secret = form.get("client_id"), form.get("client_secret")
        if not name:
            raise oauth_error("invalid_request", "Could not determine client ID from request.")
        if not secret:
            raise oauth_error("invalid_request", "client_secret is missing.")
        if self.clients is not None and self.clients.get(name) != secret:
            raise oauth_error("invalid_client", "The OAuth client was not found.", 401)

    def _no_fault(self, refresh_token: str | None) -> None:
        for place, (token, refusal) in enumerate(self.faults):
            if token in {None, refresh_token}:
                del self.faults[place]
                raise refusal


def oauth_error(error: str, description: str = "", status: int = 400) -> Refusal:
    """Write an error of RFC 6749; `invalid_grant` without words is the recorded one."""
    if error == "invalid_grant" and not description:
        return Refusal(400, json.loads((RECORDINGS / "control" / "token_invalid_grant_400.json").read_text("utf-8")))
    return Refusal(status, {"error": error, "error_description": description or "Bad Request"})


def _proves(form: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    """Check the PKCE verifier where a challenge was sent."""
    challenge = asked.get("code_challenge")
    if challenge is None:
        return True
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge


def _number(text: str) -> str:
    return str(int(hashlib.sha256(text.encode()).hexdigest()[:16], 16)).zfill(21)[:21]
