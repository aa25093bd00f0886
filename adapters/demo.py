"""An upstream without account or network: the last user text directs it.

    !think            thoughts, then the text     !tool NAME {json}     a call of that tool
    !image            a small picture             !slow SECONDS         silence before the answer
    !error STATUS [RETRY_AFTER]                   !cut                  the stream breaks off

Anything else is echoed word by word. Usage is the local estimate.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from gateway import ir
from gateway.clock import Clock
from gateway.config import Loaded
from gateway.dialects.content import arguments
from gateway.dialects.gemini.names import made_id
from gateway.dialects.logprobs import asked
from gateway.dialects.marks import uncarried
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    StreamBroken,
    UpstreamCredential,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.ir.estimate import estimate, estimate_text
from gateway.transport import Transport
from gateway.upstream import Answer, Call, Journey, ModelInfo, Step

__all__ = ["Demo"]

_MODELS: Final = {"demo": ModelInfo(id="demo", display_name="Demo", max_output=8192, thinking=True)}
_DIRECTIVE: Final = re.compile(r"!(think|tool|image|slow|error|cut)\b[ \t]*([^\n]*)")
# one transparent pixel
_PICTURE: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_ERRORS: Final[Mapping[int, type[GatewayError]]] = {
    401: UpstreamCredential,
    403: UpstreamCredential,
    404: ModelNotFound,
    408: UpstreamTimeout,
    429: UpstreamRateLimited,
    503: UpstreamOverloaded,
    504: UpstreamTimeout,
    529: UpstreamOverloaded,
}


class Demo:
    """The upstream of `type = "demo"`."""

    def __init__(self, name: str, loaded: Loaded, clock: Clock) -> None:
        self.name = name
        self._clock = clock

    @property
    def usable(self) -> bool:
        """Always."""
        return True

    def models(self) -> Mapping[str, ModelInfo]:
        """List the one model."""
        return _MODELS

    def open(self, call: Call) -> Journey:
        """Take a call."""
        wanted = call.request.sampling.n
        if wanted is not None and wanted > 1:
            path = call.request.paths.get("n", "n")
            raise InvalidRequest(f"{path}: this upstream gives one response per request", param=path)
        return _Journey(call, self._clock)

    async def count(self, call: Call) -> int | None:
        """Leave counting to the local estimate."""
        return None

    async def start(self, transport: Transport) -> None:
        """Nothing to begin."""

    async def stop(self) -> None:
        """Nothing to end."""

    def state(self) -> str:
        """Say that it serves."""
        return "usable, no account needed"


class _Journey:
    """One call; a demo error is final, so that what was asked for is what is seen."""

    def __init__(self, call: Call, clock: Clock) -> None:
        self.request = call.request
        paths = call.request.paths
        missing = (
            ir.Loss(paths.get(name, name), "the demo has none", "change") for name in asked(call.request.sampling)
        )
        self.losses: tuple[ir.Loss, ...] = (*missing, *uncarried(call.request))
        self._clock = clock
        self._call_id = made_id(call.request_id, call.request.dialect)
        self._said = _last_text(call.request)
        found = _DIRECTIVE.search(self._said)
        self._directive, self._operand = (found[1], found[2].strip()) if found else ("", "")

    def body(self) -> bytes:
        """Show what it would be told."""
        return msgspec.json.encode({"model": self.request.model, "text": self._said})

    async def go(self) -> Answer:
        """Begin the answer, after the silence or with the error that was asked for."""
        if self._directive == "error":
            raise _error(self._operand)
        if self._directive == "slow":
            await self._clock.sleep(_number(self._operand, "!slow SECONDS"))
        return _Answer(self._answer(), self.request)

    def after(self, error: GatewayError) -> Step | GatewayError:
        """Never try again."""
        return error

    def done(self, usage: ir.Usage | None) -> None:
        """Nothing was lent."""

    def _answer(self) -> Iterator[list[ir.Event]]:
        yield [ir.Started(model=self.request.model)]
        yield from _SCENES.get(self._directive, _echo)(self._said, self._operand, self._call_id)


class _Answer:
    """Its events, one small batch a read."""

    def __init__(self, batches: Iterator[list[ir.Event]], request: ir.Request) -> None:
        self._batches = batches
        self._input = estimate(request)
        self._output = 0
        self._thoughts = 0

    @property
    def usage(self) -> ir.Usage:
        """Count what has been said so far."""
        return ir.Usage(
            input=self._input, output=self._output + self._thoughts, reasoning=self._thoughts, estimated=True
        )

    async def read(self) -> list[ir.Event] | None:
        """Give the next batch, letting other tasks run."""
        await asyncio.sleep(0)
        batch = next(self._batches, None)
        if batch is None:
            return None
        for event in batch:
            if isinstance(event, ir.TextDelta | ir.ArgumentsDelta):
                self._output += estimate_text(event.json if isinstance(event, ir.ArgumentsDelta) else event.text)
            elif isinstance(event, ir.ThinkingDelta):
                self._thoughts += estimate_text(event.text)
        if isinstance(batch[-1], ir.Finished):
            batch.insert(-1, ir.UsageReported(self.usage))
        return batch

    def close(self) -> None:
        """Nothing is held."""


def _echo(said: str, _: str, __: str) -> Iterator[list[ir.Event]]:
    yield from _text(said)
    yield [ir.Finished(reason="stop")]


def _think(_: str, operand: str, __: str) -> Iterator[list[ir.Event]]:
    yield [ir.BlockStarted(kind="thinking")]
    yield [ir.ThinkingDelta("I was asked to think, "), ir.ThinkingDelta("so I do.")]
    yield [ir.SignatureDelta(ir.Signature("gemini", "ZGVtbw==")), ir.BlockEnded()]
    yield from _echo(operand or "I have thought about it.", "", "")


def _tool(_: str, operand: str, call_id: str) -> Iterator[list[ir.Event]]:
    name, _space, given = operand.partition(" ")
    call = ir.BlockStarted(kind="tool_call", id=call_id, name=name or "demo")
    yield [call, ir.ArgumentsDelta(bytes(arguments(given)).decode()), ir.BlockEnded()]
    yield [ir.Finished(reason="tool_calls")]


def _image(_: str, __: str, ___: str) -> Iterator[list[ir.Event]]:
    picture = ir.MediaChunk(media_type="image/png", data=_PICTURE)
    yield [ir.BlockStarted(kind="media"), picture, ir.BlockEnded()]
    yield [ir.Finished(reason="stop")]


def _cut(_: str, __: str, ___: str) -> Iterator[list[ir.Event]]:
    yield [ir.BlockStarted(kind="text"), ir.TextDelta("This answer breaks ")]
    yield [ir.Failed(StreamBroken("the demo upstream closed the connection before its answer was complete"))]


_SCENES: Final[Mapping[str, Callable[[str, str, str], Iterator[list[ir.Event]]]]] = {
    "think": _think,
    "tool": _tool,
    "image": _image,
    "cut": _cut,
}


def _text(said: str) -> Iterator[list[ir.Event]]:
    yield [ir.BlockStarted(kind="text")]
    for word in re.findall(r"(?:\A\s++)?\S++\s*+", said):
        yield [ir.TextDelta(word)]
    yield [ir.BlockEnded()]


def _error(operand: str) -> GatewayError:
    words = operand.split()
    status = int(_number(words[0] if words else "", "!error STATUS [RETRY_AFTER]"))
    if not 400 <= status <= 599:
        raise InvalidRequest(f"!error needs a status from 400 to 599, not {status}")
    retry_after = _number(words[1], "!error STATUS [RETRY_AFTER]") if len(words) > 1 else None
    kind = _ERRORS.get(status, UpstreamRejected if status < 500 else UpstreamUnavailable)
    return kind(
        f"the demo upstream was told to fail with {status}",
        status=kind.status if kind in (UpstreamCredential, UpstreamOverloaded) else status,
        retry_after=retry_after,
    )


def _number(text: str, form: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 3600:
        raise InvalidRequest(f"the demo upstream takes {form}")
    return number


def _last_text(request: ir.Request) -> str:
    for turn in reversed(request.turns):
        if turn.role == "user":
            texts = [part.text for part in turn.parts if isinstance(part, ir.Text)]
            results = [part for part in turn.parts if isinstance(part, ir.ToolResult)]
            if texts:
                return texts[-1]
            if results:
                return "".join(p.text for r in results for p in r.parts if isinstance(p, ir.Text)) or "done"
    return ""
