"""What goes wrong with Vertex AI's credentials."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.adapters.tokens import RefreshFailed, Tokens
from gateway.adapters.vertex_credential import DefaultCredential
from gateway.clock import System
from gateway.errors import UpstreamCredential, UpstreamUnavailable
from gateway.transport import Transport
from tests.adapters.vertex_logins import Json, asked, from_file, from_program, program_in
from tests.adapters.vertex_site import VertexSite, forget
from tests.fakes.v1internal_errors import Refusal, google
from tests.fakes.vertex_api_login import CLIENT, FakeLogin, refused
from tests.patience import patient

pytestmark = pytest.mark.anyio
REMEDY = (
    "give GOOGLE_APPLICATION_CREDENTIALS the file of a service account, or run `gcloud auth application-default login`"
)
UNSUCCESSFUL = {"version": 1, "success": False, "code": "a-secret", "message": "a-secret"}


# what goes wrong


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda login: login.refresh_tokens.clear(), "Token has been expired or revoked"),
        (lambda login: login.fail(refused("invalid_rapt", "reauth related error"), 9), "invalid_rapt"),
    ],
)
async def test_a_dead_login_is_a_bad_gateway_and_says_what_to_do(
    vertex: VertexSite, prepare: Callable[[FakeLogin], None], words: str
) -> None:
    prepare(vertex.login)
    vertex.find(vertex.login.user())
    adapter = await vertex.open(project="fake-project-000")
    with pytest.raises(UpstreamCredential) as caught:
        await vertex.ask()
    assert caught.value.status == 502
    assert caught.value.message == f"no access token: the login has failed; {REMEDY}"
    assert not adapter.usable
    assert words in adapter.state()
    (credential,) = adapter.views()
    assert (credential.state, words in credential.reason) == ("cooling", True)
    assert adapter.states()["active"] == 0
    assert not vertex.fake.requests


async def test_a_dead_login_is_not_tried_with_every_request(vertex: VertexSite) -> None:
    vertex.login.refresh_tokens.clear()
    vertex.find(vertex.login.user())
    await vertex.open(project="fake-project-000")
    for _ in range(5):
        with pytest.raises(UpstreamCredential):
            await vertex.ask()
    assert vertex.login.calls == {"refresh_token": 1}


async def test_a_new_login_holds_without_a_restart(vertex: VertexSite) -> None:
    vertex.login.refresh_tokens.clear()
    vertex.find(vertex.login.user())
    adapter = await vertex.open(project="fake-project-000")
    with pytest.raises(UpstreamCredential):
        await vertex.ask()
    vertex.find(vertex.login.service_account())
    await vertex.clock.advance(2)
    assert await vertex.ask() == "hi"
    assert adapter.state() == "usable: a service account"
    (credential,) = adapter.views()
    assert (credential.state, credential.reason) == ("active", "")


async def test_a_token_endpoint_that_is_down_is_waited_for(vertex: VertexSite) -> None:
    """google-auth itself asks three times."""
    vertex.environment.setattr("time.sleep", lambda _: None)
    vertex.login.fail(google(503, "down"), 3)
    vertex.find(vertex.login.service_account())
    await vertex.open(project="fake-project-000")
    assert await vertex.ask_over_pauses() == "hi"
    assert vertex.login.calls == {"assertion": 4}


async def test_a_token_endpoint_that_stays_down_is_the_upstreams_failure(vertex: VertexSite) -> None:
    vertex.environment.setattr("time.sleep", lambda _: None)
    vertex.login.fail(google(503, "down"), 99)
    vertex.find(vertex.login.service_account())
    await vertex.open(project="fake-project-000")
    with pytest.raises(UpstreamUnavailable, match="no access token"):
        await vertex.ask_over_pauses()


@pytest.mark.parametrize("call", ["exchange", "impersonate"])
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_what_passes_at_the_other_endpoints_is_waited_for_too(vertex: VertexSite, call: str, status: int) -> None:
    """google-auth calls it final there, whatever the status."""
    vertex.login.fail(google(status, "busy"), call=call)
    vertex.find(vertex.login.workload(from_file(vertex), impersonates=True))
    adapter = await vertex.open(project="fake-project-000")
    await adapter.listed()
    assert adapter.usable
    assert await vertex.ask_over_pauses() == "hi"
    assert vertex.login.calls[call] == 2


@pytest.mark.parametrize("call", ["assertion", "exchange", "impersonate"])
async def test_an_answer_that_is_none_is_no_dead_login(vertex: VertexSite, call: str) -> None:
    """As of a proxy that has a page for everything."""
    vertex.login.fail(Refusal(200, "a page"), call=call)
    workload = vertex.login.workload(from_file(vertex), impersonates=True)
    vertex.find(vertex.login.service_account() if call == "assertion" else workload)
    adapter = await vertex.open(project="fake-project-000")
    await adapter.listed()
    (credential,) = adapter.views()
    assert str(credential.last_error).startswith("the token endpoint's response (200) cannot be read: ")
    assert adapter.usable
    assert await vertex.ask_over_pauses() == "hi"


@pytest.mark.parametrize("call", ["exchange", "impersonate"])
async def test_what_is_refused_at_the_other_endpoints_is_a_dead_login(vertex: VertexSite, call: str) -> None:
    vertex.login.fail(google(403, "denied"), 9, call)
    vertex.find(vertex.login.workload(from_file(vertex), impersonates=True))
    adapter = await vertex.open(project="fake-project-000")
    with pytest.raises(UpstreamCredential):
        await vertex.ask()
    assert not adapter.usable


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ({"type": "nonsense"}, "does not have a valid type"),
        ({"type": "service_account", "client_email": "a@b.invalid"}, "service account"),
        ({"type": "impersonated_service_account"}, "AttributeError: "),
        ({"type": "external_account"}, "external account"),
        ({"type": "authorized_user", "client_id": CLIENT}, "authorized user"),
    ],
)
async def test_a_file_that_is_no_credential_is_named(vertex: VertexSite, file: Json, words: str) -> None:
    vertex.find(file)
    adapter = await vertex.open(project="fake-project-000")
    with pytest.raises(UpstreamCredential) as caught:
        await vertex.ask()
    assert caught.value.message == f"no access token: no default credentials are usable; {REMEDY}"
    assert words in adapter.state()
    assert not adapter.usable


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("echo a-secret; echo a-secret >&2; exit 3", "Executable exited with non-zero return code 3;"),
        (f"echo '{json.dumps(UNSUCCESSFUL)}'", "Executable returned unsuccessful response;"),
        ('echo \'{"id_token": "a-secret\'', "JSONDecodeError: "),
    ],
)
async def test_what_a_program_prints_is_told_to_nobody(
    vertex: VertexSite, capsys: pytest.CaptureFixture[str], does: str, words: str
) -> None:
    vertex.level = "warning"
    vertex.find(vertex.login.workload(from_program(vertex, does)))
    adapter = await vertex.open(project="fake-project-000")
    with pytest.raises(UpstreamCredential) as caught:
        await vertex.ask()
    (credential,) = adapter.views()
    logged = capsys.readouterr().err
    assert caught.value.message.startswith("no access token: ")
    assert words in adapter.state()
    assert all(words.rstrip(";") in told for told in (logged, str(credential.last_error)))
    assert "a-secret" not in caught.value.message + logged + adapter.state() + str(credential.last_error)


async def test_a_program_that_takes_too_long_is_no_dead_login(vertex: VertexSite) -> None:
    vertex.environment.setattr("google.auth.pluggable.EXECUTABLE_TIMEOUT_MILLIS_LOWER_BOUND", 1)
    source = from_program(vertex, "while :; do :; done")
    source["executable"]["timeout_millis"] = 50
    vertex.find(vertex.login.workload(source))
    adapter = await vertex.open(project="fake-project-000")
    with pytest.raises(UpstreamUnavailable, match="no access token: the credential program took too long"):
        await vertex.ask_over_pauses()
    assert adapter.usable


async def test_where_the_credentials_are_is_for_the_log_alone(
    vertex: VertexSite, capsys: pytest.CaptureFixture[str]
) -> None:
    vertex.level = "warning"
    path = vertex.find({"type": "nonsense"})
    adapter = await vertex.open(project="fake-project-000")
    for _ in range(3):
        with pytest.raises(UpstreamCredential) as caught:
            await vertex.ask()
        assert str(path) not in caught.value.message
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "no access token" in line]
    assert str(path) in json.loads(line)["reason"]
    (credential,) = adapter.views()
    checked = await adapter.check(credential.id)
    assert str(path) in str(checked.last_error)


@pytest.mark.parametrize("length", range(3, 9))
def test_a_long_reason_is_the_same_when_it_is_told_again(length: int) -> None:
    """Else the log would have it twice, wherever a blank is the last that has room."""
    reason = RefreshFailed("x" * length + " five" * 200).reason
    assert RefreshFailed(reason).reason == reason


async def test_before_anything_is_asked_the_log_says_so(vertex: VertexSite, capsys: pytest.CaptureFixture[str]) -> None:
    vertex.level = "warning"
    await vertex.open(project="fake-project-000")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "few credentials" in line]
    assert json.loads(line)["state"] == "no credential: 1 not asked yet"


async def test_without_credentials_the_error_says_how_to_get_some(vertex: VertexSite) -> None:
    adapter = await vertex.open(project="fake-project-000")
    assert not adapter.usable
    assert adapter.state().startswith("no credential: ")
    with pytest.raises(UpstreamCredential, match="no default credentials are usable; give GOOGLE_APPLICATION_CRED"):
        await vertex.ask()
    assert "Your default credentials were not found; give" in adapter.state()


async def test_a_gateway_that_stops_does_not_wait_for_a_login(vertex: VertexSite) -> None:
    vertex.find(vertex.login.service_account())
    vertex.login.hold()
    await vertex.open(project="fake-project-000")
    while not vertex.login.calls:  # noqa: ASYNC110 - a call that comes in sets no event
        await asyncio.sleep(0.001)
    async with asyncio.timeout(patient(5)):
        await vertex.stop()
    assert not vertex.transport.open_responses


def test_a_process_that_ends_does_not_wait_for_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, begun, file = tmp_path / "pipe", tmp_path / "begun", tmp_path / "credentials.json"
    os.mkfifo(pipe)
    forget(monkeypatch, tmp_path / "gcloud")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    source = program_in(tmp_path, monkeypatch, f"exec 3<>{pipe}; : >{begun}; read line <&3")

    async def begin() -> None:
        credential = DefaultCredential("google", "fake-project-000", System(), set())
        transport = Transport()
        async with FakeLogin() as login:
            file.write_text(json.dumps(login.workload(source)))
            credential.start(transport)
            asking = asyncio.create_task(credential.token(unasked, lambda *_: None, 0))
            while not begun.exists():  # noqa: ASYNC110 - a program that begins sets no event
                await asyncio.sleep(0.001)
            asking.cancel()
            credential.stop()
        await transport.close()

    asyncio.run(begin())
    waiting = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)  # only a program that still runs reads
    os.write(waiting, b"\n")
    os.close(waiting)


async def unasked(_: str) -> Tokens:
    raise AssertionError


async def test_no_token_is_written_down_or_told(vertex: VertexSite, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    vertex.find(vertex.login.service_account())
    await asked(vertex)
    vertex.fail("403_permission")
    with pytest.raises(UpstreamCredential) as caught:
        await vertex.ask()
    (token,) = vertex.login.tokens
    await vertex.stop()
    kept = b"".join(file.read_bytes() for file in vertex.folder.iterdir())
    assert token not in caught.value.message + caplog.text + kept.decode("latin-1")
