"""Which of the credentials that can serve a request gets it.

    round_robin   the same one `uses_per_turn` times, then the one whose last turn is longest ago
    sticky        the one that the conversation's id hashes to, so that prompt caches hold
    fill_first    the first one in the order in which they are given
    least_used    the one with the fewest requests open, then with the fewest so far
    quota         the one with most left for the model

Sticky is rendezvous hashing: every process finds the same one without asking anybody, and when one is gone only its
own conversations move. One that has more than its share of the open requests is passed over.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from gateway.adapters.credential import Credential
from gateway.config import PoolConfig

__all__ = ["Session", "Strategy", "no_session", "strategy_of"]

_C = TypeVar("_C", bound=Credential)

Session = Callable[[], bytes]  # asked for where a strategy goes by conversations

_SHARE: Final = 1.25  # how much more than the average one may hold
_LEAST_SHARE: Final = 4  # a conversation asks several things at once: titles, agents, tools
_BITS: Final = 2**64 - 1


def no_session() -> bytes:
    """Say that a call belongs to no conversation."""
    return b""


class Strategy(ABC, Generic[_C]):
    """Chooses among credentials that can all serve; of the ones that are suspected only where no other is left."""

    _turns = 0

    def stays(self, model: str, besides: Collection[str]) -> _C | None:
        """Give the one whose turn goes on, where that can be told without a look at the others."""
        return None

    @abstractmethod
    def choose(self, free: Sequence[_C], model: str, session: Session) -> _C:
        """Choose one of at least one; changes nothing."""

    def lent(self, credential: _C, model: str) -> str:
        """Note that it was its turn, and say for the log which use of that it is."""
        self._turns += 1
        credential.turn = self._turns
        return ""


class RoundRobin(Strategy[_C]):
    """Gives each the same number of requests."""

    def __init__(self, uses_per_turn: int) -> None:
        self._uses_per_turn = uses_per_turn
        self._current: _C | None = None
        self._uses = 0

    def stays(self, model: str, besides: Collection[str]) -> _C | None:
        """Give the one whose turn it is."""
        current = self._current
        if current is None or self._uses >= self._uses_per_turn or current.row.state != "active":
            return None
        return current if current.id not in besides and current.serves(model) else None

    def choose(self, free: Sequence[_C], model: str, session: Session) -> _C:
        """Go on with the turn, or begin that of the one that has waited longest."""
        current = self._current
        if current is not None and current in free and self._uses < self._uses_per_turn:
            return current
        return min(free, key=lambda one: one.turn)

    def lent(self, credential: _C, model: str) -> str:
        """Count a use of the turn."""
        if credential is not self._current or self._uses >= self._uses_per_turn:
            super().lent(credential, model)
            self._current, self._uses = credential, 0
        self._uses += 1
        return f"{self._uses}/{self._uses_per_turn}"


class Sticky(Strategy[_C]):
    """Keeps a conversation with one credential; what belongs to none goes by turns."""

    def choose(self, free: Sequence[_C], model: str, session: Session) -> _C:
        """Give the one with the highest hash that has not more than its share."""
        key = session()
        if not key:
            return min(free, key=lambda one: (one.open, one.turn))
        most = max(_LEAST_SHARE, _SHARE * (sum([one.open for one in free]) + 1) / len(free))
        within = [one for one in free if one.open < most]  # never empty: not all are above the average
        number = int.from_bytes(key[:8])
        return max(within, key=lambda one: _mixed(number ^ one.salt))


def _mixed(number: int) -> int:
    """Spread 64 bits evenly over 64 bits, everywhere in the same way: the end of SplitMix64."""
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & _BITS
    number = (number ^ number >> 27) * 0x94D049BB133111EB & _BITS
    return number ^ number >> 31


class FillFirst(Strategy[_C]):
    """Uses up one after the other."""

    def choose(self, free: Sequence[_C], model: str, session: Session) -> _C:
        """Give the first one."""
        return free[0]


class LeastUsed(Strategy[_C]):
    """Spreads requests by how many each holds and has had; one that is new, or was away, has nothing to catch up."""

    def __init__(self) -> None:
        self._had: dict[_C, int] = {}

    def choose(self, free: Sequence[_C], model: str, session: Session) -> _C:
        """Give the one with the least to do."""
        return min(free, key=lambda one: (one.open, self._had.get(one, 0)))

    def lent(self, credential: _C, model: str) -> str:
        """Count a use; who is away now begins anew, however many of them come back at once."""
        self._had = {one: uses for one, uses in self._had.items() if one.serves(model)}
        had = self._had.pop(credential, 0)
        self._had[credential] = max(had + 1, min(self._had.values(), default=0))
        return ""


class MostLeft(Strategy[_C]):
    """Goes by what the upstream says is left; where that is the same, by turns."""

    def choose(self, free: Sequence[_C], model: str, session: Session) -> _C:
        """Give the one with most left for the model."""
        return min(free, key=lambda one: (-one.left(model), one.open, one.turn))


_STRATEGIES: Final[Mapping[str, Callable[[PoolConfig], Strategy[Any]]]] = {
    "round_robin": lambda config: RoundRobin(config.uses_per_turn),
    "sticky": lambda _: Sticky(),
    "fill_first": lambda _: FillFirst(),
    "least_used": lambda _: LeastUsed(),
    "quota": lambda _: MostLeft(),
}


def strategy_of(config: PoolConfig) -> Strategy[Any]:
    """Make the strategy of a pool."""
    return _STRATEGIES[config.strategy](config)
