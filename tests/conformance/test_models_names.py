"""Names as people write them: served, listed, mapped, dated, misspelt, retired, and never changed on the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest

from tests.conformance.served import CHAT, CLAUDE, GEMINI_3, MESSAGES, Served, settings, standing, user
from tests.fakes.v1internal import FakeV1Internal

pytestmark = pytest.mark.anyio

PROMISED = [
    "claude-opus-4-5-thinking",
    "claude-sonnet-4-5",
    "claude-sonnet-4-5-thinking",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-2.5-flash-thinking",
    "gemini-3-flash",
    "gemini-3-pro-low",
    "gemini-3-pro-high",
    "gemini-3-pro-image",
]


async def asked(served: Served, model: str, path: str = CHAT, **fields: Any) -> str:
    """Ask, and give the name that the upstream received."""
    response = await served.post(path, "hi", model=model, **fields)
    assert response.status_code == 200, response.text
    name: str = served.fake.calls()[-1].body["model"]
    assert response.headers["x-gateway-upstream"] == f"google/{name}"
    assert response.json()["model"] == model
    return name


@pytest.mark.parametrize("model", PROMISED)
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_a_promised_model_is_served_under_its_own_name(lasting: Served, model: str, path: str) -> None:
    """S0-29 to S0-38, S0-45, S1-26, S2-27"""
    assert await asked(lasting, model, path) == model


async def test_the_promised_models_are_listed(lasting: Served) -> None:
    """S0-29 to S0-38, S1-64"""
    listed = [model["id"] for model in (await lasting.http.get("/v1/models")).json()["data"]]
    assert set(PROMISED) <= set(listed)
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    ("model", "upstream"),
    [
        ("gpt-4", "claude-sonnet-4-5"),
        ("gpt-4o-mini", "claude-sonnet-4-5"),
        ("gpt-4-0613", "claude-sonnet-4-5"),
        ("gpt-3.5-turbo", "gemini-2.5-flash"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("claude-opus-4-5-20251101", "claude-opus-4-5-thinking"),
        ("claude-opus-4-6", "claude-opus-4-6-thinking"),
        ("claude-opus-4-20250514", "claude-opus-4-5-thinking"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4-5"),
        ("claude-haiku-4-5-20251001", "gemini-2.5-flash"),
        ("claude-3-5-sonnet-20241022", "claude-sonnet-4-5"),
        ("claude-3-7-sonnet-latest", "claude-sonnet-4-5"),
        ("claude-3-opus-20240229", "claude-opus-4-5-thinking"),
        ("claude-3-5-haiku-20241022", "gemini-2.5-flash"),
        ("gemini-2.5-pro-20250617", "gemini-2.5-pro"),
        ("models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("google/gemini-2.5-flash", "gemini-2.5-flash"),
        ("gemimi-3.0-pro-image", "gemini-3-pro-image"),
    ],
)
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_a_name_leads_to_a_served_model(lasting: Served, model: str, upstream: str, path: str) -> None:
    """S0-39 to S0-41, S2-17, S4-36, C10, C26; the reply says the name that was asked for"""
    assert await asked(lasting, model, path) == upstream


async def test_an_operators_glob_goes_before_the_built_in_ones(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    alias = {"claude-*": "gemini-2.5-pro"}
    async with standing(fake_v1internal, settings(fake_v1internal, tmp_path, google={"alias": alias})) as served:
        for name in ("claude-opus-4-5", "claude-3-5-haiku", "claude-sonnet-4-20250514"):
            assert await asked(served, name) == "gemini-2.5-pro"


async def test_the_upstreams_own_404_is_the_callers(lasting: Served) -> None:
    """S4-70, H8: a name that nobody knows is passed on, and comes back as model_not_found"""
    response = await lasting.post(CHAT, "hi", model="gemini-2.5-flahs")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


async def test_another_upstream_takes_a_name_for_real(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    """C11: the globs of one upstream do not hold for what another one lists"""
    config = settings(fake_v1internal, tmp_path, google={"models": ["claude-sonnet-4-5"]})
    config["upstream"]["other"] = {**config["upstream"]["google"], "models": ["gpt-4o"]}
    fake_v1internal.models["gpt-4o"] = 1.0
    async with standing(fake_v1internal, config) as served:
        response = await served.post(CHAT, "hi", model="gpt-4o")
        assert response.headers["x-gateway-upstream"] == "other/gpt-4o"
        response = await served.post(CHAT, "hi", model="gpt-4")
        assert response.headers["x-gateway-upstream"] == "google/claude-sonnet-4-5"


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_where_unknown_names_are_rejected_others_are_suggested(
    fake_v1internal: FakeV1Internal, tmp_path: Path, path: str
) -> None:
    """C26, T7"""
    config = settings(fake_v1internal, tmp_path, models={"unknown": "reject"})
    async with standing(fake_v1internal, config) as served:
        response = await served.post(path, "hi", model="gemini-2.5-flahs")
    assert response.status_code == 404
    assert "did you mean gemini-2.5-flash" in response.json()["error"]["message"]
    assert fake_v1internal.calls() == []


async def test_the_list_of_models_is_the_operators(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    """S4-35, S4-37"""
    name = "gemini-2.5-pro-preview-05-06"
    fake_v1internal.models[name] = 1.0
    config = settings(fake_v1internal, tmp_path, google={"models": [name]}, models={"list_variants": False})
    async with standing(fake_v1internal, config) as served:
        listed = (await served.http.get("/v1/models")).json()["data"]
        assert [model["id"] for model in listed] == [name]
        assert await asked(served, name) == name


async def test_the_reply_says_the_upstreams_name_where_echo_wants_it(
    fake_v1internal: FakeV1Internal, tmp_path: Path
) -> None:
    """C10, S1-64"""
    config = settings(fake_v1internal, tmp_path, models={"echo": "upstream"})
    async with standing(fake_v1internal, config) as served:
        response = await served.post(CHAT, "hi", model="gemini-2.5-flash-search")
    assert response.json()["model"] == "gemini-2.5-flash"


async def test_a_retired_model_is_asked_for_by_its_new_name(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    """T7: even beside another upstream, where no unknown name is passed on"""
    del fake_v1internal.models["gemini-3-pro-high"]
    config = settings(fake_v1internal, tmp_path)
    config["upstream"]["demo"] = {"type": "demo"}
    async with standing(fake_v1internal, config) as served:
        await listed_without(served, "gemini-3-pro-high")
        response = await served.post(CHAT, "hi", model="gemini-3-pro-high")
        assert response.headers["x-gateway-upstream"] == "google/gemini-pro-agent"
        assert fake_v1internal.calls()[-1].body["model"] == "gemini-pro-agent"
        found = await served.http.get("/v1/models/gemini-3-pro-high")
        assert found.status_code == 200


async def listed_without(served: Served, name: str) -> None:
    """Wait for the upstream's own list, which does not have this model."""
    await served.fake.wait_for("fetchAvailableModels")
    for _ in range(200):
        if name not in served.gateway.adapters["google"].models():
            return
        await served.http.get("/health")
    raise AssertionError("the list did not come")


