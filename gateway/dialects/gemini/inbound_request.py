"""Read a GenerateContentRequest, or what is to be counted. The path has said model and form of the answer.

What was read is for every upstream; the caller's own bytes go along for one that speaks this dialect.
"""

from typing import Final

from msgspec import UNSET, Raw

from gateway import ir
from gateway.dialects.content import decode, limit_depth
from gateway.dialects.known import read_outline
from gateway.dialects.place import Place
from gateway.dialects.raw import FIELDS, NOTHING, NULL, TEXT, Fields
from gateway.errors import InvalidRequest
from gateway.routes import Route

from . import inbound_wire as wire
from .inbound_config import Options, read_config
from .inbound_contents import Conversation, read_system
from .inbound_tools import read_choice, read_tools

__all__ = ["read_request", "read_unread"]

_WHOLE: Final = "generateContentRequest"
_READ: Final = ("contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "sessionId")
_MODEL: Final = "model"  # the path names it
_KEPT: Final = {  # what stands for words that only Google has
    "cachedContent": "content cached at Google cannot be used from here",
    "continuationToken": "a response that Google has begun cannot go on from here; ask for all of it anew",
}
_PATHS: Final = {
    "modalities": "generationConfig.responseModalities",
    "max_tokens": "generationConfig.maxOutputTokens",
    "temperature": "generationConfig.temperature",
    "top_p": "generationConfig.topP",
    "top_k": "generationConfig.topK",
    "seed": "generationConfig.seed",
    "presence_penalty": "generationConfig.presencePenalty",
    "frequency_penalty": "generationConfig.frequencyPenalty",
    "n": "generationConfig.candidateCount",
    "logprobs": "generationConfig.responseLogprobs",
    "top_logprobs": "generationConfig.logprobs",
    "stop": "generationConfig.stopSequences",
    "thinking": "generationConfig.thinkingConfig",
    "tool_choice": "toolConfig.functionCallingConfig",
    "session": "sessionId",
    "messages": "contents",
}


def read_request(body: bytes, route: Route, *, counting: bool = False) -> ir.Request:
    """Read a request; raise InvalidRequest with the path of what is wrong."""
    raw, place = Raw(body.strip()), Place()
    extras = wire.camels(decode(body, Fields, flat=True))  # its encoding, too
    for name, given in extras.items():
        if name != "contents":  # by far the longest, and read part by part
            limit_depth(given)
    if counting and _WHOLE in extras:  # else the body itself is counted
        raw, place = extras[_WHOLE], place.at(_WHOLE)
        extras = wire.fields_of(raw, place)
    contents, system, tools_given, choice, config, session = (extras.pop(name, UNSET) for name in _READ)
    if contents is UNSET:
        raise place.refuse("required, but missing", "contents")
    options = read_config(config, place.at("generationConfig"))
    conversation = Conversation(options.detail, place.at("generationConfig.mediaResolution").path)
    turns = conversation.turns(contents, place.at("contents"))
    if options.detail is not None and not conversation.detailed:
        place.lose("generationConfig.mediaResolution", "there is nothing to look at")
    tools = read_tools(tools_given, place.at("tools"))
    only = _kept(extras, place) or options.only or conversation.only
    return ir.Request(
        model=route.model,
        system=read_system(system, place.at("systemInstruction")),
        turns=turns,
        tools=tools,
        tool_choice=read_choice(choice, tools, place.at("toolConfig")),
        sampling=options.sampling,
        reasoning=options.reasoning,
        output=options.output,
        stream=bool(route.streams),
        include_usage=True,
        session=None if session is UNSET else place.read(session, TEXT, "sessionId"),
        extras={name: value for name, value in extras.items() if name != _MODEL},
        losses=tuple(place.losses),
        paths=_paths(options, place),
        native=ir.Native(dialect="gemini", body=raw, only=only),
    )


def read_unread(body: bytes, refusal: InvalidRequest, route: Route) -> ir.Request:
    """Read of a body what the way upstream needs: the path says all of it."""
    read_outline(body, FIELDS, refusal)
    return ir.Request(
        model=route.model,
        turns=(),
        stream=bool(route.streams),
        include_usage=True,
        native=ir.Native(dialect="gemini", body=Raw(body.strip()), refusal=refusal),
    )


def _paths(options: Options, place: Place) -> dict[str, str]:
    """Say how this dialect calls the options."""
    told = {"schema": f"generationConfig.{options.schema}", "response_format": f"generationConfig.{options.form}"}
    paths = _PATHS | told
    paths = {name: place.at(path).path for name, path in paths.items()} if place.path else paths
    return paths | {"filename": "displayName"}


def _kept(extras: dict[str, Raw], place: Place) -> ir.Loss | None:
    """Find what holds a part of the conversation: without it, an answer would be to other words, or begin anew."""
    for name, reason in _KEPT.items():
        if bytes(extras.get(name, NULL)) not in NOTHING:
            return ir.Loss(place.at(name).path, reason, "content")
    return None
