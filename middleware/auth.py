"""Find out who asks: a key in one of six places, known by its hash; or nobody, where that is allowed."""

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import ClassVar, Final, Literal, Self
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.config import is_loopback
from gateway.context import ANONYMOUS, Principal, RequestContext, attach, route_path
from gateway.errors import GatewayError, PermissionDenied, Unauthenticated
from gateway.forwarding import Forwarding
from gateway.keys import Key, Keys, digest_of, end_of, indexed, keys_of
from gateway.lockout import Lockout
from gateway.refusal import refuse
from gateway.scopes import keyless
from gateway.services import Services
from gateway.upstream import Adapter

__all__ = ["PLACES", "Auth", "Key", "Right", "basic", "guard_of", "is_local", "shown_in"]

Place = Literal["bearer", "x-api-key", "x-goog-api-key", "api-key", "basic", "query"]
Anonymous = Literal["never", "loopback", "always"]
Right = Literal["chat", "admin", "metrics"]  # the scopes of a key
Vouch = Callable[[str, bytes], str]
_Read = Callable[[Mapping[bytes, bytes], bytes], str | None]  # headers, query → the key, None where there is none

_LOCAL_HOST = re.compile(rb"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?", re.IGNORECASE)
_FOR: Mapping[Right, str] = {"chat": "model calls", "admin": "the administration", "metrics": "the metrics"}


def _scheme(wanted: bytes) -> _Read:
    def read(headers: Mapping[bytes, bytes], _: bytes) -> str | None:
        scheme, __, value = headers.get(b"authorization", b"").partition(b" ")
        return _text(value.strip()) if scheme.lower() == wanted else None

    return read


def _text(given: bytes) -> str:
    """Read what most clients send as UTF-8, and some as Latin-1."""
    try:
        return given.decode()
    except UnicodeDecodeError:
        return given.decode("latin-1")


_credentials: Final = _scheme(b"basic")


def basic(headers: Mapping[bytes, bytes]) -> tuple[str, str] | None:
    """Read a user's name and password; both are empty where they cannot be read, None = there are none."""
    given = _credentials(headers, b"")
    if given is None:
        return None
    try:
        name, _, password = _text(base64.b64decode(given, validate=True)).partition(":")
    except ValueError:
        return "", ""
    return name, password


def _basic(headers: Mapping[bytes, bytes], _: bytes) -> str | None:
    given = basic(headers)
    return None if given is None else given[1]


def _header(name: bytes) -> _Read:
    def read(headers: Mapping[bytes, bytes], _: bytes) -> str | None:
        value = headers.get(name)
        return None if value is None else _text(value.strip())

    return read


def _query(_: Mapping[bytes, bytes], query: bytes) -> str | None:
    if not query:
        return None
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    return next((_text(v.encode("latin-1")) for k, v in pairs if k == "key"), None)


PLACES: Final[Mapping[Place, _Read]] = {
    "bearer": _scheme(b"bearer"),
    "x-api-key": _header(b"x-api-key"),
    "x-goog-api-key": _header(b"x-goog-api-key"),
    "api-key": _header(b"api-key"),
    "basic": _basic,
    "query": _query,
}


def shown_in(headers: Mapping[bytes, bytes], query: bytes) -> tuple[str, ...]:
    """Give every key that a request shows, in whichever of the places."""
    return tuple(key for place in PLACES.values() if (key := place(headers, query)))


# written so that none of them looks like a credential, which the log would mask
_SHOWN: Final[Mapping[Place, str]] = {
    "bearer": "`Bearer KEY` in `Authorization`",
    "x-api-key": "`x-api-key`",
    "x-goog-api-key": "`x-goog-api-key`",
    "api-key": "`api-key`",
    "basic": "the password of Basic",
    "query": "`key` in the query",
}
_MOST_SHOWN: Final = 3
_SENDING: Final = ("POST", "PUT")
_NO_KEY_YET: Final = "this gateway has no key yet: `gateway keys new NAME` makes one"
_UNTIL_THEN: Final = "; until then only programs on its machine are admitted, by a local address and without a proxy"
_PUBLISHED: Final = "this is a published sample key, accepted from the gateway's machine only: ask the operator for one"
_SECRET_HEADERS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key", b"proxy-authorization"})


