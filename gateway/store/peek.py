"""A connection of one's own to a SQLite file, which only reads."""

import sqlite3

__all__ = ["peek"]


def peek(uri: str, query: str, *, wait_s: float, any_thread: bool = False) -> sqlite3.Connection:
    """Open a file that answers a query; raise sqlite3.Error. `wait_s`: for others who write."""
    connection = sqlite3.connect(uri, uri=True, timeout=wait_s, check_same_thread=not any_thread)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute(query).fetchall()
    except sqlite3.Error:
        connection.close()
        raise
    return connection
