"""What outlives a request: counters in memory, credentials and responses in the database."""

from typing import Final

__all__ = ["FILE"]

FILE: Final = "gateway.db"  # below server.data_dir
