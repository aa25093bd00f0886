"""The tables of the database, as the newest migration leaves them."""

from functools import lru_cache
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    insert,
)
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

__all__ = [
    "HEAD",
    "alembic_version",
    "create",
    "credentials",
    "journals",
    "keys",
    "leases",
    "logins",
    "metadata",
    "models",
    "numbers",
    "responses",
    "responses_size",
    "settings",
    "usage",
]

HEAD: Final = "0005"  # the newest migration

metadata: Final = MetaData()

credentials: Final = Table(
    "credentials",
    metadata,
    Column("upstream", Text, primary_key=True),
    Column("id", Text, primary_key=True),  # SHA-256 of the secret that was given first
    Column("source", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("link", Text, nullable=False),  # encrypted, as the three tokens and `other` are
    Column("project_id", Text, nullable=False),
    Column("project_source", Text, nullable=False),
    Column("refresh_token", Text, nullable=False),
    Column("refresh_at", Float, nullable=False),
    Column("access_token", Text, nullable=False),
    Column("access_until", Float, nullable=False),
    Column("access_at", Float, nullable=False),
    Column("cooling", Text, nullable=False),  # JSON, model → Unix seconds
    Column("quota", Text, nullable=False),  # JSON, model → Quota
    Column("uses", BigInteger, nullable=False),
    Column("last_used_at", Float, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("last_error_at", Float, nullable=False),
    Column("other", Text, nullable=False),
    Column("added_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("removed", Boolean, nullable=False),
    Column("key", Text, nullable=False),  # which key its secrets are encrypted with; "" = none, or not known
)
Index("credentials_by_number", credentials.c.upstream, credentials.c.number)

numbers: Final = Table(
    "numbers",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1: there is one row
    Column("number", BigInteger, nullable=False),  # the greatest one that was given to a credential
)

leases: Final = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("until", Float, nullable=False),
)

logins: Final = Table(
    "logins",
    metadata,
    Column("hash", Text, primary_key=True),  # SHA-256 of the state that comes back
    Column("words", Text, nullable=False),  # encrypted
    Column("until", Float, nullable=False),
    Column("key", Text, nullable=False),
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
    Column("value", Text, nullable=False),  # encrypted
)

responses: Final = Table(
    "responses",
    metadata,
    Column("id", Text, primary_key=True),
    Column("principal", Text, nullable=False),
    Column("previous", Text),  # the response that it goes on from
    Column("created_at", Float, nullable=False),
    Column("bytes", BigInteger, nullable=False),  # of the two last columns
    Column("key", Text, nullable=False),  # which key they are encrypted with, "" = none
    Column("items", LargeBinary, nullable=False),  # JSON array: the input
    Column("response", LargeBinary, nullable=False),  # JSON object, with the output
    Column("upstream", Text, nullable=False, server_default=""),  # which keeps it, too, under the same id
)
Index("responses_by_age", responses.c.created_at)
Index("responses_by_caller", responses.c.principal, responses.c.created_at, responses.c.bytes)  # who has how much

responses_size: Final = Table(
    "responses_size",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1: there is one row
    Column("bytes", BigInteger, nullable=False),  # the sum over all responses, so that nobody has to add them up
)

keys: Final = Table(
    "keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("sha256", Text, nullable=False),  # of its text, in hex; the text is nowhere
    Column("prefix", Text, nullable=False),  # what its text begins with, so that people know it again
    Column("models", Text, nullable=False),  # JSON array of globs, [] = all
    Column("upstreams", Text, nullable=False),  # JSON array of names, [] = all
    Column("scopes", Text, nullable=False),  # JSON array
    Column("expires", Float),  # Unix seconds
    Column("limits", Text, nullable=False),  # JSON object, as [limits] has it
    Column("created_at", Float, nullable=False),
    Column("last_used_at", Float, nullable=False),  # 0 = never
    Column("number", BigInteger, nullable=False),
    Column("removed", Boolean, nullable=False),  # revoked; the row tells other processes
)
Index("keys_by_number", keys.c.number)

usage: Final = Table(
    "usage",
    metadata,
    Column("id", Text, primary_key=True),
    Column("started_at", Float, nullable=False),  # Unix seconds
    Column("key", Text, nullable=False),  # its name
    Column("key_id", Text, nullable=False),
    Column("credential", Text, nullable=False),  # its id, "" = the upstream has no pool
    Column("dialect", Text, nullable=False),
    Column("upstream", Text, nullable=False),  # "" = none was reached
    Column("asked", Text, nullable=False),  # the model, as the caller named it
    Column("model", Text, nullable=False),  # the upstream's own name of the one that answered
    Column("status", Integer, nullable=False),  # 0 = none was sent
    Column("end", Text, nullable=False),  # done, error, client_closed, cancelled, killed
    Column("input", BigInteger, nullable=False),  # tokens, with the cached ones
    Column("cached", BigInteger, nullable=False),
    Column("cache_write", BigInteger, nullable=False),
    Column("output", BigInteger, nullable=False),  # with the reasoning
    Column("reasoning", BigInteger, nullable=False),
    Column("estimated", Boolean, nullable=False),  # the tokens are not the upstream's own count
    Column("usd", Float),  # None = no price is known
    Column("first_byte_s", Float),
    Column("total_s", Float),  # of one that was killed, until that was found
    Column("request_id", Text, nullable=False, server_default=""),  # as the log has it; "" = an older version's
)
Index("usage_by_time", usage.c.started_at)
Index("usage_by_key", usage.c.key_id, usage.c.started_at)

journals: Final = Table(
    "journals",
    metadata,
    Column("name", Text, primary_key=True),  # of the file
    Column("read", BigInteger, nullable=False),  # bytes of it that are in `usage`
)

# Alembic's own, so no migration makes it
alembic_version: Final = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def create(connection: Connection) -> None:
    """Make all of them in an empty database, as the migrations would."""
    for statement in _statements(connection.dialect):
        connection.exec_driver_sql(statement)
    connection.execute(insert(numbers).values(id=1, number=0))
    connection.execute(insert(responses_size).values(id=1, bytes=0))
    connection.execute(insert(alembic_version).values(version_num=HEAD))


@lru_cache(maxsize=1)  # of files, which are made one after the other
def _statements(dialect: Dialect) -> tuple[str, ...]:
    """Compile what makes the tables: SQLAlchemy itself keeps no such statement."""
    made: list[ExecutableDDLElement] = []
    for table in (*metadata.sorted_tables, alembic_version):
        made += (CreateTable(table), *map(CreateIndex, table.indexes))
    return tuple(str(one.compile(dialect=dialect)) for one in made)
