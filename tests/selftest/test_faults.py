"""`gateway selftest` passes this gateway, and finds each fault that is planted in one of its encoders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.testing import GRAMMARS, Report, selftest
from tests.docs.examples import DOCS
from tests.fakes.openai_api import FakeOpenAI
from tests.selftest.faults import FAULTS, Fault
from tests.selftest.mutants import Mutant
from tests.serving import serve

pytestmark = pytest.mark.anyio


def gateway(folder: Path, **upstream: object) -> ASGIApp:
    return create_app(
        {
            "server": {"data_dir": str(folder)},
            "log": {"level": "error"},
            "timeouts": {"keepalive": 0.02},
            "models": {"unknown": "reject"},
            "upstream": {"up": upstream or {"type": "demo"}},
        }
    )


async def report_of(app: ASGIApp, *dialects: str, model: str = "") -> Report:
    async with serve(app) as url:
        return await selftest(url, dialects=dialects, model=model, silence_s=0.1)


async def test_this_gateway_passes_every_check(tmp_path: Path) -> None:
    report = await report_of(Mutant(gateway(tmp_path), lambda answer: answer))
    assert [finding for finding in report.findings if finding.verdict == "failed"] == []
    assert [*report.offered] == [*GRAMMARS]


async def test_responses_of_openai_pass_with_thoughts_that_have_no_status(
    fake_openai: FakeOpenAI, tmp_path: Path
) -> None:
    upstream = {"type": "openai", "base_url": f"{fake_openai.url}/v1", "api_key": "key-1", "api": "responses"}
    report = await report_of(gateway(tmp_path, **upstream), "openai-responses", model="gpt-5.2")
    verdicts = {finding.check: (finding.verdict, finding.problem) for finding in report.findings}
    assert verdicts["thoughts"] == verdicts["thoughts, streamed"] == verdicts["thoughts given back"] == ("ok", "")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.dialect}: {fault.name}")
async def test_a_planted_fault_is_found(tmp_path: Path, fault: Fault) -> None:
    report = await report_of(Mutant(gateway(tmp_path), fault.edit), fault.dialect)
    found = {finding.check: finding.problem for finding in report.failed}
    assert not report.ok
    assert fault.check in found
    assert re.search(fault.words, found[fault.check])


def test_there_are_faults_of_every_dialect_each_under_its_own_name() -> None:
    names = [(fault.dialect, fault.name) for fault in FAULTS]
    assert len(names) == len(set(names)) >= 20
    assert {fault.dialect for fault in FAULTS} == set(GRAMMARS)
    assert f"plants {len(FAULTS)} faults" in (DOCS / "selftest.md").read_text("utf-8")
