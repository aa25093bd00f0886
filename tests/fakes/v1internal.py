"""A strict fake of Google's v1internal backend and of its OAuth token endpoint, over real HTTP on loopback.

    async with FakeV1Internal() as fake:
        ...                                  # fake.url, fake.base("b"), fake.token_url
        assert fake.requests[-1].request["contents"]

The answer to a generating call is directed by its last user text (`v1internal_script`); what the service would refuse
is refused in its words (`v1internal_checks`). One fake listens on several ports, its bases "a", "b" and "c".

As a program, for clients and benchmarks: `python -m tests.fakes.v1internal --port N`, with `GET /_requests`,
`POST /_reset`, `/_ack`, `/_push` (`{"texts": [...]}`) and `/_fail` (the arguments of `fail`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Self

import uvloop
from aiohttp import web

from tests.fakes import v1internal_control as control
from tests.fakes.v1internal_checks import counting, generation
from tests.fakes.v1internal_errors import Refusal, google, named, recorded
from tests.fakes.v1internal_models import ANTIGRAVITY, GEMINI_CLI
from tests.fakes.v1internal_oauth import Account, OAuth
from tests.fakes.v1internal_pages import Pages
from tests.fakes.v1internal_ports import Ports
from tests.fakes.v1internal_record import WAIT_S, Fault, Log, Record
from tests.fakes.v1internal_reply import Reply, content_tokens, event, merged
from tests.fakes.v1internal_script import Plan, Script, recording
from tests.fakes.v1internal_signatures import Signatures
from tests.fakes.v1internal_wire import Wire, events, read_event, reset

PATH = re.compile(r"(?P<base>.*)/v1internal(?::(?P<method>\w+)|/(?P<operation>.+))")
TRACE = re.compile(rb'"traceId":"(\w+)"')
LARGEST_BODY = 256 * 1024 * 1024
STREAM = "streamGenerateContent"
NOT_FOUND_PAGE = (
    "<!DOCTYPE html>\n<html lang=en><title>Error 404 (Not Found)!!1</title><p><b>404.</b></html>\n"
)

Handler = Callable[[web.Request, Record, Account], Awaitable[web.StreamResponse]]


class FakeV1Internal:
    """The fake; everything a test sets or reads is an attribute."""

    def __init__(
        self,
        *,
        refresh_tokens: Iterable[str] = ("rt-1", "rt-2", "rt-3"),
        access_tokens: Iterable[str] = ("static-1",),
        bases: Iterable[str] = ("a", "b", "c"),
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.oauth = OAuth()
        for place, token in enumerate(refresh_tokens, 1):
            self.oauth.add(token, email=f"user{place}@example.invalid")
        for token in access_tokens:
            self.oauth.add_static(token)
        self.signatures = Signatures()
        self.script = Script()
        self.log = Log()
        self.faults: list[Fault] = []
        # model -> what is left of its quota; None is a quota used up
        self.models: dict[str, float | None] = dict.fromkeys((*ANTIGRAVITY, *GEMINI_CLI), 1.0)
        self.projects: set[str] | None = None
        self.array_wrapped = False
        self.levels_known = True
        self.generated = 0
        self._acks = asyncio.Semaphore(0)
        self._ports = Ports(bases, host, port)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=LARGEST_BODY)
        for path, page in Pages(self).routes().items():
            app.router.add_route("*", path, page)
        app.router.add_route("*", "/{path:.*}", self._handle)
        await self._ports.open(app)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ports.close()

    async def stop_base(self, name: str) -> None:
        """Close one base: from now on connections to it are refused."""
        await self._ports.close_one(name)

    def reset(self) -> None:
        """Forget calls, faults and pushed directives; accounts, tokens and models stay."""
        self.log.clear()
        self.faults.clear()
        self.oauth.faults.clear()
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
    def token_url(self) -> str:
        """Give the token endpoint."""
        return f"{self.url}/token"

    @property
    def authorize_url(self) -> str:
        """Give the consent page, which consents at once."""
        return f"{self.url}/o/oauth2/v2/auth"

    @property
    def userinfo_url(self) -> str:
        """Give the user information endpoint."""
        return f"{self.url}/oauth2/v2/userinfo"

    @property
    def requests(self) -> list[Record]:
        """List the calls so far."""
        return self.log.requests

    def calls(self, method: str = STREAM) -> list[Record]:
        """List the calls of one method; the token endpoint is "token"."""
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

        `error` is a recorded one by name, a bare status, "reset" (RST) or "silence" (no answer at all).
        """
        self.faults.append(Fault(str(error), times=times, **where))

    async def record(self, request: web.Request, method: str, base: str = "") -> Record:
        """Read a request into a record, with its body unparsed."""
        return Record(
            base=base or self._ports.name_of(request),
            method=method,
            http_method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            raw=await request.read(),
            token=request.headers.get("authorization", "").partition(" ")[2],
        )

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        found = PATH.fullmatch(request.path)
        if found is None:
            return web.Response(status=404, text=NOT_FOUND_PAGE, content_type="text/html")
        record = await self.record(request, found["method"] or "operation", found["base"].strip("/"))
        self.log.begin(record)
        try:
            operation = partial(self._operation, name=found["operation"])
            response = await self.answered(request, record, operation if found["operation"] else self._method)
        except (asyncio.CancelledError, ConnectionError):
            self.log.left(record)
            raise
        finally:
            self.log.end()
        record.status, record.ended = response.status, True
        return response

    async def answered(self, request: web.Request, record: Record, handler: Handler) -> web.StreamResponse:
        """Let a handler answer a call whose bearer is known and for which no fault is set."""
        record.body, undecodable = _parsed(record)
        try:
            account = self.oauth.owner(record.headers.get("authorization", ""))
            record.credential = account.credential
            if undecodable is not None:
                raise undecodable
            failed = await self._failed(request, record)
            return failed or await handler(request, record, account)
        except Refusal as refusal:
            return self._refused(record, refusal)

    async def _failed(self, request: web.Request, record: Record) -> web.StreamResponse | None:
        if "x-goog-user-project" in record.headers:
            raise recorded("403_service_disabled", record.headers["x-goog-user-project"])
        fault = next((one for one in self.faults if one.fits(record)), None)
        if fault is None:
            return None
        fault.times -= 1
        if fault.error == "silence":
            await asyncio.Event().wait()
        if fault.error == "reset":
            reset(request)
            return web.Response()
        raise named(fault.error)

    async def _method(self, request: web.Request, record: Record, account: Account) -> web.StreamResponse:
        if record.method in {STREAM, "generateContent"}:
            return await self._generate(request, record)
        planes: dict[str, Callable[[], control.Json]] = {
            "countTokens": lambda: self._count(record.body),
            "loadCodeAssist": lambda: control.load_code_assist(account, record.body),
            "onboardUser": lambda: control.onboard_user(account, record.body),
            "fetchAvailableModels": lambda: control.fetch_available_models(self.models, record.body),
            "retrieveUserQuota": lambda: control.retrieve_user_quota(self.models, record.body),
            "retrieveUserQuotaSummary": lambda: control.retrieve_user_quota_summary(record.body),
        }
        if record.method in planes and record.http_method == "POST":
            return self._json(record, planes[record.method]())
        if record.method in control.UNUSED:
            return self._json(record, control.UNUSED[record.method](account))
        return web.Response(status=404, text=NOT_FOUND_PAGE, content_type="text/html")

    async def _operation(
        self, _: web.Request, record: Record, account: Account, *, name: str
    ) -> web.StreamResponse:
        return self._json(record, control.operation(account, name))

    async def userinfo(self, _: web.Request, record: Record, account: Account) -> web.StreamResponse:
        """Describe the user whose bearer this is."""
        return self._json(record, self.oauth.userinfo(account))

    def _count(self, body: Any) -> control.Json:
        tokens = content_tokens(counting(body, served=self.models))
        return {"totalTokens": tokens} if tokens else {}

    async def _generate(self, request: web.Request, record: Record) -> web.StreamResponse:
        call = generation(
            record.body,
            served=self.models,
            headers=record.headers,
            signatures=self.signatures,
            levels_known=self.levels_known,
            projects=self.projects,
        )
        plan = self.script.plan(call)
        if plan.slow_s:
            await asyncio.sleep(plan.slow_s)
        if plan.error is not None:
            raise named(plan.error)
        if plan.refusal is not None:
            raise Refusal(plan.refusal["error"]["code"], plan.refusal)
        self.generated += 1
        chunks, trace = _stream(plan, Reply(call, plan, self.generated))
        as_events = record.method == STREAM and record.query.get("alt") == "sse"
        if not as_events:
            whole = [chunk for chunk in map(read_event, chunks) if chunk is not None]
            chunks = [_dumped(whole if record.method == STREAM else merged(whole))]
        kind = "text/event-stream" if as_events else "application/json; charset=utf-8"
        return await Wire(request, plan, self._acks).send(chunks, self._headers(record, kind, trace))

    def _headers(self, record: Record, kind: str, trace: str = "") -> dict[str, str]:
        return {
            "Content-Type": kind,
            "Server": "ESF",
            "Vary": "Origin, X-Origin, Referer",
            "Server-Timing": f"gfet4t7; dur={int((time.monotonic() - record.at) * 1000)}",
            "x-cloudaicompanion-trace-id": trace or f"184a2570{self.log.counts.total():08x}",
        }

    def _json(self, record: Record, body: Any) -> web.Response:
        return web.Response(
            body=_dumped(body), headers=self._headers(record, "application/json; charset=utf-8")
        )

    def _refused(self, record: Record, refusal: Refusal) -> web.Response:
        wrapped = self.array_wrapped and isinstance(refusal.body, dict)
        # the streaming method labels its errors as what the caller asked for
        kind = "text/event-stream" if record.method == STREAM else "application/json; charset=utf-8"
        return web.Response(
            status=refusal.status,
            body=_dumped([refusal.body] if wrapped else refusal.body),
            headers=self._headers(record, kind),
        )


