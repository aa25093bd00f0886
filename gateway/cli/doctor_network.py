"""What `gateway doctor` finds on the network: every upstream's servers, the clock, Redis and PostgreSQL."""

import asyncio
import os
import time
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from importlib import import_module
from pathlib import Path
from typing import Final

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters.exchange import USER_AGENT
from gateway.cli.doctor_finding import Finding, ok, problem, warning
from gateway.cli.itself import is_own
from gateway.config import Loaded
from gateway.config.extras import is_installed
from gateway.context import new_id
from gateway.store.engines import postgres, reason
from gateway.store.stored import why_away
from gateway.store.windows import Away
from gateway.transport import Transport, TransportError
from gateway.upstream import Adapter, Reaching

__all__ = ["network", "remedy", "shared"]

_WAIT_S: Final = 10.0
_ODD_S: Final = 60.0
_WRONG_S: Final = 300.0  # from here on Google refuses what a service account signs
_MOMENT_S: Final = 1.0
_REDIS_FIX: Final = "raise its maxmemory, use the primary server, or let its user run scripts on gateway:*"
_KEEPS: Final = "noeviction"
_POSTGRES_FIX: Final = "use the primary server, or turn off default_transaction_read_only"
# what OpenSSL says of a chain that Python takes up to 3.12, such as those of proxies that look into TLS
_STRICT: Final = ("missing authority key", "missing subject key", "not marked critical", "include key usage extension")
# and of one that no trust makes valid
_DATED_OR_NAMED: Final = {
    "mismatch": "write the name for which the certificate is made into the URL, or have it made for this one",
    "has expired": "have the server's certificate renewed, or set this machine's clock if it is ahead",
    "not yet valid": "set this machine's clock, or have the server's certificate made for today",
}
_NOT_READ: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
_CLOCK_FIX: Final = "set this machine's clock, and keep it right with NTP: `timedatectl set-ntp true`"


class _Answer(Struct, frozen=True, kw_only=True):
    """How a server answered. `late_s`: what its clock is ahead by, None = it does not say; `trouble`: "" = it did."""

    url: str
    took_s: float
    late_s: float | None = None
    trouble: str = ""


async def network(loaded: Loaded, adapters: Mapping[str, Adapter], transport: Transport) -> list[Finding]:
    """Ask every server once, all at the same time; no credential is sent."""
    servers = {name: one.servers() for name, one in adapters.items() if isinstance(one, Reaching)}
    urls = list(dict.fromkeys(url for group in servers.values() for url in group))
    answers = dict(zip(urls, await asyncio.gather(*(_ask(transport, url) for url in urls)), strict=True))
    findings = [
        finding
        for name, group in servers.items()
        for finding in _upstream(loaded, name, [answers[url] for url in group])
    ]
    return [*findings, *_clock(list(answers.values()))]


async def _ask(transport: Transport, url: str) -> _Answer:
    began = time.monotonic()
    try:
        async with asyncio.timeout(_WAIT_S):
            response = await transport.send("GET", url, headers={"user-agent": USER_AGENT, "accept": "*/*"})
    except TransportError as error:
        return _Answer(url=url, took_s=time.monotonic() - began, trouble=str(error))
    except TimeoutError:
        return _Answer(url=url, took_s=_WAIT_S, trouble=f"no response within {_WAIT_S:.0f} s")
    took_s, now = time.monotonic() - began, time.time()
    response.close()
    return _Answer(url=url, took_s=took_s, late_s=_late_s(response.headers.get("date"), now - took_s / 2))


def _late_s(date: str | None, now: float) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() + 0.5 - now if date else None  # it is cut to whole seconds
    except (ValueError, OverflowError):
        return None


def _upstream(loaded: Loaded, name: str, answers: Sequence[_Answer]) -> Iterator[Finding]:
    check = f"upstream {name}"
    answering = any(not one.trouble for one in answers)
    for one in answers:
        if is_own(loaded, one.url):
            fix = f"set the URL of upstream.{name} to the service itself; OPENAI_BASE_URL and similar are for clients"
            yield problem(check, f"{one.url} is this gateway, which would call itself", fix)
        elif one.trouble:
            tell = warning if answering else problem
            yield tell(check, f"{one.url} does not respond: {one.trouble}", remedy(one.trouble))
        else:
            yield ok(check, f"{one.url} responds in {one.took_s * 1000:.0f} ms")


def remedy(trouble: str) -> str:
    """Say what may help against what keeps a server from being reached."""
    words = trouble.lower()
    if "proxy" in words:
        return "check HTTP_PROXY and HTTPS_PROXY; NO_PROXY lists hosts to be reached directly"
    if any(said in words for said in ("wrong_version_number", "record_layer", "not http", "before an answer")):
        return "check the port of the URL, and whether it is for http:// or https://"
    if any(said in words for said in _STRICT):
        return (
            "have these certificates made as RFC 5280 wants them, or run the gateway with Python 3.12, which takes them"
        )
    if "certificate" in words or "ssl" in words:
        return next((fix for said, fix in _DATED_OR_NAMED.items() if said in words), "") or _trusting()
    if any(said in words for said in ("name or service", "resolution", "nodename", "no address", "domain name")):
        return "check the spelling of the URL, and this machine's DNS"
    if "refused" in words:
        return "start the server there, or check the port of the URL; a firewall may also block it"
    return "allow it in this machine's firewall, or set a proxy in HTTPS_PROXY"


