"""Find out who asks: a key in one of six places, known by its hash; or nobody, where that is allowed."""

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import ClassVar, Final, Literal, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.config import Config
from gateway.context import ANONYMOUS, Principal, RequestContext, attach, route_path
from gateway.errors import GatewayError, PermissionDenied, Unauthenticated
from gateway.refusal import refuse
from gateway.services import Services
from gateway.upstream import Adapter, Forwarding

__all__ = ["PLACES", "Auth", "Key", "Right", "guard_of", "keys_of"]

Place = Literal["bearer", "x-api-key", "x-goog-api-key", "api-key", "basic", "query"]
Key = tuple[Principal, date | datetime | None]
Anonymous = Literal["never", "loopback", "always"]
Right = Literal["chat", "admin", "metrics"]  # the scopes of a key
Vouch = Callable[[str, bytes], str]
_Read = Callable[[Mapping[bytes, bytes], bytes], str | None]  # headers, query → the key, None where there is none

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
_FOR: Mapping[Right, str] = {"chat": "model calls", "admin": "the administration", "metrics": "the metrics"}


def _scheme(wanted: bytes) -> _Read:
    def read(headers: Mapping[bytes, bytes], _: bytes) -> str | None:
        scheme, __, value = headers.get(b"authorization", b"").partition(b" ")
        return value.strip().decode("latin-1") if scheme.lower() == wanted else None

    return read


_credentials: Final = _scheme(b"basic")


def _basic(headers: Mapping[bytes, bytes], query: bytes) -> str | None:
    given = _credentials(headers, query)
    if given is None:
        return None
    try:
        return base64.b64decode(given, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _header(name: bytes) -> _Read:
    def read(headers: Mapping[bytes, bytes], _: bytes) -> str | None:
        value = headers.get(name)
        return None if value is None else value.decode("latin-1")

    return read


def _query(_: Mapping[bytes, bytes], query: bytes) -> str | None:
    if b"key=" not in query:
        return None
    return next((v for k, v in parse_qsl(query.decode("latin-1"), keep_blank_values=True) if k == "key"), None)


PLACES: Final[Mapping[Place, _Read]] = {
    "bearer": _scheme(b"bearer"),
    "x-api-key": _header(b"x-api-key"),
    "x-goog-api-key": _header(b"x-goog-api-key"),
    "api-key": _header(b"api-key"),
    "basic": _basic,
    "query": _query,
}
_SECRET_HEADERS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key", b"proxy-authorization"})


class Auth:
    """ASGI middleware; gives `context.principal` to those inside.

    `keys`: a list of keys; or each with a name, `{"alice": "sk-…"}`; or its SHA-256 (hex) → its principal and expiry.
    `accept`: the places, in order; only the first one present is checked. `allow_anonymous`: never; loopback = as long
    as `keys` is empty; always = without any key. `vouch`: gives the id of the principal for whom the gateway made the
    address (path, query) of a call without key.
    """

    provides: ClassVar[frozenset[str]] = frozenset({"principal"})
    requires: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        app: ASGIApp,
        keys: Mapping[str, Key] | Mapping[str, str] | Sequence[str] = (),
        accept: Sequence[Place] = tuple(PLACES),
        allow_anonymous: Anonymous = "loopback",
        vouch: Vouch | None = None,
    ) -> None:
        self.app = app
        self._keys = _indexed(keys)
        self._by_id = {key[0].id: key for key in self._keys.values()}
        self._vouch = vouch or _vouch_for_nobody
        self._by_prefix: dict[str, list[str]] = {}
        for digest in self._keys:
            self._by_prefix.setdefault(digest[:8], []).append(digest)
        unknown = set(accept) - PLACES.keys()
        if unknown:
            raise ValueError(f"accept: {', '.join(sorted(unknown))} is none of {', '.join(PLACES)}")
        self._places = [PLACES[place] for place in accept]
        self._anonymous = allow_anonymous

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Read [auth] and [[key]]."""
        config = services.loaded.config
        vouch = _voucher(services.adapters.values())
        return cls(app, keys_of(config), config.auth.accept, config.auth.allow_anonymous, vouch)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context, send = attach(scope, send)
        query: bytes = scope.get("query_string", b"")
        try:
            context.principal = self._principal(self._given(context.headers, query), scope, context)
        except GatewayError as error:
            await refuse(context, send, error)
            return
        _forget(scope, context)
        await self.app(scope, receive, send)

    def guard(self, scope: Scope, context: RequestContext, right: Right) -> None:
        """Let in a program on this machine, or a key with this right; raise what anybody else is refused with."""
        if _is_local(scope, context.headers):
            return
        given = self._given(context.headers, scope.get("query_string", b""))
        found = self._find(given) if given is not None else None
        if found is None:
            raise _stranger(given)
        context.principal = _usable(found, right)

    def _given(self, headers: Mapping[bytes, bytes], query: bytes) -> str | None:
        for place in self._places:
            key = place(headers, query)
            if key is not None:
                return key
        return None

    def _principal(self, given: str | None, scope: Scope, context: RequestContext) -> Principal:
        if self._keys:
            found = self._find(given) if given is not None else self._vouched(scope)
            if found is not None:
                return _usable(found, "chat")
        if self._anonymous == "always" and (given is None or not self._keys):
            return ANONYMOUS
        if self._anonymous == "loopback" and not self._keys and _is_local(scope, context.headers):
            return ANONYMOUS
        raise _stranger(given)

    def _vouched(self, scope: Scope) -> Key | None:
        """Find the key for which the gateway made the address itself, as it does for uploads."""
        who = self._vouch(route_path(scope), scope.get("query_string", b""))
        return self._by_id.get(who) if who else None

    def _find(self, given: str) -> Key | None:
        digest = _digest(given)
        for known in self._by_prefix.get(digest[:8], ()):
            if hmac.compare_digest(known, digest):
                return self._keys[known]
        return None


def guard_of(app: ASGIApp, config: Config) -> Auth:
    """Make the guard of the operators' endpoints, for which [pipeline] and allow_anonymous do not matter."""
    return Auth(app, keys_of(config), config.auth.accept)


