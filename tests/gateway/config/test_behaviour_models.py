"""[models], [thinking], [defaults] and [pipeline] change where a request goes and what it says."""

from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from gateway import ir
from gateway.app import create_app, lifespan
from tests.gateway.config.asking import MESSAGES, ask
from tests.middleware.asgi import Outcome, call, scope_of
from tests.scripted import Scripted, app_of, say

pytestmark = pytest.mark.anyio

GOOGLE = {"google": {"type": "v1internal"}}


def two(**models: Any) -> Starlette:
    """Make an app over the upstreams `a`, which lists a-1, and `b`, which lists b-1."""
    upstreams = [Scripted(say("Hello"), name=name, models=[f"{name}-1"]) for name in ("a", "b")]
    return app_of(*upstreams, config={"models": models})


def came_from(outcome: Outcome) -> str | int:
    return outcome.headers.get("x-gateway-upstream", outcome.status)


async def asked(model: str = "claude-x", path: str = MESSAGES, **config: Any) -> ir.Request:
    """Give the request as the upstream of type v1internal got it."""
    upstream = Scripted(say("Hello"), name="google", models=["claude-x", "gemini-y"])
    outcome = await ask(app_of(upstream, config={"upstream": GOOGLE, **config}), path, model=model)
    assert outcome.status == 200
    return upstream.calls[0].request


@pytest.mark.parametrize(("models", "expected"), [({}, 404), ({"default_upstream": "b"}, "b/new")])
async def test_the_default_upstream_takes_unknown_names(models: Any, expected: str | int) -> None:
    assert came_from(await ask(two(**models), model="new")) == expected


@pytest.mark.parametrize(("unknown", "expected"), [("pass", "b/new"), ("reject", 404)])
async def test_unknown_names_can_be_rejected(unknown: str, expected: str | int) -> None:
    assert came_from(await ask(two(default_upstream="b", unknown=unknown), model="new")) == expected


@pytest.mark.parametrize(("echo", "expected"), [("requested", "mine"), ("upstream", "b-1")])
async def test_echo_says_which_name_the_reply_has(echo: str, expected: str) -> None:
    outcome = await ask(two(echo=echo, alias={"mine": "b-1"}), model="mine")
    assert outcome.json["model"] == expected


async def test_an_alias_leads_elsewhere() -> None:
    assert came_from(await ask(two(), model="a-1")) == "a/a-1"
    assert came_from(await ask(two(alias={"a-*": "b-1"}), model="a-1")) == "b/b-1"


async def test_a_family_word_leads_to_its_model() -> None:
    assert came_from(await ask(two(family={"haiku": "b-1"}), model="some-haiku")) == "b/b-1"


@pytest.mark.parametrize(("list_variants", "listed"), [(True, ["claude-x", "claude-x-search"]), (False, ["claude-x"])])
async def test_list_variants_says_whether_they_are_listed(list_variants: bool, listed: list[str]) -> None:
    upstream = Scripted(say("Hello"), name="google", models=["claude-x"])
    made = app_of(upstream, config={"upstream": GOOGLE, "models": {"list_variants": list_variants}})
    async with lifespan(made):
        outcome = await call(made, scope_of("/v1/models", method="GET"), [])
    assert [model["id"] for model in outcome.json["data"]] == listed


@pytest.mark.parametrize(("tools", "builtin"), [(["google_search"], ["web_search"]), ([], [])])
async def test_a_variant_says_which_tools_its_suffix_adds(tools: list[str], builtin: list[str]) -> None:
    request = await asked("claude-x-more", models={"variant": {"-more": {"tools": tools}}})
    assert (request.model, [tool.builtin for tool in request.tools]) == ("claude-x", builtin)


@pytest.mark.parametrize(("thinking", "mode"), [("off", "off"), ("max", "level")])
async def test_a_variant_says_how_much_its_suffix_lets_think(thinking: str, mode: str) -> None:
    request = await asked("claude-x-more", models={"variant": {"-more": {"thinking": thinking}}})
    assert (request.model, request.reasoning.mode) == ("claude-x", mode)


@pytest.mark.parametrize(("only", "model"), [("", "claude-x"), ("claude-*", "claude-x"), ("gemini-*", "claude-x-more")])
async def test_only_says_which_models_have_the_variant(only: str, model: str) -> None:
    variant = {"-more": {"only": only, "thinking": "off"}}
    assert (await asked("claude-x-more", models={"variant": variant})).model == model


async def test_an_upstreams_alias_takes_unlisted_names() -> None:
    upstreams = {"google": {"type": "v1internal", "alias": {"gpt-*": "claude-x"}}, "b": {"type": "demo"}}
    adapters = [Scripted(say("Hello"), name="google", models=["claude-x"]), Scripted(say("Hello"), name="b")]
    made = app_of(*adapters, config={"upstream": upstreams})
    assert came_from(await ask(made, model="gpt-9")) == "google/claude-x"


async def test_an_upstream_of_type_demo_has_aliases_too(tmp_path: Path) -> None:
    upstreams = {"demo": {"alias": {"gpt-*": "demo"}}, "b": {"type": "openai", "models": ["b-1"], "api_key": "sk-b"}}
    server = {"data_dir": str(tmp_path)}
    app = create_app({"upstream": upstreams, "models": {"unknown": "reject"}, "server": server})
    assert [came_from(await ask(app, model=name)) for name in ("gpt-9", "else")] == ["demo/demo", 404]


@pytest.mark.parametrize(("include", "visible"), [(True, True), (False, False)])
async def test_the_thinking_table_says_whether_thoughts_are_included(include: bool, visible: bool) -> None:
    rule = {"claude-*": {"include": include, "budget": 2048}}
    reasoning = (await asked(path="/v1/chat/completions", thinking=rule)).reasoning
    assert (reasoning.include, reasoning.visible) == (include, visible)


@pytest.mark.parametrize("budget", [2048, 0, -1])
async def test_the_thinking_table_gives_the_budget(budget: int) -> None:
    rules = {"gemini-*": {"budget": 5}, "claude-*": {"budget": budget}}
    assert (await asked(thinking=rules)).reasoning.budget == budget


@pytest.mark.parametrize(("name", "value"), [("temperature", 0.5), ("top_p", 0.25), ("top_k", 7), ("max_tokens", 321)])
async def test_defaults_fill_in_what_the_client_left_out(name: str, value: float) -> None:
    assert getattr((await asked()).sampling, name) != value
    assert getattr((await asked(defaults={name: value})).sampling, name) == value


@pytest.mark.parametrize(("stream", "form"), [(False, "application/json"), (True, "text/event-stream; charset=utf-8")])
async def test_chat_streams_by_default_where_defaults_stream_says_so(stream: bool, form: str) -> None:
    made = app_of(Scripted(say("Hello")), config={"defaults": {"stream": stream}})
    assert (await ask(made)).headers["content-type"] == form


async def test_the_order_says_which_middlewares_there_are() -> None:
    order = ["auth", "protocol", "model_map"]
    with_ids = app_of(Scripted(say("Hello")), config={"pipeline": {"order": ["request_id", *order]}})
    without = app_of(Scripted(say("Hello")), config={"pipeline": {"order": order}})
    assert "x-request-id" in (await ask(with_ids)).headers
    assert "x-request-id" not in (await ask(without)).headers
