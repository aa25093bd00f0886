"""Which Google project a credential calls with.

of the credential itself → pool.project_ids by e-mail → found before → asked from the upstream → generated
"""

from functools import partial
from secrets import token_hex
from typing import Final

from structlog.typing import FilteringBoundLogger

from gateway.adapters.account import MISCONFIGURED_S, Account
from gateway.adapters.failures import AMENDED, Cause, Failure
from gateway.adapters.once import alone
from gateway.adapters.v1internal_control import Control, Tell, silent
from gateway.clock import Clock
from gateway.config import PoolConfig
from gateway.errors import UpstreamCredential
from gateway.store.keeper import Keeper
from gateway.store.known import Change
from gateway.transport import Transport

__all__ = ["Projects", "projects_by_email"]

_UNFINISHED_S: Final = 60.0  # until the service is asked again whether it has set an account up
_NONE: Final = "no project: set pool.project_ids"
_CONFIGURED: Final = "it is configured, so no other one is looked for"
_NOT_ASKED: Final = 'project_fallback = "fail", so no other one is looked for'
# causes of what the service will not answer otherwise: no fault of a caller, whose request it has not seen
_REFUSED: Final[frozenset[Cause]] = frozenset({*AMENDED, "final", "missing", "project", "location"})
_FORBIDDEN: Final[frozenset[Cause]] = frozenset({"forbidden", "service", "permission", "banned"})


class Projects:
    """Finds and remembers projects; once for each credential, however many requests and processes wait for it."""

    def __init__(
        self, config: PoolConfig, keeper: Keeper, control: Control, clock: Clock, logger: FilteringBoundLogger
    ) -> None:
        self._asks = config.project_fallback != "fail"
        self._makes_up = config.project_fallback == "random"
        # with a project that is made up the account's next call says itself whether it is forbidden
        self._refused = _REFUSED | _FORBIDDEN if self._makes_up else _REFUSED
        self._mapped = projects_by_email(config)
        self._keeper = keeper
        self._control = control
        self._clock = clock
        self._logger = logger
        self._nameless: set[str] = set()  # credentials whose e-mail has been asked for in vain

    async def of(self, credential: Account, token: str, transport: Transport, tell: Tell = silent) -> str:
        """Give the project of a credential, and tell of an onboarding; raise Failure."""
        return self.known(credential) or await credential.discovery.join(
            partial(self._find, credential, token, transport, tell)
        )

    def known(self, credential: Account) -> str:
        """Give the project that a credential has, "" where `of` must be awaited for one."""
        if credential.given_project or not self._mapped or credential.project_source == "import":
            return credential.project
        if not credential.email and credential.id not in self._nameless:
            return ""
        mapped = self._mapped.get(credential.email.casefold(), "")
        if mapped and mapped != credential.dropped_project:
            credential.given_project = mapped
            if (credential.row.project_id, credential.row.project_source) != (mapped, "config"):
                credential.learn(Change(id=credential.id, project=(mapped, "config")))
        return credential.project

    def fixed(self, credential: Account) -> str:
        """Say why no other project is looked for than the one that a credential has, "" where one may be."""
        if credential.project_source == "config":
            return _CONFIGURED
        return "" if self._asks else _NOT_ASKED

    async def _find(self, credential: Account, token: str, transport: Transport, tell: Tell) -> str:
        project = self.known(credential)
        if not project and self._mapped and not credential.email:
            await self._name(credential, token, transport)
            project = self.known(credential)
        if project:
            return project
        done = partial(self._is_found, credential)
        work = partial(self._discover, credential, token, transport, tell)
        await alone(self._keeper, self._clock, f"project:{self._keeper.upstream}:{credential.id}", done, work)
        return credential.project

    async def _is_found(self, credential: Account) -> bool:
        """Look whether another process has found it."""
        row = await self._keeper.read(credential.id)
        if row is not None:
            credential.take(row)
        return bool(credential.project)

    async def _name(self, credential: Account, token: str, transport: Transport) -> None:
        """Ask whose account it is, once."""
        email = ""
        try:
            email = await self._control.email(transport, token)
        except Failure as failure:
            if failure.cause == "token":
                raise
        if email:
            credential.learn(Change(id=credential.id, email=email))
        else:
            self._nameless.add(credential.id)

    async def _discover(self, credential: Account, token: str, transport: Transport, tell: Tell) -> None:
        project, source, reason = "", "", _NONE
        if self._asks:
            try:
                project, source = await self._control.discover(transport, token, tell)
            except Failure as failure:
                if failure.cause == "refresh":  # no request should wait for that once more
                    self._rest(credential, failure.error.message, _UNFINISHED_S)
                if failure.cause not in self._refused:
                    raise
                reason = f"{_NONE} ({failure.error.message})"
        if not project and self._makes_up:
            project, source = f"gateway-{token_hex(4)}", "random"
        if not project:
            self._rest(credential, reason, MISCONFIGURED_S, ours=True)
            raise Failure(UpstreamCredential(f"a credential has {reason}"), "login")
        await credential.keep(Change(id=credential.id, project=(project, source)))

    def _rest(self, credential: Account, reason: str, seconds: float, *, ours: bool = False) -> None:
        """Let a credential without a project rest, and tell the operator."""
        credential.pause(reason, seconds, ours=ours)
        credential.learn(Change(id=credential.id, last_error=reason, last_error_at=self._clock.time()))
        fields = {"upstream": self._keeper.upstream, "credential": credential.label, "reason": reason}
        self._logger.warning("a credential has no project", **fields)


def projects_by_email(config: PoolConfig) -> dict[str, str]:
    """Give the projects that are configured, by their e-mails without case; of two for one the first."""
    return {email.casefold(): project for email, project in reversed(config.project_ids.items())}
