"""The ledger of an app: what requests leave in it, whatever ends them, and what it says."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from subprocess import run
from typing import Any

import anyio
import pytest
from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.types import Receive

from gateway import ir
from gateway.app import lifespan
from gateway.cli.usage import usage as command
from gateway.errors import StoreUnavailable, UpstreamRateLimited, UpstreamUnavailable
from gateway.ledger import Ledger
from gateway.store.journal import Ended
from tests.clocks import FakeClock
from tests.middleware.asgi import Outcome, call, scope_of
from tests.patience import patient
from tests.postgres_server import PostgresServer
from tests.scripted import Play, Scripted, app_of, say

pytestmark = pytest.mark.anyio

SILENT: Play = [
    [ir.Started(id="up_1"), ir.BlockStarted(kind="text")],
    [ir.TextDelta("Hello world")],
    [ir.BlockEnded(), ir.Finished(reason="stop")],
]


@asynccontextmanager
async def running(
    folder: Path, *plays: Play, clock: FakeClock | None = None, **config: Any
) -> AsyncGenerator[tuple[Starlette, Ledger]]:
    """Run an app that keeps its ledger in a folder."""
    given = {"server": {"data_dir": str(folder / "data")}, **config}
    app = app_of(Scripted(*plays or [say("Hello")]), config=given, clock=clock)
    async with lifespan(app):
        ledger = app.state.gateway.services.ledger
        yield app, ledger


async def ask(app: Starlette, body: Mapping[str, object] | bytes | None = None, **scope: Any) -> Outcome:
    if not isinstance(body, bytes):
        body = json.dumps(
            {"model": "demo", "messages": [{"role": "user", "content": "Hello"}], **(body or {})}
        ).encode()
    return await call(app, scope_of(**scope), [body])


async def only(ledger: Ledger) -> Ended:
    (row,) = await ledger.rows(None, None, 10)
    return row


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answered_request_is_a_row_with_what_the_upstream_counted(tmp_path: Path, stream: bool) -> None:
    prices = {"demo": {"input": 1.0, "output": 10.0}}
    async with running(tmp_path, usage={"price": prices}) as (app, ledger):
        await ask(app, {"stream": stream})
        row = await only(ledger)
    assert (row.upstream, row.asked, row.model, row.dialect, row.key) == (
        "demo",
        "demo",
        "demo",
        "openai-chat",
        "anonymous",
    )
    assert (row.end, row.status, row.input, row.output, row.estimated) == ("done", 200, 3, 2, False)
    assert row.usd == pytest.approx((3 * 1 + 2 * 10) / 1e6)
    assert row.total_s is not None
    assert row.first_byte_s is not None
    assert 0 <= row.first_byte_s <= row.total_s


async def test_a_request_costs_what_its_day_asks(tmp_path: Path) -> None:
    clock = FakeClock(wall=1_798_761_599.0)  # a second before 2027
    model = "gemini-3.8-flash"
    async with running(tmp_path, clock=clock, models={"alias": {model: f"demo/{model}"}}) as (app, ledger):
        await ask(app, {"model": model})
        clock.wall += 1
        await ask(app, {"model": model})
        rows = await ledger.rows(None, None, 10)
    assert sorted(row.usd or 0 for row in rows) == [pytest.approx((3 * 0.75 + 2 * 3.75) * n / 1e6) for n in (1, 2)]


async def test_rows_have_ids_that_sort_by_when_the_requests_began(tmp_path: Path) -> None:
    clock = FakeClock()
    async with running(tmp_path, clock=clock) as (app, ledger):
        for seconds in (0.001, 1, 10_000, 1_000_000):
            clock.wall += seconds
            await ask(app)
        rows = await ledger.rows(None, None, 10)
    ids = [row.id for row in sorted(rows, key=lambda row: row.started_at)]
    assert (ids, {len(id_) for id_ in ids}) == (sorted(ids), {24})


async def test_it_is_written_down_before_its_last_byte_goes_out(tmp_path: Path) -> None:
    at_the_end: list[str] = []
    async with running(tmp_path) as (app, _):
        body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "Hello"}], "stream": True})

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                (journal,) = (tmp_path / "data" / "journal").glob("*.jsonl")
                at_the_end.append(journal.read_text())

        async def receive() -> Any:
            return {"type": "http.request", "body": body.encode()}

        await app(scope_of(), receive, send)
    assert '"end":"done"' in at_the_end[0]


async def test_what_an_upstream_does_not_count_is_estimated(tmp_path: Path) -> None:
    async with running(tmp_path, SILENT) as (app, ledger):
        answer = await ask(app)
        row = await only(ledger)
    assert row.estimated
    assert row.input >= 1
    assert row.output == 4
    read = answer.json["usage"]
    assert (read["prompt_tokens"], read["completion_tokens"], read["total_tokens"]) == (row.input, 4, row.input + 4)
    assert answer.headers["x-gateway-token-count"] == "estimate"


async def test_zeros_that_an_upstream_has_told_are_told_on_and_estimated_for_the_ledger(tmp_path: Path) -> None:
    play: Play = [*SILENT[:2], [ir.BlockEnded(), ir.UsageReported(ir.Usage()), ir.Finished(reason="stop")]]
    async with running(tmp_path, play) as (app, ledger):
        answer = await ask(app)
        row = await only(ledger)
    assert (row.estimated, row.output) == (True, 4)
    assert (answer.json["usage"]["completion_tokens"], answer.json["usage"]["total_tokens"]) == (0, 0)
    assert "x-gateway-token-count" not in answer.headers


async def test_an_upstream_that_counts_wildly_spoils_no_report(tmp_path: Path) -> None:
    wild: Play = [*say("Hello")[:-1], [ir.UsageReported(ir.Usage(input=10**20, output=2)), ir.Finished(reason="stop")]]
    async with running(tmp_path, wild, say("Hello")) as (app, ledger):
        await ask(app)
        await ask(app)
        report = await ledger.report("key", None, None)
    assert (report.total.requests, report.total.input_tokens, report.total.output_tokens) == (2, 10**12 + 3, 4)


async def test_a_failed_request_says_whom_it_asked_and_what_was_answered(tmp_path: Path) -> None:
    async with running(tmp_path, [UpstreamUnavailable("down")], retry={"attempts": 1}) as (app, ledger):
        await ask(app)
        row = await only(ledger)
    assert (row.end, row.status, row.upstream, row.model, row.input, row.credential) == (
        "error",
        502,
        "demo",
        "demo",
        0,
        "",
    )


async def test_a_failed_request_cost_nothing_and_no_estimate_stands_for_it(tmp_path: Path) -> None:
    prices = {"demo": {"input": 1.0, "output": 10.0}}
    config: dict[str, Any] = {"retry": {"attempts": 1}, "usage": {"price": prices}}
    async with running(tmp_path, [UpstreamUnavailable("down")], **config) as (app, ledger):
        await ask(app)
        row = await only(ledger)
    assert (row.usd, row.estimated) == (0.0, False)


def leaving(there: anyio.Event, **fields: Any) -> Receive:
    """Ask something, and leave as soon as that is there."""
    words = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "Hello"}], **fields})
    left = [{"type": "http.request", "body": words.encode()}]

    async def receive() -> Any:
        if left:
            return left.pop()
        await there.wait()
        return {"type": "http.disconnect"}

    return receive


async def test_a_caller_that_leaves_is_a_row_with_what_it_was_sent(tmp_path: Path) -> None:
    play = [*SILENT[:2], anyio.sleep_forever]
    async with running(tmp_path, play) as (app, ledger):
        there = anyio.Event()

        async def send(message: Any) -> None:
            if b"Hello world" in message.get("body", b""):
                there.set()

        await app(scope_of(), leaving(there, stream=True), send)
        row = await only(ledger)
    assert (row.end, row.status, row.output, row.estimated) == ("client_closed", 200, 4, True)


async def test_a_caller_that_leaves_before_the_first_word_is_a_row_with_whose_credential_was_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.scripted._Journey.credential", "c1", raising=False)
    there = anyio.Event()

    async def silent() -> None:
        there.set()
        await anyio.sleep_forever()

    async with running(tmp_path, [silent]) as (app, ledger):

        async def send(_: Any) -> None:
            """Take what nobody reads."""

        await app(scope_of(), leaving(there), send)
        row = await only(ledger)
    assert (row.end, row.credential, row.first_byte_s) == ("client_closed", "c1", None)


@pytest.mark.parametrize(
    ("body", "status", "asked"), [(b"{", 400, ""), ({"model": "nothing"}, 404, "nothing"), ({"messages": 1}, 400, "")]
)
async def test_what_is_refused_after_the_caller_was_let_in_is_a_row(
    tmp_path: Path, body: Any, status: int, asked: str
) -> None:
    async with running(tmp_path, models={"unknown": "reject"}) as (app, ledger):
        assert (await ask(app, body)).status == status
        row = await only(ledger)
    assert (row.end, row.status, row.asked, row.upstream, row.usd) == ("error", status, asked, "", None)


async def test_a_model_that_a_key_may_not_use_is_a_row(tmp_path: Path) -> None:
    key = {"name": "alice", "secret": "sk-alice", "models": ["other"]}
    async with running(tmp_path, key=[key]) as (app, ledger):
        assert (await ask(app, headers={"x-api-key": "sk-alice"})).status == 403
        row = await only(ledger)
    assert (row.key, row.asked, row.status) == ("alice", "demo", 403)


@pytest.mark.usefixtures("stopped")
async def test_strangers_and_those_over_their_limit_are_no_rows(tmp_path: Path) -> None:
    key = {"name": "alice", "secret": "sk-alice", "limits": {"requests_per_day": 1}}
    async with running(tmp_path, key=[key]) as (app, ledger):
        said = [(await ask(app, headers={"x-api-key": given})).status for given in ("sk-eve", "sk-alice", "sk-alice")]
        assert said == [401, 200, 429]
        assert (await only(ledger)).status == 200


@pytest.mark.parametrize("limits", [{"tokens_per_day": 1}, {"usd_per_month": 0.000001}])
@pytest.mark.parametrize("stream", [False, True])
async def test_what_a_limit_on_tokens_or_money_has_refused_is_no_row_and_no_error(
    tmp_path: Path, limits: Mapping[str, float], stream: bool
) -> None:
    config: dict[str, Any] = {
        "key": [{"name": "alice", "secret": "sk-alice", "limits": limits}],
        "usage": {"price": {"demo": {"input": 1.0, "output": 10.0}}},
    }
    async with running(tmp_path, **config) as (app, ledger):
        said = [(await ask(app, {"stream": stream}, headers={"x-api-key": "sk-alice"})).status for _ in range(3)]
        metrics = (await call(app, scope_of("/metrics", method="GET"))).body.decode()
        total = (await ledger.report("key", None, None)).total
    assert (said, total.requests, total.errors) == ([200, 429, 429], 1, 0)
    (limit,) = limits
    assert f'gateway_limit_refusals_total{{limit="{limit}"}} 2' in metrics
    async with running(tmp_path) as (_, ledger):
        assert (await only(ledger)).status == 200


async def test_an_upstream_over_its_limit_is_a_row(tmp_path: Path) -> None:
    async with running(tmp_path, [UpstreamRateLimited("slow down")], retry={"attempts": 1}) as (app, ledger):
        assert (await ask(app)).status == 429
        row = await only(ledger)
    assert (row.end, row.status) == ("error", 429)


@pytest.mark.parametrize(
    ("path", "method"),
    [("/v1/models", "GET"), ("/v1/messages/count_tokens", "POST"), ("/health", "GET"), ("/favicon.ico", "GET")],
)
async def test_lists_counts_and_other_paths_are_no_rows(tmp_path: Path, path: str, method: str) -> None:
    async with running(tmp_path) as (app, ledger):
        await ask(app, path=path, method=method)
        assert await ledger.rows(None, None, 10) == []
        assert not (tmp_path / "data" / "journal").exists()


async def test_a_defect_is_a_row_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, log={"level": "critical"}) as (app, ledger):
        monkeypatch.setattr(Scripted, "open", None)
        assert (await ask(app)).status == 500
        row = await only(ledger)
    assert (row.end, row.status) == ("error", 500)


async def test_what_was_open_when_the_process_was_killed_is_known_at_the_next_start(tmp_path: Path) -> None:
    line = {"is": "open", "id": "1", "started_at": 1e9, "key": "a", "key_id": "a", "dialect": "gemini", "asked": "demo"}
    journals = tmp_path / "data" / "journal"
    journals.mkdir(parents=True)
    (journals / "1.jsonl").write_text(json.dumps(line) + "\n")
    async with running(tmp_path) as (_, ledger):
        row = await only(ledger)
    assert (row.end, row.asked, row.estimated, row.total_s) == ("killed", "demo", True, None)


async def test_a_report_counts_what_has_just_ended(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, ledger):
        for number in range(1, 4):
            await ask(app)
            assert (await ledger.report("model", None, None)).total.requests == number


async def test_a_report_of_nothing_makes_no_file(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, ledger):
        assert (await ledger.report("model", None, None)).rows == []
        assert not (tmp_path / "data" / "gateway.db").exists()


async def test_the_database_is_filled_a_second_later(tmp_path: Path) -> None:
    clock = FakeClock()
    async with running(tmp_path, clock=clock) as (app, _):
        await ask(app)
        assert not (tmp_path / "data" / "gateway.db").exists()
        await clock.advance(1.0)
        with anyio.fail_after(patient(10)):
            while not (tmp_path / "data" / "gateway.db").exists():  # noqa: ASYNC110 - another thread makes it
                await anyio.sleep(0.01)


async def test_switched_off_it_writes_nothing(tmp_path: Path) -> None:
    for usage in ({"enabled": False}, {"keep_days": 0}):
        async with running(tmp_path, usage=usage) as (app, ledger):
            assert ledger is None
            assert (await ask(app)).status == 200
    assert not (tmp_path / "data" / "journal").exists()


async def test_keep_days_0_drops_what_another_time_has_kept(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, ledger):
        await ask(app)
        await ledger.report("key", None, None)
    async with running(tmp_path, usage={"keep_days": 0}):
        pass
    async with running(tmp_path) as (_, ledger):
        assert await ledger.rows(None, None, 10) == []


async def test_keep_days_0_drops_much_while_it_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as (app, ledger):
        for _ in range(3):
            await ask(app)
        await ledger.report("key", None, None)
    monkeypatch.setattr("gateway.store.usage._DROPPING_S", 0.0)
    monkeypatch.setattr("gateway.store.usage._BATCH", 1)
    async with running(tmp_path, usage={"keep_days": 0}) as (app, _):
        with closing(sqlite3.connect(tmp_path / "data" / "gateway.db")) as connection, anyio.fail_after(patient(10)):
            while connection.execute("SELECT count(*) FROM usage").fetchone() != (0,):
                await ask(app)
                await anyio.sleep(0.01)


async def test_what_is_old_is_dropped_where_nothing_is_asked_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.usage._DROPPING_S", 0.0)
    monkeypatch.setattr("gateway.store.usage._BATCH", 1)  # it takes several turns
    clock, data = FakeClock(), tmp_path / "data"
    async with running(tmp_path, clock=clock, usage={"keep_days": 1, "log_every": 0}) as (app, _):
        await ask(app)
        await ask(app)
        with anyio.fail_after(patient(10)):
            while not ((data / "journal" / "turn").exists() and (data / "journal" / "turn").read_bytes()):
                await clock.advance(1.0)
                await anyio.sleep(0.01)
            clock.wall += 2 * 86_400
            await clock.advance(3600.0)
            with closing(sqlite3.connect(data / "gateway.db")) as connection:
                while connection.execute("SELECT count(*) FROM usage").fetchone() != (0,):
                    await clock.advance(1.0)
                    await anyio.sleep(0.01)


async def test_a_summary_line_says_what_happened_and_nothing_when_nothing_did(tmp_path: Path) -> None:
    clock, said = FakeClock(), list[dict[str, Any]]()
    async with running(tmp_path, say("Hello"), clock=clock, usage={"log_every": 10}) as (app, ledger):
        ledger._logger = _Heard(said)  # type: ignore[assignment]  # it logs nothing else
        await ask(app)
        with anyio.fail_after(patient(10)):
            while not said:  # it is due, and the database is filled in another thread
                await clock.advance(1.0)
                await anyio.sleep(0.02)
        for _ in range(30):
            await clock.advance(1.0)
            await anyio.sleep(0.02)
    assert [{**line, "seconds": 0} for line in said] == [
        {
            "event": "usage",
            "seconds": 0,
            "requests": 1,
            "errors": 0,
            "input_tokens": 3,
            "output_tokens": 2,
            "usd": None,
            "unpriced": 1,
            "upstreams": {"demo": 1},
        }
    ]


async def test_a_line_that_comes_due_while_the_database_is_filled_is_said_all_the_same(tmp_path: Path) -> None:
    clock, said = FakeClock(), list[dict[str, Any]]()
    async with running(tmp_path, clock=clock, usage={"log_every": 10}) as (app, ledger):
        ledger._logger = _Heard(said)  # type: ignore[assignment]  # it logs nothing else
        await ask(app)
        await ledger.report("key", None, None)
        await ask(app)
        with closing(sqlite3.connect(tmp_path / "data" / "gateway.db", isolation_level=None)) as another:
            another.execute("BEGIN IMMEDIATE")
            await clock.advance(1.0)  # to fill waits for the other one
            await clock.advance(9.0)
            another.execute("ROLLBACK")
        with anyio.fail_after(patient(10)):
            while not said:
                await clock.advance(0.5)
                await anyio.sleep(0.02)
    assert [line["requests"] for line in said] == [2]


class _Heard:
    def __init__(self, said: list[dict[str, Any]]) -> None:
        self._said = said

    def info(self, event: str, **fields: Any) -> None:
        self._said.append({"event": event, **fields})

    error = info


async def test_a_store_that_fails_stops_no_request_and_the_journal_keeps_what_it_misses(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gateway.db").write_text("no database at all, and long enough for it to be seen" * 99)
    always = {"allow_anonymous": "always"}
    async with running(tmp_path, log={"level": "critical"}, auth=always) as (app, ledger):
        assert (await ask(app)).status == 200
        with pytest.raises(Exception, match="the ledger cannot be read"):
            await ledger.report("key", None, None)
        (tmp_path / "data" / "gateway.db").unlink()
        assert (await ledger.report("key", None, None)).total.requests == 1


async def test_a_journal_that_is_damaged_is_told_of_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left = tmp_path / "data" / "journal" / "1.jsonl"
    file = tmp_path / "gateway.toml"
    file.write_text('[server]\ndata_dir = "data"\n[upstream.demo]\n', "utf-8")
    said = "a journal has parts that cannot be read; their requests are missing in the usage"
    for _ in range(2):
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_bytes(bytes(300) + b"\n")
        async with running(tmp_path, auth={"allow_anonymous": "always"}) as (_, ledger):
            for _ in range(2):
                await ledger.report("key", None, None)
        assert [line["journal"] for line in map(json.loads, capsys.readouterr().err.splitlines())] == ["1.jsonl"]
        left.write_bytes(bytes(300) + b"\n")
        printed = await anyio.to_thread.run_sync(CliRunner().invoke, command, ["-c", str(file), "--json"])
        assert printed.stderr == f"warning: {said}: 1.jsonl\n"


async def test_a_postgresql_that_can_only_be_read_is_read(
    tmp_path: Path, postgres_url: str, postgres_server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a replica, or a server whose disk is full: its rows are told, and the journals keep what came since."""
    name = postgres_url.rpartition("/")[2]
    forbid = f"ALTER DATABASE {name} SET default_transaction_read_only".encode()
    file = tmp_path / "gateway.toml"
    file.write_text(f'[server]\ndata_dir = "data"\n[store]\ndatabase = "{postgres_url}"\n', "utf-8")
    always = {"allow_anonymous": "always"}
    async with running(tmp_path, auth=always, store={"database": postgres_url}) as (app, ledger):
        await ask(app)
        assert (await ledger.report("key", None, None)).total.requests == 1
    postgres_server.do(forbid + b" = on")  # for connections that are made from now on
    async with running(tmp_path, auth=always, store={"database": postgres_url}) as (app, ledger):
        await ask(app)
        assert (await ledger.report("key", None, None)).total.requests == 1
        assert len(await ledger.rows(None, None, 10)) == 1
        printed = await anyio.to_thread.run_sync(CliRunner().invoke, command, ["-c", str(file), "--json"])
        assert json.loads(printed.stdout)["total"]["requests"] == 1
        assert printed.stderr.startswith("warning: requests that this machine has not saved there yet are missing: ")
    postgres_server.do(forbid + b" = off")
    assert "the ledger cannot be written; the journals are kept until it can" in capsys.readouterr().err
    async with running(tmp_path, auth=always, store={"database": postgres_url}) as (app, ledger):
        assert (await ledger.report("key", None, None)).total.requests == 2


