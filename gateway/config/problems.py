"""What is wrong with a configuration: all of it in one run, one line each."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from stat import S_ISREG

from msgspec import Struct

from gateway.legible import legible

__all__ = ["ConfigError", "Problem", "class_of", "did_you_mean", "may_be_file", "nearest", "one_line", "unread"]


class Problem(Struct, frozen=True):
    """One line, whatever it quotes: `FILE:LINE: message`; without a line for what no file says."""

    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return legible(f"{where}: {self.message}")


class ConfigError(Exception):
    """The configuration cannot be used. `problems` holds every reason, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give `; did you mean "x"?` for the nearest known word, else nothing."""
    near = nearest(word, known)
    return f'; did you mean "{near}"?' if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Give the known word that is most like this one, "" where none is."""
    by_fold = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold(), by_fold, 1)
    return by_fold[close[0]] if close else ""


def one_line(error: Exception) -> str:
    """Say what somebody else's code has raised."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def class_of(value: object) -> str:
    """Say of what class a value is that somebody else's code gave."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def may_be_file(path: Path) -> bool:
    """Tell whether there is a file, or may be one: whoever reads it in a folder that is closed to this user is told."""
    try:
        return S_ISREG(path.stat().st_mode)
    except PermissionError:
        return True
    except (OSError, ValueError):  # a zero byte in its name
        return False


def unread(error: Exception) -> str:
    """Say why a file cannot be read, which is named beside it."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