def _voucher(adapters: Iterable[Adapter]) -> Vouch:
    forwarding = [adapter for adapter in adapters if isinstance(adapter, Forwarding)]

    def vouch(path: str, query: bytes) -> str:
        return next((who for adapter in forwarding if (who := adapter.vouched(path, query))), "")

    return vouch


def _vouch_for_nobody(_: str, __: bytes) -> str:
    return ""


def keys_of(config: Config) -> dict[str, Key]:
    """Index every key of the configuration by its hash."""
    keys = _indexed([secret.reveal() for secret in config.auth.keys])
    for entry in config.key:
        digest = entry.sha256 or (_digest(entry.secret.reveal()) if entry.secret else "")
        principal = Principal(
            name=entry.name,
            id=digest[:16],
            scopes=frozenset(entry.scopes),
            models=tuple(entry.models),
            limits=entry.limits,
        )
        keys[digest] = (principal, entry.expires)
    return keys


def _indexed(keys: Mapping[str, Key] | Mapping[str, str] | Sequence[str]) -> dict[str, Key]:
    if isinstance(keys, str):
        raise TypeError("keys: one text is neither a list of keys nor a name for each")
    named = keys if isinstance(keys, Mapping) else {f"key-{number}": key for number, key in enumerate(keys, 1)}
    found: dict[str, Key] = {}
    for name, key in named.items():
        if not key:
            raise ValueError(f"keys: {name} is empty")
        digest = _digest(key) if isinstance(key, str) else name
        found[digest] = (Principal(name=name, id=digest[:16]), None) if isinstance(key, str) else key
    return found


def _digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()


def _stranger(given: str | None) -> Unauthenticated:
    if given is not None:
        return Unauthenticated("this API key is not known here; check it, or ask the operator for one")
    return Unauthenticated(
        "no API key: send one as `Authorization: Bearer KEY`, `x-api-key: KEY` or `x-goog-api-key: KEY`"
    )


def _usable(key: Key, right: Right) -> Principal:
    principal, expires = key
    if expires is not None:
        if not isinstance(expires, datetime):
            expires = datetime(expires.year, expires.month, expires.day, tzinfo=UTC)
        elif expires.tzinfo is None:
            expires = expires.replace(tzinfo=UTC)
        if datetime.now(UTC) >= expires:
            raise Unauthenticated(f"this API key expired on {expires:%Y-%m-%d}")
    if right not in principal.scopes:
        raise PermissionDenied(f"this API key is not for {_FOR[right]}: its scopes lack {right}")
    return principal


def _is_local(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """Tell a program on this machine from a forwarded request, and from a web page that found the port."""
    if b"x-forwarded-for" in headers or b"forwarded" in headers:
        return False
    if not _is_loopback((scope.get("client") or ("",))[0]):
        return False
    if _hostname(headers.get(b"host", b"")) not in _LOCAL_HOSTS:
        return False
    origin = headers.get(b"origin")
    return origin is None or urlsplit(origin.decode("latin-1")).netloc.encode("latin-1") == headers.get(b"host")


def _is_loopback(peer: str) -> bool:
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False


def _hostname(host: bytes) -> str:
    text = host.decode("latin-1").lower()
    return text[: text.find("]") + 1] if text.startswith("[") else text.partition(":")[0]


def _forget(scope: Scope, context: RequestContext) -> None:
    """Remove every key from what goes on inwards."""
    given = _SECRET_HEADERS.intersection(context.headers)
    if given:
        scope["headers"] = [header for header in scope["headers"] if header[0] not in given]
        for name in given:
            del context.headers[name]
    query: bytes = scope.get("query_string", b"")
    if b"key=" in query:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        scope["query_string"] = urlencode([(k, v) for k, v in pairs if k != "key"]).encode()
