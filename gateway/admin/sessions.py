"""What a browser shows instead of a password: a cookie that any worker can check and none has to remember.

    value = until.nonce.by.HMAC-SHA256(secret, "session", until, nonce, by)

Only those that somebody has logged out of are written down, until their time is over.

What the forms carry besides is made of the nonce, so it fits one session only. A browser gives a host's cookies to each
of its ports (RFC 6265 §8.5), so the cookie is named after the port: of two gateways on a machine none ends the other's.
"""

import hmac
import re
import secrets
from hashlib import sha256
from typing import Final

from starlette.responses import Response

from gateway.admin.lasting import Lasting
from gateway.admin.visit import Session, Visit
from gateway.clock import Clock

__all__ = ["Sessions"]

_LIFE_S: Final = 12 * 3600
_COOKIE: Final = "gateway_session"
_PORT: Final = re.compile(r":(\d{1,5})$", re.ASCII)


class Sessions:
    """Makes them, and knows them again."""

    def __init__(self, lasting: Lasting, clock: Clock) -> None:
        self._lasting = lasting
        self._clock = clock

    async def begin(self, visit: Visit, response: Response, by: str) -> None:
        """Give the browser a session."""
        until, nonce = str(int(self._clock.time()) + _LIFE_S), secrets.token_hex(16)
        value = ".".join((until, nonce, by, await self.sign("session", until, nonce, by)))
        _set(visit, response, value, _LIFE_S)

    async def end(self, visit: Visit, response: Response) -> None:
        """Take it from the browser, and from whoever has a copy of the cookie."""
        session = visit.operator.session if visit.operator is not None else None
        if session is not None:
            await self._lasting.begin(_ended(session), "", life_s=session.until - self._clock.time())
        _set(visit, response, "", 0)

    async def find(self, visit: Visit) -> Session | None:
        """Read the session of a visit; None for none, or one that is over or not ours."""
        until, _, rest = visit.cookies.get(_name(visit), "").partition(".")
        nonce, _, rest = rest.partition(".")
        by, _, given = rest.partition(".")
        if not given or not (until.isascii() and until.isdigit()):
            return None
        signature = await self.sign("session", until, nonce, by)
        if not hmac.compare_digest(signature.encode(), given.encode()) or int(until) <= self._clock.time():
            return None
        session = Session(by, nonce, int(until))
        return None if await self._lasting.has(_ended(session)) else session

    async def sign(self, *words: str) -> str:
        """Make what only one who has the secret can make of these words."""
        secret = await self._lasting.secret()
        return hmac.new(secret.encode(), "\0".join(words).encode(), sha256).hexdigest()


def _ended(session: Session) -> str:
    return f"ended:{session.nonce}"


def _set(visit: Visit, response: Response, value: str, life_s: int) -> None:
    response.set_cookie(
        _name(visit),
        value,
        max_age=life_s,
        path=visit.base or "/",
        secure=visit.secure,
        httponly=True,
        samesite="strict",
    )


def _name(visit: Visit) -> str:
    port = _PORT.search(visit.header(b"host"))
    return f"{_COOKIE}_{port[1]}" if port else _COOKIE
