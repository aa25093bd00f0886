"""Whether something is a JSON Schema of draft 2020-12 at all."""

from __future__ import annotations

import re
from typing import Any, Final

from jsonschema_rs import Draft202012Validator

__all__ = ["well_formed"]


def well_formed(schema: Any, *, patterns: bool = True) -> bool:
    """Say whether the meta-schema accepts it, its references included; `patterns`: also what `re` makes of those."""
    return (_META if patterns else _LOOSE).is_valid(schema)


def _pattern(text: str) -> bool:
    """Take what some dialect of patterns would: draft 2020-12 only recommends that of ECMA-262."""
    try:
        re.compile(text)
    except re.error:
        return False
    return True


_URL: Final = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
_META: Final = Draft202012Validator(_URL, validate_formats=True, formats={"regex": _pattern})
_LOOSE: Final = Draft202012Validator(_URL, validate_formats=True, formats={"regex": lambda _: True})
