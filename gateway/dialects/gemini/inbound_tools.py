"""The tools of a Gemini caller, and the choice among them."""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import UNSET, Raw
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.place import Place
from gateway.dialects.services import option
from gateway.errors import UndeclaredTool

from . import inbound_wire as wire
from .inbound_schema import schema_of

__all__ = ["BUILTIN", "read_choice", "read_tools"]

_FUNCTIONS: Final = "functionDeclarations"
# The others have no common name; who knows them does so by Google's.
BUILTIN: Final = {
    "googleSearch": "web_search",
    "googleSearchRetrieval": "web_search",
    "urlContext": "web_fetch",
    "codeExecution": "code_execution",
}
_EXCLUDED: Final = "excludeDomains"
_STRINGS: Final = msgspec.json.Decoder(list[str] | str)
_REFUSED: Final = {"mcpServers": "MCP servers are not called from here; run them in the client"}
_MODES: Final[dict[str, ir.ToolChoice]] = {
    "AUTO": ir.ToolChoice(mode="auto"),
    "VALIDATED": ir.ToolChoice(mode="auto"),
    "ANY": ir.ToolChoice(mode="required"),
    "NONE": ir.ToolChoice(mode="none"),
}
_UNSAID: Final = frozenset({"", "MODE_UNSPECIFIED"})
_NUMBERED: Final = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")
_VALIDATED: Final = "VALIDATED"


def read_tools(tools: wire.Maybe, place: Place) -> tuple[ir.Tool, ...]:
    """Read the declared tools; one that is declared twice alike counts once.

    A service has no name: a function may be called so, too.
    """
    found: dict[tuple[str, str | None], ir.Tool] = {}
    for at, raw in wire.items(tools, place):
        for tool in _read(raw, at):
            first = found.setdefault((tool.name, tool.builtin), tool)
            if replace(first, path=tool.path) != tool:
                path = Place(tool.path)
                raise path.refuse(f"the tool {tool.name!r} is declared twice with different definitions", "name")
    return tuple(found.values())


def read_choice(config: wire.Maybe, tools: tuple[ir.Tool, ...], place: Place) -> ir.ToolChoice | None:
    """Read the choice; without functions there is none."""
    if config is UNSET:
        return None
    given = wire.known(config, wire.TOOL_CONFIG, place)
    if given.function_calling_config is UNSET:
        return None
    at = place.at("functionCallingConfig")
    calling = wire.known(given.function_calling_config, wire.CALLING, at)
    mode = (wire.named(calling.mode, _NUMBERED) or "").upper()
    if mode not in _MODES and mode not in _UNSAID:
        raise at.refuse(f"{calling.mode!r} is not one of {', '.join(_MODES)}", "mode")
    declared = {tool.name for tool in tools if tool.builtin is None}
    names = wire.strings(calling.allowed_function_names)
    for name in names:
        if name not in declared:
            raise at.refuse(f"no function {name!r} is declared", "allowedFunctionNames", UndeclaredTool)
    if mode in _UNSAID or not declared:
        if names or mode not in _UNSAID:
            at.lose("", "there are no functions" if not declared else "it has no effect without a mode")
        return None
    choice = _MODES[mode]
    if names and choice.mode == "none":
        at.lose("allowedFunctionNames", f"ignored in mode {mode}")
    if mode == _VALIDATED:
        at.lose("mode", "most models have AUTO as the nearest mode")
    named = choice.mode == "required" and len(names) == 1
    return replace(choice, mode="named" if named else choice.mode, names=names)


def _read(raw: Raw, place: Place) -> Iterator[ir.Tool]:
    for kind, value in wire.fields_of(raw, place).items():
        at = place.at(kind)
        if kind == _FUNCTIONS:
            for inner, declaration in wire.items(value, at):
                yield _function(declaration, inner)
        elif kind in _REFUSED:
            if any(wire.items(value, at)):
                raise at.refuse(_REFUSED[kind])
        else:
            builtin = BUILTIN.get(kind, kind)
            options = list[ir.Option]()
            for key, given in wire.fields_of(value, at).items():
                if builtin == "web_search" and key == _EXCLUDED:
                    options.append(_excluded(given, at.at(key)))
                else:
                    at.lose(key, "not carried", "change")
            yield ir.Tool(name=builtin, builtin=builtin, options=tuple(options), path=at.path)


def _excluded(raw: Raw, place: Place) -> ir.Option:
    return option("blocked_domains", wire.strings(place.read(raw, _STRINGS)), _EXCLUDED)


def _function(raw: Raw, place: Place) -> ir.Tool:
    declaration = wire.known(raw, wire.DECLARATION, place)
    if declaration.parameters is not UNSET and declaration.parameters_json_schema is not UNSET:
        raise place.refuse("excludes parameters", "parametersJsonSchema")
    return ir.Tool(
        name=declaration.name,
        description=declaration.description,
        schema=_schema(declaration, place),
        path=place.path,
        schema_path="parameters" if declaration.parameters is not UNSET else "parametersJsonSchema",
    )


def _schema(declaration: wire.Declaration, place: Place) -> Raw | None:
    if declaration.parameters is not UNSET:
        return schema_of(declaration.parameters, place, "parameters", googles=True)
    schema = declaration.parameters_json_schema
    return None if schema is UNSET else schema_of(schema, place, "parametersJsonSchema")
