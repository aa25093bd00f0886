"""`gateway run --reload`: start again when the configuration or a Python file changes. For development."""

import os
import shlex
import sys
from pathlib import Path

import watchfiles

from gateway.config import Loaded

__all__ = ["run_again"]


class _Sources(watchfiles.DefaultFilter):
    """Python files, the configuration and .env; the gateway's own data changes all the time."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__()
        self._names = names

    def __call__(self, change: watchfiles.Change, path: str) -> bool:
        return super().__call__(change, path) and (path.endswith(".py") or Path(path).name in self._names)


def run_again(loaded: Loaded) -> None:
    """Run this command without `--reload` until a signal, again after each change."""
    words = [word for word in sys.argv[1:] if word != "--reload"]
    command = shlex.join([sys.executable, "-m", "gateway", *words])
    if loaded.file is not None:  # by its name from now on: when it is gone, nothing starts until it is back
        os.environ["GATEWAY_CONFIG"] = str(loaded.file)
    names = frozenset({".env", loaded.file.name if loaded.file else "gateway.toml"})
    folders = {Path.cwd(), loaded.folder}
    watchfiles.run_process(*folders, target=command, target_type="command", watch_filter=_Sources(names))
