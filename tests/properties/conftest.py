"""The upstreams that requests are written for."""

from __future__ import annotations

import pytest

from tests.translating import Upstreams


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory: pytest.TempPathFactory) -> Upstreams:
    return Upstreams(str(tmp_path_factory.mktemp("data")))
