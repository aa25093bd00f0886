"""A credential that is a Google account: a refresh token, its access token, and its project.

    ready ─► the token that is there
    token ─► one task here, one process of all: read what others wrote ─► else ask ─► write it down ─► use it

A request that leaves does not end a refresh. `invalid_grant` disables the account, and so does a 401 or 403 that a new
access token does not mend; an endpoint that is down, or an OAuth client that it does not know, is no fault of its own.
"""

import asyncio
import math
from functools import partial
from typing import Any, ClassVar, Final

from msgspec.structs import replace

from gateway.adapters.credential import Credential, Happen, Refresh
from gateway.adapters.once import Shared, alone
from gateway.adapters.tokens import RefreshFailed, Tokens
from gateway.clock import Clock
from gateway.redact import Secret
from gateway.store.known import Change, StoredCredential, StoredTokens

__all__ = ["LAST_S", "MISCONFIGURED_S", "Account"]

LAST_S: Final = 30.0  # a token with less to live is not used any more
MISCONFIGURED_S: Final = 300.0  # a person must act first
_BACKOFF_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_SINCE_S: Final = 60.0  # a token that is so much older than a refusal may be as void as the one that was refused


class Account(Credential):
    """One refresh token and what is known about it.

    `given_project`: the one that the configuration gives; `dropped_project`: the one that the upstream refused last.
    `renewal`: who gives access tokens in the place of Google.
    `sharing`: whether all processes use the same tokens.
    """

    sharing: ClassVar[bool] = True

    def __init__(
        self,
        refresh_token: Secret,
        clock: Clock,
        tasks: set[asyncio.Task[Any]],
        row: StoredCredential | None = None,
        *,
        email: str = "",
        project: str = "",
    ) -> None:
        super().__init__(refresh_token, clock, row)
        self.row = replace(self.row, email=self.row.email or email)
        self.given_project = project
        self.dropped_project = ""
        self.renewal: Refresh | None = None
        self.discovery: Shared[str] = Shared(tasks)
        self._refreshing: Shared[None] = Shared(tasks)
        self._token = ""
        self._at = self._refused_at = 0.0  # when it was given, and when it was refused, by the wall clock
        self._ends = self._ends_wall = 0.0
        self._margin_s = 0.0
        self._tries = 0
        self._retry_at = 0.0
        self._saving = False
        self.late = False  # its token has not come in time
        self._adopt(self.row)

    # the account

    @property
    def trusted(self) -> bool:
        """Whether it may serve although others could."""
        return not self.late and super().trusted

    @property
    def email(self) -> str:
        """Give its e-mail, "" as long as it is not known."""
        return self.row.email

    @property
    def project(self) -> str:
        """Give the project that it calls with, "" as long as there is none."""
        given = self.given_project
        # a project of a configuration that no longer names it
        return given or ("" if self.row.project_source == "config" else self.row.project_id)

    @property
    def project_source(self) -> str:
        """Say where the project came from."""
        if self.given_project:
            return "config"
        return self.row.project_source if self.project else ""

    def drop_project(self, project: str) -> None:
        """Use a project no more, also a configured one, unless another one has been found since."""
        if project == self.project:
            self.given_project, self.dropped_project = "", project
            self.learn(Change(id=self.id, project=("", "")))

    # the access token

    async def token(self, refresh: Refresh, happen: Happen, early_s: float) -> str:
        """Give a valid access token, refreshed `early_s` before its end; raise RefreshFailed.

        `happen` hears of what that does to its state.
        """
        token = self.ready(early_s)
        if token:
            return token
        renew = partial(self._renew, refresh, happen, early_s)
        if self._left() > LAST_S:
            if self._clock.monotonic() >= self._retry_at:
                self._refreshing.begin(renew)
            return self._token
        await self._refreshing.join(renew)
        if self._left() <= 0:  # it was refused while that refresh, which was nearly over, went on
            await self._refreshing.join(renew)
        return self._token

    def ready(self, early_s: float) -> str:
        """Give the access token while it need not be refreshed, else ""."""
        return self._token if self._left() > min(early_s, self._margin_s) else ""

    def due_s(self, early_s: float) -> float:
        """Give the seconds until `token` would refresh it; infinite for what is refreshed only when it is asked for.

        That is an account that never had a token, and one whose tokens last but a moment.
        """
        if self.state == "disabled":
            return math.inf
        left_s = self._left() - min(early_s, self._margin_s)
        if self._retry_at:
            return max(left_s, self._retry_at - self._clock.monotonic(), 0.0)
        return max(left_s, 0.0) if self._margin_s > LAST_S else math.inf

    def forget_token(self, token: str) -> None:
        """Drop a token that the upstream refused, unless it has been replaced since."""
        if token == self._token:
            self._refused_at = self._clock.time()
            self._ends = self._ends_wall = 0.0

    def accept(self, tokens: StoredTokens) -> None:
        """Take an access token that came in another way than by a refresh."""
        self._use(tokens, tokens.until - self._clock.time())

    def _left(self) -> float:
        """Give the seconds that the token has to live by both clocks: one sleeps with the machine, one jumps."""
        return min(self._ends - self._clock.monotonic(), self._ends_wall - self._clock.time())

    # what another process wrote

    def take(self, row: StoredCredential) -> None:
        """Take over what another process wrote, with its tokens if they are newer."""
        super().take(row)
        self._adopt(row)

    def _adopt(self, row: StoredCredential) -> None:
        if self._saving or not self.sharing:
            return
        if row.refresh_token and row.refresh_token != self._secret.reveal():
            self._secret = Secret(row.refresh_token)
            self._recovered()
        if not row.access_token or row.access_at <= max(self._at, self._refused_at - _SINCE_S):
            return
        left_s = row.access_until - self._clock.time()
        self._use(StoredTokens(row.access_token, row.access_until, row.access_at), left_s)

    def _use(self, tokens: StoredTokens, left_s: float) -> None:
        self.late = False
        self._token, self._at, self._refused_at = tokens.access_token, tokens.at, 0.0
        self._ends, self._ends_wall = self._clock.monotonic() + left_s, tokens.until
        self._margin_s = max(tokens.until - tokens.at, left_s) / 2
        self._recovered()

    # refreshing

    async def _renew(self, refresh: Refresh, happen: Happen, early_s: float) -> None:
        if self._keeper is None or not self.sharing:
            await self._ask(refresh, happen)
            return
        done, ask = partial(self._is_renewed, early_s), partial(self._ask, refresh, happen)
        await alone(self._keeper, self._clock, f"refresh:{self._keeper.upstream}:{self.id}", done, ask)

    async def _is_renewed(self, early_s: float) -> bool:
        """Look whether another process has a new token; raise RefreshFailed when it has learnt that there is none."""
        assert self._keeper is not None
        was = self.state
        row = await self._keeper.read(self.id)
        if row is not None:
            self.take(row)
        if self.state == "disabled" != was:
            raise RefreshFailed(self.reason, revoked=True)
        return bool(self.ready(early_s))

    async def _ask(self, refresh: Refresh, happen: Happen) -> None:
        shown = self._secret.reveal()
        try:
            tokens = await (self.renewal or refresh)(shown)
        except RefreshFailed as failed:
            if failed.revoked and await self._is_replaced(shown):
                await self._ask(refresh, happen)
                return
            self._failed(failed, happen)
            if failed.revoked and self.sharing:
                await self.keep(Change(id=self.id))  # those who wait for the lease find it
            raise
        now = self._clock.time()
        new = StoredTokens(
            tokens.access_token,
            until=now + tokens.lifetime_s,
            at=self.row.tokens_at(now),
            refresh_token=self._rotated(tokens),
        )
        ends = self._clock.monotonic() + tokens.lifetime_s
        if self.sharing:
            await self._save(new)
        self._use(new, ends - self._clock.monotonic())

    async def _is_replaced(self, refresh_token: str) -> bool:
        """Look whether another process has a new refresh token; while the store was away no lease kept them apart."""
        row = await self._keeper.read(self.id) if self._keeper is not None and self.sharing else None
        if row is not None:
            self.take(row)
        return self._secret.reveal() != refresh_token

    async def _save(self, tokens: StoredTokens) -> None:
        """Write tokens down; until that is done or has failed nobody uses them."""
        self._saving = True
        try:
            await self.keep(Change(id=self.id, tokens=tokens))
        finally:
            self._saving = False

    def _rotated(self, tokens: Tokens) -> str:
        """Take over a new refresh token; "" when the old one stays."""
        if not tokens.refresh_token or tokens.refresh_token == self._secret.reveal():
            return ""
        self._secret = Secret(tokens.refresh_token)
        return tokens.refresh_token

    def _failed(self, failed: RefreshFailed, happen: Happen) -> None:
        if failed.revoked:
            happen("revoked", failed.reason)
            return
        pause_s = _BACKOFF_S[min(self._tries, len(_BACKOFF_S) - 1)]
        if failed.misconfigured:
            pause_s = MISCONFIGURED_S
        self._tries += 1
        self._retry_at = self._clock.monotonic() + pause_s
        if self._left() <= LAST_S:
            self.pause(failed.told, pause_s, ours=failed.misconfigured)
        self.learn(Change(id=self.id, last_error=failed.reason, last_error_at=self._clock.time()))

    def _recovered(self) -> None:
        if self._retry_at:
            self._tries, self._retry_at = 0, 0.0
            self.resume()
