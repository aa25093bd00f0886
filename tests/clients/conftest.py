"""Tests with real command-line clients run where these are installed.

The folder in `GATEWAY_TEST_NODE_MODULES` holds `node_modules` with the clients and the npm package `node`. Without
it the tests are deselected, but with `CI=true` they fail.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = "GATEWAY_TEST_NODE_MODULES"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"clients: needs command-line clients, see {FOLDER}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if FOLDER in os.environ or os.environ.get("CI") == "true":
        return
    left_out = [item for item in items if item.get_closest_marker("clients")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def node_modules() -> Path:
    """Give the folder of the installed clients."""
    folder = os.environ.get(FOLDER)
    if not folder:
        pytest.fail(f"{FOLDER} must name a folder that holds node_modules with @google/gemini-cli and node")
    modules = Path(folder) / "node_modules"
    for needed in ("@google/gemini-cli", "node/bin/node"):
        if not (modules / needed).exists():
            pytest.fail(
                f"{needed} is not in {modules}: run `npm i @google/gemini-cli@0.61 node@22` in {folder}"
            )
    return modules
