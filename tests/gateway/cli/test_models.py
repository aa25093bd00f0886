"""`gateway models`: every name that a caller can use, from lists that are configured, fetched or shipped."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.cli.models_ask import ask
from gateway.config import load
from gateway.transport import Transport
from tests.conformance.vertex_api import logged_in
from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.vertex_api import FakeVertex
from tests.fakes.vertex_api_login import refused
from tests.gateway.cli.conftest import Done, Run

pytestmark = pytest.mark.anyio

Write = Callable[[str], Path]

ALIASES = """
[models.alias]
"best" = ["gemini/gemini-2.5-pro", "gemini/gemini-2.5-flash"]
"either" = { "gemini/gemini-2.5-pro" = 1, "gemini/gemini-2.5-flash" = 2 }
"gpt*" = "gemini-2.5-pro"
[upstream.gemini]
api_key = "AIza-test"
models = ["gemini-2.5-pro", "gemini-2.5-flash"]
"""
TABLE = """\
MODEL  LEADS TO   INPUT  OUTPUT  THINKING  VARIANT
demo   demo/demo  ?      8192    yes
"""


async def json_of(run: Run) -> tuple[Done, dict[str, Any]]:
    done = await asyncio.to_thread(run, "models", "--json")
    return done, json.loads(done.out)


def gemini(fake: FakeGemini) -> str:
    return f'[upstream.gemini]\nbase_url = "{fake.url}"\napi_key = "key-1"\n'


def antigravity(fake: FakeV1Internal) -> str:
    return (
        f'[upstream.antigravity]\nbase_urls = ["{fake.base("a")}"]\npool.refresh_tokens = ["rt-1"]\n'
        f'oauth = {{ client_id = "a", client_secret = "b", token_url = "{fake.token_url}" }}\n'
    )


async def test_without_a_configuration_there_is_the_demo(run: Run) -> None:
    done = await asyncio.to_thread(run, "models")
    assert (done.code, done.out) == (0, TABLE)
    assert done.err == "upstream demo: usable, no account needed\n"


async def test_each_name_says_where_it_leads(run: Run, write: Write) -> None:
    write(ALIASES)
    done, said = await json_of(run)
    models = {one["name"]: one for one in said["models"]}
    assert done.code == 0
    assert models["best"]["upstreams"] == ["gemini/gemini-2.5-pro", "gemini/gemini-2.5-flash"]
    assert models["either"]["upstreams"] == ["gemini/gemini-2.5-pro", "gemini/gemini-2.5-flash"]
    assert models["gemini-2.5-pro"] == {
        "name": "gemini-2.5-pro",
        "upstreams": ["gemini/gemini-2.5-pro"],
        "display_name": "Gemini 2.5 Pro",
        "max_input": 1048576,
        "max_output": 65536,
        "thinking": True,
        "variants": [],
    }
    assert models["gemini-2.5-pro-nothinking"]["variants"] == ["-nothinking"]
    assert models["gemini-2.5-pro-nothinking"]["thinking"] is False
    assert "gpt*" not in models


async def test_a_list_is_fetched_and_kept(run: Run, write: Write, folder: Path, fake_gemini: FakeGemini) -> None:
    write(gemini(fake_gemini))
    del fake_gemini.models[1:]
    _, said = await json_of(run)
    assert said["upstreams"] == [
        {"name": "gemini", "type": "gemini", "usable": True, "state": "usable: 1 of 1 credentials", "trouble": None}
    ]
    bare = [one["name"] for one in said["models"] if not one["variants"]]
    assert bare == fake_gemini.models
    assert (folder / "data" / "gateway.db").exists()


async def test_a_listed_name_that_nobody_can_ask_for_hides_no_other(
    run: Run, write: Write, fake_gemini: FakeGemini
) -> None:
    write(gemini(fake_gemini))
    del fake_gemini.models[1:]
    fake_gemini.models.append("two\nlines")
    done, said = await json_of(run)
    bare = [one["name"] for one in said["models"] if not one["variants"]]
    assert (done.code, bare) == (0, fake_gemini.models[:1])


async def test_anthropics_list_is_fetched_with_its_limits(
    run: Run, write: Write, fake_anthropic: FakeAnthropic
) -> None:
    write(f'[upstream.anthropic]\nbase_url = "{fake_anthropic.url}"\napi_key = "key-1"\n')
    done, said = await json_of(run)
    assert (done.code, said["upstreams"][0]["trouble"]) == (0, None)
    models = {one["name"]: one for one in said["models"] if not one["variants"]}
    assert [*models] == fake_anthropic.models
    assert (models["claude-opus-4-6"]["max_output"], models["claude-opus-4-6"]["thinking"]) == (128_000, True)


def vertex(fake: FakeVertex, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    logged_in(fake, folder, monkeypatch)
    return f'[upstream.vertex]\nbase_url = "{fake.url}"\n'


async def test_vertex_has_a_list_of_its_own_and_says_whose_credentials_it_has(
    run: Run, write: Write, folder: Path, fake_vertex: FakeVertex, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(vertex(fake_vertex, folder, monkeypatch))
    done, said = await json_of(run)
    assert done.code == 0
    assert said["upstreams"] == [
        {"name": "vertex", "type": "vertex", "usable": True, "state": "usable: a service account", "trouble": None}
    ]
    models = {one["name"]: one for one in said["models"] if not one["variants"]}
    assert models["gemini-2.5-pro"]["upstreams"] == ["vertex/gemini-2.5-pro"]
    assert (models["text-embedding-005"]["max_input"], models["gemini-embedding-001"]["max_input"]) == (2048, 2048)
    assert models["claude-sonnet-4-5"]["upstreams"] == ["vertex/claude-sonnet-4-5"]
    assert fake_vertex.requests == []


async def test_vertex_lists_the_models_that_are_configured(
    run: Run, write: Write, folder: Path, fake_vertex: FakeVertex, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(vertex(fake_vertex, folder, monkeypatch) + 'models = ["gemini-2.5-pro", "endpoints/1234567890"]\n')
    done = await asyncio.to_thread(run, "models")
    assert done.code == 0
    assert "endpoints/1234567890" in done.out
    assert "claude" not in done.out


async def test_vertex_without_a_login_ends_with_3(
    run: Run, write: Write, folder: Path, fake_vertex: FakeVertex, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(vertex(fake_vertex, folder, monkeypatch))
    fake_vertex.login.fail(refused("invalid_grant", "Invalid JWT Signature."), 99)
    done = await asyncio.to_thread(run, "models")
    assert done.code == 3
    assert "upstream vertex: no credential: " in done.err
    assert "gcloud auth application-default login" in done.err
    assert "gemini-2.5-pro" in done.out


async def test_the_accounts_of_a_pool_are_asked(run: Run, write: Write, fake_v1internal: FakeV1Internal) -> None:
    write(antigravity(fake_v1internal))
    done, said = await json_of(run)
    assert (done.code, said["upstreams"][0]["trouble"]) == (0, None)
    assert [call.status for call in fake_v1internal.calls("fetchAvailableModels")] == [200]


async def test_where_none_is_fetched_the_last_one_counts(run: Run, write: Write, fake_gemini: FakeGemini) -> None:
    write(gemini(fake_gemini))
    _, before = await json_of(run)
    fake_gemini.fail("500_internal", times=99)
    done, after = await json_of(run)
    assert (done.code, after["models"]) == (0, before["models"])
    assert after["upstreams"][0]["trouble"]


async def test_without_a_usable_credential_it_ends_with_3(
    run: Run, write: Write, fake_v1internal: FakeV1Internal
) -> None:
    write(antigravity(fake_v1internal))
    fake_v1internal.oauth.fail("invalid_grant")
    done = await asyncio.to_thread(run, "models")
    assert done.code == 3
    assert "upstream antigravity: no credential: 1 disabled: invalid_grant; this is an older list of it: " in done.err
    assert done.err.endswith("nothing usable: requests would get 503\n")
    assert "claude-sonnet-4-5" in done.out


NOBODY = '[upstream.mine]\ntype = "openai"\napi_key = "k"\nbase_url = "http://127.0.0.1:9"\n'


async def test_where_nothing_is_listed_and_nobody_answers_it_ends_with_3(run: Run, write: Write) -> None:
    write(NOBODY)
    done = await asyncio.to_thread(run, "models")
    assert done.code == 3
    assert "; it returned no list: the upstream cannot be reached: " in done.err
    assert done.err.endswith("nothing usable: no model is listed, and no upstream responds\n")


async def test_an_upstream_without_a_list_is_usable(run: Run, write: Write) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        write(NOBODY.replace(":9", f":{listening.sockets[0].getsockname()[1]}"))
        done, said = await json_of(run)
    assert (done.code, said["models"], said["upstreams"][0]["usable"]) == (0, [], True)


async def test_no_log_file_is_made(run: Run, write: Write, folder: Path) -> None:
    write('[log]\nfile = "gateway.log"\n')
    done = await asyncio.to_thread(run, "models")
    assert (done.code, (folder / "gateway.log").exists()) == (0, False)


@pytest.mark.usefixtures("unserved")
@pytest.mark.parametrize("toml", ['[upstream.anthropic]\napi_key = "sk-a"\n', "[server]\nprot = 1\n"])
async def test_what_run_refuses_is_refused(run: Run, write: Write, toml: str) -> None:
    write(toml)
    done = await asyncio.to_thread(run, "models")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("gateway.toml:")


def test_what_is_interrupted_while_it_starts_leaves_nothing_open(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else Ctrl-C prints what the interpreter says of sessions that nobody has closed."""
    file = write("[upstream.demo]\n")
    closed: list[Transport] = []
    close = Transport.close

    async def interrupted(_: Gateway) -> None:
        raise asyncio.CancelledError

    async def noted(transport: Transport) -> None:
        closed.append(transport)
        await close(transport)

    monkeypatch.setattr(Gateway, "_hear_lists", interrupted)
    monkeypatch.setattr(Transport, "close", noted)
    with pytest.raises(asyncio.CancelledError):
        ask(load(file))
    assert len(closed) == 1
