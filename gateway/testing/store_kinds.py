"""The kinds of stores, by what is asked of each."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from gateway.signatures import Shared as SharedSignatures
from gateway.store.known import Change, StoredCredential
from gateway.store.stored import StoredResponse
from gateway.store.stored_keys import StoredKey
from gateway.together import Shared as SharedLimits

__all__ = ["Credentials", "Keys", "Limits", "Responses", "Signatures"]


@runtime_checkable
class Responses(Protocol):
    """Keeps the responses that callers go on from, as `gateway.store.responses` does."""

    def save(self, one: StoredResponse) -> bool:
        """Keep one; False when it is larger than all may be."""
        ...

    def load(self, principal: str, id_: str, now: float) -> StoredResponse | None:
        """Give a caller's own."""
        ...

    def chain(self, principal: str, id_: str, now: float, *, depth: int, max_bytes: int) -> list[StoredResponse]:
        """Give one and all that it goes on from, oldest first; raise ChainBroken or ChainTooLong."""
        ...

    def delete(self, principal: str, id_: str, now: float) -> bool:
        """Forget a caller's own; False when there is none."""
        ...


@runtime_checkable
class Keys(Protocol):
    """Keeps the keys that were made at run time, as `gateway.store.keys` does."""

    def add(self, key: StoredKey) -> None:
        """Keep a new one; raise KeyExists."""
        ...

    def remove(self, name: str) -> None:
        """Revoke one; raise KeyError."""
        ...

    def since(self, number: int) -> list[StoredKey]:
        """Give those that changed after a number, the revoked ones, too."""
        ...


@runtime_checkable
class Credentials(Protocol):
    """Keeps the credentials of upstreams, and who tends them, as `gateway.store.credentials` does."""

    def add(self, upstream: str, row: StoredCredential) -> StoredCredential:
        """Keep one."""
        ...

    def learn(self, upstream: str, changes: Sequence[Change], now: float) -> list[StoredCredential]:
        """Note what was learnt."""
        ...

    def load(self, upstream: str) -> dict[str, StoredCredential]:
        """Give those of an upstream."""
        ...

    def remove(self, upstream: str, id_: str, now: float) -> None:
        """Forget one."""
        ...

    def take_lease(self, name: str, owner: str, seconds: float) -> bool:
        """Have something alone for a while."""
        ...

    def end_lease(self, name: str, owner: str) -> None:
        """Give it back."""
        ...


@runtime_checkable
class Signatures(SharedSignatures, Protocol):
    """Keeps the signatures of calls for all hosts, as `gateway.store.signatures` does."""


@runtime_checkable
class Limits(SharedLimits, Protocol):
    """Counts what callers use for all processes, as `gateway.store.shared_limits` does."""
