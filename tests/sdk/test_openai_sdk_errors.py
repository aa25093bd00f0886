"""What goes wrong raises the class of the OpenAI SDK that its users catch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.packaging.fixtures import WHEEL
from tests.packaging.served import Google
from tests.processes import Program
from tests.sdk.conftest import Serve, chat_of

pytestmark = WHEEL

MODEL = "gemini-3-flash"
REJECTING = '[models]\nunknown = "reject"'


@pytest.fixture
def hasty_chat(hasty: Program) -> Iterator[openai.OpenAI]:
    with chat_of(hasty) as client:
        yield client


def ask(client: openai.OpenAI, text: str, model: str = MODEL) -> Any:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])


def streamed(client: openai.OpenAI, text: str, said: list[str]) -> None:
    with client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": text}], stream=True
    ) as stream:
        for chunk in stream:
            said.append(chunk.choices[0].delta.content or "")  # noqa: PERF401 - kept when the stream breaks


def test_bad_request_is_named_by_its_parameter(chat: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        chat.chat.completions.create(model=MODEL, messages=[])
    assert caught.value.param == "messages"
    assert caught.value.request_id


def test_bad_request_of_the_upstream_keeps_its_words(hasty_chat: openai.OpenAI, google: Google) -> None:
    with pytest.raises(openai.BadRequestError, match='Unknown name "deprecated"'):
        ask(hasty_chat, "!error 400_invalid_argument_schema")
    assert len(google.generated) == 1


def test_wrong_key(gateway: Program) -> None:
    with chat_of(gateway, key="sk-of-nobody") as client, pytest.raises(openai.AuthenticationError) as caught:
        client.models.list()
    assert caught.value.code == "invalid_api_key"


def test_model_that_the_upstream_has_not(chat: openai.OpenAI, google: Google) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        ask(chat, "hi", "gemini-9-of-tomorrow")
    assert caught.value.code == "model_not_found"


def test_model_that_the_configuration_rejects(serve: Serve, google: Google) -> None:
    with chat_of(serve(REJECTING)) as client, pytest.raises(openai.NotFoundError) as caught:
        ask(client, "hi", "gemini-3-flasj")
    assert caught.value.code == "model_not_found"
    assert MODEL in caught.value.message
    assert not google.generated


def test_retrieving_a_model_that_is_not_listed(chat: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        chat.models.retrieve("gemini-9-of-tomorrow")


def test_short_rate_limit_says_when_to_come_back(serve: Serve) -> None:
    with chat_of(serve("[retry]\nmax_wait = 0")) as client, pytest.raises(openai.RateLimitError) as caught:
        ask(client, "!error 429_rate_limit_short")
    assert 0 < int(caught.value.response.headers["retry-after"]) < 60
    assert caught.value.code == "rate_limit_exceeded"


def test_long_rate_limit_is_not_retried_by_the_sdk(serve: Serve, google: Google) -> None:
    with chat_of(serve(""), retries=2) as client, pytest.raises(openai.RateLimitError) as caught:
        ask(client, "!error 429_quota_exhausted_hours")
    assert int(caught.value.response.headers["retry-after"]) > 3600
    assert caught.value.request.headers["x-stainless-retry-count"] == "0"
    assert sorted(call["credential"] for call in google.calls) == ["rt-1", "rt-2"]


def test_no_capacity(hasty_chat: openai.OpenAI, google: Google) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        ask(hasty_chat, "!error 503_no_capacity")
    assert (caught.value.status_code, caught.value.code) == (503, "overloaded")
    assert len(google.generated) == 1


def test_sdk_that_retries_gets_its_answer(hasty: Program, google: Google) -> None:
    with chat_of(hasty, retries=1) as client:
        answer = ask(client, "!error 503_no_capacity 1\n!say now it works")
    assert answer.choices[0].message.content == "now it works"
    assert len(google.generated) == 2


@pytest.mark.parametrize(
    ("directives", "begun"),
    [
        ("!fixture 24_error_midstream", "Part one and part"),
        ("!fixture 26_cut_no_finish", "The first half of the sentence and then"),
        ("!fixture 27_cut_mid_json", "Complete chunk. "),
        ("!say 12345678 more of it\n!cut 1", "12345678"),
        ("!say 12345678 more of it\n!fin 1", "12345678"),
        ("!say 12345678 more of it\n!drop 1", "12345678"),
    ],
)
def test_stream_that_breaks_raises(chat: openai.OpenAI, google: Google, directives: str, begun: str) -> None:
    said: list[str] = []
    with pytest.raises(openai.APIError):
        streamed(chat, directives, said)
    assert "".join(said) == begun
    assert len(google.generated) == 1


async def test_stream_that_breaks_raises_in_an_event_loop(async_chat: openai.AsyncOpenAI, google: Google) -> None:
    with pytest.raises(openai.APIError, match="ended before it was complete"):
        async with async_chat.chat.completions.stream(
            model=MODEL, messages=[{"role": "user", "content": "!fixture 26_cut_no_finish"}]
        ) as stream:
            await stream.until_done()


def test_stream_that_fails_at_once_has_its_status(hasty_chat: openai.OpenAI, google: Google) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        streamed(hasty_chat, "!error 503_no_capacity", [])
    assert caught.value.status_code == 503


def test_whole_answer_that_breaks_is_an_error(hasty_chat: openai.OpenAI, google: Google) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        ask(hasty_chat, "!fixture 26_cut_no_finish")
    assert caught.value.code == "upstream_truncated"
