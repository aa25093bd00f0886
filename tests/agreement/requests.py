"""The requests of one walk: sent by a caller, and entered into the books by what the caller and the upstreams know."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

import httpx

from .asking import Ask, counted, failed
from .books import Books, Ended, Key
from .material import SPOKEN, Json
from .places import differences, different, under_way
from .site import Site

__all__ = ["NOBODY", "Requests"]

NOBODY: Final = Key("", "sk-nobody", {})
REFUSED: Final = re.compile(r"this key may (make|use|spend) ")
LIMIT: Final = {"make": "requests_per_day", "use": "tokens_per_day", "spend": "usd_per_month"}
SHOWN: Final = 500  # characters of an answer


@dataclass
class Requests:
    """They, one after the other. `trail`: takes what happens; `name`: of the walk, which their own begin with."""

    site: Site
    books: Books
    trail: list[str]
    name: str
    number: int = 0

    @property
    def id(self) -> str:
        """Name the request of now."""
        return f"{self.name}-{self.number}"

    def begin(self, ask: Ask, key: Key) -> dict[str, str]:
        """Begin another one, and give its headers."""
        self.number += 1
        self.trail.append(f"{self.id}, {key.name or 'nobody'}: {ask.dialect} {ask.path} {ask.body.decode()}")
        return {**ask.headers(key.secret), "x-request-id": self.id}

    async def send(self, ask: Ask, key: Key) -> httpx.Response:
        """Send another one."""
        return await self.site.http.post(ask.path, content=ask.body, headers=self.begin(ask, key))

    async def runs(self, ask: Ask, key: Key, *, waiting: bool) -> None:
        """Hold that this request is under way, and no other. `waiting`: for its first byte."""
        row = {self.id: (key.name, ask.dialect, "/".join(self.site.called()[0]))}
        gauges = {"requests_under_way": 1, "requests_waiting" if waiting else "open_streams": 1}
        held(different("what is under way", {**row, **gauges}, await under_way(self.site)))

    async def answered(self, ask: Ask, key: Key, response: httpx.Response) -> None:
        """Enter the request, whose answer has come."""
        self.trail.append(f"  {response.status_code} {response.text[-SHOWN:]!r}")
        status, answer = response.status_code, self.site.answer(response)
        one = self._ended(ask, key, status, "error" if failed(ask, status, answer) else "done")
        heard = counted(ask.dialect, answer) if status == 200 else None
        sent = heard  # of embeddings, whose answers are not noted
        if ask.generates:
            answered = one.end == "done" and one.called
            sent = counted(SPOKEN[one.upstream], self.site.sent(one.upstream)) if answered else None
        room, limit = self.site.room(response), self._limit(ask, key, response)
        await self._enter(replace(one, sent=sent, heard=heard, room=room, limit=limit))

    async def left(self, ask: Ask, key: Key, status: int | None) -> None:
        """Enter the request, whose caller has left."""
        self.trail.append(f"  left, at the status {status}")
        await self.site.idle()
        await self._enter(self._ended(ask, key, status, "client_closed"))

    def _ended(self, ask: Ask, key: Key, status: int | None, end: str) -> Ended:
        return Ended(self.id, key.name, ask.dialect, status, end, self.site.called(), counts=ask.counts)

    def _limit(self, ask: Ask, key: Key, response: httpx.Response) -> str:
        """Name the limit that has refused it, "" = none; how many requests are left is known beforehand."""
        refused = REFUSED.search(response.text) if response.status_code == 429 else None
        limit = LIMIT[refused[1]] if refused else ""
        is_over = bool(key.name) and ask.counts and self.books.is_over(key.name)
        assert is_over == (limit == "requests_per_day"), f"{key.name} was refused by {limit or 'nothing'}"
        return limit

    async def _enter(self, one: Ended) -> None:
        line = await self.site.line(one.id)
        if one.end != "done" and "input_tokens" in line:
            one = self._estimated(one, line)
        self.books.enter(one)
        held(await differences(self.site, self.books))

    def _estimated(self, one: Ended, line: Json) -> Ended:
        """Take what the access log says of an answer that was broken off, or left, which all others have to repeat.

        How much of it there was is estimated; of the prompt the upstream may have told.
        """
        told = line["input_tokens"], line["cached_tokens"], line["output_tokens"]
        answer = self.site.sent(one.upstream) if one.called else b""
        assert answer, f"nothing was sent, but {told} used"
        sent = counted(SPOKEN[one.upstream], answer)
        assert sent is None or sent[:2] == told[:2], f"{sent} was sent, but {told} used"
        return replace(one, sent=told)


def held(wrong: list[str]) -> None:
    """Hold that nothing is wrong."""
    assert not wrong, "\n  ".join(wrong)
