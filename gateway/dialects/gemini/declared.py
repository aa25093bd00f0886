"""What a request declares, calls and shows."""

from collections.abc import Iterable

from gateway import ir

__all__ = ["declared_by", "found_in", "functions_of", "services_of"]


def functions_of(request: ir.Request) -> list[ir.Tool]:
    """List the functions to declare; a forced choice of some of them has a field of its own, a free one has none."""
    functions = [tool for tool in request.tools if tool.builtin is None]
    choice = request.tool_choice
    if choice is None or not choice.names:
        return functions
    left_out = choice.left_out(functions)
    chosen = [tool for tool in functions if tool.name not in left_out]
    return functions if choice.mode == "required" and chosen else chosen


def services_of(request: ir.Request) -> list[ir.Tool]:
    """List the services of the upstream that may be used: no field but that of a service forbids it."""
    choice = request.tool_choice
    services = [tool for tool in request.tools if tool.builtin is not None]
    if choice is None:
        return services
    left_out = choice.left_out(services)
    return [tool for tool in services if choice.mode != "none" and tool.name not in left_out]


def declared_by(request: ir.Request) -> set[str]:
    """Give the names of the functions that it declares."""
    return {tool.name for tool in request.tools if tool.builtin is None}


def found_in(turns: Iterable[ir.Turn]) -> tuple[list[ir.Media], set[str]]:
    """Find all media, those of results too, and the names of the functions that were called."""
    media: list[ir.Media] = []
    called: set[str] = set()
    for turn in turns:
        for part in turn.parts:
            if type(part) is ir.Text:
                continue
            if isinstance(part, ir.ToolCall):
                called.add(part.name)
            elif isinstance(part, ir.ToolResult):
                media += [inner for inner in part.parts if isinstance(inner, ir.Media)]
            elif isinstance(part, ir.Media):
                media.append(part)
    return media, called
