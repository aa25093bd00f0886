"""Local JSON pointers: ``#``, ``#/$defs/X``, ``#/definitions/X``, ``#/properties/x``."""

from __future__ import annotations

from urllib.parse import unquote

from gateway.dialects.gemini.schema_facets import is_list, is_object

__all__ = ["MISSING", "name_of", "resolve"]

MISSING = object()
_MAX_NAME = 60


def resolve(root: object, ref: str) -> object:
    """Return what a local reference points to; MISSING for any other kind and for a dangling one."""
    if ref == "#":
        return root
    if not ref.startswith("#/"):
        return MISSING
    place = root
    for token in ref[2:].split("/"):
        place = _child(place, _unescape(token))
        if place is MISSING:
            break
    return place


def name_of(ref: str) -> str:
    """Name a reference for a reader: the last step of its pointer."""
    return _unescape(ref.rsplit("/", 1)[-1])[:_MAX_NAME] if ref != "#" else "root"


def _child(place: object, key: str) -> object:
    if is_object(place):
        return place.get(key, MISSING)
    if is_list(place) and key.isascii() and key.isdigit() and len(key) < 6 and int(key) < len(place):
        return place[int(key)]
    return MISSING


def _unescape(token: str) -> str:
    return unquote(token).replace("~1", "/").replace("~0", "~")
