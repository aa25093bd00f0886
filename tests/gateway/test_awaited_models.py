"""Names of models before the upstreams have told for the first time which they have."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import gateway
from gateway import app as gateway_app
from tests.middleware.asgi import Outcome, call, scope_of
from tests.patience import patient
from tests.serving import serve

pytestmark = pytest.mark.anyio

LONG_S = 600.0  # who waits for a list waits so long


class Lists:
    """Servers of OpenAI's API, each below its name; they list their models once `told` is set."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.talked: list[str] = []

    async def models(self, request: Request) -> Response:
        await self.told.wait()
        return JSONResponse({"object": "list", "data": [{"id": f"model-of-{request.path_params['name']}"}]})

    async def talk(self, request: Request) -> Response:
        self.talked.append(request.path_params["name"])
        return Response(status_code=400)


@asynccontextmanager
async def gateway_of(
    lists: Lists, folder: Path, models: Mapping[str, Any], names: Sequence[str] = ("a", "b")
) -> AsyncIterator[Starlette]:
    talk = Route("/{name}/v1/chat/completions", lists.talk, methods=["POST"])
    async with serve(Starlette(routes=[Route("/{name}/v1/models", lists.models), talk])) as base:
        upstream = {name: {"type": "openai", "base_url": f"{base}/{name}/v1", "api_key": "k"} for name in names}
        config = {"server": {"data_dir": str(folder)}, "upstream": upstream, "models": models}
        made = gateway.create_app(config)
        async with gateway.lifespan(made):
            yield made


async def ask(made: Starlette, model: str) -> Outcome:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]}).encode()
    return await call(made, scope_of("/v1/chat/completions"), [body])


async def test_the_first_start_waits_for_them(tmp_path: Path) -> None:
    lists = Lists()
    asyncio.get_running_loop().call_later(0.05, lists.told.set)
    async with gateway_of(lists, tmp_path, {}) as made:
        found = await call(made, scope_of("/v1/models", method="GET"))
        assert [one["id"] for one in found.json["data"]][:2] == ["model-of-a", "model-of-b"]
        assert (await ask(made, "model-of-c")).status == 404


async def test_meanwhile_a_name_that_nobody_knows_may_be_one_of_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_app, "_LISTS_S", 0.01)
    lists = Lists()
    async with gateway_of(lists, tmp_path, {"alias": {"mine": "model-of-b"}}) as made:
        for name in ("model-of-b", "mine"):
            refused = await ask(made, name)
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            error = refused.json["error"]
            assert error["code"] == "models_awaited"
            assert "is not known yet: no model list has come from upstream a, b yet" in error["message"]
        lists.told.set()
        async with asyncio.timeout(patient(10)):
            while (unknown := await ask(made, "model-of-c")).status == 503:  # noqa: ASYNC110 - the lists tell nobody
                await asyncio.sleep(0.01)
        assert unknown.json["error"]["code"] == "model_not_found"
        assert (await ask(made, "mine")).status == 400  # of the upstream


async def test_a_list_that_was_there_once_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = Lists()
    monkeypatch.setattr(gateway_app, "_LISTS_S", LONG_S)
    lists.told.set()
    async with gateway_of(lists, tmp_path, {}):
        pass
    lists.told.clear()
    async with asyncio.timeout(patient(10)), gateway_of(lists, tmp_path, {}) as made:
        assert (await ask(made, "model-of-c")).status == 404
        lists.told.set()


async def test_a_name_of_another_upstream_is_not_passed_on_to_the_default_one(tmp_path: Path) -> None:
    lists = Lists()
    asyncio.get_running_loop().call_later(0.05, lists.told.set)
    async with gateway_of(lists, tmp_path, {"default_upstream": "a"}) as made:
        await ask(made, "model-of-b")
        await ask(made, "model-of-c")
    assert lists.talked == ["b", "a"]


async def test_nobody_waits_for_the_list_of_the_upstream_that_gets_unknown_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = Lists()
    monkeypatch.setattr(gateway_app, "_LISTS_S", LONG_S)
    async with asyncio.timeout(patient(10)), gateway_of(lists, tmp_path, {"default_upstream": "a"}, ["a"]) as made:
        assert (await ask(made, "model-of-c")).json["error"]["code"] != "models_awaited"
        lists.told.set()
