"""An upstream with accounts that a test wrote down, and browsers without eyes that visit its gateway."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
from msgspec.structs import replace
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.clock import Clock
from gateway.upstream import Consent, CredentialView, LoginFailed
from tests.scripted import Scripted, app_of, say
from tests.serving import serve

__all__ = ["ADMIN", "HTML", "Accounts", "account", "configured", "csrf", "log_in", "made", "state_of", "visiting"]

HTML = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
ADMIN = ("admin", "hunter22")
AUTHORIZE = "https://accounts.google.com/o/oauth2/v2/auth"


def account(number: int = 1, **more: Any) -> CredentialView:
    """Make an account that is well."""
    fields: dict[str, Any] = {
        "id": f"{number:064x}",
        "upstream": "google",
        "account": f"person{number}@example.com",
        "project": f"project-{number}",
        "project_source": "discovered",
        "source": "login",
        "state": "active",
        "reason": "",
        "link": "",
        "enabled": True,
        "token_expires_at": None,
        "cooling": {},
        "quota": {},
        "uses": 0,
        "last_used_at": None,
        "last_error": None,
    }
    return CredentialView(**{**fields, **more})


class Accounts(Scripted):
    """Notes what is done to its accounts. `script`: what a login tells, and then its account, or why there is none."""

    def __init__(self, *views: CredentialView, name: str = "google") -> None:
        super().__init__(say("Hello"), name=name)
        self.kept = {view.id: view for view in views}
        self.did: list[tuple[str, ...]] = []
        self.missing = ""
        self.steps: Sequence[str | Callable[[], Awaitable[None]]] = ("It is person9@example.com",)
        self.outcome: CredentialView | Exception = account(9)
        self.logins: list[tuple[Consent, str]] = []

    def states(self) -> Mapping[str, int]:
        states = [view.state for view in self.kept.values()]
        return {state: states.count(state) for state in ("active", "suspected", "cooling", "disabled")}

    def views(self) -> Sequence[CredentialView]:
        return tuple(self.kept.values())

    async def enable(self, id_: str) -> CredentialView:
        return self._change("enable", id_, state="active", enabled=True, reason="")

    async def disable(self, id_: str, reason: str) -> CredentialView:
        return self._change("disable", id_, state="disabled", enabled=False, reason=reason)

    async def check(self, id_: str) -> CredentialView:
        return self._change("check", id_)

    async def remove(self, id_: str) -> None:
        view = self._change("remove", id_)
        if view.source == "config":
            raise ValueError("gateway.toml gives this credential; take it out there")
        del self.kept[id_]

    def consent(self, redirect_uri: str) -> Consent:
        if self.missing:
            raise ValueError(self.missing)
        state = secrets.token_urlsafe(24)
        url = f"{AUTHORIZE}?state={state}&redirect_uri={quote(redirect_uri)}"
        return Consent(url=url, state=state, verifier="the-verifier", redirect_uri=redirect_uri)

    async def log_in(self, consent: Consent, code: str, tell: Callable[[str], Awaitable[None]]) -> CredentialView:
        self.logins.append((consent, code))
        for step in self.steps:
            await (tell(step) if isinstance(step, str) else step())
        if isinstance(self.outcome, Exception):
            raise self.outcome
        self.kept[self.outcome.id] = self.outcome
        return self.outcome

    def _change(self, what: str, id_: str, **fields: Any) -> CredentialView:
        self.did.append((what, id_))
        view = self.kept[id_] = replace(self.kept[id_], **fields)
        return view


FAILED = LoginFailed("the code was refused: it had been used")


def made(tmp_path: Path, *adapters: Scripted, clock: Clock | None = None, **config: Any) -> Starlette:
    """Make an app with an admin password, whatever `config` says besides."""
    whole = {"server": {"data_dir": str(tmp_path)}, "admin": {"password": ADMIN[1]}, **config}
    return app_of(*(adapters or (Accounts(account()),)), config=whole, clock=clock)


def configured(tmp_path: Path, **config: Any) -> Starlette:
    """Make an app of what `config` says alone, with an admin password."""
    whole = {"server": {"data_dir": str(tmp_path / "data")}, "admin": {"password": ADMIN[1]}, "log": {"level": "error"}}
    return create_app({**whole, **config})


@asynccontextmanager
async def visiting(
    app: Any, *, base: str = "", root_path: str = "", **headers: str
) -> AsyncIterator[httpx.AsyncClient]:
    """Visit an app as a browser does: it shows where a form was, and keeps cookies."""
    async with serve(app, root_path=root_path) as url:
        sent = {**HTML, "origin": url, **headers}
        async with httpx.AsyncClient(base_url=url + base, headers=sent, timeout=20) as http:
            yield http


async def log_in(http: httpx.AsyncClient, name: str = ADMIN[0], password: str = ADMIN[1]) -> str:
    """Log in by the form, and give what the forms of the session carry."""
    entered = await http.post("/admin/login", data={"username": name, "password": password})
    assert entered.status_code == 303, entered.text
    return csrf(await http.get("/admin/credentials"))


def csrf(page: httpx.Response) -> str:
    """Read the token of a page's forms."""
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def state_of(redirect: httpx.Response) -> str:
    """Read the state that goes to Google."""
    return parse_qs(urlsplit(redirect.headers["location"]).query)["state"][0]
