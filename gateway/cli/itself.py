"""Where this gateway is and by which key it is called, and whether an address is its own.

An upstream there would have it call itself for ever.
"""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from gateway.config import (
    AzureConfig,
    Config,
    DemoConfig,
    KeyPath,
    Loaded,
    Secret,
    UpstreamConfig,
    V1InternalConfig,
    host_and_port,
)

__all__ = ["address_of", "calls_to_itself", "is_own", "key_of", "local_address"]

_Place = tuple[str, int]

_ITSELF: Final = (
    "is this gateway, which would call itself; set the URL of the service, or unset what is meant for a client"
)
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 (what a server listens on)
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0", "::"})  # noqa: S104 - what is compared with


def address_of(found: Loaded) -> str:
    """Say where clients reach the gateway."""
    return found.config.server.public_url or local_address(found)


def local_address(found: Loaded) -> str:
    """Say where this machine reaches the gateway."""
    server = found.config.server
    host = server.host.strip("[]")  # as `gateway run` takes it
    host = _EVERYWHERE.get(host, host)
    return f"http://{host_and_port(host, server.port)}"


def key_of(config: Config) -> Secret | None:
    """Give the first key that may chat; None where there is none, or of each only the hash is known."""
    chatting = (one.secret for one in config.key if one.secret and "chat" in one.scopes)
    return next(iter((*config.auth.keys, *chatting)), None)


def is_own(loaded: Loaded, url: str, address: str = "") -> bool:
    """Compare with the configured addresses, and with the one that it listens on."""
    owns = (address_of(loaded), local_address(loaded), *([address] if address else ()))
    return any(_same(_place(url), _place(own)) for own in owns)


def calls_to_itself(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Find the upstreams that are certainly this gateway; behind `server.public_url` another program may answer."""
    own = config.server.host.strip("[]").lower() or "0.0.0.0", config.server.port  # noqa: S104 - what "" means
    for name, upstream in config.upstream.items():
        for key, url in _addresses(upstream):
            if url and _same(_place(url), own):
                yield ("upstream", name, *key), f"{url} {_ITSELF}"


def _addresses(upstream: UpstreamConfig) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(upstream, V1InternalConfig):
        yield from ((("base_urls", index), url) for index, url in enumerate(upstream.base_urls))
    elif isinstance(upstream, AzureConfig):
        yield ("endpoint",), upstream.endpoint
    elif not isinstance(upstream, DemoConfig):
        yield ("base_url",), upstream.base_url


def _same(one: _Place, other: _Place) -> bool:
    return one == other or (one[1] == other[1] and one[0] in _LOOPBACK and other[0] in _LOOPBACK)


def _place(url: str) -> _Place:
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
