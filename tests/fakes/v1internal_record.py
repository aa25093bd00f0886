"""What the fake saw, and the failures it was told to give."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from tests.patience import patient

WAIT_S = 5.0


@dataclass
class Record:
    """One call.

    `credential` is the refresh token behind the bearer, or the bearer or key itself when it is static; `model` is the
    one of the body, or of the path where the service names it there. `at` is when its handler began, `earliest` when it
    was not there yet.
    """

    base: str
    method: str
    http_method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes
    body: Any = None
    token: str = ""
    credential: str = ""
    email: str = ""
    model: str | None = None
    enveloped: bool = True
    at: float = field(default_factory=time.monotonic)
    earliest: float = 0
    status: int = 0
    ended: bool = False
    tokens: tuple[int, int] = (0, 0)  # of the prompt and of the answer, once it has gone out
    closed_by_client: bool = False

    @property
    def request(self) -> dict[str, Any]:
        """Give the request of a generating call, out of its envelope where there is one."""
        return cast("dict[str, Any]", self.body["request"] if self.enveloped else self.body)

    def shown(self) -> dict[str, Any]:
        """Give what JSON can carry, without the bytes."""
        fields = asdict(self)
        del fields["raw"]
        return fields


@dataclass
class Fault:
    """A failure for the calls that fit: every field that is set must fit, `times` times."""

    error: str
    base: str | None = None
    token: str | None = None
    method: str | None = None
    model: str | None = None
    times: float = math.inf

    def fits(self, record: Record) -> bool:
        """Say whether this call is meant."""
        return (
            self.times > 0
            and self.base in {None, record.base}
            and self.token in {None, record.credential, record.email, record.token}
            and self.method in {None, record.method}
            and self.model in {None, record.model}
        )


@dataclass
class Log:
    """The calls so far; whoever waits for one is told of each change."""

    keep: int = 10_000
    requests: list[Record] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    disconnects: int = 0
    open_streams: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, record: Record) -> None:
        """Note a call."""
        self.requests.append(record)
        del self.requests[: -self.keep]
        self.counts[record.method] += 1
        self.tell()

    def begin(self, record: Record) -> None:
        """Note a call whose answer is under way."""
        self.open_streams += 1
        self.add(record)

    def end(self) -> None:
        """Note that an answer is no longer under way."""
        self.open_streams -= 1
        self.tell()

    def clear(self) -> None:
        """Forget the calls."""
        self.requests.clear()
        self.counts.clear()
        self.disconnects = 0

    def left(self, record: Record) -> None:
        """Note that the client closed the connection before the answer ended."""
        record.closed_by_client = True
        self.disconnects += 1
        self.tell()

    def tell(self) -> None:
        """Wake whoever waits."""
        self.changed.set()
        self.changed = asyncio.Event()

    async def until(self, reached: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
        """Wait for a state of the log."""
        async with asyncio.timeout(patient(timeout_s)):
            while not reached():
                await self.changed.wait()
