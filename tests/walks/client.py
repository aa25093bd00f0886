"""A client of one dialect, and the conversation that it keeps as the vendor's SDK would have it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from gateway.testing.grammar import Call, Heard
from gateway.testing.grammars import GRAMMARS

from .material import ARGUMENTS, NAMES, SCHEMAS, Json, Luck

__all__ = ["Client", "Directed", "ToolUse"]

EFFORTS: Final = (None, None, "low", "medium", "high")


@dataclass(frozen=True)
class ToolUse:
    """Which tools the model may call; `name`: the one that it must."""

    choice: str = ""
    name: str = ""
    parallel: bool | None = None

    @property
    def most(self) -> int:
        """How many calls may come."""
        return 0 if self.choice == "none" else 1 if self.parallel is False else 3


@dataclass(frozen=True)
class Directed:
    """What the upstream is told to answer."""

    thought: str
    text: str
    calls: tuple[tuple[str, Json], ...]

    @property
    def script(self) -> str:
        """Write it for the fakes."""
        return "\n".join(
            [
                *([f"!think {self.thought}"] if self.thought else []),
                *([f"!say {self.text}"] if self.text else []),
                *(f"!tool {name} {json.dumps(arguments)}" for name, arguments in self.calls),
            ]
        )


class Client(ABC):
    """One conversation. `said`: its history; `pending`: the calls that wait for results; `use`: of this turn."""

    dialect: ClassVar[str]
    history: ClassVar[str]  # the field that holds it
    ends: ClassVar[tuple[str, str]]  # how an answer ends, and how one with calls

    def __init__(self, luck: Luck) -> None:
        self.luck = luck
        self.said: list[Json] = []
        self.pending: list[Call] = []
        self.effort: str | None = luck.choice(EFFORTS)
        self.tools: dict[str, Json] = {
            name: luck.choice(SCHEMAS) for name in luck.sample(NAMES, luck.choice((0, 1, 2, 3, 5)))
        }
        self.use = ToolUse()

    @abstractmethod
    def path(self, model: str, *, stream: bool) -> str:
        """Say where to post."""

    @abstractmethod
    def body(self, model: str, *, stream: bool) -> Json:
        """Write the request of this turn."""

    @abstractmethod
    def ask(self) -> None:
        """Say something as the user."""

    @abstractmethod
    def bring(self, calls: list[Call]) -> None:
        """Bring the results of these calls."""

    @abstractmethod
    def keep(self, answer: bytes, *, stream: bool) -> None:
        """Add an answer to the history."""

    @abstractmethod
    def opens(self, message: Json) -> bool:
        """Say whether a conversation may begin with this."""

    @property
    def keeps_here(self) -> bool:
        """Whether one gateway has to serve every turn, as it alone has the history."""
        return False

    @property
    def known(self) -> Any:
        """All that the model is to know, wherever it is kept."""
        return self.said

    def take(self, answer: bytes, *, stream: bool) -> Heard:
        """Read an answer, and keep it."""
        heard = self.read(answer, stream=stream)
        assert heard.error is None, heard.error
        self.keep(answer, stream=stream)
        self.pending = list(heard.calls)
        return heard

    def read(self, answer: bytes, *, stream: bool) -> Heard:
        """Read an answer by the rules of the dialect."""
        grammar = GRAMMARS[self.dialect]
        return (grammar.stream if stream else grammar.whole)(answer)

    def change(self) -> None:
        """Think otherwise, or have other tools."""
        if self.luck.hits(0.2):
            self.effort = self.luck.choice(EFFORTS)
        if not self.pending and self.luck.hits(0.15):
            if self.tools and self.luck.hits(0.6):
                self.tools.pop(self.luck.choice(sorted(self.tools)))
            else:
                self.tools[self.luck.choice(NAMES)] = self.luck.choice(SCHEMAS)

    def go_on(self) -> None:
        """Do what comes after an answer: bring the results, interrupt, or ask again, maybe of a compacted history."""
        if not self.pending:
            if self.luck.hits(0.12):
                self.compact()
            self.ask()
            return
        if self.luck.hits(0.95):
            self.bring(self.pending)
        else:
            self.bring(self.luck.sample(self.pending, self.luck.randrange(len(self.pending))))
            self.ask()
        self.pending = []

    def compact(self) -> None:
        """Forget what came before one of the user's turns, or, without care, before a result."""
        head = [one for one in self.said[:1] if one.get("role") in ("system", "developer")]
        careless = self.luck.hits(0.3)
        if starts := [place for place, one in enumerate(self.said) if self.opens(one) or (careless and place)][1:]:
            self.said[:] = head + self.said[self.luck.choice(starts) :]

    def choose(self, *choices: str) -> ToolUse:
        """Choose how the tools of this turn are used."""
        possible = [one for one in choices if self.tools or one != "named"]
        choice = self.luck.choice(possible) if self.luck.hits(0.3) else ""
        name = self.luck.choice(sorted(self.tools)) if choice == "named" else ""
        parallel = self.luck.choice((True, False)) if self.luck.hits(0.2) else None
        self.use = ToolUse(choice, name, parallel)
        return self.use

    def direct(self) -> Directed:
        """Direct the answer of this turn."""
        luck, calls = self.luck, []
        if self.tools and luck.hits(0.6):
            for _ in range(min(self.use.most, luck.choice((1, 1, 1, 2, 3)))):
                arguments = luck.choice((*ARGUMENTS, {"city": luck.word("ar")}))
                calls.append((luck.choice(sorted(self.tools)), arguments))
        text = luck.word("an") if not calls or luck.hits(0.7) else ""
        return Directed(luck.word("th") if self.effort and luck.hits(0.8) else "", text, tuple(calls))
