"""A Chat Completions body → the neutral request."""

from typing import Final

import msgspec
from msgspec import UNSET, Raw

from gateway import ir
from gateway.dialects.content import decode
from gateway.errors import InvalidRequest

from . import wire
from .messages import read_messages
from .options import read_output, read_reasoning, read_sampling
from .tools import read_choice, read_tools

__all__ = ["read_request"]

_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_NOTHING: Final = (b"null", b"{}")


def read_request(body: bytes, model: str = "") -> ir.Request:
    """Read a body; raise InvalidRequest that names the field. `model`: from the path, in place of the body's."""
    given = decode(body, wire.Body)
    model = model or given.model or ""
    if not model:
        raise InvalidRequest("model: required, but missing", param="model")
    _refuse_sound(given)
    losses = _changes(given)
    system, turns = read_messages(given.messages, losses)
    tools = read_tools(given, losses)
    return ir.Request(
        model=model,
        system=system,
        turns=turns,
        tools=tools,
        tool_choice=read_choice(given, tools),
        sampling=read_sampling(given),
        reasoning=read_reasoning(given),
        output=read_output(given),
        stream=given.stream,
        include_usage=bool(given.stream_options and given.stream_options.include_usage),
        user=given.user or given.safety_identifier,
        session=given.prompt_cache_key,
        extras=_extras(body, given),
        losses=tuple(losses),
    )


def _refuse_sound(body: wire.Body) -> None:
    """Refuse calls for sound: a text would be the wrong answer."""
    if "audio" in (body.modalities or ()):
        raise InvalidRequest("modalities: answers in sound are not available here", param="modalities")
    if body.audio is not UNSET and bytes(body.audio) != b"null":
        raise InvalidRequest("audio: answers in sound are not available here", param="audio")


def _changes(body: wire.Body) -> list[ir.Loss]:
    """Options that no other dialect has, and whose absence shows in the answer."""
    given = {
        "logit_bias": body.logit_bias is not UNSET and bytes(body.logit_bias) not in _NOTHING,
        "logprobs": body.logprobs,
        "top_logprobs": body.top_logprobs,
        "prediction": body.prediction is not UNSET and bytes(body.prediction) not in _NOTHING,
    }
    return [ir.Loss(field, "there is no equivalent", "change") for field, present in given.items() if present]


def _extras(body: bytes, given: wire.Body) -> dict[str, Raw]:
    """Keep raw what was not read; `modalities` too when it asks for more than text."""
    fields = _FIELDS.decode(body)
    known = wire.KNOWN if set(given.modalities or ()) <= {"text"} else wire.KNOWN - {"modalities"}
    return {name: raw for name, raw in fields.items() if name not in known and bytes(raw) != b"null"}
