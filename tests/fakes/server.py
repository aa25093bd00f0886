"""What every fake of a Google service is: listeners, a log of calls, injected failures, and a script.

A service says how a call is addressed (`handle`), who makes it (`admit`), what errors it knows by name (`named`) and
how it says no (`refused`); everything a test waits for or sets is here.
"""

from __future__ import annotations

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Generic, Self, TypeVar

from aiohttp import web

from tests.fakes.v1internal_errors import Refusal, google
from tests.fakes.v1internal_ports import Ports
from tests.fakes.v1internal_record import WAIT_S, Fault, Log, Record
from tests.fakes.v1internal_script import Conversation, Plan, Script
from tests.fakes.v1internal_signatures import Signatures
from tests.fakes.v1internal_wire import Wire, reset

__all__ = ["NOT_FOUND_PAGE", "STREAM", "Fake", "Page", "act", "administration", "not_found", "serve"]

STREAM = "streamGenerateContent"
LARGEST_BODY = 256 * 1024 * 1024
NOT_FOUND_PAGE = "<!DOCTYPE html>\n<html lang=en><title>Error 404 (Not Found)!!1</title><p><b>404.</b></html>\n"

Caller = TypeVar("Caller")
Handler = Callable[[web.Request, Record, Caller], Awaitable[web.StreamResponse]]
Page = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Fake(ABC, Generic[Caller]):
    """A running fake; everything a test sets or reads is an attribute."""

    def __init__(self, bases: Iterable[str], host: str, port: int) -> None:
        self.signatures = Signatures()
        self.script = Script()
        self.log = Log()
        self.faults: list[Fault] = []
        self.generated = 0
        self._acks = asyncio.Semaphore(0)
        self._ports = Ports(bases, host, port)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=LARGEST_BODY)
        for path, page in self.pages().items():
            app.router.add_route("*", path, page)
        app.router.add_route("*", "/{path:.*}", self.handle)
        await self._ports.open(app)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ports.close()

    @abstractmethod
    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a call, or say that there is nothing at its path."""

    @abstractmethod
    def admit(self, record: Record) -> Caller:
        """Say who calls, or refuse."""

    @abstractmethod
    def named(self, name: str, record: Record) -> Refusal:
        """Take an error of the service by its name, or a bare one by its number."""

    @abstractmethod
    def refused(self, record: Record, refusal: Refusal) -> web.Response:
        """Label an error as the service does."""

    def pages(self) -> dict[str, Page]:
        """Give the pages beside the service itself."""
        return administration(self)

    def token_of(self, request: web.Request) -> str:
        """Read what the caller shows; a bearer unless the service says otherwise."""
        return request.headers.get("authorization", "").partition(" ")[2]

    async def stop_base(self, name: str) -> None:
        """Close one base: from now on connections to it are refused."""
        await self._ports.close_one(name)

    def reset(self) -> None:
        """Forget calls, faults and pushed directives."""
        self.log.clear()
        self.faults.clear()
        self.script.clear()

    @property
    def url(self) -> str:
        """Give the first base."""
        return self.base(next(iter(self._ports.numbers)))

    def base(self, name: str) -> str:
        """Give a base by its name."""
        return f"http://{self._ports.host}:{self._ports.numbers[name]}"

    @property
    def bases(self) -> list[str]:
        """Give all bases."""
        return [self.base(name) for name in self._ports.numbers]

    @property
    def requests(self) -> list[Record]:
        """List the calls so far."""
        return self.log.requests

    def calls(self, method: str = STREAM) -> list[Record]:
        """List the calls of one method."""
        return [record for record in self.log.requests if record.method == method]

    @property
    def open_connections(self) -> int:
        """Count the connections that are open now."""
        return self._ports.connections

    async def wait_for(self, method: str = STREAM, count: int = 1, timeout_s: float = WAIT_S) -> Record:
        """Wait until a method was called this often; give the last of these calls."""
        await self.log.until(lambda: self.log.counts[method] >= count, timeout_s)
        return self.calls(method)[-1]

    async def wait_closed(self, count: int = 1, timeout_s: float = WAIT_S) -> None:
        """Wait until clients have left this many answers before their end."""
        await self.log.until(lambda: self.log.disconnects >= count, timeout_s)

    async def wait_idle(self, timeout_s: float = WAIT_S) -> None:
        """Wait until no answer is under way."""
        await self.log.until(lambda: not self.log.open_streams, timeout_s)

    def ack(self, count: int = 1) -> None:
        """Let `!acked` streams send this many further chunks."""
        for _ in range(count):
            self._acks.release()

    def fail(self, error: str | int, *, times: float = 1, **where: str | None) -> None:
        """Fail the next calls that fit `base`, `token`, `method` and `model`.

        `error` is one the service knows by name, a bare status, "reset" (RST) or "silence" (no answer at all).
        """
        self.faults.append(Fault(str(error), times=times, **where))

    async def record(self, request: web.Request, method: str, base: str = "") -> Record:
        """Read a request into a record, with its body unparsed."""
        arrived = time.monotonic()
        return Record(
            base=base or self._ports.name_of(request),
            method=method,
            http_method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            raw=await request.read(),
            token=self.token_of(request),
            at=arrived,
        )

    def parsed(self, record: Record) -> tuple[Any, Refusal | None]:
        """Parse the body, and say what is wrong with it."""
        try:
            return json.loads(record.raw or b"{}"), None
        except ValueError as error:
            return None, google(400, f"Invalid JSON payload received. {error}.")

    async def tracked(self, request: web.Request, record: Record, handler: Handler[Caller]) -> web.StreamResponse:
        """Answer a call, and note in the log how it went."""
        self.log.begin(record)
        try:
            response = await self.answered(request, record, handler)
        except (asyncio.CancelledError, ConnectionError):
            self.log.left(record)
            raise
        finally:
            self.log.end()
        record.status, record.ended = response.status, True
        return response

    async def answered(self, request: web.Request, record: Record, handler: Handler[Caller]) -> web.StreamResponse:
        """Let a handler answer a call whose caller is known and for which no failure is set."""
        record.body, undecodable = self.parsed(record)
        if record.model is None and isinstance(record.body, dict):
            record.model = record.body.get("model")
        try:
            caller = self.admit(record)
            if undecodable is not None:
                raise undecodable
            failed = await self._failed(request, record)
            return failed or await handler(request, record, caller)
        except Refusal as refusal:
            return self.refused(record, refusal)

    async def _failed(self, request: web.Request, record: Record) -> web.StreamResponse | None:
        fault = next((one for one in self.faults if one.fits(record)), None)
        if fault is None:
            return None
        fault.times -= 1
        if fault.error == "silence":
            await asyncio.Event().wait()
        if fault.error == "reset":
            reset(request)
            return web.Response()
        raise self.named(fault.error, record)

    async def planned(self, call: Conversation, record: Record) -> Plan:
        """Plan the answer to a judged call: wait where the plan waits, refuse where it refuses."""
        plan = self.script.plan(call)
        if plan.slow_s:
            await asyncio.sleep(plan.slow_s)
        if plan.error is not None:
            raise self.named(plan.error, record)
        if plan.refusal is not None:
            raise Refusal(plan.refusal["error"]["code"], plan.refusal)
        self.generated += 1
        return plan

    async def send(
        self, request: web.Request, plan: Plan, chunks: Iterable[bytes], headers: Mapping[str, str]
    ) -> web.StreamResponse:
        """Send an answer as its plan says."""
        return await Wire(request, plan, self._acks).send(chunks, headers)


def not_found() -> web.Response:
    """Say that there is nothing at a path."""
    return web.Response(status=404, text=NOT_FOUND_PAGE, content_type="text/html")


def administration(fake: Fake[Any]) -> dict[str, Page]:
    """Give the pages by which a fake that runs as a program is set and read."""

    async def requests(_: web.Request) -> web.StreamResponse:
        return web.json_response(
            {
                "requests": [record.shown() for record in fake.log.requests],
                "counts": dict(fake.log.counts),
                "open_connections": fake.open_connections,
                "open_streams": fake.log.open_streams,
                "disconnects": fake.log.disconnects,
            }
        )

    return {
        "/_requests": requests,
        "/_reset": act(lambda _: fake.reset()),
        "/_ack": act(lambda body: fake.ack(body.get("count", 1))),
        "/_push": act(lambda body: fake.script.push(*body["texts"])),
        "/_fail": act(lambda body: fake.fail(**body)),
    }


async def serve(fake: Fake[Any], **shown: Callable[[], Any]) -> None:
    """Serve for ever; the first line of output is JSON with the address and what else is to be shown."""
    async with fake:
        print(json.dumps({"url": fake.url, **{name: give() for name, give in shown.items()}}), flush=True)
        await asyncio.Event().wait()


def act(do: Callable[[dict[str, Any]], object]) -> Page:
    """Give a page that does something with the JSON it is sent."""

    async def handle(request: web.Request) -> web.StreamResponse:
        do(json.loads(await request.read() or b"{}"))
        return web.Response(status=204)

    return handle
