"""The cache of cleaned schemas."""

from __future__ import annotations

import pytest

from gateway.dialects.gemini.schema import SchemaCache
from tests.gateway.dialects.gemini.schemas import CLAUDE, GEMINI, object_of


def test_cache_gives_the_same_object_for_the_same_bytes() -> None:
    cache = SchemaCache()
    raw = b'{"type":"object","properties":{"a":{"type":"string"}}}'
    assert cache.clean_raw(raw, GEMINI) is cache.clean_raw(bytes(raw), GEMINI)


def test_cache_keeps_profiles_apart() -> None:
    cache = SchemaCache()
    assert cache.clean_raw(b"{}", GEMINI).schema is None
    assert cache.clean_raw(b"{}", CLAUDE).placeholder


def test_cache_forgets_the_entry_used_longest_ago() -> None:
    cache = SchemaCache(entries=2)
    first = cache.clean_raw(b'{"a":{"type":"string"}}', GEMINI)
    second = cache.clean_raw(b'{"b":{"type":"string"}}', GEMINI)
    assert cache.clean_raw(b'{"a":{"type":"string"}}', GEMINI) is first
    cache.clean_raw(b'{"c":{"type":"string"}}', GEMINI)
    assert len(cache) == 2
    assert cache.clean_raw(b'{"a":{"type":"string"}}', GEMINI) is first
    assert cache.clean_raw(b'{"b":{"type":"string"}}', GEMINI) is not second


def test_cache_is_bounded_in_bytes() -> None:
    cache = SchemaCache(limit_bytes=1_000)
    for n in range(50):
        cache.clean_raw(b'{"a%d":{"type":"string","description":"%s"}}' % (n, b"x" * 300), GEMINI)
    assert len(cache) == 2


def test_schema_larger_than_the_cache_is_cleaned_all_the_same() -> None:
    cache = SchemaCache(limit_bytes=10)
    assert cache.clean_raw(b'{"a":{"type":"string"}}', GEMINI).schema == object_of(a={"type": "string"})
    assert len(cache) == 0


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'"\xff"', b"[" * 5_000 + b"]" * 5_000])
def test_bytes_that_are_no_json_count_as_no_schema(raw: bytes) -> None:
    assert SchemaCache().clean_raw(raw, GEMINI).schema is None
