"""Application Default Credentials of every type, found and used as google-auth does."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.adapters.google_login import has_file
from gateway.errors import UpstreamCredential, UpstreamUnavailable
from tests.adapters.vertex_logins import Json, asked, from_file, from_program
from tests.adapters.vertex_site import VertexSite
from tests.disk import shut
from tests.fakes.v1internal_errors import google
from tests.fakes.vertex_api_login import EMAIL, TARGET

pytestmark = pytest.mark.anyio
IDENTITIES = {"user": "user@example.invalid", "robot": EMAIL, "target": TARGET, "principal": "principal://fake"}


async def test_a_service_account_signs_for_its_token(vertex: VertexSite) -> None:
    vertex.find(vertex.login.service_account())
    await asked(vertex)
    assert vertex.seen() == [(EMAIL, 200)]
    assert vertex.login.calls == {"assertion": 1}
    assert vertex.adapter is not None
    assert vertex.adapter.state() == "usable: a service account"


async def test_a_user_of_gcloud_is_found_in_its_folder(vertex: VertexSite) -> None:
    folder = vertex.folder.parent / "gcloud"
    (folder / "application_default_credentials.json").write_text(json.dumps(vertex.login.user()))
    await asked(vertex)
    assert vertex.seen() == [(IDENTITIES["user"], 200)]
    assert vertex.login.calls == {"refresh_token": 1}


def test_a_user_without_a_home_has_no_login_of_gcloud(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: int) -> None:
        raise KeyError

    for name in ("HOME", "CLOUDSDK_CONFIG", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert not has_file()


def test_a_user_with_the_home_of_another_has_no_login_of_gcloud(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As where `sudo` or a container leaves root's HOME to another user."""
    for name in ("CLOUDSDK_CONFIG", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    shut(tmp_path, monkeypatch)
    assert not has_file()


async def test_the_quota_project_of_a_user_is_billed(vertex: VertexSite) -> None:
    vertex.find(vertex.login.user())
    await asked(vertex)
    assert vertex.fake.calls()[0].headers["x-goog-user-project"] == "fake-quota-project"


async def test_without_a_quota_project_nobody_else_is_billed(vertex: VertexSite) -> None:
    vertex.find(vertex.login.service_account())
    await asked(vertex)
    assert "x-goog-user-project" not in vertex.fake.calls()[0].headers


@pytest.fixture
def metadata(vertex: VertexSite) -> VertexSite:
    """Put the fake's metadata server where google-auth looks; it reads its host when it is imported."""
    module = "google.auth.compute_engine._metadata"
    vertex.environment.setattr(f"{module}._NO_GCE_CHECK", False)
    vertex.environment.setattr(f"{module}._GCE_METADATA_HOST", vertex.login.host)
    vertex.environment.setenv("GCE_METADATA_IP", vertex.login.host)
    return vertex


async def test_the_metadata_server_names_the_project_and_gives_tokens(metadata: VertexSite) -> None:
    await asked(metadata, project="")
    assert metadata.seen() == [(EMAIL, 200)]
    assert metadata.login.calls == {"metadata": 1}
    assert metadata.fake.calls()[0].path.startswith("/v1/projects/fake-project-000/locations/us-central1/")


async def test_what_the_metadata_server_refuses_is_told_in_words(metadata: VertexSite) -> None:
    metadata.login.fail(google(404, "none"), 99)
    adapter = await metadata.open(project="fake-project-000")
    with pytest.raises(UpstreamUnavailable) as caught:
        await metadata.ask_over_pauses()
    assert caught.value.message == "no access token: the token endpoint responded with 404"
    (credential,) = adapter.views()
    assert "responded with 404: Failed to retrieve http://" in str(credential.last_error)
    assert " object at 0x" not in str(credential.last_error)


Source = Callable[[VertexSite], Json]


def from_address(vertex: VertexSite) -> Json:
    json_form = {"type": "json", "subject_token_field_name": "value"}
    return {
        "url": f"{vertex.login.url}/subject-token?format=json",
        "headers": {"X-Fake-Source": "yes"},
        "format": json_form,
    }


@pytest.mark.parametrize("source", [from_file, from_address, from_program])
@pytest.mark.parametrize(("impersonates", "identity"), [(False, "principal"), (True, "target")])
async def test_workload_identity_exchanges_the_token_of_another(
    vertex: VertexSite, source: Source, impersonates: bool, identity: str
) -> None:
    vertex.find(vertex.login.workload(source(vertex), impersonates=impersonates))
    await asked(vertex)
    assert vertex.seen() == [(IDENTITIES[identity], 200)]
    assert vertex.login.calls["exchange"] == 1
    assert vertex.login.calls["impersonate"] == impersonates


@pytest.mark.parametrize("source", ["user", "service_account"])
async def test_other_credentials_act_as_a_service_account(vertex: VertexSite, source: str) -> None:
    inner = vertex.login.user() if source == "user" else vertex.login.service_account()
    vertex.find(vertex.login.impersonated(inner))
    await asked(vertex)
    assert vertex.seen() == [(TARGET, 200)]
    assert vertex.login.calls["impersonate"] == 1


# the project


async def test_the_configured_project_wins(vertex: VertexSite) -> None:
    vertex.find(vertex.login.service_account())
    vertex.environment.setenv("GOOGLE_CLOUD_PROJECT", "another")
    await asked(vertex, project="fake-project-001")
    assert vertex.fake.calls()[0].path.startswith("/v1/projects/fake-project-001/")


async def test_the_project_of_the_environment_comes_next(vertex: VertexSite) -> None:
    vertex.find(vertex.login.service_account())
    vertex.environment.setenv("GOOGLE_CLOUD_PROJECT", "fake-project-001")
    await asked(vertex, project="")
    assert vertex.fake.calls()[0].path.startswith("/v1/projects/fake-project-001/")


async def test_the_project_of_the_credentials_comes_last(vertex: VertexSite) -> None:
    vertex.find(vertex.login.service_account())
    await asked(vertex, project="")
    assert vertex.fake.calls()[0].path.startswith("/v1/projects/fake-project-000/")


async def test_without_any_project_the_error_says_what_to_set(vertex: VertexSite) -> None:
    vertex.find(vertex.login.user())
    adapter = await vertex.open(project="")
    with pytest.raises(UpstreamCredential, match=r"set upstream\.google\.project or GOOGLE_CLOUD_PROJECT"):
        await vertex.ask()
    assert adapter.state() == "no project: set upstream.google.project or GOOGLE_CLOUD_PROJECT"
    (credential,) = adapter.views()
    assert (credential.state, credential.reason) == ("cooling", adapter.state())
    assert not adapter.usable
    assert not vertex.fake.requests


# how long a token lives


async def test_any_number_of_requests_wait_for_one_login(vertex: VertexSite) -> None:
    vertex.find(vertex.login.service_account())
    vertex.login.hold()
    await vertex.open(project="fake-project-000")
    waiting = [asyncio.create_task(vertex.ask()) for _ in range(20)]
    while not vertex.login.calls:  # noqa: ASYNC110 - a call that comes in sets no event
        await asyncio.sleep(0.001)
    vertex.login.release()
    assert await asyncio.gather(*waiting) == ["hi"] * 20
    assert vertex.login.calls == {"assertion": 1}


async def test_the_loop_goes_on_while_google_auth_waits(vertex: VertexSite) -> None:
    vertex.find(vertex.login.service_account())
    vertex.login.hold()
    await vertex.open(project="fake-project-000")
    waiting = asyncio.create_task(vertex.ask())
    for _ in range(100):
        await asyncio.sleep(0)
    assert not waiting.done()
    vertex.login.release()
    assert await waiting == "hi"


async def test_a_token_is_renewed_before_it_ends_and_nobody_waits(vertex: VertexSite) -> None:
    vertex.find(vertex.login.service_account())
    await asked(vertex)
    await vertex.clock.advance(3400)  # of 3599 s, less than five minutes are left
    vertex.login.hold()
    assert await vertex.ask() == "hi"
    vertex.login.release()
    assert vertex.adapter is not None
    await settled(vertex, 2)
    assert await vertex.ask() == "hi"
    first, second, third = (call.headers["authorization"] for call in vertex.fake.calls())
    assert first == second != third


async def settled(vertex: VertexSite, tokens: int) -> None:
    """Wait until so many tokens have been given, and taken."""
    adapter = vertex.adapter
    assert adapter is not None
    while len(vertex.login.tokens) < tokens or vertex.login.gate is not None:  # noqa: ASYNC110 - no event for it
        await asyncio.sleep(0.001)
    await asyncio.gather(*(task for task in adapter._tasks if not task.done()))


async def test_a_token_that_ended_is_waited_for(vertex: VertexSite) -> None:
    vertex.find(vertex.login.service_account())
    await asked(vertex)
    await vertex.clock.advance(3590)
    assert await vertex.ask() == "hi"
    assert vertex.login.calls == {"assertion": 2}


async def test_a_refused_token_is_renewed_once(vertex: VertexSite) -> None:
    vertex.find(vertex.login.service_account())
    await asked(vertex)
    vertex.login.expire()
    assert await vertex.ask(attempts=1) == "hi"
    assert [status for _, status in vertex.seen()] == [200, 401, 200]


async def test_tokens_that_are_always_refused_are_a_bad_gateway_never_the_callers_401(vertex: VertexSite) -> None:
    vertex.find(vertex.login.service_account())
    await vertex.open(project="fake-project-000")
    vertex.fail("401_expired", times=9)
    with pytest.raises(UpstreamCredential, match="gcloud auth application-default login") as caught:
        await vertex.ask()
    assert caught.value.status == 502
    assert [status for _, status in vertex.seen()] == [401, 401]
