"""One walk: request by request, and what every place has to tell after each.

a caller ─► gateway ─► the directed fake ─► gateway ─► the caller
   │                        │
   └──── what both know ────┴──► the books ══ the access log, the ledger, /usage, the metrics, what runs
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

import httpx

from tests.walks.material import Luck

from .asking import DIALECTS, Ask, asked, counting, embedding, unreadable
from .books import Books, Key
from .material import AMPLE, BREAKS, CHAINS, EMBEDDING, FAULTS, LIMITS, MODELS
from .requests import NOBODY, Requests
from .site import Site

__all__ = ["Found", "Walk"]

STEPS: Final = 25
KEYS: Final = 3  # to begin with
FIRST: Final = "key-0"  # which has no limits, and stays
UNKNOWN: Final = ("nothing-1", "chat/nothing", "nobody/gpt-4.1")
CACHED: Final = '\n!usage {"cache_read_input_tokens": 7}'
FIRST_WORDS: Final = {"chat": 2, "responses": 6, "anthropic": 5, "gemini": 0}  # pieces behind the first, to have some


class Found(AssertionError):
    """Places that do not agree, with what is needed to make it happen again."""


@dataclass
class Walk:
    """It: `pytest tests/agreement -k "step[SEED]"` walks the same way again."""

    site: Site
    seed: int
    books: Books = field(default_factory=Books)
    trail: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.luck = Luck(self.seed)
        self.requests = Requests(self.site, self.books, self.trail, f"walk-{self.seed}")
        self.kinds: dict[Callable[[], Awaitable[None]], int] = {
            self.ask: 8,
            self.ask_in_vain: 5,
            self.ask_and_break: 5,
            self.leave_before_it: 3,
            self.leave_within_it: 4,
            self.ask_wrongly: 4,
            self.ask_as_nobody: 1,
            self.ask_for_numbers: 4,
            self.make_key: 2,
            self.revoke_key: 1,
        }

    async def go(self, steps: int = STEPS) -> None:
        """Walk to the end."""
        try:
            for _ in range(KEYS):
                await self.make_key()
            for _ in range(steps):
                self.site.reset()
                (step,) = self.luck.choices([*self.kinds], [*self.kinds.values()])
                await step()
        except (AssertionError, LookupError, ValueError, httpx.HTTPError, TimeoutError) as error:
            raise Found(self.told(error)) from error

    async def ask(self) -> None:
        """Have an answer."""
        await self.post(self.asked(self.target(), "!say " + "answer " * self.luck.randrange(1, 20)))

    async def ask_in_vain(self) -> None:
        """Have an upstream fail first: another attempt, or another member of a chain, may answer."""
        target, fault, times = self.target(), self.luck.choice(FAULTS), self.luck.choice((1, 1, 2, 5))
        self.trail.append(f"{first(target)} fails, {fault}, {times} times")
        self.site.fakes[first(target)].fail(fault, times=times)
        await self.post(self.asked(target, "!say answer"))

    async def ask_and_break(self) -> None:
        """Have the answer broken off somewhere."""
        script = f"!say {'answer ' * 20}\n!{self.luck.choice(BREAKS)} {self.luck.randrange(6)}"
        await self.post(self.asked(self.target(), script))

    async def ask_wrongly(self) -> None:
        """Ask for what cannot be read, or what nobody has."""
        unknown = asked(self.luck, self.luck.choice(DIALECTS), self.luck.choice(UNKNOWN), "hi", stream=False)
        await self.post(self.luck.choice((unreadable(self.luck, self.target()), unknown)))

    async def ask_as_nobody(self) -> None:
        """Ask with a key that is none, or none any more."""
        secrets = [key.secret for key in self.books.keys.values() if not key.lives]
        nobody = replace(NOBODY, secret=self.luck.choice((*secrets, NOBODY.secret)))
        await self.post(self.asked(self.target(), "!say answer"), nobody)

    async def ask_for_numbers(self) -> None:
        """Count tokens, or embed, where there are embeddings and where not."""
        model = self.luck.choice((f"chat/{EMBEDDING}", MODELS["anthropic"]))
        await self.post(self.luck.choice((counting(self.luck, self.target()), embedding(self.luck, model))))

    async def make_key(self) -> None:
        """Make a key, and give it some limits."""
        name = f"key-{len(self.books.keys)}"
        wanted = [] if name == FIRST else [limit for limit in LIMITS if self.luck.hits(0.5)]
        limits = {limit: LIMITS[limit] * self.luck.choice((1, 1, AMPLE)) for limit in wanted}
        made = await self.site.admin("POST", "/admin/keys", json={"name": name, "limits": limits})
        self.books.keys[name] = Key(name, made["secret"], limits)
        self.trail.append(f"{name} is made, with {limits}")

    async def revoke_key(self) -> None:
        """Revoke a key."""
        if living := [key for key in self.keys() if key.name != FIRST]:
            key = self.luck.choice(living)
            await self.site.admin("DELETE", f"/admin/keys/{key.name}")
            key.lives = False
            self.trail.append(f"{key.name} is revoked")

    async def leave_before_it(self) -> None:
        """Leave before an answer begins."""
        target = self.target()
        fake = self.site.fakes[first(target)]
        fake.fail("silence")
        ask, key = self.asked(target, "!say answer"), self.key()
        sent = asyncio.create_task(self.requests.send(ask, key))
        called = asyncio.create_task(fake.log.until(lambda: bool(fake.requests)))
        await asyncio.wait((sent, called), return_when=asyncio.FIRST_COMPLETED)
        called.cancel()
        if sent.done():  # a limit has refused it
            await self.requests.answered(ask, key, await sent)
            return
        await self.requests.runs(ask, key, waiting=True)
        sent.cancel()
        await asyncio.wait((sent,))
        await self.requests.left(ask, key, None)

    async def leave_within_it(self) -> None:
        """Leave once some of an answer has come."""
        target = self.target()
        self.site.fakes[first(target)].ack(FIRST_WORDS[first(target)])
        ask, key = self.asked(target, f"!say {'answer ' * 30}\n!say more\n!acked", stream=True), self.key()
        headers = self.requests.begin(ask, key)
        async with self.site.http.stream("POST", ask.path, content=ask.body, headers=headers) as response:
            if response.status_code != 200:
                await response.aread()
                await self.requests.answered(ask, key, response)
                return
            pieces = response.aiter_raw()  # which would end with its last name
            await anext(pieces)
            await self.requests.runs(ask, key, waiting=False)
        await self.requests.left(ask, key, 200)

    # what it is made of

    async def post(self, ask: Ask, key: Key | None = None) -> None:
        """Have a request answered."""
        key = key or self.key()
        await self.requests.answered(ask, key, await self.requests.send(ask, key))

    def asked(self, target: str, script: str, *, stream: bool | None = None) -> Ask:
        """Ask for an answer of a target, directed so."""
        if target == f"anthropic/{MODELS['anthropic']}" and self.luck.hits(0.4):
            script += CACHED
        stream = self.luck.hits(0.5) if stream is None else stream
        return asked(self.luck, self.luck.choice(DIALECTS), target, script, stream=stream)

    def target(self) -> str:
        """Choose who is asked."""
        return self.luck.choice((*(f"{name}/{model}" for name, model in MODELS.items()), *CHAINS))

    def key(self) -> Key:
        """Choose who asks."""
        return self.luck.choice(self.keys())

    def keys(self) -> list[Key]:
        """Give those that live."""
        return [key for key in self.books.keys.values() if key.lives]

    def told(self, error: Exception) -> str:
        """Tell what was found."""
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        trail = "\n  ".join(self.trail)
        return f"seed {self.seed}: {kind}{error}\n  {trail}"


def first(target: str) -> str:
    """Name the upstream that a target begins with."""
    return CHAINS[target][0] if target in CHAINS else target.partition("/")[0]
