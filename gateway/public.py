"""Which addresses are the public internet's: those that a server may be led to by what a stranger writes."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

__all__ = ["is_public"]

_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address

_PROTOCOLS: Final = IPv4Network("192.0.0.0/24")  # RFC 6890; Python's versions differ on its parts


def is_public(address: str) -> bool:
    """Tell whether an IP address is reachable by all; False for what is none, such as a name or an octal number.

    An IPv6 address that carries an IPv4 one (mapped, 6to4, Teredo, NAT64) is as public as that.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _carried(found) if isinstance(found, IPv6Address) else ()
    return all(_is_global(one) for one in inner or (found,))


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.is_site_local:  # what fc00::/7 was before; ipaddress says global
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address in _PROTOCOLS)


def _carried(address: IPv6Address) -> tuple[IPv4Address, ...]:
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64:
        return (IPv4Address(int(address) & 0xFFFF_FFFF),)
    return ()
