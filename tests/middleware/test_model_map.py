import pytest
from starlette.types import Receive, Scope, Send

from gateway.config import load
from gateway.context import Principal, attach
from gateway.middleware import ModelMap, Protocol
from gateway.resolution import Resolver
from tests.middleware.asgi import Inner, Outcome, call, scope_of
from tests.scripted import Scripted

pytestmark = pytest.mark.anyio

CHAT = b'{"model": "%s", "messages": [{"role": "user", "content": "hi"}]}'


def resolver() -> Resolver:
    config = load({"models": {"unknown": "reject"}}, environ={}).config
    return Resolver(config, {"demo": Scripted([], models=["demo", "claude-sonnet-4-5"])})


async def ask(inner: Inner, model: str, principal: Principal | None = None) -> Outcome:
    app = Protocol(ModelMap(inner, resolve=resolver().resolve))

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        context, send = attach(scope, send)
        context.principal = principal or context.principal
        await app(scope, receive, send)

    return await call(outer, scope_of(), [CHAT % model.encode()])


async def test_the_targets_are_found() -> None:
    inner = Inner(reads=False)
    await ask(inner, "demo")
    assert [target.label for target in inner.context.targets] == ["demo/demo"]


async def test_the_suffixes_travel_with_the_targets() -> None:
    inner = Inner(reads=False)
    await ask(inner, "demo-search")
    assert [(target.label, target.variants) for target in inner.context.targets] == [("demo/demo", ("-search",))]


async def test_an_unknown_model_is_404_with_suggestions() -> None:
    outcome = await ask(Inner(reads=False), "claude-sonet-4-5")
    assert (outcome.status, outcome.json["error"]["code"]) == (404, "model_not_found")
    assert "did you mean claude-sonnet-4-5" in outcome.json["error"]["message"]


@pytest.mark.parametrize(("globs", "status"), [((), 200), (("demo",), 200), (("d*",), 200), (("claude-*",), 403)])
@pytest.mark.parametrize("model", ["demo", "models/demo"])
async def test_a_key_may_use_the_models_on_its_list(globs: tuple[str, ...], status: int, model: str) -> None:
    assert (await ask(Inner(reads=False), model, Principal(name="a", id="a", models=globs))).status == status
