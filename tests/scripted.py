"""An upstream adapter that plays what a test wrote down."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from tempfile import TemporaryDirectory
from typing import cast

import anyio
import anyio.lowlevel
from msgspec import Raw
from starlette.applications import Starlette

from gateway import ir
from gateway.app import Gateway, assemble
from gateway.clock import Clock
from gateway.config import load
from gateway.errors import GatewayError
from gateway.transport import Transport
from gateway.upstream import Answer, Call, ModelInfo, Step

__all__ = ["Play", "Scripted", "app_of", "say"]

FOLDER = TemporaryDirectory(prefix="gateway-")
_number = count()  # a data_dir for each app: what has limits keeps others out, and remembers what was used

Play = Sequence[list[ir.Event] | Exception | float | Callable[[], Awaitable[None]]]
After = Callable[[GatewayError], "Step | GatewayError"]


def say(*words: str) -> list[list[ir.Event]]:
    """One complete answer of these words, one read each."""
    deltas: list[list[ir.Event]] = [[ir.TextDelta(word)] for word in words]
    return [
        [ir.Started(id="up_1", usage=ir.Usage(input=3)), ir.BlockStarted(kind="text")],
        *deltas,
        [ir.BlockEnded(), ir.UsageReported(ir.Usage(input=3, output=2)), ir.Finished(reason="stop")],
    ]


class Scripted:
    """Each call takes the next play, the last one again and again.

    A play is a list of batches; an error is raised, a number is seconds of silence, a function is waited for. An
    error as the first item is raised by `go()` itself.
    """

    def __init__(
        self, *plays: Play, name: str = "demo", after: After | None = None, models: Sequence[str] = ("demo",)
    ) -> None:
        self.name = name
        self.plays = list(plays)
        self.calls: list[Call] = []
        self.opened = self.closed = self.done = 0
        self.after = after or (lambda error: error)
        self._models = {model: ModelInfo(id=model) for model in models}
        self.losses: tuple[ir.Loss, ...] = ()
        self.usable = True

    def models(self) -> Mapping[str, ModelInfo]:
        return self._models

    def open(self, call: Call) -> "_Journey":
        return _Journey(self, call)

    async def count(self, call: Call) -> int | None:
        return None

    async def start(self, transport: Transport) -> None:
        """Nothing to begin."""

    async def stop(self) -> None:
        """Nothing to end."""

    def state(self) -> str:
        return "usable"

    @property
    def lent(self) -> int:
        """Journeys that were begun and not given back."""
        return len(self.calls) and self.opened - self.done


class _Journey:
    def __init__(self, script: Scripted, call: Call) -> None:
        self.request = call.request
        self._script = script
        self._call = call
        self._done = False
        self.losses = script.losses
        script.opened += 1

    def body(self) -> Raw:
        return Raw(b"{}")

    async def go(self) -> Answer:
        script = self._script
        script.calls.append(self._call)
        play = script.plays.pop(0) if len(script.plays) > 1 else script.plays[0]
        if play and isinstance(play[0], Exception):
            raise play[0]
        return _Answer(script, play)

    def after(self, error: GatewayError) -> Step | GatewayError:
        return self._script.after(error)

    def done(self, usage: ir.Usage | None) -> None:
        if not self._done:
            self._done = True
            self._script.done += 1


class _Answer:
    def __init__(self, script: Scripted, play: Play) -> None:
        self._script = script
        self._items = iter(play)
        self.usage: ir.Usage | None = None
        self._closed = False

    async def read(self) -> list[ir.Event] | None:
        await anyio.lowlevel.checkpoint()
        item = next(self._items, None)
        if isinstance(item, float | int):
            await anyio.sleep(item)
            return await self.read()
        if isinstance(item, Exception):
            raise item
        if callable(item):
            await item()
            return await self.read()
        for event in item or ():
            if isinstance(event, ir.UsageReported):
                self.usage = event.usage
        return item

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._script.closed += 1


def app_of(*adapters: Scripted, config: Mapping[str, object] | None = None, clock: Clock | None = None) -> Starlette:
    """Make an app over scripted upstreams; `config` is what gateway.toml would say besides them."""
    upstream = {adapter.name: {"type": "demo"} for adapter in adapters}
    given = {"upstream": upstream, "log": {"level": "error"}, **(config or {})}
    given["server"] = {"data_dir": f"{FOLDER.name}/{next(_number)}", **cast(dict[str, object], given.get("server", {}))}
    loaded = load(given, environ={})
    return assemble(Gateway(loaded, clock=clock, adapters={adapter.name: adapter for adapter in adapters}))
