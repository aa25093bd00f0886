"""Tools and tool choice of Chat Completions, with the older `functions`, → the neutral form."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final, Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType, structs

from gateway import ir
from gateway.dialects.gemini.inbound_tools import BUILTIN
from gateway.dialects.known import Closed, understood
from gateway.dialects.place import Place
from gateway.dialects.raw import FIELDS, read
from gateway.dialects.services import option
from gateway.errors import InvalidRequest, UndeclaredTool

from . import wire

__all__ = [
    "LEGACY",
    "NO_TOOLS",
    "check_names",
    "distinct",
    "free_form",
    "mode_of",
    "read_choice",
    "read_tools",
    "schema_of",
]

LEGACY: Final = "functions["  # how the path of a tool from the older `functions` begins

_FREE_FORM: Final = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')
_TEXT: Final = re.compile(rb'\{\s*"type"\s*:\s*"text"\s*\}')
_OTHER: Final = {"function": "custom", "custom": "function"}
_AROUND: Final = ("tool_choice", "parallel_tool_calls", "function_call")
NO_TOOLS: Final = "there are no tools"
_MODES: Final = ("none", "auto", "required")


class _Said(Closed):
    definition: str
    syntax: str


class _Flat(_Said):
    type: Literal["grammar"]


class _Nested(Closed):
    type: Literal["grammar"]
    grammar: _Said


_FLAT: Final = msgspec.json.Decoder(_Flat)
_NESTED: Final = msgspec.json.Decoder(_Nested)


def read_tools(body: wire.Body, losses: list[ir.Loss]) -> tuple[ir.Tool, ...]:
    """Read all tools."""
    return distinct(_all(body, losses))


def distinct(given: Iterable[ir.Tool]) -> tuple[ir.Tool, ...]:
    """Count the same tool once; refuse two of one name. A service has none: a function may be called so, too."""
    tools: dict[tuple[str, str | None], ir.Tool] = {}
    for tool in given:
        key = (tool.name, tool.builtin)
        known = tools.setdefault(key, tool)
        if known is tool:
            continue
        if _said(known) != _said(tool):
            message = f"{tool.path}: another tool is also called {tool.name!r} ({known.path})"
            raise InvalidRequest(message, param=tool.path)
        tools[key] = structs.replace(known, mark=tool.mark or known.mark)
    return tuple(tools.values())


def _said(tool: ir.Tool) -> ir.Tool:
    """Give a tool without the places where it stood, and without what is not about it."""
    grammar = tool.grammar and structs.replace(tool.grammar, path="")
    return structs.replace(tool, path="", schema_path="", grammar=grammar, mark=None)


def _all(body: wire.Body, losses: list[ir.Loss]) -> Iterator[ir.Tool]:
    for i, tool in enumerate(body.tools or ()):
        yield _tool(tool, f"tools[{i}]", losses)
    for i, function in enumerate(body.functions or ()):
        yield _function(function, f"{LEGACY}{i}]")
    if body.web_search_options is not None:
        yield _search(body.web_search_options)


def _search(given: wire.SearchOptions) -> ir.Tool:
    options = list[ir.Option]()
    if given.search_context_size is not None:
        options.append(option("search_context_size", given.search_context_size, "search_context_size"))
    if given.user_location is not None:
        options.append(option("user_location", given.user_location.approximate, "user_location"))
    return ir.Tool(name="web_search", builtin="web_search", options=tuple(options), path="web_search_options")


def _tool(tool: wire.Tool, path: str, losses: list[ir.Loss]) -> ir.Tool:
    mark = tool.mark(path, losses)
    if tool.function is not None and tool.custom is not None:
        losses.append(
            ir.Loss(f"{path}.{_OTHER.get(tool.type, 'custom')}", f"ignored in a tool of type {tool.type}", "hint")
        )
    if tool.type == "function":
        if tool.function is not None:
            return structs.replace(_function(tool.function, path), mark=mark)
        if (service := _service(tool, Place(path, losses))) is not None:
            return service
    elif tool.type == "custom":
        if tool.custom is not None:
            return structs.replace(_custom(tool.custom, path, losses), mark=mark)
    else:
        raise InvalidRequest(f"{path}.type: tools of type {tool.type!r} are not supported here", param=f"{path}.type")
    place = f"{path}.{tool.type}"
    raise InvalidRequest(f"{place}: required, but missing", param=place)


def _service(tool: wire.Tool, place: Place) -> ir.Tool | None:
    """Read a tool that is one of Google's."""
    for attribute, name in wire.SERVICES.items():
        options: Raw | UnsetType = getattr(tool, attribute)
        if options is not UNSET:
            kind, at = BUILTIN[name], place.at(name)
            for key in read(options, FIELDS) or ():
                at.lose(key, "not carried", "change")
            return ir.Tool(name=kind, builtin=kind, path=at.path)
    return None


def _function(function: wire.Function, path: str) -> ir.Tool:
    schema_path = "parameters" if path.startswith(LEGACY) else "function.parameters"
    return ir.Tool(
        name=function.name,
        description=function.description,
        schema=schema_of(function.parameters, f"{path}.{schema_path}"),
        strict=function.strict,
        path=path,
        schema_path=schema_path,
    )


