"""What the official SDKs can ask, by their own types: it goes upstream, or is refused with a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routes import DialectName
from tests.translating import TARGETS, Sent, Upstreams

from .examples import EXAMPLES
from .typed import TYPED, left_out, nulled


@pytest.mark.parametrize("dialect", TYPED)
@EXAMPLES
@given(data=st.data())
def test_null_says_as_much_as_nothing(upstreams: Upstreams, dialect: DialectName, data: st.DataObject) -> None:
    """And nothing breaks the codecs: whatever is no refusal is an error of this test."""
    target = data.draw(st.sampled_from([*TARGETS]))
    body = data.draw(TYPED[dialect])
    without, null = (upstreams.send(dialect, target, say(body), own=False) for say in (left_out, nulled))
    if isinstance(without, Sent) and isinstance(null, Sent):
        assert spoken(null.body) == spoken(without.body)
        assert {*null.losses} == {*without.losses}
    else:
        assert str(null) == str(without)


def spoken(body: str) -> Any:
    """Read a body without null: what only passes through keeps it."""
    return json.loads(body, object_pairs_hook=lambda pairs: {name: one for name, one in pairs if one is not None})
