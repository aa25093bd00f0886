"""One visit to the operators' endpoints: what is asked for, by whom, and in which form the answer is wanted."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope

from gateway.context import RequestContext, route_path
from gateway.errors import BodyTooLarge, PermissionDenied, RequestTimeout, UnsupportedMediaType

__all__ = ["Handler", "Operator", "Session", "Visit", "visit_of"]

_FORM: Final = b"application/x-www-form-urlencoded"
_PLAIN: Final = ("", "identity")
_LIMIT_S: Final = 10.0
_HTML: Final = "text/html"
_PORTS: Final = {"http": ":80", "https": ":443"}
_JSON: Final = "application/json"
_OWN: Final = "same-origin"  # as browsers alone can say, of https; a proxy may have put other words for Host and Origin
_FOREIGN: Final = (
    "this was sent from another site, or not from a page; nothing was changed. If a proxy in between does not pass on "
    "`Host`, name its address in server.public_url"
)


class Session(Struct, frozen=True):
    """A browser that has logged in. `by`: what with, so that it ends with that; `until`: Unix seconds."""

    by: str
    nonce: str
    until: int


class Operator(Struct, frozen=True, kw_only=True):
    """Who has shown the right to administer. `name`: for the log.

    `ambient`: a browser sends the proof by itself, also when another site makes it ask. `csrf`: what the forms of the
    session carry.
    """

    name: str
    ambient: bool = False
    session: Session | None = None
    csrf: str = ""


class Visit(Struct, kw_only=True):
    """A request on its way. `path`: below the mount point; `base`: what stands before it in links, "" for nothing.

    `html`: a person looks at the answer. `swaps`: a script of the page puts a part of it in the place of another.
    `form`: what a form sent, where one was sent; `pairs`: the same with every field that has a name of another one.
    `json`: the body, where it is said to be JSON.
    """

    scope: Scope
    receive: Receive
    context: RequestContext
    method: str
    path: str
    base: str
    origin: str
    query: Mapping[str, str]
    html: bool
    swaps: bool = False
    form: Mapping[str, str] = {}
    pairs: Sequence[tuple[str, str]] = ()
    json: bytes | None = None
    operator: Operator | None = None

    @property
    def by(self) -> str:
        """Name the operator for the log."""
        return self.operator.name if self.operator is not None else ""

    @property
    def address(self) -> str:
        """Give the caller's address, as far as trusted proxies tell."""
        client: tuple[str, int] | None = self.scope.get("client")
        return client[0] if client else ""

    @property
    def secure(self) -> bool:
        """Whether the browser talks https, to this server or to a trusted proxy."""
        return bool(self.scope.get("scheme") == "https")

    @property
    def cookies(self) -> Mapping[str, str]:
        """Read the cookies."""
        return Request(self.scope).cookies

    def header(self, name: bytes) -> str:
        """Read a header, "" for none."""
        return self.context.headers.get(name, b"").decode("latin-1")

    async def read_form(self, most_bytes: int) -> None:
        """Read what a form sent, or a program; raise BodyTooLarge, RequestTimeout, UnsupportedMediaType."""
        kind = self.context.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind not in (_FORM, _JSON.encode()):
            return
        if self.header(b"content-encoding").strip().lower() not in _PLAIN:
            raise UnsupportedMediaType("requests to the page may not have a content-encoding")
        try:
            async with asyncio.timeout(_LIMIT_S):
                body = await self._body(most_bytes)
        except TimeoutError:
            raise RequestTimeout(f"the form did not arrive within {_LIMIT_S:g} s") from None
        if kind != _FORM:
            self.json = body
            return
        self.pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        self.form = dict(self.pairs)

    async def _body(self, most_bytes: int) -> bytes:
        body = b""
        async for piece in Request(self.scope, self.receive).stream():
            body += piece
            if len(body) > most_bytes:
                raise BodyTooLarge(f"a form here may have at most {most_bytes} bytes")
        return body

    def check_origin(self, *, demanded: bool) -> None:
        """Refuse what a page of another site makes a browser send; raise PermissionDenied."""
        origin = self.context.headers.get(b"origin")
        if (origin is None and not demanded) or self.header(b"sec-fetch-site") == _OWN:
            return
        given = origin.decode("latin-1") if origin is not None else ""
        scheme, _, host = given.partition("://")
        asked = self.header(b"host")  # a proxy may name the usual port, which no browser does
        own = scheme in _PORTS and host in (asked, asked.removesuffix(_PORTS[scheme]))
        if not own and given != self.origin:
            raise PermissionDenied(_FOREIGN)


Handler = Callable[[Visit], Awaitable[Response]]


def visit_of(scope: Scope, receive: Receive, context: RequestContext, public_url: str) -> Visit:
    """Read what is asked for."""
    headers = context.headers
    host = headers.get(b"host", b"").decode("latin-1")
    public = urlsplit(public_url)
    seen_there = bool(public_url) and host == public.netloc
    swaps = headers.get(b"hx-request") == b"true"  # htmx takes anything, says its Accept
    return Visit(
        scope=scope,
        receive=receive,
        context=context,
        method=scope["method"],
        path=route_path(scope) or "/",
        base=public.path if seen_there else quote(scope.get("root_path", "").rstrip("/")),
        origin=f"{public.scheme}://{public.netloc}" if public_url else f"{scope.get('scheme', 'http')}://{host}",
        query=_query(scope),
        html=swaps or _prefers_html(headers.get(b"accept", b"").decode("latin-1")),
        swaps=swaps,
    )


def _query(scope: Scope) -> dict[str, str]:
    """Read the parameters; `key` is the caller's key, and none of them."""
    pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    return {name: value for name, value in pairs if name != "key"}


def _prefers_html(accept: str) -> bool:
    """Tell what is wanted more of the two; JSON where nothing is said."""
    ranges: dict[str, float] = {}
    for part in accept.split(","):
        kind, *parameters = (word.strip().lower() for word in part.split(";"))
        weight = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        ranges[kind] = float(weight) if weight.replace(".", "", 1).isdigit() and weight.isascii() else 0.0
    return _weight(ranges, _HTML) > _weight(ranges, _JSON)


def _weight(ranges: Mapping[str, float], kind: str) -> float:
    """Give the weight of a kind by the narrowest range that holds it."""
    whole = f"{kind.partition('/')[0]}/*"
    return next((ranges[one] for one in (kind, whole, "*/*") if one in ranges), 0.0)
