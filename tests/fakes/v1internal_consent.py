"""The consent pages: choose an account, then Allow or Deny, in plain forms that a browser can press.

    fake.oauth.register("our-client", "secret", "https://gateway.example/oauth2/callback")
    fake.oauth.register("our-desktop", "secret", desktop=True)      # any port of loopback
    fake.oauth.add_person("new@example.invalid", state="not_onboarded", polls=3)
    press(f"{fake.authorize_url}?…", "new@example.invalid")         # google_browser, which needs no Chromium

What is asked wrongly gets Google's error page and no redirect. The owner of an account that has granted all this to
this client before is asked again only with `prompt=consent`. `issuer` goes into the redirect as `iss` when it is set.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.fakes import v1internal_consent_html as html
from tests.fakes import v1internal_scopes as scopes
from tests.fakes.v1internal_accounts import Account
from tests.fakes.v1internal_consent_checks import CHECKS, PageError
from tests.fakes.v1internal_oauth import Code, OAuth

__all__ = ["Consent", "Location", "PageError", "Pending"]


@dataclass(frozen=True)
class Location:
    """Where the browser is sent."""

    url: str


@dataclass
class Pending:
    """A request that its owner has not decided yet."""

    query: Mapping[str, str]
    account: Account | None = None


@dataclass
class Consent:
    """Shows the pages; each answer of these methods is a page, or with `Location` where the browser goes."""

    oauth: OAuth
    issuer: str = ""
    pending: dict[str, Pending] = field(default_factory=dict)

    def begin(self, parameters: Iterable[tuple[str, str]]) -> str | Location:
        """Judge a request, and show the accounts, or at once the question where `login_hint` names one."""
        query: dict[str, str] = {}
        for name, value in parameters:
            if name in query:
                raise PageError("invalid_request", f"OAuth 2 parameters can only have a single value: {name}")
            query[name] = value
        for check in CHECKS:
            check(query, self.oauth)
        number = secrets.token_urlsafe(16)
        self.pending[number] = Pending(query)
        account = self._account(query.get("login_hint", ""))
        if account is not None:
            return self._ask(number, account)
        return self._chooser(number)

    def choose(self, form: Mapping[str, str]) -> str | Location:
        """Take the account that was chosen or typed."""
        number, _ = self._found(form)
        account = self._account(form.get("account", "").strip())
        if account is None:
            return self._chooser(number, "Couldn't find your Google Account")
        return self._ask(number, account)

    def decide(self, form: Mapping[str, str]) -> Location:
        """Send the browser back with what the owner decided."""
        number, pending = self._found(form)
        if pending.account is None or form.get("decision") not in {"allow", "deny"}:
            raise PageError("invalid_request", "No decision was made.")
        del self.pending[number]
        if form["decision"] == "deny":
            return self._back(pending.query, {"error": "access_denied"})
        return self._granted(pending.query, pending.account, asked=True)

    def _ask(self, number: str, account: Account) -> str | Location:
        pending = self.pending[number]
        pending.account = account
        query = pending.query
        before = account.consents.get(query["client_id"], frozenset())
        wanted = scopes.granted(query["scope"]).split()
        if "consent" not in query.get("prompt", "").split() and before.issuperset(wanted):
            del self.pending[number]
            return self._granted(query, account, asked=False)
        listed = "".join(f"<li>{html.safe(scope)}" for scope in wanted)
        return html.page(
            "Sign in - Google Accounts",
            f"<h1>{html.safe(query['client_id'])} wants access to your Google Account</h1><p>{html.safe(account.email)}"
            f"<ul>{listed}</ul>"
            + html.form(
                "/signin/oauth/consent",
                number,
                html.button("decision", "deny", "Deny"),
                html.button("decision", "allow", "Allow"),
            ),
        )

    def _granted(self, query: Mapping[str, str], account: Account, *, asked: bool) -> Location:
        client = query["client_id"]
        scope = scopes.granted(query["scope"])
        account.consents[client] = account.consents.get(client, frozenset()) | set(scope.split())
        code = f"4/0AFake{secrets.token_urlsafe(24)}"
        self.oauth.codes[code] = Code(query, account, asked)
        return self._back(query, {"code": code, "scope": scope, "authuser": "0"})

    def _back(self, query: Mapping[str, str], answer: Mapping[str, str]) -> Location:
        state = {"state": query["state"]} if "state" in query else {}
        issuer = {"iss": self.issuer} if self.issuer else {}
        joint = "&" if "?" in query["redirect_uri"] else "?"
        return Location(f"{query['redirect_uri']}{joint}{urlencode({**state, **issuer, **answer})}")

    def _chooser(self, number: str, problem: str = "") -> str:
        emails = dict.fromkeys(account.email for account in self.oauth.known())
        buttons = [html.button("account", email, email) for email in emails]
        typed = '<label>Email or phone <input name="account" type="email"></label>', "<button>Next</button>"
        client = html.safe(self.pending[number].query["client_id"])
        return html.page(
            "Sign in - Google Accounts",
            f"<h1>Choose an account</h1><p>to continue to {client}<p role=alert>{html.safe(problem)}</p>"
            + html.form("/signin/oauth/chooser", number, *buttons)
            + html.form("/signin/oauth/chooser", number, *typed),
        )

    def _found(self, form: Mapping[str, str]) -> tuple[str, Pending]:
        number = form.get("request", "")
        if number not in self.pending:
            raise PageError("invalid_request", "This request has ended. Go back to the application and try again.")
        return number, self.pending[number]

    def _account(self, email: str) -> Account | None:
        return next((one for one in self.oauth.known() if one.email == email), None) if email else None
