"""Keep secrets out of logs, errors and tracebacks: `Secret` hides itself, `redact` masks what reached a text.

    redact   what looks like a credential, in any text
    Hider    known secrets besides
    conceal  in what a server answers, the credentials that it was shown (`credentials_in`) and now repeats

Every pattern begins with a literal and consumes what it scans, so that the time is linear in the text.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hmac import compare_digest
from string import ascii_letters, digits
from typing import Final
from urllib.parse import parse_qsl, quote

__all__ = ["Hider", "Secret", "conceal", "credentials_in", "redact"]

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
_FIELDS: Final = (
    "access_token|refresh_token|id_token|client_secret|code_verifier|api_key|encryption_key|password"
    "|authorization_token|api_key_string|apikeystring"  # of Anthropic's mcp_servers, and of Vertex AI's tools
)
# each with words, in lower case, without any of which it is nowhere: to look for them costs a tenth
_PATTERNS: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("authorization",), rf"((?:proxy-)?authorization(?:{_IS}))[^\r\n\"',;}}\\]++"),
    (("api-key",), rf"((?<![\w-])(?:x-goog-api-key|x-api-key|api-key)(?:{_IS}))[^\s\"',;}}\\]++"),
    # "client_secret": "…" and client_secret=…, but not the prose "api_key: it is missing"
    (tuple(_FIELDS.split("|")), rf"((?<![a-z0-9])(?:{_FIELDS})(?:=|(?:{_Q})?\s*+[:=]\s*+b?{_Q}))[^\s\"',;&}}\\]++"),
    # of Azure's data_sources; "key" alone may be anything
    (("api_key",), rf"(api_key{_Q}\s*+,\s*+{_Q}key{_Q}\s*+:\s*+{_Q})[^\s\"',;}}\\]++"),
    # what a browser keeps, in a header or alone
    (("cookie",), rf"((?<![\w-])(?:set-)?cookie(?:{_IS}))[^\r\n\"']++"),
    (("gateway_",), r"((?<![\w-])gateway_(?:session|session_\d++|login_[0-9a-f]++)=)[\w.-]++"),
    # query values, also at the beginning of a query alone
    (
        ("key=", "code=", "token=", "state=", "sig=", "signature=", "secret="),
        r"([?&\"'](?:key|code|token|state|sig|signature|secret)=)[^&\s\"'#\\]++",
    ),
    # scheme://user:password@host, up to the last @, as a URL is read
    (("://",), r"(://[^\s:/?#@\"']*+:)[^\s/?#\"']+(?=@)"),
    # the shapes of the credentials themselves
    (("bearer",), r"((?<![\w-])bearer\s++)[\w.~+/=-]{6,}+"),
    (("ya29.",), r"((?<![\w-])ya29\.)[\w.-]++"),
    (("1//", r"1\/\/"), r"((?<![\w/-])1\\?/\\?/)[\w-]{6,}+"),
    (("sk-",), r"((?<![\w-])sk-)[\w-]{6,}+"),
    (("gw-",), r"((?<![\w-])gw-)[\w-]{20,}+"),  # what people may see of one is shorter
    (("aiza",), r"((?<![\w-])AIza)[\w-]{10,}+"),
    (("gocspx-",), r"((?<![\w-])GOCSPX-)[\w-]++"),
    (("eyj",), r"((?<![\w.-])eyJ)[\w-]++\.[\w-]++(?:\.[\w-]++)?"),
)
_COMPILED: Final = tuple((words, re.compile(pattern, re.IGNORECASE)) for words, pattern in _PATTERNS)
_MASKED: Final = rf"\g<1>{MASK}"
_ESCAPE: Final = r"(?:\\{1,4})"
_PIECES: Final = re.compile(r"(\\*)([^\\]?)", re.DOTALL)  # backslashes, and what stands behind them
_UNRESERVED: Final = frozenset(ascii_letters + digits + "-._~")  # in an address: whoever writes them writes them so
_SHORTEST: Final = 4  # a shorter secret would shred every line
_SHORTEST_SHOWN: Final = 8  # and one of a local server, such as "none", the JSON of an answer


# what a request shows besides credentials
_OPEN_HEADERS: Final = re.compile(
    r"accept(?:-encoding)?|(?:content|if|x-goog-upload)-.+|range|user-agent|x-(?:goog-fieldmask|server-timeout)"
    r"|(?:anthropic|openai)-(?:version|beta)",
    re.IGNORECASE,
)
_FORM: Final = "application/x-www-form-urlencoded"
_OPEN_FIELDS: Final = frozenset({"audience", "client_id", "grant_type", "redirect_uri", "scope"})


def redact(text: str, secrets: Iterable[Secret | str] = ()) -> str:
    """Mask credentials in a line that will be logged or shown; `secrets` are masked wherever they stand."""
    return Hider(secrets)(text)


class Hider:
    """Masks these secrets wherever they stand, however they are written, and what looks like a credential."""

    def __init__(self, secrets: Iterable[Secret | str]) -> None:
        values = (value.reveal() if isinstance(value, Secret) else value for value in secrets)
        self._known = [re.compile(_spelt(value)) for value in _long(values, _SHORTEST)]

    def __call__(self, text: str) -> str:
        """Mask them in a text."""
        for known in self._known:
            text = known.sub(MASK, text)
        folded = text.casefold()
        for words, pattern in _COMPILED:
            if any(word in folded for word in words):
                text = pattern.sub(_MASKED, text)
        return text


def credentials_in(headers: Mapping[str, str], body: bytes = b"") -> tuple[str, ...]:
    """Give what a request shows as credentials, in its headers and in a form, as an answer may repeat it."""
    return _long(_shown(headers, body), _SHORTEST_SHOWN)


def conceal(answer: bytes, credentials: Iterable[str]) -> bytes:
    """Mask credentials in an answer."""
    for credential in credentials:
        answer = re.sub(_bytes(_spelt(credential)), MASK.encode(), answer)
    return answer


def _shown(headers: Mapping[str, str], body: bytes) -> Iterator[str]:
    for name, value in headers.items():
        if name.lower() == "content-type" and value.startswith(_FORM):
            for field, given in parse_qsl(body.decode("utf-8", "replace")):
                if field not in _OPEN_FIELDS and not field.endswith("_type"):
                    yield given
        elif _OPEN_HEADERS.fullmatch(name) is None:
            yield from {value, value.rpartition(" ")[2]}  # a scheme may stand before it


def _long(secrets: Iterable[str], least: int) -> tuple[str, ...]:
    """Give those that can be told apart from other words, the longest first."""
    return tuple(sorted({secret for secret in secrets if len(secret) >= least}, key=len, reverse=True))


@lru_cache
def _spelt(secret: str) -> str:
    """Give the pattern of all that a secret may look like: as it is, in an address, in JSON, in JSON within JSON."""
    return "".join(_piece(len(backslashes), behind) for backslashes, behind in _PIECES.findall(secret))


def _piece(backslashes: int, behind: str) -> str:
    """Write some backslashes and what is behind them: all are written alike, so that a text is read in one way only."""
    if not backslashes:
        return _ways(behind)
    escaped = "|".join(rf"\\{{{backslashes * times}}}" for times in (4, 2, 1))  # in JSON within JSON, in JSON, itself
    return rf"(?>(?:{escaped}|(?i:(?:%5c){{{backslashes}}}|(?:{_ESCAPE}u005c){{{backslashes}}})){_ways(behind)})"


def _ways(character: str) -> str:
    """Write one as it may be written; any server's JSON may escape it, PHP's does so with a slash."""
    if not character or character in _UNRESERVED:
        return re.escape(character)
    quoted = quote(character, safe="", errors="replace")
    units = character.encode("utf-16-be", "surrogatepass").hex()
    in_json = "".join(rf"{_ESCAPE}u{units[at : at + 4]}" for at in range(0, len(units), 4))
    return rf"(?:{_ESCAPE}?{re.escape(character)}|(?i:{quoted}|{in_json}))"


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")
