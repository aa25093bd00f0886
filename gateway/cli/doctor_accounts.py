"""What `gateway doctor` finds of the store and of the credentials, asked one by one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from gateway.cli.credentials_work import asked, is_paused, serves
from gateway.cli.doctor_finding import Finding, ok, problem, warning
from gateway.config import Loaded, PoolConfig, V1InternalConfig
from gateway.upstream import CredentialView, Pooling

__all__ = ["credentials", "store"]

_REMEDIES: Final[Mapping[str, str]] = {
    "suspected": "correct what it says; its next successful request clears this",
    "cooling": "wait until then{or_more}",
    "needs_verification": "its owner must follow the link in `gateway credentials list`; then enable it",
}
_PERHAPS_OVER: Final = "if requests fail with this, too, correct it; else watch whether it happens again"
_REVOKED: Final = "invalid_grant"


def store(loaded: Loaded) -> Iterator[Finding]:
    """Say how the tokens are kept, and whether there is an OAuth client for them; the store is open by now."""
    accounts = {name: one for name, one in loaded.config.upstream.items() if isinstance(one, V1InternalConfig)}
    if loaded.config.store.encryption_key:
        yield ok("store", "readable, and encrypted")
    elif accounts:
        fix = "put what `gateway generate-key` prints into .env as GATEWAY_ENCRYPTION_KEY, and keep a copy"
        yield warning("store", "refresh tokens are stored unencrypted", fix)
    else:
        yield ok("store", "it opens")
    for name, one in accounts.items():
        missing = [key for key in ("client_id", "client_secret") if not getattr(one.oauth, key)]
        if missing and not one.pool.import_:
            fix = "put OAUTH_CLIENT_ID and OAUTH_CLIENT_SECRET of your own OAuth client into .env"
            yield problem("oauth", f"upstream.{name}.oauth lacks {' and '.join(missing)}", fix)


async def credentials(loaded: Loaded, pools: Mapping[str, Pooling]) -> list[Finding]:
    """Ask about every credential, which refreshes its token, and say what it lacks."""
    views = [view for pool in pools.values() for view in pool.views()]
    found = await asked(pools, views)
    return [
        finding
        for name in pools
        for finding in _upstream(loaded, name, [view for view in found if view.upstream == name])
    ]


def _upstream(loaded: Loaded, name: str, views: Sequence[CredentialView]) -> Iterator[Finding]:
    check = f"credentials {name}"
    usable = sum(map(serves, views))
    accounts = isinstance(loaded.config.upstream[name], V1InternalConfig)
    if not views:
        yield problem(check, "there are none", "gateway login" if accounts else f"give upstream.{name}.api_key")
        return
    pool, more = getattr(loaded.config.upstream[name], "pool", PoolConfig()), _more(loaded, name)
    said = f"{usable} of {len(views)} are usable"
    if not usable:
        yield problem(check, said, "repair one of them, or add another")
    elif usable < pool.min_credentials:
        fix = f"{more}; or lower upstream.{name}.pool.min_credentials"
        yield warning(check, f"{said}, fewer than min_credentials ({pool.min_credentials})", fix)
    else:
        yield ok(check, said)
    for view in views:
        yield from _credential(check, view, f", or {more}" if more else "", accounts=accounts)


def _more(loaded: Loaded, name: str) -> str:
    """Say how an upstream gets more credentials; "" = it has one alone."""
    upstream = loaded.config.upstream[name]
    if isinstance(upstream, V1InternalConfig):
        return "add accounts: `gateway login`"
    return f"add a key to upstream.{name}.api_key" if hasattr(upstream, "api_key") else ""


def _credential(check: str, view: CredentialView, or_more: str, *, accounts: bool) -> Iterator[Finding]:
    label = f"{view.id[:8]}{f' ({view.account})' if view.account else ''} is {view.state}"
    if is_paused(view):
        yield warning(check, f"{label}: {view.reason}", "fix that; it is retried automatically")
    elif view.state in _REMEDIES:
        fix = _REMEDIES[view.state].format(or_more=or_more)
        yield warning(check, f"{label}: {_why(view) or 'no reason is known'}", fix)
    elif view.state == "disabled":
        yield warning(check, f"{label}: {view.reason}", _remedy(view, accounts=accounts))
    elif view.last_error:
        yield warning(check, f"{label}, but its last error was: {view.last_error}", _PERHAPS_OVER)


def _why(view: CredentialView) -> str | None:
    """Say what holds now: a suspect keeps the reason of its first failure."""
    if view.state == "suspected":
        return view.last_error or view.reason
    return (", ".join(view.cooling) if view.state == "cooling" else view.reason) or view.last_error


def _remedy(view: CredentialView, *, accounts: bool) -> str:
    if not accounts:
        return f"give upstream.{view.upstream}.api_key another key"
    if view.reason.startswith(_REVOKED):
        return f"log the account in again: gateway login --upstream {view.upstream}"
    return f"once the cause is gone: gateway credentials enable {view.id[:8]}"
