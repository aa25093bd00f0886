"""Which call is at which address, on both platforms."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["COUNT", "MESSAGES", "Route", "route"]

MESSAGES, COUNT = "messages", "messages.count_tokens"

_PATHS = {
    "/v1/messages": ("POST", MESSAGES),
    "/v1/messages/count_tokens": ("POST", COUNT),
    "/v1/models": ("GET", "models.list"),
}
_MODEL = re.compile(r"/v1/models/(?P<name>[^/]+)")
_VERTEX = re.compile(
    r"/v1/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/publishers/anthropic/models/"
    r"(?P<name>[^/:]+):(?P<verb>\w+)"
)
_COUNTS = "count-tokens"


@dataclass(frozen=True)
class Route:
    """What is called, "" for nothing and "method" for another verb; the model where the path names it."""

    called: str
    name: str = ""
    vertex: bool = False
    project: str = ""
    location: str = ""


def route(method: str, path: str) -> Route:
    """Find what is called."""
    if path in _PATHS:
        verb, called = _PATHS[path]
        return Route(called if method == verb else "method")
    if one := _MODEL.fullmatch(path):
        return Route("models.get" if method == "GET" else "method", one["name"])
    found = _VERTEX.fullmatch(path)
    if found is None or found["verb"] not in {"rawPredict", "streamRawPredict"} or method != "POST":
        return Route("")
    counts = found["name"] == _COUNTS
    name = "" if counts else found["name"]
    return Route(COUNT if counts else MESSAGES, name, True, found["project"], found["location"])
