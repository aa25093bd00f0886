"""Calls in an upstream's own dialect that no codec here reads: they go to that upstream as they came, and so back.

The path says which upstream: that of the model in it, else the default one if it speaks the dialect, else the first
that does. What was made here is asked for where it was made, and what nobody here knows of wherever it may have been.
JSON is read first, so that it can be sent again with another credential, or to the next member of a chain; a large file
is sent as it comes. What begins a job goes on to no other member once it may have begun. A refusal that is no JSON, as
the page of a proxy is none, becomes one that callers can read.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace
from starlette.types import Message, Receive, Scope, Send

from gateway import ir
from gateway.arrival import SILENCE_S, Pace
from gateway.config import FOLDER
from gateway.context import Principal, RequestContext, route_path
from gateway.dialects.gemini.counted import read_counted
from gateway.dialects.gemini.errors import header_wait, read_details
from gateway.dialects.gemini.resource_names import resources
from gateway.dialects.others import others
from gateway.errors import (
    Conflict,
    GatewayError,
    ModelNotFound,
    ModelsAwaited,
    NoCredential,
    NotFound,
    PermissionDenied,
    RequestTimeout,
    UpstreamError,
    UpstreamMalformed,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.forwarding import Forwarding, ModelForwarding, NativeAnswer, NativeCall, Refused, Remembering
from gateway.frames import bare
from gateway.grace import Watchdog
from gateway.ir.estimate import estimate_body
from gateway.losses import of_variants, refuse_losses, tell_losses, tell_upstream
from gateway.middleware.model_map import held, hold, may_reach, misled
from gateway.relay import Relay
from gateway.routes import EMBEDDINGS, as_gemini, native_of
from gateway.services import Services
from gateway.streaming import Client, ClientGone
from gateway.upstream import Embedding, Target, credential_of

__all__ = ["NativeCalls"]

_TUNED: Final = "tunedModels/"
_UPLOADS: Final = "/upload/"
_SMALL_BYTES: Final = 1024 * 1024
_SILENCE_S: Final = SILENCE_S
_ASTRAY: Final = re.compile(r"(?:^|/)\.{1,2}(?:/|$)|[\x00-\x1f\x7f\\]")
_COLON: Final = re.compile("%3a", re.IGNORECASE)
_FILES: Final = re.compile(r"/(?:(?:upload|download)/)?v1(?:beta|alpha)?/files(?:[/:]|$)")
_MAX_REFUSAL_BYTES: Final = 1024 * 1024
_MAX_COUNTED_BYTES: Final = 8 * 1024 * 1024  # a hundred vectors of the longest kind
_REFUSALS: Final[Mapping[int, type[GatewayError]]] = {
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    429: UpstreamRateLimited,
    503: UpstreamOverloaded,
    504: UpstreamTimeout,
}
_FAIL_OVER: Final = (UpstreamError, NoCredential, NotFound)
_GONE: Final = 404
_UNKNOWN: Final = frozenset({403, 404})  # to a key that it does not belong to
_JOB: Final = re.compile(r":(?:predictLongRunning|batchGenerateContent|asyncBatchEmbedContent)\Z")
_PERHAPS_BEGUN: Final = frozenset({408, 500, 502, 504})  # what these statuses refuse
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw] | list[Raw])


class _Way(NamedTuple):
    """An upstream, and its own name of the model in the path, "" = there is none.

    `about`: its own name of one that stands in the body alone. `variants`: see Target.
    """

    adapter: ModelForwarding
    model: str
    variants: tuple[str, ...] = ()
    about: str = ""

    @property
    def target(self) -> Target:
        return Target(self.adapter, self.model or self.about, self.variants)


class _Asked(Struct):
    model: str = ""


_ASKED: Final = msgspec.json.Decoder(_Asked)


class NativeCalls:
    """Answers native calls; one for each app."""

    def __init__(self, services: Services, relay: Relay) -> None:
        self._services = services
        self._relay = relay

    async def answer(self, context: RequestContext, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call; raise GatewayError for what can still become a status."""
        try:
            await self._answer(context, scope, receive, send)
            context.end = "done" if (context.status or 0) < 400 else "error"  # the upstream's own refusal went on
        except ClientGone:
            context.end = "client_closed"
        except ModelNotFound as error:
            raise held(context.principal, error) from None

    async def _answer(self, context: RequestContext, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])  # what stands around has taken out keys, and lengths that do not hold
        body = _Body(receive)
        path = as_gemini(route_path(scope))
        content = await body.whole() if _is_kept(headers, path) else body
        ways = self._choose(context, content, path)
        if self._services.loaded.config.translate.lossy == "strict":
            refuse_losses(of_variants(ways[0].target))
        costs = bool(context.requested_model) and scope["method"] == "POST"
        call = _call(context, scope, headers, content, self._origin(scope, headers))
        if context.reserve is not None:
            context.targets = tuple(way.target for way in ways)
            context.expected = await _expected(content) if costs and isinstance(content, bytes) else None
            await context.reserve(context)
        early = await self._reach(context, ways[:1], call, body) if isinstance(content, _Body) else None
        client = Client(receive, send, self._relay.grace)  # listens from now on, so the body must be read
        try:
            with self._relay.held(client, context):
                async with client:
                    answer = early or await self._reach(context, ways, call, body)
                    if answer.status >= 400:
                        answer = await self._refusal(answer)
                    if not costs:
                        await self._relay.pass_on(context, answer, client)
                        return
                    meter = _Meter(answer)

                    def count() -> None:
                        context.usage = meter.usage

                    await self._relay.pass_on(context, meter, client, count)
        finally:
            if early is not None:
                early.close()

    async def _reach(
        self, context: RequestContext, ways: Sequence[_Way], call: NativeCall, body: "_Body"
    ) -> NativeAnswer:
        """Ask the members of a chain in turn; what the last one says is the answer."""
        failure: GatewayError | None = None
        begins_job = _JOB.search(call.path) is not None
        seeks = bool(resources(call.path))  # who fails may be the one that has it
        statuses = _UNKNOWN if seeks else {_GONE, *self._services.loaded.config.retry.on}
        way = ways[0]
        try:
            for way in ways[:-1]:
                _tries(context, way, failure)
                call = replace(call, model=way.model, about=way.about, sought=seeks and failure is not None)
                try:
                    answer = await self._forward(way.adapter, call, body)
                except _FAIL_OVER as error:
                    failure = bare(error)
                    if (begins_job and _is_heard(failure)) or (seeks and not isinstance(error, NotFound)):
                        raise
                else:
                    status = answer.status
                    if status not in statuses or (begins_job and status in _PERHAPS_BEGUN):
                        return answer
                    answer.close()
                    failure = _kind_of(status)(f"the upstream responded with status {status}")
                context.fails(failure)
            way = ways[-1]
            _tries(context, way, failure)
            call = replace(call, model=way.model, about=way.about, sought=seeks and failure is not None)
            return await self._forward(way.adapter, call, body)
        finally:
            tell_losses(context, of_variants(way.target))
            tell_upstream(context, context.upstream)

    async def _forward(self, adapter: ModelForwarding, call: NativeCall, body: "_Body") -> NativeAnswer:
        """Pass a call on; what the caller takes to send its body is no silence of the upstream's."""
        limit_s = self._services.loaded.config.timeouts.first_byte
        try:
            with Watchdog(limit_s, self._relay.grace) as body.watchdog:
                return await adapter.forward(call)
        except TimeoutError:
            raise UpstreamTimeout(f"{adapter.name} sent nothing for {limit_s:g} s (timeouts.first_byte)") from None

    async def _refusal(self, answer: NativeAnswer) -> NativeAnswer:
        """Give a refusal to pass on; raise one that is no JSON, with its status, in words of ours."""
        body = b""
        try:
            async with asyncio.timeout(self._relay.idle):
                with suppress(GatewayError):  # what breaks off has its status
                    while len(body) < _MAX_REFUSAL_BYTES and (data := await answer.read()):
                        body += data
        except TimeoutError:
            raise UpstreamTimeout(f"the upstream fell silent for {self._relay.idle:g} s (timeouts.idle)") from None
        finally:
            answer.close()
        if _is_json(body):
            return Refused(answer.status, answer.headers, body, credential_of(answer))
        raise _unreadable(answer, body, self._services.clock.time())

    def _origin(self, scope: Scope, headers: Mapping[bytes, bytes]) -> str:
        """Give the address at which callers see this gateway, with its mount point."""
        host = headers.get(b"host", b"").decode("latin-1") or _own_host(scope)
        seen = f"{scope.get('scheme', 'http')}://{host}{quote(scope.get('root_path', ''))}"
        return self._services.loaded.config.server.public_url or seen

    # where to

    def _choose(self, context: RequestContext, content: object, path: str) -> Sequence[_Way]:
        """Give the upstream and its name of the model; where several may be asked, all of them."""
        model = context.route.model
        named = model or (_model_in(content) if isinstance(content, bytes) and not path.startswith(_UPLOADS) else "")
        context.requested_model = named
        _check(context.principal, named, content, path)
        names = resources(path)
        made = self._made(names, model)
        chain = list(self._chain(model, context.principal)) if model and not made else []
        ways = made or chain or list(self._any(model))
        if names and not made:
            ways += self._others(model, ways)
        if not ways:
            raise self._nowhere(context, model, path)
        found = [self._about(context, way) for way in ways if may_reach(context.principal, way.adapter.name)]
        if not found:
            others = ", ".join(dict.fromkeys(repr(way.adapter.name) for way in ways))
            raise PermissionDenied(f"this API key may not use upstream {others}, which would serve this")
        return [way for way in found if way.adapter.usable] or found[:1] if chain or names else found[:1]

    def _nowhere(self, context: RequestContext, model: str, path: str) -> GatewayError:
        able = [adapter.name for adapter in self._of_models()]
        named = bool(model) and not model.startswith(_TUNED)
        asked = self._services.resolver.resolve(model, context.principal.upstreams).targets if named else ()
        if native_of(path) == EMBEDDINGS and any(isinstance(target.adapter, Embedding) for target in asked):
            return NotFound(f"{model[:100]!r} has embeddings at POST /v1/embeddings, in OpenAI's format", param="model")
        if not named or not able:
            return context.route.error or NotFound("no upstream here serves this")
        return misled(context, self._services, asked, native_of(path) or "native calls of Gemini's", able)

    def _made(self, names: Sequence[str], model: str) -> list[_Way]:
        """Give the upstream through which one of these was made here."""
        found = next((adapter for adapter in self._keeping() if adapter.remembers(names)), None)
        return [] if found is None else [_Way(found, model)]

    def _others(self, model: str, ways: Sequence[_Way]) -> list[_Way]:
        """Give the upstreams besides in which another worker, or this one before a restart, may have made something."""
        asked = [way.adapter for way in ways]
        return [_Way(adapter, model) for adapter in self._keeping() if adapter not in asked]

    def _keeping(self) -> list[Remembering]:
        return [adapter for adapter in self._services.adapters.values() if isinstance(adapter, Remembering)]

    def _of_models(self) -> list[ModelForwarding]:
        return [adapter for adapter in self._services.adapters.values() if isinstance(adapter, ModelForwarding)]

    def _chain(self, model: str, principal: Principal) -> Iterator[_Way]:
        """Give the upstreams that the rules lead a model to."""
        if not model.startswith(_TUNED):  # no list has these
            for target in self._services.resolver.resolve(model, principal.upstreams).targets:
                if isinstance(target.adapter, ModelForwarding):
                    yield _Way(target.adapter, target.model, target.variants)

    def _about(self, context: RequestContext, way: _Way) -> _Way:
        """Add an upstream's own name of a model that stands in the body alone, where the rules lead to it."""
        named = context.requested_model.removeprefix(FOLDER)
        if way.model or not named:
            return way
        for name in (named, f"{way.adapter.name}/{named}"):  # by the rules, else as the upstream itself has it
            with suppress(ModelNotFound, ModelsAwaited):
                led = (one for one in self._chain(name, context.principal) if one.adapter is way.adapter)
                if (same := next(led, None)) is not None:
                    return same._replace(model="", about=same.model)
        return way._replace(about=named)

    def _any(self, model: str) -> Iterator[_Way]:
        """Give the upstreams that may serve what no rule leads to one that can, the first one first."""
        if model and not model.startswith(_TUNED):
            yield from (_Way(one, model) for one in self._of_models() if model in one.models())
            return
        default = self._services.adapters.get(self._services.loaded.config.models.default_upstream)
        if isinstance(default, Forwarding):
            yield _Way(default, model)
        for adapter in self._services.adapters.values():
            if isinstance(adapter, Forwarding) and adapter is not default:
                yield _Way(adapter, model)