class Auth:
    """ASGI middleware; gives `context.principal` to those inside.

    `keys`: a list of keys; or each with a name, `{"alice": "sk-…"}`; or its SHA-256 (hex) → its principal and expiry;
    or what knows them. `accept`: the places, in order; only the first one present is checked. `allow_anonymous`: never;
    loopback = as long as there are no keys; always = without any key. `vouch`: gives the id of the principal for whom
    the gateway made the address (path, query) of a call without key. `lockout`: where failed attempts are counted.
    """

    provides: ClassVar[frozenset[str]] = frozenset({"principal"})
    requires: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        app: ASGIApp,
        keys: Keys | Mapping[str, Key] | Mapping[str, str] | Sequence[str] = (),
        accept: Sequence[Place] = tuple(PLACES),
        allow_anonymous: Anonymous = "loopback",
        vouch: Vouch | None = None,
        lockout: Lockout | None = None,
    ) -> None:
        self.app = app
        self._keys = keys if isinstance(keys, Keys) else Keys(indexed(keys))
        self._vouch = vouch or _vouch_for_nobody
        self._lockout = lockout if lockout is not None else Lockout()
        unknown = set(accept) - PLACES.keys()
        if unknown:
            raise ValueError(f"accept: {', '.join(sorted(unknown))} is not one of {', '.join(PLACES)}")
        self._places = [PLACES[place] for place in accept]
        self._shown = [_SHOWN[place] for place in accept[:_MOST_SHOWN]] or [_SHOWN["bearer"]]
        self._anonymous = allow_anonymous

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Read [auth] and [[key]]."""
        auth = services.loaded.config.auth
        vouch = _voucher(services.adapters.values())
        return cls(app, _keys_of(services), auth.accept, auth.allow_anonymous, vouch, services.lockout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context, send = attach(scope, send)
        query: bytes = scope.get("query_string", b"")
        try:
            if not context.by_operator:
                given = self.given(context.headers, query)
                found = self._vouched_for(scope) if given is None else self._keys.find(digest_of(given))
                if found is None and not self._is_open(given, scope, context):
                    found = await self._sought(given, scope, context)
                context.principal = found[0] if found is not None else ANONYMOUS  # so that the log names a refused one
                if found is not None:
                    self._let_in(found, "chat")
        except GatewayError as error:
            await refuse(context, send, error)
            return
        context.admitted = True
        _forget(scope, context, query)
        await self.app(scope, receive, send)

    async def guard(self, scope: Scope, context: RequestContext, right: Right) -> None:
        """Let in a program on this machine, or a key with this right; raise what anybody else is refused with."""
        if not is_local(scope, context.headers):
            await self.demand(scope, context, right)

    async def demand(self, scope: Scope, context: RequestContext, right: Right | None) -> None:
        """Let in a key with this right, None = any key; raise what anybody else is refused with."""
        given = self.given(context.headers, scope.get("query_string", b""))
        found = await self.seek(given, _address(scope))
        if found is None:
            raise self._stranger(given, scope, open_here=right is not None)
        context.principal, _ = found  # so that the log names whom it refuses
        self._let_in(found, right)

    async def seek(self, given: str | None, address: str) -> Key | None:
        """Find a key, also one that was made a moment ago; raise StoreUnavailable where nobody can know.

        It raises RateLimited for an unknown one from an address that has failed too often, and Unauthenticated for one
        that anybody can know, from elsewhere: only `gateway run` refuses to start with it.
        """
        found = self._find(given)
        if found is None and given is not None:
            self._lockout.check(address)
            await self._keys.catch_up()
            found = self._find(given)
        elif given is not None and digest_of(given) in self._keys.published and _is_elsewhere(address):
            raise Unauthenticated(_PUBLISHED)
        return found

    def admit(self, given: str | None, right: Right) -> Principal:
        """Say whose key this is; raise what one is refused with that is unknown, or has not this right."""
        found = self._find(given)
        if found is None:
            raise self._refusal(given)
        return self._let_in(found, right)

    def known(self, id_: str, right: Right) -> Principal | None:
        """Give whom this id belongs to, as long as the key has this right."""
        found = self._keys.by_id(id_)
        try:
            return _usable(found, right) if found is not None else None
        except GatewayError:
            return None

    async def holds(self, id_: str, right: Right) -> bool:
        """Tell whether this id is of a key that has this right; raise StoreUnavailable where nobody can know."""
        if self._keys.by_id(id_) is None:
            await self._keys.catch_up()
        return self.known(id_, right) is not None

    def given(self, headers: Mapping[bytes, bytes], query: bytes) -> str | None:
        """Read the key from the first place where one stands."""
        for place in self._places:
            key = place(headers, query)
            if key is not None:
                return key
        return None

    def _vouched_for(self, scope: Scope) -> Key | None:
        who = self._vouched(scope)
        return self._keys.by_id(who) if who else None

    def _is_open(self, given: str | None, scope: Scope, context: RequestContext) -> bool:
        """Tell whether one without a key that is known is let in."""
        if self._anonymous == "always":
            return given is None or not self._keys
        return self._anonymous == "loopback" and not self._keys and is_local(scope, context.headers)

    async def _sought(self, given: str | None, scope: Scope, context: RequestContext) -> Key | None:
        """Look once more for a key that is not known; None = none is needed. Raise what its caller is refused with."""
        found = await self.seek(given, _address(scope))
        if given is None and (who := self._vouched(scope)):
            await self._keys.catch_up()
            found = self._keys.by_id(who)
        if found is None and not self._is_open(given, scope, context):
            raise self._stranger(given, scope, open_here=self._anonymous == "loopback")
        return found

    def _vouched(self, scope: Scope) -> str:
        """Name the key for which the gateway made the address itself, as it does for uploads."""
        if scope["method"] not in _SENDING:
            return ""
        return self._vouch(route_path(scope), scope.get("query_string", b""))

    def _find(self, given: str | None) -> Key | None:
        if given is None:
            return None
        digest = digest_of(given)
        return self._keys.find(digest) or self._keys.published.get(digest)

    def _let_in(self, key: Key, right: Right | None) -> Principal:
        principal = _usable(key, right)
        self._keys.used.add(principal.id)
        return principal

    def _stranger(self, given: str | None, scope: Scope, *, open_here: bool) -> GatewayError:
        """Count a failed attempt, and give what it is refused with; raise RateLimited after too many."""
        if given is not None:
            address = _address(scope)
            self._lockout.check(address)
            self._lockout.failed(address)
        return self._refusal(given, open_here=open_here)

    def _refusal(self, given: str | None, *, open_here: bool = False) -> Unauthenticated:
        """Say what to do; `open_here`: a program on this machine would have been let in."""
        if not self._keys:
            return Unauthenticated(_NO_KEY_YET + (_UNTIL_THEN if open_here else ""))
        if given is not None:
            # in the words by which LiteLLM tells a refused key from a wrong request
            return Unauthenticated(
                "Incorrect API key provided: it is unknown here; check it, or ask the operator for one"
            )
        *others, last = self._shown
        ways = f"{', as '.join(others)} or as {last}" if others else last
        return Unauthenticated(f"no API key: send one as {ways}")


def guard_of(app: ASGIApp, services: Services) -> Auth:
    """Make the guard of the operators' endpoints, for which [pipeline] and allow_anonymous do not matter."""
    return Auth(app, _keys_of(services), services.loaded.config.auth.accept, lockout=services.lockout)


