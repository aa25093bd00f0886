"""Who a request comes from where proxies stand before this server: [server] trusted_proxies.

A proxy that is trusted says it in X-Forwarded-For, to whose right end each one adds whom it got the request from, and
in X-Forwarded-Proto. What anybody else writes there is ignored; nor is a request that bears X-Forwarded-For or
Forwarded ever one of this machine (`gateway.middleware.auth.is_local`). Forwarded (RFC 7239) says nothing else here.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

__all__ = ["ANY", "Proxies", "misspelt"]

ANY: Final = "*"
_UNIX: Final = "unix:"  # whoever connects through a socket that is a file

_FOR: Final = b"x-forwarded-for"
_PROTO: Final = b"x-forwarded-proto"
_SCHEMES: Final = frozenset({b"http", b"https"})
_WORDS: Final = frozenset({ANY, _UNIX})


def misspelt(entry: str) -> str:
    """Say what is wrong with an entry of trusted_proxies; "" = nothing."""
    if entry in _WORDS:
        return ""
    try:
        ip_network(entry)
    except ValueError as error:
        if "host bits" in str(error):
            return f'"{entry}" has host bits set: write "{ip_network(entry, strict=False)}"'
        return f'"{entry}" is not an address, a network such as "10.0.0.0/8", "{_UNIX}" or "{ANY}"'
    return ""


class Proxies:
    """The proxies that are trusted: addresses, networks, "unix:", or "*" for all; raises ValueError for another."""

    def __init__(self, trusted: Iterable[str]) -> None:
        entries = frozenset(trusted)
        self._all = ANY in entries
        self._unix = _UNIX in entries
        self._networks = [ip_network(entry) for entry in entries - _WORDS]
        self._trusts = lru_cache(maxsize=4096)(self._contained)

    def seen_through(self, scope: MutableMapping[str, Any], headers: Mapping[bytes, bytes]) -> MutableMapping[str, Any]:
        """Give a scope with the client and the scheme that a trusted proxy says, or the same one where none does."""
        if _FOR not in headers and _PROTO not in headers:
            return scope
        client = scope.get("client")
        peer: str = client[0] if client else ""
        if not (self._trusts(peer) if peer else self._unix or self._all):
            return scope
        said: dict[str, Any] = {}
        found = self._client(scope["headers"])
        if found:
            said["client"] = (found, 0)
        scheme = headers.get(_PROTO, b"").rpartition(b",")[2].strip().lower()
        if scheme in _SCHEMES:
            said["scheme"] = scheme.decode()
        return {**scope, **said}

    def _client(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Give the rightmost address that is no trusted proxy's, the leftmost where all are; "" = none is said.

        What stands left of an entry that is no address is nobody's word.
        """
        lines = [value for name, value in headers if name == _FOR]  # a proxy may add a line instead of a word
        found = ""
        for entry in reversed(b",".join(lines).decode("latin-1").split(",")):
            address = _address(entry.strip())
            if address is None:
                break
            found = str(address)
            if not self._trusts(found):
                break
        return found

    def _contained(self, peer: str) -> bool:
        if self._all:
            return True
        address = _address(peer)
        if address is None:
            return False
        return any(address in network for network in self._networks if network.version == address.version)


def _address(entry: str) -> IPv4Address | IPv6Address | None:
    """Read `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`; an IPv4 address may be written as an IPv6 one."""
    if entry.startswith("["):
        host = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        host = entry.partition(":")[0]
    else:
        host = entry
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
