"""Log a Google account in by the browser: away to Google, and back with a code.

    GET /oauth2/login    ─► 302; what is begun is kept under its state, a cookie ties it to the browser
    GET /oauth2/callback ◄─ state, and a code or an error: checked, taken once, then each step as it is done

The session's own cookie stays away when another site leads here, so it does not come along on the way back.
"""

import asyncio
import hmac
import re
from collections.abc import AsyncGenerator
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct
from starlette.responses import RedirectResponse, Response, StreamingResponse
from structlog.typing import FilteringBoundLogger

from gateway.admin.credentials import Credentials
from gateway.admin.lasting import LIFE_S, Lasting
from gateway.admin.sessions import Sessions
from gateway.admin.visit import Visit
from gateway.admin.writing import Writing
from gateway.errors import Conflict, GatewayError, InvalidRequest, PermissionDenied
from gateway.redirect import code_of
from gateway.upstream import Consent, CredentialView, LoggingIn, LoginFailed

__all__ = ["CALLBACK", "WebLogin", "redirect_uri"]

CALLBACK: Final = "/oauth2/callback"
_LOOPBACK: Final = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
_PATIENCE_S: Final = 10.0


class _Begun(Struct, frozen=True):
    """A login that waits for its answer. `by`: who began it."""

    upstream: str
    url: str
    verifier: str
    redirect_uri: str
    by: str


class _Login(Struct):
    """A login whose answer is here. `steps`: what is done, "" at the end."""

    steps: asyncio.Queue[str]
    view: CredentialView | None = None
    failure: str = ""

    async def told(self) -> AsyncGenerator[str]:
        """Give each step when it is done."""
        while step := await self.steps.get():
            yield step


_BEGUN: Final = msgspec.json.Decoder(_Begun)


class WebLogin:
    """The logins of one app; one that has its code goes on when the browser has gone."""

    def __init__(
        self,
        credentials: Credentials,
        lasting: Lasting,
        sessions: Sessions,
        writing: Writing,
        logger: FilteringBoundLogger,
        public_url: str,
    ) -> None:
        self._credentials = credentials
        self._lasting = lasting
        self._sessions = sessions
        self._writing = writing
        self._logger = logger
        self._public_url = public_url
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, visit: Visit) -> Response:
        """Send the browser to Google; raise GatewayError."""
        adapter = self._credentials.logging_in(visit.query.get("upstream", ""))
        back = redirect_uri(visit, self._public_url)
        if not back:
            raise Conflict(
                "Google redirects to a URL that the gateway must know: set server.public_url, "
                f"and register it with {CALLBACK} as a redirect URI of the OAuth client"
            )
        try:
            consent = adapter.consent(back)
        except ValueError as error:
            raise Conflict(str(error)) from None
        begun = _Begun(adapter.name, consent.url, consent.verifier, back, visit.by)
        await self._lasting.begin(consent.state, msgspec.json.encode(begun).decode())
        response = RedirectResponse(consent.url, 302)
        self._tie(visit, response, consent.state, await self._sessions.sign("login", consent.state), LIFE_S)
        return response

    async def end(self, visit: Visit) -> Response:
        """Take what Google says, and tell each step; raise GatewayError."""
        begun, consent, code = await self._answered(visit)
        adapter = self._credentials.logging_in(begun.upstream)
        login = _Login(asyncio.Queue())
        task = asyncio.get_running_loop().create_task(self._log_in(adapter, consent, code, login, begun))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        values = {"upstream": begun.upstream, "steps": login.told(), "login": login}
        pieces = self._writing.stream(visit, "login_steps", values)
        response = StreamingResponse(pieces, headers={"x-accel-buffering": "no"}, media_type="text/html")
        self._tie(visit, response, consent.state, "", 0)
        return response

    async def stop(self) -> None:
        """Wait for what has its code already, but not for an upstream that takes its time."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_PATIENCE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _answered(self, visit: Visit) -> tuple[_Begun, Consent, str]:
        """Give the login that this is the answer to, and its code; raise what is wrong with it."""
        state = visit.query.get("state", "")
        if not state:
            raise InvalidRequest("this does not come from a login: it has no state")
        tie = await self._sessions.sign("login", state)
        if not hmac.compare_digest(tie.encode(), visit.cookies.get(_cookie(state), "").encode()):
            where = f"at {self._public_url}" if self._public_url else "at the URL that Google redirected to"
            raise PermissionDenied(f"this browser did not start this login within the last 10 minutes; start {where}")
        words = await self._lasting.take(state)
        if words is None:
            raise InvalidRequest("this login has been used, or is older than 10 minutes; start again")
        begun = _BEGUN.decode(words)
        consent = Consent(url=begun.url, state=state, verifier=begun.verifier, redirect_uri=begun.redirect_uri)
        try:
            return begun, consent, code_of(consent, visit.scope["query_string"].decode("latin-1"))
        except LoginFailed as error:
            raise PermissionDenied(f"no account was added: {error}") from None

    async def _log_in(self, adapter: LoggingIn, consent: Consent, code: str, login: _Login, begun: _Begun) -> None:
        async def tell(step: str) -> None:
            if step:
                await login.steps.put(step)

        try:
            login.view = await adapter.log_in(consent, code, tell)
            self._logger.info("account logged in", upstream=begun.upstream, credential=login.view.id[:8], by=begun.by)
        except LoginFailed as error:
            login.failure = str(error)
        except GatewayError as error:
            login.failure = error.message
        except Exception:  # nobody else would see it: the browser may have gone
            self._logger.exception("defect", upstream=begun.upstream)
            login.failure = "the gateway failed; its log says more"
        finally:
            if login.failure:
                self._logger.warning("login failed", upstream=begun.upstream, reason=login.failure, by=begun.by)
            await login.steps.put("")

    def _tie(self, visit: Visit, response: Response, state: str, value: str, life_s: int) -> None:
        """Let the browser show that this login is its own, or forget it."""
        response.set_cookie(
            _cookie(state),
            value,
            max_age=life_s,
            path=f"{visit.base}/oauth2",
            secure=visit.secure,
            httponly=True,
            samesite="lax",
        )


def redirect_uri(visit: Visit, public_url: str) -> str:
    """Give the address that Google leads back to; "" where only server.public_url could say it."""
    if public_url:
        return public_url + CALLBACK
    host = visit.header(b"host")
    return f"{visit.origin}{visit.base}{CALLBACK}" if _LOOPBACK.fullmatch(host) else ""


def _cookie(state: str) -> str:
    """Name the cookie, so that two logins at a time do not meet."""
    return f"gateway_login_{sha256(state.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