class _Meter:
    """An answer on its way, of which is kept what may tell what it took."""

    def __init__(self, answer: NativeAnswer) -> None:
        self.status, self.headers = answer.status, answer.headers
        self.credential = credential_of(answer)
        self._answer = answer
        self._pieces: list[bytes] = []
        self._left = _MAX_COUNTED_BYTES

    @property
    def usage(self) -> ir.Usage | None:
        """The tokens, once all of it is here; None where it tells of none."""
        return read_counted(b"".join(self._pieces)) if self._left > 0 else None

    async def read(self) -> bytes:
        """Give the next piece."""
        data = await self._answer.read()
        self._left -= len(data)
        if self._left > 0:
            self._pieces.append(data)
        return data

    def close(self) -> None:
        """Drop the connection."""
        self._answer.close()


class _Body(AsyncIterable[bytes]):
    """A caller's body on its way; what stands around it refuses it by raising.

    `watchdog`: of the upstream that it goes to.
    """

    def __init__(self, receive: Receive) -> None:
        self.watchdog: Watchdog | None = None
        self._receive = receive

    async def whole(self) -> bytes:
        """Read it to its end."""
        return b"".join([piece async for piece in self])

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        try:
            more, pace = True, Pace()
            while more:
                message = await self._next()
                if message["type"] != "http.request":
                    raise ClientGone
                piece, more = message.get("body", b""), message.get("more_body", False)
                pace.take(piece)
                yield piece
                pace.resume()  # the upstream may be slow to take it
        except TimeoutError:
            raise RequestTimeout(f"the body fell silent for {_SILENCE_S:g} s") from None

    async def _next(self) -> Message:
        if self.watchdog is not None:
            self.watchdog.hold()
        async with asyncio.timeout(_SILENCE_S):
            message = await self._receive()
        if self.watchdog is not None:
            self.watchdog.feed()
        return message


