"""The scopes that the fake knows, and how Google spells what it has granted."""

from __future__ import annotations

PREFIX = "https://www.googleapis.com/auth/"
CLOUD = f"{PREFIX}cloud-platform"
EMAIL = f"{PREFIX}userinfo.email"
PROFILE = f"{PREFIX}userinfo.profile"
SCOPES = f"{CLOUD} {EMAIL}"

# a scope about the user -> what it shows of him
IDENTITY: dict[str, tuple[str, ...]] = {
    EMAIL: ("email", "verified_email"),
    PROFILE: ("name", "picture"),
    "openid": (),
}
SHORT = {"email": EMAIL, "profile": PROFILE}
KNOWN = frozenset({CLOUD, *IDENTITY, *SHORT, f"{PREFIX}cclog", f"{PREFIX}experimentsandconfigs"})


def unknown(scope: str) -> list[str]:
    """List the scopes that do not exist."""
    return [name for name in scope.split() if name not in KNOWN]


def granted(scope: str) -> str:
    """Write scopes as an answer does: short names in full, and `openid` beside what shows the user."""
    names = list(dict.fromkeys(SHORT.get(name, name) for name in scope.split()))
    if "openid" not in names and not {EMAIL, PROFILE}.isdisjoint(names):
        names.append("openid")
    return " ".join(names)
