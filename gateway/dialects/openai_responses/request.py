"""A Responses body → the neutral request, and an earlier conversation put before it."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.content import limit_depth
from gateway.dialects.known import decode_known, read_outline
from gateway.dialects.logprobs import INCLUDE
from gateway.dialects.marks import marks_of
from gateway.dialects.openai_chat.tools import distinct
from gateway.dialects.openai_chat.wire import given
from gateway.dialects.place import Place, is_null
from gateway.dialects.raw import FIELDS, NULL, TEXT, read
from gateway.errors import InvalidRequest

from . import wire
from .again import side_by_side
from .items import DIALECT, Conversation
from .options import read_output, read_reasoning, read_sampling, updated
from .tools import read_choice, read_tools

__all__ = ["read_request", "read_unread", "resume"]

# What the Response object repeats of its request, or is made by
_ECHOED: Final = (
    "background",
    "include",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
)
# How a caller of Responses calls what the neutral form has another name for; who asks is told apart below.
_PATHS: Final = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "response_format": "text.format",
    "response_format.json_schema": "text.format",
    "schema": "text.format.schema",
    "session": "prompt_cache_key",
    "system": "instructions",
    "verbosity": "text.verbosity",
}
_DISABLED: Final = Raw(b'"disabled"')
_PREVIOUS: Final = "previous_response_id"
_ELSEWHERE: Final = "this item is only referenced by its ID, and stored elsewhere; send the item itself"
_encode: Final = msgspec.json.Encoder().encode


def read_request(body: bytes) -> ir.Request:
    """Read a body; raise InvalidRequest that names the field."""
    place = Place()
    asked = decode_known(body, wire.Body, place, flat=True)
    if not asked.model:
        raise place.refuse("required, but missing", "model")
    _refuse(asked, place)
    fields = FIELDS.decode(body)
    for name, value in fields.items():
        if name != "input":  # by far the longest, and read item by item
            limit_depth(value)
    cached = read(fields.get("prompt_cache_options", UNSET), wire.CACHED)
    items = _items(asked, place)
    said = Conversation(distinct(read_tools(asked.tools or (), place.at("tools"))))
    said.system += _instructions(asked.instructions)
    said.read(items, place.at("input"))
    system, turns, tools = said.finish()
    wanted = read_reasoning(asked, place), read_output(asked, place)
    if said.updates:
        wanted = updated(*wanted, said.updates, asked.reasoning or wire.Reasoning())
    return ir.Request(
        model=asked.model,
        system=system,
        turns=turns,
        tools=tools,
        tool_choice=read_choice(asked, tools, place),
        sampling=read_sampling(asked, place),
        reasoning=wanted[0],
        output=wanted[1],
        stream=asked.stream,
        include_usage=True,
        user=asked.user or asked.safety_identifier,
        session=asked.prompt_cache_key,
        extras=_extras(fields, asked),
        losses=_losses(asked, place),
        paths=_paths(asked),
        marks=marks_of(tools, system, turns),
        silent=cached is not None and cached.prewarm is True,
        thread=ir.Thread(
            items=items,
            references=tuple(said.references),
            previous=asked.previous_response_id or None,
            store=asked.store is not False,
            echo={name: fields[name] for name in _ECHOED if not is_null(fields.get(name, NULL))},
        ),
    )


class _Unread(Struct):
    model: str | None = None
    stream: bool | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    background: bool | None = None
    input: Raw | UnsetType = UNSET


_UNREAD: Final = msgspec.json.Decoder(_Unread)
_INPUT: Final = msgspec.json.Decoder(str | list[Raw] | None)


def read_unread(body: bytes, refusal: InvalidRequest) -> ir.Request:
    """Read of a body what the way upstream needs."""
    given = read_outline(body, _UNREAD, refusal)
    if not given.model:
        raise refusal
    return ir.Request(
        model=given.model,
        turns=(),
        stream=given.stream,
        include_usage=True,
        thread=ir.Thread(
            items=_listed(given.input),
            previous=given.previous_response_id or None,
            store=given.store is not False,
            background=bool(given.background),
        ),
        native=ir.Native(dialect=DIALECT, body=Raw(body), refusal=refusal),
    )


def _listed(given: Raw | UnsetType) -> tuple[Raw, ...]:
    """Give the items of an input that nobody has read."""
    try:
        said = None if given is UNSET else _INPUT.decode(given)
    except msgspec.ValidationError:
        return ()
    return _message(said) if isinstance(said, str) else tuple(said or ())


def resume(request: ir.Request, items: Sequence[Raw]) -> ir.Request:
    """Put earlier items before the request's own; the instructions that held then do not hold any more."""
    thread = request.thread or ir.Thread()
    before, own = Place(_PREVIOUS), Place("input")  # what is lost of the own items is known
    said = Conversation(request.tools)
    said.system += _instructions(TEXT.decode(thread.echo.get("instructions", b'""')))
    said.read(items, before)
    if said.references:
        raise InvalidRequest(f"{said.references[0]}: {_ELSEWHERE}", param=_PREVIOUS)
    said.read(thread.items, own)
    system, turns, tools = said.finish()
    turns = side_by_side(turns)
    wanted = request.reasoning, request.output
    if said.updates:
        control = read(thread.echo.get("reasoning", NULL), wire.CONTROL) or wire.Reasoning()
        wanted = updated(*wanted, said.updates, control)
    losses = tuple(loss for loss in before.losses if loss.severity != "hint")  # hints were given when it was said
    marks = marks_of(tools, system, turns)
    return replace(
        request,
        system=system,
        turns=turns,
        tools=tools,
        reasoning=wanted[0],
        output=wanted[1],
        losses=(*losses, *request.losses),
        marks=marks,
    )


