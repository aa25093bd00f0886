"""Replay a recording: the code of a live request, with the recorded upstream in the place of the network.

    the caller's request ─► protocol ─► the recorded targets ─► Relay ─► adapter ─► RecordedTransport
    the answer, in this or another dialect ◄── codec ◄── events ◄── adapter ◄───────────┘

Nothing is asked of anybody, and nothing of this machine counts: the settings are those of the recording, the
credentials are made up. What the operator's own middlewares and the store had to do with it is not replayed.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from tempfile import TemporaryDirectory
from typing import Final, cast
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.adapters.account import Account
from gateway.adapters.credential import Credential
from gateway.adapters.pooled import PooledUpstream
from gateway.adapters.tokens import RefreshFailed, Tokens
from gateway.config import Loaded, load
from gateway.config.sources import as_tree
from gateway.context import RequestContext, attach
from gateway.errors import GatewayError
from gateway.fit import check
from gateway.logs import logger_for
from gateway.parts import adapters_of
from gateway.pipeline import build
from gateway.policy import refusal
from gateway.recording import Call, Head, Recording, joined, unpack
from gateway.redact import Hider
from gateway.refusal import codec, dialect_of, refuse
from gateway.relay import Relay
from gateway.replay.transport import RecordedTime, RecordedTransport
from gateway.resolution import Resolution, Resolver
from gateway.routes import PATHS, DialectName, match
from gateway.services import Services
from gateway.store.known import StoredTokens
from gateway.upstream import Adapter, Pooling, Target

__all__ = ["Replayed", "differences", "replay"]

_MADE_UP: Final = "replayed-credential"
_KEYED: Final = frozenset({"gemini", "openai", "azure", "anthropic"})
_YEAR_S: Final = 365 * 86_400.0
_REFUSED: Final = frozenset({401, 403})
_LEFT: Final = frozenset({"client_closed", "cancelled"})
_SHOWN: Final = 60
_OK: Final = 200


class Replayed(Struct, frozen=True):
    """What came of it. `calls_left`: recorded upstream calls that were not asked for."""

    status: int
    content_type: str
    body: bytes
    calls_left: int


async def replay(recording: Recording, dialect: DialectName | None = None) -> Replayed:
    """Give the answer as this version makes it, in the caller's dialect or another; raise ValueError, ConfigError."""
    if recording.missing:
        raise ValueError(f"{recording.missing} bytes are missing, because there was too much to record")
    if not _asked(recording):
        raise ValueError("no upstream was called: the gateway rejected the request for a reason that is not recorded")
    request = recording.request
    if match(request.method, request.path, {}, request.query.encode()).operation != "chat":
        raise ValueError(f"{request.method} {request.path[:_SHOWN]} is not a request to a model")
    time = RecordedTime(recording.head.at)
    transport = RecordedTransport(recording.calls, time)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="gateway-replay-"))
        loaded = _loaded(recording, folder)
        check(loaded)
        adapters = adapters_of(loaded, time)
        services = Services(
            loaded=loaded,
            clock=time,
            logger=logger_for(loaded),
            adapters=adapters,
            resolver=_Recorded(loaded, adapters, recording),
        )
        for adapter in adapters.values():
            await adapter.start(transport)
            stack.push_async_callback(adapter.stop)
            _give_tokens(adapter, time, transport)
        relay = Relay(loaded.config, time)
        if _had_begun(recording):
            transport.waits = partial(_begin_stream, relay)
        stage = _Stage(relay, recording.head, dialect)
        answer = await _answered(build(stage, services), recording)
    return Replayed(*answer, transport.left)


