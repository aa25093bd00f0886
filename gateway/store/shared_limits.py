"""The limits as all processes count them together, in Redis, when store.redis is set.

What is asked while an answer is under way goes out with all else that is asked meanwhile, on one connection and in its
order: what has ended here never begins again there. A question that fails raises `Away`.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha1
from typing import Final, Protocol, cast

from hiredis import pack_command  # pyright: ignore[reportUnknownVariableType] - see _packed
from msgspec import Struct
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError, ResponseError

from gateway.store.redis_names import named
from gateway.store.shared_scripts import ADMIT, LOOK, RECALL, RENEW, RESERVE, SETTLE, SINCE
from gateway.store.stored import why_away
from gateway.store.windows import SECOND, Away, Rule, Seen, Taken, Unheard, Window, Windows

__all__ = ["SharedLimits", "misread"]

_LEASE_S: Final = 30.0
_GIVE_UP_S: Final = 2.0
_MOST: Final = 200  # questions that go out together
_AGAIN: Final = 2  # in the place of whether it is late
_BEGINS: Final = 2  # in the place of whether it is let in
_FIELDS: Final = 6  # of the answer for each window
_NOBODY: Final = "-"  # clusters keep keys together by what their braces hold, unless that is nothing
_LOST: Final = (Lost, OSError)
_SCRIPTS: Final = (ADMIT, LOOK, RECALL, RENEW, RESERVE, SETTLE, SINCE)
_NAMES: Final = {script: sha1(script.encode()).hexdigest() for script in _SCRIPTS}  # noqa: S324 - as Redis names them

_Word = str | int
_Answer = list[int]
_packed: Final = cast("Callable[[tuple[_Word, ...]], bytes]", pack_command)


class _Encoder(Protocol):
    """What of the client's encoder is used."""

    decode_responses: bool


class _Connection(Protocol):
    """What of the client's connection is used: it connects where it is not yet, and is closed by what goes wrong."""

    @property
    def is_connected(self) -> bool: ...

    @property
    def encoder(self) -> "_Encoder": ...

    async def connect(self) -> None: ...

    async def send_packed_command(self, command: bytes) -> None: ...

    async def read_response(self) -> "_Answer": ...

    async def disconnect(self) -> None: ...


class _Pool(Protocol):
    """What of the client's pool is used."""

    def make_connection(self) -> _Connection: ...


class _Question(Struct):
    script: str
    words: tuple[_Word, ...]
    answer: "asyncio.Future[_Answer]"


class SharedLimits:
    """Counters of all callers. `now`: the moment of every question, in microseconds; None = by the clock of Redis."""

    def __init__(
        self,
        url: str,
        *,
        now: Callable[[], int] | None = None,
        lease_s: float = _LEASE_S,
        give_up_s: float = _GIVE_UP_S,
    ) -> None:
        self._url = url
        self._now = now or _of_redis
        self._lease_us = int(lease_s * SECOND)
        self._give_up_s = give_up_s
        self._waiting: list[_Question] = []
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to carry questions."""
        self._task = asyncio.get_running_loop().create_task(self._carry_all())

    async def stop(self) -> None:
        """End it; who still waits gets `Away`."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._refuse([], "the gateway is ending")

    async def look(self, who: str, rules: Sequence[Rule]) -> tuple[Seen, int]:
        """Say how these stand now, and how many requests are open."""
        answer = await self._ask(LOOK, who, "", rules, [rule.seconds for rule in rules])
        return _seen(rules, answer), answer[1]

    async def admit(self, who: str, rules: Sequence[Rule], at_once: int | None, id_: str) -> Seen:
        """Count a request against each rule and let it in, or neither. `id_`: what `settle` ends, "" = nothing."""
        bound = -1 if at_once is None else at_once
        numbers = [number for rule in rules for number in (rule.seconds, rule.amount)]
        return _seen(rules, await self._ask(ADMIT, who, id_, rules, [bound, int(bool(id_)), *numbers]))

    async def reserve(self, who: str, rules: Sequence[Rule], needs: Sequence[int], id_: str) -> Seen:
        """Take what a request may need of each rule, or nothing; see `settle`."""
        pairs = zip(rules, needs, strict=True)
        numbers = [number for rule, need in pairs for number in (rule.seconds, rule.amount, need)]
        return _seen(rules, await self._ask(RESERVE, who, id_, rules, numbers))

    async def settle(
        self, who: str, used: Sequence[Taken], id_: str, *, late: bool = False, again: bool = False
    ) -> None:
        """End a request: give its place back, and put what was used in the place of what was reserved.

        `late`: it ended while Redis was away; `again`: that may have been heard.
        """
        rules = [one.rule for one in used]
        numbers = [number for one in used for number in (one.rule.seconds, one.number, one.amount, one.at_us)]
        await self._ask(SETTLE, who, id_, rules, [_AGAIN if again else int(late), *numbers])

    async def since(self, who: str, rules: Sequence[Rule], began: Sequence[int]) -> list[int]:
        """Say since when each of these counts, in microseconds, 0 = what was before counts, too; see `recall`.

        `began`: when the first request began that this process counts by each of them; it counts since then at least.
        """
        numbers = [number for rule, moment in zip(rules, began, strict=True) for number in (rule.seconds, moment)]
        return await self._ask(SINCE, who, "", rules, numbers)

    async def recall(self, who: str, past: Sequence[tuple[Taken, int]]) -> bool:
        """Count what was before counters began, each by the moment at which it did, unless somebody has done so.

        False: some count since another moment by now, and do not know what was before.
        """
        rules = [one.rule for one, _ in past]
        numbers = [number for one, since in past for number in (one.rule.seconds, one.number, one.amount, since)]
        return await self._ask(RECALL, who, "", rules, numbers) == [1]

    async def renew(self, open_: Mapping[str, Sequence[str]]) -> int:
        """Say that these requests of these callers are open; else they are given up when their lease ends.

        Give how many of them were not there any more.
        """
        answers = await asyncio.gather(*[self._ask(RENEW, who, "", (), ids) for who, ids in open_.items()])
        return sum(added for (added,) in answers)

    def _ask(
        self, script: str, who: str, id_: str, rules: Sequence[Rule], words: Iterable[_Word]
    ) -> "asyncio.Future[_Answer]":
        """Put a question behind those that wait."""
        if self._task is None:
            raise Away("the gateway has not started")
        whose = who or _NOBODY
        keys = (f"gateway:open:{{{whose}}}", f"gateway:reserved:{{{whose}}}", *(rule.key for rule in rules))
        answer: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        asked = (len(keys), *keys, self._now(), id_, self._lease_us, *words)
        self._waiting.append(_Question(script, asked, answer))
        self._asked.set()
        return answer

    # what carries them

    async def _carry_all(self) -> None:
        connection = _connection(self._url, self._give_up_s)  # `misread` has made one
        try:
            while True:
                await self._asked.wait()
                batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                if not self._waiting:
                    self._asked.clear()
                try:
                    async with asyncio.timeout(self._give_up_s):
                        answers = await _carried(connection, batch)
                except Exception as error:  # noqa: BLE001 - whatever the client does, nobody is to wait for ever
                    self._refuse(batch, why_away(error))
                except asyncio.CancelledError:
                    self._refuse(batch, "the gateway is ending")
                    raise
                else:
                    _hand_out(batch, answers)
        finally:
            await connection.disconnect()

    def _refuse(self, batch: list[_Question], reason: str) -> None:
        """Tell all who wait: what comes after a failure would fare no better."""
        waiting, self._waiting = self._waiting, []
        _hand_out(batch, [Away(reason)] * len(batch))
        _hand_out(waiting, [Unheard(reason)] * len(waiting))