@pytest.mark.parametrize("other", [{}, {"model": None}, {"model": "something-else"}])
@pytest.mark.parametrize("deployment", ["gemini-3-flash", "gpt-4o", "google/gemini-3-flash", "gemini-2.5-flash-search"])
async def test_azures_path_names_the_model(lasting: Served, deployment: str, other: dict[str, Any]) -> None:
    path = f"/openai/deployments/{deployment}/chat/completions?api-version=2024-10-21"
    response = await lasting.http.post(path, json={"messages": [user("hi")], **other}, headers={"api-key": "k"})
    assert response.status_code == 200, response.text
    assert response.json()["model"] == deployment
    expected = {"gpt-4o": "claude-sonnet-4-5", "gemini-2.5-flash-search": "gemini-2.5-flash"}
    assert lasting.fake.calls()[-1].body["model"] == expected.get(deployment, GEMINI_3)


async def test_azures_client_streams(lasting: Served) -> None:
    client = openai.AsyncAzureOpenAI(api_key="k", api_version="2024-10-21", azure_endpoint=lasting.url, max_retries=0)
    async with client:
        stream = await client.chat.completions.create(
            model=CLAUDE, messages=[{"role": "user", "content": "Hello"}], stream=True
        )
        said = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    assert "".join(said) == "Hello"
    assert lasting.fake.calls()[-1].body["model"] == CLAUDE