def differences(recording: Recording, replayed: Replayed) -> list[str]:
    """Say how the answer differs from the recorded one; [] = it does not, or the caller had left."""
    was = recording.answer
    if was.end in _LEFT or was.cut:
        return []
    found = list[str]()
    if was.status != replayed.status:
        found.append(f"status: {replayed.status}, recorded {was.status}")
    if was.headers.get("content-type", "") != replayed.content_type:
        found.append(f"content-type: {replayed.content_type}, recorded {was.headers.get('content-type', '')}")
    before, after = _bare(joined(was.pieces), recording), _bare(replayed.body, recording)
    if before != after:
        at = next(
            (n for n, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]),
            min(len(before), len(after)),
        )
        new, old = (text[max(at - _SHOWN, 0) : at + _SHOWN].decode("utf-8", "replace") for text in (after, before))
        found.append(f"body, at byte {at}: {new!r}, recorded {old!r}")
    if replayed.calls_left:
        found.append(f"{replayed.calls_left} of {len(recording.calls)} upstream calls were not made")
    return found


def _had_begun(recording: Recording) -> bool:
    """Tell whether what failed was a stream that signs of life, or words, had begun."""
    was = recording.answer
    return was.end == "error" and was.status == _OK


async def _begin_stream(relay: Relay) -> None:
    for client in tuple(relay.open):
        await client.begin_stream()


