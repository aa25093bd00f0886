"""The environment with what a .env file adds to it; the real environment wins."""

import logging
from collections.abc import Mapping
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import IO, Final

from msgspec import Struct

from gateway.config.problems import Problem, may_be_file, unread
from gateway.config.sources import Source

__all__ = ["Variables", "parse_dotenv", "read_dotenv", "read_variables"]


class Variables(Struct, frozen=True):
    """Every variable, and which of them the .env file gave."""

    values: Mapping[str, str]
    from_file: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()

    def source(self, name: str) -> Source:
        """Say who gave a variable."""
        return Source(".env" if name in self.from_file else "env", name)

    def get(self, name: str) -> str:
        """Give a variable's value without the blanks around it; an empty one counts as not set."""
        return self.values.get(name, "").strip()


_logger: Final = logging.getLogger(__name__)


def read_variables(environ: Mapping[str, str], folder: Path, *, dotenv: bool) -> Variables:
    """Read `.env` of the folder, when wanted and there, under the real environment."""
    file = folder / ".env"
    if not dotenv or not may_be_file(file):
        return Variables(environ)
    try:
        read = read_dotenv(file)
    except (OSError, ValueError) as error:
        return Variables(environ, problems=(Problem(str(file), None, f"cannot be read: {unread(error)}"),))
    return Variables({**read, **environ}, frozenset(read.keys() - environ.keys()))


def read_dotenv(file: Path) -> dict[str, str]:
    """Give what a .env sets, and tell which of its lines set nothing; raise OSError or ValueError."""
    with file.open(encoding="utf-8-sig") as opened:
        return parse_dotenv(opened, str(file))


def parse_dotenv(text: IO[str], place: str) -> dict[str, str]:
    """Give what the text of a .env sets, and tell which of its lines set nothing."""
    # a fifth of the time that importing the configuration takes, and few folders have the file
    dotenv, parser = import_module("dotenv"), import_module("dotenv.parser")
    kept: list[str] = []
    for binding in parser.parse_stream(text):
        if binding.error:  # of which dotenv names the line alone
            _logger.warning("%s:%d: is not NAME=value, and is ignored", place, binding.original.line)
        else:
            kept.append(binding.original.string)
    found: dict[str, str | None] = dotenv.dotenv_values(stream=StringIO("".join(kept)))
    return {name: value for name, value in found.items() if value is not None}
