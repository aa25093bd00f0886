"""Tools and tool choice of Chat Completions, with the older `functions`, → the neutral form."""

from collections.abc import Iterator
from typing import Final

from msgspec import UNSET, Raw, UnsetType, structs

from gateway import ir
from gateway.errors import InvalidRequest

from . import wire

__all__ = ["LEGACY", "read_choice", "read_tools"]

LEGACY: Final = "functions["  # how the path of a tool from the older `functions` begins

_FREE_FORM: Final = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')
_MODES: Final = ("none", "auto", "required")


def read_tools(body: wire.Body, losses: list[ir.Loss]) -> tuple[ir.Tool, ...]:
    """Read all tools; the same one twice counts once, two of one name are refused."""
    tools: dict[str, ir.Tool] = {}
    for tool in _all(body, losses):
        known = tools.setdefault(tool.name, tool)
        if structs.replace(known, path="") != structs.replace(tool, path=""):
            message = f"{tool.path}: another tool is called {tool.name!r} too ({known.path})"
            raise InvalidRequest(message, param=tool.path)
    return tuple(tools.values())


def _all(body: wire.Body, losses: list[ir.Loss]) -> Iterator[ir.Tool]:
    for i, tool in enumerate(body.tools or ()):
        yield _tool(tool, f"tools[{i}]", losses)
    for i, function in enumerate(body.functions or ()):
        yield _function(function, f"{LEGACY}{i}]")
    options = body.web_search_options
    if options is not UNSET and bytes(options) != b"null":
        if bytes(options) != b"{}":
            losses.append(ir.Loss("web_search_options", "only the search itself is carried", "hint"))
        yield ir.Tool(name="web_search", builtin="web_search", path="web_search_options")


def _tool(tool: wire.Tool, path: str, losses: list[ir.Loss]) -> ir.Tool:
    if tool.cache_control is not UNSET or tool.prompt_cache_breakpoint is not UNSET:
        losses.append(ir.Loss(f"{path}.cache_control", "marks for the prompt cache are not carried", "hint"))
    if tool.type == "function":
        if tool.function is not None:
            return _function(tool.function, path)
    elif tool.type == "custom":
        if tool.custom is not None:
            return _custom(tool.custom, path, losses)
    else:
        raise InvalidRequest(f"{path}.type: tools of type {tool.type!r} are not known here", param=f"{path}.type")
    place = f"{path}.{tool.type}"
    raise InvalidRequest(f"{place}: required, but missing", param=place)


def _function(function: wire.Function, path: str) -> ir.Tool:
    return ir.Tool(
        name=function.name,
        description=function.description,
        schema=_schema(function.parameters, path),
        strict=function.strict,
        path=path,
    )


def _schema(parameters: Raw | UnsetType, path: str) -> Raw | None:
    if parameters is UNSET or bytes(parameters) == b"null":
        return None
    if not bytes(parameters).startswith(b"{"):
        place = f"{path}.parameters" if path.startswith(LEGACY) else f"{path}.function.parameters"
        raise InvalidRequest(f"{place}: a JSON Schema is an object", param=place)
    return parameters


def _custom(custom: wire.Custom, path: str, losses: list[ir.Loss]) -> ir.Tool:
    if custom.format is not UNSET and b'"grammar"' in bytes(custom.format):
        losses.append(ir.Loss(f"{path}.custom.format", "the grammar is not enforced", "change"))
    return ir.Tool(name=custom.name, description=custom.description, schema=_FREE_FORM, free_form=True, path=path)


def read_choice(body: wire.Body, tools: tuple[ir.Tool, ...]) -> ir.ToolChoice | None:
    """Read tool_choice and parallel_tool_calls; without tools they say nothing."""
    legacy = body.tool_choice is None and body.function_call is not None
    choice = _legacy_choice(body.function_call) if legacy else _choice(body.tool_choice)
    declared = {tool.name for tool in tools}
    param = "function_call" if legacy else "tool_choice"
    for name in choice.names if choice else ():
        if name not in declared:
            raise InvalidRequest(f"{param}: names {name!r}, which is not among the tools", param=param)
    if not tools:
        return None
    # A message of the older form holds one function_call at most.
    parallel = False if tools[0].path.startswith(LEGACY) else body.parallel_tool_calls
    if parallel is None:
        return choice
    return structs.replace(choice or ir.ToolChoice(mode="auto"), parallel=parallel)


def _choice(choice: wire.ToolChoice | str | None) -> ir.ToolChoice | None:
    if choice is None:
        return None
    if isinstance(choice, str):
        return _mode(choice, "tool_choice")
    if choice.type == "allowed_tools" and choice.allowed_tools is not None:
        allowed = choice.allowed_tools
        names = tuple(_name(tool, f"tool_choice.allowed_tools.tools[{i}]") for i, tool in enumerate(allowed.tools))
        return ir.ToolChoice(mode=allowed.mode, names=names)
    return ir.ToolChoice(mode="named", names=(_name(choice, "tool_choice"),))


def _name(choice: wire.Choice, path: str) -> str:
    named = choice.function or choice.custom
    if named is None:
        raise InvalidRequest(f"{path}: names no tool", param=path)
    return named.name


def _legacy_choice(choice: wire.Named | str | None) -> ir.ToolChoice | None:
    if isinstance(choice, wire.Named):
        return ir.ToolChoice(mode="named", names=(choice.name,))
    return None if choice is None else _mode(choice, "function_call")


def _mode(word: str, param: str) -> ir.ToolChoice:
    for mode in _MODES:
        if word == mode:
            return ir.ToolChoice(mode=mode)
    raise InvalidRequest(f"{param}: {word!r} is none of {', '.join(_MODES)}, nor an object", param=param)
