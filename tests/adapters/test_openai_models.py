"""The models of OpenAI and its like."""

import json
from typing import get_args

import pytest
from openai.types.shared import ChatModel

from gateway.adapters.openai_models import SHIPPED, read_list
from tests.adapters.site import OpenAISite

pytestmark = pytest.mark.anyio


def listed(*models: object) -> bytes:
    return json.dumps({"object": "list", "data": models}).encode()


async def test_the_list_is_fetched_with_a_key_and_kept_over_a_restart(openai: OpenAISite) -> None:
    adapter = await openai.open(models=[])
    assert await adapter.listed() == ""
    assert list(adapter.models()) == openai.fake.models
    assert openai.fake.calls("models.list")[0].headers["authorization"] == "Bearer key-1"
    openai.fake.models = []
    openai.fail("500", method="models.list")
    adapter = await openai.open(models=[])
    assert "gpt-4.1" in adapter.models()


async def test_configured_models_are_not_asked_for(openai: OpenAISite) -> None:
    adapter = await openai.open(models=["mine"])
    assert list(adapter.models()) == ["mine"]
    assert openai.fake.requests == []


async def test_a_list_that_is_refused_says_why(openai: OpenAISite) -> None:
    adapter = await openai.open("nobody", models=[])
    assert "Incorrect API key" in await adapter.listed()
    assert adapter.state() == "no credential: 1 disabled: the API key was rejected"


async def test_a_key_that_may_not_list_models_may_still_answer(openai: OpenAISite) -> None:
    openai.fail("401_scopes", method="models.list")
    adapter = await openai.open(models=[])
    assert "Missing scopes" in await adapter.listed()
    assert adapter.state() == "usable: 1 of 1 credentials"
    (key,) = adapter.views()
    openai.fail("401_scopes", method="models.list")
    assert (await adapter.check(key.id)).state == "active"
    assert await openai.ask() == "hi"


async def test_only_openai_itself_has_a_list_that_is_shipped(openai: OpenAISite) -> None:
    assert adapter_models(openai, base_url="") == list(SHIPPED)
    assert adapter_models(openai, base_url="http://127.0.0.1:9/v1") == []


def adapter_models(openai: OpenAISite, base_url: str) -> list[str]:
    return list(openai.made("key-1", models=[], base_url=base_url).models())


def test_openai_lists_names_of_which_more_is_known() -> None:
    found = read_list(listed({"id": "gpt-4.1"}, {"id": "o4-mini"}, {"id": "gpt-9"}), official=True)
    assert [(one.max_output, one.thinking) for one in found.values()] == [
        (32_768, False),
        (100_000, True),
        (None, None),
    ]


def test_what_embeds_and_what_draws_says_so_and_what_does_nothing_of_it_is_left_out() -> None:
    names = ("text-embedding-3-small", "whisper-1", "tts-1-hd", "dall-e-3", "gpt-image-1", "gpt-realtime", "gpt-4o")
    found = read_list(listed(*({"id": name} for name in names)), official=True)
    assert {name: one.methods for name, one in found.items()} == {
        "text-embedding-3-small": ("embedContent",),
        "dall-e-3": ("predict",),
        "gpt-image-1": ("predict",),
        "gpt-4o": (),
    }


def test_all_that_the_sdk_knows_as_chat_models_are_listed() -> None:
    """gpt-audio answers in words and in sound, by Chat Completions."""
    names = [*get_args(ChatModel), "gpt-audio", "gpt-audio-1.5"]
    assert [*read_list(listed(*({"id": name} for name in names)), official=True)] == names


@pytest.mark.parametrize("field", ["context_length", "context_window", "max_model_len"])
def test_other_servers_say_in_their_own_words_how_much_a_model_takes(field: str) -> None:
    found = read_list(listed({"id": "org/x", field: 8192, "max_completion_tokens": 1024}), official=False)
    assert (found["org/x"].max_input, found["org/x"].max_output) == (8192, 1024)


def test_google_lists_its_models_by_names_that_it_refuses() -> None:
    """EKKOLearnAI/hermes-studio#1510, OpenCoworkAI/open-codesign#186; a folder of vLLM's or llama.cpp's stays."""
    google = {"id": "models/gemini-3.8-flash", "object": "model", "owned_by": "google"}
    found = read_list(listed(google, {"id": "models/mine", "owned_by": "vllm"}, {"id": "x"}), official=False)
    assert {name: info.id for name, info in found.items()} == {
        "gemini-3.8-flash": "gemini-3.8-flash",
        "models/mine": "models/mine",
        "x": "x",
    }


def test_some_servers_leave_out_the_object_around_the_list() -> None:
    assert list(read_list(b'[{"id": "x"}]', official=False)) == ["x"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"data": 1}', b"[" * 50_000])
def test_a_list_that_cannot_be_read_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        read_list(body, official=False)
