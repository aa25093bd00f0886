"""Every path of Google's API that its SDKs know reaches the upstream as it came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from gateway.app import create_app
from tests.serving import serve

pytestmark = pytest.mark.anyio

MODEL = "gemini-2.5-flash"
# those of google-genai: models, batches, caches, files, stores of files, tuned models, operations, tokens
PATHS = [
    ("POST", f"/v1beta/models/{MODEL}:embedContent"),
    ("POST", f"/v1beta/models/{MODEL}:batchEmbedContents"),
    ("POST", f"/v1beta/models/{MODEL}:asyncBatchEmbedContent"),
    ("POST", f"/v1beta/models/{MODEL}:batchGenerateContent"),
    ("POST", f"/v1beta/models/{MODEL}:predict"),
    ("POST", f"/v1beta/models/{MODEL}:predictLongRunning"),
    ("GET", f"/v1beta/models/{MODEL}/operations/1"),
    ("GET", "/v1beta/operations/1"),
    ("GET", "/v1beta/batches?pageSize=2"),
    ("GET", "/v1beta/batches/1"),
    ("POST", "/v1beta/batches/1:cancel"),
    ("DELETE", "/v1beta/batches/1"),
    ("POST", "/v1beta/cachedContents"),
    ("GET", "/v1beta/cachedContents/1"),
    ("PATCH", "/v1beta/cachedContents/1?updateMask=ttl"),
    ("DELETE", "/v1beta/cachedContents/1"),
    ("GET", "/v1beta/files"),
    ("GET", "/v1beta/files/1"),
    ("GET", "/v1beta/files/1:download?alt=media"),
    ("POST", "/v1beta/files:register"),
    ("DELETE", "/v1beta/files/1"),
    ("POST", "/upload/v1beta/files"),
    ("GET", "/download/v1beta/files/1:download?alt=media"),
    ("POST", "/v1beta/fileSearchStores"),
    ("GET", "/v1beta/fileSearchStores/1"),
    ("DELETE", "/v1beta/fileSearchStores/1?force=true"),
    ("POST", "/v1beta/fileSearchStores/1:importFile"),
    ("GET", "/v1beta/fileSearchStores/1/documents"),
    ("DELETE", "/v1beta/fileSearchStores/1/documents/2?force=true"),
    ("GET", "/v1beta/fileSearchStores/1/operations/2"),
    ("GET", "/v1beta/fileSearchStores/1/upload/operations/2"),
    ("POST", "/upload/v1beta/fileSearchStores/1:uploadToFileSearchStore"),
    ("GET", "/v1beta/tunedModels"),
    ("GET", "/v1beta/tunedModels/1"),
    ("POST", "/v1beta/tunedModels"),
    ("PATCH", "/v1beta/tunedModels/1?updateMask=displayName"),
    ("DELETE", "/v1beta/tunedModels/1"),
    ("POST", "/v1beta/tunedModels/1:transferOwnership"),
    ("GET", "/v1beta/tunedModels/1/operations/2"),
    ("GET", "/v1beta/tunedModels/1/permissions"),
    ("POST", "/v1beta/auth_tokens"),
    ("POST", "/v1beta/interactions"),
    ("GET", "/v1beta/interactions/1"),
    ("POST", f"/v1alpha/models/{MODEL}:embedContent"),
    ("POST", "/v1alpha/auth_tokens"),
    ("GET", "/v1alpha/files/1"),
    ("POST", "/upload/v1alpha/files"),
    # google-genai 3 asks for everything below /v1
    ("POST", "/v1/interactions"),
    ("GET", "/v1/interactions/1?stream=true"),
    ("POST", "/v1/interactions/1/cancel"),
    ("POST", "/v1/auth_tokens"),
    ("GET", "/v1/operations/1"),
    *(
        ("GET", f"/v1/{collection}")
        for collection in ("agents", "credentials", "decisions", "environments", "triggers", "voices", "webhooks")
    ),
]


@asynccontextmanager
async def echoing(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Run a gateway before an upstream that says what it was asked, and by which key."""

    async def echo(request: web.Request) -> web.Response:
        asked = {"asked": f"{request.method} {request.path_qs}", "body": (await request.read()).decode()}
        return web.json_response(asked | {"key": request.headers.get("x-goog-api-key")})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        google = {"type": "gemini", "base_url": site_url(runner), "api_key": "key-1", "models": [MODEL]}
        config = {"server": {"data_dir": str(folder)}, "log": {"level": "error"}, "upstream": {"google": google}}
        async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
            yield http
    finally:
        await runner.cleanup()


def site_url(runner: web.AppRunner) -> str:
    """Give the address of the echo."""
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_a_native_call_reaches_the_upstream_as_it_came(tmp_path: Path, method: str, path: str) -> None:
    content = b'{"a":  1}' if method in {"POST", "PATCH"} else b""
    async with echoing(tmp_path / "data") as http:
        answer = await http.request(method, path, content=content, headers={"x-goog-api-key": "mine"})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"asked": f"{method} {path}", "body": content.decode(), "key": "key-1"}


@pytest.mark.parametrize("place", ["", "/projects/p/locations/l"])
@pytest.mark.parametrize("verb", ["embedContent", "predict", "predictLongRunning"])
async def test_a_call_of_a_client_for_vertex_ai_is_one_on_the_model(tmp_path: Path, place: str, verb: str) -> None:
    path = f"/v1beta1{place}/publishers/google/models/{MODEL}:{verb}"
    async with echoing(tmp_path / "data") as http:
        answer = await http.post(path, content=b"{}", headers={"authorization": "Bearer mine"})
    assert answer.json()["asked"] == f"POST /v1beta/models/{MODEL}:{verb}"
