"""The work of `gateway login`: choose the upstream, wait for the consent, and set the account up."""

import asyncio
from collections.abc import Mapping
from typing import Final

import click
import msgspec
from msgspec import Struct

from gateway.cli.credentials_store import stored
from gateway.cli.credentials_text import plain, table
from gateway.cli.login_answer import LISTEN_S, PASTE_S, open_browser, wait
from gateway.cli.login_listener import PATH, opened
from gateway.cli.options import quiet
from gateway.clock import System
from gateway.config import ConfigError, Loaded, Problem
from gateway.fit import check as check_config
from gateway.legible import legible
from gateway.parts import adapters_of
from gateway.transport import Transport
from gateway.upstream import Adapter, Consent, CredentialView, LoggingIn, LoginFailed

__all__ = ["LoggedIn", "LoginFailed", "log_in"]

_NOTICE: Final = """\
You log in with an OAuth client of your own, and you are responsible for complying with the terms of your account: using
such accounts from third-party software can breach Google's terms, and accounts have been suspended for it.
"""
_LINK: Final = """\
Open this link, and agree there:

  {url}

Waiting for the browser at {redirect_uri}
If it runs on another machine, its last page cannot be shown: paste the address of that page here, and press Enter.
"""
_NONE: Final = (
    "no upstream has accounts; add [upstream.antigravity] to gateway.toml, with "
    'oauth = { client_id = "env:OAUTH_CLIENT_ID", client_secret = "env:OAUTH_CLIENT_SECRET" }'
)


class LoggedIn(Struct, frozen=True):
    """What came of it. `models`: how many the upstream lists now."""

    credential: CredentialView
    models: int

    def json(self) -> bytes:
        """Write it for a program."""
        return msgspec.json.encode({**plain(self.credential), "models": self.models})

    def text(self) -> str:
        """Write it for a person."""
        return (
            f"\nlogged in; upstream {self.credential.upstream} lists {self.models} models\n\n{table([self.credential])}"
        )


def log_in(
    loaded: Loaded, upstream: str | None, *, browser: bool, listen_s: float = LISTEN_S, paste_s: float = PASTE_S
) -> LoggedIn:
    """Log an account in to this upstream, None = the only one; raise ConfigError, or LoginFailed."""
    check_config(loaded)

    async def work() -> LoggedIn:
        adapters = adapters_of(quiet(loaded), System())
        transport = Transport(connect_s=loaded.config.timeouts.connect)
        try:
            chosen = _choose(loaded, upstream, adapters)
            with stored(loaded):  # else the owner agrees in vain
                pass
            consent, code = await _agreed(loaded, chosen, listen_s, paste_s, browser=browser)
            await chosen.start(transport)
            credential = await chosen.log_in(consent, code, _tell)
            return LoggedIn(credential, len(chosen.models()))
        finally:
            for adapter in adapters.values():
                await adapter.stop()
            await transport.close()

    return asyncio.run(work())


def _choose(loaded: Loaded, name: str | None, adapters: Mapping[str, Adapter]) -> LoggingIn:
    able = {key: adapter for key, adapter in adapters.items() if isinstance(adapter, LoggingIn)}
    wanted = able if name is None else {key: adapter for key, adapter in able.items() if key == name}
    if len(wanted) == 1:
        return next(iter(wanted.values()))
    if not able:
        raise ConfigError([Problem(str(loaded.file or "no gateway.toml"), None, _NONE)])
    words = "is needed" if name is None else f"{name} has no accounts"
    raise ConfigError([Problem("--upstream", None, f"{words}; these have accounts: {', '.join(able)}")])


async def _agreed(
    loaded: Loaded, adapter: LoggingIn, listen_s: float, paste_s: float, *, browser: bool
) -> tuple[Consent, str]:
    """Have the account's owner agree; raise ConfigError without an OAuth client, LoginFailed without an agreement."""
    with opened() as listener:
        host, port = listener.getsockname()
        try:
            consent = adapter.consent(f"http://{host}:{port}{PATH}")
        except ValueError as error:
            raise ConfigError([Problem(str(loaded.file or "no gateway.toml"), None, str(error))]) from None
        click.echo(_NOTICE, err=True)
        click.echo(_LINK.format(url=consent.url, redirect_uri=consent.redirect_uri), err=True)
        if browser:
            open_browser(consent.url)
        return consent, await wait(consent, listener, listen_s, paste_s)


async def _tell(step: str) -> None:
    click.echo(f"  {legible(step)}", err=True)
