"""What Code Assist names in a 400 is written otherwise, and the request is sent once more."""

import json

import pytest

from gateway import ir
from tests.adapters.site import STREAM, Site

pytestmark = pytest.mark.anyio


async def test_an_answer_of_claude_is_as_long_as_the_prompt_leaves_of_the_context(site: Site) -> None:
    await site.open()
    said = "input length and `max_tokens` exceed context limit: 190000 + 64000 > 200000"
    error = {"code": 400, "message": said, "status": "INVALID_ARGUMENT"}
    site.fake.script.push("!refuse " + json.dumps({"error": error}))
    for _ in range(2):
        assert await site.ask(model="claude-sonnet-4-6", attempts=1, sampling=ir.Sampling(max_tokens=64_000)) == "hi"
    limits = [call.request["generationConfig"]["maxOutputTokens"] for call in site.fake.calls(STREAM)]
    assert limits == [64_000, 10_000, 64_000]
