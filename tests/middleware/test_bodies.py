"""[log] bodies: which requests' words are logged, how much of them, and that no secret is among them."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from gateway.app import create_app, lifespan
from gateway.excerpt import excerpt
from tests.fleet.mirror import mirror
from tests.middleware.asgi import Outcome, call, scope_of

pytestmark = pytest.mark.anyio

KEY = "wholly-unlike-a-key-7"
UPSTREAM_KEY = "unlike-any-key-either-3"
Lines = list[dict[str, Any]]


def app_with(folder: Path, bodies: str, **tables: Any) -> Starlette:
    log = {"bodies": bodies, "format": "json"}
    return create_app({"server": {"data_dir": str(folder)}, "auth": {"keys": [KEY]}, "log": log, **tables})


async def ask(
    app: Starlette, text: str = "Hello", headers: Mapping[str, str] | None = None, pack: bool = False, **fields: Any
) -> Outcome:
    body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": text}], **fields}).encode()
    sent = {"x-api-key": KEY} | dict(headers or {}) | ({"content-encoding": "gzip"} if pack else {})
    body = gzip.compress(body) if pack else body
    async with lifespan(app):
        return await call(app, scope_of(headers=sent), [body[:10], body[10:]])


def lines(capsys: pytest.CaptureFixture[str], event: str = "body") -> Lines:
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    return [line for line in logged if line["event"] == event]


@pytest.mark.parametrize(
    ("mode", "of"), [("never", set[str]()), ("errors", {"!error 500"}), ("all", {"Hello", "!error 500"})]
)
async def test_bodies_says_whose_words_are_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str, of: set[str]
) -> None:
    app = app_with(tmp_path, mode, retry={"attempts": 1})
    for text in ("Hello", "!error 500"):
        await ask(app, text)
    asked = [json.loads(line["request"])["messages"][0]["content"] for line in lines(capsys)]
    assert set(asked) == of


@pytest.mark.parametrize("pack", [False, True])
async def test_both_sides_stand_beside_the_id_of_the_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pack: bool
) -> None:
    answer = await ask(app_with(tmp_path, "all"), stream=True, pack=pack)
    (line,) = lines(capsys)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert json.loads(line["request"])["messages"] == [{"role": "user", "content": "Hello"}]
    assert line["answer"] == answer.body.decode()
    assert line["answer"].endswith("data: [DONE]\n\n")
    assert "request_cut" not in line


async def test_a_refusal_of_ours_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await ask(app_with(tmp_path, "errors"), headers={"x-api-key": "nobodys-own-key-9"})
    (line,) = lines(capsys)
    assert json.loads(line["answer"])["error"]["code"] == "invalid_api_key"


async def test_what_broke_a_stream_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (await ask(app_with(tmp_path, "errors"), "!cut", stream=True)).status == 200
    assert len(lines(capsys)) == 1


class Failing:
    """A middleware with a defect."""

    def __init__(self, app: object) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("a defect")


async def test_a_defect_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use = "tests.middleware.test_bodies:Failing"
    order = ["access_log", use, "auth", "protocol", "model_map"]
    assert (await ask(app_with(tmp_path, "errors", pipeline={"order": order}))).status == 500
    assert len(lines(capsys)) == 1


@pytest.mark.parametrize("text", ["Hello", "!error 500"])
async def test_no_key_of_the_caller_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    app = app_with(tmp_path, "all", retry={"attempts": 1})
    for key in (KEY, "a-key-that-nobody-knows"):
        await ask(app, f"{text} {key} and user@example.org", headers={"x-api-key": key})
        (line,) = lines(capsys)
        assert key not in json.dumps(line)
        assert ("user@example.org" in line["request"]) is (key == KEY)  # a stranger's body is not even read


@pytest.mark.parametrize("mode", ["400", "late", "html", "cut"])
async def test_what_an_upstream_said_is_in_the_line_without_the_key_it_repeats(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str
) -> None:
    with mirror() as echo:
        upstream = {"mine": {"type": "openai", "base_url": f"{echo}/v1", "api_key": UPSTREAM_KEY}}
        app = app_with(tmp_path, "errors", upstream=upstream, retry={"attempts": 1})
        await ask(app, model=f"m-{mode}", stream=True)
    (line,) = lines(capsys)
    assert UPSTREAM_KEY not in json.dumps(line)
    (said,) = line["upstream"]
    assert said["url"] == f"{echo}/v1/chat/completions"
    assert said["status"] == {"400": 400, "late": 200, "html": 502, "cut": None}[mode]
    if mode == "cut":
        assert said["error"]
    else:
        assert "Refused: ***" in said["answer"]


async def test_what_an_upstream_answers_well_is_logged_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await ask(app_with(tmp_path, "all"))
    assert "upstream" not in lines(capsys)[0]


async def test_who_leaves_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = app_with(tmp_path, "errors")
    async with lifespan(app):
        await call(app, scope_of(headers={"x-api-key": KEY}), [])
    assert lines(capsys) == []


async def test_logging_leaves_the_pieces_of_a_stream_alone(tmp_path: Path) -> None:
    sizes: dict[str, list[int]] = {}
    for mode in ("never", "all"):
        app, got = app_with(tmp_path, mode), list[int]()
        body = json.dumps({"model": "demo", "stream": True, "messages": [{"role": "user", "content": "a b c"}]})
        messages = [{"type": "http.request", "body": body.encode()}]

        async def receive(waiting: list[dict[str, Any]] = messages) -> Any:
            return waiting.pop() if waiting else await anyio.sleep_forever()

        async def send(message: Any, got: list[int] = got) -> None:
            got.append(len(message.get("body", b"")))

        async with lifespan(app):
            await app(scope_of(headers={"x-api-key": KEY}), receive, send)
        sizes[mode] = got
    assert sizes["all"] == sizes["never"]
    assert len(sizes["all"]) > 4


# how much of it


def plain(text: str) -> str:
    return text


def test_a_long_body_says_how_much_is_missing() -> None:
    data = b"a b " * 50_000
    shown = excerpt(data, len(data), plain)
    assert len(shown.text) == 64 * 1024
    assert shown.cut == len(data) - 64 * 1024


def test_what_was_not_kept_is_missing_too() -> None:
    shown = excerpt(b"a b " * 50_000, 10**9, plain)
    assert len(shown.text) + shown.cut == 10**9


def test_a_picture_is_cut_down_and_what_follows_it_is_shown() -> None:
    picture = base64.b64encode(bytes(300_000)).decode()
    body = json.dumps({"url": f"data:image/png;base64,{picture}", "text": "what follows"}).encode()
    shown = excerpt(body, len(body), plain)
    assert "what follows" in shown.text
    assert "(400000 characters)" in shown.text
    assert (len(shown.text) < 200, shown.cut) == (True, 0)


@pytest.mark.parametrize("lost", [0, 1, 10**6])
def test_a_secret_that_the_end_cuts_does_not_show_its_beginning(lost: int) -> None:
    secret = "s" * 40
    for before in range(64 * 1024 - 60, 64 * 1024 + 10, 7):
        data = (" " * before + secret + " " * lost).encode()
        for size in (len(data), len(data) + 1):
            assert "ss" not in excerpt(data, size, lambda text: text.replace(secret, "***")).text


@pytest.mark.parametrize("kept", [1000, 9000, 60_000])
def test_a_secret_that_what_was_kept_cuts_does_not_show_its_beginning(kept: int) -> None:
    data = (" " * (kept - 20) + "s" * 20).encode()
    assert "s" not in excerpt(data, 10**6, lambda text: text.replace("s" * 40, "***")).text
