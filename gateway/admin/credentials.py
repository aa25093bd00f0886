"""The credentials of every pool: show them, and do with one what its operator wants.

GET /admin/credentials                            the page, or JSON
POST /admin/credentials/{id}/enable|disable|check
POST /admin/credentials/{id}/remove, DELETE /admin/credentials/{id}

An id names the secret that a credential was given with, so two upstreams may have the same one: `upstream` tells them
apart.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from operator import itemgetter
from typing import Final, Literal

import msgspec
from msgspec import Struct

from gateway.admin.wording import iso, iso_or_none
from gateway.errors import Conflict, InvalidRequest, NotFound, StoreUnavailable
from gateway.services import Services
from gateway.store.stored import KeyProblem, StoreFailed, reason_of
from gateway.upstream import BY_HAND, CredentialView, LoggingIn, Pooling

__all__ = ["ACTIONS", "Action", "Credentials", "Pool", "Row", "as_json", "row_of"]

Action = Literal["enable", "disable", "check", "remove"]

_DO: Final[Mapping[Action, Callable[[Pooling, str], Awaitable[object]]]] = {
    "enable": lambda pool, id_: pool.enable(id_),
    "disable": lambda pool, id_: pool.disable(id_, BY_HAND),
    "check": lambda pool, id_: pool.check(id_),
    "remove": lambda pool, id_: pool.remove(id_),
}
ACTIONS: Final = tuple(_DO)
_FAILS: Final = "the credentials cannot be saved now; the gateway's log says why"


class Pool(Struct, frozen=True, kw_only=True):
    """An upstream with its credentials. `logs_in`: accounts can be added; `missing`: what that needs first."""

    name: str
    state: str
    credentials: tuple[CredentialView, ...]
    logs_in: bool
    missing: str = ""


class _Quota(Struct, frozen=True):
    remaining: float
    reset_at: str | None


class Row(Struct, frozen=True, kw_only=True):
    """What programs may rely on."""

    id: str
    upstream: str
    account: str | None
    project: str | None
    project_source: str | None
    source: str
    state: str
    reason: str | None
    link: str | None
    enabled: bool
    token_expires_at: str | None
    cooling: Mapping[str, str]
    quota: Mapping[str, _Quota]
    quota_groups: Mapping[str, _Quota]
    uses: int
    last_used_at: str | None
    last_error: str | None


class Credentials:
    """All pools of one app."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def pools(self) -> Iterator[Pool]:
        """Show every pool, in the order of gateway.toml."""
        for name, adapter in self._pooling():
            yield Pool(
                name=name,
                state=adapter.state(),
                credentials=tuple(adapter.views()),
                logs_in=isinstance(adapter, LoggingIn),
                missing=_missing(adapter),
            )

    def json(self) -> bytes:
        """Write all of them for programs."""
        rows = [row_of(view) for _, adapter in self._pooling() for view in adapter.views()]
        return msgspec.json.encode({"credentials": rows})

    async def do(self, action: Action, id_: str, upstream: str) -> CredentialView | None:
        """Do it, and give how the credential stands then, None for a removed one.

        Raises NotFound, Conflict or StoreUnavailable.
        """
        pool = self._find(id_, upstream)
        try:
            done = await _DO[action](pool, id_)
        except KeyError:
            raise _unknown(id_) from None
        except ValueError as error:
            raise Conflict(str(error)) from None
        except (StoreFailed, KeyProblem) as error:
            self._services.logger.error("the credentials cannot be written", reason=reason_of(error))  # noqa: TRY400
            raise StoreUnavailable(_FAILS) from None
        return done if isinstance(done, CredentialView) else None

    def logging_in(self, upstream: str) -> LoggingIn:
        """Find an upstream that accounts can be added to, "" = the only one; raise NotFound or InvalidRequest."""
        adapters = self._services.adapters.items()
        found = {name: one for name, one in adapters if isinstance(one, LoggingIn) and upstream in ("", name)}
        if not found:
            raise NotFound(f"no upstream{' of this name' if upstream else ''} takes Google accounts")
        if len(found) > 1:
            raise InvalidRequest(
                f"several upstreams take Google accounts; add ?upstream= with one of {', '.join(found)}"
            )
        return next(iter(found.values()))

    def _find(self, id_: str, upstream: str) -> Pooling:
        found = [
            (name, adapter)
            for name, adapter in self._pooling()
            if upstream in ("", name) and any(view.id == id_ for view in adapter.views())
        ]
        if not found:
            raise _unknown(id_)
        if len(found) > 1:
            names = ", ".join(name for name, _ in found)
            raise Conflict(f"several upstreams have this credential; add ?upstream= with one of {names}")
        return found[0][1]

    def _pooling(self) -> Iterator[tuple[str, Pooling]]:
        for name, adapter in self._services.adapters.items():
            if isinstance(adapter, Pooling):
                yield name, adapter


def as_json(view: CredentialView) -> bytes:
    """Write one for programs."""
    return msgspec.json.encode(row_of(view))


def row_of(view: CredentialView) -> Row:
    """Give one as programs get it."""
    return Row(
        id=view.id,
        upstream=view.upstream,
        account=view.account,
        project=view.project,
        project_source=view.project_source or None,
        source=view.source,
        state=view.state,
        reason=view.reason or None,
        link=view.link or None,
        enabled=view.enabled,
        token_expires_at=iso_or_none(view.token_expires_at),
        cooling={model: iso(until) for model, until in view.cooling.items()},
        quota=_quotas(view.quota),
        quota_groups=_quotas(view.groups),
        uses=view.uses,
        last_used_at=iso_or_none(view.last_used_at),
        last_error=view.last_error or None,
    )


def _quotas(left: Mapping[str, tuple[float, float | None]]) -> dict[str, _Quota]:
    named = sorted(left.items(), key=itemgetter(0))
    return {name: _Quota(remaining, iso_or_none(reset_at)) for name, (remaining, reset_at) in named}


def _unknown(id_: str) -> NotFound:
    return NotFound(f"no credential has the id {id_[:64]!r}")


def _missing(adapter: Pooling) -> str:
    """Say what a login would need that is not configured."""
    if not isinstance(adapter, LoggingIn):
        return ""
    try:
        adapter.consent("http://localhost/")
    except ValueError as error:
        return str(error)
    return ""
