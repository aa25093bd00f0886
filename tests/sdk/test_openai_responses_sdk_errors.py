"""What goes wrong in `client.responses` raises the class of the OpenAI SDK that its users catch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from tests.packaging.fixtures import WHEEL
from tests.packaging.served import Google
from tests.processes import Program
from tests.sdk.conftest import Serve, chat_of

pytestmark = WHEEL

MODEL = "gemini-3-flash"
BROKEN = pytest.mark.parametrize(
    ("directives", "begun"),
    [
        ("!fixture 24_error_midstream", "Part one and part"),
        ("!fixture 26_cut_no_finish", "The first half of the sentence and then"),
        ("!say 12345678 more of it\n!cut 1", "12345678"),
        ("!say 12345678 more of it\n!fin 1", "12345678"),
        ("!say 12345678 more of it\n!drop 1", "12345678"),
    ],
)


@pytest.fixture
def hasty_client(hasty: Program, google: Google) -> Iterator[openai.OpenAI]:
    with chat_of(hasty) as client:
        yield client


def ask(client: openai.OpenAI, text: str, model: str = MODEL, **fields: Any) -> Any:
    return client.responses.create(model=model, input=text, **fields)


@pytest.mark.parametrize("stream", [True, False])
def test_response_to_go_on_from_that_is_not_there(chat: openai.OpenAI, google: Google, stream: bool) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(chat, "hi", previous_response_id="resp_of_nobody", stream=stream)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")
    assert caught.value.request_id
    assert not google.generated


def test_response_to_go_on_from_that_was_deleted(chat: openai.OpenAI, google: Google) -> None:
    made = ask(chat, "!say hi")
    chat.responses.delete(made.id)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(chat, "hi", previous_response_id=made.id)
    assert caught.value.code == "previous_response_not_found"


@pytest.mark.parametrize("act", ["retrieve", "delete", "items"])
def test_response_that_is_not_there(chat: openai.OpenAI, act: str) -> None:
    acts: dict[str, Callable[[str], Any]] = {
        "retrieve": chat.responses.retrieve,
        "delete": chat.responses.delete,
        "items": chat.responses.input_items.list,
    }
    with pytest.raises(openai.NotFoundError) as caught:
        acts[act]("resp_of_nobody")
    assert caught.value.code == "not_found"


def test_bad_request_is_named_by_its_parameter(chat: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        chat.responses.create(model=MODEL, input=[])
    assert caught.value.param == "input"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"tools": [{"type": "mcp", "server_label": "a", "server_url": "https://a.example"}]}, "tools[0].type"),
        ({"temperature": 3}, "temperature"),
    ],
)
def test_what_is_not_done_here_is_named(chat: openai.OpenAI, google: Google, fields: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(chat, "hi", **fields)
    assert caught.value.param == param
    assert not google.generated


@pytest.mark.parametrize("stream", [True, False])
def test_bad_request_of_the_upstream_keeps_its_words(hasty_client: openai.OpenAI, google: Google, stream: bool) -> None:
    with pytest.raises(openai.BadRequestError, match='Unknown name "deprecated"'):
        ask(hasty_client, "!error 400_invalid_argument_schema", stream=stream)
    assert len(google.generated) == 1


def test_wrong_key(gateway: Program) -> None:
    with chat_of(gateway, key="sk-of-nobody") as client, pytest.raises(openai.AuthenticationError) as caught:
        ask(client, "hi")
    assert caught.value.code == "invalid_api_key"


def test_model_that_the_upstream_has_not(chat: openai.OpenAI, google: Google) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        ask(chat, "hi", "gemini-9-of-tomorrow")
    assert caught.value.code == "model_not_found"


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


@pytest.mark.parametrize("stream", [True, False])
def test_no_capacity(hasty_client: openai.OpenAI, google: Google, stream: bool) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        ask(hasty_client, "!error 503_no_capacity", stream=stream)
    assert (caught.value.status_code, caught.value.code) == (503, "overloaded")
    assert len(google.generated) == 1


def test_sdk_that_retries_gets_its_answer(hasty: Program, google: Google) -> None:
    with chat_of(hasty, retries=1) as client:
        answer = ask(client, "!error 503_no_capacity 1\n!say now it works")
    assert answer.output_text == "now it works"
    assert len(google.generated) == 2


@BROKEN
def test_stream_that_breaks_ends_as_failed(chat: openai.OpenAI, google: Google, directives: str, begun: str) -> None:
    with ask(chat, directives, stream=True) as stream:
        events = list(stream)
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == begun
    last = events[-1]
    assert (last.type, last.response.status, last.response.error.code) == ("response.failed", "failed", "server_error")
    assert last.response.output_text == begun
    assert len(google.generated) == 1


@BROKEN
def test_helper_raises_when_the_stream_breaks(chat: openai.OpenAI, google: Google, directives: str, begun: str) -> None:
    heard = ""
    with chat.responses.stream(model=MODEL, input=directives) as stream:
        heard = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        with pytest.raises(RuntimeError, match="response.completed"):
            stream.get_final_response()
    assert heard == begun


def test_response_that_failed_is_not_kept(chat: openai.OpenAI, google: Google) -> None:
    with ask(chat, "!fixture 26_cut_no_finish", stream=True) as stream:
        *_, last = stream
    with pytest.raises(openai.NotFoundError):
        chat.responses.retrieve(last.response.id)


def test_whole_answer_that_breaks_is_an_error(hasty_client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        ask(hasty_client, "!fixture 26_cut_no_finish")
    assert caught.value.code == "upstream_truncated"
