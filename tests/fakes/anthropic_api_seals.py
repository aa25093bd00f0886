"""Seals of what comes back: signatures of thoughts, redacted thoughts, encrypted search results.

A seal is over the value as it was returned, by a key that all fakes share: one fake takes what another gave, but not
what was changed or made up. https://platform.claude.com/docs/en/build-with-claude/extended-thinking
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

__all__ = ["Seals"]

KEY = b"the key of the fakes"


@dataclass
class Seals:
    """Makes seals, and knows its own; `revoked` are good no more."""

    revoked: set[str] = field(default_factory=set)

    def seal(self, kind: str, value: str) -> str:
        """Seal a value that is shown."""
        digest = hmac.digest(KEY, f"{kind} {value}".encode("utf-8", "surrogatepass"), hashlib.sha512)
        return base64.b64encode(b"\x12\xb8\x01" + kind.encode() + digest).decode()

    def holds(self, kind: str, value: str, seal: str) -> bool:
        """Say whether this is the seal of this value."""
        return seal not in self.revoked and hmac.compare_digest(self.seal(kind, value).encode(), seal.encode())

    def hide(self, kind: str, value: str) -> str:
        """Make a seal with the value inside, for what is not shown."""
        inside = base64.b64encode(value.encode()).decode()
        return f"{self.seal(kind, inside)}{inside}"

    def hid(self, kind: str, hidden: str) -> bool:
        """Say whether this was hidden here."""
        size = len(self.seal(kind, ""))
        return hidden not in self.revoked and self.holds(kind, hidden[size:], hidden[:size])

    def revoke(self, *values: str) -> None:
        """Refuse these from now on."""
        self.revoked.update(values)