def _trusting() -> str:
    """Say how to trust a certificate, where it has been tried in vain, too."""
    given = os.environ.get("SSL_CERT_FILE", "")
    if given and not Path(given).is_file():
        return f"SSL_CERT_FILE names {given}, which is no file here: correct it"
    other = next((name for name in _NOT_READ if os.environ.get(name)), "")
    if other and not given:
        return f"set SSL_CERT_FILE to what {other} names, which only other programs read"
    return "let this machine trust the certificate (SSL_CERT_FILE), or check what intercepts the connection"


def _clock(answers: Sequence[_Answer]) -> Iterator[Finding]:
    """Compare with the server that differs least: one alone may be wrong."""
    late = min((one.late_s for one in answers if one.late_s is not None), key=abs, default=None)
    if late is None:
        return
    if abs(late) < _ODD_S:
        yield ok("clock", f"right within {max(1, round(abs(late)))} s")
        return
    said = f"this machine is {abs(late):.0f} s {'behind' if late > 0 else 'ahead of'} the servers"
    yield (problem if abs(late) >= _WRONG_S else warning)("clock", said, _CLOCK_FIX)


# what several workers and hosts share


async def shared(loaded: Loaded) -> list[Finding]:
    """Ask Redis and PostgreSQL for their versions, and whether they take what is written."""
    store = loaded.config.store
    asked: list[Awaitable[Sequence[Finding]]] = []
    if store.redis and is_installed("redis"):
        asked.append(_told("redis", "store.redis", _redis(store.redis.reveal())))
    if store.database and is_installed("psycopg"):
        asking = asyncio.to_thread(_postgres, store.database.reveal())
        asked.append(_told("postgres", "store.database", asking))
    return [finding for found in await asyncio.gather(*asked) for finding in found]


async def _told(check: str, key: str, asking: Awaitable[Sequence[Finding]]) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(_WAIT_S):
            return await asking
    except _Unfit as unfit:
        return [problem(check, f"{key} cannot be used: {unfit}", unfit.fix)]
    except TimeoutError:
        why = f"no response within {_WAIT_S:.0f} s"
    except _Away as away:
        why = str(away)
    return [problem(check, f"{key} does not respond: {why}", f"start it, or correct {key}")]


class _Away(Exception):
    """A server that is shared cannot be asked; says why."""


class _Unfit(Exception):
    """It answers, and does not do what it is there for; says why. `fix`: what would let it."""

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(why)
        self.fix = fix


async def _redis(url: str) -> Sequence[Finding]:
    part = import_module("redis.asyncio")
    faults = import_module("redis.exceptions")
    about: Mapping[str, object] = {}
    try:
        async with part.Redis.from_url(url, socket_connect_timeout=_WAIT_S / 2) as client:
            await client.ping()
            with suppress(faults.NoPermissionError):  # it is not needed
                about = await client.info()
    except (part.RedisError, OSError, ValueError) as error:
        raise _Away(why_away(error)) from None
    await _kept_by(url)
    version, policy = about.get("redis_version", ""), about.get("maxmemory_policy", _KEEPS)
    found = [ok("redis", f"store.redis responds{version and ': version '}{version}")]
    if policy != _KEEPS and about.get("maxmemory"):
        said = f"store.redis forgets what is counted when its memory is full: its maxmemory-policy is {policy}"
        found.append(warning("redis", said, f"set its maxmemory-policy to {_KEEPS}"))
    return found


async def _kept_by(url: str) -> None:
    """Have Redis keep something for a moment, as limits do; raise _Unfit."""
    limits = import_module("gateway.store.shared_limits")
    shared = limits.SharedLimits(url, lease_s=_MOMENT_S)
    shared.start()
    try:
        await shared.renew({"": (new_id(),)})
    except Away as away:
        raise _Unfit(str(away), _REDIS_FIX) from None
    finally:
        await shared.stop()


def _postgres(url: str) -> Sequence[Finding]:
    try:
        engine = postgres(url)
        try:
            with engine.connect() as connection:
                version = connection.scalar(text("SHOW server_version"))
                if connection.scalar(text("SHOW transaction_read_only")) == "on":
                    raise _Unfit("it is read-only", _POSTGRES_FIX)
                return [ok("postgres", f"store.database responds: version {version}")]
        finally:
            engine.dispose()
    except (SQLAlchemyError, ValueError) as error:
        raise _Away(reason(error)) from None
