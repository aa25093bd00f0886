"""What is kept of a response, and what can be wrong with gateway.db: known without loading what reads and writes it."""

from msgspec import Struct

__all__ = [
    "ChainBroken",
    "ChainTooLong",
    "KeyProblem",
    "NewerTables",
    "StoreFailed",
    "StoredResponse",
    "reason_of",
    "why_away",
]


class StoredResponse(Struct, frozen=True, kw_only=True):
    """One answer. `items`: its input as a JSON array; `response`: the Response object.

    `previous`: the response that it goes on from. `created_at`: Unix seconds. `upstream`: which has made it, and may
    keep it under the same id; "" = it was made here, of a translated answer.
    """

    id: str
    principal: str
    items: bytes
    response: bytes
    created_at: float
    previous: str | None = None
    upstream: str = ""

    def __repr__(self) -> str:
        return f"StoredResponse({self.id})"


class KeyProblem(Exception):
    """The encryption keys and the file do not fit together."""


class StoreFailed(Exception):
    """The file cannot be opened, read or written."""


class NewerTables(StoreFailed):
    """Its tables are of a version that this one does not know."""


class ChainBroken(Exception):
    """A response, or one that it goes on from, is not in the store. `missing`: its id.

    `known`: it was here and is gone, or is another caller's; else it may be an upstream's own.
    """

    def __init__(self, missing: str, *, known: bool = False) -> None:
        super().__init__(missing)
        self.missing = missing
        self.known = known


class ChainTooLong(Exception):
    """A conversation has more responses or bytes than is allowed."""


def reason_of(error: Exception) -> str:
    """Say for the log why a store fails; what is wrong with the keys is told of the key that gives them."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return f"store.encryption_key {error}" if isinstance(error, KeyProblem) else str(error)


def why_away(error: Exception) -> str:
    """Say for the log why Redis cannot be used; asyncio's own timeouts have no words."""
    return str(error) or ("no response in time" if isinstance(error, TimeoutError) else type(error).__name__)
