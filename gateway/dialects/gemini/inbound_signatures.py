"""Thought signatures in the hands of a Gemini caller.

SDKs decode `thoughtSignature` as base64, so the envelope goes out as base64 of its text; what comes back may be in
either alphabet, padded or not. A bare one is the upstream's own: both ends speak the same dialect.
"""

import re
from base64 import b64decode, b64encode
from typing import Final

from gateway import ir
from gateway.dialects.edits import DAMAGED
from gateway.dialects.place import Place

from .signatures import SENTINEL

__all__ = ["opened", "read_signature", "write_signature"]

_HEAD: Final = "Z3cxL"  # "gw1." in base64
_NONE: Final = ("", SENTINEL, b64encode(SENTINEL.encode()).decode())
_TAIL: Final = re.compile(r"\.[0-9a-f]{8}\Z")
_DAMAGE: Final = re.compile(r"[^A-Za-z0-9+/]")


def read_signature(value: str, place: Place, *, call: bool) -> ir.Signature | None:
    """Read the signature of a part."""
    if value in _NONE:  # clients put a sentinel where no signature has come
        return None
    text = opened(value)
    if text is None:
        return ir.Signature(None, value, "f" if call else "t")
    signature = ir.unseal(text)
    if signature is None:
        place.lose("thoughtSignature", DAMAGED)
    return signature


def write_signature(signature: ir.Signature | None, *, sealed: bool) -> str | None:
    """Write a signature; None where none may go out."""
    if signature is None or not sealed:
        return None
    return b64encode(ir.seal(signature).encode()).decode() if signature.issuer else signature.value


def opened(value: str) -> str | None:
    """Give an envelope, whole or damaged, in a form that `unseal` knows; None for any other value."""
    if ir.is_sealed(value):
        return value
    digits = value.rstrip("=")
    if not value.startswith(_HEAD) and not _TAIL.search(_decoded(digits[max(0, len(digits) - 16) // 4 * 4 :])):
        return None  # most signatures: long, and not to be decoded
    text = _decoded(digits)
    return text if ir.is_sealed(text) else None


def _decoded(digits: str) -> str:
    """Decode what may have been damaged."""
    sound = _DAMAGE.sub("A", digits.replace("-", "+").replace("_", "/"))
    whole = sound[: len(sound) - 1] if len(sound) % 4 == 1 else sound
    return b64decode(whole + "=" * (-len(whole) % 4)).decode("latin-1")
