"""The people: an account with its project and its state, and the OAuth clients that ask for access to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from tests.fakes.v1internal_errors import RECORDED_PROJECT

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

State = Literal["onboarded", "not_onboarded", "validation_required", "disabled"]


@dataclass(eq=False)
class Account:
    """One Google account.

    `credential` is the refresh token it is known by, `polls` how often its onboarding is asked for before it is done,
    `quotas` what is left of models where that differs from the fake's own `models`, `consents` what its owner has
    granted to whom.
    """

    credential: str = ""
    email: str = "user@example.invalid"
    project: str = RECORDED_PROJECT
    state: State = "onboarded"
    polls: int = 0
    operation: str = ""
    quotas: dict[str, float | None] = field(default_factory=dict)
    consents: dict[str, frozenset[str]] = field(default_factory=dict)
    sub: str = ""

    def __post_init__(self) -> None:
        digest = hashlib.sha256((self.credential or self.email).encode()).hexdigest()
        self.sub = self.sub or str(int(digest[:16], 16)).zfill(21)[:21]

    def known_as(self, name: str) -> bool:
        """Say whether a refresh token, an e-mail address or a number means this account."""
        return name in {self.credential, self.email, self.sub}


@dataclass(frozen=True)
class OAuthClient:
    """A client as it is registered: a web client has its redirects, a desktop client any place on loopback."""

    name: str
    secret: str
    redirects: frozenset[str] = frozenset()
    desktop: bool = False

    def __post_init__(self) -> None:
        for redirect in self.redirects:
            place = urlsplit(redirect)
            if place.fragment or (place.scheme != "https" and place.hostname not in LOOPBACK):
                raise ValueError(f"Invalid Redirect: {redirect} must use https and have no fragment")

    def takes(self, redirect: str) -> bool:
        """Say whether the browser may be sent there: the very text, or any port of loopback for a desktop client."""
        if redirect in self.redirects:
            return True
        place = urlsplit(redirect)
        return self.desktop and place.scheme == "http" and place.hostname in LOOPBACK and not place.fragment
