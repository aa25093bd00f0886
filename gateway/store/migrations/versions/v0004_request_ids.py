"""The id of the request in the ledger, by which the log and the caller know it."""

from typing import Final

import sqlalchemy as sa
from alembic import op

__all__ = ["upgrade"]

revision: Final = "0004"
down_revision: Final = "0003"


def upgrade() -> None:
    """Add a column; of the rows that are there nobody knows it. A copy that is only read has not this table."""
    if sa.inspect(op.get_bind()).has_table("usage"):
        op.add_column("usage", sa.Column("request_id", sa.Text, nullable=False, server_default=""))
