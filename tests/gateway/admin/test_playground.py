"""The playground without a browser: the way of its request, what is heard of it, and what is not shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from tests.fakes.openai_api import FakeOpenAI
from tests.gateway.admin.accounts import ADMIN, Accounts, log_in, made, visiting
from tests.scripted import Scripted, say

pytestmark = pytest.mark.anyio

LINES = {"accept": "application/x-ndjson"}
FORM = {"dialect": "openai-chat", "model": "demo", "prompt": "Hello", "stream": "on"}


@pytest.fixture
def config(fake_openai: FakeOpenAI, tmp_path: Path) -> dict[str, Any]:
    """Configure a gateway over the fake."""
    return {
        "server": {"data_dir": str(tmp_path)},
        "admin": {"password": ADMIN[1]},
        "log": {"level": "info", "format": "json"},
        "auth": {"keys": ["sk-somebody-else"]},
        "upstream": {"openai": {"api_key": "key-1", "base_url": f"{fake_openai.url}/v1", "models": ["gpt-4.1"]}},
    }


async def play(http: httpx.AsyncClient, **fields: str) -> list[dict[str, Any]]:
    """Send a prompt as a program, and give the events."""
    answer = await http.post("/admin/playground", data={**FORM, **fields}, auth=ADMIN, headers=LINES)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def said(events: list[dict[str, Any]], side: str, *kinds: str) -> str:
    return "".join(one["head"] + one["text"] for one in events if one["side"] == side and one["kind"] in kinds)


async def test_both_sides_are_told(config: dict[str, Any]) -> None:
    async with visiting(create_app(config)) as http:
        events = await play(http, dialect="anthropic", model="gpt-4.1", prompt="Say Hello")
    assert [one["kind"] for one in events if one["side"] == "upstream"][:2] == ["request", "answer"]
    assert said(events, "caller", "request").startswith("POST /v1/messages\n")
    assert "event: message_stop" in said(events, "caller", "piece")
    assert '"max_tokens":1024' in said(events, "upstream", "request").replace("max_completion_tokens", "max_tokens")
    assert "data: [DONE]" in said(events, "upstream", "piece")
    assert events[-1]["head"].startswith("200 by openai/gpt-4.1, 12 tokens in, 3 out: done")
    assert [one["at_ms"] for one in events] == sorted(one["at_ms"] for one in events)


async def test_no_credential_is_told(config: dict[str, Any]) -> None:
    async with visiting(create_app(config)) as http:
        events = await play(http, model="gpt-4.1", prompt="the key is key-1, the password hunter22")
    told = json.dumps(events)
    assert "authorization: ***" in told
    assert "key-1" not in told
    assert "hunter22" not in told


async def test_it_is_the_key_admin_in_the_log_and_in_the_ledger(
    config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    async with visiting(create_app(config)) as http:
        await play(http, model="gpt-4.1")
        report = (await http.get("/admin/usage", auth=ADMIN, headers={"accept": "application/json"})).json()
    line = json.loads(next(line for line in capsys.readouterr().err.splitlines() if '"event":"request"' in line))
    assert (line["key"], line["path"], line["status"]) == ("admin", "/v1/chat/completions", 200)
    assert [(row["name"], row["requests"]) for row in report["rows"]] == [("admin", 1)]


async def test_nobody_else_gets_in_without_a_key(config: dict[str, Any]) -> None:
    body = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "x"}]}
    async with visiting(create_app(config)) as http:
        await play(http, model="gpt-4.1")
        assert (await http.post("/v1/chat/completions", json=body)).status_code == 401


async def test_a_recorder_around_it_leaves_it_the_upstreams_side(config: dict[str, Any], tmp_path: Path) -> None:
    app = create_app(
        {**config, "record": {"dir": str(tmp_path / "records")}, "log": {"level": "error", "bodies": "all"}}
    )
    async with visiting(app) as http:
        events = await play(http, model="gpt-4.1")
    assert "data: [DONE]" in said(events, "upstream", "piece")


async def test_a_whole_answer_is_told_as_such(config: dict[str, Any]) -> None:
    async with visiting(create_app(config)) as http:
        events = await play(http, model="gpt-4.1", stream="")
    (piece,) = [one for one in events if one["side"] == "caller" and one["kind"] == "piece"]
    assert json.loads(piece["text"])["object"] == "chat.completion"


async def test_a_refusal_of_the_upstream_is_told(config: dict[str, Any], fake_openai: FakeOpenAI) -> None:
    async with visiting(create_app(config)) as http:
        events = await play(http, model="gpt-4.1", prompt="!error 400")
    assert said(events, "upstream", "answer").startswith("400")
    assert events[-1]["head"].startswith("400")


async def test_an_upstream_that_is_away_is_told(config: dict[str, Any]) -> None:
    config["upstream"]["openai"]["base_url"] = "http://127.0.0.1:9/v1"
    async with visiting(create_app({**config, "retry": {"attempts": 1}})) as http:
        events = await play(http, model="gpt-4.1")
    assert "no connection to 127.0.0.1:9" in said(events, "upstream", "error")
    assert events[-1]["head"].startswith("502")


async def test_while_it_drains_nothing_is_played(tmp_path: Path) -> None:
    app = made(tmp_path)
    async with visiting(app) as http:
        app.state.gateway.drain()
        events = await play(http)
    assert events[-1]["head"].startswith("503")


@pytest.mark.parametrize(
    ("fields", "word"),
    [({"dialect": "cobol"}, "dialect"), ({"model": " "}, "give a model"), ({"prompt": ""}, "a prompt")],
)
async def test_what_is_missing_is_said(tmp_path: Path, fields: dict[str, str], word: str) -> None:
    async with visiting(made(tmp_path)) as http:
        program = await http.post("/admin/playground", data={**FORM, **fields}, auth=ADMIN, headers=LINES)
        person = await http.post("/admin/playground", data={**FORM, **fields}, auth=ADMIN)
    assert (program.status_code, person.status_code) == (400, 400)
    assert word in program.json()["error"]["message"]
    assert word in person.text


async def test_without_scripts_the_form_gives_the_whole_page(tmp_path: Path) -> None:
    async with visiting(made(tmp_path, Scripted(say("<b>Hello</b>")))) as http:
        token = await log_in(http)
        page = await http.post("/admin/playground", data={**FORM, "csrf": token})
    assert page.status_code == 200
    assert "&lt;b&gt;Hello" in page.text
    assert "no server was called" in page.text


async def test_a_form_of_another_session_plays_nothing(tmp_path: Path) -> None:
    upstream = Accounts()
    async with visiting(made(tmp_path, upstream)) as http:
        await log_in(http)
        refused = await http.post("/admin/playground", data={**FORM, "csrf": "x"})
    assert (refused.status_code, upstream.calls) == (403, [])


async def test_below_a_mount_point_the_app_is_found_too(config: dict[str, Any]) -> None:
    async with visiting(create_app(config), root_path="/ai") as http:
        events = await play(http, model="gpt-4.1")
    assert events[-1]["head"].startswith("200 by openai/gpt-4.1")
