"""What `gateway doctor` finds on this machine: Python, the configuration, keys, files and their modes, the disk."""

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.cli.doctor_finding import Finding, ok, problem, warning
from gateway.cli.exposed import closing, is_exposed, mode_of, secret_files
from gateway.cli.keys_work import ever_stored
from gateway.cli.unfit import closed_log
from gateway.config import (
    SAMPLE_KEYS,
    ConfigError,
    Loaded,
    is_loopback,
    missing_extras,
    refuses_bind,
    report,
)
from gateway.store.folder import nearest, unusable, write_some
from gateway.store.stored_keys import StoredKey

__all__ = ["folder", "log", "python", "recordings", "settings", "stored_keys"]

_LEAST: Final = (3, 11)
_SCARCE_BYTES: Final = 100 * 2**20


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Iterator[Finding]:
    """Look at the interpreter."""
    said = f"{platform.python_implementation()} {'.'.join(map(str, version))}"
    if version[:2] < _LEAST:
        yield problem("python", f"{said} is too old", f"install Python {'.'.join(map(str, _LEAST))} or later")
    else:
        yield ok("python", said)


def settings(loaded: Loaded, *, dotenv: bool = True) -> Iterator[Finding]:
    """Look at the configuration and all that it says without the network."""
    for check in (_config, _extras, _keys, _bind):
        yield from check(loaded)
    for file, what in secret_files(loaded, dotenv=dotenv):
        yield _readable(file, what)


def _config(loaded: Loaded) -> Iterator[Finding]:
    yield ok("configuration", f"{loaded.file or 'none, built-in defaults'}")
    idle = [row.key for row in report(loaded) if row.reason and row.source != "default"]
    if idle:
        yield warning(
            "configuration",
            f"without effect: {', '.join(idle)}",
            "`gateway check` says why each has no effect: remove them, or add what they need",
        )


def _extras(loaded: Loaded) -> Iterator[Finding]:
    for missing in missing_extras(loaded):
        said, _, install = str(missing).partition(": pip ")
        yield problem("extras", said, f"pip {install}")


# who may come in


def _keys(loaded: Loaded) -> Iterator[Finding]:
    config = loaded.config
    given = [*config.auth.keys, *(one.secret for one in config.key if one.secret)]
    if any(key.reveal() in SAMPLE_KEYS for key in given):
        yield warning("keys", "a published sample key is accepted", "replace it with one that `gateway init` makes")
    over = [one.name for one in config.key if one.expires and one.expires < datetime.now(UTC)]
    if over:
        yield warning("keys", f"over: {', '.join(over)}", "change their `expires`, or remove them")
    ever = _ever_stored(loaded)
    made = [one for one in ever if not one.removed]
    over = [one.name for one in made if one.expires is not None and one.expires < time.time()]
    if over:
        yield warning("keys", f"over: {', '.join(over)}", "gateway keys revoke NAME, and make a new one")
    count = len(config.auth.keys) + len(config.key) + len(made)
    if not count and ever and config.auth.allow_anonymous != "always":
        yield warning("keys", "none is valid: the last one was revoked", "gateway keys new NAME")
    else:
        yield ok(
            "keys",
            ("1 key" if count == 1 else f"{count} keys")
            if count
            else f"no keys, anonymous access: {config.auth.allow_anonymous}",
        )


def _bind(loaded: Loaded) -> Iterator[Finding]:
    config = loaded.config
    if is_loopback(config.server.host) or config.auth.keys or config.key or stored_keys(loaded):
        return
    if refuses_bind(config) is not None:
        yield problem("bind", f"server.host {config.server.host} is open to the network without a key", _KEY_FIX)
    else:
        yield warning("bind", f"anyone who can reach {config.server.host} may use the accounts", _KEY_FIX)


def stored_keys(loaded: Loaded) -> Sequence[StoredKey]:
    """Read the keys that were made at run time; none where they cannot be read, which the look at the store tells."""
    return [one for one in _ever_stored(loaded) if not one.removed]


def _ever_stored(loaded: Loaded) -> Sequence[StoredKey]:
    try:
        return ever_stored(loaded)
    except ConfigError:
        return ()


_KEY_FIX: Final = "set auth.keys to a key that only your clients know"


# files


def _readable(file: Path, what: str) -> Finding:
    mode = mode_of(file)
    if is_exposed(file):
        return warning("files", f"{file} holds {what}, and other users can read it: mode {mode:04o}", closing(file))
    return ok("files", f"{file}: mode {mode:04o}")


# the disk


def log(loaded: Loaded) -> Iterator[Finding]:
    """Look at log.file: may it be written."""
    for one in closed_log(loaded):
        yield problem("log", str(one), "make it writable for the gateway's user, or set log.file")


def recordings(loaded: Loaded) -> Iterator[Finding]:
    """Look at record.dir, in which nothing is written before the first request."""
    given = loaded.config.record.dir
    why = unusable(loaded.resolve(given)) if given else ""
    if why:
        fix = "make it writable for the gateway's user, or set record.dir"
        yield problem("record", f"nothing can be recorded: {why}", fix)


def folder(
    loaded: Loaded, free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free
) -> Iterator[Finding]:
    """Look at data_dir: may it be written, is there room, can others look into it."""
    data = loaded.resolve(loaded.config.server.data_dir)
    there = nearest(data)
    try:
        write_some(there)
    except OSError as error:
        fix = "make it writable for the gateway's user, free space on its disk, or set server.data_dir"
        yield problem("data_dir", f"{data} cannot be written: {error.strerror}", fix)
        return
    left = free(there)
    if left < _SCARCE_BYTES:
        yield warning("data_dir", f"{left // 2**20} MB are left on the disk of {data}", "make room")
    if os.name != "nt" and data.is_dir() and is_exposed(data):
        yield warning("data_dir", f"other users can read {data}: mode {mode_of(data):04o}", closing(data))
    else:
        yield ok("data_dir", f"{data} is writable" if data.is_dir() else f"{data} will be created at the first start")
