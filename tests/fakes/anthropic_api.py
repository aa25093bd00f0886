"""A strict fake of the Anthropic API (`/v1`) and of Claude on Vertex, over real HTTP on loopback.

    async with FakeAnthropic() as fake:
        ...                                  # fake.url is the base; the keys are "key-1", "key-2" and "key-3"
        assert fake.requests[-1].request["messages"]

The answer to a call is directed by its last user text (`v1internal_script`, and `anthropic_api_script` for what only
this service can say), or by what a test pushes: `fake.script.push("!think hm\\n!tool f {}")`, one text for each call.
What the service would refuse is refused in its words (`anthropic_api_request` and what it reads), and
`anthropic_api_errors.NAMED` lists the errors that `!error`, `!midway` and `fail` know. `!refuse {"status": 400,
"error": {...}}` is an error as written; `!chunk {json}` one event; `!raw` bytes. Signatures are good in every fake
until `fake.seals.revoke` names them.

Vertex: `fake.url + "/v1/projects/P/locations/L/publishers/anthropic/models/M:rawPredict"` or `:streamRawPredict`, and
`count-tokens:rawPredict`, by the bearers "token-1", "token-2" and "token-3", which the other paths take, too.

As a program: `python -m tests.fakes.anthropic_api --port N`, with `GET /_requests`, `POST /_reset`, `/_ack`, `/_push`
(`{"texts": [...]}`) and `/_fail` (the arguments of `fail`).
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any

import uvloop
from aiohttp import web

from tests.fakes import anthropic_api_errors as errors
from tests.fakes.anthropic_api_asked import Asked
from tests.fakes.anthropic_api_betas import betas_of
from tests.fakes.anthropic_api_counting import input_tokens
from tests.fakes.anthropic_api_errors import AnthropicRefusal, bad
from tests.fakes.anthropic_api_listing import page
from tests.fakes.anthropic_api_models import SERVED, Model, listed, served
from tests.fakes.anthropic_api_reply import Reply
from tests.fakes.anthropic_api_request import judge, shaped
from tests.fakes.anthropic_api_routes import COUNT, MESSAGES, Route, route
from tests.fakes.anthropic_api_script import script_of, turns_of
from tests.fakes.anthropic_api_seals import Seals
from tests.fakes.anthropic_api_threads import Threads
from tests.fakes.anthropic_api_wire import body_of, broken_off, framed, whole
from tests.fakes.server import Fake, serve
from tests.fakes.v1internal_errors import Refusal
from tests.fakes.v1internal_record import Record
from tests.fakes.v1internal_script import Conversation, Plan, Script

__all__ = ["COUNT", "KEYS", "MESSAGES", "TOKENS", "FakeAnthropic"]

KEYS = ("key-1", "key-2", "key-3")
TOKENS = ("token-1", "token-2", "token-3")
EVENTS = "text/event-stream; charset=utf-8"
LARGEST = 32 * 1024 * 1024

RESETS = "2026-11-20T12:00:00Z"
_LIMITS = {
    f"anthropic-ratelimit-{kind}-{name}": value
    for kind, most in (("requests", 50), ("tokens", 60_000), ("input-tokens", 50_000), ("output-tokens", 10_000))
    for name, value in (("limit", str(most)), ("remaining", str(most - 1)), ("reset", RESETS))
}


class FakeAnthropic(Fake[str]):
    """The fake; everything a test sets or reads is an attribute. A caller is known by its key or its bearer.

    `bearers`: a server of another vendor, which does not look at `x-api-key`.
    """

    def __init__(
        self,
        *,
        keys: Iterable[str] = KEYS,
        tokens: Iterable[str] = TOKENS,
        bearers: bool = False,
        bases: Iterable[str] = ("a",),
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(bases, host, port)
        self.bearers = bearers
        self.flags: frozenset[str] | None = None  # Bedrock's: betas that it takes of a model; of others it names none
        self.keys = set(keys)
        self.tokens = set(tokens)
        self.models = list(SERVED)
        self.seals = Seals()
        self.threads = Threads()
        self.script = Script(script_of(self.seals))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer what is below /v1."""
        found = route(request.method, request.path)
        record = await self.record(request, found.called)
        record.enveloped = False
        record.model = found.name or None
        return await self.tracked(request, record, partial(self._method, found=found))

    def token_of(self, request: web.Request) -> str:
        """Read the key, or the bearer."""
        if self.bearers:
            return super().token_of(request)
        return request.headers.get("x-api-key") or super().token_of(request)

    def parsed(self, record: Record) -> tuple[Any, Refusal | None]:
        """Parse the body."""
        if record.http_method != "POST":
            return None, None
        if len(record.raw) > LARGEST:
            return None, errors.error(413, "Request exceeds the maximum size")
        try:
            return body_of(record.raw), None
        except ValueError as error:
            return None, errors.bad("", f"The request body is not valid JSON: {error}")

    def admit(self, record: Record) -> str:
        """Say whose key or bearer this is."""
        record.credential = record.token
        found = route(record.http_method, record.path)
        if found.vertex:
            if record.headers.get("authorization", "").partition(" ")[2] not in self.tokens:
                raise errors.google_named("401_bearer")
            return record.token
        key = None if self.bearers else record.headers.get("x-api-key")
        if self.bearers and not record.token:
            raise errors.error(401, "Unauthorized")  # Ollama's cloud
        if not record.token:
            raise errors.error(401, "x-api-key header is required")
        if key is not None and key not in self.keys:
            raise errors.error(401, "invalid x-api-key")
        if key is None and record.token not in self.keys | self.tokens:  # the SDK shows its key as a bearer
            raise errors.error(401, "Invalid bearer token")
        if not record.headers.get("anthropic-version"):
            raise errors.bad("anthropic-version", "header is required")
        return record.token

    def named(self, name: str, record: Record) -> Refusal:
        """Take an error of the service, with the model of the call in it."""
        return errors.named(name, record.model or "")

    def refused(self, record: Record, refusal: Refusal) -> web.Response:
        """Label an error; one of Vertex's own has no id."""
        if not isinstance(refusal, AnthropicRefusal):
            return web.json_response(refusal.body, status=refusal.status)
        headers = self._headers(record) | refusal.headers
        body = refusal.body | {"request_id": headers["request-id"]}
        return web.json_response(body, status=refusal.status, headers=headers)

    async def planned(self, call: Conversation, record: Record) -> Plan:
        """Plan the answer; an error may be written whole, with its status."""
        plan = self.script.plan(call)
        if plan.slow_s:
            await asyncio.sleep(plan.slow_s)
        if plan.error is not None:
            raise self.named(plan.error, record)
        if plan.refusal is not None:
            raise AnthropicRefusal(plan.refusal.get("status", 400), plan.refusal["error"])
        self.generated += 1
        return plan

    async def _method(self, request: web.Request, record: Record, _: str, *, found: Route) -> web.StreamResponse:
        if not found.called:
            raise errors.error(404, "Not Found")
        if found.called == "method":
            raise errors.error(405, "Method Not Allowed")
        if found.called == "models.list":
            return web.json_response(page(self.models, request.query), headers=self._headers(record))
        if found.called == "models.get":
            return web.json_response(listed(served(found.name, self.models)), headers=self._headers(record))
        asked = self._asked(record, found)
        judge(asked)
        if found.called == COUNT:
            counted = {"input_tokens": input_tokens(asked.body)}
            return web.json_response(counted, headers=self._headers(record))
        return await self._answer(request, record, asked)

    def _asked(self, record: Record, found: Route) -> Asked:
        body = record.body
        counting = found.called == COUNT
        betas = betas_of(record, body if isinstance(body, dict) else {}, vertex=found.vertex, counting=counting)
        if self.flags is not None and betas - self.flags:
            raise bad("", "invalid beta flag")
        if found.name:
            self._model(found, found.name)  # Vertex looks for it before it reads the body
        shaped(body, betas, vertex=found.vertex, counting=counting)
        model = self._model(found, found.name or body["model"])
        body = self.threads.whole(body, record.token)
        return Asked(body, model, betas, self.seals, found.vertex, counting)

    def _model(self, found: Route, name: str) -> Model:
        if not found.vertex:
            return served(name, self.models)
        try:
            return served(name.replace("@", "-"), self.models)
        except AnthropicRefusal:
            raise errors.publisher_not_found(found.project, found.location, name) from None

    async def _answer(self, request: web.Request, record: Record, asked: Asked) -> web.StreamResponse:
        plan = await self.planned(turns_of(asked.messages), record)
        reply = Reply(asked, plan, self.generated)
        self.threads.hold(asked.body, reply.whole(), record.token)
        streamed = bool(asked.body.get("stream"))
        headers = self._headers(record, EVENTS if streamed else "application/json")
        if "raw" in plan.more:
            return await self.send(request, plan, plan.more["raw"], headers)
        if not streamed and "midway" in plan.more:
            raise self.named(plan.more["midway"][0], record)
        if not streamed:
            message = plan.chunks[0] if plan.chunks else reply.whole()
            return await self.send(request, plan, [whole(message)], headers)
        told = broken_off(plan.chunks or reply.events(), plan.more.get("midway"), asked.model.name)
        return await self.send(request, plan, framed(told, headers["request-id"]), headers)

    def _headers(self, record: Record, kind: str = "") -> dict[str, str]:
        vertex = "/publishers/anthropic/" in record.path
        label = "req_vrtx_011" if vertex else "req_011"
        headers = {
            "request-id": f"{label}Fake{len(self.log.requests):020d}",
            **({} if vertex else {"anthropic-organization-id": "00000000-0000-4000-8000-000000000000"}),
            **(_LIMITS if record.method == MESSAGES and not vertex else {}),
        }
        return headers | ({"content-type": kind} if kind else {})


async def _serve(options: argparse.Namespace) -> None:
    fake = FakeAnthropic(keys=options.key or KEYS, tokens=options.token or TOKENS, port=options.port)
    fake.log.keep = options.keep
    await serve(fake)


def main() -> None:
    """Serve until interrupted; the first line of output is JSON with the address."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.anthropic_api", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any")
    parser.add_argument("--key", action="append", metavar="KEY", help="a key to know")
    parser.add_argument("--token", action="append", metavar="TOKEN", help="a bearer to know")
    parser.add_argument("--keep", type=int, default=1000, help="calls to remember")
    try:
        uvloop.run(_serve(parser.parse_args()))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
