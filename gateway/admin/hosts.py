"""The processes of other hosts, by a channel of Redis: each answers what one of them asks of all.

    who asks ─► {asker, number, words, near} ─► all who listen
    who asks ◄── {asker, number, words, by} ◄── each of them; without words from those that are near, and asked already

It is a help and no more: whoever does not answer in time is left out, as all are while Redis is away.
"""

import asyncio
from collections.abc import Callable, Collection
from importlib import import_module
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct
from structlog.typing import FilteringBoundLogger

if TYPE_CHECKING:
    from gateway.store.notices import Notices

__all__ = ["Hosts"]

_NOTICES: Final = "gateway.store.notices"  # loads the client of Redis
_CHANNEL: Final = "gateway:running"
_PATIENCE_S: Final = 1.0  # with one that hangs


class _Said(Struct, frozen=True, omit_defaults=True):
    """A question, or with `by` an answer to it."""

    asker: str
    number: int
    words: bytes
    near: Collection[str] = ()
    by: str = ""


_SAID: Final = msgspec.msgpack.Decoder(_Said)
_encode: Final = msgspec.msgpack.Encoder().encode


class _Question:
    """What one waits for. `wanted`: so many answers; None = nobody knows yet."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.over = asyncio.Event()
        self._wanted: int | None = None

    def reached(self, listeners: int) -> None:
        """Hear how many got it, who asks among them."""
        self._wanted = listeners - 1
        self._look()

    def take(self, words: bytes) -> None:
        """Hear an answer."""
        self.answers.append(words)
        self._look()

    def _look(self) -> None:
        if self._wanted is not None and len(self.answers) >= self._wanted:
            self.over.set()


class Hosts:
    """Answers them, and asks them. `name`: of this process among those of its host.

    `answer`: gives what is said to some words.
    """

    def __init__(self, url: str, name: str, answer: Callable[[bytes], bytes], logger: FilteringBoundLogger) -> None:
        self._url = url
        self._name = name
        self._answer = answer
        self._logger = logger
        self._notices: Notices | None = None
        self._number = 0
        self._questions: dict[int, _Question] = {}

    def start(self) -> None:
        """Listen, where there is a Redis."""
        if not self._url:
            return
        part = import_module(_NOTICES)
        channel = f"{_CHANNEL}:{part.database_of(self._url)}"  # channels are of all databases of a Redis
        make: type[Notices] = part.Notices
        self._notices = make(self._url, channel, self._logger, hear=self._hear, tells=False)  # others tell of it
        self._notices.start()

    async def stop(self) -> None:
        """Listen no more."""
        notices, self._notices = self._notices, None
        if notices is not None:
            await notices.close()

    @property
    def listens(self) -> bool:
        """Whether there is a Redis, which may be away."""
        return self._notices is not None

    @property
    def is_away(self) -> bool:
        """Whether that Redis is away."""
        return self._notices is not None and self._notices.is_away

    async def ask(self, words: bytes, near: Collection[str]) -> list[bytes]:
        """Give what each process says that is not named among those near, as far as it does."""
        notices, question = self._notices, _Question()
        if notices is None:
            return []
        self._number += 1
        number = self._number
        self._questions[number] = question
        try:
            asked = _encode(_Said(self._name, number, words, near))
            if notices.say(asked, reached=question.reached):
                async with asyncio.timeout(_PATIENCE_S):
                    await question.over.wait()
        except TimeoutError:
            pass
        finally:
            del self._questions[number]
        return [answer for answer in question.answers if answer]

    def _hear(self, data: bytes) -> None:
        try:
            said = _SAID.decode(data)
            if said.by:
                self._take(said)
            elif said.asker != self._name and self._notices is not None:
                answer = self._answer(said.words) if self._name not in said.near else b""
                self._notices.say(_encode(_Said(said.asker, said.number, answer, by=self._name)))
        except msgspec.DecodeError:  # of another version, or b"" for what was missed
            return

    def _take(self, said: _Said) -> None:
        question = self._questions.get(said.number) if said.asker == self._name else None
        if question is not None:
            question.take(said.words)
