import pytest
from starlette.types import Receive, Scope, Send

from gateway.config import load
from gateway.context import Principal, attach
from gateway.middleware import ModelMap, Protocol
from gateway.resolution import Resolution, Resolver
from gateway.upstream import Target
from tests.middleware.asgi import Inner, Outcome, call, scope_of
from tests.scripted import Scripted

pytestmark = pytest.mark.anyio

CHAT = b'{"model": "%s", "messages": [{"role": "user", "content": "hi"}]}'


def resolver() -> Resolver:
    config = load({"models": {"unknown": "reject"}}, environ={}).config
    return Resolver(config, {"demo": Scripted([], models=["demo", "claude-sonnet-4-5"])})


async def ask(inner: Inner, model: str, principal: Principal | None = None, rules: Resolver | None = None) -> Outcome:
    app = Protocol(ModelMap(inner, resolve=(rules or resolver()).resolve))

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


@pytest.mark.parametrize(
    ("principal", "suggested"),
    [
        (Principal(name="a", id="a"), "; did you mean gpt-4o, gpt-4.1?"),
        (Principal(name="a", id="a", models=("gpt-4.1*", "gpt-4")), "; did you mean gpt-4.1?"),
        (Principal(name="a", id="a", models=("gpt-4",)), "; GET /v1/models lists the models"),
        (Principal(name="a", id="a", upstreams=("two",)), "; did you mean gpt-4.1?"),
    ],
)
async def test_only_what_the_key_may_use_is_suggested(principal: Principal, suggested: str) -> None:
    upstream = {name: {"type": "demo"} for name in ("one", "two")}
    config = load({"upstream": upstream, "models": {"unknown": "reject"}}, environ={}).config
    served = {name: Scripted([], name=name, models=[model]) for name, model in (("one", "gpt-4o"), ("two", "gpt-4.1"))}
    outcome = await ask(Inner(reads=False), "gpt-4", principal, Resolver(config, served))
    error = outcome.json["error"]
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert error["message"].endswith(suggested)


@pytest.mark.parametrize(
    ("globs", "status"),
    [((), 200), (("demo",), 200), (("d*",), 200), (("models/d*",), 200), (("claude-*",), 403)],
)
@pytest.mark.parametrize("model", ["demo", "models/demo"])
async def test_a_key_may_use_the_models_on_its_list(globs: tuple[str, ...], status: int, model: str) -> None:
    assert (await ask(Inner(reads=False), model, Principal(name="a", id="a", models=globs))).status == status


async def test_a_model_that_is_not_on_the_list_of_the_key_is_the_field_that_is_wrong() -> None:
    outcome = await ask(Inner(reads=False), "models/demo", Principal(name="a", id="a", models=("claude-*",)))
    error = outcome.json["error"]
    assert (error["param"], error["message"]) == ("model", "this API key may not use the model 'demo'")


@pytest.mark.parametrize(
    ("upstreams", "labels"),
    [((), ["one/m", "two/m"]), (("two",), ["two/m"]), (("two", "one"), ["one/m", "two/m"]), (("three",), None)],
)
async def test_targets_of_other_upstreams_are_left_out(upstreams: tuple[str, ...], labels: list[str] | None) -> None:
    inner = Inner(reads=False)
    outcome = await ask_for(inner, "best", upstreams)
    if labels is None:
        assert outcome.status == 403
        assert "may not use upstream 'one', 'two', which serves the model 'best'" in outcome.json["error"]["message"]
    else:
        assert [target.label for target in inner.context.targets] == labels


async def test_a_draw_is_among_the_upstreams_of_the_key() -> None:
    inner = Inner(reads=False)
    for _ in range(20):
        await ask_for(inner, "any", ("two",))
        assert [target.label for target in inner.context.targets] == ["two/m"]


async def test_a_middleware_of_ones_own_may_know_nothing_of_upstreams() -> None:
    inner = Inner(reads=False)

    def resolve(name: str) -> Resolution:
        return Resolution((Target(Scripted([]), name),), ())

    assert (await call(Protocol(ModelMap(inner, resolve=resolve)), scope_of(), [CHAT % b"x"])).status == 200


async def ask_for(inner: Inner, model: str, upstreams: tuple[str, ...]) -> Outcome:
    upstream = {name: {"type": "demo"} for name in ("one", "two")}
    alias = {"best": ["one/m", "two/m"], "any": {"one/m": 99, "two/m": 1}}
    config = load({"upstream": upstream, "models": {"alias": alias}}, environ={}).config
    rules = Resolver(config, {name: Scripted([], name=name, models=[]) for name in upstream})
    app = Protocol(ModelMap(inner, resolve=rules.resolve))

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        context, send = attach(scope, send)
        context.principal = Principal(name="a", id="a", upstreams=upstreams)
        await app(scope, receive, send)

    return await call(outer, scope_of(), [CHAT % model.encode()])
