"""The tables of gateway.db."""

from typing import Final

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, MetaData, Table, Text

__all__ = ["accounts", "credentials", "metadata", "models", "responses", "responses_size", "settings"]

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

accounts: Final = Table(
    "accounts",
    metadata,
    Column("upstream", Text, primary_key=True),
    Column("id", Text, primary_key=True),  # of the row in credentials that says how it is
    Column("refresh_token", Text, nullable=False),  # as it was given; a newer one is in credentials
    Column("email", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("other", Text, nullable=False),  # JSON: what the file it came from said besides
    Column("added_at", Float, nullable=False),
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

responses: Final = Table(
    "responses",
    metadata,
    Column("id", Text, primary_key=True),
    Column("principal", Text, nullable=False),
    Column("previous", Text),  # the response that it goes on from
    Column("created_at", Float, nullable=False),
    Column("bytes", Integer, nullable=False),  # of the two last columns
    Column("key", Text, nullable=False),  # which key they are encrypted with, "" = none
    Column("items", LargeBinary, nullable=False),  # JSON array: the input
    Column("response", LargeBinary, nullable=False),  # JSON object, with the output
    Column("upstream", Text, nullable=False, server_default=""),  # which keeps it, too, under the same id
)
Index("responses_by_age", responses.c.created_at)

responses_size: Final = Table(
    "responses_size",
    metadata,
    Column("id", Integer, primary_key=True),  # 1: there is one row
    Column("bytes", Integer, nullable=False),  # the sum over all responses, so that nobody has to add them up
)
