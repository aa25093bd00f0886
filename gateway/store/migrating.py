"""Bring the tables to the newest migration; loaded only when they are older, for it loads Alembic."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from gateway.store.stored import NewerTables

__all__ = ["FOLDER", "upgrade"]

FOLDER: Final = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Run what is missing in the connection's own transaction; raise NewerTables."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise NewerTables("its tables come from a newer version of the gateway, or from another program") from None
