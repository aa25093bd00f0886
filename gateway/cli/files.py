"""What commands write: new files, and more lines for .env. Nothing that is there is changed."""

import errno
import os
import re
import secrets
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Final

from gateway.config import ConfigError, Problem
from gateway.config.problems import may_be_file, unread
from gateway.config.variables import read_dotenv

__all__ = ["Dotenv", "create", "leave_output", "new_key", "target_of", "unserved"]

_OUTPUT: Final = 1
_PLAIN: Final = re.compile(r"[\w.:/+=@,-]*", re.ASCII)


def target_of(config: str | None) -> Path:
    """Name the gateway.toml that `gateway run` would use, also when there is none yet."""
    return Path(config or os.environ.get("GATEWAY_CONFIG") or "gateway.toml")


def create(file: Path, text: str, mode: int = 0o644) -> None:
    """Make a file that is not there yet, whole or not at all; raise ConfigError."""
    try:
        number = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
        try:
            with os.fdopen(number, "w", encoding="utf-8") as opened:
                opened.write(text)
        except BaseException:
            file.unlink()  # the half of it would be in the way of the next try
            raise
    except OSError as error:
        raise ConfigError([Problem(str(file), None, f"cannot be written: {error.strerror}")]) from None


def leave_output() -> None:
    """Write no more to standard output, which has failed: what waits there would fail once more at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), _OUTPUT)


def new_key() -> str:
    """Make a key for clients."""
    return f"sk-{secrets.token_urlsafe(32)}"


def unserved(kind: str) -> str:
    """Say that an upstream is for a later version."""
    return f"this version does not support upstreams of type {kind}: `gateway run` would not start"


class Dotenv:
    """The .env of a folder, and what is to be added to it; raises ConfigError for one that cannot be read.

    `sealed`: it may not be changed.
    """

    def __init__(self, file: Path, environ: Mapping[str, str], *, sealed: bool = False) -> None:
        self.file = file
        self.new: dict[str, str] = {}
        self.sealed = sealed
        self._environ = environ
        self._there = _read(file) if may_be_file(file) else {}

    @property
    def variables(self) -> dict[str, str]:
        """Give every variable as `gateway run` will see it."""
        return {**self._there, **self.new, **self._environ}

    @property
    def privacy(self) -> str:
        """Say who can read what was written."""
        closed = not self.file.stat().st_mode & 0o077
        return "readable only by you" if closed else f"which other users can read: chmod 600 {self.file}"

    def name_of(self, wanted: str, value: str) -> str:
        """Give the variable that holds this value, `wanted` or one like it; "" when a sealed file has none."""
        name, number = wanted, 1
        while self._in_effect(name) not in (None, value):
            number += 1
            name = f"{wanted}_{number}"
        if self._there.get(name) == value:
            return name
        if self.sealed:
            return ""
        self.new[name] = value
        return name

    def keep(self, name: str, value: str) -> str:
        """Add a variable under its own name where it is missing; give what the file then says, "" for nothing."""
        there = self.new.get(name) or self._there.get(name) or ""
        if not there and not self.sealed:
            self.new[name] = there = value
        return there

    def _in_effect(self, name: str) -> str | None:
        """Give what a variable would be; an empty line of the file can be followed by one that counts."""
        return self._environ.get(name, self.new.get(name) or self._there.get(name) or None)

    def write(self) -> None:
        """Add what is new; a file that is made is for its owner only. Raise ConfigError."""
        if not self.new:
            return
        try:
            number = os.open(self.file, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
            with os.fdopen(number, "rb+", buffering=0) as opened:
                before = opened.read()
                lines = "".join(f"{name}={_quoted(value)}\n" for name, value in self.new.items())
                _append(opened, ("" if not before or before.endswith(b"\n") else "\n").encode() + lines.encode())
        except OSError as error:
            raise ConfigError([Problem(str(self.file), None, f"cannot be written: {error.strerror}")]) from None


def _append(opened: FileIO, data: bytes) -> None:
    """Add all of it or nothing: half a secret would be one, too."""
    before = os.fstat(opened.fileno()).st_size
    if opened.write(data) < len(data):
        opened.truncate(before)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _read(file: Path) -> dict[str, str]:
    try:
        return read_dotenv(file)
    except (OSError, ValueError) as error:
        raise ConfigError([Problem(str(file), None, f"cannot be read: {unread(error)}")]) from None


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("${", "${:-$}{")  # else a variable's value
    return f"'{escaped}'"
