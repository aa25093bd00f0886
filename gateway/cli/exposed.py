"""The files that hold secrets, and which of them others on this machine can read."""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.config import Loaded, V1InternalConfig, secrets_of
from gateway.config.sources import as_list, as_tree
from gateway.store import FILE
from gateway.store.folder import is_there

__all__ = ["closing", "is_exposed", "mode_of", "secret_files"]

_MOUNTED: Final = Path("/run/secrets")


def secret_files(loaded: Loaded, *, dotenv: bool = True) -> Iterator[tuple[Path, str]]:
    """Name the files that are there and hold secrets, and what they hold."""
    for file, what in _private(loaded, dotenv=dotenv):
        if os.name != "nt" and is_there(file) and file.is_file() and not _is_mounted(file):
            yield file, what


def _is_mounted(file: Path) -> bool:
    """Tell whether a container gets it so that all of its users can read it; Kubernetes keeps it in a `..2026_…`."""
    real = Path(os.path.realpath(file))
    return real.is_relative_to(_MOUNTED) or any(part.startswith("..") for part in real.parts)


def mode_of(path: Path) -> int:
    """Give the rights to a file or folder."""
    return path.stat().st_mode & 0o777


def is_exposed(path: Path) -> bool:
    """Tell whether others than its owner can do anything with it."""
    return bool(mode_of(path) & 0o077)


def closing(path: Path) -> str:
    """Say how others are kept from a file or folder; one that is another user's would be closed to this process."""
    command = f"chmod {700 if path.is_dir() else 600} {path}"
    if os.geteuid() in (0, path.stat().st_uid):
        return command
    return f"it is another user's: keep no secrets in it, or give it to the gateway's user, then {command}"


def _private(loaded: Loaded, *, dotenv: bool) -> Iterator[tuple[Path, str]]:
    if dotenv:
        yield loaded.folder / ".env", "secrets"
    if loaded.file is not None:
        said = _said(loaded.file)
        if any(map(_tells, {*secrets_of(loaded.config)} & {*said})):
            yield loaded.file, "secrets in clear"
        for name in (text.removeprefix("file:") for text in said if text.startswith("file:")):
            yield loaded.resolve(name), "a secret"
    for upstream in loaded.config.upstream.values():
        if isinstance(upstream, V1InternalConfig) and upstream.pool.import_:
            yield loaded.resolve(upstream.pool.import_), "refresh tokens"
    data = loaded.resolve(loaded.config.server.data_dir)
    for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
        yield data / name, "the credential store"


def _tells(secret: str) -> bool:
    """Tell whether a secret is one: the address of a database may have no password."""
    return bool(secret) and ("://" not in secret or "@" in secret or "?" in secret)


def _said(file: Path) -> list[str]:
    try:
        return list(_texts(tomllib.loads(file.read_text("utf-8-sig"))))
    except (OSError, ValueError):  # it is being edited, or cannot be read twice
        return []


def _texts(value: object) -> Iterator[str]:
    table, items = as_tree(value), as_list(value)
    if isinstance(value, str):
        yield value
    for item in table.values() if table is not None else items or ():
        yield from _texts(item)
