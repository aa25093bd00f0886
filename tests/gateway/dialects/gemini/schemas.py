"""Short forms for schemas and for what becomes of one property."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects.gemini.schema import Profile, clean

__all__ = ["BOTH", "CLAUDE", "FREE", "GEMINI", "free", "object_of", "property_of"]

GEMINI, CLAUDE = Profile.GEMINI, Profile.CLAUDE
BOTH = pytest.mark.parametrize("profile", [GEMINI, CLAUDE])

# What Claude gets for an object without properties that is not the root.
FREE = {
    "type": "object",
    "properties": {"_placeholder": {"type": "boolean", "description": "Always true"}},
    "required": ["_placeholder"],
}


def free(profile: Profile, description: str) -> dict[str, object]:
    return {**(FREE if profile is CLAUDE else {"type": "object"}), "description": description}


def object_of(**properties: object) -> dict[str, object]:
    return {"type": "object", "properties": properties}


def property_of(schema: object, profile: Profile, **beside: object) -> Any:
    """Clean a schema in the place of one property."""
    cleaned = clean({**object_of(p=schema), **beside}, profile).schema
    assert cleaned is not None
    properties: Any = cleaned["properties"]
    return properties["p"]
