"""A Chat Completions body → the neutral request."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, structs

from gateway import ir
from gateway.dialects.content import limit_depth
from gateway.dialects.gemini.safety import SAFETY
from gateway.dialects.known import decode_open, read_outline, understood
from gateway.dialects.marks import marks_of
from gateway.dialects.place import Place
from gateway.dialects.raw import raws_in
from gateway.errors import InvalidRequest

from . import wire
from .messages import read_messages
from .options import googled, read_output, read_reasoning, read_sampling
from .tools import read_choice, read_tools

__all__ = ["read_request", "read_unread"]

_SHOWN: Final = frozenset({"text", "image"})
_MODALITIES: Final = "modalities"
# Known, and carried to servers of this dialect only, or to Google's
_OTHERS: Final = (
    "logit_bias",
    "metadata",
    "moderation",
    "prediction",
    "prompt_cache_options",
    "prompt_cache_retention",
    SAFETY,
    "service_tier",
    "store",
    "verbosity",
)
# The fields of a few readers: where a body has none of them, there is nothing to read.
_foreign: Final = attrgetter(
    "top_logprobs", "safety_identifier", "stream_options", "usage", "modalities", "audio", "google", "extra_body"
)
_of_tools: Final = attrgetter(
    "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "web_search_options"
)
_drawn: Final = attrgetter(*ir.Sampling.__struct_fields__, "max_completion_tokens")
_NO_FOREIGN, _NO_TOOLS, _UNDRAWN = (get(wire.Body(messages=[])) for get in (_foreign, _of_tools, _drawn))
_NOT_DRAWN: Final = ir.Sampling()
_USAGE: Final = msgspec.json.Decoder(wire.Usage)
_LONG: Final = 8192  # bytes, from where it takes longer to look at all of them
_ALWAYS: Final = "a response that is not streamed always has it"


def read_request(body: bytes, model: str = "") -> ir.Request:
    """Read a body; raise InvalidRequest that names the field. `model`: from the path, in place of the body's."""
    place = Place()
    long = len(body) > _LONG
    given, others = decode_open(body, wire.Body, _OTHERS, place, flat=long)
    if long:
        for raw in (*others.values(), *raws_in(given)):
            limit_depth(raw)
    model = model or given.model or ""
    if not model:
        raise InvalidRequest("model: required, but missing", param="model")
    losses, counts, safety = place.losses, False, SAFETY
    if _foreign(given) != _NO_FOREIGN:
        _refuse_sound(given)
        losses = [*_unread(given), *losses]
        counts = _counts(given, losses)
        others, safety = _extras(others, given, losses)
    system, turns = read_messages(given.messages, losses)
    without_tools = _of_tools(given) == _NO_TOOLS
    tools = () if without_tools else read_tools(given, losses)
    reasoning, thinking = read_reasoning(given, losses)
    return ir.Request(
        model=model,
        system=system,
        turns=turns,
        tools=tools,
        tool_choice=None if without_tools else read_choice(given, tools, losses),
        sampling=_NOT_DRAWN if _drawn(given) == _UNDRAWN else read_sampling(given, losses),
        reasoning=reasoning,
        output=_output(given, losses),
        stream=given.stream,
        include_usage=counts,
        user=given.user or given.safety_identifier,
        session=given.prompt_cache_key,
        dialect="openai-chat",
        extras=others,
        losses=tuple(losses),
        paths=_paths(given, thinking, safety),
        marks=marks_of(tools, system, turns),
    )


class _Options(Struct):
    include_usage: bool | None = None


class _Unread(Struct):
    messages: list[Raw]  # without them it is refused, whatever else may be new to us
    model: str | None = None
    stream: bool | None = None
    stream_options: _Options | None = None
    usage: Raw | UnsetType = UNSET


_UNREAD: Final = msgspec.json.Decoder(_Unread)


def read_unread(body: bytes, refusal: InvalidRequest, model: str = "") -> ir.Request:
    """Read of a body what the way upstream needs."""
    given = read_outline(body, _UNREAD, refusal)
    model = model or given.model or ""
    if not model:
        raise refusal
    return ir.Request(
        model=model,
        turns=(),
        stream=given.stream,
        include_usage=_counts(given, []),
        dialect="openai-chat",
        native=ir.Native(dialect="openai-chat", body=Raw(body), refusal=refusal),
    )