@pytest.mark.parametrize("log_every", [0, 10])
async def test_a_store_that_works_again_is_filled_and_summed_up_by_itself(tmp_path: Path, log_every: int) -> None:
    (tmp_path / "data").mkdir()
    database = tmp_path / "data" / "gateway.db"
    database.write_text("no database at all, and long enough for it to be seen" * 99)
    config: dict[str, Any] = {"auth": {"allow_anonymous": "always"}, "usage": {"log_every": log_every}}
    clock, said = FakeClock(), list[dict[str, Any]]()
    async with running(tmp_path, clock=clock, log={"level": "critical"}, **config) as (app, ledger):
        ledger._logger = _Heard(said)  # type: ignore[assignment]  # it logs nothing else

        async def pass_until(event: str) -> None:
            with anyio.fail_after(patient(20)):
                while event not in [line["event"] for line in said]:
                    await clock.advance(0.5)
                    await anyio.sleep(0.02)

        await ask(app)
        await clock.advance(11)  # a summary line is due
        await pass_until("the ledger cannot be written; the journals are kept until it can")
        database.unlink()
        await pass_until("the ledger can be written again")
        if log_every:
            await pass_until("usage")
    assert [line.get("requests") for line in said] == [None, None, *([1] if log_every else [])]


async def test_a_journal_that_cannot_be_written_stops_no_request_and_is_told_once(tmp_path: Path) -> None:
    clock, said = FakeClock(), list[dict[str, Any]]()
    async with running(tmp_path, clock=clock) as (app, ledger):
        ledger._logger = _Heard(said)  # type: ignore[assignment]  # it logs nothing else
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "journal").write_text("in the way")
        assert [(await ask(app)).status for _ in range(3)] == [200, 200, 200]
        assert [line["event"] for line in said] == ["the journal cannot be written; its entries are kept in memory"]
        (tmp_path / "data" / "journal").unlink()
        await clock.advance(1.0)
        assert (await ledger.report("key", None, None)).total.requests == 3


