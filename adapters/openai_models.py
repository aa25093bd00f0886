"""The models of OpenAI and its like: what is known of them by name, a list that is shipped, and what a server lists.

OpenAI lists names only, and also those of models that neither answer nor embed nor draw; servers that are merely
compatible say how much a model takes, each in its own words.
"""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.dialects.outbound import MaxTokensField
from gateway.dialects.raw import require
from gateway.upstream import ModelInfo

__all__ = ["SHIPPED", "describe", "described", "limit_field", "read_list"]

# pattern: tokens in, tokens out, whether it thinks; the first one that fits
_FACTS: Final[tuple[tuple[str, tuple[int, int, bool]], ...]] = (
    ("gpt-5*-chat*", (128_000, 16_384, False)),
    ("gpt-5-pro*", (400_000, 272_000, True)),
    ("gpt-5*", (400_000, 128_000, True)),
    ("o[134]*", (200_000, 100_000, True)),
    ("gpt-4.1*", (1_047_576, 32_768, False)),
    ("gpt-4o*", (128_000, 16_384, False)),
    ("gpt-4-turbo*", (128_000, 4_096, False)),
    ("gpt-3.5-turbo*", (16_385, 4_096, False)),
)
_EMBEDDING: Final = "text-embedding-*"
_EMBED: Final = ("embedContent",)
_PAINTERS: Final = re.compile(r"(?:dall-e|gpt-image|chatgpt-image)-")
_DRAW: Final = ("predict",)
# what neither answers nor embeds nor draws
_OTHERS: Final = re.compile(
    r"^(?:sora|tts|whisper|babbage|davinci|omni-moderation|text-moderation)"
    r"|-(?:tts|transcribe|realtime|instruct)\b|^gpt-realtime"
)
_THINKERS: Final = re.compile(r"(?:^|/)(?:o\d|gpt-(?:[5-9]|\d\d))(?!\d)")


def limit_field(model: str, *, official: bool) -> MaxTokensField:
    """Say how Chat Completions calls the limit of an answer: newer models refuse the one, older servers the other."""
    return "max_completion_tokens" if official or _THINKERS.search(model.lower()) else "max_tokens"


def describe(name: str) -> ModelInfo:
    """Say what is known of a model by its name."""
    if fnmatchcase(name, _EMBEDDING):
        return ModelInfo(id=name, max_input=8191, methods=_EMBED)
    if _PAINTERS.match(name):
        return ModelInfo(id=name, methods=_DRAW)
    facts = next((facts for pattern, facts in _FACTS if fnmatchcase(name, pattern)), None)
    if facts is None:
        return ModelInfo(id=name)
    return ModelInfo(id=name, max_input=facts[0], max_output=facts[1], thinking=facts[2])


def described(info: ModelInfo) -> ModelInfo:
    """Fill in what a list leaves out of a model of OpenAI's own."""
    named = describe(info.id)
    return replace(
        info,
        max_input=info.max_input or named.max_input,
        max_output=info.max_output or named.max_output,
        thinking=named.thinking if info.thinking is None else info.thinking,
        methods=info.methods or named.methods,
    )


SHIPPED: Final[Mapping[str, ModelInfo]] = {
    name: describe(name)
    for name in (
        "gpt-5.1",
        "gpt-5",
        "gpt-5-mini",
        "gpt-5-nano",
        "gpt-4.1",
        "gpt-4.1-mini",
        "gpt-4.1-nano",
        "gpt-4o",
        "gpt-4o-mini",
        "o3",
        "o4-mini",
        "text-embedding-3-large",
        "text-embedding-3-small",
    )
}


class _Listed(Struct):
    id: str = ""
    name: str | None = None
    context_length: int | None = None
    context_window: int | None = None
    max_model_len: int | None = None
    max_completion_tokens: int | None = None
    owned_by: object = None


class _List(Struct):
    data: list[_Listed] | None = None


_LIST: Final = msgspec.json.Decoder(_List, strict=False)
_BARE: Final = msgspec.json.Decoder(list[_Listed], strict=False)


def read_list(body: bytes, *, official: bool) -> dict[str, ModelInfo]:
    """Read the list of a server; ValueError. Some give it without the object around it."""
    listed = require(body, _BARE) if body.lstrip()[:1] == b"[" else require(body, _LIST).data or []
    if official:
        return {one.id: describe(one.id) for one in listed if one.id and not _OTHERS.search(one.id)}
    return {info.id: info for one in listed if (info := _info(one)).id}


def _info(listed: _Listed) -> ModelInfo:
    # Google's own list has them so, and its chats refuse them so
    google = listed.owned_by == "google"
    return ModelInfo(
        id=listed.id.removeprefix("models/") if google else listed.id,
        display_name=listed.name,
        max_input=listed.context_length or listed.context_window or listed.max_model_len,
        max_output=listed.max_completion_tokens,
    )
