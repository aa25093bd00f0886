"""Bodies that come to the path of Chat Completions in another form, as Cursor sends them by the name of the model.

    `input` in the place of `messages`            a body of Responses
    `tool_use` and `tool_result` in `messages`    those of Anthropic
    tools that are not nested                     of either

They are read as what they are and answered in Chat Completions, with functions alone: Cursor reads no other calls, and
takes the text of a free-form tool for the arguments. No upstream gets their own words.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.anthropic.request import read_request as read_messages
from gateway.dialects.content import too_deep
from gateway.dialects.openai_responses.request import read_request as read_responses
from gateway.dialects.raw import read
from gateway.errors import InvalidRequest

from .request import read_request

__all__ = ["read_mixed"]

Fields = dict[str, Any]

_BODY: Final = msgspec.json.Decoder(dict[str, Any])
_BLOCKS: Final = ("tool_use", "tool_result")
_PREVIOUS: Final = "previous_response_id"
_NOT_KEPT: Final = "only /v1/responses keeps conversations; send all of it in input"
_SYSTEM: Final = ("system", "developer")
_NESTED: Final = ("function", "custom")
_SCHEMAS: Final = ("parameters", "input_schema")
_CHOICES: Final = {"auto": "auto", "required": "any", "none": "none"}  # Chat's, and Anthropic's for them
_TEXT: Final = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
_encode: Final = msgspec.json.Encoder().encode


def read_mixed(body: bytes, model: str, refusal: InvalidRequest) -> ir.Request:
    """Read a body that is none of Chat Completions; raise the refusal where it is none that is known."""
    fields: Fields | None = read(Raw(body), _BODY)
    if fields is None:
        raise refusal
    if model:
        fields["model"] = model
    try:
        request = _read(fields)
    except RecursionError:
        raise too_deep() from None
    if request is None:
        raise refusal
    return replace(request, thread=None, mixed=True)


def _read(fields: Fields) -> ir.Request | None:
    if "messages" not in fields and "input" in fields:
        return _whole(read_responses(_encode(fields)))
    if any(map(_has_blocks, _objects(fields.get("messages")))):
        return read_messages(_encode(_of_anthropic(fields)))
    if any(map(_is_flat, [*_objects(fields.get("tools")), _object(fields.get("tool_choice"))])):
        return read_request(_encode(_nested(fields)))
    return None


def _whole(request: ir.Request) -> ir.Request:
    """Refuse what goes on from an answer that is kept, or names what is in one: here nothing is."""
    thread = request.thread or ir.Thread()
    named = thread.references[0] if thread.references else _PREVIOUS if thread.previous else ""
    if named:
        raise InvalidRequest(f"{named}: {_NOT_KEPT}", param=named)
    return request


def _objects(given: object) -> list[Fields]:
    """Give a list of objects; none where it is something else."""
    try:
        return msgspec.convert(given, list[Fields])
    except msgspec.ValidationError:
        return []


def _object(given: object) -> Fields:
    found = _objects((given,))
    return found[0] if found else {}


def _has_blocks(message: Fields) -> bool:
    return any(part.get("type") in _BLOCKS for part in _objects(message.get("content")))


def _is_flat(tool: Fields) -> bool:
    return "name" in tool and not any(field in tool for field in _NESTED)


def _schema(tool: Fields) -> object:
    return next((tool[name] for name in _SCHEMAS if name in tool), None)


def _nested(fields: Fields) -> Fields:
    """Nest what says a tool, as Chat Completions has it."""
    found = dict(fields)
    if tools := _objects(fields.get("tools")):
        found["tools"] = [_nest(tool) if _is_flat(tool) else tool for tool in tools]
    choice = _object(fields.get("tool_choice"))
    if _is_flat(choice):
        kind = "custom" if choice.get("type") == "custom" else "function"
        found["tool_choice"] = {"type": kind, kind: {"name": choice["name"]}}
    return found


def _nest(tool: Fields) -> Fields:
    schema = _schema(tool)
    if tool.get("type") == "custom" and schema is None:
        return {"type": "custom", "custom": {name: value for name, value in tool.items() if name != "type"}}
    if tool.get("type", "function") not in _NESTED:
        return tool  # a service
    said = {name: value for name, value in tool.items() if name not in ("type", *_SCHEMAS)}
    return {"type": "function", "function": said if schema is None else {**said, "parameters": schema}}


def _of_anthropic(fields: Fields) -> Fields:
    """Give a body of Anthropic's: its tools are flat, and instructions stand beside the messages."""
    found = {name: value for name, value in fields.items() if name not in ("tools", "tool_choice")}
    messages = _objects(fields.get("messages"))
    rules = [message for message in messages if message.get("role") in _SYSTEM]
    if rules and "system" not in found:
        found["system"] = "\n\n".join(words for message in rules for words in _words(message.get("content")))
        found["messages"] = [message for message in messages if message not in rules]
    if tools := _objects(fields.get("tools")):
        found["tools"] = [_flat(tool) for tool in tools]
    choice = fields.get("tool_choice")
    if isinstance(choice, str):
        found["tool_choice"] = {"type": _CHOICES.get(choice, choice)}
    elif given := _object(choice):
        named = _said(given)
        found["tool_choice"] = {"type": "tool", "name": named["name"]} if "name" in named else given
    return found


def _words(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in _objects(content) if isinstance(part.get("text"), str)]


def _said(tool: Fields) -> Fields:
    """Give what is nested of a tool, or of the choice of one."""
    return next((_object(tool[name]) for name in _NESTED if name in tool), tool)


def _flat(tool: Fields) -> Fields:
    said = _said(tool)
    named = {name: said[name] for name in ("name", "description", "cache_control") if said.get(name) is not None}
    return {**named, "input_schema": _schema(said) or _TEXT}
