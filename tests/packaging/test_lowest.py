"""The lowest version of each package that the project names: an environment that holds others may have these."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import pytest

from tests.fakes.otlp import receiver
from tests.packaging.fixtures import WHEEL, once
from tests.packaging.served import KEY, gateway, google
from tests.packaging.test_wheel import run
from tests.packaging.wheel import ROOT, Built, install
from tests.patience import patient
from tests.processes import environment, running
from tests.redis_server import RedisServer

# newer ones need newer releases, of SQLAlchemy and of what is written in C
OLDEST = pytest.mark.skipif(sys.version_info >= (3, 12), reason="the lowest versions are those for Python 3.11")
pytestmark = [WHEEL, OLDEST, pytest.mark.anyio]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
NAMED = [*PROJECT["dependencies"], *(word for words in EXTRAS.values() for word in words)]
BOUND = re.compile(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)(?:;.*)?")
MODEL = "gemini-3-flash"
SAID = [{"role": "user", "content": "!say Ciao"}]
ASKED: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": MODEL, "messages": SAID},
    "/v1/responses": {"model": MODEL, "input": "!say Ciao"},
    "/v1/messages": {"model": MODEL, "messages": SAID, "max_tokens": 100},
}
ANSWERS = 2 * len(ASKED) + 2
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "!say Ciao"}]}]}


def lowest() -> str:
    """Give what makes pip take the lowest version of all."""
    return "".join(f"{found[1]}=={found[2]}\n" for name in NAMED if (found := BOUND.fullmatch(name)))


@pytest.fixture(scope="session")
def programs_of_old(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with every extra, and the lowest version of each package."""

    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / "lowest.txt").write_text(lowest())
        install(folder, f"{built.wheel}[{','.join(EXTRAS)}]", "-c", folder / "lowest.txt")

    return once(tmp_path_factory, "old", make) / "bin"


def test_each_package_has_a_lowest_version() -> None:
    assert [name for name in NAMED if not BOUND.fullmatch(name)] == []


async def test_conversations_are_answered_counted_and_told(
    programs_of_old: Path, tmp_path: Path, redis: RedisServer
) -> None:
    more = f"""
        [admin]
        password = "a-password-of-the-operator"
        [limits]
        requests_per_minute = 100
        tokens_per_day = 1_000_000
        [store]
        redis = "{redis.url}"
        [metrics]
        otlp = "OTLP"
    """
    async with receiver() as sink:
        with google() as fake, gateway(programs_of_old, tmp_path, fake, more.replace("OTLP", sink.url)) as program:
            async with httpx.AsyncClient(base_url=program.url, headers={"authorization": f"Bearer {KEY}"}) as client:
                for path, body in ASKED.items():
                    for stream in (False, True):
                        answer = await client.post(path, json={**body, "stream": stream})
                        assert (answer.status_code, "Ciao" in answer.text) == (200, True), answer.text
                for verb in ("generateContent", "streamGenerateContent?alt=sse"):
                    answer = await client.post(f"/v1beta/models/{MODEL}:{verb}", json=GEMINI)
                    assert (answer.status_code, "Ciao" in answer.text) == (200, True), answer.text
                overview = await client.get("/", auth=("admin", "a-password-of-the-operator"))
                assert (overview.status_code, "google" in overview.text) == (200, True)
                assert "gateway_requests_total" in (await client.get("/metrics")).text
            program.process.terminate()
            assert await anyio.to_thread.run_sync(program.ends, 30) == 0
        assert re.findall(r"defect|Traceback|\w*Warning\b", program.output) == [], program.output
        assert len(sink.spans) == 2 * ANSWERS
    rows = json.loads(run(programs_of_old, tmp_path, "gateway", "usage", "--json"))["rows"]
    assert [(row["requests"], row["errors"]) for row in rows] == [(ANSWERS, 0)]
    assert redis.do("DBSIZE") > 0


def test_commands_work(programs_of_old: Path, tmp_path: Path) -> None:
    """Each command that asks no upstream but the demo."""
    run(programs_of_old, tmp_path, "gateway", "selftest")
    (tmp_path / ".env").write_text("GEMINI_API_KEY=a-key-of-the-operator\n")
    run(programs_of_old, tmp_path, "gateway", "init", "--for", "gemini")
    run(programs_of_old, tmp_path, "gateway", "keys", "new", "ada")
    assert "ada" in run(programs_of_old, tmp_path, "gateway", "keys", "list")
    run(programs_of_old, tmp_path, "gateway", "connect", "codex", "--apply")
    assert "gateway" in (tmp_path / ".codex" / "config.toml").read_text()
    run(programs_of_old, tmp_path, "gateway", "check")
    run(programs_of_old, tmp_path, "gateway", "explain", "gemini-3-flash")


def test_gunicorn_serves(programs_of_old: Path, tmp_path: Path) -> None:
    command: list[str | Path] = [programs_of_old / "gunicorn", "-k", "asgi", "-b", "127.0.0.1:0", "gateway.asgi:app"]
    body = {"model": "demo", "messages": SAID}
    with running(command, tmp_path, environment(tmp_path)) as program:
        answer = httpx.post(f"{program.url}/v1/chat/completions", json=body, timeout=patient(20))
    assert answer.status_code == 200, answer.text