async def test_what_a_journal_could_not_take_until_the_end_is_told_as_lost(tmp_path: Path) -> None:
    said = list[dict[str, Any]]()
    async with running(tmp_path) as (app, ledger):
        ledger._logger = _Heard(said)  # type: ignore[assignment]  # it logs nothing else
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "journal").write_text("in the way")
        assert [(await ask(app)).status for _ in range(3)] == [200, 200, 200]
    assert said[-1] == {
        "event": "requests that could not be written down are lost",
        "requests": 3,
        "reason": f"{tmp_path / 'data' / 'journal'}: File exists",
    }


async def test_a_ledger_that_never_had_a_folder_is_not_said_to_be_written_again(tmp_path: Path) -> None:
    said = list[dict[str, Any]]()
    (tmp_path / "data").write_text("in the way")
    async with running(tmp_path, log={"level": "critical"}) as (app, ledger):
        ledger._logger = _Heard(said)  # type: ignore[assignment]  # it logs nothing else
        await ask(app)
        with suppress(StoreUnavailable):
            await ledger.report("key", None, None)
        assert ledger.problem
    assert [line["event"] for line in said] == [
        "the journal cannot be written; its entries are kept in memory",
        "the ledger cannot be written; the journals are kept until it can",
        "requests that could not be written down are lost",
    ]


