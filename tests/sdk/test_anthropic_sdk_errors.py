"""What goes wrong raises the class of the Anthropic SDK that its users catch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.packaging.fixtures import WHEEL
from tests.packaging.served import Google
from tests.processes import Program
from tests.sdk.conftest import Serve, claude_of

pytestmark = WHEEL

MODEL = "claude-sonnet-4-6"


@pytest.fixture
def hasty_claude(hasty: Program) -> Iterator[anthropic.Anthropic]:
    with claude_of(hasty) as client:
        yield client


def ask(client: anthropic.Anthropic, text: str, model: str = MODEL) -> Any:
    return client.messages.create(model=model, max_tokens=100, messages=[{"role": "user", "content": text}])


def streamed(client: anthropic.Anthropic, text: str, said: list[str]) -> None:
    with client.messages.stream(model=MODEL, max_tokens=100, messages=[{"role": "user", "content": text}]) as stream:
        for piece in stream.text_stream:
            said.append(piece)  # noqa: PERF402 - kept when the stream breaks


def test_bad_request_is_named_by_its_field(claude: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        claude.messages.create(model=MODEL, max_tokens=100, messages=[])
    assert caught.value.type == "invalid_request_error"
    assert (caught.value.api_message or "").startswith("messages:")
    assert caught.value.request_id


def test_bad_request_of_the_upstream_keeps_its_words(hasty_claude: anthropic.Anthropic, google: Google) -> None:
    with pytest.raises(anthropic.BadRequestError, match="JSON schema is invalid"):
        ask(hasty_claude, "!error 400_claude_schema_draft")
    assert len(google.generated) == 1


def test_threads_are_refused(claude: anthropic.Anthropic, google: Google) -> None:
    """Without the history that a thread stands for, the answer would be to something else."""
    with pytest.raises(anthropic.BadRequestError, match="thread"):
        claude.messages.create(
            model=MODEL,
            max_tokens=100,
            messages=[{"role": "user", "content": "hi"}],
            extra_body={"thread": {"type": "create"}},
        )
    assert not google.generated


def test_wrong_key(gateway: Program) -> None:
    with (
        claude_of(gateway, key="sk-of-nobody") as client,
        pytest.raises(anthropic.AuthenticationError) as caught,
    ):
        ask(client, "hi")
    assert caught.value.type == "authentication_error"


def test_model_that_the_upstream_has_not(claude: anthropic.Anthropic, google: Google) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        ask(claude, "hi", "claude-of-tomorrow")
    assert caught.value.type == "not_found_error"


def test_retrieving_a_model_that_is_not_listed(claude: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError):
        claude.models.retrieve("claude-of-tomorrow")


def test_short_rate_limit_says_when_to_come_back(serve: Serve) -> None:
    with (
        claude_of(serve("[retry]\nmax_wait = 0")) as client,
        pytest.raises(anthropic.RateLimitError) as caught,
    ):
        ask(client, "!error 429_rate_limit_short")
    assert 0 < int(caught.value.response.headers["retry-after"]) < 60
    assert caught.value.type == "rate_limit_error"


def test_long_rate_limit_is_not_retried_by_the_sdk(serve: Serve, google: Google) -> None:
    with claude_of(serve(""), retries=2) as client, pytest.raises(anthropic.RateLimitError) as caught:
        ask(client, "!error 429_quota_exhausted_hours")
    assert int(caught.value.response.headers["retry-after"]) > 3600
    assert caught.value.request.headers["x-stainless-retry-count"] == "0"
    assert sorted(call["credential"] for call in google.calls) == ["rt-1", "rt-2"]


def test_no_capacity(hasty_claude: anthropic.Anthropic, google: Google) -> None:
    with pytest.raises(anthropic.OverloadedError) as caught:
        ask(hasty_claude, "!error 503_no_capacity")
    assert (caught.value.status_code, caught.value.type) == (529, "overloaded_error")
    assert len(google.generated) == 1


def test_sdk_that_retries_gets_its_answer(hasty: Program, google: Google) -> None:
    with claude_of(hasty, retries=1) as client:
        message = ask(client, "!error 503_no_capacity 1\n!say now it works")
    assert message.content[0].text == "now it works"
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
def test_stream_that_breaks_raises(claude: anthropic.Anthropic, google: Google, directives: str, begun: str) -> None:
    said: list[str] = []
    with pytest.raises(anthropic.APIStatusError):
        streamed(claude, directives, said)
    assert "".join(said) == begun
    assert len(google.generated) == 1


async def test_stream_that_breaks_raises_in_an_event_loop(
    async_claude: anthropic.AsyncAnthropic, google: Google
) -> None:
    with pytest.raises(anthropic.APIStatusError, match="ended before it was complete"):
        async with async_claude.messages.stream(
            model=MODEL, max_tokens=100, messages=[{"role": "user", "content": "!fixture 26_cut_no_finish"}]
        ) as stream:
            await stream.until_done()


def test_stream_that_fails_at_once_has_its_status(hasty_claude: anthropic.Anthropic, google: Google) -> None:
    with pytest.raises(anthropic.OverloadedError):
        streamed(hasty_claude, "!error 503_no_capacity", [])


def test_whole_answer_that_breaks_is_an_error(hasty_claude: anthropic.Anthropic, google: Google) -> None:
    with pytest.raises(anthropic.InternalServerError) as caught:
        ask(hasty_claude, "!fixture 26_cut_no_finish")
    assert caught.value.type == "api_error"
