"""Write tools, and the choice among them."""

from collections.abc import Collection, Iterator
from typing import Final, Literal

import msgspec
from msgspec import Raw, Struct

from gateway import ir
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.schema_facets import is_list, is_object
from gateway.dialects.outbound import emulated
from gateway.dialects.outbound_schema import MENDED, NO_PARAMETERS, parameters
from gateway.dialects.patterns import without_defaults
from gateway.dialects.rewriting import rewriting
from gateway.dialects.services import carried

from .outbound_models import Abilities

__all__ = ["Tools", "forcible", "is_strict", "write_tools"]

_NO_FUNCTIONS: Final = "there are no functions to call"
_SEARCH: Final = "web_search_options"
_OPTIONS: Final[frozenset[ir.OptionName]] = frozenset({"search_context_size", "user_location"})
_UNFORCED: Final = frozenset(
    {
        *("allOf", "oneOf", "not", "if", "then", "else", "default", "prefixItems", "uniqueItems", "contains"),
        *("minContains", "maxContains", "patternProperties", "propertyNames", "unevaluatedProperties"),
        *("dependentRequired", "dependentSchemas"),
    }
)
_SAYING: Final = frozenset({"type", "anyOf", "$ref", "enum", "const"})
_MAPS: Final = ("properties", "$defs", "definitions")

Kind = Literal["function", "custom"]


class Tools(Struct, frozen=True, kw_only=True):
    """What is written of tools: fields of the body, and the upstream names of free-form tools; see OpenAIWritten."""

    fields: dict[str, object]
    custom: frozenset[str] = frozenset()
    wrapped: frozenset[str] = frozenset()


def write_tools(request: ir.Request, names: NameMap, abilities: Abilities, losses: list[ir.Loss]) -> Tools:
    """Write `tools` and what chooses among them."""
    return _Writer(request, names, abilities, losses).write()


class _Writer:
    def __init__(self, request: ir.Request, names: NameMap, abilities: Abilities, losses: list[ir.Loss]) -> None:
        self._names = names
        self._abilities = abilities
        self._losses = losses
        self._paths = request.paths
        self._model = request.model
        functions = [tool for tool in request.tools if tool.builtin is None]
        declared = {tool.name for tool in functions}
        self._choice = request.tool_choice
        self._chosen = [name for name in request.tool_choice.names if name in declared] if request.tool_choice else []
        self._functions = functions if self._may_all_stand() else self._narrowed(functions)
        services = [tool for tool in request.tools if tool.builtin is not None]
        self._serviced = bool(services)
        self._builtin = self._narrowed(services)
        self._left_out: Collection[str] = ()

    def write(self) -> Tools:
        fields: dict[str, object] = {}
        free_form = frozenset(self._names.upstream(tool.name) for tool in self._functions if tool.free_form)
        if free_form and self._choice is not None:
            self._left_out = self._choice.left_out(self._functions)
        if self._functions:
            fields["tools"] = [self._tool(tool) for tool in self._functions]
        fields |= self._choosing() | self._services()
        if self._abilities.free_form:
            return Tools(fields=fields, custom=free_form)
        return Tools(fields=fields, wrapped=free_form)

    def _lose(self, path: str, reason: str, severity: ir.Severity = "hint") -> None:
        self._losses.append(ir.Loss(self._paths.get(path, path), reason, severity))

    def _may_all_stand(self) -> bool:
        """Tell whether a choice narrowed to some of the functions, if it is, can be said without hiding the others."""
        return self._abilities.subsets and bool(self._chosen)

    def _narrowed(self, tools: list[ir.Tool]) -> list[ir.Tool]:
        choice = self._choice
        if choice is None:
            return tools
        kept, left_out = list[ir.Tool](), choice.left_out(tools)
        for tool in tools:
            if tool.name in left_out or (tool.builtin is not None and choice.mode == "none"):
                self._lose(tool.path, "the tool choice excludes it")
            else:
                kept.append(tool)
        return kept

    def _tool(self, tool: ir.Tool) -> dict[str, object]:
        written: dict[str, object] = {"name": self._names.upstream(tool.name)}
        if tool.description is not None:
            written["description"] = tool.description
        if tool.free_form and self._abilities.free_form:
            return {"type": "custom", "custom": written | _form(tool.grammar)}
        if tool.name not in self._left_out:
            self._losses += emulated(tool, self._choice)
        given = tool.schema or NO_PARAMETERS
        schema = forcible(parameters(given), strict=tool.strict)
        if schema != given:
            self._lose(f"{tool.path}.{tool.schema_path}".rstrip("."), MENDED)
        written["parameters"] = schema
        if tool.strict is not None and (not tool.strict or is_strict(schema)):
            written["strict"] = tool.strict
        elif tool.strict:
            inner, dot, _ = tool.schema_path.rpartition(".")
            self._lose(f"{tool.path}.{inner}{dot}strict", "the schema allows what strict calls do not support")
        return {"type": "function", "function": written}

    def _services(self) -> dict[str, object]:
        """Ask for the search that this upstream has itself; only some models do."""
        found: dict[str, object] = {}
        for tool in self._builtin:
            known = tool.path == _SEARCH or "search" in self._model.lower()
            if tool.builtin == "web_search" and known:
                found[_SEARCH] = {one.name: _located(one) for one in carried(tool, _OPTIONS, self._losses)}
            else:
                self._lose(tool.path, f"this model has no {tool.builtin}", "change")
        return found

    # the choice

    def _choosing(self) -> dict[str, object]:
        choice = self._choice
        if choice is None:
            return {}
        if not self._functions:
            forced = bool(self._builtin) and choice.mode in ("required", "named")
            if choice.mode != "none" or self._serviced:  # what it leaves out may not have been there to begin with
                self._lose("tool_choice", _NO_FUNCTIONS, "change" if forced else "hint")
            if choice.parallel is not None:
                self._lose("parallel_tool_calls", _NO_FUNCTIONS)  # refused without tools
            return {}
        fields = {"tool_choice": self._mode(choice)}
        if choice.parallel is not None and self._abilities.parallel:
            fields["parallel_tool_calls"] = choice.parallel
        elif choice.parallel is not None:
            self._lose(
                "parallel_tool_calls",
                "this model does not support this option",
                "hint" if choice.parallel or choice.mode == "none" else "change",
            )
        return fields

    def _mode(self, choice: ir.ToolChoice) -> object:
        if len(self._chosen) < len(choice.names):
            self._lose("tool_choice", "only functions can be named in the tool choice", "change")
        if choice.mode == "named":
            return next(self._entries(), "auto")
        if choice.mode == "none" or not self._chosen or not self._abilities.subsets:
            return choice.mode
        allowed = {"mode": choice.mode, "tools": list(self._entries())}
        return {"type": "allowed_tools", "allowed_tools": allowed}

    def _entries(self) -> Iterator[dict[str, object]]:
        free_form = {tool.name for tool in self._functions if tool.free_form and self._abilities.free_form}
        for name in self._chosen:
            kind: Kind = "custom" if name in free_form else "function"
            yield {"type": kind, kind: {"name": self._names.upstream(name)}}


