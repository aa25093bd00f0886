"""Tests with command-line clients and SDKs from npm run where these are installed; a plugin of the root `conftest.py`.

`GATEWAY_TEST_NODE_MODULES` is a folder `node_modules` with these packages and the npm package `node`. Without it the
tests are deselected, but with `CI=true` they fail. The SDKs are the newest ones, as a user's `npm install` gives them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["node_modules"]

FOLDER = "GATEWAY_TEST_NODE_MODULES"
PACKAGES = {
    "node@22": "node/bin/node",
    "@google/gemini-cli@0.61": "@google/gemini-cli/bundle/gemini.js",
    "@anthropic-ai/claude-code@2.1": ".bin/claude",
    "@openai/codex@0.171": ".bin/codex",
    "opencode-ai@1.18": ".bin/opencode",
    "openai@latest": "openai/index.mjs",
    "@anthropic-ai/sdk@latest": "@anthropic-ai/sdk/index.mjs",
    "@google/genai@latest": "@google/genai/dist/node/index.mjs",
    "ai@latest": "ai/dist/index.js",
    "@ai-sdk/openai@latest": "@ai-sdk/openai/dist/index.js",
    "@ai-sdk/openai-compatible@latest": "@ai-sdk/openai-compatible/dist/index.js",
    "@ai-sdk/anthropic@latest": "@ai-sdk/anthropic/dist/index.js",
    "@ai-sdk/google@latest": "@ai-sdk/google/dist/index.js",
    "zod@latest": "zod/index.js",
}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"clients: needs packages from npm, see {FOLDER}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if FOLDER in os.environ or os.environ.get("CI") == "true":
        return
    left_out = [item for item in items if item.get_closest_marker("clients")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Give the folder of the installed packages."""
    modules = Path(os.environ.get(FOLDER, ""))
    missing = [package for package, file in PACKAGES.items() if not (modules / file).exists()]
    if missing:
        pytest.fail(f"{FOLDER} must be a folder node_modules: run `npm install {' '.join(missing)}` beside it")
    return modules
