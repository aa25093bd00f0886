"""Read the configuration again while it is in use: what may change, and what stays until the next start."""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.config.load import Loaded
from gateway.config.problems import ConfigError, Problem
from gateway.config.schema import Config
from gateway.config.sources import KeyPath, Source

__all__ = ["NEEDS_RESTART", "Again", "Refuses", "read_again"]

Refuses = Callable[[Config], str | None]  # says why a process cannot work with a configuration

# Keys that have an effect at the start only, and why. All others hold for the next request.
NEEDS_RESTART: Final[Mapping[KeyPath, str]] = {
    ("server", "host"): "the gateway is already listening",
    ("server", "port"): "the gateway is already listening",
    ("server", "data_dir"): "its files are open",
    ("store", "database"): "it is open",
    ("store", "redis"): "it is connected",
    ("store", "encryption_key"): "the store is open with it",
}
_DATA_DIR: Final = ("server", "data_dir")
_BESIDES: Final = ("dotenv", "folder")


class Again(Struct, frozen=True):
    """What was read: `loaded` has the old values of those keys that wait for a restart.

    `waiting`: these keys, with who gives their new values.
    """

    loaded: Loaded
    waiting: Mapping[KeyPath, Source]

    def changed(self, running: Loaded) -> list[str]:
        """Name the sections, and the other parts, that are not as in the configuration in use."""
        new, old = self.loaded, running
        sections = [name for name in Config.__struct_fields__ if getattr(new.config, name) != getattr(old.config, name)]
        return [*sections, *(name for name in _BESIDES if getattr(new, name) != getattr(old, name))]


def read_again(running: Loaded, refuses: Refuses) -> Again:
    """Read what is there now in the place of the configuration in use; raise ConfigError for all that is wrong."""
    if running.again is None:
        raise ConfigError([Problem("configuration", None, "was given as a value and cannot be reloaded")])
    found = running.again()
    config, waiting = found.config, dict[KeyPath, Source]()
    for path in NEEDS_RESTART:
        old, new = _value(running.config, path), _value(found.config, path)
        if path == _DATA_DIR and running.folder != found.folder:
            old, new = (str(one.resolve(one.config.server.data_dir)) for one in (running, found))
        if old != new:
            config = _put(config, path, old)
            waiting[path] = found.source(path)
    for one in (found.config, config):
        refusal = refuses(one)
        if refusal is not None:
            raise ConfigError([Problem(str(found.file or "configuration"), None, refusal)])
    return Again(replace(found, config=config, again=found.again or running.again), waiting)


def _value(config: Config, path: KeyPath) -> object:
    section, key = map(str, path)
    value: object = getattr(getattr(config, section), key)
    return value


def _put(config: Config, path: KeyPath, value: object) -> Config:
    section, key = map(str, path)
    return replace(config, **{section: replace(getattr(config, section), **{key: value})})
