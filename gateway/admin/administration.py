"""The operators' endpoints as an ASGI app. Whatever is not open here needs the right to administer, known path or not.

Visit ─► open? ─► handler ─► Response
         else Guard ─► may it change something? ─► handler
"""

from collections.abc import Mapping
from functools import partial
from typing import Final
from urllib.parse import quote, urlencode

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.admin.configuration import Configuration
from gateway.admin.credentials import Credentials
from gateway.admin.entrance import HOME, LOGIN, LOGOUT, Entrance
from gateway.admin.files import Files
from gateway.admin.guard import Guard
from gateway.admin.inside import Inside
from gateway.admin.keys import CallerKeys
from gateway.admin.keys_page import KeysPage
from gateway.admin.lasting import Lasting, store_of
from gateway.admin.live import Live
from gateway.admin.models import Models
from gateway.admin.overview import Overview
from gateway.admin.places import READING, Place, reading
from gateway.admin.playground import Playground
from gateway.admin.running import RunningRequests
from gateway.admin.series import Series
from gateway.admin.sessions import Sessions
from gateway.admin.showing import Showing
from gateway.admin.usage import UsageReports
from gateway.admin.usage_page import UsagePage
from gateway.admin.visit import Visit, visit_of
from gateway.admin.weblogin import CALLBACK, WebLogin
from gateway.admin.writing import Writing
from gateway.context import attach
from gateway.errors import GatewayError, MethodNotAllowed, NotFound, Unauthenticated
from gateway.middleware.auth import Auth
from gateway.refusal import refuse
from gateway.services import Services

__all__ = ["Administration"]

_ROOTS: Final = ("/admin", "/oauth2")
_STATIC: Final = "/admin/static/"
_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", _POLICY),
)
_NO_STORE: Final = (b"cache-control", b"no-store")
_ASK_AGAIN: Final = (b"cache-control", b"no-cache")  # what is the same for everybody may be kept
# with no-referrer a browser sends `Origin: null` along with our own forms
_REFERRER: Final = (b"referrer-policy", b"same-origin")
_NO_REFERRER: Final = (b"referrer-policy", b"no-referrer")  # where the address is a secret


class Administration:
    """The administration of one app. `keys`: knows the keys; `lasting`: what is to outlive this process."""

    def __init__(self, services: Services, keys: Auth, inside: Inside, lasting: Lasting | None = None) -> None:
        config, clock, logger = services.loaded.config, services.clock, services.logger
        self.inside = inside
        self._public_url = config.server.public_url
        self._outlives = bool(config.store.database.reveal())  # this process may be there while that is away
        self._lasting = lasting or Lasting(partial(store_of, services.loaded), clock, logger)
        sessions, writing, credentials = Sessions(self._lasting, clock), Writing(clock), Credentials(services)
        self._writing = writing
        self._guard = Guard(config.admin, keys, sessions, services.lockout, logger)
        self._logins = WebLogin(credentials, self._lasting, sessions, writing, logger, self._public_url)
        self._entrance = Entrance(self._guard, sessions, self._lasting, writing, logger)
        data_dir, redis = services.loaded.resolve(config.server.data_dir), config.store.redis.reveal()
        self._running = RunningRequests(inside.relay, clock, data_dir, logger, redis)
        series = Series(services)
        self._pages = (
            Overview(services, series, writing),
            Showing(services, credentials, writing),
            KeysPage(services, CallerKeys(services), writing),
            UsagePage(services, UsageReports(services), series, writing),
            series,
            Models(services, writing),
            Live(self._running, writing, logger),
            Playground(services, inside, writing),
            Configuration(services, inside, writing),
        )
        self._places = self._map()
        self._static = Place(reading(Files()), open=True)

    def _map(self) -> Mapping[str, Place]:
        entrance = self._entrance
        return {
            LOGOUT: Place({"POST": entrance.log_out}),
            "/oauth2/login": Place({"GET": self._logins.begin}),
            LOGIN: Place({**reading(entrance.show), "POST": entrance.log_in}, open=True),
            f"{LOGIN}/once": Place({"GET": entrance.log_in_once}, open=True, secret=True),
            CALLBACK: Place({"GET": self._logins.end}, open=True, secret=True),
        }

    @staticmethod
    def owns(path: str) -> bool:
        """Tell whether a path below the mount point is ours."""
        return path in ("", "/", *_ROOTS) or path.startswith(("/admin/", "/oauth2/"))

    async def link(self, address: str, *, shared: bool) -> str:
        """Make the one-time link for a person on this machine; "" where it is not needed or cannot be.

        `shared`: other processes serve, too, and each must know it.
        """
        return await self._entrance.make_link(address, shared=shared)

    async def start(self) -> str:
        """Begin; say why nobody else on this host can ask what runs here, "" when they can."""
        if self._outlives:
            self._lasting.start()
        return await self._running.start()

    async def stop(self) -> None:
        """End what goes on."""
        await self._running.stop()
        await self._logins.stop()
        await self._lasting.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        context, send = attach(scope, send)
        visit = visit_of(scope, receive, context, self._public_url)
        place = self._place(visit.path)
        referrer = _NO_REFERRER if place is not None and place.secret else _REFERRER
        context.reply_headers += (*_HEADERS, _ASK_AGAIN if place is self._static else _NO_STORE, referrer)
        try:
            response = await self._answer(visit, place)
        except GatewayError as error:
            refusal = await self._refusal(visit, error)
            if refusal is None:
                await refuse(context, send, error)
                return
            response = refusal
        await response(scope, receive, send)

    def _place(self, path: str) -> Place | None:
        if path.startswith(_STATIC):
            return self._static
        of_pages = (page.place(path) for page in self._pages)
        return self._places.get(path) or next((place for place in of_pages if place is not None), None)

    async def _answer(self, visit: Visit, place: Place | None) -> Response:
        if place is None or not place.open:
            visit.operator = await self._guard.admit(visit)
        if place is None:
            raise NotFound(f"{visit.path[:200]} is not served here")
        handler = place.methods.get(visit.method)
        if handler is None:
            allow = ", ".join(place.methods)
            raise MethodNotAllowed(f"{visit.path[:200]} takes {allow}, not {visit.method}", headers={"allow": allow})
        if visit.method not in READING:
            await visit.read_form(place.form_bytes)
            if not place.open:
                await self._guard.may_change(visit)
        return await handler(visit)

    async def _refusal(self, visit: Visit, error: GatewayError) -> Response | None:
        """Refuse a person: lead to the login, or say it on a page; None for a program."""
        if not visit.html:
            return None
        visit.context.error = error
        if isinstance(error, Unauthenticated) and b"authorization" not in visit.context.headers:
            if visit.swaps:  # the login is a page, not a part of one
                return Response(status_code=401, headers={"hx-redirect": _login(visit)})
            return Response(status_code=303, headers={"location": _login(visit)})
        return await self._writing.page(visit, "refusal", {}, error)


def _login(visit: Visit) -> str:
    """Give the address of the login, which leads back to where one was going, or to the page that one was at."""
    path, asked = visit.path, urlencode(visit.query, quote_via=quote)
    if visit.method != "GET":
        path, asked = "/".join(path.split("/")[:3]), ""  # whatever a page changes lies below it
    if not (path.startswith("/admin/") or (path == HOME and asked)):
        return f"{visit.base}{LOGIN}"
    here = f"{quote(path)}?{asked}" if asked else quote(path)
    return f"{visit.base}{LOGIN}?next={quote(here)}"
