"""The examples of docs/pipeline.md run as they are printed, each in a folder with nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.patience import patient
from tests.processes import PROGRAMS, Program, environment, gateway, running

TEXT = (Path(__file__).parents[1] / "docs" / "pipeline.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
FILES = {found[1]: text for _, text in BLOCKS if (found := re.match(r"# (\S+\.(?:py|toml))\n", text))}
CLIENT = next(text for language, text in BLOCKS if language == "python" and text not in FILES.values())
ADDRESS = "http://127.0.0.1:8045"
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text(FILES[name], "utf-8")


@contextmanager
def hosted(folder: Path, name: str) -> Iterator[Program]:
    """Serve an example as the text says."""
    write(folder, f"{name}.py")
    command = [sys.executable, "-m", "uvicorn", "--port", "0", f"{name}:app"]
    with running(command, folder, environment(folder)) as program:
        yield program


def test_every_example_is_run_here() -> None:
    source = Path(__file__).read_text("utf-8")
    used = set(re.findall(r'"(\w+\.(?:py|toml))"', source))
    used |= {f"{name}.py" for name in re.findall(r'hosted\(tmp_path, "(\w+)"\)', source)}
    assert used == FILES.keys()
    assert len(BLOCKS) == len(FILES) + 1


# middlewares of one's own


def test_the_client_sees_what_the_middleware_says(tmp_path: Path) -> None:
    write(tmp_path, "acme.py", "gateway.toml")
    with gateway(tmp_path) as program:
        done = subprocess.run(
            [sys.executable, "-c", CLIENT.replace(ADDRESS, program.url)],
            capture_output=True,
            text=True,
            env=environment(tmp_path),
            timeout=patient(25),
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, "search\n"), done.stderr


def test_streams_and_refusals_are_stamped_too(tmp_path: Path) -> None:
    write(tmp_path, "acme.py", "gateway.toml")
    with gateway(tmp_path) as program, httpx.Client(base_url=program.url, headers={"x-api-key": "sk-alice"}) as http:
        streamed = http.post("/v1/chat/completions", json={**CHAT, "stream": True})
        refused = http.post("/v1/messages", content=b"{")
        unknown = http.post("/v1/messages", content=b"{", headers={"x-api-key": "sk-bob"})
    assert (streamed.status_code, streamed.headers["x-team"]) == (200, "search")
    assert (refused.status_code, refused.headers["x-team"]) == (400, "search")
    assert (unknown.status_code, "x-team" in unknown.headers) == (401, False)  # auth stands outside


def test_it_runs_under_another_server_too(tmp_path: Path) -> None:
    write(tmp_path, "acme.py", "gateway.toml")
    command = [sys.executable, "-m", "uvicorn", "--port", "0", "gateway.asgi:app"]
    with running(command, tmp_path, environment(tmp_path)) as program:
        answer = httpx.post(f"{program.url}/v1/chat/completions", json=CHAT, headers={"x-api-key": "sk-alice"})
    assert (answer.status_code, answer.headers["x-team"]) == (200, "search")


@pytest.mark.parametrize(("days", "status"), [("[0, 1, 2, 3, 4, 5, 6]", 403), ("[]", 200)])
def test_a_middleware_refuses_in_the_dialect_of_the_path(tmp_path: Path, days: str, status: int) -> None:
    write(tmp_path, "closed.py")
    toml = f"""
        [pipeline]
        order = ["closed", "auth", "protocol", "model_map"]
        [middleware.closed]
        use = "closed:Closed"
        options = {{ days = {days} }}
    """
    with gateway(tmp_path, toml=toml) as program:
        answer = httpx.post(f"{program.url}/v1/messages", json={**CHAT, "max_tokens": 9})
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"] == {"type": "permission_error", "message": "closed today"}


REDACTING = """
    [pipeline]
    order = ["auth", "protocol", "redact", "model_map"]
    [middleware.redact]
    use = "redact:Redact"
    options = { words = ["secret"] }
    [upstream.openai]
    api_key = "k"
    models = ["gpt-4o"]
"""


@pytest.mark.parametrize("word", ["secret", "public"])
def test_a_middleware_changes_what_models_are_asked(tmp_path: Path, word: str) -> None:
    write(tmp_path, "redact.py")
    (tmp_path / "gateway.toml").write_text(REDACTING, "utf-8")
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": f"keep the {word}"},
        {"role": "user", "content": f"a {word}"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": f"{word}s"},
    ]
    command: list[str | Path] = [PROGRAMS / "gateway", "explain", "--request", "-", "--json"]
    done = subprocess.run(
        command,
        input=json.dumps({"model": "gpt-4o", "messages": messages}),
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        cwd=tmp_path,
        timeout=patient(25),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    member = json.loads(done.stdout)["ways"][0]["members"][0]
    said = json.dumps(member["body"])
    assert (member["passed_on"], said.count("***"), said.count("public")) == (
        (False, 3, 0) if word == "secret" else (True, 0, 3)
    )


BILL = """
class Bill:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        try:
            await self.app(scope, receive, send)
        finally:
            if scope["type"] == "http":
                seen = scope["state"]["gateway"]
                usage = seen.usage and (seen.usage.input, seen.usage.output)
                whose = seen.principal.name, seen.requested_model, seen.upstream
                print(whose, seen.status, seen.end, usage, seen.usd, type(seen.error).__name__, flush=True)
