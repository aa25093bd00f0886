"""A database that holds its connections and says nothing: who asks for what is in it is told so, others are served."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.store.reports import Grouping, Report
from gateway.store.usage import UsageStore
from tests.gateway.admin.accounts import ADMIN, made, visiting
from tests.patience import patient
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.anyio

ASKED = {"model": "demo", "input": "Hello"}
AGAIN = 3


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("ledger", "archive"):
        monkeypatch.setattr(f"gateway.{part}._PATIENCE_S", 0.5)


async def test_nobody_waits_for_ever(postgres_url: str, postgres_server: PostgresServer, tmp_path: Path) -> None:
    keys = [{"name": "bob", "secret": "sk-bob"}]
    app = made(tmp_path, store={"database": postgres_url}, key=keys, log={"level": "critical"})
    async with visiting(app, accept="application/json") as http:
        bob = {"authorization": "Bearer sk-bob"}
        kept = (await http.post("/v1/responses", json=ASKED, headers=bob)).json()["id"]
        assert (await http.get(f"/v1/responses/{kept}", headers=bob)).status_code == 200
        postgres_server.freeze()
        try:
            async with asyncio.timeout(patient(60)):
                asked = ["/usage", f"/v1/responses/{kept}"] * AGAIN
                answers = await asyncio.gather(*(http.get(path, headers=bob) for path in asked))
                report = await http.get("/admin/usage", auth=ADMIN)
                served = await http.post("/v1/responses", json={**ASKED, "store": False}, headers=bob)
                metrics = await http.get("/metrics")
        finally:
            postgres_server.thaw()
        own, kept_answers = answers[::2], answers[1::2]
        assert [(answer.status_code, answer.json()["usage"]) for answer in own] == [(200, None)] * AGAIN
        assert {answer.status_code for answer in (*kept_answers, report)} == {503}
        assert {"cannot be read" in answer.text for answer in (*kept_answers, report)} == {True}
        assert (served.status_code, metrics.status_code) == (200, 200)
        async with asyncio.timeout(patient(60)):
            for path, field in (("/usage", "usage"), (f"/v1/responses/{kept}", "id")):
                while not (await http.get(path, headers=bob)).json().get(field):  # noqa: ASYNC110 - no event tells of it
                    await asyncio.sleep(0.05)


async def test_one_answer_waits_for_it_and_no_other(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience_s, times = patient(2.0), list[float]()
    monkeypatch.setattr("gateway.archive._PATIENCE_S", patience_s)
    app = made(tmp_path, store={"database": postgres_url}, log={"level": "critical"})
    async with visiting(app, accept="application/json") as http:
        assert (await http.post("/v1/responses", json=ASKED)).status_code == 200
        postgres_server.freeze()
        try:
            for _ in range(1 + AGAIN):
                began = time.monotonic()
                assert (await http.post("/v1/responses", json=ASKED)).status_code == 200
                times.append(time.monotonic() - began)
        finally:
            postgres_server.thaw()
        assert times[0] >= patience_s > max(times[1:])
        async with asyncio.timeout(patient(60)):
            while True:
                kept = (await http.post("/v1/responses", json=ASKED)).json()["id"]
                if (await http.get(f"/v1/responses/{kept}")).status_code == 200:
                    break


async def test_a_report_that_takes_too_long_is_told_so_and_holds_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends, summed = threading.Event(), UsageStore.report

    def slowly(store: UsageStore, by: Grouping, *given: Any) -> Report:
        if by == "model":
            assert ends.wait(patient(60))
        return summed(store, by, *given)

    monkeypatch.setattr(UsageStore, "report", slowly)
    key = {"name": "bob", "secret": "sk-bob", "limits": {"requests_per_day": 9}}
    app = made(tmp_path, key=[key], log={"level": "critical"})
    bob = {"authorization": "Bearer sk-bob"}
    ledger = app.state.gateway.services.ledger
    async with visiting(app, accept="application/json") as http:
        assert (await http.post("/v1/responses", json=ASKED, headers=bob)).status_code == 200
        try:
            answers = [await http.get("/admin/usage?by=model", auth=ADMIN) for _ in range(AGAIN)]
            assert {answer.status_code for answer in answers} == {503}
            assert {"ask for a shorter time" in answer.text for answer in answers} == {True}
            assert (await http.post("/v1/responses", json=ASKED, headers=bob)).status_code == 200
            (sums,) = await ledger.sums("", [(0.0, time.time() + 1)])
            assert (sums.requests, ledger.problem) == (2, "")
        finally:
            ends.set()
        async with asyncio.timeout(patient(60)):
            while (found := await http.get("/admin/usage?by=model", auth=ADMIN)).status_code != 200:  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0.05)
        assert found.json()["total"]["requests"] == 2
