"""Read what a browser brings back from the page where a person agreed, or not, to log an account in (RFC 6749 4.1.2).

redirect address?code=…&state=…&iss=…        the person agreed
redirect address?error=…&state=…             not
"""

import hmac
import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from gateway.upstream import Consent, LoginFailed

__all__ = ["WrongState", "code_of"]

_ERROR: Final = re.compile(r"[\w.-]{1,60}", re.ASCII)
_MOST: Final = 100


class WrongState(LoginFailed):
    """The answer is not one to this login; the right one may still come."""

    def __init__(self) -> None:
        super().__init__("this response belongs to another login: use the newest link, or start again")


def code_of(consent: Consent, query: str) -> str:
    """Give the code that stands in the query of a redirect; raise LoginFailed."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST)
    except ValueError:
        raise WrongState from None
    given = dict(pairs)
    # RFC 6749 3.1: a parameter stands there once
    if len(given) < len(pairs) or not _same(given.get("state", ""), consent.state):
        raise WrongState
    asked = urlsplit(consent.url)
    if given.get("iss", issuer := f"{asked.scheme}://{asked.netloc}") != issuer:  # RFC 9207
        raise LoginFailed("the response comes from another server than the login started with: start the login again")
    if "error" in given:
        raise LoginFailed(_refusal(given["error"]))
    if not given.get("code"):
        raise LoginFailed("the response has no code: start the login again")
    return given["code"]


def _same(given: str, expected: str) -> bool:
    return bool(expected) and hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _refusal(error: str) -> str:
    if error == "access_denied":
        return "access was denied: start the login again, and agree when asked"
    said = error if _ERROR.fullmatch(error) else "an unknown error"
    return f"the login was refused: {said}"
