"""One table holds all that is known of a credential, those that were taken in among them; leases and logins."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from alembic import op

__all__ = ["upgrade"]

revision: Final = "0002"
down_revision: Final = "0001"

_ASKED: Final = "needs_verification"  # its reason held the link, too
_NOTHING: Final[Mapping[str, object]] = {
    "source": "config",
    "email": "",
    "state": "active",
    "reason": "",
    "link": "",
    "project_id": "",
    "project_source": "",
    "refresh_token": "",
    "refresh_at": 0.0,
    "access_token": "",
    "access_until": 0.0,
    "access_at": 0.0,
    "cooling": "{}",
    "quota": "{}",
    "uses": 0,
    "last_used_at": 0.0,
    "last_error": "",
    "last_error_at": 0.0,
    "other": "",
    "added_at": 0.0,
    "updated_at": 0.0,
    "removed": False,
    "key": "",
}


def upgrade() -> None:
    """Make the tables anew, with the rows that were there."""
    bind = op.get_bind()
    credentials = bind.execute(sa.text("SELECT * FROM credentials")).mappings().all()
    accounts = bind.execute(sa.text("SELECT * FROM accounts")).mappings().all()
    op.drop_table("accounts")
    op.drop_table("credentials")
    table = _make_credentials()
    rows = list(_rows(credentials, accounts))
    op.bulk_insert(table, rows)
    numbers = op.create_table(
        "numbers",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(numbers, [{"id": 1, "number": len(rows)}])
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
    )
    op.create_table(
        "logins",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
    )


def _make_credentials() -> sa.Table:
    types: Mapping[type, type[sa.types.TypeEngine[Any]]] = {
        str: sa.Text,
        float: sa.Float,
        int: sa.BigInteger,
        bool: sa.Boolean,
    }
    table = op.create_table(
        "credentials",
        sa.Column("upstream", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, types[type(value)], nullable=False) for name, value in _NOTHING.items()),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.create_index("credentials_by_number", "credentials", ["upstream", "number"])
    return table


def _rows(credentials: Sequence[sa.RowMapping], accounts: Sequence[sa.RowMapping]) -> Iterator[dict[str, object]]:
    """Join what was known of each with what it was taken in as, which wins where an operator gave it."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for row in credentials:
        reason, _, link = row["reason"].partition(": ") if row["state"] == _ASKED else (row["reason"], "", "")
        rows[row["upstream"], row["id"]] = {**_NOTHING, **row, "reason": reason, "link": link}
    for row in accounts:
        place = row["upstream"], row["id"]
        rows[place] = _account(row, rows.get(place, {**_NOTHING}))
    for number, ((upstream, id_), whole) in enumerate(rows.items(), 1):
        yield {**whole, "upstream": upstream, "id": id_, "number": number}


def _account(account: sa.RowMapping, row: Mapping[str, Any]) -> dict[str, Any]:
    given = account["project_id"]
    return {
        **row,
        "source": "import",
        "email": account["email"],
        "project_id": given or row["project_id"],
        "project_source": "import" if given else row["project_source"],
        "refresh_token": row["refresh_token"] or account["refresh_token"],
        "other": account["other"],
        "added_at": account["added_at"],
    }
