"""`python -m tests.soak.upstreams`: the strict fakes of four upstreams in one process, with books.

It prints a line with the address of each. `GET /_books` gives all that was noted since it was read last, and how many
answers are under way; `POST /_fail` begins a storm of refusals, as in every fake.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import uvloop
from aiohttp import web

from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.server import Fake, Page
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.v1internal_script import Plan
from tests.soak.books import MANGLE, SILENT, Booked, mangled, name_in

__all__ = ["ACCOUNTS", "Keeping", "made"]

ACCOUNTS = ("rt-1", "rt-2", "rt-3", "rt-4")
BEGINNING = 6  # events, some of them words in every API
FOREVER_S = 86_400.0
KEEP = 50  # calls that a fake remembers by itself


class Keeping(Fake[Any]):
    """Notes each answer that has begun, when it ends; mixed into a fake."""

    label: str
    books: list[Booked]

    def pages(self) -> dict[str, Page]:
        return super().pages() | {"/_books": self._shown}

    async def send(
        self, request: web.Request, plan: Plan, chunks: Iterable[bytes], headers: Mapping[str, str]
    ) -> web.StreamResponse:
        """Send, and note it; what an answer that is cut short does not tell is in no book."""
        body = await request.read()
        call = Booked(name_in(body), self.label, mangled=MANGLE in body)
        chunks = silenced(chunks, plan) if SILENT in body else chunks
        heard = call.heard(mangled(chunks) if call.mangled else chunks)
        try:
            sent = await super().send(request, plan, heard, headers)
            call.whole = plan.drop_after is None and plan.fin_after is None and plan.cut_after is None
        finally:
            self.books.append(call)
        return sent

    async def _shown(self, _: web.Request) -> web.StreamResponse:
        taken, self.books = self.books, []
        under_way = self.log.open_streams
        return web.json_response({"calls": msgspec.to_builtins(taken), "under_way": under_way})


def silenced(chunks: Iterable[bytes], plan: Plan) -> Iterator[bytes]:
    """Send nothing more behind the first words."""
    for place, chunk in enumerate(chunks):
        plan.pace_s = FOREVER_S if place == BEGINNING else plan.pace_s
        yield chunk


class Google(Keeping, FakeV1Internal):
    label = "google"


class OpenAI(Keeping, FakeOpenAI):
    label = "openai"


class Anthropic(Keeping, FakeAnthropic):
    label = "anthropic"


class Gemini(Keeping, FakeGemini):
    label = "gemini"


def made() -> list[Keeping]:
    """Make them, with accounts and keys enough for a pool each."""
    fakes: list[Keeping] = [Google(refresh_tokens=ACCOUNTS, bases=("a",)), OpenAI(), Anthropic(), Gemini()]
    for fake in fakes:
        fake.books = []
        fake.log.keep = KEEP
    return fakes


async def serve() -> None:
    """Serve for ever."""
    async with AsyncExitStack() as stack:
        fakes = [await stack.enter_async_context(fake) for fake in made()]
        print(json.dumps({fake.label: fake.url for fake in fakes}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve())