def _refuse(asked: wire.Body, place: Place) -> None:
    """Refuse what would give another answer, or none, if it were left out."""
    if asked.background:
        raise place.refuse("this upstream has no background responses; ask for a stream", "background")
    if given(asked.prompt):
        raise place.refuse(
            "prompts stored at OpenAI cannot be read here; send them as instructions and input", "prompt"
        )
    if given(asked.conversation):
        raise place.refuse(f"conversations are not stored here; send input, or {_PREVIOUS}", "conversation")


def _items(asked: wire.Body, place: Place) -> tuple[Raw, ...]:
    """Give the input as items; one word stands for a message."""
    if isinstance(asked.input, str) and asked.input:
        return _message(asked.input)
    if not asked.input and not asked.previous_response_id:
        raise place.refuse("required, but missing" if asked.input is None else "is empty", "input")
    return tuple(asked.input) if isinstance(asked.input, list) else ()


def _message(text: str) -> tuple[Raw, ...]:
    content = [{"type": "input_text", "text": text}]
    return (Raw(_encode({"type": "message", "role": "user", "content": content})),) if text else ()


def _instructions(text: str | None) -> list[ir.Text]:
    return [ir.Text(text=text)] if text else []


def _losses(asked: wire.Body, place: Place) -> tuple[ir.Loss, ...]:
    if asked.user and asked.safety_identifier:
        place.lose("safety_identifier", "user already says it")
    options = asked.stream_options
    if options is not None and options.include_obfuscation is not None:
        place.lose("stream_options.include_obfuscation", "events are not padded")
    if options is not None and options.include_usage is not None:
        place.lose("stream_options.include_usage", "the last event always has it")
    return tuple(place.losses)


def _paths(asked: wire.Body) -> dict[str, str]:
    said = asked.reasoning or wire.Reasoning()
    thinking = next((field for field in ("effort", "summary", "generate_summary") if getattr(said, field)), "summary")
    paths = _PATHS | {"thinking": f"reasoning.{thinking}"}
    if asked.include and INCLUDE in asked.include:
        paths["logprobs"] = f"include[{asked.include.index(INCLUDE)}]"
    return paths if asked.user or not asked.safety_identifier else paths | {"user": "safety_identifier"}


def _extras(fields: dict[str, Raw], asked: wire.Body) -> dict[str, Raw]:
    """Keep raw what is not read, with `verbosity` where Chat has it; not to cut the input is the default."""
    extras = {name: raw for name, raw in fields.items() if name not in wire.KNOWN and not is_null(raw)}
    if extras.get("truncation") == _DISABLED:
        del extras["truncation"]
    if asked.text is not None and asked.text.verbosity is not None:
        extras["verbosity"] = Raw(_encode(asked.text.verbosity))
    return extras
