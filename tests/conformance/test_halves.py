"""Half of a character in a request, as slices of a text end in: JavaScript writes it as an escape that no JSON has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance.anthropic_api import before
from tests.conformance.passed_bodies import JSON, WHOLES
from tests.conformance.raw import passing
from tests.fakes.anthropic_api import FakeAnthropic

pytestmark = pytest.mark.anyio

CUT = "cut \\ud83d, whole \\ud83d\\ude00"
MESSAGES = f'{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"{CUT}"}}]}}'
BODIES = {
    "openai-chat": MESSAGES,
    "openai-responses": f'{{"model":"m","input":"{CUT}"}}',
    "anthropic": MESSAGES,
}
CALLED = (
    '{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":"%s"}}]},'
    '{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"%s"}]}'
)
TOOLS = '"tools":[{"name":"f","input_schema":{"type":"object"}}]'


@pytest.mark.parametrize("dialect", BODIES)
async def test_the_rest_of_a_body_passes_as_it_came(dialect: str, tmp_path: Path) -> None:
    async with passing(dialect, tmp_path) as same:
        same.raw.says(WHOLES[dialect], kind=JSON)
        response = await same.post(BODIES[dialect].encode())
        assert response.status_code == 200, response.text
        sent = same.raw.asked[-1].body.decode()
    assert r"cut \ufffd, whole \ud83d\ude00" in sent
    assert "x-gateway-lossy" not in response.headers


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions", "/v1/messages/count_tokens"])
async def test_a_conversation_with_it_goes_on(path: str, tmp_path: Path) -> None:
    """anthropics/claude-code#1762, #5934: each request of it was a 400, and so was compacting it."""
    body = MESSAGES.replace('"m"', '"claude-sonnet-4-5"')
    if path.startswith("/v1/messages"):
        body = body.replace("}]}", f"}},{CALLED % (CUT, CUT)}],{TOOLS}}}")
    async with FakeAnthropic() as fake, before(fake, tmp_path) as claude:
        response = await claude.http.post(path, content=body.encode(), headers={"content-type": JSON})
        assert response.status_code == 200, response.text
        assert "cut \ufffd, whole \U0001f600" in json.dumps(fake.requests[-1].body, ensure_ascii=False)
