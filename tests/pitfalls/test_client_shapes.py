"""Requests as frameworks write them, over HTTP to every kind of upstream."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from tests.conformance.served import user
from tests.pitfalls.gateways import ALL, At, each

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

NOTES = b"Bring milk."


def carried(at: At) -> bool:
    """Whether the notes have reached the upstream, as words or as a file."""
    sent = json.dumps(at.sent)
    return NOTES.decode() in sent or b64encode(NOTES).decode() in sent


@pytest.mark.parametrize("kind", ["text/plain", "text/markdown", "text/csv", "application/json"])
@each(*ALL)
async def test_a_text_file_is_read(at: At, kind: str) -> None:
    """Pydantic AI and LangChain send one to Responses and to Chat as they do a PDF."""
    file = {"filename": "notes", "file_data": f"data:{kind};base64,{b64encode(NOTES).decode()}"}
    words = "!say ok"
    answers = [
        await at.chat(user([{"type": "file", "file": file}, {"type": "text", "text": words}])),
        await at.items(
            {"role": "user", "content": [{"type": "input_file", **file}, {"type": "input_text", "text": words}]}
        ),
    ]
    for response in answers:
        assert response.status_code == 200, response.text
        assert carried(at)
