"""Checks of `tools` and `toolConfig`: names, what may stand together, and the schemas of parameters."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fakes.v1internal_call import Call, Json
from tests.fakes.v1internal_errors import invalid
from tests.fakes.v1internal_turns import FUNCTION_NAME, NAME_RULE

FUNCTION_CALLING = "Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling"
# v1internal knows the first three; the others never get past its decoding
BUILT_IN = (
    "googleSearch",
    "urlContext",
    "codeExecution",
    "googleSearchRetrieval",
    "googleMaps",
    "fileSearch",
    "computerUse",
    "mcpServers",
)
BESIDE_ANY_OF = frozenset({"anyOf", "description", "nullable"})


def tools_filled(call: Call) -> None:
    """Each entry of `tools` is a tool."""
    for place, tool in enumerate(call.tools):
        if not tool.get("functionDeclarations") and not any(name in tool for name in BUILT_IN):
            raise invalid(
                f"* GenerateContentRequest.tools[{place}].tool_type: "
                "required one_of 'tool_type' must have one initialized field\n"
            )


def declaration_names(call: Call) -> None:
    """Functions are named by the rule."""
    for path, declaration in call.declarations:
        if not FUNCTION_NAME.fullmatch(declaration.get("name", "")):
            raise invalid(
                f"The GenerateContentRequest proto is invalid:\n  * {path}.name: [FIELD_INVALID] "
                f"Invalid function name. {NAME_RULE}"
            )


def names_unique(call: Call) -> None:
    """No function is declared twice."""
    seen: set[str] = set()
    for _, declaration in call.declarations:
        if declaration["name"] in seen:
            raise invalid(f"Duplicate function declaration found: {declaration['name']}")
        seen.add(declaration["name"])


def tools_unmixed(call: Call) -> None:
    """Built-in tools do not stand beside functions, whatever `includeServerSideToolInvocations` says."""
    if call.declarations and any(name in tool for tool in call.tools for name in BUILT_IN):
        raise invalid("Multiple tools are supported only when they are all search tools.")


def one_schema(call: Call) -> None:
    """Parameters are given in one of the two ways."""
    for path, declaration in call.declarations:
        if "parameters" in declaration and "parametersJsonSchema" in declaration:
            raise invalid(
                f"* GenerateContentRequest.{path}: parameters and parameters_json_schema are mutually exclusive.\n"
            )


def arrays_have_items(call: Call) -> None:
    """An array says what it holds (Claude does not ask)."""
    for path, node in () if call.model.is_claude else nodes(call):
        if node.get("type") == "ARRAY" and "items" not in node:
            raise invalid(f"* GenerateContentRequest.{path}.items: missing field.\n")


def required_defined(call: Call) -> None:
    """What is required is a property."""
    for path, node in nodes(call):
        for place, name in enumerate(node.get("required") or []):
            if name not in (node.get("properties") or {}):
                raise invalid(f"* GenerateContentRequest.{path}.required[{place}]: property is not defined\n")


def types_given(call: Call) -> None:
    """Each schema has a type or alternatives (Claude asks at the root only)."""
    for path, node in () if call.model.is_claude else nodes(call):
        if "type" not in node and "anyOf" not in node:
            raise invalid(
                f"Unable to submit request because `{path}` schema didn't specify the schema type field. "
                f"{FUNCTION_CALLING}"
            )


def any_of_alone(call: Call) -> None:
    """Alternatives have only a description beside them (Claude does not mind)."""
    for path, node in () if call.model.is_claude else nodes(call):
        if "anyOf" in node and set(node) - BESIDE_ANY_OF:
            raise invalid(
                f"Unable to submit request because `{path}` schema specified other fields alongside any_of. "
                f"When using any_of, it must be the only field set. {FUNCTION_CALLING}"
            )


def mode_has_functions(call: Call) -> None:
    """A call can be forced only where functions are declared."""
    if call.calling.get("mode") == "ANY" and not call.declarations:
        raise invalid("Function calling config is set without function_declarations.")


def allowed_names_declared(call: Call) -> None:
    """The allowed functions are declared."""
    declared = {declaration["name"] for _, declaration in call.declarations}
    for place, name in enumerate(call.calling.get("allowedFunctionNames") or []):
        if name not in declared:
            raise invalid(
                "* GenerateContentRequest.tool_config.function_calling_config."
                f"allowed_function_names[{place}]: `{name}` is not a declared function.\n"
            )


def allowed_names_in_mode(call: Call) -> None:
    """Functions are allowed by name only where calling is forced or validated."""
    if call.calling.get("allowedFunctionNames") and call.calling.get("mode") not in {"ANY", "VALIDATED"}:
        raise invalid(
            "* GenerateContentRequest.tool_config.function_calling_config.allowed_function_names: "
            "should only be set when the mode is ANY or VALIDATED.\n"
        )


def nodes(call: Call) -> Iterator[tuple[str, Json]]:
    """Visit the proto schemas; paths name properties as `properties[name]`."""
    for path, declaration in call.declarations:
        if "parameters" in declaration:
            yield from _below(f"{path}.parameters", declaration["parameters"])
    if "responseSchema" in call.config:
        yield from _below("generation_config.response_schema", call.config["responseSchema"])


def _below(path: str, node: Json) -> Iterator[tuple[str, Json]]:
    yield path, node
    for name, inner in (node.get("properties") or {}).items():
        yield from _below(f"{path}.properties[{name}]", inner)
    if "items" in node:
        yield from _below(f"{path}.items", node["items"])
    for place, inner in enumerate(node.get("anyOf") or []):
        yield from _below(f"{path}.any_of[{place}]", inner)
