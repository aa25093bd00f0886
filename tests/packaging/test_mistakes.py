"""Ten mistakes of a newcomer, made with the installed wheel: each is answered with what to do next, word by word."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.packaging import served
from tests.packaging.fixtures import WHEEL
from tests.packaging.served import KEY, Google
from tests.processes import Program, environment, running

pytestmark = WHEEL

CHAT = {"model": "gemini-3-flash", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def fake() -> Iterator[Google]:
    """Run the fake of the service."""
    with served.google() as google:
        yield google


@pytest.fixture(scope="module")
def gateway(programs: Path, tmp_path_factory: pytest.TempPathFactory, fake: Google) -> Iterator[Program]:
    """Run a gateway that is set up well."""
    with served.gateway(programs, tmp_path_factory.mktemp("well"), fake) as program:
        yield program


def start(programs: Path, folder: Path, toml: str, *arguments: str) -> tuple[int, str]:
    """Start a gateway that will not run; give its exit code and all it says."""
    (folder / "gateway.toml").write_text(toml)
    words = arguments or ("--port", "0")  # another test may listen on the usual one
    with running([programs / "gateway", *words], folder, environment(folder)) as program:
        return program.ends(30), program.output


def ask(program: Program, key: str = "", **fields: str) -> tuple[int, str]:
    """Ask for a chat; give the status and the message of the error."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    answer = httpx.post(f"{program.url}/v1/chat/completions", json=CHAT | fields, headers=headers, timeout=20)
    return answer.status_code, answer.json()["error"]["message"]


def test_wrong_key(gateway: Program) -> None:
    assert ask(gateway, "sk-wrong") == (
        401,
        "Incorrect API key provided: it is unknown here; check it, or ask the operator for one",
    )


def test_no_key(gateway: Program) -> None:
    assert ask(gateway) == (
        401,
        "no API key: send one as `Bearer KEY` in `Authorization`, as `x-api-key` or as `x-goog-api-key`",
    )


def test_dead_token(programs: Path, tmp_path: Path, fake: Google) -> None:
    dead = f"""
        [upstream.google]
        type = "v1internal"
        base_urls = ["{fake.url}"]
        oauth = {{ client_id = "a-client", client_secret = "its-secret", token_url = "{fake.url}/token" }}
        [upstream.google.pool]
        refresh_tokens = ["rt-of-last-year"]
    """
    (tmp_path / "gateway.toml").write_text(dead)
    with running([programs / "gateway", "--port", "0"], tmp_path, environment(tmp_path)) as program:
        said = program.says("a credential is disabled")
        assert ask(program) == (
            503,
            "1 credential: 1 disabled; the operator of this gateway must act",
        )
    assert '"reason":"invalid_grant: Token has been expired or revoked."' in said
    assert '"hint":"log the account in again: gateway login --upstream google"' in said


def test_port_in_use(programs: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert start(programs, tmp_path, "", "--port", str(port)) == (
            4,
            f"cannot listen on 127.0.0.1:{port}: another program is listening there; stop it, or use another --port\n",
        )


def test_typo_in_a_key(programs: Path, tmp_path: Path) -> None:
    assert start(programs, tmp_path, "[server]\nprot = 8045\n") == (
        2,
        'gateway.toml:2: server.prot: unknown key; did you mean "port"?\n',
    )


def test_wrong_order(programs: Path, tmp_path: Path) -> None:
    order = '[pipeline]\norder = ["auth", "rate_limit", "model_map", "protocol"]\n'
    assert start(programs, tmp_path, order) == (
        2,
        (
            "gateway.toml:2: pipeline.order: 'model_map' needs request from 'protocol', which must come before it; "
            "an order that works: ['auth', 'rate_limit', 'protocol', 'model_map']\n"
        ),
    )


def test_unknown_model(gateway: Program) -> None:
    assert ask(gateway, KEY, model="gemini-3-flsh") == (
        404,
        (
            "Requested entity was not found: upstream google lists no model 'gemini-3-flsh'; "
            'did you mean "gemini-3-flash"?'
        ),
    )


def test_upstream_down(programs: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    toml = f"""
        [upstream.gemini]
        type = "gemini"
        api_key = "any"
        base_url = "http://127.0.0.1:{port}"
        [retry]
        attempts = 1
    """
    (tmp_path / "gateway.toml").write_text(toml)
    with running([programs / "gateway", "--port", "0"], tmp_path, environment(tmp_path)) as program:
        assert ask(program) == (
            502,
            (
                f"the upstream cannot be reached: no connection to 127.0.0.1:{port}: Connection refused; "
                "check its base_url and the network"
            ),
        )


def test_file_not_readable(programs: Path, tmp_path: Path) -> None:
    assert start(programs, tmp_path, '[auth]\nkeys = ["file:keys/alice"]\n') == (
        2,
        f"gateway.toml:2: auth.keys[0]: file {tmp_path}/keys/alice cannot be read: No such file or directory\n",
    )


def test_missing_extra(programs: Path, tmp_path: Path) -> None:
    assert start(programs, tmp_path, '[store]\nredis = "redis://localhost"\n') == (
        2,
        "gateway.toml:2: store.redis: needs the extra redis: pip install 'asgi-llm-gateway[redis]'\n",
    )
