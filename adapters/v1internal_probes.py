"""What Code Assist is asked about an account beside the requests, and what its answers say.

models     fetchAvailableModels, or retrieveUserQuota as the other client asks   ─► what is left of each model
           retrieveUserQuotaSummary                                              ─► what is left of what models share
userinfo   whose account it is                                                   ─► its e-mail
project    loadCodeAssist                                                        ─► its project, or who must act where
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from msgspec.structs import replace

from gateway.adapters.account import Account
from gateway.adapters.failures import Failure
from gateway.adapters.tending import Probe, ProbeName
from gateway.adapters.tokens import RefreshFailed
from gateway.adapters.v1internal_control import Control
from gateway.adapters.v1internal_journey import V1InternalBackend
from gateway.adapters.v1internal_models import (
    read_bucket_models,
    read_buckets,
    read_groups,
    read_models,
    read_quota,
)
from gateway.config import V1InternalConfig
from gateway.errors import UpstreamMalformed
from gateway.store.known import Change, Quota
from gateway.transport import Transport

__all__ = ["Probes"]

_T = TypeVar("_T")
_Ask = Callable[[Transport, str], Awaitable[_T]]

_UNREADABLE: Final = "the upstream's response cannot be read"


class Probes:
    """The questions of one upstream; each gives what was learnt, and raises Failure or RefreshFailed."""

    def __init__(self, config: V1InternalConfig, backend: V1InternalBackend, control: Control) -> None:
        self._buckets = config.envelope == "gemini-cli"
        self._left = read_buckets if self._buckets else read_quota
        self.read_models = read_bucket_models if self._buckets else read_models  # of what `list` gives
        self._discovers = config.pool.project_fallback != "fail"
        self._backend = backend
        self._control = control

    @property
    def table(self) -> Mapping[ProbeName, Probe[Account]]:
        """Give them by name."""
        return {"models": self.models, "userinfo": self.userinfo, "project": self.project}

    async def models(self, account: Account) -> Change:
        """Ask what is left for each model."""
        body = await self.list(account)
        try:
            known = self.left(account, body)
        except ValueError:
            raise Failure(UpstreamMalformed(_UNREADABLE), "server") from None
        return known if self._buckets else replace(known, quota={**known.quota, **await self._groups(account)})

    async def _groups(self, account: Account) -> dict[str, Quota]:
        """Ask what is left of the quotas that models share; nothing depends on it, so no answer is none."""
        backend = self._backend
        assert backend.transport is not None, "the upstream is used before start"
        try:
            token = await backend.pool.token(account)
            return read_groups(
                await self._control.summary(backend.transport, token, account.project), backend.clock.time()
            )
        except (Failure, RefreshFailed, ValueError):
            return {}

    def left(self, account: Account, body: bytes) -> Change:
        """Read what is left for each model in what `list` gave; raise ValueError."""
        return Change(id=account.id, quota=self._left(body, self._backend.clock.time()))

    async def list(self, account: Account) -> bytes:
        """Ask for the list of models, which the other client has only in what is left of each."""
        if self._buckets:
            return await self._list_buckets(account)
        return await self.ask(account, lambda transport, token: self._control.models(transport, token, account.project))

    async def _list_buckets(self, account: Account) -> bytes:
        if not account.project:  # the question names one
            account.learn(await self.project(account))
        if not account.project:
            raise Failure(UpstreamMalformed("the account has no project yet"), "missing")
        return await self.ask(account, lambda transport, token: self._control.quota(transport, token, account.project))

    async def userinfo(self, account: Account) -> Change:
        """Ask for the e-mail."""
        return Change(id=account.id, email=await self.ask(account, self._control.email))

    async def project(self, account: Account) -> Change:
        """Ask for the project; one that the account has already stays."""
        found = await self.ask(account, self._control.project)
        new = found and self._discovers and not account.project
        return Change(id=account.id, project=(found, "discovered") if new else None)

    async def ask(self, account: Account, ask: _Ask[_T]) -> _T:
        """Ask with an account's token; one that is refused is refreshed once, also before its end."""
        backend = self._backend
        assert backend.transport is not None, "the upstream is used before start"
        token = await backend.pool.token(account)
        try:
            return await ask(backend.transport, token)
        except Failure as failure:
            if failure.cause != "token":
                raise
        account.forget_token(token)
        return await ask(backend.transport, await backend.pool.token(account))
