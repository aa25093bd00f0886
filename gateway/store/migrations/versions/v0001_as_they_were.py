"""The tables as version 0.1.0 made them, before there were migrations: what is there stays."""

from typing import Final

import sqlalchemy as sa
from alembic import op

__all__ = ["upgrade"]

revision: Final = "0001"
down_revision: Final = None


def upgrade() -> None:
    """Make what is missing."""
    _credentials()
    _responses()


def _credentials() -> None:
    op.create_table(
        "credentials",
        sa.Column("upstream", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("project_source", sa.Text, nullable=False),
        sa.Column("refresh_token", sa.Text, nullable=False),
        sa.Column("cooling", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "accounts",
        sa.Column("upstream", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("refresh_token", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("other", sa.Text, nullable=False),
        sa.Column("added_at", sa.Float, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "models",
        sa.Column("upstream", sa.Text, primary_key=True),
        sa.Column("json", sa.Text, nullable=False),
        sa.Column("fetched_at", sa.Float, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        if_not_exists=True,
    )


def _responses() -> None:
    op.create_table(
        "responses",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("previous", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("items", sa.LargeBinary, nullable=False),
        sa.Column("response", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("responses")}
    if "upstream" not in columns:
        op.add_column("responses", sa.Column("upstream", sa.Text, nullable=False, server_default=""))
    op.create_index("responses_by_age", "responses", ["created_at"], if_not_exists=True)
    op.create_table(
        "responses_size",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    size = sa.table("responses_size", sa.column("id"), sa.column("bytes"))
    if op.get_bind().scalar(sa.select(size.c.id)) is None:
        op.execute(sa.insert(size).values(id=1, bytes=0))
