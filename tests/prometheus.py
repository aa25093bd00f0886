"""A real Prometheus, and its promtool."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.patience import patient
from tests.ports import free_port

__all__ = ["Prometheus", "prometheus", "promtool", "tool"]

WAIT_S = 20.0


def tool(name: str) -> str:
    """Find a program of Prometheus."""
    found = shutil.which(name)
    if found is None and os.environ.get("CI") != "true":
        pytest.skip("needs prometheus, which .ci/run installs")
    assert found is not None, "apt-get install prometheus"
    return found


def promtool(*arguments: str | Path, text: str | None = None) -> tuple[int, str]:
    """Give its exit code and all that it says."""
    command = [tool("promtool"), *map(str, arguments)]
    done = subprocess.run(command, check=False, input=text, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


class Prometheus:
    """A running one."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Give the samples of a query; fail with what Prometheus says of one that it does not take."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=WAIT_S).json()
        assert answer["status"] == "success", f"{query}: {answer.get('error')}"
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def wait(self, query: str) -> str:
        """Wait until a query has a value, and give the first one."""
        until = time.monotonic() + patient(WAIT_S)
        while time.monotonic() < until:
            try:
                result = self.ask(query)
            except (httpx.TransportError, ValueError):  # it is not there yet
                result = []
            if result:
                value: str = result[0]["value"][1]
                return value
            time.sleep(0.05)
        raise AssertionError(f"Prometheus has no {query}")


@contextmanager
def prometheus(folder: Path, scrape: str) -> Iterator[Prometheus]:
    """Run one that scrapes five times a second; `scrape`: a scrape configuration, in YAML."""
    program, port = tool("prometheus"), free_port()
    folder.mkdir()
    (folder / "prometheus.yml").write_text(f"global: {{scrape_interval: 200ms}}\nscrape_configs: [{scrape}]\n")
    command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"]
    command.append(f"--web.listen-address=127.0.0.1:{port}")
    with subprocess.Popen(command, cwd=folder) as process:
        try:
            yield Prometheus(f"http://127.0.0.1:{port}")
        finally:
            process.kill()
