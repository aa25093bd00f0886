"""Tools and tool choice of Responses → the neutral form.

Tools of a namespace become functions called `namespace__name`; what OpenAI hosts is either a service that other
upstreams have too, or is left out, or is refused because the caller would wait for it.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Raw, structs

from gateway import ir
from gateway.dialects.gemini.schema_facets import is_object
from gateway.dialects.known import read_known
from gateway.dialects.openai_chat.tools import NO_TOOLS, check_names, free_form, mode_of, schema_of
from gateway.dialects.openai_chat.wire import Custom, given
from gateway.dialects.place import ANY, Place, is_null
from gateway.dialects.raw import NULL
from gateway.dialects.services import FILTERS, RESPONSES, read_option
from gateway.errors import UndeclaredTool

from . import wire
from .ran import RAN

__all__ = ["flat_name", "read_choice", "read_tools", "service_of"]

_SEARCH: Final = "web_search"  # and its previews and dated versions
_CODE: Final = "code_interpreter"
_AUTO: Final = {"type": "auto"}
_ENVIRONMENT: Final = "environment"  # of a shell
_LOCAL: Final = "local"
_TYPE: Final = ("type",)
_EMULATED: Final = "emulated: a function with the parameters that OpenAI's models know"
# Clients add them by default; without them the others still work.
_LEFT_OUT: Final[dict[str, tuple[str, ir.Severity]]] = {
    "tool_search": ("every tool is sent, so there is nothing to search for", "hint"),
    "programmatic_tool_calling": ("tools are called one by one, not by a program", "hint"),
    "image_generation": ("image generation is not available as a tool here", "change"),
    "file_search": ("files stored at OpenAI cannot be searched from here", "change"),
}


def flat_name(namespace: str | None, name: str) -> str:
    """Give the name of a tool as other dialects have it."""
    return f"{namespace}__{name}" if namespace else name


def read_tools(tools: Iterable[Raw], place: Place) -> Iterator[ir.Tool]:
    """Read declared tools."""
    for index, raw in enumerate(tools):
        at = place.item(index)
        kind = at.read(raw, wire.HEAD).type or "function"
        if kind == "namespace":
            yield from _namespace(raw, at)
        elif kind in ("function", "custom"):
            yield _tool(raw, kind, at)
        elif kind in _LEFT_OUT:
            at.lose("", *_LEFT_OUT[kind])
        elif builtin := service_of(kind):
            yield _service(raw, builtin, at)
        elif kind in RAN:
            yield _ran(raw, kind, at)
        else:
            raise at.refuse(f"tools of type {kind!r} are not available here", "type")


def _namespace(raw: Raw, place: Place) -> Iterator[ir.Tool]:
    space = read_known(raw, wire.NAMESPACE, place)
    about = space.description if space.description != space.name else None  # what is written where nothing was said
    for index, inner in enumerate(space.tools):
        at = place.at("tools").item(index)
        kind = at.read(inner, wire.HEAD).type or "function"
        if kind not in ("function", "custom"):
            raise at.refuse(f"a tool of type {kind!r} is not allowed in a namespace", "type")
        tool = _tool(inner, kind, at)
        said = "\n\n".join(filter(None, (about, tool.description)))  # the model is to see both
        names = space.name, tool.name
        yield structs.replace(tool, name=flat_name(*names), description=said or None, namespace=names)


def _tool(raw: Raw, kind: str, place: Place) -> ir.Tool:
    if kind == "custom":
        custom = read_known(raw, wire.CUSTOM, place)
        same = Custom(name=custom.name, description=custom.description, format=custom.format)
        return free_form(same, place.path, f"{place.path}.format", place.losses)
    function = read_known(raw, wire.FUNCTION, place)
    return ir.Tool(
        name=function.name,
        description=function.description,
        schema=schema_of(function.parameters, f"{place.path}.parameters"),
        strict=function.strict,
        path=place.path,
        schema_path="parameters",
    )


def _ran(raw: Raw, kind: str, place: Place) -> ir.Tool:
    """Read a tool that OpenAI defines and the caller runs."""
    fields = place.fields(raw)
    where = fields.get(_ENVIRONMENT, NULL)
    if not is_null(where):
        at = place.at(_ENVIRONMENT)
        if at.read(where, wire.HEAD).type not in (None, _LOCAL):
            raise at.refuse("containers of OpenAI's are not available here; run the shell in the client", "type")
        at.lose_unknown(at.fields(where), _TYPE)
    place.lose_unknown(fields, (*_TYPE, _ENVIRONMENT))
    place.lose("", _EMULATED, "change")
    return structs.replace(RAN[kind].tool, path=place.path)


def _service(raw: Raw, builtin: str, place: Place) -> ir.Tool:
    options = list[ir.Option]()
    for key, value in place.fields(raw).items():
        if key == "type" or not given(value):
            continue
        if key == "container":
            if not _is_any(place.at(key).read(value, ANY)):
                place.lose(key, "the upstream uses containers of its own", "change")
        elif builtin == _SEARCH and key in RESPONSES:
            options.append(read_option(RESPONSES[key], value, place, key))
        elif builtin == _SEARCH and key == "filters":
            options += _filters(value, place)
        else:
            place.lose(key, f"not carried with {builtin}")
    return ir.Tool(name=builtin, builtin=builtin, options=tuple(options), path=place.path)


def _is_any(container: object) -> bool:
    """Tell whether any container will do: null and no files say no more than that."""
    return is_object(container) and {name: one for name, one in container.items() if one not in (None, [])} == _AUTO


def service_of(kind: str) -> str | None:
    """Give the service that a tool of this type asks for."""
    if kind == _CODE:
        return "code_execution"
    return _SEARCH if kind == _SEARCH or kind.startswith(f"{_SEARCH}_") else None


def _filters(raw: Raw, place: Place) -> Iterator[ir.Option]:
    for key, value in place.at("filters").fields(raw).items():
        at = f"filters.{key}"
        if key in FILTERS and given(value):
            yield read_option(FILTERS[key], value, place, at)
        elif given(value):
            place.lose(at, f"not carried with {_SEARCH}", "change")


def read_choice(body: wire.Body, tools: tuple[ir.Tool, ...], place: Place) -> ir.ToolChoice | None:
    """Read tool_choice and parallel_tool_calls; without tools they say nothing."""
    choice = _choice(body.tool_choice, tools, place.at("tool_choice"))
    check_names(choice, tools, "tool_choice")
    if not tools:
        for field in ("tool_choice", "parallel_tool_calls"):
            if getattr(body, field) is not None:
                place.lose(field, NO_TOOLS)
        return None
    if body.parallel_tool_calls is None:
        return choice
    return structs.replace(choice or ir.ToolChoice(mode="auto"), parallel=body.parallel_tool_calls)


def _choice(choice: wire.Choice | str | None, tools: Iterable[ir.Tool], place: Place) -> ir.ToolChoice | None:
    if choice is None:
        return None
    if isinstance(choice, str):
        return mode_of(choice, place.path)
    if choice.type == "allowed_tools":
        return _allowed(choice, tools, place)
    if choice.mode is not None or choice.tools is not None:
        place.lose("mode" if choice.tools is None else "tools", f"ignored in a choice of type {choice.type}")
    names = _names(choice, tools, place, "change")
    return ir.ToolChoice(mode="named" if len(names) == 1 else "required", names=names) if names else None


def _allowed(choice: wire.Choice, tools: Iterable[ir.Tool], place: Place) -> ir.ToolChoice:
    if choice.tools is None:
        raise place.refuse("required, but missing", "tools")
    at = place.at("tools")
    names = [name for i, one in enumerate(choice.tools) for name in _names(one, tools, at.item(i), "hint")]
    if names:
        return ir.ToolChoice(mode=choice.mode or "auto", names=tuple(dict.fromkeys(names)))
    if choice.mode == "required":
        at.lose("", "none of them is available here", "change")
    return ir.ToolChoice(mode="none")


def _names(choice: wire.Named, tools: Iterable[ir.Tool], place: Place, severity: ir.Severity) -> tuple[str, ...]:
    """Give the tools that an entry stands for; none for what is not here."""
    kind, name = choice.type, choice.name
    if choice.server_label is not None:
        place.lose("server_label", f"ignored in a choice of type {kind}")
    if kind in _LEFT_OUT:
        place.lose("", _LEFT_OUT[kind][0], severity)
        return ()
    if builtin := service_of(kind):
        if all(tool.name != builtin for tool in tools):
            raise place.refuse(f"{kind} is not among the tools", "type", UndeclaredTool)
        return (builtin,)
    if kind in ("function", "custom", "namespace") and name is None:
        raise place.refuse("required, but missing", "name")
    if kind == "namespace":
        return tuple(tool.name for tool in tools if tool.namespace and tool.namespace[0] == name) or (f"{name}__*",)
    return (flat_name(choice.namespace, name or kind),)
