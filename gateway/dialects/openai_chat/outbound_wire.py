"""The wire structs of an upstream's answer: a chunk of a stream, or all of it, as lenient as servers differ.

What is of use but not needed stays `Raw`, so that a server that spells it otherwise loses that only.
"""

from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from gateway.dialects.raw import NULL, TEXT, read, require

__all__ = ["Call", "Choice", "Chunk", "Delta", "Function", "Usage", "arguments_of", "read_chunk"]


class Function(Struct):
    """A called function; some servers write its arguments as an object."""

    name: str | None = None
    arguments: Raw | UnsetType = UNSET


class Custom(Struct):
    """A called free-form tool."""

    name: str | None = None
    input: str | None = None


class Google(Struct):
    thought_signature: str | None = None


class Extra(Struct):
    google: Google | None = None


class Call(Struct):
    """A tool call, or what is new of it."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None
    custom: Custom | None = None
    extra_content: Extra | None = None


class Delta(Struct):
    """A message, or what is new of it."""

    content: str | list[Raw] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: Raw | UnsetType = UNSET
    reasoning_details: Raw | UnsetType = UNSET
    tool_calls: list[Call] | None = None
    function_call: Function | None = None
    images: Raw | UnsetType = UNSET
    annotations: Raw | UnsetType = UNSET


class Choice(Struct):
    """One of the answers; OpenRouter's has the `error` that ended it."""

    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    logprobs: Raw | UnsetType = UNSET
    finish_reason: str | None = None
    usage: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


class Chunk(Struct):
    """What an upstream says at once. The sources of an answer stand beside its usage: Perplexity's and xAI's."""

    id: object = None
    kind: object = field(default=None, name="object")
    model: object = None
    choices: list[Choice] | None = None
    usage: Raw | UnsetType = UNSET
    search_results: Raw | UnsetType = UNSET
    citations: Raw | UnsetType = UNSET
    service_tier: object = None
    error: Raw | UnsetType = UNSET
    outcome: Raw | UnsetType = field(default=UNSET, name="base_resp")  # MiniMax's


class PromptDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionDetails(Struct):
    reasoning_tokens: int | None = None


class Usage(Struct):
    """Tokens. The last three: DeepSeek's and Moonshot's words for cached ones, and reasoning beside the details."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


_CHUNK: Final = msgspec.json.Decoder(Chunk, strict=False)


def read_chunk(data: str | bytes) -> Chunk:
    """Read one chunk; raise ValueError."""
    return require(data, _CHUNK)


def arguments_of(raw: Raw | UnsetType) -> str:
    """Give arguments as JSON text, which some servers write without the quotes."""
    if raw is UNSET or raw == NULL:
        return ""
    text = read(raw, TEXT)
    return bytes(raw).decode() if text is None else text
