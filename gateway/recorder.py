"""[record] dir: writes down each model call, both sides of it, as a file that `gateway replay` reads.

    caller ─► receive ─► the pipeline ─► upstream calls (gateway.tap)
    caller ◄── send  ◄──────┘                  └─► Recording ─► REQUEST.jsonl, when the answer is over, off the loop

What is secret is masked before it is written: the keys of callers, the secrets of the configuration, the credentials
of upstream calls, and all that looks like one. What people and models said is not; the files are for their owner only.
A disk that fails disturbs no request.
"""

import contextlib
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from gateway import __version__
from gateway.clock import Clock
from gateway.config import Config, CooldownConfig, DemoConfig, Loaded, PoolConfig, secrets_of
from gateway.config.problems import nearest
from gateway.context import RequestContext, attach, route_path
from gateway.excerpt import inflated
from gateway.lending import apart
from gateway.middleware.auth import shown_in
from gateway.recording import FORMAT, Answer, Call, Head, Member, Pieces, Recording, Request, pack
from gateway.redact import Hider, credentials_in
from gateway.tap import TAP, Heard, Tap
from gateway.upstream import Pooling, Target

__all__ = ["Recorder"]

_LIMIT_BYTES: Final = 16 * 1024 * 1024  # of each body
_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700

# of the caller's headers, those that have a say in what is asked for
_ASKED: Final = frozenset(
    {
        "accept",
        "anthropic-beta",
        "anthropic-version",
        "content-type",
        "openai-beta",
        "session-id",
        "session_id",
        "user-agent",
        "x-session-id",
    }
)
# of an answer's, those that say nothing, or not any more once it is inflated
_LEFT_OUT: Final = frozenset(
    {"connection", "content-encoding", "content-length", "set-cookie", "transfer-encoding", "www-authenticate"}
)
_CREDENTIALS: Final = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
_SECTIONS: Final = ("thinking", "defaults", "retry", "timeouts", "translate")
# of an upstream's settings, those that are no secret and no account's
_SETTINGS: Final = (
    "type",
    "base_url",
    "base_urls",
    "endpoint",
    "api",
    "api_version",
    "deployments",
    "envelope",
    "location",
    "max_tokens_field",
)


class Recorder:
    """ASGI layer around the pipeline; one for each app."""

    def __init__(self, app: ASGIApp, folder: Path, loaded: Loaded, clock: Clock, logger: FilteringBoundLogger) -> None:
        self.app = app
        self._folder = folder
        self._config = loaded.config
        self._secrets = tuple(secrets_of(loaded.config))
        self._clock = clock
        self._logger = logger
        self._failing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        context, send = attach(scope, send, self._clock)
        if context.route.operation != "chat":
            await self.app(scope, receive, send)
            return
        sides = _Sides(scope, context, receive, send, self._clock)
        before = TAP.set(sides.tap)
        try:
            await self.app(scope, sides.receive, sides.send)
        finally:
            TAP.reset(before)
            if sides.tap.calls or _asked(context):  # what was refused before has nothing to be replayed
                await apart(True, self._write, sides, context)
            sides.tap.close()

    def _write(self, sides: "_Sides", context: RequestContext) -> None:
        try:
            _save(self._folder, self._recording(sides, context))
        except OSError as error:
            if not self._failing:
                reason = f"{self._folder}: {error.strerror}"
                self._logger.error("a recording cannot be written", reason=reason)  # noqa: TRY400 - no traceback
            self._failing = True
        else:
            if self._failing:
                self._logger.info("recordings can be written again")
            self._failing = False

    def _recording(self, sides: "_Sides", context: RequestContext) -> Recording:
        shown = {one for call in sides.tap.calls for one in credentials_in(call.headers)}
        hide = _Masking(Hider((*self._secrets, *sides.keys, *shown)))
        return Recording(
            Head(
                format=FORMAT,
                version=__version__,
                python=platform.python_version(),
                at=sides.at,
                request_id=context.request_id,
                dialect=context.route.dialect,
                targets=tuple(Member(one.adapter.name, one.model, one.variants) for one in context.targets),
                settings=_settings(self._config, context.targets, hide),
                stamp=context.stamp,
            ),
            sides.request(hide),
            tuple(_calls(sides.tap.calls, hide)),
            sides.answer(context, hide),
        )