def _located(one: ir.Option) -> object:
    return {"type": "approximate", "approximate": one.value} if one.name == "user_location" else one.value


def _form(grammar: ir.Grammar | None) -> dict[str, object]:
    if grammar is None:
        return {}
    said = {"syntax": grammar.syntax, "definition": grammar.definition}
    return {"format": {"type": "grammar", "grammar": said}}


def forcible(schema: Raw, *, strict: bool | None) -> Raw:
    """Give a schema without its defaults if that is all that stands between it and strict mode, else itself.

    All properties are required there, so no default is ever taken. Azure refuses them.
    """
    return _bare(schema) if strict else schema


@rewriting
def _bare(schema: object) -> object:
    bare = without_defaults(schema)
    return bare if _forced(bare) else schema


def is_strict(schema: Raw) -> bool:
    """Tell whether a schema keeps the rules of strict mode.

    Every object is closed, and all its properties are required; a reference stands alone; and there is nothing that
    calls are not forced into.
    https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    """
    return _forced(msgspec.json.decode(schema))


def _forced(schema: object) -> bool:
    if not is_object(schema):
        return True
    if schema.keys() & _UNFORCED or not schema.keys() & _SAYING or ("$ref" in schema and len(schema) > 1):
        return False
    kind, properties = schema.get("type"), schema.get("properties")
    if kind == "object" or (is_list(kind) and "object" in kind) or properties is not None:
        required = schema.get("required")
        if schema.get("additionalProperties") is not False or not is_list(required):
            return False
        named = {name for name in required if isinstance(name, str)}
        if is_object(properties) and properties.keys() != named:
            return False
    return all(map(_forced, _inner(schema)))


def _inner(schema: dict[str, object]) -> Iterator[object]:
    yield schema.get("items")
    branches = schema.get("anyOf")
    yield from branches if is_list(branches) else ()
    for key in _MAPS:
        members = schema.get(key)
        yield from members.values() if is_object(members) else ()
