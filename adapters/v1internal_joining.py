"""What follows when the owner of a Google account has agreed to log it in.

code ─► tokens ─► whose? ─► written down ─► project ─► models and quota ─► state
                                 └── from here on the account is there, whatever else fails
"""

from collections.abc import Awaitable, Callable

from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from gateway.adapters import google_consent
from gateway.adapters.account import Account
from gateway.adapters.credential import credential_id
from gateway.adapters.failures import Failure
from gateway.adapters.pool import Pool
from gateway.adapters.tokens import RefreshFailed, Tokens
from gateway.adapters.v1internal_control import Control, Tell
from gateway.adapters.v1internal_errors import RULES
from gateway.adapters.v1internal_projects import Projects
from gateway.clock import Clock
from gateway.config import OAuthConfig
from gateway.redact import Secret
from gateway.store.keeper import Keeper
from gateway.store.known import StoredCredential
from gateway.store.stored import KeyProblem, StoreFailed
from gateway.transport import Transport
from gateway.upstream import Consent, LoginFailed

__all__ = ["Joining"]


class Joining:
    """Logs accounts in to one upstream. `survey`: asks what is left of each model, and counts them."""

    def __init__(
        self,
        pool: Pool[Account],
        keeper: Keeper,
        control: Control,
        projects: Projects,
        survey: Callable[[Account], Awaitable[int]],
        clock: Clock,
        logger: FilteringBoundLogger,
    ) -> None:
        self._oauth = pool.oauth or OAuthConfig()
        self._pool = pool
        self._keeper = keeper
        self._control = control
        self._projects = projects
        self._survey = survey
        self._clock = clock
        self._logger = logger

    def consent(self, redirect_uri: str) -> Consent:
        """Begin a login; raise ValueError when there is no OAuth client."""
        if not (self._oauth.client_id and self._oauth.client_secret):
            name = self._pool.name
            raise ValueError(
                f"no OAuth client: make one at https://console.cloud.google.com/apis/credentials, put OAUTH_CLIENT_ID "
                f"and OAUTH_CLIENT_SECRET into .env, and set upstream.{name}.oauth = "
                '{ client_id = "env:OAUTH_CLIENT_ID", client_secret = "env:OAUTH_CLIENT_SECRET" }'
            )
        return google_consent.begin(self._oauth, redirect_uri)

    async def log_in(self, transport: Transport, consent: Consent, code: str, tell: Tell) -> Account:
        """Trade a code for an account, and set it up; raise LoginFailed."""
        tokens = await google_consent.trade(transport, self._oauth, consent, code)
        email = await self._email(transport, tokens.access_token, tell)
        account = await self._kept(tokens, email, tell)
        self._logger.info("an account has logged in", upstream=self._pool.name, credential=account.label)
        await self._find_project(account, transport, tell)
        if account.state == "active":
            await self._look(account, tell)
        return account

    async def _email(self, transport: Transport, token: str, tell: Tell) -> str:
        try:
            return await self._control.email(transport, token)
        except Failure as failure:
            await tell(f"its e-mail address is unknown: {failure.error.message}")
            return ""

    async def _kept(self, tokens: Tokens, email: str, tell: Tell) -> Account:
        """Write the account down, or the new login of one that is known; raise LoginFailed."""
        self._pool.catch_up()
        known = self._known(tokens.refresh_token or "", email)
        try:
            written = await self._keeper.add(self._row(known, tokens, email))
        except (StoreFailed, KeyProblem) as error:
            raise LoginFailed(f"the account cannot be saved, so it is not used: {error}") from None
        account = self._pool.take(written)
        assert account is not None, "a login makes an account"
        words = "is new here" if known is None else "was already here, and has its new login"
        await tell(f"{email or 'the account'} {words}: credential {account.label}")
        return account

    def _known(self, refresh_token: str, email: str) -> StoredCredential | None:
        """Find the account: by the hash of its refresh token, the first one or a later one, then by its e-mail."""
        id_, rows = credential_id(Secret(refresh_token)), [one.row for one in self._pool.credentials]
        same = [row for row in rows if row.id == id_ or row.refresh_token == refresh_token]
        namesakes = [row for row in rows if email and row.email.casefold() == email.casefold()]
        return next(iter(same), None) or max(namesakes, key=lambda row: row.state == "disabled", default=None)

    def _row(self, known: StoredCredential | None, tokens: Tokens, email: str) -> StoredCredential:
        """Give the account its login; what else is known of it stays."""
        refresh_token, now = tokens.refresh_token or "", self._clock.time()
        row = known or StoredCredential(id=credential_id(Secret(refresh_token)), source="login", added_at=now)
        at = row.tokens_at(now)
        return replace(
            row,
            email=email or row.email,
            state="active",
            reason="",
            link="",
            refresh_token=refresh_token,
            refresh_at=at,
            access_token=tokens.access_token,
            access_until=now + tokens.lifetime_s,
            access_at=at,
            updated_at=now,
        )

    async def _find_project(self, account: Account, transport: Transport, tell: Tell) -> None:
        await tell("looking for its project")
        try:
            project = await self._projects.of(account, await self._pool.token(account), transport, tell)
        except Failure as failure:
            if failure.cause == "verification":
                self._pool.need_verification(account, failure)
                await tell(f"its owner must verify the account first: {failure.link or 'see its mail'}")
            elif not await self._suspended(account, failure, tell):
                await tell(f"no project yet: {failure.error.message}")
        except RefreshFailed as failed:
            await tell(f"no project yet: {failed.reason}")
        else:
            await tell(f"its project is {project} ({account.project_source})")

    async def _look(self, account: Account, tell: Tell) -> None:
        await tell("asking for its models and their quotas")
        try:
            count = await self._survey(account)
        except Failure as failure:
            if not await self._suspended(account, failure, tell):
                await tell(f"no response about its models yet: {failure.error.message}")
        except (RefreshFailed, ValueError) as error:
            await tell(f"no response about its models yet: {error}")
        else:
            await tell(f"{count} models are there")

    async def _suspended(self, account: Account, failure: Failure, tell: Tell) -> bool:
        """Use an account no more that Google has suspended, so that no request finds out; tell whether it has."""
        if failure.cause != "banned":
            return False
        self._pool.refuse(account, RULES[failure.cause], failure)
        await tell(f"the account cannot be used: {failure.error.message}")
        return True
