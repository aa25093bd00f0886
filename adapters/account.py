"""A credential that is a Google account: a refresh token, its access token, and its project.

A refresh is one task that any number of requests wait for; a request that leaves does not end it. `invalid_grant`
disables the account, and so does a 401 or 403 that a new access token does not mend.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

from msgspec.structs import replace

from gateway.adapters.credential import EARLY_S, Credential, Refresh, Saved
from gateway.adapters.google_oauth import RefreshFailed
from gateway.clock import Clock
from gateway.redact import Secret
from gateway.store.credentials import StoredCredential

__all__ = ["LAST_S", "Account", "Shared"]

_T = TypeVar("_T")

LAST_S: Final = 30.0  # a token with less to live is not used any more
_BACKOFF_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


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


class Account(Credential):
    """One refresh token and what is known about it."""

    def __init__(
        self, refresh_token: Secret, clock: Clock, tasks: set[asyncio.Task[Any]], *, email: str = "", project: str = ""
    ) -> None:
        super().__init__(refresh_token, clock)
        self.email = email
        self.project = project
        self.project_source = "config" if project else ""
        self.given_project = project
        self.discovery: Shared[str] = Shared(tasks)
        self._rotated = False
        self._refreshing: Shared[None] = Shared(tasks)
        self._token = ""
        self._margin_s = 0.0
        self._ends = self._ends_wall = 0.0
        self._failures = 0
        self._retry_at = 0.0

    # the access token

    async def token(self, refresh: Refresh, saved: Saved, early_s: float) -> str:
        """Give a valid access token, refreshed `early_s` before its end; raise RefreshFailed.

        `saved` returns when a new refresh token has been written down.
        """
        token = self.ready(early_s)
        if token:
            return token

        async def renew() -> None:
            await self._renew(refresh, saved)

        if self._left() > LAST_S:
            if self._clock.monotonic() >= self._retry_at:
                self._refreshing.begin(renew)
            return self._token
        await self._refreshing.join(renew)
        return self._token

    def ready(self, early_s: float) -> str:
        """Give the access token while it need not be refreshed, else ""."""
        return self._token if self._left() > min(early_s, self._margin_s) else ""

    def forget_token(self, token: str) -> None:
        """Drop a token that the upstream refused, unless it has been replaced since."""
        if token == self._token:
            self._ends = self._ends_wall = 0.0

    def rests_s(self, model: str) -> float:
        """Give the seconds for which it cannot serve a model, also for want of a token; 0 for none."""
        cools = self.cools_s(model) if self.cooling else 0.0
        if not self._retry_at:
            return cools
        left = self._retry_at - self._clock.monotonic()
        without_token = left if left > EARLY_S and self._left() <= LAST_S else 0.0
        return max(cools, without_token)

    async def _renew(self, refresh: Refresh, saved: Saved) -> None:
        try:
            tokens = await refresh(self._secret.reveal())
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
        if tokens.refresh_token and tokens.refresh_token != self._secret.reveal():
            self._secret, self._rotated = Secret(tokens.refresh_token), True
            await saved()
        self._token = tokens.access_token
        self._ends = self._clock.monotonic() + tokens.lifetime_s
        self._ends_wall = self._clock.time() + tokens.lifetime_s
        self._margin_s = tokens.lifetime_s / 2
        self._failures, self._retry_at, self.trouble = 0, 0.0, ""

    def _left(self) -> float:
        """Give the seconds that the token has to live by both clocks: one sleeps with the machine, one jumps."""
        return min(self._ends - self._clock.monotonic(), self._ends_wall - self._clock.time())

    # what a restart knows

    def stored(self) -> StoredCredential:
        """Give what is to be written down, with the project and a new refresh token."""
        return replace(
            super().stored(),
            project_id=self.project,
            project_source=self.project_source,
            refresh_token=self._secret.reveal() if self._rotated else "",
        )

    def restore(self, row: StoredCredential) -> None:
        """Take over what was written down; a project that is configured now stays."""
        super().restore(row)
        if row.refresh_token:
            self._secret, self._rotated = Secret(row.refresh_token), True
        if not self.given_project:
            self.project, self.project_source = row.project_id, row.project_source
