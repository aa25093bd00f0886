"""Whether something is a JSON Schema of draft 2020-12 at all."""

from __future__ import annotations

import re
from typing import Any, Final

from jsonschema_rs import Draft202012Validator

__all__ = ["well_formed"]


def well_formed(schema: Any) -> bool:
    """Say whether the meta-schema accepts it, its patterns and references included."""
    return _META.is_valid(schema)


def _pattern(text: str) -> bool:
    """Take what some dialect of patterns would: draft 2020-12 only recommends that of ECMA-262."""
    try:
        re.compile(text)
    except re.error:
        return False
    return True


_META: Final = Draft202012Validator(
    {"$ref": "https://json-schema.org/draft/2020-12/schema"}, validate_formats=True, formats={"regex": _pattern}
)
