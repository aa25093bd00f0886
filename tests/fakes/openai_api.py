"""A strict fake of the OpenAI API (`/v1`), over real HTTP on loopback.

    async with FakeOpenAI() as fake:
        ...                                  # fake.url + "/v1"; the keys are "key-1", "key-2" and "key-3"
        assert fake.requests[-1].request["messages"]

The answer to a call is directed by its last user text (`v1internal_script`); what the service would refuse is refused
in its words (`openai_api_chat`, `openai_api_responses`), and `openai_api_errors.NAMED` lists the errors that `!error`
and `fail` know. `!refuse {"status": 400, "error": {...}}` is a body as written; `!chunk {json}` one event.
Answers of the Responses API are kept, and belong to the key that asked.

`plain`: a server that is only compatible, of before `max_completion_tokens`; without `keys` it asks for none.

As a program: `python -m tests.fakes.openai_api --port N`, with `GET /_requests`, `POST /_reset`, `/_ack`, `/_push`
(`{"texts": [...]}`) and `/_fail` (the arguments of `fail`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import uvloop
from aiohttp import web

from tests.fakes import openai_api_errors as errors
from tests.fakes import openai_api_extras as extras
from tests.fakes.openai_api_chat import Asked
from tests.fakes.openai_api_chat import judge as judge_chat
from tests.fakes.openai_api_counting import input_tokens
from tests.fakes.openai_api_errors import OpenAIRefusal, bad
from tests.fakes.openai_api_events import Answered, events
from tests.fakes.openai_api_kept import Kept, Thread
from tests.fakes.openai_api_models import SERVED, Model, describe, listed, served
from tests.fakes.openai_api_others import OTHERS, Other
from tests.fakes.openai_api_reply import ChatReply
from tests.fakes.openai_api_responses import Wanted
from tests.fakes.openai_api_responses import judge as judge_response
from tests.fakes.openai_api_shapes import missing
from tests.fakes.openai_api_turns import of_items, of_messages
from tests.fakes.server import Fake, serve
from tests.fakes.v1internal_call import Json
from tests.fakes.v1internal_errors import Refusal
from tests.fakes.v1internal_record import Record
from tests.fakes.v1internal_script import Conversation, Plan

__all__ = ["CHAT", "COUNT", "KEYS", "RESPONSES", "FakeOpenAI", "chat_events"]

KEYS = ("key-1", "key-2", "key-3")
CHAT, RESPONSES = "chat.completions", "responses"
COUNT = "responses.input_tokens"
EVENTS = "text/event-stream; charset=utf-8"

# method and path -> what is called; {} stands for the rest of the path
_ROUTES = {
    ("POST", "/v1/chat/completions"): CHAT,
    ("POST", "/v1/responses"): RESPONSES,
    ("POST", "/v1/responses/input_tokens"): COUNT,
    ("GET", "/v1/responses/{}"): "responses.get",
    ("DELETE", "/v1/responses/{}"): "responses.delete",
    ("POST", "/v1/responses/{}/cancel"): "responses.cancel",
    ("GET", "/v1/models"): "models.list",
    ("GET", "/v1/models/{}"): "models.get",
    ("POST", "/v1/embeddings"): "embeddings",
    ("POST", "/v1/images/generations"): "images",
}
_ITEMS = "/input_items"
_CANCEL = "/cancel"
_LIMITS = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-tokens": "29990",
    "x-ratelimit-reset-tokens": "20ms",
}


class FakeOpenAI(Fake[str]):
    """The fake; everything a test sets or reads is an attribute. A caller is known by its key."""

    def __init__(
        self,
        *,
        keys: Iterable[str] = KEYS,
        plain: bool = False,
        other: str = "",
        bases: Iterable[str] = ("a",),
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(bases, host, port)
        self.keys = set(keys)
        self.plain = plain
        self.other = OTHERS[other] if other else Other()
        self.models = list(SERVED)
        self.kept = Kept()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer what is below /v1."""
        method, name = _route(request.method, request.path)
        record = await self.record(request, method or "nothing")
        record.enveloped = False
        return await self.tracked(request, record, partial(self._method, name=name))

    def parsed(self, record: Record) -> tuple[Any, Refusal | None]:
        """Parse the body."""
        if record.http_method != "POST" or (record.path.endswith(_CANCEL) and not record.raw):
            return None, None
        try:
            body = json.loads(record.raw or b"{}")
        except ValueError:
            return None, errors.unreadable()
        kind = record.headers.get("content-type", "")
        if not kind.startswith("application/json"):
            return body, bad(f"Unsupported content type: '{kind}'. This API method only accepts 'application/json'.")
        return body, None if isinstance(body, dict) else errors.unreadable()

    def admit(self, record: Record) -> str:
        """Say whose key this is."""
        record.credential = record.token
        if self.keys and not record.token:
            raise errors.key_missing()
        if self.keys and record.token not in self.keys:
            raise errors.key_refused(record.token)
        return record.token

    def named(self, name: str, record: Record) -> Refusal:
        """Take an error of the service, with the model of the call in it."""
        return errors.named(name, record.model or "")

    def refused(self, record: Record, refusal: Refusal) -> web.Response:
        """Label an error."""
        more = refusal.headers if isinstance(refusal, OpenAIRefusal) else {}
        if "mimo" in (record.model or "") and record.body.get("stream"):
            said = f"data:{json.dumps(refusal.body)}\n\n"
            return web.Response(text=said, status=refusal.status, headers=self._headers(record, EVENTS) | more)
        return web.json_response(refusal.body, status=refusal.status, headers=self._headers(record) | more)

    async def planned(self, call: Conversation, record: Record) -> Plan:
        """Plan the answer; an error may be written whole, with its status."""
        plan = self.script.plan(call)
        if plan.slow_s:
            await asyncio.sleep(plan.slow_s)
        if plan.error is not None:
            raise self.named(plan.error, record)
        if plan.refusal is not None:
            body = {name: value for name, value in plan.refusal.items() if name != "status"}
            raise Refusal(plan.refusal.get("status", 400), body)
        self.generated += 1
        return plan

    def judge(self, asked: Asked) -> None:
        """Refuse what the service would refuse of a chat."""
        judge_chat(asked)

    def reply(self, asked: Asked, plan: Plan) -> ChatReply:
        """Make the writer of an answer."""
        return ChatReply(asked, plan, self.generated)

    async def _method(self, request: web.Request, record: Record, key: str, *, name: str) -> web.StreamResponse:
        if record.method == CHAT:
            return await self._chat(request, record)
        if record.method == RESPONSES:
            return await self._respond(request, record, key)
        if record.method == "responses.get" and request.query.get("stream") == "true":
            after = int(request.query.get("starting_after", -1))
            told = self.kept.events(name, key, after)
            return await self.send(request, Plan(), events(told), self._headers(record, EVENTS))
        if record.method == "images" and record.body.get("stream"):
            return await self._draw(request, record, record.body, self._model(record.body))
        answers: dict[str, Callable[[], Json]] = {
            "models.list": lambda: {"object": "list", "data": [listed(one) for one in self.models]},
            "models.get": lambda: listed(served(name, self.models).name),
            "responses.get": lambda: self.kept.look(name, key),
            "responses.cancel": lambda: self.kept.cancel(name, key),
            "responses.items": lambda: _items(self.kept.thread(name, key)),
            "responses.delete": lambda: self.kept.delete(name, key),
            COUNT: lambda: input_tokens(self._wanted(record.body, key)),
            "embeddings": lambda: extras.embeddings(record.body, self._model(record.body)),
            "images": lambda: extras.pictures(record.body, self._model(record.body)),
        }
        if record.method not in answers or (self.plain and record.method == COUNT):
            raise errors.nothing_here(record.http_method, record.path)
        return web.json_response(answers[record.method](), headers=self._headers(record))

    async def _chat(self, request: web.Request, record: Record) -> web.StreamResponse:
        asked = Asked(record.body, self._model(record.body), self.plain)
        self.judge(asked)
        plan = await self.planned(of_messages(asked.messages), record)
        reply = self.reply(asked, plan)
        if not record.body.get("stream"):
            whole = plan.chunks[0] if plan.chunks else reply.whole()
            return await self._send_whole(request, record, plan, whole)
        chunks = plan.chunks or reply.chunks()
        return await self.send(request, plan, chat_events(chunks), self._headers(record, EVENTS))

    async def _respond(self, request: web.Request, record: Record, key: str) -> web.StreamResponse:
        body = record.body
        self.other.judge(body)
        wanted = self._wanted(body, key)
        judge_response(wanted)
        plan = await self.planned(of_items(wanted.items), record)
        answered = Answered(wanted, plan, self.generated)
        told = plan.chunks or list(answered.events())
        if body.get("background"):
            queued = self.kept.begin(
                told, Thread(told[-1]["response"], wanted.input, key), streamed=bool(body.get("stream"))
            )
            told = told if body.get("stream") else [{"response": queued}]
        elif not plan.chunks and answered.stored:
            self.kept.keep(Thread(told[-1]["response"], wanted.input, key))
        if not body.get("stream"):
            return await self._send_whole(request, record, plan, told[-1].get("response", told[-1]))
        return await self.send(request, plan, events(told), self._headers(record, EVENTS))

    def _wanted(self, body: Json, key: str) -> Wanted:
        return Wanted(body, self._model(body), self.kept, self.kept.before(body.get("previous_response_id"), key))

    async def _draw(self, request: web.Request, record: Record, body: Json, model: Model) -> web.StreamResponse:
        told = extras.picture_events(body, model)
        return await self.send(request, Plan(), events(told), self._headers(record, EVENTS))

    async def _send_whole(self, request: web.Request, record: Record, plan: Plan, whole: Json) -> web.StreamResponse:
        data = json.dumps(whole, ensure_ascii=False).encode()
        return await self.send(request, plan, [data], self._headers(record, "application/json"))

    def _model(self, body: Json) -> Model:
        if not isinstance(body.get("model"), str) or not body["model"]:
            raise missing("model") if self.plain else bad("you must provide a model parameter")
        return describe(body["model"]) if self.plain else served(body["model"], self.models)

    def _headers(self, record: Record, kind: str = "") -> dict[str, str]:
        headers = {
            "x-request-id": f"req_fake{len(self.log.requests)}",
            "openai-version": "2020-10-01",
            "openai-organization": "org-fake",
            "openai-processing-ms": "12",
            **(_LIMITS if record.method in (CHAT, RESPONSES) else {}),
        }
        return headers | ({"content-type": kind} if kind else {})