def _keys_of(services: Services) -> Keys:
    return services.keyring if services.keyring is not None else Keys(keys_of(services.loaded.config))


def _voucher(adapters: Iterable[Adapter]) -> Vouch:
    forwarding = [adapter for adapter in adapters if isinstance(adapter, Forwarding)]

    def vouch(path: str, query: bytes) -> str:
        return next((who for adapter in forwarding if (who := adapter.vouched(path, query))), "")

    return vouch


def _vouch_for_nobody(_: str, __: bytes) -> str:
    return ""


def _usable(key: Key, right: Right | None) -> Principal:
    principal, expires = key
    if expires is not None and datetime.now(UTC) >= (end := end_of(expires)):
        raise Unauthenticated(f"Incorrect API key provided: it expired on {end:%Y-%m-%d}")
    if right is not None and right not in principal.scopes:
        raise PermissionDenied(f"this API key is not for {_FOR[right]}: its scopes lack {right}")
    return principal


def _address(scope: Scope) -> str:
    return (scope.get("client") or ("",))[0]


def _is_elsewhere(address: str) -> bool:
    """Tell the address of another machine; a socket file, or the client of a test, has none."""
    try:
        ip_address(address)
    except ValueError:
        return False
    return not is_loopback(address)


def is_local(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """Tell a program on this machine from a forwarded request, and from a web page that found the port."""
    if b"x-forwarded-for" in headers or b"forwarded" in headers:
        return False
    if not is_loopback((scope.get("client") or ("",))[0]):
        return False
    if not _LOCAL_HOST.fullmatch(headers.get(b"host", b"")):
        return False
    origin = headers.get(b"origin")
    return origin is None or origin.partition(b"://")[2] == headers.get(b"host")


def _forget(scope: Scope, context: RequestContext, query: bytes) -> None:
    """Remove every key from what goes on inwards."""
    given = _SECRET_HEADERS.intersection(context.headers)
    if given:
        scope["headers"] = [header for header in scope["headers"] if header[0] not in given]
        for name in given:
            del context.headers[name]
    if query:
        scope["query_string"] = keyless(query)
