"""The script: what the last text of the user makes the fake answer.

A directive stands on a line of its own: `!say`, `!think`, `!tool NAME {json}`, `!image`, `!big`, `!fixture` make the
answer, or `!chunk {json}`, which is one event of the stream as it is; `!error`, `!status` refuse it, or with a body of
its own `!refuse {json}`; `!slow`, `!stall`, `!pace`, `!bytes`, `!gzip`, `!acked`, `!drop`, `!cut`, `!fin` change how it
is sent. Lines without a directive are echoed when nothing else answers. `!then` separates the steps of a tool loop: the
answer after the k-th turn of function responses is step k, and beyond the last step it is the responses themselves.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.fakes.v1internal_call import Json, Turn
from tests.fakes.v1internal_errors import RECORDINGS, invalid

# clients add such texts beside what a person wrote, or in front of it
ADDED_BY_CLIENTS = re.compile(r"<system-reminder>.*?(?:</system-reminder>|\Z)", re.DOTALL)


@dataclass
class Say:
    """Visible text."""

    text: str


@dataclass
class Think:
    """A thought."""

    text: str


@dataclass
class Tool:
    """A function call."""

    name: str
    args: Json


@dataclass
class Picture:
    """An image; more than one pixel when a size in bytes is given."""

    size_bytes: int = 0


@dataclass
class Block:
    """A block of Anthropic's content, as it is."""

    value: Json


Item = Say | Think | Tool | Picture | Block


@dataclass
class Plan:
    """One answer: what it holds and how it goes out. `None` and zero mean no such thing."""

    items: list[Item] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    fixture: str | None = None
    chunks: list[Json] = field(default_factory=list)
    error: str | None = None
    error_times: float = math.inf
    refusal: Json | None = None
    finish: str = "STOP"
    split: bool = False
    slow_s: float = 0
    stall_s: float = 0
    pace_s: float = 0
    write_bytes: int | None = None
    gzip: bool = False
    acked: bool = False
    drop_after: int | None = None
    cut_after: int | None = None
    fin_after: int | None = None
    more: Json = field(default_factory=dict)  # what directives of one service alone have set

    def echo(self) -> None:
        """Answer with the lines that direct nothing, unless there is an answer."""
        if not self.items and not self.chunks and self.fixture is None:
            self.items.append(Say("\n".join(self.rest).strip() or "ok"))


Directive = Callable[[Plan, str], None]


def _tool(plan: Plan, rest: str) -> None:
    name, _, args = rest.partition(" ")
    plan.items.append(Tool(name, json.loads(args or "{}")))


def _chunk(plan: Plan, rest: str) -> None:
    plan.chunks.append(json.loads(rest))


def _error(plan: Plan, rest: str) -> None:
    name, _, times = rest.partition(" ")
    plan.error = name
    plan.error_times = int(times) if times else math.inf


def _sets(name: str, read: Callable[[str], Any]) -> Directive:
    return lambda plan, rest: setattr(plan, name, read(rest))


def _adds(make: Callable[[str], Item]) -> Directive:
    return lambda plan, rest: plan.items.append(make(rest))


def _unescaped(rest: str) -> str:
    return rest.replace("\\n", "\n")


DIRECTIVES: dict[str, Directive] = {
    "say": _adds(lambda rest: Say(_unescaped(rest))),
    "think": _adds(lambda rest: Think(_unescaped(rest))),
    "tool": _tool,
    "image": _adds(lambda _: Picture()),
    "big": _adds(lambda rest: Picture(int(float(rest) * 1_000_000))),
    "fixture": _sets("fixture", str),
    "chunk": _chunk,
    "echo": lambda _, __: None,
    "error": _error,
    "status": _error,
    "refuse": _sets("refusal", json.loads),
    "finish": _sets("finish", str),
    "toolsplit": _sets("split", lambda _: True),
    "slow": _sets("slow_s", float),
    "stall": _sets("stall_s", float),
    "pace": _sets("pace_s", lambda rest: float(rest) / 1000),
    "bytes": _sets("write_bytes", lambda rest: int(rest or 1)),
    "gzip": _sets("gzip", lambda _: True),
    "acked": _sets("acked", lambda _: True),
    "drop": _sets("drop_after", int),
    "cut": _sets("cut_after", int),
    "fin": _sets("fin_after", int),
}


def read_plan(text: str, directives: Mapping[str, Directive] = DIRECTIVES) -> Plan:
    """Read one step."""
    plan = Plan()
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        directive = directives.get(word[1:]) if word.startswith("!") else None
        if directive is None:
            plan.rest.append(line)
            continue
        try:
            directive(plan, rest.strip())
        except ValueError as error:
            raise invalid(f"fake: cannot follow {line.strip()!r}: {error}") from error
    return plan


def steps(text: str) -> list[str]:
    """Cut a text at its `!then` lines."""
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip() == "!then":
            found.append([])
        else:
            found[-1].append(line)
    return ["\n".join(lines) for lines in found]


class Conversation(Protocol):
    """What a call says, cut into turns."""

    @property
    def turns(self) -> list[Turn]:
        """Give the turns."""
        ...


def directing_text(call: Conversation) -> tuple[str, int]:
    """Find the text that directs, and how many turns of function responses came after it."""
    answered = 0
    for turn in reversed(call.turns):
        texts = _spoken(part for _, part in turn.holding("text")) if turn.role == "user" else []
        if texts:
            return texts[-1], answered
        answered += bool(turn.responses)
    return "", answered


@dataclass
class Script:
    """Plans the answers: pushed texts first, each for one call, then what the calls say themselves."""

    directives: Mapping[str, Directive] = field(default_factory=lambda: DIRECTIVES)
    pushed: deque[str] = field(default_factory=deque)
    refused: Counter[str] = field(default_factory=Counter)

    def push(self, *texts: str) -> None:
        """Queue directives for the next generating calls, one text for each call."""
        self.pushed.extend(texts)

    def clear(self) -> None:
        """Forget what was pushed and how often errors were given."""
        self.pushed.clear()
        self.refused.clear()

    def plan(self, call: Conversation) -> Plan:
        """Plan the answer to a call."""
        text, answered = (self.pushed.popleft(), 0) if self.pushed else directing_text(call)
        planned = steps(text)
        if answered >= len(planned):
            results = [response["response"] for turn in call.turns for response in turn.responses]
            return Plan(items=[Say(json.dumps(results, ensure_ascii=False))])
        plan = read_plan(planned[answered], self.directives)
        plan.echo()
        if plan.error is not None:
            self.refused[planned[answered]] += 1
            if self.refused[planned[answered]] > plan.error_times:
                plan.error = None
        return plan


def recording(name: str) -> bytes:
    """Read a recorded stream by its name, or by the number it begins with."""
    found = sorted(RECORDINGS.glob(f"{name}*.sse"))
    if not found:
        raise invalid(f"fake: no recorded stream is called {name!r}")
    return found[0].read_bytes()


def _spoken(parts: Iterable[Json]) -> list[str]:
    texts = [part["text"] for part in parts if not part.get("thought")]
    return [said for text in texts if (said := ADDED_BY_CLIENTS.sub("", text)).strip()]
