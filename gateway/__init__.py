"""An LLM gateway as an ASGI middleware pipeline."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.app import create_app, lifespan

__all__ = ["__version__", "create_app", "lifespan"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # a config check or the version command need not load the server
    if name in ("create_app", "lifespan"):
        return getattr(import_module("gateway.app"), name)
    raise AttributeError(f"module 'gateway' has no attribute {name!r}")
