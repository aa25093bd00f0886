"""A gateway that starts while its database is away: no door calls a key wrong that nobody can check."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from starlette.applications import Starlette

from gateway.app import create_app, lifespan
from gateway.config import load
from gateway.keys import digest_of
from tests.gateway.admin.accounts import ADMIN, configured
from tests.gateway.store.places import Place
from tests.gateway.store.test_key_store import ALICE
from tests.middleware.asgi import Outcome, call, scope_of
from tests.patience import patient
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.anyio

KEY = "gw-alice-and-more"
BOB = "sk-bob"
FAR = "10.0.0.7"
DIALECTS = {
    "/v1/chat/completions": "server_error",
    "/v1/responses": "server_error",
    "/v1/messages": "overloaded_error",
    "/v1beta/models/demo:generateContent": "UNAVAILABLE",
}
OTHERS = ("/usage", "/metrics", "/admin/keys", "/admin/nothing")


@pytest.fixture
async def app(postgres_url: str, postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Starlette]:
    place = Place(tmp_path, postgres_url)
    place.callers().add(
        replace(ALICE, sha256=digest_of(KEY), models=(), scopes=("chat", "metrics", "admin"), limits={})
    )
    place.close()
    postgres_server.stop()
    given: Any = {"store": {"database": postgres_url}, "key": [{"name": "bob", "secret": BOB}]}
    made = configured(tmp_path, **given, log={"level": "critical"})
    async with lifespan(made):
        yield made


async def ask(app: Starlette, path: str, key: str = "", *, client: str = FAR, **headers: str) -> Outcome:
    shown = {"authorization": f"Bearer {key}"} if key else {}
    scope = scope_of(path, headers={**shown, **headers}, client=client)
    method = "POST" if path in DIALECTS else "GET"
    return await call(app, {**scope, "method": method})


async def answered(app: Starlette, key: str, *, client: str = FAR) -> int:
    """Ask again for as long as the store, which has just been started, keeps a busy machine waiting."""
    async with asyncio.timeout(patient(10)):
        while (status := (await ask(app, "/v1/models", key, client=client)).status) == 503:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.05)
    return status


async def test_a_key_that_is_not_known_is_told_to_wait_at_every_door(app: Starlette) -> None:
    for path, kind in DIALECTS.items():
        answer = await ask(app, path, KEY)
        error = answer.json["error"]
        assert (answer.status, answer.headers["retry-after"]) == (503, "3"), path
        assert kind in (error.get("type"), error.get("status"))
        assert "the key store does not respond" in error["message"]
    for path in OTHERS:
        answer = await ask(app, path, KEY)
        assert (answer.status, answer.json["error"]["code"]) == (503, "store_unavailable"), path


async def test_it_is_no_failed_attempt_and_the_key_works_once_the_database_does(
    app: Starlette, postgres_server: PostgresServer
) -> None:
    for _ in range(4):
        assert {(await ask(app, path, KEY)).status for path in ("/v1/models", *OTHERS)} == {503}
    assert (await ask(app, "/v1/models", BOB)).status == 200
    postgres_server.start()
    assert await answered(app, KEY) == 200
    assert {(await ask(app, path, KEY)).status for path in OTHERS} == {200, 404}
    assert (await ask(app, "/v1/models", "sk-wrong")).status == 401


async def test_nobody_comes_in_without_a_key(app: Starlette) -> None:
    for path in ("/v1/models", "/usage", "/admin/keys"):
        assert (await ask(app, path, client="127.0.0.1")).status == 401


async def test_the_password_opens_the_administration(app: Starlette) -> None:
    def basic(password: str) -> str:
        return f"Basic {base64.b64encode(f'{ADMIN[0]}:{password}'.encode()).decode()}"

    assert (await ask(app, "/admin/keys", authorization=basic(ADMIN[1]))).status == 200
    assert (await ask(app, "/admin/keys", authorization=basic("hunter2"))).status == 503


async def test_no_stored_key_that_may_be_there_means_no_anonymous_caller(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    postgres_server.stop()
    bare = configured(tmp_path, store={"database": postgres_url}, log={"level": "critical"})
    async with lifespan(bare):
        assert (await ask(bare, "/v1/models", client="127.0.0.1")).status == 401
        assert (await ask(bare, "/v1/models", "any", client="127.0.0.1")).status == 503
        postgres_server.start()
        assert await answered(bare, "any", client="127.0.0.1") == 200  # there is none


async def test_an_edit_meanwhile_loses_no_key_that_was_known(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    place = Place(tmp_path, postgres_url)
    place.callers().add(replace(ALICE, sha256=digest_of(KEY), models=(), limits={}))
    place.close()
    file = tmp_path / "gateway.toml"
    toml = f'[store]\ndatabase = "{postgres_url}"\n[log]\nlevel = "critical"\n'
    file.write_text(toml)
    edited = create_app(load(file, environ={}))
    async with lifespan(edited):
        assert (await ask(edited, "/v1/models", KEY)).status == 200
        postgres_server.stop()
        file.write_text(f"{toml}[defaults]\nmax_tokens = 9\n")
        assert await edited.state.generations.reload()
        assert (await ask(edited, "/v1/models", KEY)).status == 200
        assert (await ask(edited, "/v1/models", "sk-wrong")).status == 401
