"""Checks of `tools` that only the public API makes: which kinds go together, and what a proto schema says."""

from __future__ import annotations

from tests.fakes.v1internal_call import Call
from tests.fakes.v1internal_errors import invalid
from tests.fakes.v1internal_tools import BUILT_IN, nodes

__all__ = [
    "enums_of_strings",
    "formats_known",
    "one_kind_a_tool",
    "parameters_are_objects",
    "tools_combined",
]

FORMATS = {
    "STRING": ("enum", "date-time"),
    "NUMBER": ("float", "double"),
    "INTEGER": ("int32", "int64"),
}


def one_kind_a_tool(call: Call) -> None:
    """A tool object holds functions or one built-in tool: its kinds are a oneof."""
    for place, tool in enumerate(call.tools):
        given = [name for name in ("functionDeclarations", *BUILT_IN) if name in tool]
        if len(given) > 1:
            raise invalid(
                f"Invalid value at '{call.root}tools[{place}]' (oneof), oneof field 'tool_type' is already set. "
                f"Cannot set '{given[1]}'"
            )


def tools_combined(call: Call) -> None:
    """Built-in tools stand beside functions on Gemini 3 only, and there only with the flag."""
    if not call.declarations or not any(name in tool for tool in call.tools for name in BUILT_IN):
        return
    if not call.model.signed_calls:
        raise invalid("Tool use with function calling is unsupported by the model.")
    if not (call.request.get("toolConfig") or {}).get("includeServerSideToolInvocations"):
        raise invalid(
            "Please enable tool_config.include_server_side_tool_invocations "
            "to use Built-in tools with Function calling."
        )


def parameters_are_objects(call: Call) -> None:
    """Parameters are an object; a function without any leaves out the properties, or all, as LiteLLM and Agno do."""
    for path, declaration in call.declarations:
        schema = declaration.get("parameters")
        if schema is None:
            continue
        if schema.get("type") != "OBJECT":
            raise _wrong(f"{path}.parameters.type", "must be OBJECT")
        if schema.get("properties") == {}:
            raise _wrong(f"{path}.parameters.properties", "should be non-empty for OBJECT type")


def formats_known(call: Call) -> None:
    """A format is one of the few that its type has."""
    for path, node in nodes(call):
        known = FORMATS.get(node.get("type", ""))
        if "format" in node and known is not None and node["format"] not in known:
            shown = " and ".join(f"'{name}'" for name in known)
            raise _wrong(f"{path}.format", f"only {shown} are supported for {node['type']} type")


def enums_of_strings(call: Call) -> None:
    """Only strings are enumerated, and no member is empty."""
    for path, node in nodes(call):
        members = node.get("enum")
        if members is None:
            continue
        if node.get("type") != "STRING":
            raise _wrong(f"{path}.enum", "only allowed for STRING type")
        if not members and node.get("format") == "enum":
            raise _wrong(f"{path}.enum", "should be non-empty for STRING type with enum format")
        if "" in members:
            raise _wrong(f"{path}.enum[{members.index('')}]", "cannot be empty")


def _wrong(path: str, what: str) -> Exception:
    return invalid(f"* GenerateContentRequest.{path}: {what}\n")