def _bare(body: bytes, recording: Recording) -> bytes:
    """Leave out signs of life, which came as the upstream was silent, and mask what a recording masks."""
    body = body.replace(codec(recording.head.dialect).keepalive or b"\0", b"")
    return Hider(())(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _asked(recording: Recording) -> set[str]:
    """Name the members of the chain that had a part in the answer, as far as it can be seen."""
    return {call.upstream for call in recording.calls} | {recording.answer.upstream} - {""}


class _Recorded(Resolver):
    """Leads every name to the recorded upstreams, but for those with credentials of which none could serve then."""

    def __init__(self, loaded: Loaded, adapters: Mapping[str, Adapter], recording: Recording) -> None:
        super().__init__(loaded.config, adapters)
        missing = [one.upstream for one in recording.head.targets if one.upstream not in adapters]
        if missing:
            raise ValueError(f"its settings have no upstream {missing[0]!r}, which was called in the recording")
        targets = [Target(adapters[one.upstream], one.model, one.variants) for one in recording.head.targets]
        asked = _asked(recording)
        self._targets = tuple(one for one in targets if one.label in asked or not isinstance(one.adapter, Pooling))
        if not self._targets:
            raise ValueError(f"it called {', '.join(sorted(asked))}, which its chain does not include")

    def resolve(self, name: str, among: Collection[str] = ()) -> Resolution:
        """Give them."""
        return Resolution(self._targets, ())


class _Stage:
    """The app in the place of the endpoints: answers as they do, in the dialect that is wanted."""

    def __init__(self, relay: Relay, head: Head, dialect: DialectName | None) -> None:
        self._relay = relay
        self._head = head
        self._dialect: DialectName | None = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        context, send = attach(scope, send)
        context.stamp = self._head.stamp
        try:
            if self._dialect is not None and context.route.dialect != self._dialect:
                _turn(context, self._dialect)
            await self._relay.answer(context, dialect_of(context), receive, send)
        except GatewayError as error:
            await refuse(context, send, error)


def _turn(context: RequestContext, dialect: DialectName) -> None:
    """Make it the same question of a caller who speaks another dialect; raise what none of them could ask."""
    request = context.request
    assert request is not None, "protocol has read it"
    method = "streamGenerateContent" if request.stream else "generateContent"
    path = PATHS[dialect].format(model=request.model, method=method)
    context.route = match("POST", path, {}, b"alt=sse")
    error = refusal(request, dialect)
    if error is not None:
        raise error
    context.request = replace(request, native=None)  # these words are of no use to that caller


async def _answered(app: ASGIApp, recording: Recording) -> tuple[int, str, bytes]:
    """Send the recorded request through an app; give status, content type and body."""
    request, body = recording.request, unpack(recording.request.body)
    sent = request.headers | {"host": "localhost", "x-request-id": recording.head.request_id}
    scope: Scope = {
        "type": "http",
        "method": request.method,
        "path": request.path,
        "raw_path": quote(request.path).encode(),
        "query_string": request.query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
        "client": ("127.0.0.1", 0),
    }
    asked: list[Message] = [{"type": "http.request", "body": body}]
    said: list[Message] = []

    async def receive() -> Message:
        return asked.pop() if asked else await asyncio.get_running_loop().create_future()

    async def send(message: Message) -> None:
        said.append(message)

    await app(scope, receive, send)
    headers: dict[bytes, bytes] = dict(said[0]["headers"])
    whole = b"".join(message.get("body", b"") for message in said)
    return said[0]["status"], headers.get(b"content-type", b"").decode("latin-1"), whole


def _loaded(recording: Recording, folder: str) -> Loaded:
    """Make the configuration of a recording; raise ConfigError for one that this version does not have."""
    settings = recording.head.settings
    given = settings.get("upstream", {})
    upstreams = as_tree(given)
    if upstreams is not None:
        given = {name: _upstream(as_tree(table) or {}, name, recording) for name, table in upstreams.items()}
    own: dict[str, object] = {
        "server": {"data_dir": folder},
        "auth": {"allow_anonymous": "always"},
        "log": {"level": "critical"},
        "pipeline": {"order": ["request_id", "protocol", "model_map"]},
        "timeouts": {**(as_tree(settings.get("timeouts")) or {}), "keepalive": 0},
    }
    return load({**settings, **own, "upstream": given}, environ={}, dotenv=False)


def _upstream(table: Mapping[str, object], name: str, recording: Recording) -> dict[str, object]:
    """Give an upstream as many credentials as the call had, and, where none are recorded, the models asked for."""
    kind = str(table.get("type"))
    calls = [call for call in recording.calls if call.upstream.partition("/")[0] == name]
    used = len({call.credential for call in calls}) if kind in _KEYED else _accounts(calls)
    credentials = [f"{_MADE_UP}-{number}" for number in range(max(used, 1))]
    models = list(dict.fromkeys(one.model for one in recording.head.targets if one.upstream == name))
    more: dict[str, object] = {}
    if kind in _KEYED:
        more["api_key"] = credentials
    elif kind == "v1internal":
        more["pool"] = {**(as_tree(table.get("pool")) or {}), "refresh_tokens": credentials}
        more["oauth"] = {"client_id": _MADE_UP, "client_secret": _MADE_UP}
    elif kind == "vertex":
        more["project"] = _MADE_UP
    return {**({} if kind == "demo" else {"models": models}), **table, **more}


def _accounts(calls: Iterable[Call]) -> int:
    """Count the accounts: the first new token after a refusal is one that the refused account was given."""
    seen = set[int]()
    accounts = 0
    refused = renewed = False
    for call in calls:
        if call.credential not in seen:
            seen.add(call.credential)
            renewed = refused and not renewed
            accounts += not renewed
        refused = call.status in _REFUSED
    return accounts


def _give_tokens(adapter: Adapter, time: RecordedTime, transport: RecordedTransport) -> None:
    """Give accounts an access token and a project, which they would ask for, and one more token where calls follow."""

    async def renewal(_: str) -> Tokens:
        if not transport.goes_on(adapter.name):
            raise RefreshFailed("a replay calls nobody")
        return Tokens(access_token=f"{_MADE_UP}-{transport.left}", lifetime_s=_YEAR_S)

    pooled = cast(PooledUpstream[Credential], adapter) if isinstance(adapter, PooledUpstream) else None
    for credential in pooled.credentials if pooled is not None else ():
        if isinstance(credential, Account):
            credential.accept(StoredTokens(_MADE_UP, time.time() + _YEAR_S, time.time()))
            credential.given_project = credential.given_project or _MADE_UP
            credential.renewal = renewal
