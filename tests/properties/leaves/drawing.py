"""What the requests of all dialects are drawn from."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from .material import MARK

__all__ = ["Draw", "an", "arguments", "flags", "marks", "one", "results", "some", "words"]

Draw = st.SearchStrategy[Any]

words: Final = st.sampled_from(["a", "What is this?", '{"a": 1}', "é漢🙂", "<x>", "gw1.odd"])
flags: Final = st.booleans()
marks: Final = st.sampled_from([MARK, {"type": "ephemeral", "ttl": "1h"}])
results: Final = st.sampled_from(["done", '{"sky": "blue"}', "[1]"])
arguments: Final = st.sampled_from([{}, {"city": "Rome"}, {"city": "Rome", "days": [1, {"a": None}]}])


def an(required: dict[str, Draw], **optional: Draw) -> Draw:
    """Draw an object; what is optional is there or not."""
    return st.fixed_dictionaries(required, optional=optional)


def one(value: Any) -> Draw:
    """Draw always the same."""
    return st.just(value)


def some(*of: Any) -> Draw:
    """Draw one of these."""
    return st.sampled_from(of)
