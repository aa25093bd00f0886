"""A caller of one dialect before a gateway, over real HTTP: asks, and walks what comes through the grammar."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import httpx

from gateway.testing.asking import ASKING, Asking, Wish
from gateway.testing.grammar import Broken, Heard, Json, read_object, rule, walks
from gateway.testing.grammars import GRAMMARS, Grammar

__all__ = ["Caller", "Reply", "exchange"]

_EVENTS = "text/event-stream"
_JSON = "application/json"
_PIECES = 400  # characters of an answer that are quoted
_LARGEST = 16 * 2**20  # bytes of an answer to a short question


@dataclass(frozen=True)
class Reply:
    """An answer as it came."""

    status: int
    kind: str
    body: bytes
    retry_after: str = ""

    @property
    def shown(self) -> str:
        """Quote it in one line."""
        words = " ".join(self.body.decode("utf-8", "replace").split())
        return f"{self.status} {words[:_PIECES]}"


@dataclass
class Caller:
    """It; `asked` and `heard` tell the last exchange in a few words. `whole_s`: by then an answer has ended."""

    http: httpx.AsyncClient
    dialect: str
    model: str
    key: str = ""
    silence_s: float = 1.0
    settle_s: float = 10.0
    whole_s: float = 120.0
    asked: str = ""
    heard: str = ""

    @property
    def grammar(self) -> Grammar:
        """Give the rules."""
        return GRAMMARS[self.dialect]

    @property
    def asking(self) -> Asking:
        """Give the way to ask."""
        return ASKING[self.dialect]

    async def hear(self, wish: Wish) -> Heard:
        """Ask for an answer, which must come, and keep every rule."""
        return self.read(await self.ask(wish), stream=wish.stream)

    def read(self, reply: Reply, *, stream: bool) -> Heard:
        """Walk an answer."""
        rule(reply.status == 200, f"it was rejected: {reply.shown}")
        expected = _EVENTS if stream else _JSON
        rule(reply.kind == expected, f"content-type is {reply.kind!r}, not {expected}: {reply.shown}")
        heard = (self.grammar.stream if stream else self.grammar.whole)(reply.body)
        self.heard = _told(heard)
        return heard

    async def ask(self, wish: Wish, model: str = "", key: str | None = None) -> Reply:
        """Ask for anything."""
        model = model or self.model
        return await self.post(self.asking.body(model, wish), model, stream=wish.stream, key=key)

    async def post(self, body: Json | bytes, model: str = "", *, stream: bool = False, key: str | None = None) -> Reply:
        """Post a body to where this dialect asks for answers."""
        path = self.asking.path(model or self.model, stream)
        self.asked = f"POST {path}" + (", streamed" if stream and self.dialect != "gemini" else "")
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**self.asking.headers(self.key if key is None else key), "content-type": _JSON}
        return await self._exchange("POST", path, headers, data)

    async def get(self, path: str, method: str = "GET") -> Reply:
        """Ask for something else."""
        self.asked = f"{method} {path}"
        return await self._exchange(method, path, self.asking.headers(self.key))

    async def leave(self, wish: Wish, within_s: float) -> int:
        """Ask for a stream, and leave once something of it has come, or after so long; give how many bytes came."""
        path, body = self.asking.path(self.model, True), self.asking.body(self.model, wish)
        self.asked = f"POST {path}, and leave"
        headers = self.asking.headers(self.key)
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(within_s),
                self.http.stream("POST", path, json=body, headers=headers) as response,
            ):
                rule(response.status_code == 200, f"it was rejected with {response.status_code}")
                async for piece in response.aiter_raw():
                    return len(piece)
        return 0

    def refused(self, reply: Reply, *statuses: int) -> Json:
        """Read a refusal, which has one of these statuses, and is told in the words of this dialect."""
        rule(reply.status in statuses, f"{reply.shown}; expected {' or '.join(map(str, statuses))}")
        rule(reply.kind == _JSON, f"content-type of an error is {reply.kind!r}: {reply.shown}")
        return self.grammar.error(reply.status, reply.body)

    def object(self, reply: Reply) -> Json:
        """Read a JSON object that is no refusal."""
        rule(reply.status == 200, f"it was rejected: {reply.shown}")
        return read_object(reply.body, "the answer")

    @walks
    def turn(self, reply: Reply) -> list[Json]:
        """Give what of a whole answer is given back in the next turn."""
        return list(self.asking.turn(self.object(reply)))

    async def _exchange(self, method: str, path: str, headers: Mapping[str, str], data: bytes | None = None) -> Reply:
        reply = await exchange(self.http, method, path, headers, data, self.whole_s)
        self.heard = reply.shown[:80]
        return reply


async def exchange(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    headers: Mapping[str, str],
    data: bytes | None = None,
    within_s: float = 120.0,
) -> Reply:
    """Ask, and read the answer, which has to end."""
    body = bytearray()
    try:
        async with (
            asyncio.timeout(within_s),
            http.stream(method, path, headers=headers, content=data) as response,
        ):
            async for piece in response.aiter_bytes():
                body += piece
                rule(
                    len(body) <= _LARGEST,
                    f"{_LARGEST >> 20} MB, and no end: {response.status_code} {bytes(body[:80])!r}",
                )
    except TimeoutError:
        raise Broken(f"no end within {within_s:g} s, {len(body)} bytes: {bytes(body[:80])!r}") from None
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Reply(response.status_code, kind, bytes(body), response.headers.get("retry-after", ""))


def _told(heard: Heard) -> str:
    if heard.error is not None:
        return f"error: {heard.error.get('message')}"
    words = [f"{len(heard.text)} characters", *([f"{len(heard.calls)} calls"] if heard.calls else [])]
    words += [f"{len(heard.thoughts)} of thoughts"] if heard.thoughts else []
    return f"{', '.join(words)}, {heard.finish}"