"""
BILLING = """
    [pipeline]
    order = ["bill:Bill", "auth", "protocol", "model_map", "usage"]
    [auth]
    keys = ["sk-mine"]
    [usage.price]
    demo = { input = 1.0, output = 2.0 }
"""


@pytest.mark.parametrize(
    ("said", "stream", "seen"),
    [
        ("hi", False, "('key-1', 'demo', 'demo/demo') 200 done (6, 1) 8e-06 NoneType"),
        ("hi", True, "('key-1', 'demo', 'demo/demo') 200 done (6, 1) 8e-06 NoneType"),
        ("!cut", True, "('key-1', 'demo', 'demo/demo') 200 error (7, 5) 1.7e-05 StreamBroken"),
        ("!error 429", False, "('key-1', 'demo', '') 429 error None None UpstreamRateLimited"),
        ("", False, "('key-1', '', '') 400 error None None InvalidRequest"),
    ],
)
def test_a_middleware_sees_how_a_request_went(tmp_path: Path, said: str, stream: bool, seen: str) -> None:
    tmp_path.joinpath("bill").with_suffix(".py").write_text(BILL, "utf-8")
    body = {"model": "demo", "stream": stream, "messages": [{"role": "user", "content": said}] if said else []}
    with gateway(tmp_path, toml=BILLING) as program:
        httpx.post(f"{program.url}/v1/chat/completions", json=body, headers={"x-api-key": "sk-mine"}, timeout=20)
        assert program.says("('key-1'").strip() == seen


# ours in another app


def test_ours_guard_a_fastapi_app(tmp_path: Path) -> None:
    with hosted(tmp_path, "own_app") as program, httpx.Client(base_url=program.url) as http:
        nobody = http.post("/own", content=b"x")
        alice = http.post("/own", content=b"hi", headers={"x-api-key": "sk-alice", "x-request-id": "mine"})
        large = http.post("/own", content=b"x" * 1024 * 1024 + b"x", headers={"x-api-key": "sk-alice"})
        program.says("request_id=mine")
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "invalid_api_key")
    assert alice.json() == {"who": "alice", "id": "mine", "said": "hi"}
    assert large.json()["error"] == {
        "code": "request_too_large",
        "message": "the body is longer than 1048576 bytes",
    }


@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        ("/v1/chat/completions", CHAT, "my-model"),
        ("/v1/messages", {**CHAT, "model": "claude-sonnet-4-5", "max_tokens": 9}, "my-model"),
        ("/v1beta/models/gemini:generateContent", {"contents": [{"parts": [{"text": "Hello"}]}]}, "gemini"),
    ],
)
def test_ours_read_every_dialect_for_a_starlette_app(tmp_path: Path, path: str, body: object, model: str) -> None:
    with hosted(tmp_path, "any_dialect") as program:
        answer = httpx.post(f"{program.url}{path}", json=body)
        wrong = httpx.post(f"{program.url}{path}", content=b"[]")
    assert answer.json() == {"model": model, "said": "Hello", "stream": False}
    assert wrong.status_code == 400


def test_an_app_may_say_itself_who_asks(tmp_path: Path) -> None:
    with hosted(tmp_path, "sessions") as program, httpx.Client(base_url=program.url) as http:
        answers = [http.get("/own", headers={"cookie": f"user={user}"}) for user in ("ann", "ann", "ann", "bob")]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200]
    assert answers[3].text == "hello bob"


# a gateway in another app


def test_two_gateways_are_mounted_in_one_app(tmp_path: Path) -> None:
    with hosted(tmp_path, "mounted") as program, httpx.Client(base_url=program.url) as http:
        answers = [
            http.post(f"/{at}/v1/chat/completions", json=CHAT, headers={"x-api-key": key})
            for at, key in (("cheap", "sk-cheap"), ("fast", "sk-fast"), ("fast", "sk-cheap"))
        ]
        program.says('"event":"request"')
        logged = program.output.count('"event":"request"')
    assert [answer.status_code for answer in answers] == [200, 200, 401]
    assert sorted(folder.name for folder in (tmp_path / "data").iterdir()) == ["cheap", "fast"]
    assert answers[0].headers["x-ratelimit-remaining-requests"] == "9"
    assert "x-ratelimit-remaining-requests" not in answers[1].headers
    assert (logged, "started by the first request" in program.output) == (1, False)


def test_a_gateway_stands_beside_any_app(tmp_path: Path) -> None:
    with hosted(tmp_path, "beside") as program, httpx.Client(base_url=program.url) as http:
        answer = http.post("/ai/v1/chat/completions", json=CHAT, headers={"x-api-key": "sk-mine"})
        own = http.get("/about/us")
    assert (answer.status_code, own.text) == (200, "my own /about/us")
    assert "started by the first request" not in program.output
