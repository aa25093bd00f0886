"""[auth], [[key]], [limits] and server.max_body change who is answered."""

import json
from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette

from gateway.app import lifespan
from tests.gateway.config.asking import CHAT, ask
from tests.middleware.asgi import Outcome, call, scope_of
from tests.scripted import Scripted, app_of, say

pytestmark = pytest.mark.anyio

KEY = {"x-api-key": "sk-alice"}
WINDOWS = ("second", "minute", "hour", "day", "month")


def app(**config: Any) -> Starlette:
    return app_of(Scripted(say("Hello")), config=config)


def alice(**more: Any) -> Mapping[str, Any]:
    return {"name": "alice", "secret": "sk-alice", **more}


async def test_a_key_of_auth_keys_is_accepted() -> None:
    made = app(auth={"keys": ["sk-one", "sk-two"]})
    given = [{"x-api-key": f"sk-{name}"} for name in ("one", "two", "three")]
    assert [(await ask(made, headers=headers)).status for headers in given] == [200, 200, 401]


async def test_accept_says_where_a_key_may_stand() -> None:
    keys = {"keys": ["sk-alice"]}
    assert (await ask(app(auth=keys), query="key=sk-alice")).status == 200
    assert (await ask(app(auth={**keys, "accept": ["bearer"]}), query="key=sk-alice")).status == 401


@pytest.mark.parametrize(
    ("allowed", "expected"), [("never", [401, 401]), ("loopback", [200, 401]), ("always", [200, 200])]
)
async def test_allow_anonymous_says_who_needs_no_key(allowed: str, expected: list[int]) -> None:
    made = app(auth={"allow_anonymous": allowed})
    assert [(await ask(made, client=peer)).status for peer in ("127.0.0.1", "10.0.0.7")] == expected


async def test_the_name_of_a_key_is_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    await ask(app(key=[alice()], log={"level": "info"}), headers=KEY)
    assert json.loads(capsys.readouterr().err)["key"] == "alice"


@pytest.mark.parametrize("how", [{"secret": "sk-alice"}, {"sha256": sha256(b"sk-alice").hexdigest()}])
async def test_a_key_is_known_by_its_text_or_its_hash(how: Mapping[str, str]) -> None:
    made = app(key=[{"name": "alice", **how}])
    assert (await ask(made, headers=KEY)).status == 200
    assert (await ask(made, headers={"x-api-key": "sk-bob"})).status == 401


@pytest.mark.parametrize(("models", "status"), [([], 200), (["de*"], 200), (["claude-*"], 403)])
async def test_a_key_is_held_to_its_models(models: list[str], status: int) -> None:
    assert (await ask(app(key=[alice(models=models)]), headers=KEY)).status == status


@pytest.mark.parametrize(("upstreams", "status"), [([], 200), (["demo"], 200), (["other"], 403)])
async def test_a_key_is_held_to_its_upstreams(upstreams: list[str], status: int) -> None:
    config = {"upstream": {"demo": {"type": "demo"}, "other": {"type": "demo"}}}
    made = app_of(*(Scripted(say("Hello"), name=name) for name in config["upstream"]), config={
        **config, "key": [alice(upstreams=upstreams)],
    })  # fmt: skip
    assert (await ask(made, headers=KEY)).status == status


@pytest.mark.parametrize(("scopes", "status"), [(["chat"], 200), (["metrics"], 403)])
async def test_a_key_is_held_to_its_scopes(scopes: list[str], status: int) -> None:
    assert (await ask(app(key=[alice(scopes=scopes)]), headers=KEY)).status == status


@pytest.mark.parametrize(("expires", "status"), [(date(2001, 1, 1), 401), (date(2999, 1, 1), 200)])
async def test_a_key_ends_on_its_day(expires: date, status: int) -> None:
    assert (await ask(app(key=[alice(expires=expires)]), headers=KEY)).status == status


@pytest.mark.parametrize("window", WINDOWS)
async def test_the_limit_of_a_key_takes_the_place_of_the_general_one(window: str) -> None:
    limit = f"requests_per_{window}"
    made = app(limits={limit: 0}, key=[alice(limits={limit: 100}), {"name": "bob", "secret": "sk-bob"}])
    assert [(await ask(made, headers={"x-api-key": f"sk-{who}"})).status for who in ("alice", "bob")] == [200, 429]


@pytest.mark.parametrize("limit", [f"{what}_per_{window}" for what in ("tokens", "usd") for window in WINDOWS])
async def test_tokens_and_money_of_a_key_take_the_place_of_the_general_ones(limit: str) -> None:
    made = app(limits={limit: 0}, key=[alice(limits={limit: 100}), {"name": "bob", "secret": "sk-bob"}])
    assert [(await ask(made, headers={"x-api-key": f"sk-{who}"})).status for who in ("alice", "bob")] == [200, 429]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("amount", "status"), [(100, 200), (0, 429)])
async def test_limits_bound_everybody(window: str, amount: int, status: int) -> None:
    assert (await ask(app(limits={f"requests_per_{window}": amount}))).status == status


async def open_together(number: int, headers: Mapping[str, str] | None = None, **config: Any) -> list[int]:
    """Ask so often at once, and let go of the answers when nothing moves any more."""
    gate = anyio.Event()
    made = app_of(Scripted([gate.wait, *say("Hello")]), config=config)
    body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}).encode()
    outcomes: list[Outcome] = []

    async def visit() -> None:
        outcomes.append(await call(made, scope_of(CHAT, headers=headers), [body]))

    async with lifespan(made), anyio.create_task_group() as tasks:
        for _ in range(number):
            tasks.start_soon(visit)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    return sorted(outcome.status for outcome in outcomes)


async def test_concurrent_bounds_open_answers() -> None:
    assert await open_together(3, limits={"concurrent": 2}) == [200, 200, 429]


async def test_concurrent_of_a_key_bounds_its_open_answers() -> None:
    assert await open_together(3, KEY, key=[alice(limits={"concurrent": 1})]) == [200, 429, 429]


@pytest.mark.parametrize(("size", "status"), [("1KB", 200), ("20B", 413)])
async def test_max_body_bounds_the_body(size: str, status: int) -> None:
    assert (await ask(app(server={"max_body": size}))).status == status
