"""The cache of cleaned schemas."""

from __future__ import annotations

import pytest

from gateway.dialects.gemini.schema import SchemaCache
from gateway.errors import InvalidRequest
from tests.gateway.dialects.gemini.schemas import CLAUDE, GEMINI


def test_cache_gives_the_same_object_for_the_same_bytes() -> None:
    cache = SchemaCache()
    raw = b'{"type":"object","properties":{"a":{"type":"string"}}}'
    assert cache.clean_raw(raw, GEMINI) is cache.clean_raw(bytes(raw), GEMINI)


def test_cache_keeps_profiles_apart() -> None:
    cache = SchemaCache()
    assert cache.clean_raw(b"{}", GEMINI).schema is None
    assert cache.clean_raw(b"{}", CLAUDE).placeholder


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'"\xff"'])
def test_bytes_that_are_no_json_count_as_no_schema(raw: bytes) -> None:
    assert SchemaCache().clean_raw(raw, GEMINI).schema is None


def test_one_that_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="nested deeper"):
        SchemaCache().clean_raw(b"[" * 5_000 + b"]" * 5_000, GEMINI)