class _Masking(Struct):
    """Masks secrets in texts and in bodies."""

    text: Callable[[str], str]

    def body(self, data: bytes) -> bytes:
        """Mask them in a body."""
        return self.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def pieces(self, pieces: Sequence[tuple[float, bytes]]) -> Pieces:
        """Mask them in what came in pieces; where one was among them, the pieces become one."""
        whole = b"".join(data for _, data in pieces)
        masked = self.body(whole)
        if masked != whole:
            return ((round(pieces[-1][0], 6), pack(masked)),)
        return tuple((round(at, 6), pack(data)) for at, data in pieces)

    def headers(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Mask them in those headers of an answer that are kept."""
        return {name.lower(): self.text(value) for name, value in headers if name.lower() not in _LEFT_OUT}


class _Sides:
    """The caller's side of one call, as it was heard, and the tap for the other."""

    def __init__(self, scope: Scope, context: RequestContext, receive: Receive, send: Send, clock: Clock) -> None:
        headers: Mapping[bytes, bytes] = context.headers
        query: bytes = scope.get("query_string", b"")
        self.keys = shown_in(headers, query)
        self.at = clock.time() - (clock.monotonic() - context.started)
        self.tap = Tap(self._now, context, _LIMIT_BYTES)
        self._clock = clock
        self._started = context.started
        self._method: str = scope["method"]
        self._path = route_path(scope)
        self._query = query.decode("latin-1")
        self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
        self._receive = receive
        self._send = send
        self._asked: list[bytes] = []
        self._asked_bytes = 0
        self._said: list[tuple[float, bytes]] = []
        self._said_bytes = 0
        self._reply_headers: list[tuple[str, str]] = []

    def _now(self) -> float:
        return self._clock.monotonic() - self._started

    async def receive(self) -> Message:
        """Receive for those inside."""
        message = await self._receive()
        data: bytes = message.get("body", b"")
        if self._asked_bytes < _LIMIT_BYTES:
            self._asked.append(data[: _LIMIT_BYTES - self._asked_bytes])
        self._asked_bytes += len(data)
        return message

    async def send(self, message: Message) -> None:
        """Send what those inside send."""
        if data := message.get("body", b""):
            if self._said_bytes < _LIMIT_BYTES:
                self._said.append((self._now(), data[: _LIMIT_BYTES - self._said_bytes]))
            self._said_bytes += len(data)
        await self._send(message)
        if message["type"] == "http.response.start":  # what stands around has put its own to them by now
            found = message["headers"]
            self._reply_headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in found]

    def request(self, hide: _Masking) -> Request:
        """Give what the caller asked for."""
        body, encoding = b"".join(self._asked), self._headers.get("content-encoding", "")
        query = urlencode([(name, value) for name, value in parse_qsl(self._query) if name != "key"])
        return Request(
            method=self._method,
            path=hide.text(self._path),
            query=hide.text(query),
            headers={name: hide.text(value) for name, value in self._headers.items() if name in _ASKED},
            body=pack(hide.body(inflated(body, encoding.encode(), _LIMIT_BYTES) if encoding else body)),
            cut=self._asked_bytes - len(body),
        )

    def answer(self, context: RequestContext, hide: _Masking) -> Answer:
        """Give what the caller got."""
        return Answer(
            status=context.status,
            headers=hide.headers(self._reply_headers),
            pieces=hide.pieces(self._said),
            end=context.end or "done",
            upstream=_asked(context),
            cut=self._said_bytes - sum(len(data) for _, data in self._said),
        )


def _asked(context: RequestContext) -> str:
    """Name who has answered, else who failed last, or was left, without a call of which the tap would have heard."""
    tried = context.tried
    return context.upstream or (tried.label if tried is not None and not isinstance(tried.adapter, Pooling) else "")


