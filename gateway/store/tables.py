"""The tables of gateway.db."""

from typing import Final

from sqlalchemy import Column, Float, MetaData, Table, Text

__all__ = ["credentials", "metadata", "models", "settings"]

metadata: Final = MetaData()

credentials: Final = Table(
    "credentials",
    metadata,
    Column("upstream", Text, primary_key=True),
    Column("id", Text, primary_key=True),  # SHA-256 of the refresh token that was given first
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("project_source", Text, nullable=False),
    Column("refresh_token", Text, nullable=False),  # "" as long as the upstream gave no new one
    Column("cooling", Text, nullable=False),  # JSON, model → Unix seconds
    Column("updated_at", Float, nullable=False),
)

models: Final = Table(
    "models",
    metadata,
    Column("upstream", Text, primary_key=True),
    Column("json", Text, nullable=False),
    Column("fetched_at", Float, nullable=False),
)

settings: Final = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
