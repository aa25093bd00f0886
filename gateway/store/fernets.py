"""Fernet with several keys; apart, because it takes six megabytes that a gateway without keys need not have."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

__all__ = ["Fernets"]


class Fernets:
    """Encrypts under the newest key, the first, and decrypts under any; raises ValueError where one is no key."""

    def __init__(self, keys: Sequence[str]) -> None:
        fernets = [Fernet(key) for key in keys]
        self._newest, self._all = fernets[0], MultiFernet(fernets)

    def encrypt(self, data: bytes) -> bytes:
        """Give a token."""
        return self._newest.encrypt(data)

    def decrypt(self, token: bytes, *, newest: bool = False) -> bytes | None:
        """Give what is in a token; None where no key, or not the newest, opens it."""
        try:
            return (self._newest if newest else self._all).decrypt(token)
        except InvalidToken:
            return None
