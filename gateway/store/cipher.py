"""Fernet with the keys of store.encryption_key, newest first; without any, everything stays in clear."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gateway.store.stored import KeyProblem

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
            self._newest = Fernet(keys[0]) if keys else None
            self._all = MultiFernet([Fernet(key) for key in keys]) if keys else None
        except ValueError:
            raise KeyProblem("is not a key: 32 bytes in URL-safe base64") from None
        self.keys = tuple(sha256(key.encode()).hexdigest()[:8] for key in keys)
        self.key = self.keys[0] if keys else ""
        self._open_text = lru_cache(_OPENED)(self._decrypt_text)

    def encrypt(self, data: bytes) -> bytes:
        """Write under the newest key."""
        return self._newest.encrypt(data) if self._newest is not None and data else data

    def decrypt(self, data: bytes) -> bytes:
        """Read what any of the keys opens, or what is in clear; raise KeyProblem."""
        if not data.startswith(_ENCRYPTED):
            return data
        if self._all is None:
            raise KeyProblem(f"is not set, but {self._place} is encrypted")
        try:
            return self._all.decrypt(data)
        except InvalidToken:
            raise self.refused() from None

    def renewed(self, data: bytes) -> bytes | None:
        """Write again what is in clear or under an older key; None = it need not be."""
        if self._newest is None or not data or _opens(self._newest, data):
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


def _opens(fernet: Fernet, data: bytes) -> bool:
    try:
        fernet.decrypt(data)
    except InvalidToken:
        return False
    return True
