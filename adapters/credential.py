"""One Google credential: its state, its access token, its project, and how long it rests for which model.

    active ──429──► cooling(model, until) ──► active
      ├── 403 that wants the owner ──► needs_verification      (until a restart)
      └── invalid_grant, 401 or 403 after a refresh ──► disabled(reason)      (for good)

A refresh is one task that any number of requests wait for; a request that leaves does not end it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any, Final, Generic, Literal, TypeVar

from gateway.adapters.google_oauth import RefreshFailed, Tokens
from gateway.clock import Clock
from gateway.redact import Secret
from gateway.store.credentials import StoredCredential

__all__ = ["Credential", "Shared", "State", "credential_id"]

State = Literal["active", "needs_verification", "disabled"]
Refresh = Callable[[str], Coroutine[Any, Any, Tokens]]

_T = TypeVar("_T")

_LAST_S: Final = 30.0  # a token with less to live is not used any more
_BACKOFF_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_EARLY_S: Final = 0.01  # timers may fire this much too early


class Shared(Generic[_T]):
    """One running piece of work with any number of waiters."""

    def __init__(self, tasks: set[asyncio.Task[Any]]) -> None:
        self._tasks = tasks
        self._task: asyncio.Task[_T] | None = None

    def begin(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> asyncio.Task[_T]:
        """Give the running task, or start one; `tasks` keeps it for the owner to end."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(work())
            self._tasks.add(self._task)
            self._task.add_done_callback(self._ended)
        return self._task

    async def join(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Wait for the running work, or start it; being cancelled ends the wait only."""
        return await asyncio.shield(self.begin(work))

    def _ended(self, task: asyncio.Task[_T]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits any more


class Credential:
    """One refresh token and what is known about it. Times are the clock's monotonic ones."""

    def __init__(
        self, refresh_token: Secret, clock: Clock, tasks: set[asyncio.Task[Any]], *, email: str = "", project: str = ""
    ) -> None:
        self.id = credential_id(refresh_token)
        self.email = email
        self.state: State = "active"
        self.reason = ""
        self.link = ""
        self.project = project
        self.project_source = "config" if project else ""
        self.given_project = project
        self.cooling: dict[str, float] = {}
        self.turn = 0
        self.discovery: Shared[str] = Shared(tasks)
        self._refresh_token = refresh_token
        self._rotated = False
        self._clock = clock
        self._refreshing: Shared[None] = Shared(tasks)
        self._token = ""
        self._margin_s = 0.0
        self._ends = self._ends_wall = 0.0
        self.trouble = ""  # why the last refresh failed
        self._failures = 0
        self._retry_at = 0.0
        self._lasting = True

    @property
    def label(self) -> str:
        """Name it in logs."""
        return self.id[:8]

    # the access token

    async def token(self, refresh: Refresh, saved: Callable[[], Coroutine[Any, Any, None]], early_s: float) -> str:
        """Give a valid access token, refreshed `early_s` before its end; raise RefreshFailed.

        `saved` returns when a new refresh token has been written down.
        """
        left = self._left()
        if left > min(early_s, self._margin_s):
            return self._token

        async def renew() -> None:
            await self._renew(refresh, saved)

        if left > _LAST_S:
            if self._clock.monotonic() >= self._retry_at:
                self._refreshing.begin(renew)
            return self._token
        await self._refreshing.join(renew)
        return self._token

    def forget_token(self, token: str) -> None:
        """Drop a token that the upstream refused, unless it has been replaced since."""
        if token == self._token:
            self._ends = self._ends_wall = 0.0

    async def _renew(self, refresh: Refresh, saved: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            tokens = await refresh(self._refresh_token.reveal())
        except RefreshFailed as failed:
            if failed.permanent:
                # a wrong OAuth client is mended in the configuration, so a restart may try again
                self.disable(failed.reason, lasting=failed.revoked)
                await saved()
            else:
                pause_s = _BACKOFF_S[min(self._failures, len(_BACKOFF_S) - 1)]
                self._failures += 1
                self.trouble = failed.reason
                self._retry_at = self._clock.monotonic() + pause_s
            raise
        if tokens.refresh_token and tokens.refresh_token != self._refresh_token.reveal():
            self._refresh_token, self._rotated = Secret(tokens.refresh_token), True
            await saved()
        self._token = tokens.access_token
        self._ends = self._clock.monotonic() + tokens.lifetime_s
        self._ends_wall = self._clock.time() + tokens.lifetime_s
        self._margin_s = tokens.lifetime_s / 2
        self._failures, self._retry_at, self.trouble = 0, 0.0, ""

    def _left(self) -> float:
        """Give the seconds that the token has to live by both clocks: one sleeps with the machine, one jumps."""
        return min(self._ends - self._clock.monotonic(), self._ends_wall - self._clock.time())

    # states

    def cools_s(self, model: str) -> float:
        """Give the seconds for which it is rate-limited for a model, 0 for none."""
        left = self.cooling.get(model, 0.0) - self._clock.monotonic()
        return left if left > _EARLY_S else 0.0

    def rests_s(self, model: str) -> float:
        """Give the seconds for which it cannot serve a model, also for want of a token; 0 for none."""
        left = self._retry_at - self._clock.monotonic()
        without_token = left if left > _EARLY_S and self._left() <= _LAST_S else 0.0
        return max(self.cools_s(model), without_token)

    def cool(self, model: str, seconds: float) -> None:
        """Let it rest for one model; a longer rest stays."""
        now = self._clock.monotonic()
        self.cooling = {name: until for name, until in self.cooling.items() if until > now}
        self.cooling[model] = max(self.cooling.get(model, 0.0), now + seconds)

    def disable(self, reason: str, *, lasting: bool = True) -> None:
        """Use it no more; `lasting` over a restart."""
        self.state, self.reason, self._lasting = "disabled", reason, lasting

    def need_verification(self, link: str | None) -> None:
        """Use it no more until its owner has followed the link."""
        self.state, self.reason, self.link = "needs_verification", "the account must be verified", link or ""

    # what a restart knows

    def stored(self) -> StoredCredential:
        """Give what is to be written down."""
        now, wall = self._clock.monotonic(), self._clock.time()
        lasts = self.state != "disabled" or self._lasting
        return StoredCredential(
            id=self.id,
            state=self.state if lasts else "active",
            reason=f"{self.reason}: {self.link}" if self.link else self.reason if lasts else "",
            project_id=self.project,
            project_source=self.project_source,
            refresh_token=self._refresh_token.reveal() if self._rotated else "",
            cooling={model: wall + until - now for model, until in self.cooling.items() if until > now},
            updated_at=wall,
        )

    def restore(self, row: StoredCredential) -> None:
        """Take over what was written down; a project that is configured now stays."""
        now, wall = self._clock.monotonic(), self._clock.time()
        if row.state == "disabled":
            self.disable(row.reason)
        self.cooling = {model: now + until - wall for model, until in row.cooling.items() if until > wall}
        if row.refresh_token:
            self._refresh_token, self._rotated = Secret(row.refresh_token), True
        if not self.given_project:
            self.project, self.project_source = row.project_id, row.project_source


def credential_id(refresh_token: Secret) -> str:
    """Name a credential by its refresh token without giving it away."""
    return sha256(refresh_token.reveal().encode("utf-8", "surrogatepass")).hexdigest()
