"""What an explanation holds: the form that `--json` prints, and that the text is written from."""

from collections.abc import Iterator

from msgspec import Raw, Struct

from gateway import ir
from gateway.config import Decision, KeyPath, Loaded
from gateway.errors import GatewayError
from gateway.explain.changes import Change
from gateway.upstream import Edit

__all__ = ["Explanation", "Member", "Refusal", "Step", "Way", "step_of"]


class Step(Struct, frozen=True, kw_only=True):
    """One decision, the key that made it, and the place in the configuration that gave the key its value."""

    name: str
    gives: str
    key: str
    source: str


class Refusal(Struct, frozen=True, kw_only=True):
    """The error that a caller would get."""

    status: int
    code: str | None
    message: str
    param: str | None

    @classmethod
    def of(cls, error: GatewayError) -> "Refusal":
        """Take what a person needs of an error."""
        return cls(status=error.status, code=error.code, message=error.message, param=error.param)


class Member(Struct, frozen=True, kw_only=True):
    """One upstream of a chain. `body` None: nothing is sent; `passed_on`: the caller's own words are.

    `untried`: why the request never comes to it, whatever the members before it do; "" where it may.
    `edits`: what is written otherwise in these, and what may be in the answer. `state`: how the upstream is. `method`,
    `url`, `headers`: None where the upstream does not tell them. `varies`: the fields of the body that a call may have
    otherwise, and why. `shortage`: what a caller is told now, as no credential can serve. `changes`: what became of
    each value of what came; `difference`: of the caller's own words, the lines of the indented body that are others.
    """

    upstream: str
    model: str
    state: str
    untried: str = ""
    decisions: tuple[Step, ...] = ()
    losses: tuple[ir.Loss, ...] = ()
    error: Refusal | None = None
    passed_on: bool = False
    edits: tuple[Edit, ...] = ()
    method: str | None = None
    url: str | None = None
    headers: dict[str, str] | None = None
    varies: dict[str, str] = {}
    shortage: Refusal | None = None
    body: Raw | None = None
    changes: tuple[Change, ...] = ()
    difference: tuple[str, ...] = ()


class Way(Struct, frozen=True, kw_only=True):
    """One way of the model's name: the members of its chain in the order in which they are tried."""

    share: float
    decisions: tuple[Step, ...] = ()
    members: tuple[Member, ...] = ()
    error: Refusal | None = None

    @property
    def refusal(self) -> Refusal | None:
        """What the caller would read before any upstream is called; None where a member would be."""
        errors = [member.error for member in self.members if not member.untried]
        if None in errors:
            return None
        refused = [error for error in errors if error is not None]
        failed = [error for error in refused if error.status >= 500]
        return self.error or next(reversed(failed), next(iter(refused), None))


class Explanation(Struct, frozen=True, kw_only=True):
    """All that is known of a request before its transport. `ways` is empty where it is refused before.

    `why`: how its dialect is known. `ran`: the middlewares that it went through. `notes`: what was not looked at.
    """

    configuration: str | None
    dialect: str
    why: str
    path: str
    model: str
    stream: bool | None
    ran: tuple[str, ...]
    decisions: tuple[Step, ...]
    ways: tuple[Way, ...]
    error: Refusal | None
    notes: tuple[str, ...] = ()

    @property
    def refusals(self) -> list[Refusal]:
        """What the caller would read in the place of an answer, whichever way is taken."""
        return [error for error in (self.error, *(way.refusal for way in self.ways)) if error is not None]


def step_of(decision: Decision, loaded: Loaded) -> Step:
    """Say which place in the configuration made a decision."""
    places = dict.fromkeys(_places(decision.path, loaded))
    return Step(name=decision.name, gives=decision.gives, key=decision.key, source=", ".join(places))


def _places(path: KeyPath, loaded: Loaded) -> Iterator[str]:
    """Name the place of a key; for the table of a rule also whatever else sets one of its keys."""
    source = loaded.source(path)
    inner = [one for known, one in loaded.sources.items() if known[: len(path)] == path and one.kind != source.kind]
    if source.kind != "default":
        yield str(source)
    elif not inner:
        yield "the upstream's own list" if path[-1] == "models" else "built-in default"
    if source.kind == "default" or path[0] != "upstream":
        yield from map(str, inner)
