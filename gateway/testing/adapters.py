"""Examine an upstream adapter before a server that stands in for its service."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway import ir
from gateway.errors import GatewayError
from gateway.ir.grammar import Grammar
from gateway.testing.findings import Findings
from gateway.testing.grammar import rule
from gateway.transport import Transport
from gateway.upstream import Adapter, Answer, Call, Journey

__all__ = ["Script", "check_adapter"]

_TOOL: Final = "get_weather"
_DESCRIBED: Final = ir.Tool(
    name=_TOOL,
    description="Get the weather of a city",
    schema=msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}'),
)
_AT_ONCE_S: Final = 5.0
_END_S: Final = 30.0
_CALLS: Final = 20  # for one request; more is no end


@dataclass(frozen=True)
class Script:
    """What the user says so that the server answers in a certain way; "" = it cannot be told to.

    `says`: the words that the answer to `text` holds. `tool`: it calls get_weather for Paris. `error`: it refuses for
    good. `cut`: its stream breaks off after some words.
    """

    text: str = "hello there"
    says: str = "hello"
    tool: str = ""
    error: str = ""
    cut: str = ""


@dataclass
class _Site:
    """An adapter that has started, and what it is asked."""

    adapter: Adapter
    model: str
    script: Script
    transport: Transport

    def call(self, text: str, *, stream: bool = True, tool: bool = False) -> Call:
        turn = ir.Turn(role="user", parts=(ir.Text(text=text),))
        tools = (_DESCRIBED,) if tool else ()
        request = ir.Request(model=self.model, turns=(turn,), stream=stream, tools=tools)
        return Call(request=request, request_id="r-1", principal="alice")

    async def hear(self, call: Call) -> list[ir.Event]:
        """Hear an answer to its end, and give back what was lent; raise what its way ends with."""
        journey = self.adapter.open(call)
        try:
            answer = await _begun(journey)
            events = await _read(answer)
            answer.close()
            answer.close()
            journey.done(answer.usage)
        finally:
            journey.done(None)
        return events


async def check_adapter(make: Callable[[], Adapter], *, model: str, script: Script | None = None) -> None:
    """Raise Wrong with all that is wrong with an adapter; `make` gives one that has not started.

    `model`: what the server has. The server has to answer `script`.
    """
    found = Findings()
    transport = Transport()
    try:
        with found.of("make and start"):
            site = _Site(make(), model, script or Script(), transport)
            async with asyncio.timeout(_AT_ONCE_S):
                await site.adapter.start(transport)
            await _check_all(site, found)
            with found.of("stop"):
                await _ended(site.adapter.stop())
    finally:
        await transport.close()
    found.tell("adapter")


async def _check_all(site: _Site, found: Findings) -> None:
    checks: dict[str, Callable[[_Site], Awaitable[None]]] = {
        "models and state": _check_names,
        "body": _check_body,
        "an answer": _check_answer,
        "a response without streaming": _check_unstreamed,
        "a tool call": _check_tool,
        "a refusal": _check_error,
        "a stream that breaks off": _check_cut,
        "a caller who leaves": _check_leaving,
        "count": _check_count,
        "a response after all that": _check_answer,
    }
    for name, check in checks.items():
        with found.of(name):
            await _ended(check(site))
        with found.of(name):
            left = site.transport.open_responses
            rule(not left, f"{left} connections stay open after it")


async def _ended(step: Awaitable[None]) -> None:
    """Wait for a step, which has to come to its end."""
    limit = asyncio.timeout(_END_S)
    try:
        async with limit:
            await step
    except TimeoutError:
        rule(not limit.expired(), f"no end within {_END_S:g} s")
        raise


async def _check_names(site: _Site) -> None:
    adapter = site.adapter
    wrong = [name for name, info in adapter.models().items() if info.id != name]
    rule(not wrong, f"models that have another id: {wrong}")
    rule(adapter.usable, f"it is not usable: {adapter.state()}")
    rule(adapter.state().startswith("usable"), f"it is usable, but its state is {adapter.state()!r}")


async def _check_body(site: _Site) -> None:
    """Show the body without network, as often as anybody likes."""
    journey = site.adapter.open(site.call(site.script.text))
    for _ in range(2):
        rule(isinstance(msgspec.json.decode(journey.body()), dict), "the body is not a JSON object")
    rule(journey.request.model == site.model, f"the request is for {journey.request.model}")
    journey.done(None)
    journey.done(None)


async def _check_answer(site: _Site) -> None:
    _check_said(site, await site.hear(site.call(site.script.text)))


async def _check_unstreamed(site: _Site) -> None:
    _check_said(site, await site.hear(site.call(site.script.text, stream=False)))


def _check_said(site: _Site, events: list[ir.Event]) -> None:
    text = "".join(event.text for event in events if isinstance(event, ir.TextDelta))
    rule(isinstance(events[-1], ir.Finished), f"it ends with {events[-1]}")
    rule(site.script.says in text, f"it says {text!r}, without {site.script.says!r}")
    fold = ir.Fold()
    fold.feed(events)
    usage = fold.reply().usage
    rule(usage.input > 0 and usage.output > 0, f"its usage is {usage}")
    rule(usage.cache_read <= usage.input and usage.reasoning <= usage.output, f"its usage is {usage}")


async def _check_tool(site: _Site) -> None:
    if not site.script.tool:
        return
    events = await site.hear(site.call(site.script.tool, tool=True))
    names = [event.name for event in events if isinstance(event, ir.BlockStarted) and event.kind == "tool_call"]
    rule(names == [_TOOL], f"the calls are of {names}")
    given = "".join(event.json for event in events if isinstance(event, ir.ArgumentsDelta))
    rule(msgspec.json.decode(given) == {"city": "Paris"}, f"the arguments are {given!r}")
    ends = [event.reason for event in events if isinstance(event, ir.Finished)]
    rule(ends == ["tool_calls"], f"it ends with {ends}")


async def _check_error(site: _Site) -> None:
    if site.script.error:
        await _check_fails(site, site.script.error)


async def _check_cut(site: _Site) -> None:
    if site.script.cut:
        await _check_fails(site, site.script.cut)


async def _check_fails(site: _Site, text: str) -> None:
    """Fail with one of the errors that callers can be told, before the answer or within it."""
    try:
        events = await site.hear(site.call(text))
    except GatewayError as error:
        rule(error.message, "an error without a message")
        return
    rule(isinstance(events[-1], ir.Failed), f"it ends with {events[-1]}")


async def _check_leaving(site: _Site) -> None:
    journey = site.adapter.open(site.call(site.script.text))
    answer = await _begun(journey)
    await answer.read()
    answer.close()
    journey.done(None)
    journey.done(None)


async def _check_count(site: _Site) -> None:
    try:
        tokens = await site.adapter.count(site.call(site.script.text))
    except GatewayError:
        return
    rule(tokens is None or (type(tokens) is int and tokens > 0), f"the prompt has {tokens!r} tokens")


async def _begun(journey: Journey) -> Answer:
    """Walk a journey until an answer begins, without the waits; raise the error that ends it."""
    for _ in range(_CALLS):
        try:
            return await journey.go()
        except GatewayError as error:
            step = journey.after(error)
            if isinstance(step, GatewayError):
                raise step from None
            rule(step.wait_s >= 0, f"after {error} it does {step}")
            if step.counted:
                raise (step.verdict or error) from None
    raise AssertionError(f"{_CALLS} calls, and no end")


async def _read(answer: Answer) -> list[ir.Event]:
    """Read an answer to its end; its events keep the grammar."""
    grammar, events = Grammar(), list[ir.Event]()
    while (batch := await answer.read()) is not None:
        for event in batch:
            grammar.feed(event)
        events += batch
    rule(grammar.ended, f"the response ends without an end event: {events[-1:]}")
    return events
