"""The tools of a Messages request, and the choice among them."""

from collections.abc import Iterable
from typing import Final

from msgspec import UNSET, Raw
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.marks import CONTROL, read_control
from gateway.dialects.place import Place, is_null
from gateway.dialects.services import MESSAGES, lost_with, read_option
from gateway.errors import UndeclaredTool

from .defined import Defined, defined
from .directed import Change
from .wire import CHANGED_TOOL, TOOL, TYPED_TOOL, Tool, ToolChoice, TypedTool

__all__ = ["change_tools", "read_choice", "read_tools"]

# by the start of the dated type
_BUILTIN: Final = {
    "web_search_": "web_search",
    "web_fetch_": "web_fetch",
    "code_execution_": "code_execution",
}
_MEMBERS: Final = frozenset((*Tool.__struct_fields__, CONTROL))
_SEARCH: Final = "tool_search_tool_"  # finds deferred tools; here none is deferred
_MCP: Final = "mcp_"
_ADVISOR: Final = "advisor"  # another model of Anthropic's, which Claude asks for advice
_NOT_ASKED: Final = "only Anthropic's own servers ask another model for advice"
_EMULATED: Final = "emulated: a function with the parameters that Claude knows"
_NOT_SEARCHED: Final = "every tool is sent, so there is nothing to search for"
_FOR_CLAUDE: Final = "is known to Anthropic's API only; declare a function instead, with name and input_schema"
_UNSERVED: Final = "needs MCP servers, which are not called from here; run them in the client, and declare their tools"
_NOT_SERVED: Final = "MCP servers are not called from here, so they have no tools"
_MODES: Final[dict[str, ir.ToolChoice]] = {
    "auto": ir.ToolChoice(mode="auto"),
    "any": ir.ToolChoice(mode="required"),
    "none": ir.ToolChoice(mode="none"),
    "tool": ir.ToolChoice(mode="named"),
}


def read_tools(tools: Iterable[Raw], place: Place) -> tuple[ir.Tool, ...]:
    """Read the declared tools; one that is declared twice alike counts once."""
    found: dict[str, ir.Tool] = {}
    for index, raw in enumerate(tools):
        at = place.item(index)
        tool = _read_tool(raw, at)
        if tool is None:
            continue
        first = found.setdefault(tool.name, tool)
        if replace(first, path=tool.path, mark=tool.mark) != tool:
            raise at.refuse(f"tool {tool.name!r} is declared twice with different definitions", "name")
        if tool.mark is not None:
            found[tool.name] = replace(first, mark=tool.mark)
    return tuple(found.values())


def change_tools(declared: Iterable[ir.Tool], changes: Iterable[Change]) -> tuple[ir.Tool, ...]:
    """Give the tools that are offered after all changes within the conversation."""
    known = {tool.name: tool for tool in declared}
    offered = dict(known)
    for change in changes:
        given, at = change.place.read(change.tool, CHANGED_TOOL), change.place
        if given.type == "tool_definition" and change.adds:
            tool = _read_tool(given.definition, at.at("definition"))
            if tool is not None:
                known[tool.name] = offered[tool.name] = tool
        elif given.type != "tool_reference":
            at.lose("", _NOT_SERVED)
        elif given.name not in known:
            at.lose("name", _left_out(given.name) or "no tool of this name is declared")
        elif change.adds:
            offered[given.name] = known[given.name]
        else:
            offered.pop(given.name, None)
    return tuple(offered.values())


def read_choice(choice: ToolChoice, tools: tuple[ir.Tool, ...], place: Place) -> ir.ToolChoice | None:
    """Read the choice; without tools there is none."""
    name = choice.name or ""
    if choice.type == "tool" and all(tool.name != name for tool in tools):
        reason = _left_out(name)
        if not reason:
            raise place.refuse(f"no tool {choice.name!r} is declared", "name", UndeclaredTool)
        place.lose("name", reason, "change")
        choice = replace(choice, type="auto")
    if not tools:
        place.lose("", "there are no tools")
        return None
    names = (name,) if choice.type == "tool" else ()
    parallel = False if choice.disable_parallel_tool_use else None
    return replace(_MODES[choice.type], names=names, parallel=parallel)


def _read_tool(raw: Raw, place: Place) -> ir.Tool | None:
    fields = place.fields(raw)
    kind = fields.get("type")
    if kind is None or is_null(kind) or bytes(kind) == b'"custom"':
        place.lose_unknown(fields, _MEMBERS)
        tool = _function(place.read(raw, TOOL), place)
        if CONTROL not in fields or is_null(fields[CONTROL]):
            return tool
        return replace(tool, mark=read_control(fields[CONTROL], place.at(CONTROL)))
    typed = place.read(raw, TYPED_TOOL)
    if typed.type.startswith(_SEARCH):
        for key, value in fields.items():
            if key != "name" and not is_null(value):
                place.lose(key, f"{typed.type} searches deferred tools; here every tool is sent")
        return None
    if typed.type.startswith(f"{_ADVISOR}_"):
        place.lose("", _NOT_ASKED, "change")
        return None
    known = defined(typed.type)
    return _builtin(typed, fields, place) if known is None else _emulated(typed, known, fields, place)


def _left_out(name: str) -> str:
    """Say why a tool of Anthropic's that is not declared need not be; "" where it is none."""
    return _NOT_SEARCHED if name.startswith(_SEARCH) else _NOT_ASKED if name == _ADVISOR else ""


def _function(tool: Tool, place: Place) -> ir.Tool:
    given = tool.input_schema
    schema = None if given is UNSET or is_null(given) or bytes(given) == b"true" else given
    if schema is not None and not bytes(schema).startswith(b"{"):
        raise place.refuse("must be a JSON Schema, an object", "input_schema")
    return ir.Tool(
        name=tool.name,
        description=tool.description,
        schema=schema,
        strict=tool.strict,
        path=place.path,
        schema_path="input_schema",
    )


def _emulated(tool: TypedTool, known: Defined, fields: dict[str, Raw], place: Place) -> ir.Tool:
    place.lose("", _EMULATED, "change")
    place.lose_unknown(fields, TypedTool.__struct_fields__)
    name = tool.name or known.name
    return ir.Tool(name=name, description=known.description, schema=known.schema, path=place.path)


def _builtin(tool: TypedTool, fields: dict[str, Raw], place: Place) -> ir.Tool:
    for start, builtin in _BUILTIN.items():
        if tool.type.startswith(start):
            options = list[ir.Option]()
            for key, value in fields.items():
                if key == "type" or is_null(value) or (key == "name" and tool.name == builtin):
                    continue
                if builtin == "web_search" and key in MESSAGES:
                    options.append(read_option(MESSAGES[key], value, place, key))
                else:
                    place.lose(key, f"not carried with {builtin}", lost_with(key, value))
            return ir.Tool(name=tool.name or builtin, builtin=builtin, options=tuple(options), path=place.path)
    reason = _UNSERVED if tool.type.startswith(_MCP) else _FOR_CLAUDE
    raise place.refuse(f"tool type {tool.type!r} {reason}", "type")