async def test_a_folder_that_was_moved_away_is_told_and_counts_again_when_it_is_back(tmp_path: Path) -> None:
    """Nobody is told that nothing was used."""
    said, data, aside = list[dict[str, Any]](), tmp_path / "data", tmp_path / "aside"
    async with running(tmp_path, log={"level": "critical"}, auth={"allow_anonymous": "always"}) as (app, ledger):
        ledger._logger = _Heard(said)  # type: ignore[assignment]  # it logs nothing else
        await ask(app)
        assert (await ledger.report("key", None, None)).total.requests == 1
        data.rename(aside)
        with pytest.raises(StoreUnavailable):
            await ledger.report("key", None, None)
        with pytest.raises(StoreUnavailable):
            await ledger.sums("", [(0.0, 1.0)])
        assert said[0]["reason"].startswith("the file was removed: put it back")
        aside.rename(data)
        await ask(app)
        assert (await ledger.report("key", None, None)).total.requests == 2


async def test_one_whose_folder_was_removed_is_told_and_new_requests_are_written_down(tmp_path: Path) -> None:
    clock, said = FakeClock(), list[dict[str, Any]]()
    always = {"allow_anonymous": "always"}
    async with running(tmp_path, clock=clock, log={"level": "critical"}, auth=always) as (app, ledger):
        ledger._logger = _Heard(said)  # type: ignore[assignment]  # it logs nothing else
        await ask(app)
        await ledger.report("key", None, None)
        shutil.rmtree(tmp_path / "data")
        with anyio.fail_after(patient(20)):
            while len(said) < 2:
                await clock.advance(0.5)
                await anyio.sleep(0.02)
        await clock.advance(1.0)
        await ask(app)
        (journal,) = (tmp_path / "data" / "journal").glob("*.jsonl")
        assert len(journal.read_text().splitlines()) == 2
    events = {line["event"] for line in said}
    assert "the journal cannot be written; its entries are kept in memory" in events
    assert "the ledger cannot be written; the journals are kept until it can" in events


def test_nothing_of_it_is_loaded_before_the_first_fill() -> None:
    code = (
        "import asyncio, sys; from gateway import create_app; from gateway.app import lifespan\n"
        "async def main():\n async with lifespan(create_app({'log': {'level': 'error'}})): pass\n"
        "asyncio.run(main()); print('sqlalchemy' in sys.modules)"
    )
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
