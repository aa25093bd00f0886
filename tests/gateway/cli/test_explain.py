"""`gateway explain`: for a person and for a program, without network, writing nothing, showing no secret."""

from __future__ import annotations

import io
import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from gateway.cli import _gateway
from tests.gateway.cli.conftest import Run

Write = Callable[[str], Path]

CONFIG = """\
[models.alias]
best = ["google/claude-sonnet-4-5", "demo"]
[thinking]
"claude-*" = { include = true, budget = 2048 }
[upstream.google]
type = "v1internal"
headers = { x-mine = "canary-1" }
oauth = { client_id = "c", client_secret = "canary-2" }
pool = { refresh_tokens = ["1//canary-3"] }
[upstream.public]
type = "gemini"
api_key = ["canary-4", "canary-5"]
base_url = "https://me:canary-6@example.invalid"
models = ["gemini-2.5-flash"]
[upstream.demo]
[auth]
keys = ["canary-7"]
"""
CHAT = {"model": "demo", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection and every look-up of a name."""

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.fixture
def put(folder: Path) -> Callable[[object], str]:
    """Write a request file and give its name."""

    def put(body: object) -> str:
        (folder / "body.json").write_bytes(body if isinstance(body, bytes) else json.dumps(body).encode())
        return "body.json"

    return put


Put = Callable[[object], str]


def test_a_model_is_explained_for_a_person(run: Run, write: Write) -> None:
    write(CONFIG)
    done = run("explain", "best")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert (done.code, done.err) == (0, "")
    assert lines[0] == "model best"
    for line in (
        "dialect openai-chat: the smallest request",
        "middlewares request_id, body_limit, protocol, model_map",
        "best → google/claude-sonnet-4-5 then demo gateway.toml:2 models.alias.best",
        "1 of 2, tried in order: google/claude-sonnet-4-5 (usable: 1 of 1 credentials)",
        'thinking → include True, budget 2048 gateway.toml:4 thinking."claude-*"',
        "envelope → antigravity built-in default upstream.google.envelope",
        "lost: nothing",
        "POST https://daily-cloudcode-pa.googleapis.com/v1internal:streamGenerateContent?alt=sse",
        "authorization: Bearer ***",
        '"model": "claude-sonnet-4-5",',
        "requestId: another one for each call",
        "2 of 2, tried in order: demo/demo (usable, no account needed)",
        "body, 31 bytes:",
    ):
        assert line in lines


def test_an_upstream_of_anthropic_is_explained(run: Run, write: Write) -> None:
    write('[upstream.anthropic]\napi_key = "sk-ant-1234567"')
    done = run("explain", "claude-opus-4-6")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert (done.code, done.err) == (0, "")
    for line in (
        "POST https://api.anthropic.com/v1/messages",
        "anthropic-version: 2023-06-01",
        "x-api-key: ***",
        '"model": "claude-opus-4-6",',
        '"max_tokens": 128000,',
        "lost: nothing",
    ):
        assert line in lines
    assert "1234567" not in done.out


def test_a_request_is_explained_for_a_program(run: Run, write: Write, put: Put) -> None:
    write(CONFIG)
    body = {"model": "best", "max_tokens": 900, "messages": CHAT["messages"], "service_tier": "auto"}
    done = run("explain", "--json", "--request", put(body))
    told = json.loads(done.out)
    google, demo = told["ways"][0]["members"]
    assert (done.code, told["dialect"], told["path"], told["error"]) == (0, "anthropic", "/v1/messages", None)
    assert {"path": "service_tier", "severity": "hint"}.items() <= google["losses"][0].items()
    assert {
        "name": "thinking",
        "gives": "include True, budget 2048",
        "key": 'thinking."claude-*"',
        "source": "gateway.toml:4",
    } in google["decisions"]
    assert google["body"]["request"]["generationConfig"]["maxOutputTokens"] == 900
    assert demo["body"] == {"model": "demo", "text": "hi"}


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses", "anthropic", "gemini"])
def test_a_model_is_explained_in_the_dialect_that_one_says(dialect: str, run: Run) -> None:
    told = json.loads(run("explain", "demo", "--dialect", dialect, "--json").out)
    assert (told["dialect"], told["error"]) == (dialect, None)


def test_losses_are_printed_with_severity_path_and_reason(run: Run, write: Write, put: Put) -> None:
    write("[upstream.demo]")
    done = run("explain", "--request", put(CHAT | {"logprobs": True}))
    assert "  lost, 1:\n    change  logprobs  " in done.out
    assert done.code == 0


def test_strict_mode_is_exit_1_with_the_loss_and_no_body(run: Run, write: Write, put: Put) -> None:
    write('[upstream.demo]\n[translate]\nlossy = "strict"')
    done = run("explain", "--request", put(CHAT | {"logprobs": True}))
    assert done.code == 1
    assert "refused, 400: translate.lossy is strict, and this upstream cannot carry: logprobs" in done.out
    assert "gateway.toml:3" in done.out
    assert "body," not in done.out


def test_an_unknown_model_is_exit_1_with_suggestions(run: Run, write: Write) -> None:
    write('[models]\nunknown = "reject"\n' + CONFIG)
    done = run("explain", "gemini-2.5-flsh")
    assert done.code == 1
    assert "refused, 404 model_not_found" in done.out
    assert "did you mean gemini-2.5-flash" in done.out


def test_a_request_that_is_refused_is_exit_1_with_its_field(run: Run, put: Put) -> None:
    done = run("explain", "--request", put(CHAT | {"temperature": 9}))
    assert done.code == 1
    assert "refused, 400: temperature" in done.out


def test_standard_input_is_a_request(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(CHAT).encode())))
    done = run("explain", "--request", "-", "--json")
    assert json.loads(done.out)["ways"][0]["members"][0]["body"]["text"] == "hi"


def test_a_model_beside_a_request_goes_before_that_of_the_request(run: Run, put: Put) -> None:
    told = json.loads(run("explain", "demo/other", "--request", put(CHAT), "--json").out)
    assert told["ways"][0]["members"][0]["model"] == "other"


def test_a_gemini_request_takes_its_model_from_the_command_line(run: Run, write: Write, put: Put) -> None:
    write(CONFIG)
    file = put(b'{"contents": [{"role":"user","parts":[{"text":"hi"}]}]}')
    done = run("explain", "public/gemini-2.5-flash", "--request", file)
    assert "/v1beta/models/gemini-2.5-flash:generateContent" in done.out
    assert "body, 55 bytes, as the caller sent it:" in done.out


@pytest.mark.parametrize(
    ("words", "body", "message"),
    [
        (["--request", "none.json"], None, "none.json: there is no such file"),
        (["--request", "."], None, ".: cannot be read: Is a directory"),
        (["--request", "body.json"], b'{"a": }', "body.json: is not JSON: Expecting value (line 1, column 7)"),
        (["--request", "body.json"], b"[1]", "body.json: is not a JSON object, which the body of a request is"),
        (
            ["--request", "body.json"],
            b'{"contents": []}',
            "body.json: a Gemini request (it has contents) has its model in the path: say MODEL, too",
        ),
        (
            ["demo", "--dialect", "antropic"],
            None,
            (
                '--dialect: "antropic" is not one of openai-chat, openai-responses, anthropic, gemini; '
                'did you mean "anthropic"?'
            ),
        ),
        ([], None, "give MODEL, or --request FILE"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_exit_2(
    words: list[str], body: bytes | None, message: str, run: Run, put: Put
) -> None:
    if body is not None:
        put(body)
    done = run("explain", *words)
    assert (done.code, done.out, done.err) == (2, "", f"{message}\n")


def test_a_configuration_that_cannot_be_used_is_exit_2(run: Run, write: Write) -> None:
    write("[server]\nprt = 1")
    done = run("explain", "demo")
    assert (done.code, done.err.startswith("gateway.toml:2: server.prt")) == (2, True)


@pytest.mark.usefixtures("unserved")
def test_an_upstream_without_adapter_is_exit_2(run: Run, write: Write) -> None:
    write('[upstream.anthropic]\napi_key = "sk-1234567"')
    done = run("explain", "gpt-5")
    assert (done.code, done.err) == (
        2,
        "gateway.toml:1: upstream.anthropic: this version has no adapter of type 'anthropic'\n",
    )


def test_without_a_configuration_the_demo_is_explained(run: Run) -> None:
    done = run("explain", "demo", "--no-config")
    assert done.code == 0
    assert "configuration  none, built-in defaults" in done.out


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("model", ["best", "public/gemini-2.5-flash"])
def test_no_secret_is_printed(model: str, form: list[str], run: Run, write: Write) -> None:
    write(CONFIG)
    done = run("explain", model, *form)
    assert done.code == 0
    assert "***" in done.out
    assert "canary" not in done.out + done.err


def test_nothing_is_written(run: Run, write: Write, put: Put, folder: Path) -> None:
    write(CONFIG)
    put(CHAT)
    run("explain", "best")
    run("explain", "--request", "body.json", "--json")
    assert sorted(file.name for file in folder.iterdir()) == ["body.json", "gateway.toml"]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_store_that_cannot_be_read_is_one_plain_line(form: list[str], run: Run, write: Write, folder: Path) -> None:
    write(CONFIG)
    file = folder / "data" / "gateway.db"
    file.parent.mkdir()
    file.write_bytes(b"not a database at all, and long enough" * 40)
    done = run("explain", "best", *form)
    said = f"warning: {file}: file is not a database; credentials in the store may be missing\n"
    assert (done.code, done.err) == (0, said)
    assert "claude-sonnet-4-5" in done.out


def test_long_base64_is_cut_in_the_text_and_whole_in_json(run: Run, write: Write, put: Put) -> None:
    write(CONFIG)
    data = "iVBORw0KGgo" + "A" * 989
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    file = put({"model": "public/gemini-2.5-flash", "messages": [{"role": "user", "content": [picture]}]})
    text, told = run("explain", "--request", file).out, run("explain", "--request", file, "--json").out
    assert f'"{data[:40]}… 1,000 characters"' in text
    assert data not in text
    assert data in told


def test_what_steers_a_terminal_is_escaped(run: Run, put: Put) -> None:
    done = run("explain", "--request", put(CHAT | {"model": "demo/\x1b[31m\x9b1m"}))
    assert "demo/\\u001b[31m\\u009b1m" in done.out
    assert not {"\x1b", "\x9b"} & set(done.out)


def test_weighted_ways_are_printed_with_their_shares(run: Run, write: Write) -> None:
    write('[models.alias]\nmix = { "demo/a" = 1, "demo/b" = 2 }\n[upstream.demo]')
    first, second = run("explain", "mix").out, run("explain", "mix").out
    assert "way 1 of 2, 33.3 % of the requests" in first
    assert "way 2 of 2, 66.7 % of the requests" in first
    assert first == second


def test_a_way_that_leads_nowhere_is_exit_1_beside_the_others(run: Run, write: Write) -> None:
    write('[models]\nunknown = "reject"\n[models.alias]\nmix = { "demo" = 1, "none" = 1 }\n[upstream.demo]')
    done = run("explain", "mix")
    assert done.code == 1
    assert "refused, 404 model_not_found: " in done.out.partition("way 2 of 2, 50 % of the requests\n")[2]
    assert "body, 31 bytes" in done.out


def test_a_terminal_without_utf_8_gets_escapes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(said, "ascii"))
    assert run("explain", "demo").code == 0
    sys.stdout.flush()
    assert b"\\u2192 demo/demo" in said.getvalue()


def test_the_shell_completes_the_dialects() -> None:
    completion = ShellComplete(_gateway, {}, "gateway", "_GATEWAY_COMPLETE")
    assert [one.value for one in completion.get_completions(["explain", "--dialect"], "")] == [
        "openai-chat",
        "openai-responses",
        "anthropic",
        "gemini",
    ]
