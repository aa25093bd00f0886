"""The adapter of docs/extending.md answers callers of every dialect."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.docs.examples import BLOCKS, Block
from tests.patience import patient
from tests.processes import environment, running

PAGE = [block for block in BLOCKS if block.page == "extending.md" and block.language == "python"]
ADAPTER, CLIENT, _, EXAMINED, CALLING, EXAMINED_CALLING = PAGE
ADDRESS = "http://127.0.0.1:8045"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    (tmp_path / ADAPTER.file).write_text(ADAPTER.text, "utf-8")
    command = [sys.executable, "-m", "uvicorn", "--port", "0", "shout:app"]
    with running(command, tmp_path, environment(tmp_path)) as program:
        yield program.url


def test_the_client_reads_what_the_adapter_says(url: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLIENT.text.replace(ADDRESS, url)],
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        timeout=patient(25),
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "CAN YOU HEAR ME"), done.stderr


@pytest.mark.parametrize("examined", [EXAMINED, EXAMINED_CALLING], ids=lambda block: block.file)
def test_the_adapters_pass_the_checks_for_adapters(tmp_path: Path, examined: Block) -> None:
    for block in (ADAPTER, CALLING, examined):
        (tmp_path / block.file).write_text(block.text, "utf-8")
    done = subprocess.run(
        [sys.executable, examined.file],
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        cwd=tmp_path,
        timeout=patient(25),
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_it_streams_to_other_dialects(url: str) -> None:
    asked = {"model": "loud", "stream": True, "messages": [{"role": "user", "content": "hello there"}]}
    lines = httpx.post(f"{url}/v1/chat/completions", json=asked).text
    assert lines.index('"HELLO "') < lines.index('"THERE "') < lines.index("data: [DONE]")
    gemini = {"contents": [{"parts": [{"text": "hello"}]}]}
    said = httpx.post(f"{url}/v1beta/models/loud:generateContent", json=gemini).json()
    assert said["candidates"][0]["content"]["parts"][0]["text"] == "HELLO "
