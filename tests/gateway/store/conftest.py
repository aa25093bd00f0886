"""Each test runs on every kind of store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.store.places import BOTH, Place


@pytest.fixture(params=BOTH)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Give an empty place."""
    made = Place(tmp_path, request.getfixturevalue("postgres_url") if request.param == "postgres" else "")
    yield made
    made.close()


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[Place]:
    """Give an empty place in a file."""
    made = Place(tmp_path)
    yield made
    made.close()
