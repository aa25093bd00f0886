"""An index by which what each caller keeps is added up, and its oldest are found."""

from typing import Final

import sqlalchemy as sa
from alembic import op

__all__ = ["upgrade"]

revision: Final = "0005"
down_revision: Final = "0004"


def upgrade() -> None:
    """Add the index. A copy that is only read has not this table."""
    if sa.inspect(op.get_bind()).has_table("responses"):
        op.create_index("responses_by_caller", "responses", ["principal", "created_at", "bytes"])
