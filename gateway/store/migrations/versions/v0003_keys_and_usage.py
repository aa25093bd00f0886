"""Keys that are made at run time, and the ledger of requests with what was read of its journals."""

from typing import Final

import sqlalchemy as sa
from alembic import op

__all__ = ["upgrade"]

revision: Final = "0003"
down_revision: Final = "0002"


def upgrade() -> None:
    """Make three tables."""
    op.create_table(
        "keys",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("upstreams", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("expires", sa.Float),
        sa.Column("limits", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("last_used_at", sa.Float, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
    )
    op.create_index("keys_by_number", "keys", ["number"])
    op.create_table(
        "usage",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("credential", sa.Text, nullable=False),
        sa.Column("dialect", sa.Text, nullable=False),
        sa.Column("upstream", sa.Text, nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("end", sa.Text, nullable=False),
        sa.Column("input", sa.BigInteger, nullable=False),
        sa.Column("cached", sa.BigInteger, nullable=False),
        sa.Column("cache_write", sa.BigInteger, nullable=False),
        sa.Column("output", sa.BigInteger, nullable=False),
        sa.Column("reasoning", sa.BigInteger, nullable=False),
        sa.Column("estimated", sa.Boolean, nullable=False),
        sa.Column("usd", sa.Float),
        sa.Column("first_byte_s", sa.Float),
        sa.Column("total_s", sa.Float),
    )
    op.create_index("usage_by_time", "usage", ["started_at"])
    op.create_index("usage_by_key", "usage", ["key_id", "started_at"])
    op.create_table(
        "journals",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("read", sa.BigInteger, nullable=False),
    )
