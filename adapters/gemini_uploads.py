"""The addresses of uploads: Google's lead past this gateway, so a caller is given one that leads through it.

Clients send no key to such an address. It holds whose API key took the upload, whose caller it is and how long it is
good, proved with its path by that key, so that any worker of this gateway can check it.
"""

import hmac
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode

from gateway.adapters.credential import Credential
from gateway.clock import Clock

__all__ = ["Ticket", "Uploads", "bare", "keyless"]

_TICKET: Final = "gateway_ticket"
# the ticket, and Google's parameters that say who calls, who pays, or that the method is another one
_NOT_GOOGLES: Final = frozenset(
    {_TICKET, "key", "access_token", "oauth_token", "bearer_token", "userproject", "$userproject"}
    | {"$httpmethod", "$httpheaders"}
)
_LIFE_S: Final = 86_400
_ID_DIGITS: Final = 16


class Ticket(NamedTuple):
    """Whose upload goes on at an address: by which API key, for whom, and until when, in Unix seconds."""

    owner: Credential
    principal: str
    end: int


class Uploads:
    """Makes and checks addresses."""

    def __init__(self, credentials: Iterable[Credential], clock: Clock) -> None:
        self._by_id: Mapping[str, Credential] = {one.id[:_ID_DIGITS]: one for one in credentials}
        self._clock = clock

    def moved(self, address: str, owner: Credential, principal: str, end: int = 0) -> str:
        """Give the address here for one at the upstream, both without what stands before the path, and without its key.

        `end`: until when it is good, in Unix seconds; 0 = a day.
        """
        path, _, query = keyless(address).partition("?")
        said = f"{owner.id[:_ID_DIGITS]}.{end or int(self._clock.time()) + _LIFE_S}.{principal}"
        ticket = urlencode({_TICKET: f"{owner.sign(_signed(path, query, said))}.{said}"})
        return f"{path}?{query}&{ticket}" if query else f"{path}?{ticket}"

    def check(self, path: str, query: str) -> Ticket | None:
        """Give what an address says that was made here; None for any other."""
        ticket = next((value for name, value in parse_qsl(query) if name == _TICKET), "")
        proof, _, said = ticket.partition(".")
        owner_id, _, rest = said.partition(".")
        end, _, principal = rest.partition(".")
        owner = self._by_id.get(owner_id)
        if owner is None or not hmac.compare_digest(owner.sign(_signed(path, query, said)).encode(), proof.encode()):
            return None
        return Ticket(owner, principal, int(end)) if self._clock.time() <= int(end) else None


def bare(query: str) -> str:
    """Give a query without what is not for Google, each pair else as it was written."""
    pairs = (pair for pair in query.split("&") if unquote(pair.partition("=")[0]).lower() not in _NOT_GOOGLES)
    return "&".join(pairs)


def keyless(address: str) -> str:
    """Give an address with a bare query."""
    path, _, query = address.partition("?")
    query = bare(query)
    return f"{path}?{query}" if query else path


def _signed(path: str, query: str, said: str) -> str:
    """Give the text to prove: path, and what the query says, however they are written."""
    return f"{unquote(path)}\n{urlencode(parse_qsl(bare(query), keep_blank_values=True))}\n{said}"
