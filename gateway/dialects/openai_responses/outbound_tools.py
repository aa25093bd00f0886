"""Tools and the choice among them, for OpenAI Responses: functions flat, free-form tools and services beside them.

What the neutral form has no place for (a grammar, the options of a service, what a namespace is for) is taken from the
caller's own words, if they were those of this dialect.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Raw

from gateway import ir
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.openai_chat.outbound_models import abilities_of
from gateway.dialects.openai_chat.outbound_tools import forcible, is_strict
from gateway.dialects.outbound import OpenAITarget, emulated
from gateway.dialects.outbound_schema import MENDED, NO_PARAMETERS, parameters
from gateway.dialects.raw import MANY, NO_TEXT, NULL
from gateway.dialects.services import FILTERS, RESPONSES, carried, located

from .outbound_parts import JSON

__all__ = ["ToolWriter"]

_Declared = Mapping[str, Raw]

_NAMESPACE: Final = b'"namespace"'
_NO_TOOLS: Final = "there are no tools to choose from"
_SERVICES: Final[dict[str, JSON]] = {
    "web_search": {"type": "web_search"},
    "code_execution": {"type": "code_interpreter", "container": {"type": "auto"}},
}
_OPTIONS: Final = frozenset((*RESPONSES.values(), *FILTERS.values()))


class ToolWriter:
    """Writes the tools of one request.

    `custom`: by the caller's name, the free-form tools that go as such; `wrapped`: those that go as functions.
    `namespaces`: upstream name → (namespace, name), of tools that go within one.
    """

    def __init__(self, request: ir.Request, target: OpenAITarget, names: NameMap, losses: list[ir.Loss]) -> None:
        abilities = abilities_of(target.model)
        # Older models know functions only. Where nothing is known, it is the caller who knows.
        modern = (abilities.free_form or abilities.efforts is None) and not target.only_functions
        self._services = target.services
        self._request = request
        self._names = names
        self._losses = losses
        self._own = request.thread is not None
        self._declared: _Declared = {} if request.thread is None else _declared(request.thread)
        free_form = {tool.name for tool in request.tools if tool.free_form}
        self.custom = frozenset(free_form) if modern else frozenset[str]()
        self.wrapped = frozenset(free_form - self.custom)
        self.namespaces: dict[str, tuple[str, str]] = self._spaces() if modern else {}

    def write(self) -> JSON:
        """Give the fields of the body."""
        tools = list(self._tools())
        choice = self._request.tool_choice
        fields: JSON = {"tools": tools} if tools else {}
        if choice is None:
            return fields
        if not tools:
            self._lose("tool_choice", _NO_TOOLS)
            if choice.parallel is not None:
                self._lose("parallel_tool_calls", _NO_TOOLS)
            return fields
        fields["tool_choice"] = self._choice(choice)
        return fields if choice.parallel is None else fields | {"parallel_tool_calls": choice.parallel}

    def _lose(self, path: str, reason: str, severity: ir.Severity = "hint") -> None:
        self._losses.append(ir.Loss(path, reason, severity))

    def _spaces(self) -> dict[str, tuple[str, str]]:
        """Keep namespaces, unless the choice names a tool in one: there is no way to say that."""
        choice = self._request.tool_choice
        chosen = {*choice.names} if choice is not None else ()
        nested = [tool for tool in self._request.tools if f"{tool.path}.name" in self._declared]
        if any(tool.name in chosen for tool in nested):
            return {}
        return {self._names.upstream(tool.name): tool.namespace for tool in nested if tool.namespace}

    def _tools(self) -> Iterator[JSON]:
        spaces: dict[str, list[JSON]] = {}
        for tool in self._request.tools:
            within = self.namespaces.get(self._names.upstream(tool.name)) if tool.builtin is None else None
            if tool.builtin is not None:
                service = self._service(tool, tool.builtin)
                if service is not None:
                    yield service
            elif within is None:
                yield self._tool(tool, self._names.upstream(tool.name), tool.description)
            else:
                written = self._tool(tool, within[1], self._said(tool.path))
                if within[0] not in spaces:
                    spaces[within[0]] = []
                    about = self._said(tool.path.rpartition(".")[0])
                    about = within[0] if about in (None, NO_TEXT) else about  # Azure refuses an empty one, or none
                    yield {"type": "namespace", "name": within[0], "description": about, "tools": spaces[within[0]]}
                spaces[within[0]].append(written)

    def _said(self, path: str) -> object:
        """Give the description that stands in the caller's own words, without that of a namespace."""
        raw = self._declared.get(f"{path}.description", NULL)
        return None if raw == NULL else raw

    def _tool(self, tool: ir.Tool, name: str, description: object) -> JSON:
        said: JSON = {"name": name} if description is None else {"name": name, "description": description}
        if tool.name in self.custom:
            form = self._form(tool)
            return {"type": "custom", **said} | ({} if form is None else {"format": form})
        self._losses += emulated(tool, self._request.tool_choice)
        given = tool.schema or NO_PARAMETERS
        schema = forcible(parameters(given), strict=tool.strict)
        if schema != given:
            self._lose(f"{tool.path}.{tool.schema_path}".rstrip("."), MENDED)
        strict = self._strict(tool, schema)
        return {"type": "function", **said, "parameters": schema} | ({} if strict is None else {"strict": strict})

    def _form(self, tool: ir.Tool) -> object:
        """Give the form of the text for a free-form tool, None for any text."""
        said = self._declared.get(f"{tool.path}.format", NULL)
        grammar = tool.grammar
        if said != NULL or grammar is None:
            return None if said == NULL else said
        return {"type": "grammar", "syntax": grammar.syntax, "definition": grammar.definition}

    def _strict(self, tool: ir.Tool, schema: Raw) -> bool | None:
        """Say whether arguments are forced into the schema: here they are unless told otherwise."""
        if tool.strict and not is_strict(schema):
            inner, dot, _ = tool.schema_path.rpartition(".")
            self._lose(f"{tool.path}.{inner}{dot}strict", "the schema allows what strict calls do not support")
            return False
        return tool.strict if tool.strict is not None or self._own else False

    def _service(self, tool: ir.Tool, kind: str) -> JSON | None:
        if not self._services:
            self._lose(tool.path, f"this upstream has no {kind}", "change")
            return None
        fields = {
            key.removeprefix(f"{tool.path}."): raw
            for key, raw in self._declared.items()
            if key.startswith(f"{tool.path}.") and raw != NULL
        }
        if fields:
            return dict(fields)
        if kind not in _SERVICES:
            self._lose(tool.path, f"this upstream has no {kind}", "change")
            return None
        options = {one.name: located(one) for one in carried(tool, _OPTIONS, self._losses)}
        filters = {name: options.pop(name) for name in FILTERS.values() if name in options}
        return _SERVICES[kind] | options | ({"filters": filters} if filters else {})

    # the choice

    def _choice(self, choice: ir.ToolChoice) -> object:
        if not choice.names:
            return choice.mode
        tools: dict[str, ir.Tool] = {}
        for tool in self._request.tools:  # a function goes before a service of its name
            if tool.name not in tools or (tool.builtin is None and tools[tool.name].builtin is not None):
                tools[tool.name] = tool
        entries = [entry for name in choice.names if (entry := self._entry(name, tools.get(name))) is not None]
        if len(entries) < len(choice.names):
            self._lose("tool_choice", "it names a tool that this upstream does not have", "change")
        if choice.mode == "named":
            return entries[0] if entries else "auto"
        return {"type": "allowed_tools", "mode": choice.mode, "tools": entries} if entries else choice.mode

    def _entry(self, name: str, tool: ir.Tool | None) -> JSON | None:
        if tool is None or (tool.builtin is not None and not self._services):
            return None
        if tool.builtin is not None:
            given = self._declared.get(f"{tool.path}.type")
            return {"type": given} if given is not None else _kind(tool.builtin)
        return {"type": "custom" if name in self.custom else "function", "name": self._names.upstream(name)}


def _kind(builtin: str) -> JSON | None:
    service = _SERVICES.get(builtin)
    return None if service is None else {"type": service["type"]}


def _declared(thread: ir.Thread) -> _Declared:
    """Give the fields of all tools as the caller wrote them, by their paths."""
    tools = MANY.decode(thread.echo.get("tools", b"[]"))
    found = {f"tools[{i}].{key}": raw for i, tool in enumerate(tools) for key, raw in tool.items()}
    for i, tool in enumerate(tools):
        if bytes(tool.get("type", b"")) == _NAMESPACE:
            inner = MANY.decode(tool.get("tools", b"[]"))
            found |= {f"tools[{i}].tools[{j}].{key}": raw for j, one in enumerate(inner) for key, raw in one.items()}
    return found
