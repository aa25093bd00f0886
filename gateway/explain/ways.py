"""Every way that a model name can go: a rule with weights makes one of each of its members."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import prod

from msgspec import Struct

from gateway.config import Config
from gateway.errors import ModelNotFound
from gateway.resolution import Resolution, Resolver
from gateway.upstream import Adapter

__all__ = ["Found", "Ways"]


class Found(Struct, frozen=True):
    """One way, and the part of the requests that takes it, from 0 to 1."""

    share: float
    resolution: Resolution | ModelNotFound


class _Turn(Struct, frozen=True):
    """One draw among weighted members: which was taken of how many, and its share."""

    taken: int
    among: int
    share: float


class Ways(Resolver):
    """The live rules, with each draw made in turn rather than by chance; `found` is what the last name gave."""

    def __init__(self, config: Config, adapters: Mapping[str, Adapter]) -> None:
        super().__init__(config, adapters, self._draw)
        self.found: tuple[Found, ...] = ()
        self._turns: list[_Turn] = []
        self._next: list[int] = []

    def resolve(self, name: str, among: Collection[str] = ()) -> Resolution:
        """Find every way, and give the first that leads anywhere; raise ModelNotFound when none does."""
        self.found = tuple(self.every(name))
        for found in self.found:
            if isinstance(found.resolution, Resolution):
                return found.resolution
        failure = self.found[0].resolution
        assert isinstance(failure, ModelNotFound)
        raise failure

    def every(self, name: str) -> Iterator[Found]:
        """Find every way of a name, also those that lead nowhere."""
        self._next = []
        while True:
            self._turns = []
            resolution = self._one(name)
            yield Found(prod(turn.share for turn in self._turns), resolution)
            while self._turns and self._turns[-1].taken + 1 == self._turns[-1].among:
                self._turns.pop()
            if not self._turns:
                return
            self._next = [turn.taken for turn in self._turns]
            self._next[-1] += 1

    def _one(self, name: str) -> Resolution | ModelNotFound:
        try:
            return super().resolve(name)
        except ModelNotFound as error:
            return error

    def _draw(self, names: Sequence[str], weights: Sequence[float]) -> str:
        place = len(self._turns)
        taken = self._next[place] if place < len(self._next) else 0
        self._turns.append(_Turn(taken, len(names), weights[taken] / sum(weights)))
        return names[taken]
