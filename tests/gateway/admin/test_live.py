"""The requests that run now: seen and cancelled, in this process, in its siblings and in real workers."""

from __future__ import annotations

import csv
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from gateway.admin.siblings import Siblings
from tests.gateway.admin.accounts import ADMIN, log_in, made, visiting
from tests.patience import patient
from tests.processes import gateway
from tests.scripted import Scripted, say

pytestmark = pytest.mark.anyio

ASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "openai-chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}),
    "openai-responses": ("/v1/responses", {"input": "x"}),
    "anthropic": ("/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}),
    "gemini": ("/v1beta/models/demo:generateContent", {"contents": [{"parts": [{"text": "x"}]}]}),
}
PROGRAM = {"accept": "application/json"}


async def never() -> None:
    await anyio.sleep_forever()


def stuck(*words: str) -> Scripted:
    """Say some words, and no more."""
    return Scripted([*say(*words)[:-1], never])


async def listed(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    answer = await http.get("/admin/live", auth=ADMIN, headers=PROGRAM)
    rows: list[dict[str, Any]] = answer.json()["requests"]
    return rows


async def running(http: httpx.AsyncClient, count: int = 1) -> list[dict[str, Any]]:
    """Wait until so many run."""
    with anyio.fail_after(patient(10)):
        while len(rows := await listed(http)) != count:  # noqa: ASYNC110 - another process may have them
            await anyio.sleep(0.01)
    return rows


@asynccontextmanager
async def asked(http: httpx.AsyncClient, dialect: str, **more: Any) -> AsyncIterator[list[httpx.Response]]:
    """Ask, and give where the answer will be."""
    path, body = ASKS[dialect]
    answers: list[httpx.Response] = []

    async def ask() -> None:
        answers.append(await http.post(path, json={"model": "demo", **body, **more}, headers=PROGRAM))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        yield answers


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def cancel(http: httpx.AsyncClient, id_: str) -> int:
    return (await http.post(f"/admin/live/{id_}/cancel", auth=ADMIN, headers=PROGRAM)).status_code


async def test_a_running_request_is_listed(tmp_path: Path) -> None:
    async with visiting(made(tmp_path, stuck("Hello"))) as http, asked(http, "openai-chat", stream=True):
        (row,) = await running(http)
        with anyio.fail_after(patient(5)):
            while not row["pieces"]:
                (row,) = await listed(http)
        assert row["id"].startswith("req_")
        assert row["since"].endswith("Z")
        assert row["sent_bytes"] > 10
        assert {
            name: row[name] for name in ("key", "dialect", "operation", "model", "upstream", "attempts", "process")
        } == {
            "key": "anonymous",
            "dialect": "openai-chat",
            "operation": "chat",
            "model": "demo",
            "upstream": "demo/demo",
            "attempts": 1,
            "process": os.getpid(),
        }
        assert await cancel(http, row["id"]) == 204
        assert await running(http, 0) == []


@pytest.mark.parametrize("dialect", ASKS)
async def test_a_cancelled_request_gets_the_error_of_its_dialect(tmp_path: Path, dialect: str) -> None:
    async with visiting(made(tmp_path, stuck("Hello"))) as http, asked(http, dialect) as answers:
        ((row),) = await running(http)
        assert await cancel(http, row["id"]) == 204
    assert (answers[0].status_code, answers[0].headers["x-should-retry"]) == (503, "false")
    assert answers[0].json()["error"]["message"] == "the operator of the gateway (admin) has ended this request"


@pytest.mark.parametrize("stream", [False, True])
async def test_nobody_knows_what_a_cancelled_request_has_cost(tmp_path: Path, stream: bool) -> None:
    """The upstream was at work on it: it was not for nothing, and no failure of the upstream's."""
    app = made(tmp_path, Scripted([never]), usage={"price": {"demo": {"input": 1, "output": 1}}})
    async with visiting(app) as http:
        async with asked(http, "openai-chat", stream=stream):
            (row,) = await running(http)
            await cancel(http, row["id"])
        table = (await http.get("/admin/usage/requests.csv?since=1h", auth=ADMIN)).text
        page = (await http.get("/admin/usage?since=1h", auth=ADMIN)).text
    assert (page.count("1 estimated</span>"), page.count(">estimated</span>")) == (1, 1)
    (row,) = csv.DictReader(table.splitlines())
    assert (row["end"], row["estimated"], row["usd"], row["status"]) == ("cancelled", "True", "", "503")


@pytest.mark.parametrize(("dialect", "said"), [("anthropic", "event: error"), ("openai-chat", '"error":')])
async def test_a_cancelled_stream_ends_with_the_error(tmp_path: Path, dialect: str, said: str) -> None:
    async with (
        visiting(made(tmp_path, stuck("Hello"))) as http,
        asked(http, dialect, stream=True) as answers,
    ):
        (row,) = await running(http)
        with anyio.fail_after(patient(5)):
            while not row["pieces"]:
                (row,) = await listed(http)
        await cancel(http, row["id"])
    assert answers[0].status_code == 200
    assert said in answers[0].text
    assert "has ended this request" in answers[0].text


async def test_what_has_ended_cannot_be_cancelled(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        assert await cancel(http, "req_1") == 404
        await log_in(http)
        page = await http.get("/admin/live?done=<b>")
    assert "<b>" not in page.text


async def test_who_cancelled_is_in_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = made(tmp_path, stuck(), log={"level": "info", "format": "json"})
    async with visiting(app) as http, asked(http, "anthropic"):
        (row,) = await running(http)
        await cancel(http, row["id"])
    line = next(line for line in capsys.readouterr().err.splitlines() if "request cancelled" in line)
    assert row["id"] in line
    assert '"by":"admin"' in line


# siblings


async def test_the_requests_of_another_app_on_the_same_data_are_seen_and_cancelled(tmp_path: Path) -> None:
    async with (
        visiting(made(tmp_path, stuck())) as one,
        visiting(made(tmp_path, stuck())) as other,
        asked(other, "anthropic") as answers,
    ):
        (row,) = await running(one)
        assert await cancel(one, row["id"]) == 204
    assert answers[0].status_code == 503


async def test_nothing_is_left_behind(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        assert await listed(http) == []
        folder = tmp_path / "live"
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


async def test_only_its_owner_may_look_into_the_data(tmp_path: Path) -> None:
    sibling = Siblings(tmp_path / "data" / "live", lambda _: b"")
    await sibling.start()
    assert [folder.stat().st_mode & 0o777 for folder in (tmp_path / "data", tmp_path / "data" / "live")] == [0o700] * 2
    await sibling.stop()


async def test_one_that_was_killed_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Siblings(tmp_path, lambda _: b"one")
    assert await one.start() == ""
    (own,) = files(tmp_path)
    monkeypatch.chdir(own.parent)  # a whole path may be too long
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(own.name[:9] + "99999-left.sock")
    assert await one.ask(b"who") == []
    assert files(tmp_path) == [own]
    await one.stop()


async def test_a_sibling_that_hangs_does_not_hold_up_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.admin.siblings._PATIENCE_S", patient(0.05))
    one, other = Siblings(tmp_path, lambda _: b"one"), Siblings(tmp_path, lambda words: b"heard " + words)
    await one.start()
    await other.start()
    own = files(tmp_path)[0]
    monkeypatch.chdir(own.parent)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(own.name[:9] + "1-hangs.sock")
        listener.listen()
        assert await one.ask(b"who") == [b"heard who\n"]
    await one.stop()
    await other.stop()


async def test_a_folder_far_below_will_do(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    one, other = Siblings(deep, lambda _: b"one"), Siblings(deep, lambda _: b"other")
    assert (await one.start(), await other.start()) == ("", "")
    assert await one.ask(b"who") == [b"other"]
    await one.stop()
    await other.stop()


async def test_a_sibling_of_another_version_is_skipped(tmp_path: Path) -> None:
    async with visiting(made(tmp_path)) as http:
        odd = Siblings(tmp_path / "live", lambda _: b"{}")
        await odd.start()
        assert await listed(http) == []
        assert await cancel(http, "req_1") == 404
        await odd.stop()


async def test_a_place_without_sockets_is_told_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "live").write_text("no folder")
    async with visiting(made(tmp_path, log={"level": "warning", "format": "json"})) as http:
        assert await listed(http) == []
    assert "the page lists the requests of one process only" in capsys.readouterr().err


async def test_all_workers_are_seen_and_their_requests_cancelled(tmp_path: Path) -> None:
    toml = '[admin]\npassword = "hunter22"\n[auth]\nallow_anonymous = "loopback"\n[log]\nlevel = "error"\n'
    with gateway(tmp_path, "--workers", "3", toml=toml) as program:
        async with httpx.AsyncClient(base_url=program.url, timeout=30) as http, anyio.create_task_group() as tasks:
            answers: list[httpx.Response] = []

            async def ask() -> None:
                async with httpx.AsyncClient(base_url=program.url, timeout=None) as own:
                    body = {"model": "demo", "messages": [{"role": "user", "content": "!slow 600\nx"}]}
                    answers.append(await own.post("/v1/chat/completions", json=body))

            rows: list[dict[str, Any]] = []
            while len({row["process"] for row in rows}) < 2:  # the system says which worker gets a connection
                tasks.start_soon(ask)
                rows = await running(http, len(rows) + 1)
                assert len(rows) < 100
            for row in rows:
                assert await cancel(http, row["id"]) == 204
    assert [answer.status_code for answer in answers] == [503] * len(rows)
