"""Signatures of thoughts: fresh ones for replies, and the judgement of those that come back.

Claude's are base64 twice, so they begin with `R`; Gemini's are base64 once. The sentinel stands for a missing
signature on a function call, on Gemini only. The text of a thought that this fake signed may not be changed. Signatures
do not live for ever: they end with a change of route, of account or of model.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from tests.fakes.v1internal_models import Family

SENTINEL = "skip_thought_signature_validator"


@dataclass
class Signatures:
    """Issues signatures and remembers whose they are, what they signed, and which are good no more.

    `picture_bytes`: how long those of pictures are, before base64; real ones have about a megabyte.
    """

    picture_bytes: int = 64
    issued: dict[str, tuple[Family, str]] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)

    def sign(self, family: Family, text: str = "", size_bytes: int = 64) -> str:
        """Make a signature of this family over one thought."""
        label = f"FAKE-{family}-SIGNATURE-{len(self.issued) + 1}-".upper().ljust(size_bytes, "-")
        value = base64.b64encode(b"\x12\x40" + label.encode()).decode()
        if family == "claude":
            value = base64.b64encode(value.encode()).decode()
        self.issued[value] = (family, text)
        return value

    def revoke(self, *values: str) -> None:
        """Refuse these from now on; without any, all that were issued so far."""
        self.revoked.update(values or self.issued)

    def signs(self, value: str, thought: str) -> bool:
        """Say whether Claude made this signature, for this thought."""
        if value in self.revoked:
            return False
        if value in self.issued:
            family, signed = self.issued[value]
            return family == "claude" and thought in {"", signed}
        return looks_like_claude(value) and decodes(base64.b64decode(value).decode("latin-1"))


def looks_like_claude(value: str) -> bool:
    """Say whether this is base64 of base64, by its first letter."""
    return value.startswith("R") and decodes(value)


def decodes(value: str) -> bool:
    """Say whether proto JSON reads this as bytes: base64 in either alphabet, padded or not."""
    text = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return bool(text)
