"""The fields of OpenAI Responses."""

from __future__ import annotations

from typing import Any, Final

from gateway import ir
from tests.properties.leaves.material import ANSWER, MARK, PDF, PNG, POINT, SCHEMA, SIGNED, WAV, Json

from .chat import MAKERS, PICTURE, PLAIN
from .probing import Group, hold, one

__all__ = ["RESPONSES"]

GO: Final = {"role": "user", "content": "Go on."}
CALL: Final = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Rome"}'}
OUTPUT_OF: Final = {"type": "function_call_output", "call_id": "call_1", "output": "blue"}
FREE: Final = {"type": "custom_tool_call", "call_id": "call_1", "name": "sql", "input": "select 1"}
FREED: Final = {"type": "custom_tool_call_output", "call_id": "call_1", "output": "1"}
SQL: Final = {"type": "custom", "name": "sql", "description": "Asks."}
CHOICE: Final = {"type": "function", "name": "sum"}


def response(**fields: Any) -> Json:
    """Ask something short over Responses."""
    return {"model": "m", "input": "hi", **fields}


def function(name: str = "weather") -> Json:
    """Declare a function as Responses does."""
    return {"type": "function", "name": name, "description": "Tells it.", "parameters": PLAIN}


def items(*given: Json, **fields: Any) -> Json:
    """Let these items stand before a last word."""
    return response(input=[*given, GO], **fields)


def said(*parts: Any) -> Json:
    """Let a user say words and these parts."""
    return response(input=[{"role": "user", "content": [{"type": "input_text", "text": "What?"}, *parts]}])


def thought(family: ir.Family) -> Json:
    """Think as a model of a family did before a call; Gemini signs the call, the others their thoughts."""
    signature = ir.Signature(family, SIGNED, "f" if family == "gemini" else "t")
    summary = [{"type": "summary_text", "text": "Hm."}]
    return {"type": "reasoning", "summary": summary, "encrypted_content": ir.seal(signature)}


_TWO: Final = [function(), function("sum")]
_SPACE: Final = {"type": "namespace", "name": "sky", "description": "Above.", "tools": [function(), function("sum")]}
_STORED: Final = "what it names is read from the gateway's own store"
_AGAIN: Final = "its name, and how far it had come, say nothing to a model"
CONVERSATION: Final = (
    *hold(response(), "model", idle="it leads to the upstream, which has its own name for it"),
    *hold(response(), "input"),
    *hold(response(instructions="Be brief."), "instructions"),
    *hold(items({"role": "user", "content": "hi"}), "input[user]"),
    *hold(items({"role": "system", "content": "Be kind."}), "input[system]"),
    *hold(items({"role": "developer", "content": "Be kind."}), "input[developer]"),
    *hold(items(GO, {"role": "developer", "content": "Be kind."}), "input[developer] (later)"),
    *hold(items({"role": "assistant", "content": "Yes."}), "input[assistant]", "input[].content", "input[].role"),
    *hold(
        items({"type": "message", "role": "assistant", "content": "Yes.", "id": "msg_1", "status": "completed"}),
        "input[].type",
        "input[].id",
        "input[].status",
        idle=_AGAIN,
    ),
    *hold(items({"role": "assistant", "content": "Yes.", "phase": "commentary"}), "input[].phase"),
    *hold(items(CALL, OUTPUT_OF), "input[function_call].name", "input[function_call].arguments"),
    *hold(items(CALL, OUTPUT_OF), "input[function_call].call_id", "input[function_call]"),
    *hold(items({**CALL, "namespace": "sky"}, OUTPUT_OF, tools=[_SPACE]), "input[function_call].namespace"),
    *hold(items(CALL, OUTPUT_OF), "input[function_call_output]", "input[function_call_output].output"),
    *hold(items(CALL, OUTPUT_OF), "input[function_call_output].call_id"),
    *hold(
        items(CALL, {**OUTPUT_OF, "name": "weather", "namespace": "sky"}),
        "input[function_call_output].name",
        "input[function_call_output].namespace",
        idle="a result is identified by the name of its call",
    ),
    *hold(items(FREE, FREED, tools=[SQL]), "input[custom_tool_call]", "input[custom_tool_call].name"),
    *hold(items(FREE, FREED, tools=[SQL]), "input[custom_tool_call].input", "input[custom_tool_call].call_id"),
    *hold(items({**FREE, "namespace": "sky"}, FREED, tools=[SQL]), "input[custom_tool_call].namespace"),
    *hold(items(FREE, FREED, tools=[SQL]), "input[custom_tool_call_output]"),
    *hold(response(previous_response_id="resp_1"), "previous_response_id", idle=_STORED),
    *hold(response(store=False), "store"),
    *hold(response(conversation="conv_1"), "conversation"),
    *hold(response(prompt={"id": "pmpt_1"}), "prompt"),
    *hold(response(background=True), "background"),
    *hold(response(background_options={"completion_window": "soonest"}), "background_options"),
)

