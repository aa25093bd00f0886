"""Access tokens of accounts, and why there is none; wherever they come from."""

from typing import Final

from msgspec import Struct

from gateway.dialects.gemini.errors import mask

__all__ = ["RefreshFailed", "Tokens"]

_MAX_REASON: Final = 300


class Tokens(Struct, frozen=True):
    """What the endpoint gave. `refresh_token` None: the old one stays; `id_token`, `scopes`: of a login, if it says."""

    access_token: str
    lifetime_s: float
    refresh_token: str | None = None
    id_token: str = ""
    scopes: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Tokens(lifetime_s={self.lifetime_s})"


class RefreshFailed(Exception):
    """No new token. `reason` begins with the OAuth error's name; `told`: what callers learn of it.

    `revoked`: only a new login helps; `misconfigured`: the account is not to blame, the OAuth client is not its own.
    """

    def __init__(self, reason: str, *, told: str = "", revoked: bool = False, misconfigured: bool = False) -> None:
        self.reason = mask(reason)[:_MAX_REASON].rstrip()  # told again, it is the same
        self.told = told or self.reason
        super().__init__(self.reason)
        self.revoked = revoked
        self.misconfigured = misconfigured
