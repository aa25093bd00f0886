"""The fake of the service, and the installed gateway before it: one of each for a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging import served
from tests.packaging.served import Google
from tests.processes import Program


@pytest.fixture(scope="module")
def fake() -> Iterator[Google]:
    with served.google() as google:
        yield google


@pytest.fixture(scope="module")
def more() -> str:
    """Give what the module's gateway.toml has besides."""
    return ""


@pytest.fixture(scope="module")
def gateway(programs: Path, tmp_path_factory: pytest.TempPathFactory, fake: Google, more: str) -> Iterator[Program]:
    with served.gateway(programs, tmp_path_factory.mktemp("gateway"), fake, more) as program:
        yield program