def misread(url: str) -> str:
    """Say why no connection can ever be made of an address, "" = one can as far as it goes; connects to nobody."""
    try:
        made = _connection(url, _GIVE_UP_S)
    except TypeError as error:
        return f"has an unknown option: {str(error).rpartition(' ')[2]}"
    except (RedisError, ValueError, AttributeError) as error:
        return str(error)
    return "decode_responses: data in Redis is binary" if made.encoder.decode_responses else ""


def _connection(url: str, give_up_s: float) -> _Connection:
    """Make the client's connection, which its own pipelines use at four times the cost."""
    pool = ConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType] - its options are not typed
        url, socket_connect_timeout=give_up_s, retry=Retry(NoBackoff(), 0)
    )
    return cast(_Pool, named(pool)).make_connection()


async def _carried(connection: _Connection, batch: Sequence[_Question]) -> list[_Answer | Exception]:
    """Ask all at once; give an answer or what is wrong for each."""
    known = [("EVALSHA", _NAMES[one.script], *one.words) for one in batch]
    was_there = connection.is_connected
    try:
        answers = await _exchanged(connection, known)
    except _LOST:
        if not was_there:
            raise
        answers = await _exchanged(connection, known)  # that connection had gone stale
    unknown = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
    if unknown:
        again = await _exchanged(connection, [("EVAL", batch[place].script, *batch[place].words) for place in unknown])
        for place, answer in zip(unknown, again, strict=True):
            answers[place] = answer
    if any(isinstance(answer, ReadOnlyError) for answer in answers):
        await connection.disconnect()  # a new one leads to who has taken its place, and its address
    return [Away(str(answer)) if isinstance(answer, Exception) else answer for answer in answers]


async def _exchanged(connection: _Connection, commands: Sequence[tuple[_Word, ...]]) -> list[_Answer | Exception]:
    await connection.connect()
    await connection.send_packed_command(b"".join(map(_packed, commands)))
    answers: list[_Answer | Exception] = []
    for _ in commands:
        try:
            answers.append(await connection.read_response())
        except ResponseError as error:
            answers.append(error)
    return answers


def _hand_out(batch: Sequence[_Question], answers: Sequence[_Answer | Exception]) -> None:
    for question, answer in zip(batch, answers, strict=True):
        if question.answer.done():  # nobody waits for it any more
            continue
        if isinstance(answer, Exception):
            question.answer.set_exception(answer)
        else:
            question.answer.set_result(answer)


def _seen(rules: Sequence[Rule], answer: _Answer) -> Seen:
    admitted, others, *numbers = answer
    windows, taken = list[Window](), list[Taken]()
    for rule, (number, previous, current, remains, fades, amount) in zip(rules, _grouped(numbers), strict=True):
        windows.append(Window(rule, Windows(number, previous, current, remains, fades), 0))
        taken.append(Taken(rule, number, amount))
    return Seen(bool(admitted), windows, bool(others), tuple(taken), begins=admitted == _BEGINS)


def _grouped(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    return (numbers[at : at + _FIELDS] for at in range(0, len(numbers), _FIELDS))


def _of_redis() -> int:
    return 0
