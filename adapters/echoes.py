"""Words of a request that its refusal repeats: what they say of a credential, nobody has said of it.

An upstream quotes what it does not take, such as a value, the name of a field or a beta, and callers choose that.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import msgspec

__all__ = ["COSTLY", "OF_CREDENTIAL", "repeats"]

OF_CREDENTIAL: Final = frozenset({"key", "banned", "quota"})  # causes that disable one, or let it rest
COSTLY: Final = set[str]()  # the words of all upstreams that cost a credential, in lower case

_OTHER: Final = re.compile(r"[\W_]+")  # how something is escaped, quoted and joined differs
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


def repeats(refusal: bytes, asked: Iterable[bytes]) -> bool:
    """Tell whether a refusal has such words, and what was asked has them, too."""
    said = _letters(refusal)
    costly = [words for words in (_OTHER.sub("", each) for each in COSTLY) if words in said]
    return bool(costly) and any(words in _letters(one) for one in asked for words in costly)


def _letters(document: bytes) -> str:
    with suppress(ValueError):  # it is no JSON
        document = _encode(_decode(document))
    return _OTHER.sub("", document.decode(errors="replace").lower())
