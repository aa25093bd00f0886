"""Keep secrets out of logs, errors and tracebacks: `Secret` hides itself, `redact` masks what reached a text.

Every pattern begins with a literal and consumes what it scans, so that the time is linear in the text.
"""

import re
from collections.abc import Iterable
from hmac import compare_digest
from typing import Final

__all__ = ["Secret", "redact"]

MASK: Final = "***"


class Secret:
    """A text that no repr, str or format shows; `reveal()` gives it."""

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]  # a hash table would compare in variable time

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the text itself."""
        return self._value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(_bytes(self._value), _bytes(other._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return MASK

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled")


# Group 1 is kept. A quote may stand escaped, as in JSON inside JSON; a header may stand in a tuple of bytes.
_Q: Final = r"\\{0,2}[\"']"
_IS: Final = rf"(?:{_Q})?\s*+[:=]\s*+(?:b?{_Q})?|{_Q},\s*+b?{_Q}"
_FIELDS: Final = "access_token|refresh_token|id_token|client_secret|code_verifier|api_key|encryption_key|password"
_PATTERNS: Final = (
    rf"((?:proxy-)?authorization(?:{_IS}))[^\r\n\"',;}}\\]++",
    rf"((?<![\w-])(?:x-goog-api-key|x-api-key|api-key)(?:{_IS}))[^\s\"',;}}\\]++",
    # "client_secret": "…" and client_secret=…, but not the prose "api_key: it is missing"
    rf"((?<![a-z0-9])(?:{_FIELDS})(?:=|(?:{_Q})?\s*+[:=]\s*+b?{_Q}))[^\s\"',;&}}\\]++",
    # query values
    r"([?&](?:key|code|token|state)=)[^&\s\"'#\\]++",
    # scheme://user:password@host
    r"(://[^\s:/?#@\"']*+:)[^\s/?#@\"']++(?=@)",
    # the shapes of the credentials themselves
    r"((?<![\w-])bearer\s++)[\w.~+/=-]{6,}+",
    r"((?<![\w-])ya29\.)[\w.-]++",
    r"((?<![\w/-])1//)[\w-]{6,}+",
    r"((?<![\w-])sk-)[\w-]{6,}+",
    r"((?<![\w-])AIza)[\w-]{10,}+",
    r"((?<![\w-])GOCSPX-)[\w-]++",
    r"((?<![\w.-])eyJ)[\w-]++\.[\w-]++(?:\.[\w-]++)?",
)
_COMPILED: Final = tuple(re.compile(pattern, re.IGNORECASE) for pattern in _PATTERNS)
_SHORTEST: Final = 4  # a shorter secret would shred every line


def redact(text: str, secrets: Iterable[Secret | str] = ()) -> str:
    """Mask credentials in a line that will be logged or shown; `secrets` are masked wherever they stand."""
    values = {value.reveal() if isinstance(value, Secret) else value for value in secrets}
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            text = text.replace(value, MASK)
    for pattern in _COMPILED:
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return text


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")
