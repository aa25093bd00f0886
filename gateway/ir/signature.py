"""Thought signatures, and the envelope in which they travel through a caller's hands.

    gw1.<family>.<kind>.<base64url>.<8 hex of SHA-256>

family: g(emini) c(laude) o(penai); kind: t(ext: thoughts and text) f(unction call) w(ords: of a thought that the caller
does not see, behind its signature). The hash finds damage, it keeps no secret. A signature is only ever replayed to
the family that made it. What has the form of an envelope is one, however it begins: a damaged one must not be taken for
a bare signature and sent to anybody. That of `unsigned` says that a thought has none. Gemini's callers get the envelope
in base64, and some bring it back so in another dialect.
"""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from hashlib import sha256
from typing import Final, Literal

from msgspec import Struct

__all__ = ["REDACTED", "Family", "Signature", "family_of", "is_gemini", "is_sealed", "seal", "unseal", "unseal_thought"]

Family = Literal["gemini", "claude", "openai"]

_LETTERS: dict[Family, str] = {"gemini": "g", "claude": "c", "openai": "o"}
_FAMILIES: dict[str, Family] = {letter: family for family, letter in _LETTERS.items()}
# Stands before sealed thoughts where they travel as a signature; like an envelope, so that nobody takes them for one.
REDACTED: Final = "gw1.redacted_thinking."
_NOBODYS: Final = "unsigned"
_BEHIND: Final = "\n"  # a signature, and its thought's words
_CODED: Final = "Z3cxLm"  # "gw1." and the letter of any family, in base64
# bare signatures are base64 in either alphabet, which has no dot
_FORM: Final = re.compile(rf"gw1\..*|.{{5}}\.[tfw]\.[\w-]*\.[0-9a-f]{{8}}|{_CODED}.*", re.DOTALL | re.ASCII)


class Signature(Struct, gc=False, frozen=True):
    """An opaque value by which a model family recognises its own thoughts.

    `issuer` None: came back bare, so nobody knows who made it.
    """

    issuer: Family | None
    value: str
    kind: Literal["t", "f"] = "t"


@lru_cache(maxsize=256)
def family_of(model: str) -> Family:
    """Tell a model's family from its name, by which signatures and schema rules go; what is nobody's is Gemini's."""
    name = model.lower()
    if "claude" in name:
        return "claude"
    if "gpt" in name or name.rpartition("/")[2].startswith(("o1", "o3", "o4")):  # `openai/o3` at OpenRouter
        return "openai"
    return "gemini"


def is_gemini(model: str) -> bool:
    """Tell whether a name says that it is Gemini's: at a server of OpenAI's API most models are nobody's known."""
    return "gemini" in model.lower()


def seal(signature: Signature, words: str = "") -> str:
    """Put a signature into its envelope; one without issuer stays bare.

    `words`: what it signs, where the caller does not see that. Claude wants it back where it does not speak its own
    dialect: "thinking.thinking: Field required".
    """
    if signature.issuer is None:
        return signature.value
    kind: str = signature.kind
    value = signature.value or _NOBODYS
    if words and signature.issuer == "claude" and kind == "t" and signature.value and _BEHIND not in signature.value:
        kind, value = "w", f"{value}{_BEHIND}{words}"
    body = urlsafe_b64encode(value.encode("utf-8", "replace")).decode().rstrip("=")
    head = f"gw1.{_LETTERS[signature.issuer]}.{kind}.{body}"
    return f"{head}.{_check(head)}"


def is_sealed(text: str) -> bool:
    """Tell an envelope, whole or damaged, from a bare signature."""
    return _FORM.fullmatch(text) is not None


def unseal(text: str) -> Signature | None:
    """Take a signature out of its envelope; None when the envelope is damaged, without value where nobody signed.

    What is no envelope comes back bare, without issuer.
    """
    return unseal_thought(text)[0]


def unseal_thought(text: str) -> tuple[Signature | None, str]:
    """Take a thought's signature out of its envelope, and the words that the caller has not seen."""
    if not is_sealed(text):
        return (Signature(None, text) if text else None), ""
    head, _, check = text.rpartition(".")
    fields = head.split(".")
    if len(fields) != 4 or check != _check(head) or fields[0] != "gw1":
        return unseal_thought(_decoded(text)) if text.startswith(_CODED) else (None, "")
    _, letter, kind, body = fields
    issuer = _FAMILIES.get(letter)
    if issuer is None or kind not in ("t", "f", "w"):
        return None, ""
    try:
        value = urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode()
    except (binascii.Error, ValueError):
        return None, ""
    value, _, words = value.partition(_BEHIND) if kind == "w" else (value, "", "")
    return Signature(issuer, "" if value == _NOBODYS else value, "f" if kind == "f" else "t"), words


def _decoded(text: str) -> str:
    """Take an envelope out of base64, in either alphabet, padded or not; nothing where there is none in it."""
    digits = text.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        found = urlsafe_b64decode(digits + "=" * (-len(digits) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""
    return found if found.startswith("gw1.") else ""


def _check(head: str) -> str:
    return sha256(head.encode()).hexdigest()[:8]
