"""Files of the replaced systems, where those read them: here they are imported once, and lie unread without that."""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.config import Loaded
from gateway.config.sources import as_tree
from gateway.upstream import Adapter, LoggingIn

__all__ = ["unread"]

_MAX_BYTES: Final = 1024 * 1024
_SETTINGS: Final = frozenset(  # those that no other program is likely to have
    {"antigravity_api_key", "antigravity_refresh_token", "local_api_key", "auth_keys", "credentials_file"}
)
_ACCOUNTS: Final = frozenset({"oauth_config"})


def unread(loaded: Loaded, upstreams: Iterable[Adapter]) -> Iterator[str]:
    """Name those that nothing has imported: no gateway.toml is in use, and of accounts none is in the store."""
    if loaded.file is not None:
        return
    folder, data = loaded.folder, loaded.resolve(loaded.config.server.data_dir)
    if _has(folder / "config.json", _SETTINGS):
        yield "config.json"
    if any(one.views() for one in upstreams if isinstance(one, LoggingIn)):
        return
    for file in (folder / "tokens.json", data / "tokens.json"):
        if _has(file, _ACCOUNTS):
            yield str(file.relative_to(folder) if file.is_relative_to(folder) else file)


def _has(file: Path, names: frozenset[str]) -> bool:
    """Tell whether it is a JSON object with one of these members: other programs have files of such names, too."""
    try:
        with file.open("rb") as opened:
            content: object = msgspec.json.decode(opened.read(_MAX_BYTES).removeprefix(BOM_UTF8))
    except (OSError, ValueError, RecursionError):
        return False
    return not names.isdisjoint(as_tree(content) or ())
