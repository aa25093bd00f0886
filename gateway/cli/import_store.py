"""Take accounts into the store. What the store knows is newer and stays; importing again changes nothing."""

import time
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from gateway.adapters.credential import credential_id
from gateway.adapters.credential_files import ImportedCredential
from gateway.cli.import_read import SHORT_LIVED
from gateway.config import Secret
from gateway.config.replaced import Fate
from gateway.store.credentials import CredentialStore, StoredAccount, StoredCredential

__all__ = ["Stored", "take_in"]

_REVOKED = "invalid_grant"  # the refresh token is of no use any more, so another one is news


class Stored(Struct):
    """The accounts of one upstream, by everything that they are recognised by."""

    accounts: dict[str, StoredAccount]
    rows: dict[str, StoredCredential]

    def by_token(self, id_: str) -> StoredAccount | None:
        """Find an account by the hash of its refresh token, the first one or a later one."""
        newer = {
            credential_id(Secret(row.refresh_token)): known for known, row in self.rows.items() if row.refresh_token
        }
        return self.accounts.get(id_) or self.accounts.get(newer.get(id_, ""))

    def by_email(self, email: str) -> StoredAccount | None:
        """Find an account by its e-mail."""
        return next((one for one in self.accounts.values() if email and one.email == email), None)

    def is_revoked(self, account: StoredAccount) -> bool:
        """Tell whether an account waits for another refresh token."""
        row = self.rows.get(account.id)
        return row is not None and row.state == "disabled" and row.reason.startswith(_REVOKED)


def take_in(store: CredentialStore, upstream: str, given: Iterable[ImportedCredential]) -> Iterator[Fate]:
    """Write the accounts that are new, and say of each what happened; raise StoreFailed."""
    stored = Stored({one.id: one for one in store.accounts(upstream)}, store.load(upstream))
    for one in given:
        id_, old = credential_id(Secret(one.refresh_token)), one.place or "the account"
        known = stored.by_token(id_)
        namesake = stored.by_email(one.email or "")
        if known is None and namesake is not None and not stored.is_revoked(namesake):
            known = namesake
        if known is not None:
            yield Fate(old=old, word=f"in the store already: credential {known.id[:8]}, which stays as it is")
            continue
        account = _account(one, id_)
        store.take_in(upstream, account, instead_of=namesake.id if namesake is not None else "")
        if namesake is not None:
            del stored.accounts[namesake.id]
        stored.accounts[id_] = account
        said = f"taken into the store: credential {id_[:8]} of upstream {upstream}"
        yield Fate(old=old, word=said + _disabled(store, upstream, one, id_))


def _account(one: ImportedCredential, id_: str) -> StoredAccount:
    other = {name: value for name, value in one.other.items() if name not in SHORT_LIVED}
    return StoredAccount(
        id=id_,
        refresh_token=one.refresh_token,
        email=one.email or "",
        project_id=one.project_id or "",
        other=msgspec.json.encode(other).decode(),
        added_at=time.time(),
    )


def _disabled(store: CredentialStore, upstream: str, one: ImportedCredential, id_: str) -> str:
    """Keep an account out of use that the file keeps out of use."""
    if one.enabled is not False:
        return ""
    reason = one.disabled_reason or "not enabled in the imported file"
    store.save(upstream, StoredCredential(id=id_, state="disabled", reason=reason, updated_at=time.time()))
    return f", disabled: {reason}"
