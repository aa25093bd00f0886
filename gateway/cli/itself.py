"""Whether an address is this gateway's own: an upstream there would have it call itself, again and again."""

from typing import Final
from urllib.parse import urlsplit

from gateway.cli.connect import address_of, local_address
from gateway.config import Loaded

__all__ = ["is_own"]

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0"})  # noqa: S104 - what is compared with


def is_own(loaded: Loaded, url: str, address: str = "") -> bool:
    """Compare with the configured addresses, and with the one that it listens on."""
    owns = (address_of(loaded), local_address(loaded), *([address] if address else ()))
    return any(_same(url, own) for own in owns)


def _same(url: str, own: str) -> bool:
    one, other = _place(url), _place(own)
    return one == other or (one[1] == other[1] and one[0] in _LOOPBACK and other[0] in _LOOPBACK)


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
