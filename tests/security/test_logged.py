"""What a caller says stands in the log as one line of plain characters; what it asks a model does not stand there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Scope

from gateway.app import create_app, lifespan
from tests.middleware.asgi import call, scope_of

pytestmark = pytest.mark.anyio

# another line, a terminal's orders, and what turns the reading about
STEERING = (
    "a\r\n2026-01-01T00:00:00Z [error] forged\x1b[2J\x1b]0;title\x07\x00\x7f\x9b31m\u2028b\u2029c\u202ed\u200be\x85f"
)
SHORT = "".join(one for one in STEERING if one not in " =\r\n")  # which a renderer does not put into quotes
PROMPT = "the-words-of-the-prompt"
BODIES: Mapping[str, Any] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": PROMPT}]},
    "/v1/messages": {"max_tokens": 5, "messages": [{"role": "user", "content": PROMPT}]},
    "/v1/responses": {"input": PROMPT},
    "/v1beta/models/demo:generateContent": {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]},
}


async def logged(folder: Path, form: str, *scopes: Scope, body: Any = None, **tables: Any) -> list[str]:
    """Ask for these, one after the other, and give the lines of the log."""
    file = folder / "gateway.log"
    log = {"level": "debug", "format": form, "file": str(file)}
    app = create_app({"server": {"data_dir": str(folder)}, "log": log, **tables})
    async with lifespan(app):
        for scope in scopes:
            await call(app, scope, [json.dumps(body or {}).encode()])
    return file.read_text("utf-8").split("\n")[:-1]


def said(place: str, words: str = STEERING) -> tuple[Scope, dict[str, Any]]:
    """Say it in a place of a request; give the scope and the body."""
    body = {"model": "demo", "messages": [{"role": "user", "content": "hi"}]}
    scope: Any = scope_of()
    if place == "path":
        scope["path"] = f"/v1/{words}"
    elif place == "id":
        scope["path"], scope["method"] = f"/v1/responses/{words}", "GET"
    elif place == "model":
        body["model"] = words
    elif place == "field":
        body["messages"] = [{"role": words, "content": "hi"}]
    elif place == "method":
        scope["method"] = words
    else:
        scope["headers"] = [*scope["headers"], (place.encode(), words.encode())]
    return scope, body


PLACES = ("path", "id", "model", "field", "method", "x-request-id", "user-agent", "x-forwarded-for", "x-api-key")


@pytest.mark.parametrize("words", [STEERING, SHORT], ids=["with spaces", "without"])
@pytest.mark.parametrize("place", PLACES)
async def test_in_a_text_log_it_is_one_plain_line(tmp_path: Path, place: str, words: str) -> None:
    scope, body = said(place, words)
    lines = await logged(tmp_path, "console", scope, body=body)
    requests = [line for line in lines if " request " in line]
    assert len(requests) == 1
    assert [line for line in lines if not line.isprintable() and "Traceback" not in line] == []
    assert not any(line.startswith("2026-01-01") for line in lines)


@pytest.mark.parametrize("place", PLACES)
async def test_in_a_log_of_json_it_is_one_object(tmp_path: Path, place: str) -> None:
    scope, body = said(place)
    lines = await logged(tmp_path, "json", scope, body=body)
    assert [json.loads(line)["event"] for line in lines].count("request") == 1
    assert [line for line in lines if not line.isprintable()] == []


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("place", ["path", "id", "model"])
async def test_a_key_that_stands_in_a_wrong_place_is_masked(tmp_path: Path, form: str, place: str) -> None:
    secret = "canary of our own form"
    scope, body = said(place, secret)
    scope["headers"] = [(b"host", b"gateway.example"), (b"x-api-key", secret.encode())]
    tables = {"auth": {"keys": [secret]}, "models": {"unknown": "reject"}}
    (line,) = await logged(tmp_path, form, scope, body=body, **tables)
    assert ("404" in line, secret in line) == (True, False)


async def test_what_is_asked_and_answered_is_not_logged_by_itself(tmp_path: Path) -> None:
    for number, (path, body) in enumerate(BODIES.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        # one that is answered, one that fails upstream, one that cannot be read
        asked = [body, json.loads(json.dumps(body).replace(PROMPT, f"!error 500 {PROMPT}")), {**body, "stream": PROMPT}]
        for one in asked:
            lines = await logged(folder, "json", scope_of(path), body={"model": "demo", **one})
            assert any('"event":"request"' in line for line in lines)
            assert [line for line in lines if PROMPT in line] == []


async def test_where_it_is_asked_for_it_is(tmp_path: Path) -> None:
    """The same look finds it then."""
    body = {"model": "demo", **BODIES["/v1/messages"]}
    tables = {"log": {"bodies": "all", "format": "json", "file": str(tmp_path / "gateway.log")}}
    app = create_app({"server": {"data_dir": str(tmp_path)}, **tables})
    async with lifespan(app):
        await call(app, scope_of("/v1/messages"), [json.dumps(body).encode()])
    assert PROMPT in (tmp_path / "gateway.log").read_text("utf-8")
