"""The ways into the page: the login form, the one-time link that `gateway run` prints, and the way out."""

import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.responses import Response
from structlog.typing import FilteringBoundLogger

from gateway.admin.guard import LINK, Guard
from gateway.admin.lasting import Lasting
from gateway.admin.sessions import Sessions
from gateway.admin.visit import Visit
from gateway.admin.writing import Writing
from gateway.errors import GatewayError, PermissionDenied
from gateway.middleware.auth import is_local

__all__ = ["HOME", "LOGIN", "LOGOUT", "Entrance"]

LOGIN: Final = "/admin/login"
LOGOUT: Final = "/admin/logout"
HOME: Final = "/"
_HERE: Final = {  # where who listens there is reached on this machine
    "127.0.0.1": "127.0.0.1",
    "::1": "[::1]",
    "0.0.0.0": "127.0.0.1",  # noqa: S104 - nothing is bound
    "::": "[::1]",
}


class Entrance:
    """Lets operators in and out."""

    def __init__(
        self, guard: Guard, sessions: Sessions, lasting: Lasting, writing: Writing, logger: FilteringBoundLogger
    ) -> None:
        self._guard = guard
        self._sessions = sessions
        self._lasting = lasting
        self._writing = writing
        self._logger = logger

    async def show(self, visit: Visit) -> Response:
        """Show the form, or the page to one who is in already."""
        try:
            visit.operator = await self._guard.admit(visit)
        except GatewayError:
            return await self._form(visit, None)
        return _to(visit, _next(visit.query))

    async def log_in(self, visit: Visit) -> Response:
        """Take what was typed; a wrong one is told in the form."""
        visit.check_origin(demanded=False)
        try:
            by = await self._guard.log_in(visit, visit.form.get("username", ""), visit.form.get("password", ""))
        except GatewayError as error:
            if not visit.html:
                raise
            return await self._form(visit, error)
        return await self._enter(visit, by, _next(visit.form))

    async def log_in_once(self, visit: Visit) -> Response:
        """Take the one-time link."""
        if not is_local(visit.scope, visit.context.headers):
            raise PermissionDenied(
                "the one-time link works only in a browser on the gateway's machine, and not into a container; "
                "set admin.password"
            )
        token = visit.query.get("token", "")
        if self._guard.has_password or not token or await self._lasting.take(f"{LINK}:{token}") != LINK:
            raise PermissionDenied(
                "this link has been used, or is older than 10 minutes; restart the gateway, or set admin.password"
            )
        return await self._enter(visit, LINK, HOME)

    async def log_out(self, visit: Visit) -> Response:
        """End the session of this browser."""
        response = _to(visit, LOGIN)
        await self._sessions.end(visit, response)
        return response

    async def make_link(self, address: str, *, shared: bool) -> str:
        """Make a one-time link below an address; "" with a password, or where no browser of this machine comes."""
        parts = urlsplit(address)
        reached = _HERE.get(parts.hostname or "", "")
        if self._guard.has_password or not reached:
            return ""
        token = secrets.token_urlsafe(32)
        known = await self._lasting.begin(f"{LINK}:{token}", LINK, here=not shared)
        return f"http://{reached}:{parts.port}{LOGIN}/once?token={token}" if known or not shared else ""

    async def _enter(self, visit: Visit, by: str, where: str) -> Response:
        response = _to(visit, where)
        await self._sessions.begin(visit, response, by)
        self._logger.info("logged in", client=visit.address, by=by.partition("-")[0])
        return response

    async def _form(self, visit: Visit, error: GatewayError | None) -> Response:
        values = {
            "username": visit.form.get("username", self._guard.username),
            "has_password": self._guard.has_password,
            "next": _next(visit.form or visit.query),
        }
        return await self._writing.page(visit, "login", values, error)


def _to(visit: Visit, path: str) -> Response:
    return Response(status_code=303, headers={"location": visit.base + path})


def _next(given: Mapping[str, str]) -> str:
    """Give where to go on: a page of ours, wherever a link or a form says."""
    wanted = given.get("next", "")
    is_page = wanted.startswith(("/admin/", f"{HOME}?")) and not wanted.startswith((LOGIN, LOGOUT))
    return quote(wanted, safe="/?&=%") if is_page else HOME