def _parsed(record: Record) -> tuple[Any, Refusal | None]:
    try:
        return json.loads(record.raw or b"{}"), None
    except ValueError as error:
        return None, google(400, f"Invalid JSON payload received. {error}.")


def _dumped(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, indent=1).encode()


def _stream(plan: Plan, reply: Reply) -> tuple[Iterable[bytes], str]:
    if plan.fixture is None:
        return map(event, plan.chunks or reply.chunks()), reply.trace
    data = recording(plan.fixture)
    found = TRACE.search(data)
    return events(data), found[1].decode() if found else reply.trace


async def _serve(options: argparse.Namespace) -> None:
    fake = FakeV1Internal(
        refresh_tokens=options.refresh_token or ("rt-1", "rt-2", "rt-3"),
        access_tokens=options.access_token or ("static-1",),
        port=options.port,
    )
    fake.log.keep = options.keep
    fake.array_wrapped = options.array_wrapped
    async with fake:
        print(json.dumps({"url": fake.url, "bases": fake.bases, "token_url": fake.token_url}), flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Serve until interrupted; the first line of output is JSON with the addresses."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.v1internal", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of base a; b and c take the next two; 0: any")
    parser.add_argument("--refresh-token", action="append", metavar="TOKEN", help="a refresh token to know")
    parser.add_argument("--access-token", action="append", metavar="TOKEN", help="an access token to know")
    parser.add_argument("--keep", type=int, default=1000, help="calls to remember")
    parser.add_argument("--array-wrapped", action="store_true", help="wrap error bodies in a list")
    try:
        uvloop.run(_serve(parser.parse_args()))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
