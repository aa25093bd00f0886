"""Who may administer: one with the admin password, a key with the scope admin, or a session that began with either.

Nobody else, wherever they ask from. Without a password there is a one-time link besides, for this machine.
"""

import hmac
from hashlib import sha256
from typing import Final

from structlog.typing import FilteringBoundLogger

from gateway.admin.sessions import Sessions
from gateway.admin.visit import Operator, Session, Visit
from gateway.config import AdminConfig
from gateway.errors import PermissionDenied, Unauthenticated
from gateway.lockout import Lockout
from gateway.middleware.auth import Auth, basic

__all__ = ["LINK", "Guard"]

LINK: Final = "link"  # what a session began with
_BY_PASSWORD: Final = "password"  # noqa: S105 - a word
_KEY: Final = "key"
_CSRF: Final = "csrf"

_CHALLENGE: Final = {"www-authenticate": 'Basic realm="gateway", charset="UTF-8"'}
_SCRIPT: Final = "fetch"  # what the scripts of our pages say in x-requested-with
_UNKNOWN: Final = "wrong name, password or key"
_NOBODY: Final = "the administration requires the admin password, or a key with the scope admin"


class Guard:
    """Finds out who asks."""

    def __init__(
        self,
        config: AdminConfig,
        keys: Auth,
        sessions: Sessions,
        lockout: Lockout,
        logger: FilteringBoundLogger,
    ) -> None:
        self._config = config
        self._keys = keys
        self._sessions = sessions
        self._lockout = lockout
        self._logger = logger

    @property
    def has_password(self) -> bool:
        """Whether there is an admin password."""
        return bool(self._config.password)

    @property
    def username(self) -> str:
        """Give the name that belongs to it."""
        return self._config.username

    async def admit(self, visit: Visit) -> Operator:
        """Give who has the right; raise Unauthenticated, RateLimited, StoreUnavailable.

        What a visit says of itself counts before the session that its browser has.
        """
        pair = basic(visit.context.headers)
        key = self._keys.given(visit.context.headers, visit.scope.get("query_string", b""))
        if pair is None and key is None:
            return await self._of_session(visit)
        by = await self._prove(visit, pair[0] if pair else None, pair[1] if pair else "", key)
        return Operator(name=self._name(by), ambient=pair is not None)

    async def log_in(self, visit: Visit, name: str, given: str) -> str:
        """Check what was typed into the login form, a password or a key; give what a session began with."""
        return await self._bound(await self._prove(visit, name, given, given))

    async def may_change(self, visit: Visit) -> None:
        """Refuse a change that another site makes the operator's browser ask for; raise PermissionDenied."""
        operator = visit.operator
        if operator is None:
            raise PermissionDenied(_NOBODY)
        if operator.session is None:
            if operator.ambient:
                visit.check_origin(demanded=False)
            return
        visit.check_origin(demanded=True)
        given = visit.form.get(_CSRF) or visit.header(b"x-csrf-token")
        if not hmac.compare_digest(operator.csrf.encode(), given.encode()):
            raise PermissionDenied("the form belongs to another session; go back, reload the page and try again")

    async def _prove(self, visit: Visit, name: str | None, password: str, key: str | None) -> str:
        """Give what was proved with; the answer, and the time it takes, do not say what was wrong."""
        right = name is not None and self._is_password(name, password)
        if not right:
            await self._keys.seek(key, visit.address)
        try:
            return f"{_KEY}-{self._keys.admit(key, 'admin').id}"
        except Unauthenticated:
            self._lockout.check(visit.address)  # a password can be guessed: the right one waits, too
        except PermissionDenied as error:  # a key that is known is no attempt
            if not right:
                raise Unauthenticated(str(error), headers=_challenge(visit)) from None
        if right:
            return _BY_PASSWORD
        self._lockout.failed(visit.address)
        self._logger.warning("administration refused", client=visit.address, path=visit.path)
        raise Unauthenticated(_UNKNOWN, headers=_challenge(visit))

    def _is_password(self, name: str, password: str) -> bool:
        same_name = hmac.compare_digest(_digest(name), _digest(self._config.username))
        same = hmac.compare_digest(_digest(password), _digest(self._config.password.reveal()))
        return self.has_password and same_name and same

    async def _of_session(self, visit: Visit) -> Operator:
        session = await self._sessions.find(visit)
        if session is None or not await self._holds(session):
            raise Unauthenticated(_NOBODY, headers=_challenge(visit))
        csrf = await self._sessions.sign(_CSRF, session.nonce)
        return Operator(name=self._name(session.by), session=session, csrf=csrf)

    async def _bound(self, by: str) -> str:
        """Tie a session to the password that it began with, so that it ends when that is changed."""
        if by != _BY_PASSWORD:
            return by
        words = (_BY_PASSWORD, self._config.username, self._config.password.reveal())
        return f"{_BY_PASSWORD}-{(await self._sessions.sign(*words))[:16]}"

    async def _holds(self, session: Session) -> bool:
        kind, _, id_ = session.by.partition("-")
        if kind == _KEY:
            return await self._keys.holds(id_, "admin")
        if kind == _BY_PASSWORD:
            return self.has_password and hmac.compare_digest(session.by, await self._bound(_BY_PASSWORD))
        return kind == LINK and not self.has_password

    def _name(self, by: str) -> str:
        kind, _, id_ = by.partition("-")
        principal = self._keys.known(id_, "admin") if kind == _KEY else None
        if principal is not None:
            return principal.name
        return self._config.username if kind == _BY_PASSWORD else kind


def _challenge(visit: Visit) -> dict[str, str]:
    """Name the way in, but not to a page: a browser would hold its request for a dialog, and the page has a login."""
    by_script = visit.swaps or visit.header(b"x-requested-with") == _SCRIPT
    by_person = visit.html and b"authorization" not in visit.context.headers
    return {} if by_script or by_person else dict(_CHALLENGE)


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
