"""A new configuration while requests run: over real sockets, from a real file."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import Struct
from starlette.applications import Starlette

from gateway.app import Gateway, assemble, create_app
from gateway.config import EVERY_S, load
from gateway.generations import Generations
from gateway.memory import TIDY_S
from gateway.signatures import Kept
from gateway.transport import Transport
from tests.clocks import FakeClock
from tests.exposed import Numbers
from tests.fakes.openai_api import FakeOpenAI
from tests.gateway.admin.accounts import ADMIN, HTML, log_in
from tests.middleware.asgi import call, scope_of
from tests.patience import patient
from tests.scripted import Scripted, say
from tests.serving import serve

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
CHATS = "chat.completions"  # as the fake calls them
KEYED = '[auth]\nkeys = ["sk-a"]\n'
SAID = "the configuration is invalid"


class Site(Struct):
    """A gateway that runs on a file."""

    app: Starlette
    file: Path
    http: httpx.AsyncClient

    @property
    def generations(self) -> Generations[Gateway]:
        found: Generations[Gateway] = self.app.state.generations
        return found

    @property
    def gateway(self) -> Gateway:
        found: Gateway = self.app.state.gateway
        return found

    async def becomes(self, toml: str) -> bool:
        self.file.write_text(toml)
        return await self.generations.reload()

    async def ask(self, model: str = "demo", *, key: str = "sk-a") -> httpx.Response:
        return await self.http.post(CHAT, json=question(model), headers=bearer(key))

    @asynccontextmanager
    async def stream(self, model: str, fake: FakeOpenAI, acked: int = 2) -> AsyncGenerator[httpx.Response]:
        """Begin a stream of which its upstream sends so many chunks, and the others after `fake.ack`."""
        fake.ack(acked)
        asked = question(model, "!say one two three\n!acked", stream=True)
        async with self.http.stream("POST", CHAT, json=asked, headers=bearer("sk-a")) as response:
            yield response


def question(model: str, text: str = "Hello", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def upstream(fake: FakeOpenAI, name: str = "one", key: str = "key-1") -> str:
    return f'[upstream.{name}]\ntype = "openai"\napi_key = "{key}"\nbase_url = "{fake.base("a")}/v1"\n'


def answers(response: httpx.Response) -> str:
    return response.headers["x-gateway-upstream"]


async def ended(at: Site) -> None:
    """Wait until only the newest configuration is in use."""
    while len(at.generations.living) > 1:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.001)


@asynccontextmanager
async def site(folder: Path, toml: str) -> AsyncGenerator[Site]:
    file = folder / "gateway.toml"
    file.write_text(toml)
    app = create_app(load(file, environ={}))
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        yield Site(app, file, http)


# requests


async def test_a_new_alias_works_while_a_stream_ends_on_the_old_upstream(
    tmp_path: Path, fake_openai: FakeOpenAI
) -> None:
    models = '[models.alias]\nbest = "{}/gpt-4.1"\n'
    toml = KEYED + upstream(fake_openai) + models.format("one")
    async with site(tmp_path, toml) as at, at.stream("best", fake_openai) as old:
        assert await at.becomes(KEYED + upstream(fake_openai, "two", "key-2") + models.format("two"))
        new = await at.ask("best")
        fake_openai.ack(100)
        text = (await old.aread()).decode()
    assert (answers(new), answers(old)) == ("two/gpt-4.1", "one/gpt-4.1")
    assert text.rstrip().endswith("data: [DONE]")
    assert [record.credential for record in fake_openai.calls(CHATS)] == ["key-1", "key-2"]


async def test_a_bad_file_changes_nothing_and_is_said_with_its_lines(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with site(tmp_path, KEYED) as at:
        before = at.gateway
        assert not await at.becomes('[auth]\nkeys = ["sk-b"]\nkey = 1\n[retry]\nattempts = "x"\n')
        assert (await at.ask()).status_code == 200
        assert at.gateway is before
    said = capfd.readouterr().err
    assert f"{at.file}:3: auth.key: unknown key" in said
    assert f"{at.file}:5: retry.attempts: " in said
    assert said.count(SAID) == 1


async def test_a_refused_edit_that_is_taken_back_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with site(tmp_path, KEYED) as at:
        assert not await at.becomes("[auth")
        assert await at.becomes(KEYED)
        assert await at.becomes(KEYED)
    said = capfd.readouterr().err
    assert said.count("the configuration again matches the one in use") == 1
    assert said.count("the configuration is the same") == 1


@pytest.mark.parametrize(
    "toml",
    [
        pytest.param('[pipeline]\norder = ["auth", "nowhere:X", "protocol", "model_map"]', id="middleware"),
        pytest.param('[upstream.a]\ntype = "v1internal"\npool.import = "nowhere.json"', id="upstream"),
        pytest.param('[log]\nfile = "gateway.toml/log"', id="log file"),
        pytest.param("[auth", id="no TOML"),
    ],
)
async def test_what_cannot_be_made_is_refused_too(tmp_path: Path, toml: str, capfd: pytest.CaptureFixture[str]) -> None:
    async with site(tmp_path, KEYED) as at:
        assert not await at.becomes(toml)
        assert (await at.ask()).status_code == 200
    assert SAID in capfd.readouterr().err


async def test_a_file_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    async with site(tmp_path, KEYED) as at:
        at.file.unlink()
        assert not await at.generations.reload()
        assert (await at.ask()).status_code == 200


async def test_what_fails_when_it_begins_is_stopped_and_the_old_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def fails(*_: object) -> None:
        raise OSError("no more of anything")

    async with site(tmp_path, KEYED) as at:
        monkeypatch.setattr("gateway.archive.Archive.start", fails)
        assert not await at.becomes('[auth]\nkeys = ["sk-b"]\n[timeouts]\nconnect = 3\n')
        assert (await at.ask()).status_code == 200
    assert "no more of anything" in capfd.readouterr().err


async def test_the_same_configuration_is_no_new_one(tmp_path: Path) -> None:
    async with site(tmp_path, KEYED) as at:
        before = at.gateway
        assert await at.becomes(f"# a comment\n{KEYED}")
        assert at.gateway is before


async def test_a_key_that_was_removed_is_refused(tmp_path: Path) -> None:
    async with site(tmp_path, KEYED) as at:
        assert await at.becomes('[auth]\nkeys = ["sk-b"]\n')
        codes = [(await at.ask(key=key)).status_code for key in ("sk-a", "sk-b")]
    assert codes == [401, 200]


async def test_a_session_ends_with_its_password_and_lives_on_without_a_change(tmp_path: Path) -> None:
    password = f'[admin]\npassword = "{ADMIN[1]}"\n'
    async with site(tmp_path, password) as at:
        at.http.headers.update(HTML)
        await log_in(at.http)
        assert await at.becomes(password + KEYED)
        stays = await at.http.get("/admin/credentials")
        assert await at.becomes('[admin]\npassword = "another one"\n')
        ended = await at.http.get("/admin/credentials")
    assert (stays.status_code, ended.status_code) == (200, 303)


async def test_a_link_that_was_printed_before_still_lets_in(tmp_path: Path) -> None:
    async with site(tmp_path, "") as at:
        link = await at.gateway.administration.link(str(at.http.base_url), shared=False)
        assert await at.becomes("[retry]\nattempts = 2")
        assert (await at.http.get(link)).status_code == 303


async def test_a_key_that_needs_a_restart_is_named_and_the_rest_holds(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with site(tmp_path, KEYED) as at:
        assert await at.becomes('[server]\nport = 4711\n[auth]\nkeys = ["sk-b"]\n')
        assert (await at.ask(key="sk-b")).status_code == 200
        assert at.gateway.loaded.config.server.port == 8045
    said = [line for line in capfd.readouterr().err.splitlines() if "needs a restart" in line]
    assert [('"server.port"' in line, f"{at.file}:2" in line) for line in said] == [(True, True)]


async def test_the_paths_of_operators_move(tmp_path: Path) -> None:
    async with site(tmp_path, "") as at:
        assert await at.becomes('[metrics]\npath = "/numbers"')
        codes = [(await at.http.get(path)).status_code for path in ("/numbers", "/metrics")]
    assert codes == [200, 404]


# what goes on


async def test_open_answers_count_on(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    toml = KEYED + upstream(fake_openai) + "[limits]\nconcurrent = {}\n"
    async with site(tmp_path, toml.format(1)) as at:
        async with at.stream("gpt-4.1", fake_openai) as old:
            assert await at.becomes(toml.format("1\nrequests_per_day = 100"))
            refused = await at.ask("gpt-4.1")
            fake_openai.ack(100)
            await old.aread()
        admitted = await at.ask("gpt-4.1")
    assert (refused.status_code, admitted.status_code) == (429, 200)


@pytest.mark.usefixtures("stopped")
async def test_counted_requests_stay_counted(tmp_path: Path) -> None:
    limits = KEYED + "[limits]\nrequests_per_day = 2\n"
    async with site(tmp_path, limits) as at:
        codes = [(await at.ask()).status_code for _ in range(2)]
        assert await at.becomes(f"{limits}[retry]\nattempts = 2\n")
        codes.append((await at.ask()).status_code)
        assert await at.becomes(limits.replace("= 2", "= 3"))
        codes.append((await at.ask()).status_code)
    assert codes == [200, 200, 429, 200]


@pytest.mark.usefixtures("stopped")
async def test_limits_can_come_and_go(tmp_path: Path) -> None:
    toml = f"{KEYED}[usage]\nenabled = false\n"  # a ledger would know of what was asked before
    async with site(tmp_path, toml) as at:
        codes = [(await at.ask()).status_code]
        for limits in ("[limits]\nrequests_per_day = 1\n", ""):
            assert await at.becomes(toml + limits)
            codes += [(await at.ask()).status_code for _ in range(2)]
    assert codes == [200, 200, 429, 200, 200]


async def test_a_ledger_goes_on_and_a_new_price_holds_for_new_requests(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    price = '[usage.price]\n"gpt-4.1" = {{ input = {} }}\n'
    toml = KEYED + upstream(fake_openai) + f'[admin]\npassword = "{ADMIN[1]}"\n'
    async with site(tmp_path, toml + price.format(1_000_000)) as at:
        for new in (toml + price.format(1_000_000) + "[retry]\nattempts = 2\n", toml + price.format(0), toml):
            assert (await at.ask("gpt-4.1")).status_code == 200
            assert await at.becomes(new)
        rows = (await at.http.get("/admin/usage", params={"by": "model"}, auth=ADMIN)).json()["rows"]
    assert [(row["requests"], row["usd"]) for row in rows] == [(3, 2 * rows[0]["input_tokens"] / 3)]


async def test_metrics_are_neither_lost_nor_counted_twice(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    toml = KEYED + upstream(fake_openai)
    async with site(tmp_path, toml) as at:
        async with at.stream("gpt-4.1", fake_openai) as old:
            assert await at.becomes(f"{toml}[retry]\nattempts = 2\n")
            await at.ask("gpt-4.1")
            fake_openai.ack(100)
            await old.aread()
        numbers = Numbers((await at.http.get("/metrics")).text)
    assert numbers.total("requests_total", upstream="one", model="gpt-4.1", status="200") == 2
    assert (numbers.get("open_streams"), numbers.get("workers")) == (0, 1)


async def test_signatures_are_remembered(tmp_path: Path) -> None:
    async with site(tmp_path, KEYED) as at:
        memory = at.gateway.relay.memory
        memory.remember("alice", {"call_1": Kept()})
        assert await at.becomes(f"{KEYED}[retry]\nattempts = 2\n")
        assert at.gateway.relay.memory is memory
        assert await at.becomes(f'{KEYED}[translate]\nsignatures = "off"\n')
        assert len(at.gateway.relay.memory) == 0


async def test_what_goes_on_logs_as_the_newest_configuration_says(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with site(tmp_path, KEYED) as at:
        lasting = at.gateway.newest.bound
        assert await at.becomes(f'{KEYED}[log]\nlevel = "error"\nfile = "log"\n')
        lasting.warning("not worth a line")
        lasting.error("worth a line")
    assert "not worth" not in capfd.readouterr().err
    assert [("worth a line" in line) for line in (tmp_path / "log").read_text().splitlines()] == [True]


async def test_an_upstream_that_is_as_before_goes_on_with_its_connections(
    tmp_path: Path, fake_openai: FakeOpenAI
) -> None:
    toml = KEYED + upstream(fake_openai)
    async with site(tmp_path, toml) as at:
        await at.ask("gpt-4.1")
        before, listed = at.gateway.adapters["one"], len(fake_openai.calls("models.list"))
        assert await at.becomes(f"{toml}{upstream(fake_openai, 'two', 'key-2')}[models]\necho = 'upstream'\n")
        await at.ask("one/gpt-4.1")
        await fake_openai.wait_for("models.list", listed + 1)  # only the new one asks for its list
        assert at.gateway.adapters["one"] is before
        assert fake_openai.open_connections <= 2


@pytest.mark.parametrize("section", ["[retry]\nattempts = 2", "[timeouts]\nconnect = 3", '[log]\nlevel = "debug"'])
async def test_an_upstream_gets_the_sections_that_it_reads(
    tmp_path: Path, fake_openai: FakeOpenAI, section: str
) -> None:
    toml = KEYED + upstream(fake_openai)
    async with site(tmp_path, toml) as at:
        before = at.gateway.adapters["one"]
        assert await at.becomes(f"{toml}{section}\n")
        assert at.gateway.adapters["one"] is not before
        assert (await at.ask("gpt-4.1")).status_code == 200


class Own(Scripted):
    """An adapter that keeps its connections."""

    transport: Transport

    async def start(self, transport: Transport) -> None:
        self.transport = transport


@pytest.mark.parametrize("section", ["[retry]\nattempts = 2", "[timeouts]\nconnect = 3"])
async def test_an_adapter_of_somebody_elses_stays_beside_built_in_ones(
    tmp_path: Path, fake_openai: FakeOpenAI, section: str
) -> None:
    file, own = tmp_path / "gateway.toml", Own(say("Hello"), name="own", models=["loud"])
    toml = KEYED + upstream(fake_openai) + '[upstream.own]\ntype = "demo"\n'
    file.write_text(toml)
    app = assemble(Gateway(load(file, environ={}), adapters={"own": own}))
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        at = Site(app, file, http)
        assert await at.becomes(toml + section)
        assert at.gateway.adapters["own"] is own
        assert [answers(await at.ask(model)) for model in ("loud", "one/gpt-4.1")] == ["own/loud", "one/gpt-4.1"]
        await ended(at)
        assert (await own.transport.fetch("GET", f"{url}/health", headers={}, timeout_s=10)).status == 200


async def test_an_old_upstream_is_stopped_after_its_last_request_only(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    async with site(tmp_path, KEYED + upstream(fake_openai)) as at:
        old, transport = at.gateway, at.gateway.transport
        async with at.stream("gpt-4.1", fake_openai) as stream:
            assert await at.becomes(f"{KEYED}[timeouts]\nconnect = 3\n")
            assert (old.started, at.generations.living) == (True, (old, at.gateway))
            fake_openai.ack(100)
            await stream.aread()
        await ended(at)
        assert not old.started
        assert transport is not None
        assert transport.open_responses == 0


async def test_requests_of_all_configurations_are_aborted_at_the_end(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    toml = f"{KEYED}{upstream(fake_openai)}[timeouts]\nkeepalive = 0.01\n"
    async with site(tmp_path, toml) as at, at.stream("gpt-4.1", fake_openai, acked=0) as one:
        assert await at.becomes(f"{toml}[retry]\nattempts = 2\n")
        async with at.stream("gpt-4.1", fake_openai, acked=0) as two:
            at.generations.drain()
            at.generations.abort()
            ends = [(await stream.aread()).decode() for stream in (one, two)]
        assert not await at.becomes(KEYED)
    assert ["shutting down" in end for end in ends] == [True, True]


# files


async def test_an_edited_file_is_noticed_when_it_is_left_alone(tmp_path: Path) -> None:
    clock, file = FakeClock(), tmp_path / "gateway.toml"
    file.write_text(KEYED)
    app = assemble(Gateway(load(file, environ={}), clock=clock))
    async with serve(app):
        file.write_text('[auth]\nkeys = ["sk-b"]\n')
        generations: Generations[Gateway] = app.state.generations
        before = generations.current
        while generations.current is before:
            await clock.advance(EVERY_S)
            await asyncio.sleep(0.01)  # a look is taken in a thread
        assert generations.current.loaded.config.auth.keys[0].reveal() == "sk-b"


async def test_a_process_of_its_own_is_tidied_while_it_lives(tmp_path: Path) -> None:
    clock, file, tidied = FakeClock(), tmp_path / "gateway.toml", threading.Semaphore(0)
    file.write_text(KEYED)
    app = assemble(Gateway(load(file, environ={}), clock=clock))
    app.state.generations.tidy = tidied.release
    async with serve(app):
        for _ in range(2):
            assert not tidied.acquire(blocking=False)
            await clock.advance(TIDY_S)
            assert await asyncio.to_thread(tidied.acquire, timeout=patient(10))


async def test_an_app_whose_life_nobody_ends_does_not_look(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("")
    app = create_app(load(file, environ={}))
    tasks = asyncio.all_tasks()
    assert (await call(app, scope_of("/health", method="GET"))).status == 200
    assert not [task for task in asyncio.all_tasks() - tasks if "_look_at" in repr(task)]
    await app.state.generations.stop()


async def test_a_mapping_cannot_be_read_again(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    app = create_app({"server": {"data_dir": str(tmp_path)}})
    async with serve(app):
        assert not await app.state.generations.reload()
    assert "cannot be reloaded" in capfd.readouterr().err


# nothing is left behind


def present() -> Mapping[str, int]:
    """Count what a reload could leave."""
    gc.collect()
    kinds = Counter(type(one).__qualname__ for one in gc.get_objects())
    few = {kind: count for kind, count in kinds.items() if kind in ("Gateway", "Config", "OpenAI", "Pool", "LogFile")}
    descriptors = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0  # noqa: PTH208
    return {
        **few,
        "objects": sum(kinds.values()) // 5_000,
        "tasks": len(asyncio.all_tasks()),
        # the event loop's own grow to their bound, as busy as the machine is
        "threads": sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate()),
        "descriptors": descriptors,
    }


async def test_a_hundred_changes_leave_nothing_behind(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    toml = KEYED + upstream(fake_openai) + '[log]\nfile = "log"\n{}\n[retry]\nattempts = {}\n'
    others = (
        "[usage]\nkeep_days = 3",
        "[timeouts]\nconnect = 3",
        "[translate]\nfetch_urls = true",
        '[translate]\nsignatures = "off"',
        "[models]\nlist_variants = false",
    )
    async with site(tmp_path, toml.format("", 1)) as at:
        counts = [present()]
        for number in range(2, 102):
            assert await at.becomes(toml.format(others[number % len(others)], 1 + number // 3))
            assert (await at.ask("gpt-4.1")).status_code == 200
            await ended(at)
            if number == 21:
                counts.append(present())
        before, first = counts
        allowed = {kind: count + 2 for kind, count in first.items()} | {"Gateway": before["Gateway"]}
        deadline = time.monotonic() + patient(30)
        while more := {kind: count for kind, count in present().items() if count > allowed.get(kind, 2)}:
            assert time.monotonic() < deadline, (more, allowed)
            await asyncio.sleep(0.1)  # what the last ones leave is closed in threads
