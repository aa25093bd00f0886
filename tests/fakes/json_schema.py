"""Whether something is a JSON Schema of draft 2020-12 at all."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types
from jsonschema.exceptions import SchemaError  # type: ignore[import-untyped]  # ships no types

__all__ = ["well_formed"]


def well_formed(schema: Any) -> bool:
    """Say whether the meta-schema accepts it."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        return False
    return True
