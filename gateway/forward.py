"""The proxies that lead out of this network, as HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name them."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

__all__ = ["UnusableProxy", "proxies", "proxy_of"]

_SPOKEN: Final = ("http", "https")
_ALL: Final = "all"  # for the schemes that have none of their own


class UnusableProxy(ValueError):
    """A variable names what is no proxy that speaks HTTP."""


def proxies() -> Mapping[str, str]:
    """Give the proxy for each scheme, as the environment is now; without a scheme of its own it speaks plain HTTP.

    ALL_PROXY often names one of SOCKS, for other programs: such a one is passed over.
    """
    named = {scheme: url for scheme, url in getproxies().items() if scheme in (*_SPOKEN, _ALL)}
    given = {scheme: url if "://" in url else f"http://{url}" for scheme, url in named.items()}
    if given.get(_ALL, "").partition(":")[0].lower() not in _SPOKEN:
        given.pop(_ALL, None)
    return given


def proxy_of(named: Mapping[str, str], scheme: str, host: str | None) -> str | None:
    """Give the proxy on the way to a host, None where there is none; raise UnusableProxy."""
    name = scheme if scheme in named else _ALL
    proxy = named.get(name)
    if proxy is None or host is None or proxy_bypass(host) or _is_near(host):
        return None
    _check(proxy, f"{name.upper()}_PROXY")
    return proxy


def _is_near(host: str) -> bool:
    """Tell whether an address is in a network that NO_PROXY names, which urllib knows nothing of and curl does."""
    networks = [one.strip() for one in getproxies().get("no", "").split(",") if "/" in one]
    if not networks:
        return False
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in map(_network, networks) if network is not None)


@lru_cache
def _network(written: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(written, strict=False)
    except ValueError:
        return None


def _check(proxy: str, variable: str) -> None:
    try:
        parts = urlsplit(proxy)
        named = parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        raise UnusableProxy(f"{variable} is not the address of a proxy") from None
    if parts.scheme.lower() not in _SPOKEN:
        raise UnusableProxy(f"{variable} names a {parts.scheme} proxy; give one of http:// or https://")
    if not named:
        raise UnusableProxy(f"{variable} is not the address of a proxy")
