"""One walk: turn by turn, with what must hold after each.

the client's body ─► gateway ─► the directed fake ─► gateway ─► the answer, as directed
                                   │
                                   └─ has every word of the history, or the answer says that some are lost
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from gateway.testing.grammar import Heard
from tests.fakes.v1internal_record import Record

from .chat import ChatClient
from .client import Client, Directed
from .gemini import GeminiClient
from .material import Json, Luck, words
from .messages import MessagesClient
from .responses import ResponsesClient
from .site import MODELS, SPOKEN, Site

__all__ = ["CLIENTS", "Found", "Walk", "agreed", "lost"]

CLIENTS: Final[tuple[type[Client], ...]] = (ChatClient, MessagesClient, ResponsesClient, GeminiClient)
TURNS: Final = (1, 2, 3, 5, 8)
FAULTS: Final = ("503", "reset")
PATH: Final = re.compile(r"(\w+)(?:[.\[][\w.\[\]]+)?: ")
SHOWN: Final = 6000  # characters of a body


class Found(AssertionError):
    """Something that must not happen, with what is needed to make it happen again."""


@dataclass
class Walk:
    """It: `pytest tests/walks -k "next[SEED]"` walks the same way again."""

    site: Site
    seed: int
    trail: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.luck = Luck(self.seed)
        self.client = self.luck.choice(CLIENTS)(self.luck)
        self.doors = self.site.doors[: 1 if self.client.keeps_here or self.luck.hits(0.5) else 2]
        self.sticky = self.luck.hits(0.4)
        self.upstream = self.model = ""
        self.body: Json = {}

    async def go(self) -> None:
        """Walk to the end."""
        self.client.ask()
        try:
            for _ in range(self.luck.choice(TURNS)):
                if not await self.turn():
                    return
                self.client.go_on()
                self.client.change()
        except (AssertionError, LookupError, ValueError, httpx.HTTPError) as error:
            raise Found(self.told(error)) from error

    async def turn(self) -> bool:
        """Ask once; False where the conversation cannot go on, as it should be."""
        luck, client = self.luck, self.client
        self.move()
        stream = luck.hits(0.6)
        self.body = client.body(f"{self.upstream}/{self.model}", stream=stream)
        directed = client.direct()
        self.trail.append(f"{self.upstream}/{self.model}{' streamed' if stream else ''}: {directed.script!r}")
        self.site.direct(self.upstream, directed.script)
        if luck.hits(0.08):
            luck.choice(self.site.sides(self.upstream)).fail(luck.choice(FAULTS))
        path = client.path(f"{self.upstream}/{self.model}", stream=stream)
        response = await luck.choice(self.doors).post(path, json=self.body)
        calls = self.site.calls(self.upstream)
        if response.status_code != 200:
            await self.refused(response, calls)
            return False
        known = client.known if "previous_response_id" not in calls[-1].body else self.body
        missing = lost(known, calls[-1].body)
        agreed(client.take(response.content, stream=stream), directed, client.ends)
        assert not missing or "x-gateway-lossy" in response.headers, f"lost in silence: {sorted(missing)}"
        return True

    def move(self) -> None:
        """Ask another model, or the same again."""
        if not self.model or (not self.sticky and self.luck.hits(0.4)):
            self.upstream = self.luck.choice(sorted(MODELS))
            self.model = self.luck.choice(MODELS[self.upstream])

    async def refused(self, response: httpx.Response, calls: list[Record]) -> None:
        """Hold that the gateway says where the caller is wrong, or that the upstream says the same to the caller."""
        message = response.json()["error"]["message"]
        said = [call for call in calls if call.status >= 400]
        if not said:
            named = PATH.match(message)
            place = named[1] if named else ""
            assert (response.status_code, place in self.body) == (400, True), f"refused without a path: {message}"
            return
        assert SPOKEN[said[-1].method] == self.client.dialect, f"what was written here is refused: {message}"
        for body in (self.body, self.asked()):
            straight = await self.site.straight(self.upstream, said[-1], body)
            assert straight.status_code >= 400, f"refused behind the gateway alone: {message}"

    def asked(self) -> Json:
        """Give the request without what was said in it: a refusal is of the rest."""
        fresh = type(self.client)(Luck(0))
        fresh.said.clear()
        fresh.ask()
        own = {name: value for name, value in self.body.items() if name != "previous_response_id"}
        return own | {self.client.history: fresh.said}

    def told(self, error: Exception) -> str:
        """Tell what was found."""
        body = json.dumps(self.body, ensure_ascii=False)[:SHOWN]
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        trail = "\n  ".join(self.trail)
        return f"seed {self.seed}, {self.client.dialect}: {kind}{error}\n  {trail}\nthe last body: {body}"


def lost(known: Any, sent: Any) -> set[str]:
    """Find the words of a conversation that an upstream has not received."""
    return words(json.dumps(known)) - words(json.dumps(sent))


def agreed(heard: Heard, directed: Directed, ends: tuple[str, str]) -> None:
    """Hold that an answer is the one that was directed."""
    said = [(call.name, call.arguments or {}) for call in heard.calls]
    assert heard.text == directed.text, f"text {heard.text!r} in place of {directed.text!r}"
    assert said == list(directed.calls), f"calls {said} in place of {directed.calls}"
    end = ends[bool(directed.calls)]
    assert heard.finish == end, f"the end {heard.finish!r} in place of {end!r}"
