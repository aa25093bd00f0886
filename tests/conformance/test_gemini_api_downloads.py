"""Files that Google makes, such as films: it leads to their bytes by a redirect, which callers follow through here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from google import genai
from google.genai import types

from gateway.app import create_app
from tests.serving import serve

pytestmark = pytest.mark.anyio

FILM = bytes(range(256)) * 20_000
KEYS: dict[str, Any] = {"key": [{"name": "alice", "secret": "sk-alice"}]}
ALICE = {"x-goog-api-key": "sk-alice"}
PATH = "/v1beta/files/film:download"


class Films:
    """An upstream with one film, which belongs to the second of its keys; `location`: where the bytes are."""

    def __init__(self) -> None:
        self.url = ""
        self.location = ""
        self.asked: list[tuple[str, str]] = []

    async def handle(self, request: web.Request) -> web.Response:
        """Answer the owner, and know nothing of the film before anybody else."""
        self.asked.append((request.headers.get("x-goog-api-key", ""), request.path_qs))
        if request.headers.get("x-goog-api-key") != "key-2-of-google":
            message = "You do not have permission to access the File film or it may not exist."
            refusal = {"code": 403, "message": message, "status": "PERMISSION_DENIED"}
            return web.json_response({"error": refusal}, status=403)
        if "/download/" not in request.path:
            return web.Response(status=302, headers={"location": self.location})
        return web.Response(body=FILM, content_type="video/mp4")


@asynccontextmanager
async def films(folder: Path) -> AsyncIterator[tuple[Films, str]]:
    """Run a gateway before it; give the address of the gateway, too."""
    fake = Films()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        host, port = runner.addresses[0][:2]
        fake.url = f"http://{host}:{port}/mirror"
        fake.location = f"{fake.url}/download{PATH}?alt=media"
        google = {"type": "gemini", "base_url": fake.url, "api_key": ["key-1-of-google", "key-2-of-google"]}
        config = {
            "server": {"data_dir": str(folder)},
            "log": {"level": "error"},
            "upstream": {"google": {**google, "models": ["veo"]}},
            **KEYS,
        }
        async with serve(create_app(config)) as url:
            yield fake, url
    finally:
        await runner.cleanup()


async def test_the_sdk_downloads_a_film(tmp_path: Path) -> None:
    async with films(tmp_path) as (fake, url):
        options = types.HttpOptions(base_url=url)
        async with genai.Client(api_key="sk-alice", http_options=options).aio as client:
            assert await client.files.download(file="files/film") == FILM
    assert [key for key, _ in fake.asked] == ["key-1-of-google", "key-2-of-google", "key-2-of-google"]
    assert fake.asked[-1][1] == f"/mirror/download{PATH}?alt=media"


@pytest.mark.parametrize(
    "location",
    [
        "{url}/download/v1beta/files/film:download?alt=media",
        "{url}/download/v1beta/files/film:download?key=key-2-of-google&alt=media#t=1",
        "/mirror/download/v1beta/files/film:download?alt=media",
        "../../download/v1beta/files/film:download?alt=media",
    ],
)
async def test_a_redirect_within_the_upstream_leads_through_the_gateway(tmp_path: Path, location: str) -> None:
    async with films(tmp_path) as (fake, url), httpx.AsyncClient(base_url=url, headers=ALICE) as http:
        fake.location = location.format(url=fake.url)
        answer = await http.get(PATH)
        assert answer.status_code == 302
        assert answer.headers["location"] == f"{url}/download{PATH}?alt=media"
        assert (await http.get(answer.headers["location"])).content == FILM
        assert (await http.get(answer.headers["location"], headers={"x-goog-api-key": ""})).status_code == 401


@pytest.mark.parametrize(
    "location",
    [
        "https://storage.invalid/film?signature=a%2Fb",
        "https://storage.invalid/film?key=key-2-of-google",
        "/elsewhere",
        "//storage.invalid/film",
        "{url}.storage.invalid/film",
        "{url}@storage.invalid/film",
        "http://[film",
    ],
)
async def test_a_redirect_to_elsewhere_stays_here(tmp_path: Path, location: str) -> None:
    """A client that followed it would show its key there."""
    async with films(tmp_path) as (fake, url), httpx.AsyncClient(base_url=url, headers=ALICE) as http:
        fake.location = location.format(url=fake.url)
        answer = await http.send(http.build_request("GET", PATH))
    assert (answer.status_code, "location" in answer.headers) == (302, False)
    assert [path for _, path in fake.asked] == [f"/mirror{PATH}"] * 2
