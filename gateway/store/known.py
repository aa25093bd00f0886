"""What is known of a credential, and how news change it: the same in memory and in the database.

    row, change ─► changed() ─► row

Several processes learn about the same credential. Each writes what it has learnt, not what it believes the row to be,
so that nothing of another one is undone: a longer rest stays, newer tokens stay, states go the way of the one table.
All times are Unix seconds.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from gateway.store.states import Event, State, next_state

__all__ = ["Change", "Happening", "Quota", "StoredCredential", "StoredTokens", "changed", "latest"]

_T = TypeVar("_T")

_MOST_MODELS: Final = 500  # more than any upstream limits apart; callers may ask for any name
_LONGEST_S: Final = 3650 * 86_400.0
_TICK_S: Final = 0.001


class Quota(Struct, frozen=True):
    """What is left for a model, 0 to 1, and when it is whole again, where the upstream says; `at`: when it said so.

    `group`: it is no model's, but what several models share.
    """

    remaining: float
    reset_at: float | None
    at: float
    group: bool = False

    @classmethod
    def of(cls, remaining: float, reset_at: float | None, now: float, *, group: bool = False) -> "Quota":
        """Take what an upstream says now; what is not whole again in ten years has no date."""
        return cls(remaining, None if reset_at is None else min(reset_at, now + _LONGEST_S), now, group)


class StoredTokens(Struct, frozen=True):
    """An access token and its end; `refresh_token`: the new one that came along, "" = the old one stays."""

    access_token: str
    until: float
    at: float
    refresh_token: str = ""

    def __repr__(self) -> str:
        return f"StoredTokens(until={self.until})"


class Happening(Struct, frozen=True):
    """An event, with the words that go with it. `link`: where the owner acts."""

    event: Event
    reason: str = ""
    link: str = ""


class StoredCredential(Struct, frozen=True, kw_only=True):
    """All that is known of one credential. `id`: SHA-256 of the secret that it was given with first.

    `source`: "config", and its secret stands in gateway.toml; "import" or "login", and `refresh_token` is in the
    store. `refresh_token` "": the one it was given with is in use; `refresh_at`: when another one came. `other`: JSON,
    what the file that it came from said besides. `number`: grows with every change of any row. `removed`: it is there
    only so that it does not come back.
    """

    id: str
    source: str = "config"
    email: str = ""
    state: State = "active"
    reason: str = ""
    link: str = ""
    project_id: str = ""
    project_source: str = ""
    refresh_token: str = ""
    refresh_at: float = 0.0
    access_token: str = ""
    access_until: float = 0.0
    access_at: float = 0.0
    cooling: Mapping[str, float] = {}
    quota: Mapping[str, Quota] = {}
    uses: int = 0
    last_used_at: float = 0.0
    last_error: str = ""
    last_error_at: float = 0.0
    other: str = "{}"
    added_at: float = 0.0
    updated_at: float = 0.0
    number: int = 0
    removed: bool = False

    def tokens_at(self, now: float) -> float:
        """Give the moment of tokens that came now: a later one than of those before, whatever a host's clock says."""
        return max(now, self.access_at + _TICK_S, self.refresh_at + _TICK_S)

    def __repr__(self) -> str:
        return f"StoredCredential({self.id[:8]}, {self.state})"


class Change(Struct, frozen=True, kw_only=True):
    """What was learnt of one credential since it was written last.

    `cooling`: model → until when; `project`: id and where it came from, ("", "") = the one it had is wrong.
    """

    id: str
    events: tuple[Happening, ...] = ()
    cooling: Mapping[str, float] = {}
    quota: Mapping[str, Quota] = {}
    tokens: StoredTokens | None = None
    project: tuple[str, str] | None = None
    email: str = ""
    uses: int = 0
    last_used_at: float = 0.0
    last_error: str = ""
    last_error_at: float = 0.0

    def then(self, later: "Change") -> "Change":
        """Give both as one."""
        newer_error = later if later.last_error_at >= self.last_error_at else self
        return Change(
            id=self.id,
            events=(*self.events, *later.events),
            cooling=_longest(self.cooling, later.cooling),
            quota=_newest(self.quota, later.quota),
            tokens=_newer(self.tokens, later.tokens),
            project=later.project if later.project is not None else self.project,
            email=later.email or self.email,
            uses=self.uses + later.uses,
            last_used_at=max(self.last_used_at, later.last_used_at),
            last_error=newer_error.last_error,
            last_error_at=newer_error.last_error_at,
        )


def changed(row: StoredCredential, change: Change, now: float) -> StoredCredential:
    """Give the row after a change; one that is removed stays so."""
    if row.removed:
        return row
    row = _moved(row, change.events)
    tokens = change.tokens
    if tokens is not None and tokens.at >= row.access_at:
        row = replace(
            row,
            access_token=tokens.access_token,
            access_until=tokens.until,
            access_at=tokens.at,
        )
    if tokens is not None and tokens.refresh_token and tokens.at >= row.refresh_at:
        row = replace(row, refresh_token=tokens.refresh_token, refresh_at=tokens.at)
    if change.project is not None:
        row = replace(row, project_id=change.project[0], project_source=change.project[1])
    if change.last_error_at >= row.last_error_at and change.last_error:
        row = replace(row, last_error=change.last_error, last_error_at=change.last_error_at)
    cooling = {model: until for model, until in _longest(row.cooling, change.cooling).items() if until > now}
    return replace(
        row,
        email=change.email or row.email,
        cooling=latest(cooling, float),
        quota=latest(_newest(row.quota, change.quota), attrgetter("at")),
        uses=row.uses + change.uses,
        last_used_at=max(row.last_used_at, change.last_used_at),
        updated_at=now,
    )


def latest(known: Mapping[str, _T], when: Callable[[_T], float]) -> Mapping[str, _T]:
    """Give what is known of the credential itself, and of so many models, those of the latest moment."""
    if len(known) <= _MOST_MODELS:
        return known
    last = {"", *sorted(known, key=lambda model: when(known[model]))[-_MOST_MODELS:]}
    return {model: one for model, one in known.items() if model in last}


def _moved(row: StoredCredential, events: Iterable[Happening]) -> StoredCredential:
    for happening in events:
        state = next_state(row.state, happening.event)
        if state != row.state or (state == "needs_verification" and happening.event == "unverified"):
            reason = "" if state == "active" else happening.reason
            row = replace(row, state=state, reason=reason, link=happening.link if state == "needs_verification" else "")
    return row


def _longest(old: Mapping[str, float], new: Mapping[str, float]) -> Mapping[str, float]:
    return {**old, **{model: max(until, old.get(model, 0.0)) for model, until in new.items()}} if new else old


def _newest(old: Mapping[str, Quota], new: Mapping[str, Quota]) -> Mapping[str, Quota]:
    return {**old, **{model: one for model, one in new.items() if model not in old or one.at >= old[model].at}}


def _newer(old: StoredTokens | None, new: StoredTokens | None) -> StoredTokens | None:
    if old is None or new is None:
        return new or old
    newest = new if new.at >= old.at else old
    return replace(newest, refresh_token=newest.refresh_token or old.refresh_token or new.refresh_token)
