"""A prompt that is too long, as servers say it; whichever API they speak."""

import json

import pytest

from gateway.dialects.anthropic.outbound_errors import read_error as read_anthropic
from gateway.dialects.gemini.errors import read_error as read_google
from gateway.dialects.openai_chat.outbound_errors import read_error as read_openai
from gateway.errors import ContextTooLong, UpstreamRejected

SAID = {
    "Anthropic": "prompt is too long: 210000 tokens > 200000 maximum",
    "Anthropic, with the answer": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
    "OpenAI": "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
    "OpenAI's Responses": "Your input exceeds the context window of this model. Please adjust it.",
    "Google": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "xAI": "This model's maximum prompt length is 131072 but the request contains 160000 tokens.",
    "Groq": "Please reduce the length of the messages or completion.",
    "Mistral": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    "Moonshot": "Invalid request: Your request exceeded model token limit: 131072",
    "MiniMax": "invalid params, context window exceeds limit",
    "Zhipu": "Prompt exceeds max length",
    "Qwen": "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]",
    "Bedrock": "Input is too long for requested model.",
    "GitHub": "prompt token count of 138001 exceeds the limit of 128000",
    "llama.cpp": "request (24071 tokens) exceeds the available context size (8192 tokens), try increasing it",
    "LM Studio": "The number of tokens to keep from the initial prompt is greater than the context length.",
    "Ollama": "prompt too long; exceeded max context length by 4 tokens",
    "OpenAI's newer models": "Input tokens exceed the configured limit of 272000 tokens. Your messages have 300000.",
    "OpenVINO": "Number of prompt tokens: 5000 exceeds model max length: 4096",
    "MLC": "Request prompt has 5000 tokens in total, larger than the model input length limit 4096.",
    "LightLLM": "the input prompt token len 5000 is too long > 4096",
    "SGLang": "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
    "SGLang's scheduler": "Input length (9000 tokens) exceeds the maximum allowed length (8186 tokens).",
    "vLLM": "The decoder prompt (length 9000) is longer than the maximum model length of 8192.",
    "TGI": "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000",
    "TGI, with the answer": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000",
}
READERS = {"openai": read_openai, "anthropic": read_anthropic, "google": read_google}


def error(reader: str, said: str) -> bytes:
    given: dict[str, object] = {"message": said}
    if reader == "google":
        given |= {"code": 400, "status": "INVALID_ARGUMENT"}
    else:
        given |= {"type": "invalid_request_error"}
    return json.dumps({"type": "error", "error": given} if reader == "anthropic" else {"error": given}).encode()


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("server", SAID)
def test_it_is_understood(server: str, reader: str) -> None:
    found = READERS[reader](400, error(reader, SAID[server]), {})
    assert (type(found), found.message) == (ContextTooLong, SAID[server])


@pytest.mark.parametrize("status", [400, 412, 413, 417, 422])
def test_openai_compatible_servers_say_it_under_these(status: int) -> None:
    """412 is OpenVINO's, 417 LightLLM's, 422 TGI's."""
    assert type(read_openai(status, error("openai", SAID["OpenVINO"]), {})) is ContextTooLong


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "said",
    ["string too long. Expected a string with maximum length 64", "messages.0: no", "max_tokens: 9 > 8, the maximum"],
)
def test_other_words_are_about_something_else(said: str, reader: str) -> None:
    assert type(READERS[reader](400, error(reader, said), {})) is UpstreamRejected
