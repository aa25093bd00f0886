"""What the configuration decides about one request, step by step, for whoever explains it."""

from msgspec import Struct

from gateway.config.sources import KeyPath, dotted

__all__ = ["Decision"]


class Decision(Struct, frozen=True):
    """One step: what it was about (a model name, a field of the request), what came of it, and the key that said so."""

    name: str
    gives: str
    path: KeyPath

    @property
    def key(self) -> str:
        """The key as gateway.toml writes it."""
        return dotted(self.path)
