"""Fernet with the keys of store.encryption_key, newest first; without any, everything stays in clear."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from importlib import import_module
from typing import TYPE_CHECKING, Final

from gateway.store.stored import KeyProblem

if TYPE_CHECKING:
    from gateway.store.fernets import Fernets

__all__ = ["Cipher"]

_ENCRYPTED: Final = b"gAAAA"  # how every Fernet token begins
_OPENED: Final = 4096  # texts that are not decrypted again: rows are read far more often than their secrets change


class Cipher:
    """Write under the newest key, read under any. `place`: what is encrypted, as people are told.

    `key`: by what the newest key is known in the database, "" = there is none; `keys`: so are all.
    """

    def __init__(self, keys: Sequence[str], place: str) -> None:
        self._place = place
        try:
            self._fernets: Fernets | None = import_module("gateway.store.fernets").Fernets(keys) if keys else None
        except ValueError:
            raise KeyProblem("is not a key: 32 bytes in URL-safe base64") from None
        self.keys = tuple(sha256(key.encode()).hexdigest()[:8] for key in keys)
        self.key = self.keys[0] if keys else ""
        self._open_text = lru_cache(_OPENED)(self._decrypt_text)

    def encrypt(self, data: bytes) -> bytes:
        """Write under the newest key."""
        return self._fernets.encrypt(data) if self._fernets is not None and data else data

    def decrypt(self, data: bytes) -> bytes:
        """Read what any of the keys opens, or what is in clear; raise KeyProblem."""
        if not data.startswith(_ENCRYPTED):
            return data
        if self._fernets is None:
            raise KeyProblem(f"is not set, but {self._place} is encrypted")
        opened = self._fernets.decrypt(data)
        if opened is None:
            raise self.refused()
        return opened

    def renewed(self, data: bytes) -> bytes | None:
        """Write again what is in clear or under an older key; None = it need not be."""
        if self._fernets is None or not data or self._fernets.decrypt(data, newest=True) is not None:
            return None
        return self.encrypt(self.decrypt(data))

    def encrypt_text(self, text: str) -> str:
        """Write text."""
        return self.encrypt(text.encode()).decode()

    def decrypt_text(self, text: str) -> str:
        """Read text."""
        return self._open_text(text)

    def refused(self) -> KeyProblem:
        """Say that none of the keys fits."""
        return KeyProblem(f"does not open {self._place}; it was left as it is")

    def _decrypt_text(self, text: str) -> str:
        return self.decrypt(text.encode()).decode()
