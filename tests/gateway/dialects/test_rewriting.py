"""What is made of schemas is kept within bounds."""

import msgspec
from msgspec import Raw

from gateway.dialects.rewriting import Kept, rewriting


def kept(keep: Kept[object], key: str, size: int = 1) -> bool:
    """Take what is kept by a key; tell whether it was."""
    fresh = object()
    return keep.take(key, lambda: (fresh, size)) is not fresh


def test_the_entry_used_longest_ago_is_forgotten() -> None:
    keep = Kept[object](entries=2)
    assert [kept(keep, key) for key in "abacab"] == [False, False, True, False, True, False]


def test_bytes_bound_it() -> None:
    keep = Kept[object](limit_bytes=1000)
    assert [kept(keep, key, 400) for key in "abcba"] == [False, False, False, True, False]


def test_what_is_larger_than_all_that_may_be_kept_is_made_all_the_same() -> None:
    keep = Kept[object](limit_bytes=10)
    assert [kept(keep, key, 11) for key in "aa"] == [False, False]


def test_large_schemas_are_not_kept_by_the_thousand() -> None:
    seen: list[object] = []

    def rewrite(schema: object) -> object:
        seen.append(schema)
        return schema

    apply = rewriting(rewrite)
    schemas = [Raw(msgspec.json.encode({"description": f"{place}" + "x" * 1_000_000})) for place in range(5)]
    assert [apply(schema) for schema in (*schemas, schemas[-1], schemas[0])] == [*schemas, schemas[-1], schemas[0]]
    assert len(seen) == 6  # the first has given way


def test_what_two_threads_make_at_once_counts_once() -> None:
    keep = Kept[object](limit_bytes=10)

    def slowly() -> tuple[object, int]:
        kept(keep, "a", 4)  # the other thread is done first
        return object(), 4

    keep.take("a", slowly)
    assert [kept(keep, key, 6) for key in "ba"] == [False, True]