def _tries(context: RequestContext, way: _Way, failure: GatewayError | None) -> None:
    """Note who is asked, and why the one before did not answer."""
    target = way.target
    context.upstream = target.label if target.model else way.adapter.name
    context.tries(target, failure)


def _call(
    context: RequestContext,
    scope: Scope,
    headers: Mapping[bytes, bytes],
    content: bytes | AsyncIterable[bytes],
    origin: str,
) -> NativeCall:
    path = as_gemini(_raw_path(scope))
    if "//" in path or _ASTRAY.search(unquote(path)):
        raise NotFound("a path may not contain `..`, empty segments, backslashes or control characters")
    return NativeCall(
        method=scope["method"],
        path=path,
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=headers,
        body=content,
        principal=context.principal.id,
        origin=origin,
    )


def _raw_path(scope: Scope) -> str:
    """Give the path below the mount point as it stood on the wire, but for colons, which some clients escape."""
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    mount = scope["path"].removesuffix(route_path(scope))
    _, *steps = raw.decode("latin-1").split("/")
    return _COLON.sub(":", "".join(f"/{step}" for step in steps[mount.count("/") :]))


def _own_host(scope: Scope) -> str:
    """Give the address that a caller of HTTP/1.0 has reached, who need not say it."""
    host, port = scope.get("server") or ("", None)
    named = f"[{host}]" if ":" in host else host
    return named if port is None else f"{named}:{port}"


