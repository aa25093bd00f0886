"""Let web pages of other origins call the gateway with a key: [cors] origins; none = no header of CORS at all.

It stands around the whole pipeline, so that a preflight, which carries no key, is answered before `auth`, and a page
can read every error but what `gateway run` says of a head that it cannot read. Nothing is sent by a browser on its own:
no cookies, no stored login. Whoever has no key is refused as before: an origin in the list is no right.
"""

from collections.abc import Sequence
from typing import ClassVar, Final, Self

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.services import Services

__all__ = ["Cors"]

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_ALL: Final = "*"  # of the headers: SDKs send a dozen of their own, and answers that pass have those of the upstream


class Cors:
    """ASGI middleware; `origins`: as browsers send them, such as `https://app.example`, or `*`; () = none."""

    provides: ClassVar[frozenset[str]] = frozenset()
    requires: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, app: ASGIApp, origins: Sequence[str] = ()) -> None:
        self.app = app
        self._app = app
        if origins:
            self._app = CORSMiddleware(
                app,
                allow_origins=origins,
                allow_methods=_METHODS,
                allow_headers=(_ALL,),
                allow_private_network=True,  # a page of the internet may then call a gateway on its reader's machine
                expose_headers=(_ALL,),
            )

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Read [cors]."""
        return cls(app, services.loaded.config.cors.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        await self._app(scope, receive, send)
