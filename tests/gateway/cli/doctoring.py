"""What `gateway doctor` has found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["Said", "Write", "of"]

Write = Callable[[str], Path]
Said = list[dict[str, Any]]


def of(findings: Said, check: str) -> list[tuple[str, str]]:
    """Give the level and message of what one check found."""
    return [(one["level"], one["message"]) for one in findings if one["check"] == check]
