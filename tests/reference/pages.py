"""The pages by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from . import commands, configuration, errors, licences, metrics

__all__ = ["FOLDER", "PAGES"]

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"
PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "configuration.md": configuration.written,
    "commands.md": commands.written,
    "errors.md": errors.written,
    "licences.md": licences.written,
    "metrics.md": metrics.written,
}
