"""Errors of the demo: a client sees the status that it asked for, or was due, with the words that belong to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from tests.serving import serve

pytestmark = pytest.mark.anyio

OURS = (502, ("server_error", "upstream_credential"), "api_error", "INTERNAL")  # never the caller's 401
ERRORS = {
    400: (400, ("invalid_request_error", None), "invalid_request_error", "INVALID_ARGUMENT"),
    401: OURS,
    403: OURS,
    404: (404, ("invalid_request_error", "model_not_found"), "not_found_error", "NOT_FOUND"),
    408: (408, ("server_error", "timeout"), "timeout_error", "DEADLINE_EXCEEDED"),
    413: (413, ("invalid_request_error", None), "request_too_large", "INVALID_ARGUMENT"),
    422: (422, ("invalid_request_error", None), "invalid_request_error", "INVALID_ARGUMENT"),
    429: (429, ("requests", "rate_limit_exceeded"), "rate_limit_error", "RESOURCE_EXHAUSTED"),
    500: (500, ("server_error", "upstream_error"), "api_error", "INTERNAL"),
    504: (504, ("server_error", "timeout"), "timeout_error", "DEADLINE_EXCEEDED"),
}


async def failed(http: httpx.AsyncClient, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = await http.post(path, json=body)
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize("status", ERRORS)
async def test_each_dialect_says_the_status_in_its_own_words(tmp_path: Path, status: int) -> None:
    app = create_app({"upstream": {"demo": {}}, "log": {"level": "error"}, "server": {"data_dir": str(tmp_path)}})
    said = f"!error {status}"
    talk = {"model": "demo", "max_tokens": 9, "messages": [{"role": "user", "content": said}]}
    async with serve(app) as url, httpx.AsyncClient(base_url=url) as http:
        chat = await failed(http, "/v1/chat/completions", talk)
        message = await failed(http, "/v1/messages", talk)
        gemini = await failed(http, "/v1beta/models/demo:generateContent", {"contents": [{"parts": [{"text": said}]}]})
    wanted, openais, anthropics, googles = ERRORS[status]
    assert (chat[0], (chat[1]["type"], chat[1]["code"])) == (wanted, openais)
    assert (message[0], message[1]["type"]) == (wanted, anthropics)
    assert (gemini[0], gemini[1]["code"], gemini[1]["status"]) == (wanted, wanted, googles)


async def test_a_second_answer_is_refused_as_by_other_upstreams(tmp_path: Path) -> None:
    app = create_app({"upstream": {"demo": {}}, "log": {"level": "error"}, "server": {"data_dir": str(tmp_path)}})
    talk = {"model": "demo", "messages": [{"role": "user", "content": "hi"}]}
    async with serve(app) as url, httpx.AsyncClient(base_url=url) as http:
        status, error = await failed(http, "/v1/chat/completions", talk | {"n": 2})
        one = await http.post("/v1/chat/completions", json=talk | {"n": 1})
        contents = {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"candidateCount": 2}}
        gemini = await failed(http, "/v1beta/models/demo:generateContent", contents)
    assert (status, error["param"], one.status_code) == (400, "n", 200)
    assert gemini[1]["message"] == "generationConfig.candidateCount: this upstream gives one response per request"
