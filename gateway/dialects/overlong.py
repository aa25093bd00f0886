"""How upstreams say that a prompt is too long: callers that know it shorten the conversation and go on."""

from typing import Final

__all__ = ["is_overlong"]

_UNQUOTED: Final = str.maketrans("", "", "`'\"")
_WORDS: Final = (
    "context length",  # OpenAI, vLLM, DeepSeek, OpenRouter, Mistral, LM Studio, Ollama, SGLang
    "context window",  # OpenAI's Responses, MiniMax
    "context size",  # llama.cpp
    "cannot truncate prompt with n_keep",  # LM Studio
    "exceed context limit",  # Anthropic
    "prompt is too long",  # Anthropic, Fireworks
    "input is too long for requested model",  # Bedrock
    "input token count",  # Google
    "exceeds the maximum number of tokens",  # Google
    "maximum prompt length",  # xAI
    "maximum model length",  # vLLM
    "exceeds the maximum allowed length",  # SGLang
    "exceeded model token limit",  # Moonshot
    "prompt exceeds max length",  # Zhipu
    "range of input length should be",  # Qwen
    "prompt token count of",  # GitHub's models
    "reduce the length of the messages",  # Groq, Cerebras
    "tokens exceed the configured limit",  # OpenAI
    "maximum context limit",
    "exceeds model max length",  # OpenVINO
    "number of tokens in the prompt cannot exceed",  # Cohere
    "request body too large for",  # GitHub's models
    "model input length limit",  # MLC
    "is too long >",  # LightLLM
    "inputs tokens + max_new_tokens",  # TGI, Together
    "inputs must have less than",  # TGI
)


def is_overlong(said: str) -> bool:
    """Tell whether the words of a refused request say so."""
    words = said.lower().translate(_UNQUOTED)
    return any(one in words for one in _WORDS)
