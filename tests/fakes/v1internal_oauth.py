"""The OAuth side: token endpoint, codes, user information, and the access tokens in use.

An account is known by its refresh tokens. Access tokens end after `lifetime_s`, whatever `expires_in` said, codes after
`code_lifetime_s`. Faults are set on the object: `fail` refuses, `rotate` gives new refresh tokens, `delay_s` makes it
slow, `hold` keeps callers until `release`, `revoke` is what an owner does to an application. `calls` says who asked
what (`v1internal_token_calls`). Clients are any until one is registered; the consent page (`v1internal_consent`) knows
only registered ones.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.v1internal_accounts import Account, OAuthClient, State
from tests.fakes.v1internal_errors import RECORDINGS, Refusal, google, plain, recorded
from tests.fakes.v1internal_grants import Code, id_token, pkce_failure
from tests.fakes.v1internal_scopes import CLOUD, IDENTITY, SCOPES, granted
from tests.fakes.v1internal_token_calls import TokenCalls

__all__ = ["SCOPES", "Account", "Code", "OAuth", "OAuthClient", "State", "Token", "oauth_error"]


@dataclass
class Token:
    """An access token in use; `credential` is the refresh token behind it, or itself when it is static."""

    account: Account
    ends_at: float
    credential: str
    scope: str = SCOPES


@dataclass(frozen=True)
class Grant:
    """What a refresh token may be used for, and by whom; None is any client."""

    client: str | None = None
    scope: str = SCOPES


@dataclass
class OAuth:
    """Issues tokens and says whose they are."""

    accounts: dict[str, Account] = field(default_factory=dict)
    people: list[Account] = field(default_factory=list)
    tokens: dict[str, Token] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    clients: dict[str, str] | None = None
    deleted: bool = False  # the client of every call
    registered: dict[str, OAuthClient] = field(default_factory=dict)
    calls: TokenCalls = field(default_factory=TokenCalls)
    expires_in: Any = 3599
    lifetime_s: float = 3599
    code_lifetime_s: float = 600
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
        self.tokens[access_token] = Token(owner, float("inf"), access_token)
        return owner

    def add_person(self, email: str, **account: Any) -> Account:
        """Make an account known that has granted nothing yet: it can log in."""
        self.people.append(Account(email=email, **account))
        return self.people[-1]

    def register(self, name: str, secret: str, *redirects: str, desktop: bool = False) -> OAuthClient:
        """Register a client: a web client with its redirects, or a desktop client."""
        self.registered[name] = OAuthClient(name, secret, frozenset(redirects), desktop)
        return self.registered[name]

    def known(self) -> list[Account]:
        """List the accounts, each once."""
        static = (token.account for token in self.tokens.values())
        return list(dict.fromkeys((*self.accounts.values(), *self.people, *static)))

    def find(self, name: str) -> Account:
        """Find an account by a refresh token, its e-mail address or its number."""
        found = self.accounts.get(name) or next((one for one in self.known() if one.known_as(name)), None)
        if found is None:
            raise LookupError(f"no account is known as {name}")
        return found

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
        for value, token in list(self.tokens.items()):
            if credential is None or credential == token.credential or token.account.known_as(credential):
                del self.tokens[value]

    def revoke(self, name: str) -> None:
        """Withdraw what an account has granted: its refresh and access tokens are no longer good."""
        account = self.find(name)
        self._forget([token for token, owner in self.accounts.items() if owner is account])
        account.consents.clear()
        if account not in self.people:
            self.people.append(account)

    def bearer(self, authorization: str, scopes: Iterable[str] = (CLOUD,)) -> Token:
        """Say whose bearer this is, or refuse with the recorded 401, or with the 403 of too small a scope."""
        scheme, _, value = authorization.partition(" ")
        token = self.tokens.get(value.strip()) if scheme.lower() == "bearer" else None
        if token is None or token.ends_at < time.monotonic():
            raise recorded("401_unauthenticated")
        if not set(token.scope.split()).intersection(scopes):
            raise scope_insufficient()
        return token

    def userinfo(self, token: Token) -> dict[str, Any]:
        """Describe the user, as far as the scopes go."""
        known: dict[str, Any] = json.loads((RECORDINGS / "control" / "userinfo.json").read_text("utf-8"))
        known |= {"email": token.account.email, "id": token.account.sub}
        scopes = token.scope.split()
        hidden = {name for scope, names in IDENTITY.items() if scope not in scopes for name in names}
        return {name: value for name, value in known.items() if name not in hidden}

    async def token(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Answer a call of the token endpoint, and note it."""
        call = self.calls.begin(form, self._meant(form))
        try:
            answer = await self._answer(form)
        except Refusal as refusal:
            call.status, call.error = refusal.status, str(refusal.body.get("error", ""))
            raise
        else:
            call.status = 200
            return answer
        finally:
            call.ended_at = time.monotonic()

    async def _answer(self, form: Mapping[str, str]) -> dict[str, Any]:
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

    def _meant(self, form: Mapping[str, str]) -> Account | None:
        code = self.codes.get(form.get("code", ""))
        return code.account if code is not None else self.accounts.get(form.get("refresh_token", ""))

    def _refresh(self, form: Mapping[str, str]) -> dict[str, Any]:
        given = form.get("refresh_token", "")
        account = self.accounts.get(given)
        if account is None:
            raise oauth_error("invalid_grant")
        grant = self.grants.get(given, Grant())
        if grant.client not in {None, form["client_id"]}:
            raise oauth_error("unauthorized_client", "Unauthorized", 401)
        if not self.rotate:
            return self._issue(account, given, grant.scope)
        fresh = f"{given.partition('~')[0]}~{self.issued + 1}"
        self.accounts[fresh], self.grants[fresh] = self.accounts.pop(given), grant
        if account.credential == given:
            account.credential = fresh
        return self._issue(account, fresh, grant.scope) | {"refresh_token": fresh}

    def _exchange(self, form: Mapping[str, str]) -> dict[str, Any]:
        code = self.codes.get(form.get("code", ""))
        if code is None:
            raise oauth_error("invalid_grant", "Malformed auth code.")
        if code.used:
            self._forget(code.refresh_tokens, code.access_tokens)
            raise oauth_error("invalid_grant", "Bad Request")
        code.used = True
        if code.at + self.code_lifetime_s < time.monotonic() or code.query.get("client_id") != form["client_id"]:
            raise oauth_error("invalid_grant", "Bad Request")
        if form.get("redirect_uri") != code.query.get("redirect_uri"):
            raise oauth_error("redirect_uri_mismatch", "Bad Request")
        if failure := pkce_failure(form.get("code_verifier"), code.query.get("code_challenge")):
            raise oauth_error("invalid_grant", failure)
        return self._logged_in(code, form["client_id"])

    def _logged_in(self, code: Code, client: str) -> dict[str, Any]:
        self.logins += 1
        scope = granted(code.query.get("scope", SCOPES))
        offline = code.query.get("access_type") == "offline" and code.asked
        refresh_token = f"1//rt-login-{self.logins}"
        if offline:
            self.accounts[refresh_token] = code.account
            self.grants[refresh_token] = Grant(client, scope)
            code.account.credential = code.account.credential or refresh_token
            code.refresh_tokens.append(refresh_token)
        answer = self._issue(code.account, refresh_token if offline else code.account.email, scope)
        code.access_tokens.append(answer["access_token"])
        answer |= {"refresh_token": refresh_token} if offline else {}
        named = set(scope.split()) & set(IDENTITY)
        return answer | ({"id_token": id_token(code, client)} if named else {})

    def _issue(self, account: Account, credential: str, scope: str) -> dict[str, Any]:
        self.issued += 1
        value = f"FAKE-ACCESS-TOKEN-{self.issued}"
        self.tokens[value] = Token(account, time.monotonic() + self.lifetime_s, credential, scope)
        answer = {"access_token": value, "scope": scope, "token_type": "Bearer"}
        return answer if self.expires_in is None else answer | {"expires_in": self.expires_in}

    def _forget(self, refresh_tokens: Iterable[str], access_tokens: Iterable[str] = ()) -> None:
        gone = set(refresh_tokens)
        for token in gone:
            self.accounts.pop(token, None)
        ended = {value for value, token in self.tokens.items() if token.credential in gone}
        for value in ended.union(access_tokens):
            self.tokens.pop(value, None)

    def _known_client(self, form: Mapping[str, str]) -> None:
        name, secret = form.get("client_id"), form.get("client_secret")
        if not name:
            raise oauth_error("invalid_request", "Could not determine client ID from request.")
        if not secret:
            raise oauth_error("invalid_request", "client_secret is missing.")
        if self.deleted:
            raise oauth_error("deleted_client", "The OAuth client was deleted.", 401)
        known = (self.clients or {}) | {client.name: client.secret for client in self.registered.values()}
        if self.clients is None and not known:
            return
        if name not in known:
            raise oauth_error("invalid_client", "The OAuth client was not found.", 401)
        if known[name] != secret:
            raise oauth_error("invalid_client", "The provided client secret is invalid.", 401)

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


def scope_insufficient() -> Refusal:
    """Write the 403 of a token that was granted for something else."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        "domain": "googleapis.com",
    }
    return google(403, "Request had insufficient authentication scopes.", details=[info])