def _route(method: str, path: str) -> tuple[str, str]:
    """Find what is called, and the name at the end of the path."""
    if (method, path) in _ROUTES:
        return _ROUTES[method, path], ""
    folder, _, name = path.removesuffix(_ITEMS).rpartition("/")
    if path.endswith(_ITEMS) and (method, folder) == ("GET", "/v1/responses"):
        return "responses.items", name
    if path.endswith(_CANCEL):
        folder, _, name = path.removesuffix(_CANCEL).rpartition("/")
        return _ROUTES.get((method, f"{folder}/{{}}{_CANCEL}"), ""), name
    return _ROUTES.get((method, f"{folder}/{{}}"), ""), name


def _items(thread: Thread) -> Json:
    """List what was put in, the last first."""
    data = list(reversed(thread.input))
    return {
        "object": "list",
        "data": data,
        "first_id": data[0].get("id") if data else None,
        "last_id": data[-1].get("id") if data else None,
        "has_more": False,
    }


def chat_events(chunks: Iterable[Json]) -> Iterator[bytes]:
    """Write chunks as they go over the wire; after an error nothing follows."""
    for chunk in chunks:
        yield f"data: {json.dumps(chunk, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()
        if "error" in chunk:
            return
    yield b"data: [DONE]\n\n"


async def _serve(options: argparse.Namespace) -> None:
    fake = FakeOpenAI(keys=options.key or KEYS, plain=options.plain, port=options.port)
    fake.log.keep = options.keep
    await serve(fake)


def main() -> None:
    """Serve until interrupted; the first line of output is JSON with the address."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.openai_api", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any")
    parser.add_argument("--key", action="append", metavar="KEY", help="a key to know")
    parser.add_argument("--plain", action="store_true", help="a server that is only compatible")
    parser.add_argument("--keep", type=int, default=1000, help="calls to remember")
    try:
        uvloop.run(_serve(parser.parse_args()))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