_SHELL: Final = {"type": "local_shell_call", "call_id": "call_1", "action": {"type": "exec", "command": ["ls"]}}
_SHOWN: Final = {"type": "local_shell_call_output", "id": "call_1", "output": "a.txt"}
_RUN: Final = {"type": "shell_call", "call_id": "call_1", "action": {"commands": ["ls"]}}
_RAN: Final = {"type": "shell_call_output", "call_id": "call_1", "output": [], "max_output_length": 9}
_PATCH: Final = {"type": "apply_patch_call", "call_id": "call_1", "operation": {"type": "delete_file", "path": "a"}}
_PATCHED: Final = {"type": "apply_patch_call_output", "call_id": "call_1", "status": "failed", "output": "no"}
_DRAWN: Final = {"type": "image_generation_call", "id": "ig_1", "result": PNG, "output_format": "png"}
_WORD: Final = {"type": "encrypted_content", "encrypted_content": "Go."}
_TOLD: Final = {"type": "agent_message", "author": "/lead", "recipient": "/lead/a", "content": [_WORD]}
_JOINED: Final = {"type": "additional_tools", "role": "developer", "tools": [function()]}
_FOUND: Final = {"type": "tool_search_output", "call_id": "t", "execution": "client", "tools": [function()]}
_HOSTED: Final = (
    {"type": "code_interpreter_call", "id": "i", "code": "1", "container_id": "c", "status": "completed"},
    {"type": "computer_call", "id": "i", "call_id": "c", "action": {"type": "wait"}, "status": "completed"},
    {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"}},
    {"type": "file_search_call", "id": "i", "queries": ["x"], "status": "completed"},
    {"type": "mcp_approval_request", "id": "i", "arguments": "{}", "name": "n", "server_label": "s"},
    {"type": "mcp_approval_response", "approval_request_id": "i", "approve": True},
    {"type": "mcp_call", "id": "i", "arguments": "{}", "name": "n", "server_label": "s"},
    {"type": "mcp_list_tools", "id": "i", "server_label": "s", "tools": []},
    {"type": "program", "id": "i", "call_id": "c", "code": "1", "fingerprint": "f"},
    {"type": "program_output", "id": "i", "call_id": "c", "result": "1", "status": "completed"},
    {"type": "tool_search_call", "arguments": {}, "call_id": "c", "execution": "server"},
    {"type": "web_search_call", "id": "i", "status": "completed"},
)
_UPDATED: Final = {
    "type": "configuration_update",
    "reasoning": {"effort": "low"},
    "text": {"format": {"type": "json_object"}},
}
_OTHERS: Final = (
    {"type": "compaction", "encrypted_content": "x"},
    {"type": "compaction_trigger"},
)
ITEMS: Final = (
    *hold(items(GO, {"type": "item_reference", "id": "msg_1"}), "input[item_reference]", idle=_STORED),
    *(probe for item in (*_HOSTED, *_OTHERS) for probe in hold(items(GO, item), f"input[{item['type']}]")),
    *hold(items(_SHELL, _SHOWN), "input[local_shell_call] (undeclared)", "input[local_shell_call_output] (undeclared)"),
    *hold(items(_SHELL, _SHOWN, tools=[function("local_shell")]), "input[local_shell_call]"),
    *hold(items(_SHELL, _SHOWN, tools=[function("local_shell")]), "input[].action", others=({"type": "exec"},)),
    *hold(items(_SHELL, _SHOWN, tools=[function("local_shell")]), "input[local_shell_call_output]", "input[].output"),
    *hold(items(_RUN, _RAN, tools=[function("shell")]), "input[shell_call]", "input[shell_call_output]"),
    *hold(items(_RUN, _RAN, tools=[function("shell")]), "input[].max_output_length"),
    *hold(items(_PATCH, _PATCHED, tools=[function("apply_patch")]), "input[apply_patch_call]"),
    *hold(items(_PATCH, _PATCHED, tools=[function("apply_patch")]), "input[].operation", others=({"type": "x"},)),
    *hold(items(_PATCH, _PATCHED, tools=[function("apply_patch")]), "input[apply_patch_call_output]"),
    *hold(items(GO, _DRAWN), "input[image_generation_call]", "input[image_generation_call].result"),
    *hold(items(GO, _DRAWN), "input[].output_format"),
    *hold(items(_TOLD), "input[agent_message]"),
    *hold(items(_TOLD), "input[agent_message].content", others=([{"type": "input_text", "text": "Stop."}],)),
    *hold(items(_TOLD), "input[].content[encrypted_content].encrypted_content"),
    *hold(items(_TOLD), "input[agent_message].author", "input[agent_message].recipient", idle="its text says it"),
    *hold(items(_JOINED), "input[additional_tools]"),
    *hold(items(_JOINED), "input[additional_tools].tools", others=([],)),
    *hold(items(_JOINED), "input[additional_tools].role", idle="its tools are declared from the beginning"),
    *hold(items(GO, _UPDATED), "input[configuration_update]", "input[].reasoning", "input[].text"),
    *hold(items(GO, _UPDATED), "input[].reasoning.effort", others=("high",)),
    *hold(items(GO, _UPDATED), "input[].text.format", others=({"type": "text"},)),
    *hold(items(_FOUND), "input[tool_search_output]"),
    *hold(items(_FOUND), "input[].execution", "input[tool_search_output].call_id", idle="its tools are declared"),
)
_IMAGE: Final = {"type": "input_image", "image_url": PICTURE, "detail": "low"}
_LINK: Final = {"type": "input_image", "image_url": "https://a.example/a.png"}
_FILE: Final = {
    "type": "input_file",
    "file_data": f"data:application/pdf;base64,{PDF}",
    "filename": "a.pdf",
    "detail": "low",
}
_TEXT: Final = {"type": "input_text", "text": "More."}
_ANSWERED: Final = {
    "type": "output_text",
    "text": "Yes.",
    "annotations": [{"type": "url_citation", "url": "https://example.org"}],
    "logprobs": [{"token": "Y"}],
}
_AUDIO: Final = {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}
CONTENT: Final = (
    *hold(said(_TEXT), "input[].content[input_text]", "input[].content[input_text].text"),
    *hold(said({**_TEXT, "cache_control": MARK}), "input[].content[].cache_control"),
    *hold(said({**_TEXT, "prompt_cache_breakpoint": POINT}), "input[].content[].prompt_cache_breakpoint"),
    *hold(items({"role": "assistant", "content": [_ANSWERED]}), "input[].content[output_text].text"),
    *hold(items({"role": "assistant", "content": [_ANSWERED]}), "input[].content[output_text].annotations"),
    *hold(items({"role": "assistant", "content": [_ANSWERED]}), "input[].content[output_text].logprobs"),
    *hold(
        items({"role": "assistant", "content": [_ANSWERED, {"type": "refusal", "refusal": "No."}]}),
        "input[].content[refusal]",
    ),
    *hold(said({"type": "text", "text": "More."}), "input[].content[text]"),
    *hold(said(_IMAGE), "input[].content[input_image].image_url", "input[].content[input_image].detail"),
    *hold(said(_LINK), "input[].content[input_image] (https)"),
    *hold(said({"type": "input_image", "file_id": "file-1"}), "input[].content[input_image].file_id"),
    *hold(said(_FILE), "input[].content[input_file].file_data", "input[].content[input_file].filename"),
    *hold(said(_FILE), "input[].content[input_file].detail"),
    *hold(said({"type": "input_file", "file_url": "https://a.example/a.pdf"}), "input[].content[input_file].file_url"),
    *hold(said({"type": "input_file", "file_id": "file-1"}), "input[].content[input_file].file_id"),
    *hold(said(_AUDIO), "input[].content[input_audio]"),
)
_GRAMMAR: Final = {"type": "grammar", "syntax": "lark", "definition": "start: x"}
_ALLOWED: Final = {"type": "allowed_tools", "mode": "required", "tools": [CHOICE]}
_NAMED: Final = {"type": "function", "name": "sum", "namespace": "sky"}
_SPACED: Final = [_SPACE, function("sum")]
_SEARCH: Final = {"type": "web_search"}
_NEAR: Final = {"type": "approximate", "city": "Rome"}
_BUILTIN: Final = (
    {"type": "apply_patch"},
    {"type": "code_interpreter", "container": {"type": "auto"}},
    {"type": "computer"},
    {"type": "computer_use_preview", "display_height": 9, "display_width": 9, "environment": "linux"},
    {"type": "file_search", "vector_store_ids": ["v"]},
    {"type": "image_generation"},
    {"type": "local_shell"},
    {"type": "mcp", "server_label": "s", "server_url": "https://a.example"},
    {"type": "programmatic_tool_calling"},
    {"type": "shell"},
    {"type": "tool_search"},
    _SEARCH,
    {"type": "web_search_preview"},
)
TOOLS: Final = (
    *hold(response(tools=[{**function(), "strict": True}]), "tools[function]", "tools[].name", "tools[].description"),
    *hold(response(tools=[{**function(), "strict": True}]), "tools[].parameters", "tools[].strict"),
    *hold(
        response(tools=[{"type": "function", "name": "weather", "parameters": SCHEMA}]),
        "tools[].parameters (with minLength, default)",
    ),
    *hold(response(tools=[function()]), "tools[].type", idle="the default"),
    *hold(response(tools=[SQL]), "tools[custom]", "tools[custom].name", "tools[custom].description"),
    *hold(response(tools=[{**SQL, "format": _GRAMMAR}]), "tools[custom].format"),
    *hold(response(tools=[_SPACE]), "tools[namespace]", "tools[namespace].name", "tools[namespace].description"),
    *hold(response(tools=[_SPACE]), "tools[namespace].tools", others=([function()],)),
    *(probe for tool in _BUILTIN for probe in hold(response(tools=[tool]), f"tools[{tool['type']}]")),
    *hold(response(tools=[_SEARCH, function()]), "tools[web_search] (and functions)"),
    *hold(response(tools=[{**_SEARCH, "filters": {"allowed_domains": ["a"]}}]), "tools[web_search].filters"),
    *hold(response(tools=[{**_SEARCH, "search_context_size": "low"}]), "tools[web_search].search_context_size"),
    *hold(response(tools=[{**_SEARCH, "user_location": _NEAR}]), "tools[web_search].user_location"),
    *hold(response(tools=[function()], tool_choice="none"), "tool_choice (none)"),
    *hold(response(tools=[function()], tool_choice="required"), "tool_choice (required)"),
    *hold(response(tools=_TWO, tool_choice=CHOICE), "tool_choice (function)", "tool_choice.name", others=("weather",)),
    *hold(response(tools=_TWO, tool_choice=CHOICE), "tool_choice.type", idle="its name says it"),
    *hold(response(tools=_SPACED, tool_choice=_NAMED), "tool_choice.namespace"),
    *hold(
        response(tools=_TWO, tool_choice={**CHOICE, "server_label": "s"}),
        "tool_choice.server_label",
    ),
    *hold(response(tools=_TWO, tool_choice=_ALLOWED), "tool_choice (allowed_tools)", "tool_choice.mode"),
    *hold(
        response(tools=_TWO, tool_choice=_ALLOWED),
        "tool_choice.tools",
        others=([{"type": "function", "name": "weather"}],),
    ),
    *hold(response(tools=[function()], parallel_tool_calls=False), "parallel_tool_calls"),
    *hold(response(max_tool_calls=3), "max_tool_calls"),
)
_LOGPROBS: Final = "message.output_text.logprobs"
SAMPLING: Final = (
    *hold(response(max_output_tokens=500), "max_output_tokens"),
    *hold(response(temperature=0.5), "temperature"),
    *hold(response(temperature=1.5), "temperature (above 1)"),
    *hold(response(top_p=0.5), "top_p"),
    *hold(response(top_logprobs=2, include=[_LOGPROBS]), "top_logprobs"),
    *hold(response(truncation="auto"), "truncation"),
)
_FORM: Final = {"type": "json_schema", "name": "total", "description": "All.", "schema": ANSWER, "strict": True}
_FORMED: Final = response(text={"format": _FORM})
_SEALED: Final = "reasoning.encrypted_content"
OUTPUT: Final = (
    *hold(response(text={"format": {"type": "json_object"}}), "text.format (json_object)", "text.format.type"),
    *hold(_FORMED, "text.format (json_schema)", "text.format.name", "text.format.description"),
    *hold(_FORMED, "text.format.schema", others=({**ANSWER, "description": "x"},)),
    *hold(_FORMED, "text.format.strict"),
    *hold(response(text={"verbosity": "low"}), "text.verbosity"),
    *hold(response(image={"size": "1024x1024"}), "image"),
    *hold(response(include=[_LOGPROBS]), f"include[{_LOGPROBS}]"),
    *hold(response(include=["file_search_call.results"]), "include[file_search_call.results]"),
    *hold(response(stream=True), "stream"),
    *hold(response(stream=True, stream_options={"include_obfuscation": False}), "stream_options.include_obfuscation"),
    *hold(response(stream=True, stream_options={"include_usage": True}), "stream_options.include_usage"),
)
_ITEM: Final = {
    "type": "reasoning",
    "id": "rs_1",
    "content": [{"type": "reasoning_text", "text": "Hm."}],
    "summary": [],
}
_THOUGHT: Final = items(thought("claude"), CALL, OUTPUT_OF, reasoning={"effort": "low"})
THINKING: Final = (
    *hold(response(reasoning={"effort": "low"}), "reasoning.effort"),
    *hold(response(reasoning={"effort": "low", "summary": "auto"}), "reasoning.summary"),
    *hold(response(reasoning={"effort": "low", "generate_summary": "auto"}), "reasoning.generate_summary"),
    *hold(response(reasoning={"effort": "low", "mode": "pro"}), "reasoning.mode"),
    *hold(response(reasoning={"effort": "low", "context": "all_turns"}), "reasoning.context"),
    *hold(
        response(reasoning={"effort": "low"}, include=[_SEALED], store=False),
        f"include[{_SEALED}]",
        idle="in an answer that is not kept it stands in any case",
    ),
    *(
        one(f"input[reasoning] ({maker}'s)", items(thought(family), CALL, OUTPUT_OF, reasoning={"effort": "low"}))
        for maker, family in MAKERS.items()
    ),
    *hold(_THOUGHT, "input[reasoning].summary", "input[reasoning].summary[].text"),
    *hold(_THOUGHT, "input[reasoning].summary[].type", idle="where it stands says what it is"),
    *hold(_THOUGHT, "input[reasoning].encrypted_content"),
    *hold(items(_ITEM), "input[reasoning].content"),
)
OTHER: Final = (
    *hold(response(user="u1"), "user"),
    *hold(response(safety_identifier="u1"), "safety_identifier"),
    *hold(response(prompt_cache_key="talk-1"), "prompt_cache_key"),
    *hold(response(prompt_cache_retention="24h"), "prompt_cache_retention"),
    *hold(response(prompt_cache_options=POINT), "prompt_cache_options"),
    *hold(response(prompt_cache_options={"prewarm": True}), "prompt_cache_options.prewarm"),
    *hold(response(metadata={"team": "a"}), "metadata"),
    *hold(response(service_tier="flex"), "service_tier"),
    *hold(response(context_management=[{"type": "compaction"}]), "context_management"),
    *hold(response(moderation={"model": "omni-moderation-latest"}), "moderation"),
    *hold(response(access_programs=["a"]), "access_programs"),
    one("x_unknown", response(x_unknown=1)),
    one("input[].x_unknown", items({**GO, "x_unknown": 1})),
)
RESPONSES: Final = (
    Group("Conversation", CONVERSATION),
    Group("Other items", ITEMS),
    Group("Content", CONTENT),
    Group("Tools", TOOLS),
    Group("Sampling", SAMPLING),
    Group("Output", OUTPUT),
    Group("Thinking", THINKING),
    Group("Other", OTHER),
)
