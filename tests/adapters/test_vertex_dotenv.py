"""What google-auth reads from the environment may stand in the .env beside gateway.toml."""

import json
import os
from pathlib import Path

import pytest

from gateway.adapters.google_login import adopt
from gateway.adapters.vertex import Vertex
from gateway.config import load
from tests.adapters.site import GEMINI_3
from tests.adapters.vertex_site import VertexSite
from tests.fakes.vertex_api_login import EMAIL

pytestmark = pytest.mark.anyio


def beside(vertex: VertexSite, **variables: str) -> Vertex:
    """Make the upstream of a gateway.toml with a .env beside it."""
    folder = vertex.folder.parent / "etc"
    folder.mkdir()
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    file = folder / "gateway.toml"
    file.write_text(
        f"server.data_dir = {json.dumps(str(vertex.folder))}\n"
        f"[upstream.google]\ntype = 'vertex'\nbase_url = '{vertex.fake.url}'\nmodels = ['{GEMINI_3}']\n"
    )
    vertex.adapter = Vertex("google", load(file), vertex.clock)
    return vertex.adapter


def service_account(vertex: VertexSite) -> Path:
    path = vertex.folder.parent / "of-dotenv.json"
    path.write_text(json.dumps(vertex.login.service_account()))
    return path


async def test_a_credentials_file_named_in_dotenv_is_used(vertex: VertexSite) -> None:
    adapter = beside(vertex, GOOGLE_APPLICATION_CREDENTIALS=str(service_account(vertex)))
    assert adapter.usable
    await adapter.start(vertex.transport)
    assert await vertex.ask("one two") == "one two"
    assert vertex.seen() == [(EMAIL, 200)]


async def test_projects_named_in_dotenv_are_called_and_billed(vertex: VertexSite) -> None:
    credentials = str(service_account(vertex))
    projects = {"GOOGLE_CLOUD_PROJECT": "fake-project-001", "GOOGLE_CLOUD_QUOTA_PROJECT": "fake-quota-project"}
    await beside(vertex, GOOGLE_APPLICATION_CREDENTIALS=credentials, **projects).start(vertex.transport)
    await vertex.ask()
    (call,) = vertex.fake.calls()
    assert call.path.startswith("/v1/projects/fake-project-001/")
    assert call.headers["x-goog-user-project"] == "fake-quota-project"


async def test_the_folder_of_gcloud_named_in_dotenv_is_looked_into(vertex: VertexSite) -> None:
    folder = vertex.folder.parent / "elsewhere"
    folder.mkdir()
    (folder / "application_default_credentials.json").write_text(json.dumps(vertex.login.user()))
    vertex.environment.delenv("CLOUDSDK_CONFIG")
    adapter = beside(vertex, CLOUDSDK_CONFIG=str(folder), GOOGLE_CLOUD_PROJECT="fake-project-000")
    await adapter.start(vertex.transport)
    await vertex.ask()
    assert vertex.seen() == [("user@example.invalid", 200)]


async def test_the_environment_wins_over_dotenv(vertex: VertexSite) -> None:
    vertex.find(vertex.login.user())
    missing = str(vertex.folder / "missing.json")
    project = "fake-project-000"
    await beside(vertex, GOOGLE_APPLICATION_CREDENTIALS=missing, GOOGLE_CLOUD_PROJECT=project).start(vertex.transport)
    await vertex.ask()
    assert vertex.seen() == [("user@example.invalid", 200)]


def test_only_what_google_auth_reads_gets_into_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_GCE_CHECK", "GCE_METADATA_TIMEOUT"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    given = {"NO_GCE_CHECK": "true", "GCE_METADATA_TIMEOUT": "1", "AWS_REGION": "us-east-1", "OPENAI_API_KEY": "sk-x"}
    assert adopt(given) == ["AWS_REGION"]
    assert (os.environ["NO_GCE_CHECK"], os.environ["GCE_METADATA_TIMEOUT"]) == ("true", "1")
    assert os.environ["AWS_REGION"] == "eu-west-1"
    assert os.environ.get("OPENAI_API_KEY") != "sk-x"
