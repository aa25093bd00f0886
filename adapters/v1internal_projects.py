"""Which Google project a credential calls with.

of the credential itself → pool.project_ids by e-mail → found before → asked from the upstream → generated
"""

from functools import partial
from secrets import token_hex

from gateway.adapters.account import Account
from gateway.adapters.failures import Failure
from gateway.adapters.pool import Pool
from gateway.adapters.v1internal_control import Control
from gateway.config import PoolConfig
from gateway.errors import UpstreamCredential
from gateway.transport import Transport

__all__ = ["Projects"]


class Projects:
    """Finds and remembers projects; once for each credential, however many requests wait for it."""

    def __init__(self, config: PoolConfig, pool: Pool[Account], control: Control) -> None:
        self._config = config
        self._pool = pool
        self._control = control

    async def of(self, credential: Account, token: str, transport: Transport) -> str:
        """Give the project of a credential; raise Failure."""
        return self.known(credential) or await credential.discovery.join(
            partial(self._find, credential, token, transport)
        )

    def known(self, credential: Account) -> str:
        """Give the project that a credential has, "" where `of` must be awaited for one."""
        return "" if self._may_be_mapped(credential) else credential.project

    def forget(self, credential: Account, project: str) -> None:
        """Drop a project that the upstream refused, also a configured one, unless another one has been found since."""
        if credential.project == project:
            credential.project = credential.project_source = ""

    def _may_be_mapped(self, credential: Account) -> bool:
        return bool(self._config.project_ids) and not credential.email and credential.project_source != "config"

    async def _find(self, credential: Account, token: str, transport: Transport) -> str:
        if self._may_be_mapped(credential):
            await self._map(credential, token, transport)
        if not credential.project:
            credential.project, credential.project_source = await self._discover(credential, token, transport)
            self._pool.keep(credential)
        return credential.project

    async def _map(self, credential: Account, token: str, transport: Transport) -> None:
        """Ask for the e-mail once, and look it up."""
        try:
            credential.email = await self._control.email(transport, token) or "unknown"
        except Failure as failure:
            if failure.cause == "token":
                raise
            credential.email = "unknown"
        project = self._config.project_ids.get(credential.email)
        if project:
            credential.project, credential.project_source = project, "config"

    async def _discover(self, credential: Account, token: str, transport: Transport) -> tuple[str, str]:
        fallback = self._config.project_fallback
        if fallback != "fail":
            project = await self._control.discover(transport, token)
            if project:
                return project, "discovered"
            if fallback == "random":
                return f"gateway-{token_hex(4)}", "random"
        reason = "no project: set pool.project_ids"
        self._pool.disable(credential, reason, lasting=False)
        raise Failure(UpstreamCredential(f"a credential has {reason}"), "login")
