"""Words of a request that its refusal repeats: what they say of a credential or a model, nobody has said of it.

An upstream quotes what it does not take, such as a value, the name of a field or a beta, and callers choose that.
"""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

import msgspec

__all__ = ["COSTLY", "LESSONS", "OF_CREDENTIAL", "READERS", "lasting", "repeats"]

OF_CREDENTIAL: Final = frozenset({"key", "banned", "quota"})  # causes that disable one, or let it rest
COSTLY: Final = set[str]()  # the words of all upstreams that cost a credential, in lower case
LESSONS: Final = set[str]()  # the words of all upstreams that tell how their requests are to be written, likewise
READERS: Final = list[Callable[[str], str]]()  # give the words of a lesson that is in no table, "" = there is none

_OTHER: Final = re.compile(r"[\W_]+")  # how something is escaped, quoted and joined differs
_QUOTED: Final = str.maketrans("", "", "`'\"\\")
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


def repeats(cause: str, refusal: bytes, asked: Iterable[bytes]) -> bool:
    """Tell whether a refusal has words that mean such a cause, and what was asked has them, too."""
    plain = _letters if cause in OF_CREDENTIAL else _unquoted  # without signs a lesson may be any request's own form
    said = plain(refusal)
    if cause in OF_CREDENTIAL:
        known = [_OTHER.sub("", words) for words in COSTLY]
    else:
        known = [*LESSONS, *(read(said) for read in READERS)]
    found = [words for words in known if words and words in said]
    return bool(found) and any(words in one for one in map(plain, asked) for words in found)


def lasting(said: str) -> str:
    """Give those words of a refusal that come again with it: many end with the id of the request, or the time."""
    return " ".join(word for word in said.split() if not any(map(str.isdigit, word)))


def _letters(document: bytes) -> str:
    return _OTHER.sub("", _plain(document))


def _unquoted(document: bytes) -> str:
    return _plain(document).translate(_QUOTED)


def _plain(document: bytes) -> str:
    with suppress(ValueError):  # it is no JSON
        document = _encode(_decode(document))
    return document.decode(errors="replace").lower()
