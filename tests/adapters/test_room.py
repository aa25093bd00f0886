"""How much a refusal leaves for an answer, in the words of each server that says it."""

import pytest

from gateway.adapters.anthropic_errors import read_failure as read_anthropic
from gateway.adapters.openai_errors import read_failure as read_openai
from gateway.adapters.room import room_of
from gateway.adapters.v1internal_errors import read_failure as read_v1internal

CLASSIC = (
    "This model's maximum context length is 32768 tokens. However, you requested 37000 tokens (5000 in the messages, "
    "32000 in the completion). Please reduce the length of the messages or completion."
)
SGLANG = (
    "Requested token count exceeds the model's maximum context length of 32768 tokens. You requested a total of 37000 "
    "tokens: 5000 tokens from the input messages and 32000 tokens for the completion."
)
OPENROUTER = (
    "This endpoint's maximum context length is 32768 tokens. However, you requested about 37000 tokens (5000 of text "
    "input, 32000 in the output). Please reduce the length of either one."
)
VLLM = (
    "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 32768 tokens "
    "and your request has 5000 input tokens (32000 > 32768 - 5000)."
)
NEWER_VLLM = (
    "You passed 5000 input tokens and requested 32000 output tokens. However, the model's context length is only 32768 "
    "tokens, resulting in a maximum input length of 768 tokens. Please reduce the length of the input prompt."
)
TGI = (
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 32768. Given: 5000 `inputs` tokens and "
    "32000 `max_new_tokens`"
)
PADDED = VLLM.replace("is 32768", "is     32768")
OPENAI = (CLASSIC, SGLANG, OPENROUTER, VLLM, NEWER_VLLM, PADDED, TGI)
ANTHROPIC = "input length and `max_tokens` exceed context limit: 5000 + 32000 > 32768, decrease input length"


def body(said: str) -> bytes:
    return b'{"error":{"type":"invalid_request_error","code":null,"message":"%b"}}' % said.encode()


@pytest.mark.parametrize("said", [*OPENAI, ANTHROPIC])
def test_the_context_less_the_prompt_is_left(said: str) -> None:
    assert room_of(said) == 27768


@pytest.mark.parametrize("said", OPENAI)
def test_an_openai_compatible_server_says_it_under_400_and_422(said: str) -> None:
    assert [read_openai(status, body(said), {}, 0).cause for status in (400, 422)] == ["room", "room"]


@pytest.mark.parametrize("said", [ANTHROPIC, SGLANG])
def test_an_anthropic_compatible_server_says_it(said: str) -> None:
    assert read_anthropic(400, body(said), {}, 0).cause == "room"


def test_code_assist_says_it_of_claude() -> None:
    said = b'{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"%b"}}' % ANTHROPIC.encode()
    assert read_v1internal(400, said, {}, 0).cause == "room"


@pytest.mark.parametrize(
    "said",
    [
        CLASSIC.replace("5000", "32000"),  # a prompt that is too long
        CLASSIC.replace("5000", "40000"),
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "Please reduce the length of the messages or completion.",
        "",
    ],
)
def test_what_leaves_too_little_leaves_nothing(said: str) -> None:
    assert room_of(said) is None