def _check(principal: Principal, model: str, content: object, path: str) -> None:
    """Hold a key to its models; a call that names none may still be about one."""
    if not principal.models:
        return
    if model:
        hold(principal, model, others(content) if isinstance(content, bytes) else ())
    elif not _FILES.match(path):
        raise PermissionDenied("this API key is restricted to certain models, and this call names none")


def _is_heard(error: GatewayError) -> bool:
    """Tell whether the upstream may do what it was asked for, though it did not say so."""
    return isinstance(error, UpstreamTimeout | UpstreamMalformed) or error.cause == "broken"


async def _expected(content: bytes) -> ir.Usage | None:
    """Count the words of a call to a model, many of them off the loop; nothing here knows what else it takes."""
    try:
        if len(content) > _SMALL_BYTES:
            return ir.Usage(input=await asyncio.to_thread(estimate_body, content))
        return ir.Usage(input=estimate_body(content))
    except (ValueError, RecursionError):
        return None


def _is_json(body: bytes) -> bool:
    try:
        _OBJECT.decode(body)
    except (ValueError, RecursionError):
        return False
    return True


def _unreadable(answer: NativeAnswer, body: bytes, now: float) -> GatewayError:
    """Say what a refusal says that is a page, a line of text, or nothing at all."""
    status, kind = answer.status, _kind_of(answer.status)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
    said = read_details(body).message or "nothing"
    return kind(
        f"the upstream responded with status {status}: {said}",
        status=status,
        retry_after=header_wait(headers.get("retry-after", ""), now),
        headers={name: value for name, value in headers.items() if name.startswith("x-")},
    )


def _kind_of(status: int) -> type[GatewayError]:
    return _REFUSALS.get(status, UpstreamRejected if status < 500 else UpstreamUnavailable)


def _is_kept(headers: Mapping[bytes, bytes], path: str) -> bool:
    """Tell a body that is read first: JSON that is no file, and what is small; in chunks nobody knows."""
    if b"json" in headers.get(b"content-type", b"") and not path.startswith(_UPLOADS):
        return True
    length = headers.get(b"content-length", b"")
    if b"transfer-encoding" in headers:
        return False
    return not length or (length.isdigit() and int(length) <= _SMALL_BYTES)


def _model_in(content: bytes) -> str:
    try:
        return _ASKED.decode(content).model
    except (ValueError, RecursionError):
        return ""
