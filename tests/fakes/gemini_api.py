"""A strict fake of the public Gemini API (`generativelanguage`, `/v1beta` and `/v1`), over real HTTP on loopback.

    async with FakeGemini() as fake:
        ...                                  # fake.url; the keys are "key-1", "key-2" and "key-3"
        assert fake.requests[-1].request["contents"]

The answer to a generating call is directed by its last user text (`v1internal_script`); what the service would refuse
is refused in its words (`gemini_api_checks`), and `gemini_api_errors.NAMED` lists the errors that `!error` and `fail`
know. Files and cached contents belong to the key that made them.

As a program: `python -m tests.fakes.gemini_api --port N`, with `GET /_requests`, `POST /_reset`, `/_ack`, `/_push`
(`{"texts": [...]}`) and `/_fail` (the arguments of `fail`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

import uvloop
from aiohttp import web

from tests.fakes import gemini_api_errors as errors
from tests.fakes.gemini_api_caches import Caches
from tests.fakes.gemini_api_checks import generation
from tests.fakes.gemini_api_files import Files
from tests.fakes.gemini_api_models import SERVED
from tests.fakes.gemini_api_resources import Visit, answers, upload
from tests.fakes.gemini_api_routes import Route, find, query_refused
from tests.fakes.gemini_api_wire import event, printed, read, repeated, streamed_list, unwrapped
from tests.fakes.server import STREAM, Fake, not_found, serve
from tests.fakes.v1internal_call import Json
from tests.fakes.v1internal_errors import Refusal
from tests.fakes.v1internal_record import Record
from tests.fakes.v1internal_reply import Reply, folded
from tests.fakes.v1internal_script import Plan, recording

__all__ = ["STREAM", "FakeGemini"]

KEYS = ("key-1", "key-2", "key-3")
EVENTS, JSON = "text/event-stream", "application/json; charset=UTF-8"


class FakeGemini(Fake[str]):
    """The fake; everything a test sets or reads is an attribute. A caller is known by its key."""

    def __init__(
        self,
        *,
        keys: Iterable[str] = KEYS,
        bases: Iterable[str] = ("a",),
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(bases, host, port)
        self.keys = set(keys)
        self.models = list(SERVED)
        self.tuned_models: list[Json] = []
        self.files = Files()
        self.caches = Caches()
        self.levels_known = True
        self.all_signed = False  # older models want signatures too

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer what is under a version."""
        route = find(request.method, request.path)
        if route is None:
            return not_found()
        record = await self.record(request, route.method, route.base)
        record.enveloped = False
        record.model = route.name.removeprefix("models/") or None
        return await self.tracked(request, record, partial(self._method, route=route))

    def token_of(self, request: web.Request) -> str:
        """Read the key."""
        return request.headers.get("x-goog-api-key") or request.query.get("key", "")

    def parsed(self, record: Record) -> tuple[Any, Refusal | None]:
        """Parse the body, unless it is a piece of a file."""
        return (None, None) if "upload_id" in record.query else super().parsed(record)

    def admit(self, record: Record) -> str:
        """Say whose key this is; the address of an upload under way needs none."""
        if "authorization" in record.headers:
            raise errors.bearer_refused()
        begun = self.files.uploads.get(record.query.get("upload_id", ""))
        record.credential = begun.file.owner if begun else record.token
        if not record.credential:
            raise errors.key_missing()
        if record.credential not in self.keys:
            raise errors.key_refused()
        return record.credential

    def named(self, name: str, record: Record) -> Refusal:
        """Take an error of the public API, with the model of the call in it."""
        return errors.named(name, record.model or "")

    def refused(self, record: Record, refusal: Refusal) -> web.Response:
        """Label an error as the answer would be: in a list that does not grow, or as events that it is not."""
        in_list = record.method == STREAM and record.query.get("alt") != "sse"
        return web.Response(
            status=refusal.status,
            body=printed([refusal.body] if in_list else refusal.body),
            headers=_headers(record, _kind(record)),
        )

    async def _method(self, request: web.Request, record: Record, key: str, *, route: Route) -> web.StreamResponse:
        refusal = query_refused(route.method, record.query, record.query.get("alt", "json"))
        if refusal is not None:
            raise refusal
        visit = Visit(self, route, record, key)
        if route.method in {STREAM, "generateContent"}:
            return await self._generate(request, visit)
        headers = _headers(record, JSON)
        if route.method == "files.upload":
            body, progress = upload(visit)
            return web.Response(body=b"" if body is None else printed(body), headers=headers | progress)
        return web.Response(body=printed(answers(visit)[route.method]()), headers=headers)

    async def _generate(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        record, name = visit.record, visit.route.name
        call = generation(
            record.body,
            name,
            visit.model(),
            headers=record.headers,
            signatures=self.signatures,
            levels_known=self.levels_known,
            all_signed=self.all_signed,
        )
        self.files.judge(call, visit.key)
        cached = self.caches.used(call, name, visit.key)
        plan = await self.planned(call, record)
        pieces = _pieces(plan, Reply(call, plan, self.generated, cached))
        count = call.config.get("candidateCount", 1)
        if record.method != STREAM:
            pieces = [printed(repeated(folded(read(pieces)), count))]
        elif _kind(record) == JSON:
            pieces = streamed_list(repeated(chunk, count) for chunk in read(pieces))
        elif count > 1:
            pieces = (event(repeated(chunk, count)) for chunk in read(pieces))
        return await self.send(request, plan, pieces, _headers(record, _kind(record)))


def _pieces(plan: Plan, reply: Reply) -> Iterable[bytes]:
    if plan.fixture is not None:
        return unwrapped(recording(plan.fixture))
    return map(event, plan.chunks or reply.responses())


def _kind(record: Record) -> str:
    """Say what the caller asked for; errors of a stream of events are labelled as events too."""
    return EVENTS if record.method == STREAM and record.query.get("alt") == "sse" else JSON


def _headers(record: Record, kind: str) -> dict[str, str]:
    return {
        "Content-Type": kind,
        "Server": "scaffolding on HTTPServer2",
        "Vary": "Origin, X-Origin, Referer",
        "Server-Timing": f"gfet4t7; dur={int((time.monotonic() - record.at) * 1000)}",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN",
        "X-XSS-Protection": "0",
    }


async def _serve(options: argparse.Namespace) -> None:
    fake = FakeGemini(keys=options.key or KEYS, port=options.port)
    fake.log.keep = options.keep
    await serve(fake)


def main() -> None:
    """Serve until interrupted; the first line of output is JSON with the address."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.gemini_api", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any")
    parser.add_argument("--key", action="append", metavar="KEY", help="a key to know")
    parser.add_argument("--keep", type=int, default=1000, help="calls to remember")
    try:
        uvloop.run(_serve(parser.parse_args()))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