def _counts(given: wire.Body | _Unread, losses: list[ir.Loss]) -> bool:
    """Tell whether a stream is to say how many tokens it took, in OpenAI's words or in OpenRouter's."""
    options = given.stream_options
    asked = understood(given.usage, _USAGE, Place("usage", losses)) if wire.given(given.usage) else None
    if asked is not None and asked.include is not None and not given.stream:
        losses.append(ir.Loss("usage.include", _ALWAYS, "hint"))
    return bool((options and options.include_usage) or (asked and asked.include))


def _refuse_sound(body: wire.Body) -> None:
    """Refuse calls for sound: a text would be the wrong answer."""
    if "audio" in (body.modalities or ()):
        raise InvalidRequest("modalities: audio responses are not available here", param="modalities")
    if body.audio is not UNSET and bytes(body.audio) != b"null":
        raise InvalidRequest("audio: audio responses are not available here", param="audio")


def _output(body: wire.Body, losses: list[ir.Loss]) -> ir.Output:
    """Read the form of the answer, and what it may consist of if that is not text alone."""
    output = read_output(body, losses)
    wanted = body.image_config
    if wanted and (wanted.ratio or wanted.size):
        shape = ir.Shape(ratio=wanted.ratio, size=wanted.size, path="image_config")
        output = structs.replace(output, shape=shape)
    if body.modalities and "image" in body.modalities:
        return structs.replace(output, modalities=tuple(body.modalities))
    return output


def _unread(body: wire.Body) -> list[ir.Loss]:
    """Options that others say already, or make meaningless."""
    losses: list[ir.Loss] = []
    if body.top_logprobs and not body.logprobs:
        losses.append(ir.Loss("top_logprobs", "ignored without logprobs", "hint"))
    if body.user and body.safety_identifier:
        losses.append(ir.Loss("safety_identifier", "user already says it", "hint"))
    if body.stream_options is not None:
        losses += _of_streams(body.stream_options, stream=bool(body.stream))
    return losses


def _of_streams(options: wire.StreamOptions, *, stream: bool) -> Iterator[ir.Loss]:
    if options.include_usage is not None and not stream:
        yield ir.Loss("stream_options.include_usage", _ALWAYS, "hint")
    if options.include_obfuscation is not None:
        yield ir.Loss("stream_options.include_obfuscation", "chunks are not padded", "hint")


def _paths(body: wire.Body, thinking: str, safety: str) -> dict[str, str]:
    """Say where the options stand that have several names."""
    paths = {"schema": "response_format.json_schema.schema"} if body.response_format is not None else {}
    if thinking and thinking != "thinking":
        paths["thinking"] = thinking
    if safety != SAFETY:
        paths[SAFETY] = safety
    if body.max_completion_tokens:
        paths["max_tokens"] = "max_completion_tokens"
    if not body.user and body.safety_identifier:
        paths["user"] = "safety_identifier"
    if body.prompt_cache_key:
        paths["session"] = "prompt_cache_key"
    if body.functions and not body.tools:
        paths["parallel_tool_calls"] = "functions"  # which are called one at a time
    return paths


def _extras(others: dict[str, Raw], given: wire.Body, losses: list[ir.Loss]) -> tuple[dict[str, Raw], str]:
    """Keep raw what was not read, and say where the settings of safety stand.

    `modalities`, too, where they ask for more than text and pictures.
    """
    kept, safety = dict(others), SAFETY
    if given.modalities and not _SHOWN.issuperset(given.modalities):
        kept[_MODALITIES] = Raw(msgspec.json.encode(given.modalities))
    for path, options in googled(given):
        settings = options.safety_settings
        if not wire.given(settings):
            continue
        if SAFETY in kept:
            losses.append(ir.Loss(f"{path}.{SAFETY}", f"{safety} already says it", "hint"))
        else:
            kept[SAFETY], safety = settings, f"{path}.{SAFETY}"
    return kept, safety
