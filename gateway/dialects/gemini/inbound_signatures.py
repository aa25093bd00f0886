"""Thought signatures in the hands of a Gemini caller.

SDKs decode `thoughtSignature` as base64, so the envelope goes out as base64 of its text; what comes back may be in
either alphabet, padded or not. A bare one is the upstream's own: both ends speak the same dialect.
"""

import binascii
from base64 import b64decode, b64encode
from typing import Final

from gateway import ir
from gateway.dialects.place import Place

__all__ = ["Envelopes", "write_signature"]

_ENVELOPE: Final = "gw1."
_IN_BASE64: Final = "Z3cxL"


class Envelopes:
    """Reads the signatures of one request; `found`: one of them was in an envelope of ours."""

    def __init__(self) -> None:
        self.found = False

    def read(self, value: str, place: Place, *, call: bool) -> ir.Signature | None:
        """Read the signature of a part."""
        if not value:
            return None
        text = _opened(value)
        if text is None:
            return ir.Signature(None, value, "f" if call else "t")
        self.found = True
        signature = ir.unseal(text)
        if signature is None:
            place.lose("thoughtSignature", "the signature is damaged")
        return signature


def write_signature(signature: ir.Signature | None, *, sealed: bool) -> str | None:
    """Write a signature; None where none may go out."""
    if signature is None or not sealed:
        return None
    return b64encode(ir.seal(signature).encode()).decode() if signature.issuer else signature.value


def _opened(value: str) -> str | None:
    """Give the text of an envelope, None for any other value."""
    if value.startswith(_ENVELOPE):
        return value
    if not value.startswith(_IN_BASE64):
        return None
    digits = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        text = b64decode(digits + "=" * (-len(digits) % 4), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return text if text.startswith(_ENVELOPE) else None
