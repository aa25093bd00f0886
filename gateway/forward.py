"""The proxies that lead out of this network, as HTTP_PROXY, HTTPS_PROXY and NO_PROXY name them."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

__all__ = ["UnusableProxy", "proxies", "proxy_of"]

_SPOKEN: Final = ("http", "https")


class UnusableProxy(ValueError):
    """A variable names what is no proxy that speaks HTTP."""


def proxies() -> Mapping[str, str]:
    """Give the proxy for each scheme, as the environment is now; without a scheme of its own it speaks plain HTTP."""
    named = {scheme: url for scheme, url in getproxies().items() if scheme in _SPOKEN}
    return {scheme: url if "://" in url else f"http://{url}" for scheme, url in named.items()}


def proxy_of(named: Mapping[str, str], scheme: str, host: str | None) -> str | None:
    """Give the proxy on the way to a host, None where there is none; raise UnusableProxy."""
    proxy = named.get(scheme)
    if proxy is None or host is None or proxy_bypass(host):
        return None
    _check(proxy, f"{scheme.upper()}_PROXY")
    return proxy


def _check(proxy: str, variable: str) -> None:
    try:
        parts = urlsplit(proxy)
        named = parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        raise UnusableProxy(f"{variable} is no address of a proxy") from None
    if parts.scheme.lower() not in _SPOKEN:
        raise UnusableProxy(f"{variable} names a {parts.scheme} proxy; give one of http:// or https://")
    if not named:
        raise UnusableProxy(f"{variable} is no address of a proxy")
