"""The credential of Vertex AI: whatever google-auth finds, with its access token, its project and who is billed.

Only an operator takes it out of use: what a person mends, such as a login that ended or an API that is switched off,
holds from the next request on.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from threading import Thread
from typing import Any, ClassVar, Final

from msgspec.structs import replace

from gateway.adapters.account import LAST_S, Account
from gateway.adapters.credential import SERVING, Happen, Refresh
from gateway.adapters.failures import Failure
from gateway.adapters.google_login import Login, LoginNeeded, Minted, has_file, project_given
from gateway.adapters.google_request import LoopRequest
from gateway.adapters.shortage import out_of_use
from gateway.adapters.tokens import RefreshFailed, Tokens
from gateway.clock import Clock
from gateway.errors import UpstreamCredential, UpstreamUnavailable
from gateway.redact import Secret
from gateway.store.known import StoredTokens
from gateway.transport import Transport
from gateway.upstream import CredentialView

__all__ = ["DefaultCredential", "without_token"]

_ASKED_LATER: Final = "no file has one, and the metadata server has provided none yet"
_GIVEN: Final = "a token from the configuration"
_NAME: Final = "application default credentials"
_REMEDY: Final = (
    "give GOOGLE_APPLICATION_CREDENTIALS the file of a service account, or run `gcloud auth application-default login`"
)


class DefaultCredential(Account):
    """The one credential of `upstream`. `project`: the configured one, "" = that of the environment or its own.

    Each host may have another one, so that its tokens are of use to this process only.
    """

    sharing: ClassVar[bool] = False

    def __init__(self, upstream: str, project: str, clock: Clock, tasks: set[asyncio.Task[Any]]) -> None:
        super().__init__(Secret(_NAME), clock, tasks, project=project or project_given())
        self.kind = ""
        self.quota_project = ""
        self._upstream = upstream
        self._own_project = ""
        self._needed: LoginNeeded | None = None
        self._login = Login(self.given_project)
        self._request: LoopRequest | None = None

    @property
    def project(self) -> str:
        """Give the project that it calls with."""
        return self.given_project or self._own_project

    @property
    def usable(self) -> bool:
        """Whether it has given a token and there is a project, or a file says that it may; not once it is disabled."""
        given = self._needed is None and (bool(self.project) if self.kind else has_file())
        return given and self.state in SERVING

    @property
    def standing(self) -> str:
        """Its state; it rests while a person has something to mend."""
        standing = super().standing
        return "cooling" if self._lacks and standing in SERVING else standing

    def view(self, upstream: str) -> CredentialView:
        """Show it to operators."""
        view = super().view(upstream)
        return replace(view, reason=view.reason or self._lacks)

    def said(self) -> str:
        """Say in a few words how it is."""
        if self.state not in SERVING:
            return f"no credential: {out_of_use((self,))}"
        if self._needed is not None:
            return f"no credential: {self._needed.reason}; {_REMEDY}"
        if self._lacks:
            return self._lacks
        if not self.usable:
            return f"no credential: {self.trouble or _ASKED_LATER}"
        return f"usable: {self.kind or 'credentials from a file, not used yet'}"

    def start(self, transport: Transport) -> None:
        """Take the transport that logins go through."""
        self._request = LoopRequest(transport)

    def stop(self) -> None:
        """End a login that is under way."""
        if self._request is not None:
            self._request.stop()

    def accept(self, tokens: StoredTokens) -> None:
        """Take an access token that came in another way than by a login, which shows what the credential is worth."""
        super().accept(tokens)
        self.kind = self.kind or _GIVEN

    async def token(self, refresh: Refresh, happen: Happen, early_s: float) -> str:
        """Give a valid access token, refreshed `early_s` before its end; raise RefreshFailed, or Failure.

        The project is known from then on.
        """
        if self._needed is not None and self._waits():
            raise LoginNeeded(self._needed.reason, told=self._needed.told)
        token = await super().token(self._mint, happen, early_s)
        if not self.project:
            raise Failure(UpstreamCredential(f"no project: {self._no_project}"), "project")
        return token

    def rests_s(self, model: str) -> float:
        """Give the seconds for which it cannot serve a model; a login that a person must mend is no rest."""
        return self.cools_s(model) if self._needed is not None else super().rests_s(model)

    async def _mint(self, _: str) -> Tokens:
        assert self._request is not None, "the credential is used before start"
        try:
            minted = await _apart(partial(self._login.mint, self._request))
        except LoginNeeded as needed:
            self._needed = needed
            raise
        self._needed = None
        self.kind, self.quota_project = minted.kind, minted.quota_project
        self._own_project = minted.project
        return Tokens(access_token=minted.token, lifetime_s=minted.lifetime_s)

    @property
    def _lacks(self) -> str:
        """What a person must mend, "" for nothing."""
        if self._needed is not None:
            return self._needed.reason
        return f"no project: {self._no_project}" if self.kind and not self.project else ""

    @property
    def _no_project(self) -> str:
        return f"set upstream.{self._upstream}.project or GOOGLE_CLOUD_PROJECT"

    def _waits(self) -> bool:
        return self._clock.monotonic() < self._retry_at and self._left() <= LAST_S


async def _apart(mint: Callable[[], Minted]) -> Minted:
    """Log in in a thread of its own, for which nobody waits in the end: a program may take two minutes."""
    minted: Future[Minted] = Future()
    minted.set_running_or_notify_cancel()

    def run() -> None:
        try:
            minted.set_result(mint())
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            minted.set_exception(error)

    Thread(target=copy_context().run, args=(run,), daemon=True).start()
    return await asyncio.wrap_future(minted)


def without_token(failed: RefreshFailed) -> Failure:
    """Say what it means for a call that there is no token; callers learn nothing of the machine."""
    told, inside = f"no access token: {failed.told}", f"no access token: {failed.reason}"
    if isinstance(failed, LoginNeeded):
        return Failure(UpstreamCredential(f"{told}; {_REMEDY}"), "login", inside=f"{inside}; {_REMEDY}")
    return Failure(UpstreamUnavailable(told), "refresh", inside=inside)
