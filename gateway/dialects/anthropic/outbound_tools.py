"""Write tools, and the choice among them."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from gateway import ir
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.outbound import emulated
from gateway.dialects.outbound_marks import Marks
from gateway.dialects.outbound_schema import NO_PARAMETERS
from gateway.dialects.services import MESSAGES, carried, located

from .outbound_schema import MENDED, parameters, strict
from .outbound_target import NOT_STRICT, UNFORCED, AnthropicTarget

__all__ = ["Tools", "forced", "write_tools"]

JSON = dict[str, object]

_SERVICES: Final = {
    "web_search": "web_search_20250305",
    "web_fetch": "web_fetch_20250910",
    "code_execution": "code_execution_20250825",
}
_MODES: Final = {"auto": "auto", "none": "none", "required": "any", "named": "tool"}
_NO_TOOLS: Final = "there are no tools to choose from"
_LOOSE: Final = "the schema has what strict calls do not support"
_ANYTHING: Final = {"type": "object"}


class Tools(Struct, frozen=True, kw_only=True):
    """What is written of tools: fields of the body, and the upstream names of free-form tools."""

    fields: JSON
    wrapped: frozenset[str] = frozenset()


def forced(request: ir.Request) -> bool:
    """Tell whether the caller has a tool called, whatever the model finds."""
    choice = request.tool_choice
    return bool(request.tools) and choice is not None and choice.mode in ("required", "named")


def write_tools(
    request: ir.Request, target: AnthropicTarget, names: NameMap, marks: Marks, losses: list[ir.Loss], *, thinks: bool
) -> Tools:
    """Write `tools` and `tool_choice`; `thinks`: whether the model thinks by a budget, so that none can be forced."""
    return _Writer(request, target, names, marks, losses, thinks=thinks).write()


class _Writer:
    def __init__(
        self,
        request: ir.Request,
        target: AnthropicTarget,
        names: NameMap,
        marks: Marks,
        losses: list[ir.Loss],
        *,
        thinks: bool,
    ) -> None:
        self._request = request
        self._target = target
        self._names = names
        self._marks = marks
        self._losses = losses
        self._thinks = thinks
        self._choice = request.tool_choice
        self._others = self._choice.left_out(request.tools) if self._choice is not None else frozenset[str]()
        self._taken: set[str] = set()

    def write(self) -> Tools:
        chosen = [tool for tool in self._request.tools if not self._left_out(tool)]
        functions = [tool for tool in chosen if tool.builtin is None]
        self._taken |= {self._names.upstream(tool.name) for tool in functions}
        written = list[JSON]()  # in the caller's order: a mark holds for all that stands before it
        for tool in chosen:
            if tool.builtin is None:
                written.append(self._marks.on(self._function(tool), tool.mark))
            else:
                written += self._service(tool)
        wrapped = frozenset(self._names.upstream(tool.name) for tool in functions if tool.free_form)
        if not written:
            self._lose_choice()
            return Tools(fields=self._of_history())
        return Tools(fields={"tools": written, **self._choosing()}, wrapped=wrapped)

    def _lose(self, path: str, reason: str, severity: ir.Severity = "hint") -> None:
        self._losses.append(ir.Loss(path, reason, severity))

    def _left_out(self, tool: ir.Tool) -> bool:
        """Tell whether a choice narrowed to some of the tools leaves this one out: the others are not declared."""
        if tool.name not in self._others:
            return False
        self._lose(tool.path, "the tool choice excludes it")
        return True

    def _function(self, tool: ir.Tool) -> JSON:
        given = tool.schema or NO_PARAMETERS
        schema = parameters(given)
        where = f"{tool.path}.{tool.schema_path}".rstrip(".")
        self._losses += emulated(tool, self._choice)
        if schema != given:
            self._lose(where, MENDED)
        written: JSON = {"name": self._names.upstream(tool.name)}
        if tool.description:
            written["description"] = tool.description
        held = strict(schema) if tool.strict and self._target.structured else None
        if held is not None and not held.dropped:
            return {**written, "input_schema": held.schema, "strict": True}
        if tool.strict:
            inner, dot, _ = where.rpartition(".")
            reason = _LOOSE if self._target.structured else NOT_STRICT
            self._lose(f"{inner}{dot}strict", reason)
        return {**written, "input_schema": schema}

    def _service(self, tool: ir.Tool) -> Iterator[JSON]:
        builtin = tool.builtin or ""
        kind = _SERVICES.get(builtin) if builtin in self._target.services else None
        if kind is None:
            self._lose(tool.path, f"this upstream has no {builtin}", "change")
        elif builtin in self._taken:
            self._lose(tool.path, f"another tool is also called {builtin}", "change")
        else:
            self._taken.add(builtin)
            options: JSON = {one.name: located(one) for one in carried(tool, MESSAGES.values(), self._losses)}
            yield {"type": kind, "name": builtin, **options}

    def _of_history(self) -> JSON:
        """Declare what was called before: the service wants tools where there are calls. None of them may be called."""
        parts = (part for turn in self._request.turns for part in turn.parts)
        called = dict.fromkeys(self._names.upstream(part.name) for part in parts if isinstance(part, ir.ToolCall))
        if not called:
            return {}
        return {
            "tools": [{"name": name, "input_schema": _ANYTHING} for name in called],
            "tool_choice": {"type": "none"},
        }

    # the choice

    def _lose_choice(self) -> None:
        if self._choice is not None:
            self._lose("tool_choice", _NO_TOOLS)
            if self._choice.parallel is not None:
                self._lose("parallel_tool_calls", _NO_TOOLS)

    def _choosing(self) -> JSON:
        choice = self._choice
        if choice is None:
            return {}
        written = self._mode(choice)
        if choice.parallel is False and written["type"] == "none":
            self._lose("parallel_tool_calls", "no tool may be called")
        elif choice.parallel is False:
            written["disable_parallel_tool_use"] = True
        return {"tool_choice": written}

    def _mode(self, choice: ir.ToolChoice) -> JSON:
        if self._thinks and choice.mode in ("required", "named"):
            self._lose("tool_choice", "Claude cannot be forced to call a tool while it thinks with a budget", "change")
            return {"type": "auto"}
        if not self._target.forced and choice.mode in ("required", "named"):
            self._lose("tool_choice", UNFORCED, "change")
            return {"type": "auto"}
        declared = {tool.name: tool for tool in self._request.tools}
        named = [name for name in map(self._called, filter(None, map(declared.get, choice.names))) if name]
        if len(named) < len(choice.names):
            self._lose("tool_choice", "one of these tools is not available here", "change")
        if choice.mode == "named":
            return {"type": "tool", "name": named[0]} if named else {"type": "auto"}
        return {"type": _MODES[choice.mode]}

    def _called(self, tool: ir.Tool) -> str:
        """Give the name by which a declared tool can be chosen."""
        name = self._names.upstream(tool.name) if tool.builtin is None else tool.builtin
        return name if name in self._taken else ""