def _calls(calls: Sequence[Heard], hide: _Masking) -> Iterator[Call]:
    shown: list[tuple[str | None, ...]] = []
    for heard in calls:
        headers = {name.lower(): value for name, value in heard.headers.items()}
        credential = tuple(headers.get(name) for name in _CREDENTIALS)
        if credential not in shown:
            shown.append(credential)
        yield _call(heard, shown.index(credential), hide)


def _call(heard: Heard, credential: int, hide: _Masking) -> Call:
    return Call(
        upstream=heard.upstream,
        credential=credential,
        at=round(heard.at, 6),
        method=heard.method,
        url=hide.text(heard.url),
        body=None if heard.body is None else pack(hide.body(heard.body)),
        status=heard.status,
        headers=hide.headers(heard.reply_headers.items()),
        answered_at=round(heard.reply_at, 6),
        pieces=hide.pieces(heard.pieces),
        cut=heard.size - sum(len(data) for _, data in heard.pieces),
        ended=heard.ended,
        error=(heard.error[0], hide.text(heard.error[1]), heard.error[2]) if heard.error is not None else None,
    )


def _settings(config: Config, targets: Sequence[Target], hide: _Masking) -> dict[str, object]:
    """Give what had a say in the translation, as gateway.toml writes it."""
    models = {"echo": config.models.echo, "variant": config.models.variant}
    sections = {"models": models, **{name: getattr(config, name) for name in _SECTIONS}}
    plain = cast(dict[str, object], _plain(msgspec.to_builtins(sections)))  # of a dict with text keys
    plain["upstream"] = {
        name: {key: value for key in _SETTINGS if (value := _setting(config, name, key, hide))}
        | _models(config, [one for one in targets if one.adapter.name == name], hide)
        | _pool(config, name)
        for name in sorted({one.adapter.name for one in targets})
    }
    return plain


def _setting(config: Config, upstream: str, key: str, hide: _Masking) -> object:
    """Give one key of an upstream; an address may hold a password."""
    value = getattr(config.upstream[upstream], key, None)
    if isinstance(value, tuple):
        return [hide.text(str(one)) for one in cast(tuple[object, ...], value)]  # tuple[Unknown, ...] after isinstance
    return hide.text(value) if isinstance(value, str) else value


def _models(config: Config, targets: Sequence[Target], hide: _Masking) -> dict[str, list[str]]:
    """Give what one upstream lists: the models asked for, in the place of any other the one that is most like it."""
    adapter = targets[0].adapter
    known = adapter.models()
    if not known or isinstance(config.upstream[adapter.name], DemoConfig):
        return {}
    asked = (one.model for one in targets)
    listed = (name if name in known else nearest(name[:100], known) or next(iter(known)) for name in asked)
    return {"models": [*dict.fromkeys(map(hide.text, listed))]}


def _pool(config: Config, upstream: str) -> dict[str, object]:
    """Give how long a credential of its cools down, which callers are told, where it is not as usual."""
    pool = getattr(config.upstream[upstream], "pool", None)
    if not isinstance(pool, PoolConfig) or pool.cooldown == CooldownConfig():
        return {}
    return {"pool": {"cooldown": msgspec.to_builtins(pool.cooldown)}}


def _plain(value: Any) -> Any:
    """Leave out what is not set."""
    if isinstance(value, dict):
        table = cast(dict[str, Any], value)  # dict[Unknown, Unknown] after isinstance
        return {name: _plain(item) for name, item in table.items() if item is not None}
    return value


def _save(folder: Path, recording: Recording) -> None:
    """Write a file that nobody else may read, under a name that no other one has."""
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    began = datetime.fromtimestamp(recording.head.at, UTC)
    stem = f"{began:%Y%m%dT%H%M%S}.{began.microsecond // 1000:03}-{recording.head.request_id}"
    data = recording.written()
    number = 1
    while True:
        name = f"{stem}.jsonl" if number == 1 else f"{stem}-{number}.jsonl"
        with contextlib.suppress(FileExistsError):
            file = os.open(folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _MODE)
            break
        number += 1
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(data)
    except OSError:
        (folder / name).unlink()  # the half of one is of no use
        raise
