"""Changes that are none: two ways to say the same. Each with its reason; what stands here must be harmless."""

from __future__ import annotations

import re
from typing import Any, Final

from gateway.routes import DialectName

__all__ = ["is_none"]

ABSENT: Final = object()
_ANY: Final = None
_HIDDEN: Final = {"include_thoughts": False}
_AUTO: Final = {"mode": "AUTO"}
_LOW: Final = ("MEDIA_RESOLUTION_LOW", {"level": "MEDIA_RESOLUTION_LOW"}, ABSENT)

# where (a path in the caller's words), which values are one and the same, and why
_SAME: Final[dict[DialectName, tuple[tuple[str, tuple[Any, ...] | None, str], ...]]] = {
    "openai-chat": (
        (r"model", _ANY, "where it leads is decided before, and stands in the target"),
        (r"tools\[\d+\]\.type", ("function", ABSENT), "the default"),
        (r".*\.tool_calls\[\d+\]\.type", _ANY, "which of its fields is filled says it"),
        (r".*\.(thinking_blocks|reasoning_details)\[\d+\]\.type", _ANY, "which of its fields is filled says it"),
        (r"tool_choice(\.allowed_tools\.tools\[\d+\])?\.type", _ANY, "which of its fields is filled says it"),
        (r".*\.tool_calls\[\d+\]\.index", (0, 1, ABSENT), "its place in the list; another number is told"),
        (
            r"messages\[\d+\]\.name",
            ("weather", ABSENT),
            "a result is identified by the name of its call; another is told",
        ),
        (r".*\.arguments", ("{}", "", ABSENT), "a call without arguments"),
        (r"(tools\[\d+\]\.function|functions\[\d+\])\.parameters\b.*\.type", ("object", "string", ABSENT), "implied"),
        (r"response_format\.json_schema\.schema\b.*\.type", ("object", "string", ABSENT), "implied"),
        (r"tools\[\d+\]\.custom\.format", ({"type": "text"}, ABSENT), "the default"),
        (r"tool_choice", ("auto", ABSENT), "the default"),
        (r"tool_choice\.allowed_tools\.mode", ("auto", ABSENT), "the default"),
        (r"parallel_tool_calls", (True, ABSENT), "the default"),
        (r"modalities", (["text"], ABSENT), "the default"),
        (r"response_format", ({"type": "text"}, ABSENT), "the default"),
        (r"function_call", ("auto", ABSENT), "the default"),
        (r"stream", (False, ABSENT), "the default"),
        (r"stream_options(\.include_usage)?", (False, {"include_usage": False}, ABSENT), "the default"),
        (r"logprobs", (False, ABSENT), "the default"),
        (r".*\.strict", (False, ABSENT), "the default"),
        (r".*\.detail", ("low", ABSENT), "the detail applies to the whole request"),
        (r"n", (1, ABSENT), "the default"),
        (r"reasoning\.exclude", (False, ABSENT), "the default"),
        (r"reasoning_effort", ("none", ABSENT), "as the configured policy has Claude"),
        (r".*\.thinking_(level|budget)", ("none", 0, ABSENT), "as the configured policy has Claude"),
        (r"reasoning", ({"enabled": True}, ABSENT), "as the configured policy has it"),
        (r"reasoning\.effort", ("high", ABSENT), "what Claude does when thinking is enabled"),
        (r"reasoning\.enabled", (True, ABSENT), "the default beside an amount"),
        (r"thinking\.display", ("summarized", ABSENT), "the default"),
        (r"thinking", ({"type": "enabled"}, {"type": "adaptive"}, ABSENT), "as the configured policy has it"),
        (r".*\.include_thoughts", (True, ABSENT), "the default"),
        (
            r"(.*\.)?google(\.thinking_config)?",
            ({"include_thoughts": True}, {"thinking_config": {"include_thoughts": True}}, ABSENT),
            "the default",
        ),
        (
            r"google(\..*)?",
            (_HIDDEN, {"thinking_config": _HIDDEN}, False, ABSENT),
            "a model without thoughts shows none",
        ),
    ),
    "openai-responses": (
        (r"model", _ANY, "where it leads is decided before, and stands in the target"),
        (r"input\[\d+\]\.(id|status)", _ANY, "its name, and how far it had come, say nothing to a model"),
        (r"input\[\d+\]\.(author|recipient)", _ANY, "what one agent tells another begins with them"),
        (r"input\[\d+\]\.type", ("message", ABSENT), "the default"),
        (r"input\[\d+\]\.role", ("developer", "user", ABSENT), "who adds tools: the role of a message shows"),
        (r".*\.(content|output)\[\d+\]\.type", ("input_text", "output_text", "text"), "three names of words"),
        (r".*\.(summary|content)\[\d+\]\.type", _ANY, "where it stands says what it is"),
        (r"(.*\.)?tools\[\d+\]\.type", ("function", ABSENT), "the default"),
        (r"tools\[\d+\]\.type", ("web_search", "web_searchx"), "any version of a built-in tool is one service"),
        (r"tools\[\d+\]\.user_location\.type", ("approximate", ABSENT), "the only one"),
        (r"tool_choice(\.tools\[\d+\])?\.type", ("function", "functionx"), "its name says it"),
        (r".*\.arguments", ("{}", "", ABSENT), "a call without arguments"),
        (r".*\.output_format", ("png", ABSENT), "the first bytes tell"),
        (r".*tools\[\d+\]\.parameters\b.*\.type", ("object", "string", ABSENT), "implied"),
        (r"text\.format\.schema\b.*\.type", ("object", "string", ABSENT), "implied"),
        (r"tools\[\d+\]\.format", ({"type": "text"}, ABSENT), "the default"),
        (r"text(\.format)?", ({"type": "text"}, {"format": {"type": "text"}}, ABSENT), "the default"),
        (r".*\.detail", ("auto", "low", ABSENT), "the detail applies to the whole request"),
        (r".*\.detail", ("high", ABSENT), "another picture asks for it, too: it is one for all"),
        (r"tool_choice(\.mode)?", ("auto", ABSENT), "the default"),
        (r"parallel_tool_calls", (True, ABSENT), "the default"),
        (r"(stream|.*\.strict)", (False, ABSENT), "the default"),
        (r"store", (True, ABSENT), "the default"),
        (r"truncation", ("disabled", ABSENT), "the default"),
        (r"top_logprobs", (0, ABSENT), "the default"),
        (r"reasoning\.(generate_)?summary", ("none", ABSENT), "the default"),
        (r"include", (["reasoning.encrypted_content"], ABSENT), "there in any case when the answer is not kept"),
        (r"reasoning\.effort", ("none", ABSENT), "as the configured policy has Claude"),
    ),
    "anthropic": (
        (r"model", _ANY, "where it leads is decided before, and stands in the target"),
        (r"tools\[\d+\]\.user_location\.type", ("approximate", ABSENT), "the only one"),
        (r"tools\[\d+\]\.(type|name)", _ANY, "any version of a built-in tool is one service, and fixes its name"),
        (
            r".*\.source\.media_type",
            ("image/png", "image/gif", "application/pdf", "text/plain", ABSENT),
            "the first bytes tell",
        ),
        (r"stream", (False, ABSENT), "the default"),
        (r"thinking\.display", ("summarized", ABSENT), "the default"),
        (r"tools\[\d+\]\.input_schema", ({"type": "object"}, ABSENT), "an object of anything"),
        (r"tools\[\d+\]\.input_schema\b.*\.type", ("object", "string", ABSENT), "implied"),
        (r"output_(config\.)?format\.schema\b.*\.type", ("object", "string", ABSENT), "implied"),
        (r"thinking", ({"type": "disabled"}, ABSENT), "as the configured policy has Claude"),
        (r"tool_choice\.disable_parallel_tool_use", (False, ABSENT), "the default"),
        (
            r"tool_choice",
            ({"type": "auto"}, {"type": "auto", "disable_parallel_tool_use": False}, ABSENT),
            "the default",
        ),
        (r".*\.(strict|is_error)", (False, ABSENT), "the default"),
    ),
    "gemini": (
        (r"contents\[\d+\]\.role", ("user", ABSENT), "the default"),
        (r"systemInstruction\.role", _ANY, "an instruction has no speaker"),
        (
            r".*\.inlineData\.mimeType",
            ("image/png", "image/gif", "application/pdf", ABSENT),
            "the first bytes tell",
        ),
        (r".*\.text", ("", ABSENT), "a signature may stand alone"),
        (r".*\.thought", (False, ABSENT), "the default"),
        (r".*\.mediaResolution(\.level)?", _LOW, "there is one for the whole request"),
        (
            r".*\.functionResponse\.(id|name)",
            ("c1", "c2", "weather", "sum", ABSENT),
            "the call is found by the other one",
        ),
        (
            r"toolConfig\.functionCallingConfig\.allowedFunctionNames",
            (["weather", "sum"], ABSENT),
            "all of them, or any of them",
        ),
        (r"tools\b.*\.parameters(JsonSchema)?\b.*\.type", ("OBJECT", "object", "string", ABSENT), "implied"),
        (r"generationConfig\.response(Json)?Schema\b.*\.type", ("STRING", "object", ABSENT), "implied"),
        (r".*\.propertyOrdering\[\d+\]", _ANY, "a name that no property has orders nothing; a change of order shows"),
        (r".*\.thinkingLevel", ("HIGH", ABSENT), "what Claude does when thoughts are asked for"),
        (r".*\.includeThoughts", (False, ABSENT), "the default"),
        (
            r"generationConfig\.thinkingConfig",
            ({"includeThoughts": False}, {"thinkingBudget": 0}, ABSENT),
            "the default, of Claude at least",
        ),
        (r".*\.thinkingBudget", (0, ABSENT), "what Claude does by itself"),
        (r"generationConfig\.responseLogprobs", (False, ABSENT), "the default"),
        (r"generationConfig\.logprobs", (0, ABSENT), "the default"),
        (
            r"generationConfig",
            ({"responseLogprobs": False}, {"thinkingConfig": {"includeThoughts": False}}, ABSENT),
            "the default",
        ),
        (r"generationConfig\.candidateCount", (0, 1, ABSENT), "the default"),
        (r"generationConfig\.responseMimeType", ("text/plain", ABSENT), "the default"),
        (r"generationConfig\.responseModalities", (["TEXT"], ABSENT), "the default"),
        (r"toolConfig\.functionCallingConfig\.mode", ("AUTO", "auto", ABSENT), "the default"),
        (r"toolConfig", ({"function_calling_config": _AUTO}, {"functionCallingConfig": _AUTO}, ABSENT), "the default"),
        (r"toolConfig\.functionCallingConfig", (_AUTO, ABSENT), "the default"),
    ),
}


def is_none(dialect: DialectName, path: str, before: object, after: object) -> bool:
    """Tell whether two values in this place say the same."""
    return any(
        re.fullmatch(where, path) is not None and (same is None or (before in same and after in same))
        for where, same, _ in _SAME[dialect]
    )
