"""[record] dir: what is written of a call, what is not, and that the file replays as it came."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.types import Message

from gateway.app import create_app, lifespan
from gateway.recording import Recording, joined, pack
from gateway.replay import differences, replay
from gateway.tap import TAP
from tests.fakes.openai_api import FakeOpenAI
from tests.fleet.mirror import MODES, mirror
from tests.fleet.planted import CANARIES, found
from tests.gateway.config.asking import CHAT, MESSAGES
from tests.middleware.asgi import Outcome, call, scope_of

pytestmark = pytest.mark.anyio

KEY = CANARIES["caller"]


def app_with(folder: Path, where: str | None = None, **tables: Any) -> Starlette:
    """Make a gateway that records to a folder of the test."""
    server = {"data_dir": str(folder / "data")}
    record = {"dir": where if where is not None else str(folder / "recordings")}
    return create_app({"server": server, "record": record, "log": {"format": "json"}, **tables})


async def ask(
    app: Starlette, text: str = "Hello", path: str = CHAT, pack: bool = False, model: str = "demo", **fields: Any
) -> Outcome:
    question = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 99, **fields}
    body = json.dumps(question).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}", "x-request-id": "req_own"}
    headers |= {"content-encoding": "gzip"} if pack else {}
    async with lifespan(app):
        return await call(app, scope_of(path, headers=headers), [gzip.compress(body) if pack else body])


def files(folder: Path) -> Sequence[Path]:
    return sorted((folder / "recordings").glob("*"))


def read(folder: Path) -> Recording:
    (file,) = files(folder)
    return Recording.read(file.read_bytes())


@asynccontextmanager
async def doing(
    this: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[dict[str, Any]]:
    """Run an upstream that does this with each connection; give its table."""
    async with await asyncio.start_server(this, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield {"mine": {"type": "openai", "base_url": url, "models": ["m"]}}


def behind(fake: FakeOpenAI, *keys: str) -> dict[str, Any]:
    upstream = {"type": "openai", "base_url": f"{fake.url}/v1", "api_key": list(keys), "models": ["gpt-4.1"]}
    return {"upstream": {"mine": upstream}}


async def test_a_call_is_one_file_for_its_owner_only(tmp_path: Path) -> None:
    answer = await ask(app_with(tmp_path), stream=True)
    (file,) = files(tmp_path)
    assert file.name.endswith("-req_own.jsonl")
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    recording = read(tmp_path)
    assert json.loads(str(recording.request.body))["messages"] == [{"role": "user", "content": "Hello"}]
    assert joined(recording.answer.pieces) == answer.body
    assert (recording.answer.status, recording.answer.end) == (200, "done")
    assert recording.answer.headers["x-request-id"] == "req_own"


async def test_a_request_id_that_comes_again_gets_a_file_of_its_own(tmp_path: Path) -> None:
    app = app_with(tmp_path)
    for _ in range(3):
        await ask(app)
    assert len(files(tmp_path)) == 3


async def test_a_packed_request_is_recorded_unpacked(tmp_path: Path) -> None:
    await ask(app_with(tmp_path), pack=True)
    assert json.loads(str(read(tmp_path).request.body))["model"] == "demo"


async def test_both_sides_have_their_pieces_with_the_times(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    answer = await ask(
        app_with(tmp_path, **behind(fake_openai, "key-1")), "!say one two three", MESSAGES, model="gpt-4.1", stream=True
    )
    recording = read(tmp_path)
    (one,) = recording.calls
    assert one.url == f"{fake_openai.url}/v1/chat/completions"
    assert (one.method, one.status, one.upstream, one.ended) == ("POST", 200, "mine/gpt-4.1", True)
    assert json.loads(str(one.body))["model"] == "gpt-4.1"
    assert b"[DONE]" in joined(one.pieces)
    times = [one.at, one.answered_at, *(at for at, _ in one.pieces)]
    assert times == sorted(times)
    assert joined(recording.answer.pieces) == answer.body


@pytest.mark.parametrize("stream", [True, False])
async def test_each_attempt_is_recorded_and_all_of_them_replayed(
    tmp_path: Path, fake_openai: FakeOpenAI, stream: bool
) -> None:
    fake_openai.keys = {"key-2"}
    answer = await ask(app_with(tmp_path, **behind(fake_openai, "key-1", "key-2")), model="gpt-4.1", stream=stream)
    assert answer.status == 200
    recording = read(tmp_path)
    assert [(one.status, one.credential) for one in recording.calls] == [(401, 0), (200, 1)]
    replayed = await replay(recording)
    assert differences(recording, replayed) == []
    assert replayed.body == answer.body


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_connection_that_broke_breaks_again(tmp_path: Path, path: str, stream: bool) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        delta = {"id": "x", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}]}
        event = f"data: {json.dumps(delta)}\n\n".encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99999\r\n\r\n" + event)
        await writer.drain()
        writer.close()

    async with doing(cut) as upstream:
        app = app_with(tmp_path, upstream=upstream, retry={"attempts": 1})
        answer = await ask(app, path=path, model="m", stream=stream)
    recording = read(tmp_path)
    assert recording.calls[0].error is not None
    replayed = await replay(recording)
    assert differences(recording, replayed) == []
    assert (replayed.status, replayed.body) == (answer.status, answer.body)


@pytest.mark.parametrize("limit", ["idle", "first_byte"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_server_that_was_given_up_is_silent_again(tmp_path: Path, limit: str, stream: bool) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        delta = {"id": "x", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}]}
        event = f"data: {json.dumps(delta)}\n\n".encode() if limit == "idle" else b""
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99999\r\n\r\n" + event)
        await reader.read()
        writer.close()

    async with doing(silent) as upstream:
        app = app_with(tmp_path, upstream=upstream, retry={"attempts": 1}, timeouts={limit: 0.5})
        answer = await ask(app, path=MESSAGES, model="m", stream=stream)
    assert f"timeouts.{limit}".encode() in answer.body
    recording = read(tmp_path)
    assert (recording.calls[0].ended, recording.calls[0].error) == (False, None)
    replayed = await replay(recording)
    assert differences(recording, replayed) == []
    assert (replayed.status, replayed.body) == (answer.status, answer.body)


OTHERS: dict[str, dict[str, Any]] = {
    CHAT: {},
    MESSAGES: {},
    "/v1/responses": {"messages": None, "max_tokens": None, "input": "Hello"},
    "/v1beta/models/m:streamGenerateContent": {"contents": [{"parts": [{"text": "Hello"}]}]},
}


@pytest.mark.parametrize("path", OTHERS)
async def test_a_stream_that_failed_behind_a_sign_of_life_fails_there_again(tmp_path: Path, path: str) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.3)
        body = b'{"error":{"message":"no such thing","type":"invalid_request_error"}}'
        head = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        await writer.drain()
        writer.close()

    async with doing(refuse) as upstream:
        app = app_with(tmp_path, upstream=upstream, timeouts={"keepalive": 0.1})
        more = OTHERS[path] if "v1beta" in path else {"stream": True, **OTHERS[path]}
        answer = await ask(app, path=path, model="m", **more)
    recording = read(tmp_path)
    assert (answer.status, recording.answer.end) == (200, "error")
    assert b"no such thing" in answer.body
    replayed = await replay(recording)
    assert differences(recording, replayed) == []
    assert (await replay(recording, "anthropic")).status == 200


async def test_a_server_that_is_away_is_away_again(tmp_path: Path) -> None:
    upstream = {"mine": {"type": "openai", "base_url": "http://127.0.0.1:1", "models": ["m"]}}
    answer = await ask(app_with(tmp_path, upstream=upstream), model="m")
    recording = read(tmp_path)
    assert (answer.status, len(recording.calls)) == (502, 4)
    assert differences(recording, await replay(recording)) == []


@pytest.mark.parametrize("mode", MODES)
async def test_no_secret_is_recorded_whatever_an_upstream_repeats(tmp_path: Path, mode: str) -> None:
    keys = [CANARIES["openai-1"], CANARIES["openai-2"]]
    with mirror() as echo:
        upstream = {"type": "openai", "base_url": f"{echo}/v1", "api_key": keys}
        app = app_with(tmp_path, upstream={"mine": upstream}, auth={"keys": [KEY]}, retry={"attempts": 2})
        await ask(app, f"my key is {KEY}", model=f"m-{mode}", stream=True)
    (file,) = files(tmp_path)
    assert list(found(file.read_bytes())) == []
    assert "***" in file.read_text()


async def test_a_key_that_its_caller_repeats_is_not_recorded(tmp_path: Path) -> None:
    app = app_with(tmp_path)
    body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "I am hunter-seventeen"}]}).encode()
    async with lifespan(app):
        answer = await call(app, scope_of(CHAT, headers={"x-api-key": "hunter-seventeen"}), [body])
    assert b"I am hunter-seventeen" in answer.body
    assert b"hunter-seventeen" not in files(tmp_path)[0].read_bytes()
    assert "I am ***" in str(read(tmp_path).request.body)


async def test_tokens_that_are_estimated_of_a_masked_prompt_differ(tmp_path: Path) -> None:
    await ask(app_with(tmp_path), f"my key is {KEY}")
    recording = read(tmp_path)
    (said,) = differences(recording, await replay(recording))
    assert said.startswith("body, at byte ")
    assert "prompt_tokens" in said


async def test_of_long_bodies_the_beginning_is_recorded_and_how_much_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_openai: FakeOpenAI
) -> None:
    monkeypatch.setattr("gateway.recorder._LIMIT_BYTES", 100)
    answer = await ask(app_with(tmp_path, **behind(fake_openai, "key-1")), "word " * 100, model="gpt-4.1")
    recording = read(tmp_path)
    (one,) = recording.calls
    assert (len(str(recording.request.body)), recording.request.cut > 400) == (100, True)
    assert (joined(recording.answer.pieces), recording.answer.cut) == (answer.body[:100], len(answer.body) - 100)
    assert (len(joined(one.pieces)), one.cut > 100) == (100, True)
    assert recording.missing == recording.request.cut + one.cut


async def test_a_disk_that_fails_is_told_once_and_stops_no_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    app = app_with(tmp_path, str(tmp_path / "file" / "recordings"))
    assert [(await ask(app)).status for _ in range(3)] == [200] * 3
    (tmp_path / "file").unlink()
    assert [(await ask(app)).status for _ in range(2)] == [200] * 2
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = [(line["event"], line.get("reason")) for line in logged if "recording" in line["event"]]
    assert told == [
        ("a recording cannot be written", f"{tmp_path}/file/recordings: Not a directory"),
        ("recordings can be written again", None),
    ]


async def test_without_a_folder_nobody_listens(tmp_path: Path) -> None:
    await ask(app_with(tmp_path, ""))
    assert files(tmp_path.parent) == files(tmp_path) == []
    assert TAP.get() is None


@pytest.mark.parametrize("path", ["/v1/models", "/v1/messages/count_tokens", "/health"])
async def test_what_is_no_model_call_is_not_recorded(tmp_path: Path, path: str) -> None:
    await ask(app_with(tmp_path), path=path)
    assert files(tmp_path) == []


async def test_what_no_upstream_was_found_for_is_not_recorded(tmp_path: Path) -> None:
    app = app_with(tmp_path, models={"unknown": "reject"})
    assert (await ask(app, model="nobodys")).status == 404
    assert files(tmp_path) == []


async def test_what_a_limit_refuses_before_an_upstream_is_asked_is_not_recorded(tmp_path: Path) -> None:
    app = app_with(tmp_path, limits={"tokens_per_minute": 1})
    assert [(await ask(app)).status for _ in range(2)] == [200, 429]
    assert read(tmp_path).answer.status == 200


async def test_what_goes_on_from_an_answer_that_is_not_kept_is_not_recorded(tmp_path: Path) -> None:
    answer = await ask(app_with(tmp_path), path="/v1/responses", input="Hello", previous_response_id="resp_none")
    assert answer.status == 400
    assert files(tmp_path) == []


async def test_what_no_credential_was_left_for_is_not_recorded(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    fake_openai.keys = {"another"}
    app = app_with(tmp_path, **behind(fake_openai, "key-1", "key-2"))
    assert [(await ask(app, model="gpt-4.1")).status for _ in range(2)] == [503] * 2
    recording = read(tmp_path)  # of the first one
    assert len(recording.calls) == 2
    assert differences(recording, await replay(recording)) == []


@pytest.mark.parametrize("kind", ["openai", "v1internal"])
async def test_a_credential_cools_down_again_as_long_as_its_pool_lets_it(tmp_path: Path, kind: str) -> None:
    token = json.dumps({"access_token": "at", "expires_in": 3599, "cloudaicompanionProject": "mine"}).encode()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        spent = b"GenerateContent" in asked or b"completions" in asked
        head = b"HTTP/1.1 " + (b"429 No\r\nretry-after: 4000" if spent else b"200 Yes") + b"\r\nconnection: close\r\n"
        writer.write(head + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(token) + token)
        writer.close()

    async with doing(refuse) as upstream:
        url, pool = upstream["mine"]["base_url"], {"cooldown": {"min": 1, "max": 7}}
        own: dict[str, Any] = {"base_url": url, "api_key": ["key-1"], "pool": pool}
        if kind == "v1internal":
            oauth = {"client_id": "id", "client_secret": "hidden", "token_url": f"{url}/token"}
            own = {"base_urls": [url], "oauth": oauth, "pool": {**pool, "refresh_tokens": ["refresh-1"]}}
        answer = await ask(app_with(tmp_path, upstream={"mine": {"type": kind, "models": ["m"], **own}}), model="m")
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    recording = read(tmp_path)
    assert differences(recording, await replay(recording)) == []


async def test_a_member_of_a_chain_without_a_credential_is_passed_over_again(
    tmp_path: Path, fake_openai: FakeOpenAI
) -> None:
    fake_openai.keys = {"key-2"}
    one, two = (behind(fake_openai, key)["upstream"]["mine"] for key in ("key-1", "key-2"))
    chain = {"alias": {"best": ["one/gpt-4.1", "two/gpt-4.1"]}}
    app = app_with(tmp_path, upstream={"one": one, "two": {**two, "api": "responses"}}, models=chain)
    for _ in range(2):
        answer = await ask(app, model="best")
        assert answer.status == 200
    recordings = [Recording.read(file.read_bytes()) for file in files(tmp_path)]
    assert [len(recording.calls) for recording in recordings] == [2, 1]
    assert [differences(recording, await replay(recording)) for recording in recordings] == [[], []]


@pytest.mark.parametrize("members", [["mine/other", "demo"], ["demo", "mine/other"], ["demo", "mine/gpt-4.1"]])
async def test_a_member_of_a_chain_that_failed_by_itself_fails_again(
    tmp_path: Path, fake_openai: FakeOpenAI, members: list[str]
) -> None:
    upstream = {**behind(fake_openai, "key-1")["upstream"], "demo": {"type": "demo"}}
    app = app_with(tmp_path, upstream=upstream, models={"alias": {"best": members}})
    answer = await ask(app, "!error 429 7", model="best")
    recording = read(tmp_path)
    assert len(recording.calls) == 1
    replayed = await replay(recording)
    assert differences(recording, replayed) == []
    assert replayed.status == answer.status


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("text", "status"), [("!error 429 7", 429), ("!error 500", 500)])
async def test_a_demo_that_fails_before_its_first_word_fails_again(
    tmp_path: Path, text: str, status: int, stream: bool, path: str
) -> None:
    answer = await ask(app_with(tmp_path), text, path, stream=stream)
    assert answer.status == status
    recording = read(tmp_path)
    assert (recording.calls, recording.answer.upstream) == ((), "demo/demo")
    replayed = await replay(recording)
    assert differences(recording, replayed) == []
    assert (replayed.status, replayed.body) == (status, answer.body)


async def test_a_demo_that_was_left_before_its_first_word_is_recorded(tmp_path: Path) -> None:
    app, heard = app_with(tmp_path, timeouts={"keepalive": 0.05}), asyncio.Event()
    body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "!slow 60"}], "stream": True})
    asked: list[Message] = [{"type": "http.request", "body": body.encode()}]

    async def receive() -> Message:
        if not asked:
            await heard.wait()
        return asked.pop() if asked else {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        heard.set()  # a sign of life

    async with lifespan(app):
        await app(scope_of(CHAT), receive, send)
    recording = read(tmp_path)
    assert (recording.calls, recording.answer.upstream, recording.answer.end) == ((), "demo/demo", "client_closed")
    replayed = await replay(recording)
    assert replayed.status == 200
    assert differences(recording, replayed) == []


@pytest.mark.parametrize(
    ("model", "said"),
    [("gpt-4.x", """lists no model 'gpt-4.x'; did you mean \\"gpt-4.1\\"?"""), ("other", "lists no model 'other'")],
)
async def test_a_model_that_its_upstream_does_not_list_is_named_again(
    tmp_path: Path, fake_openai: FakeOpenAI, model: str, said: str
) -> None:
    answer = await ask(app_with(tmp_path, **behind(fake_openai, "key-1")), model=f"mine/{model}")
    assert (answer.status, said in answer.body.decode()) == (404, True)
    recording = read(tmp_path)
    assert differences(recording, await replay(recording)) == []


async def test_a_recording_without_an_upstream_is_not_replayed(tmp_path: Path) -> None:
    recording = await of_demo(tmp_path)
    refused = replace(recording, answer=replace(recording.answer, upstream=""))
    with pytest.raises(ValueError, match="no upstream was called"):
        await replay(refused)


# comparing


async def of_demo(folder: Path) -> Recording:
    await ask(app_with(folder), stream=True)
    return read(folder)


async def test_a_byte_that_differs_is_shown_with_its_place(tmp_path: Path) -> None:
    recording = await of_demo(tmp_path)
    replayed = await replay(recording)
    other = replace(replayed, body=replayed.body.replace(b"Hello", b"Hallo"), status=201)
    status, body = differences(recording, other)
    assert status == "status: 201, recorded 200"
    assert body.startswith(f"body, at byte {replayed.body.index(b'Hello') + 1}: ")


async def test_signs_of_life_are_no_difference(tmp_path: Path) -> None:
    recording = await of_demo(tmp_path)
    answer = replace(recording.answer, pieces=((0.0, ": keep-alive\n\n"), *recording.answer.pieces))
    alive = replace(recording, answer=answer)
    assert differences(alive, await replay(alive)) == []


async def test_what_a_caller_did_not_wait_for_is_no_difference(tmp_path: Path) -> None:
    recording = await of_demo(tmp_path)
    left = replace(recording, answer=replace(recording.answer, pieces=(), end="client_closed"))
    assert differences(left, await replay(left)) == []


async def test_calls_that_are_not_made_any_more_are_a_difference(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    await ask(app_with(tmp_path, **behind(fake_openai, "key-1")), model="gpt-4.1")
    recording = read(tmp_path)
    twice = Recording(recording.head, recording.request, recording.calls * 2, recording.answer)
    assert differences(twice, await replay(twice)) == ["1 of 2 upstream calls were not made"]


async def test_a_recording_that_was_cut_is_not_replayed(tmp_path: Path) -> None:
    recording = await of_demo(tmp_path)
    with pytest.raises(ValueError, match="7 bytes"):
        await replay(Recording(recording.head, replace(recording.request, cut=7), (), recording.answer))


@pytest.mark.parametrize("data", [b"", b"{}", b'{"part": "answer"}', b"\xff", b"no JSON", b'{"a":' * 9_999])
def test_what_is_no_recording_is_said_so(data: bytes) -> None:
    with pytest.raises(ValueError, match="is not a recording"):
        Recording.read(data)


async def test_a_later_format_is_said_so(tmp_path: Path) -> None:
    recording = await of_demo(tmp_path)
    later = Recording(replace(recording.head, format=2), recording.request, (), recording.answer)
    with pytest.raises(ValueError, match="format 2"):
        Recording.read(later.written())


@pytest.mark.parametrize("data", [b"text", "größe".encode(), b"\xff\x00", b""])
def test_bytes_come_back_as_they_were(data: bytes) -> None:
    assert joined(((0.0, pack(data)),)) == data