def schema_of(parameters: Raw | UnsetType, path: str) -> Raw | None:
    """Read the schema of a tool's parameters, or of an answer, if it has any; `true` lets everything be."""
    if not wire.given(parameters) or bytes(parameters) == b"true":
        return None
    if not bytes(parameters).startswith(b"{"):
        raise InvalidRequest(f"{path}: must be a JSON Schema, an object", param=path)
    return parameters


def _custom(custom: wire.Custom, path: str, losses: list[ir.Loss]) -> ir.Tool:
    return free_form(custom, path, f"{path}.custom.format", losses)


def free_form(custom: wire.Custom, path: str, format_path: str, losses: list[ir.Loss]) -> ir.Tool:
    """Read a tool that takes text, as a function of one argument."""
    grammar = None
    if wire.given(custom.format) and not _TEXT.fullmatch(bytes(custom.format)):
        grammar = _grammar(custom.format, Place(format_path, losses))
    return ir.Tool(
        name=custom.name,
        description=custom.description,
        schema=_FREE_FORM,
        free_form=True,
        grammar=grammar,
        path=path,
    )


def _grammar(format_: Raw, place: Place) -> ir.Grammar | None:
    """Read a grammar; in Chat Completions it stands one level deeper than in Responses."""
    if bytes(format_)[:1] == b"{" and "grammar" in FIELDS.decode(format_):
        nested = understood(format_, _NESTED, place, "change")
        said = None if nested is None else nested.grammar
    else:
        said = understood(format_, _FLAT, place, "change")
    return None if said is None else ir.Grammar(definition=said.definition, syntax=said.syntax, path=place.path)


def read_choice(body: wire.Body, tools: tuple[ir.Tool, ...], losses: list[ir.Loss]) -> ir.ToolChoice | None:
    """Read tool_choice and parallel_tool_calls; without tools they say nothing."""
    legacy = body.tool_choice is None and body.function_call is not None
    choice = _legacy_choice(body.function_call) if legacy else _choice(body.tool_choice, losses)
    check_names(choice, tools, "function_call" if legacy else "tool_choice")
    if body.function_call is not None and not legacy:
        losses.append(ir.Loss("function_call", "tool_choice already says it", "hint"))
    if not tools:
        losses += [ir.Loss(field, NO_TOOLS, "hint") for field in _AROUND if getattr(body, field) is not None]
        return None
    # A message of the older form holds one function_call at most.
    older = tools[0].path.startswith(LEGACY)
    if older and body.parallel_tool_calls is not None:
        losses.append(ir.Loss("parallel_tool_calls", "legacy functions are called one at a time", "hint"))
    parallel = False if older else body.parallel_tool_calls
    if parallel is None:
        return choice
    return structs.replace(choice or ir.ToolChoice(mode="auto"), parallel=parallel)


def check_names(choice: ir.ToolChoice | None, tools: Collection[ir.Tool], param: str) -> None:
    """Refuse a choice of what is not there."""
    if choice is None or not choice.names:
        return
    declared = {tool.name for tool in tools}
    for name in choice.names:
        if name not in declared:
            raise UndeclaredTool(f"{param}: names {name!r}, which is not among the tools", param=param)


def _choice(choice: wire.ToolChoice | str | None, losses: list[ir.Loss]) -> ir.ToolChoice | None:
    if choice is None:
        return None
    if isinstance(choice, str):
        return mode_of(choice, "tool_choice")
    unread = {"function": choice.function, "custom": choice.custom, "allowed_tools": choice.allowed_tools}
    if choice.type == "allowed_tools" and choice.allowed_tools is not None:
        del unread["allowed_tools"]
        allowed = choice.allowed_tools
        names = tuple(_name(tool, f"tool_choice.allowed_tools.tools[{i}]") for i, tool in enumerate(allowed.tools))
        found = ir.ToolChoice(mode=allowed.mode, names=names)
    else:
        found = ir.ToolChoice(mode="named", names=(_name(choice, "tool_choice"),))
        del unread["function" if choice.function is not None else "custom"]
    reason = f"ignored in a choice of type {choice.type}"
    losses += [ir.Loss(f"tool_choice.{field}", reason, "hint") for field, value in unread.items() if value is not None]
    return found


def _name(choice: wire.Choice, path: str) -> str:
    named = choice.function or choice.custom
    if named is None:
        raise InvalidRequest(f"{path}: names no tool", param=path)
    return named.name


def _legacy_choice(choice: wire.Named | str | None) -> ir.ToolChoice | None:
    if isinstance(choice, wire.Named):
        return ir.ToolChoice(mode="named", names=(choice.name,))
    return None if choice is None else mode_of(choice, "function_call")


def mode_of(word: str, param: str) -> ir.ToolChoice:
    """Read a choice that is a word."""
    for mode in _MODES:
        if word == mode:
            return ir.ToolChoice(mode=mode)
    raise InvalidRequest(f"{param}: {word!r} is not one of {', '.join(_MODES)}, nor an object", param=param)
