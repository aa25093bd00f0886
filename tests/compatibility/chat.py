"""The fields of Chat Completions."""

from __future__ import annotations

from typing import Any, Final, Literal

from gateway import ir
from tests.properties.leaves.chat import chat
from tests.properties.leaves.material import ANSWER, MARK, PDF, PNG, POINT, SCHEMA, SIGNED, WAV, Json

from .probing import Group, hold, one

__all__ = ["CHAT", "MAKERS", "PICTURE", "PLAIN"]

MAKERS: Final[dict[str, ir.Family]] = {"Gemini": "gemini", "Claude": "claude", "OpenAI": "openai"}

CALL: Final = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
RESULT: Final = {"role": "tool", "tool_call_id": "call_1", "content": "blue"}
GO: Final = {"role": "user", "content": "Go on."}
PICTURE: Final = f"data:image/png;base64,{PNG}"
CUSTOM: Final = {"name": "sql", "description": "Asks."}
GRAMMAR: Final = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: x"}}
PLAIN: Final = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
DECLARED: Final = {"name": "weather", "description": "Tells it.", "parameters": PLAIN, "strict": True}
WEATHER: Final = {"type": "function", "function": {"name": "weather"}}
SUM: Final = {"type": "function", "function": {"name": "sum"}}


def function(name: str = "weather") -> Json:
    """Declare a function."""
    return {"type": "function", "function": {"name": name, "description": "Tells it.", "parameters": PLAIN}}


def said(*parts: Any) -> Json:
    """Let a user say words and these parts."""
    return chat(messages=[{"role": "user", "content": [{"type": "text", "text": "What?"}, *parts]}])


def answered(**fields: Any) -> Json:
    """Let an assistant have said something."""
    return chat(messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Yes.", **fields}, GO])


def called(call: Json, result: Json = RESULT, **fields: Any) -> Json:
    """Let an assistant have called a tool."""
    calling = {"role": "assistant", "content": None, "tool_calls": [call], **fields}
    return chat(messages=[{"role": "user", "content": "hi"}, calling, result, GO], tools=[function()])


def signed(family: ir.Family, kind: Literal["t", "f"] = "t") -> Json:
    """Sign as an answer of the gateway does."""
    return {"google": {"thought_signature": ir.seal(ir.Signature(family, SIGNED, kind))}}


_KEPT: Final = {"thinking": "Hm.", "signature": ir.seal(ir.Signature("claude", SIGNED))}
_TWICE: Final = {
    "role": "assistant",
    "tool_calls": [CALL, {**CALL, "id": "call_2"}],
    "extra_content": {"gateway": {"blocks": [_KEPT, {**_KEPT, "calls": 1}]}},
}
_CARRIED: Final = chat(
    messages=[{"role": "user", "content": "hi"}, _TWICE, RESULT, {**RESULT, "tool_call_id": "call_2"}, GO],
    tools=[function()],
    reasoning_effort="low",
)


def old(**fields: Any) -> Json:
    """Declare functions as they were declared before there were tools."""
    return chat(functions=[{"name": "weather", "parameters": ANSWER}, {"name": "sum"}], **fields)


def googled(name: str, **config: Any) -> Json:
    """Say how much to think as Google's compatibility layer has it."""
    options = {"google": {"thinking_config": config}}
    return chat(max_tokens=9000, **(options if name == "google" else {name: options}))


TWO: Final = [function(), function("sum")]
_SHOWN: Final = {"type": "image_url", "image_url": {"url": PICTURE}, "index": 0}
CONVERSATION: Final = (
    *hold(chat(), "model", idle="it leads to the upstream, which has its own name for it"),
    *hold(chat(messages=[{"role": "system", "content": "Be brief."}, GO]), "messages[system]"),
    *hold(chat(messages=[{"role": "developer", "content": "Be brief."}, GO]), "messages[developer]"),
    *hold(chat(messages=[GO, {"role": "assistant", "content": "Yes."}, GO]), "messages[assistant]"),
    *hold(chat(messages=[GO, {"role": "system", "content": "Be kind."}, GO]), "messages[system] (later)"),
    *hold(chat(messages=[{"role": "user", "content": "hi", "name": "ann"}]), "messages[].role"),
    *hold(chat(messages=[{"role": "user", "content": "hi", "name": "ann"}]), "messages[].content", "messages[].name"),
    *hold(answered(refusal="No."), "messages[].refusal"),
    *hold(answered(audio={"id": "audio_1"}), "messages[].audio"),
    *hold(answered(images=[_SHOWN]), "messages[].images", "messages[].images[].image_url"),
    *hold(answered(images=[_SHOWN]), "messages[].images[].type", idle="there is one kind of them"),
    *hold(answered(images=[_SHOWN]), "messages[].images[].index", idle="they stand in the order of the list"),
    *hold(answered(annotations=[{"type": "url_citation", "url_citation": {"url": "x"}}]), "messages[].annotations"),
    *hold(called(CALL), "messages[].tool_calls", "messages[].tool_calls[].id", "messages[].tool_calls[].function.name"),
    *hold(called(CALL), "messages[].tool_calls[].function.arguments", "messages[tool]", "messages[].tool_call_id"),
    *hold(called(CALL), "messages[].tool_calls[].type", idle="which of its fields is filled says it"),
    *hold(called({**CALL, "index": 5}), "messages[].tool_calls[].index"),
    *hold(
        called({"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}),
        "messages[].tool_calls[custom]",
        "messages[].tool_calls[].custom.name",
        "messages[].tool_calls[].custom.input",
    ),
    *hold(
        chat(
            messages=[
                GO,
                {"role": "assistant", "function_call": {"name": "weather", "arguments": "{}"}},
                {"role": "function", "name": "weather", "content": "blue"},
                GO,
            ]
        ),
        "messages[].function_call",
        "messages[function]",
    ),
    *hold(chat(messages=[{**GO, "cache_control": MARK}]), "messages[].cache_control"),
    *hold(chat(messages=[{**GO, "prompt_cache_breakpoint": POINT}]), "messages[].prompt_cache_breakpoint"),
    *hold(
        chat(messages=[{**GO, "cache_control": {**MARK, "ttl": "1h"}}]),
        "messages[].cache_control.type",
        "messages[].cache_control.ttl",
    ),
    *hold(
        chat(messages=[{**GO, "prompt_cache_breakpoint": {**POINT, "ttl": "30m"}}]),
        "messages[].prompt_cache_breakpoint.mode",
        "messages[].prompt_cache_breakpoint.ttl",
    ),
)
_IMAGE: Final = {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}}
_LINK: Final = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
_FILE: Final = {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"}}
_AUDIO: Final = {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}
_VIDEO: Final = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}
CONTENT: Final = (
    *hold(said({"type": "text", "text": "More."}), "messages[].content[text]", "messages[].content[text].text"),
    *hold(said({"type": "text", "text": "More.", "cache_control": MARK}), "messages[].content[].cache_control"),
    *hold(
        said({"type": "text", "text": "More.", "prompt_cache_breakpoint": POINT}),
        "messages[].content[].prompt_cache_breakpoint",
    ),
    *hold(
        answered(content=[{"type": "text", "text": "Yes."}, {"type": "refusal", "refusal": "No."}]),
        "messages[].content[refusal]",
        "messages[].content[refusal].refusal",
    ),
    *hold(said(_IMAGE), "messages[].content[image_url]", "messages[].content[image_url].image_url.url"),
    *hold(said(_IMAGE), "messages[].content[image_url].image_url.detail"),
    *hold(said(_LINK), "messages[].content[image_url] (https)"),
    *hold(said(_FILE), "messages[].content[file]", "messages[].content[file].file.file_data"),
    *hold(said(_FILE), "messages[].content[file].file.filename"),
    *hold(said({"type": "file", "file": {"file_id": "file-1"}}), "messages[].content[file].file.file_id"),
    *hold(said(_AUDIO), "messages[].content[input_audio]", "messages[].content[input_audio].input_audio.data"),
    *hold(said(_AUDIO), "messages[].content[input_audio].input_audio.format"),
    *hold(said(_VIDEO), "messages[].content[video_url]", "messages[].content[video_url].video_url.url"),
)
_NEAR: Final = {"user_location": {"type": "approximate", "approximate": {"city": "Rome"}}}
_ALLOWED: Final = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [SUM]}}
_CHOSEN: Final = chat(
    tools=[{"type": "custom", "custom": {"name": "sql"}}, {"type": "custom", "custom": {"name": "say"}}],
    tool_choice={"type": "custom", "custom": {"name": "sql"}},
)
TOOLS: Final = (
    *hold(chat(tools=[function()]), "tools", "tools[function]", "tools[].function.name"),
    *hold(
        chat(tools=[{"type": "function", "function": DECLARED}]),
        "tools[].function.description",
        "tools[].function.parameters",
        "tools[].function.strict",
    ),
    *hold(
        chat(tools=[{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]),
        "tools[].function.parameters (with minLength, default)",
    ),
    *hold(chat(tools=[function()]), "tools[].type", idle="the default"),
    *hold(chat(tools=[{"type": "custom", "custom": CUSTOM}]), "tools[custom]", "tools[].custom.name"),
    *hold(chat(tools=[{"type": "custom", "custom": CUSTOM}]), "tools[].custom.description"),
    *hold(chat(tools=[{"type": "custom", "custom": {**CUSTOM, "format": GRAMMAR}}]), "tools[].custom.format"),
    *hold(chat(tools=[{**function(), "cache_control": MARK}]), "tools[].cache_control"),
    *hold(chat(tools=[{**function(), "prompt_cache_breakpoint": POINT}]), "tools[].prompt_cache_breakpoint"),
    *hold(chat(tools=[function()], tool_choice="none"), "tool_choice (none)"),
    *hold(chat(tools=[function()], tool_choice="required"), "tool_choice (required)"),
    *hold(chat(tools=TWO, tool_choice=SUM), "tool_choice.function", others=({"name": "weather"},)),
    *hold(chat(tools=TWO, tool_choice=SUM), "tool_choice.function.name", others=("weather",)),
    *hold(chat(tools=TWO, tool_choice=SUM), "tool_choice.type", idle="which of its fields is filled says it"),
    *hold(_CHOSEN, "tool_choice.custom", others=({"name": "say"},)),
    *hold(_CHOSEN, "tool_choice.custom.name", others=("say",)),
    *hold(chat(tools=TWO, tool_choice=_ALLOWED), "tool_choice (allowed_tools)", "tool_choice.allowed_tools.mode"),
    *hold(chat(tools=TWO, tool_choice=_ALLOWED), "tool_choice.allowed_tools.tools", others=([WEATHER],)),
    *hold(chat(tools=[function()], parallel_tool_calls=False), "parallel_tool_calls"),
    *hold(chat(parallel_tool_calls=False), "parallel_tool_calls (without tools)"),
    *hold(chat(tool_choice="auto"), "tool_choice (without tools)"),
    *hold(old(), "functions"),
    *hold(old(function_call={"name": "weather"}), "function_call", "function_call.name", others=("sum",)),
    *hold(chat(web_search_options={}), "web_search_options"),
    *hold(chat(web_search_options={"search_context_size": "low"}), "web_search_options.search_context_size"),
    *hold(chat(web_search_options=_NEAR), "web_search_options.user_location"),
    *hold(chat(web_search_options=_NEAR), "web_search_options.user_location.approximate", others=({"city": "Oslo"},)),
    *hold(chat(web_search_options=_NEAR), "web_search_options.user_location.type", idle="the only one"),
    *hold(chat(web_search_options={}, tools=[function()]), "web_search_options (and tools)"),
    *hold(chat(tools=[{"googleSearch": {}}]), "tools[googleSearch]"),
    *hold(chat(tools=[{"urlContext": {}}]), "tools[urlContext]"),
    *hold(chat(tools=[{"codeExecution": {}}]), "tools[codeExecution]"),
)
SAMPLING: Final = (
    *hold(chat(max_tokens=500), "max_tokens"),
    *hold(chat(max_completion_tokens=500), "max_completion_tokens"),
    *hold(chat(temperature=0.5), "temperature"),
    *hold(chat(temperature=1.5), "temperature (above 1)"),
    *hold(chat(top_p=0.5), "top_p"),
    *hold(chat(top_k=40), "top_k"),
    *hold(chat(seed=7), "seed"),
    *hold(chat(presence_penalty=0.5), "presence_penalty"),
    *hold(chat(frequency_penalty=0.5), "frequency_penalty"),
    *hold(chat(stop=["END"]), "stop"),
    *hold(chat(n=2), "n (above 1)"),
    *hold(chat(n=1), "n", idle="the default"),
    *hold(chat(logit_bias={"5": 1}), "logit_bias"),
    *hold(chat(logprobs=True), "logprobs"),
    *hold(chat(logprobs=True, top_logprobs=2), "top_logprobs"),
)
_FORM: Final = {"name": "total", "description": "The total.", "schema": ANSWER, "strict": True}
_FORMED: Final = chat(response_format={"type": "json_schema", "json_schema": _FORM})
OUTPUT: Final = (
    *hold(chat(response_format={"type": "json_object"}), "response_format (json_object)"),
    *hold(chat(response_format={"type": "text"}), "response_format (text)", idle="the default"),
    *hold(_FORMED, "response_format (json_schema)", "response_format.json_schema.schema"),
    *hold(_FORMED, "response_format.json_schema.name", "response_format.json_schema.description"),
    *hold(_FORMED, "response_format.json_schema.strict"),
    *hold(chat(response_format={"type": "json_object"}), "response_format.type"),
    *hold(chat(modalities=["text", "image"]), "modalities (image)"),
    *hold(
        chat(modalities=["text", "image"], image_config={"aspect_ratio": "1:1", "image_size": "2K"}),
        "image_config",
        "image_config.aspect_ratio",
        "image_config.image_size",
    ),
    *hold(chat(modalities=["text", "audio"], audio={"voice": "a"}), "modalities (audio)", "audio"),
    *hold(chat(prediction={"type": "content", "content": "Blue."}), "prediction"),
    *hold(chat(verbosity="low"), "verbosity"),
    *hold(chat(stream=True), "stream"),
    *hold(chat(stream=True, stream_options={"include_usage": True}), "stream_options.include_usage"),
    *hold(chat(stream=True, usage={"include": True}), "usage.include"),
    *hold(chat(stream=True, stream_options={"include_obfuscation": False}), "stream_options.include_obfuscation"),
)
_ROUTED: Final = {"effort": "high", "max_tokens": 3000, "exclude": True}
_THINKS: Final = {"type": "enabled", "budget_tokens": 3000, "display": "omitted"}
_BLOCK: Final = {"type": "thinking", "thinking": "hm", "signature": SIGNED}
_AMONG: Final = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "closed": True}
_SUMMED: Final = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
_SEALED: Final = {"type": "redacted_thinking", "data": "sealed"}
_DETAIL: Final = {"type": "reasoning.text", "text": "hm", "signature": SIGNED}
_SUMMARY: Final = {"type": "reasoning.summary", "summary": "hm"}
_CRYPTED: Final = {"type": "reasoning.encrypted", "data": SIGNED, "id": "call_1"}
_NO: Final = {"type": "text", "text": "No."}
_BLOCKED: Final = {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}
_WHOLE: Final = "what is sent back is complete"
_TYPED: Final = "which of its fields is filled says it"
THINKING: Final = (
    *hold(chat(reasoning_effort="low"), "reasoning_effort"),
    *hold(chat(reasoning={**_ROUTED, "exclude": False}, max_tokens=9000), "reasoning.effort"),
    *hold(chat(reasoning={"max_tokens": 3000}, max_tokens=9000), "reasoning.max_tokens"),
    *hold(chat(reasoning={"effort": "high", "exclude": True}), "reasoning.exclude"),
    *hold(chat(reasoning={"effort": "high", "enabled": False}), "reasoning.enabled"),
    *hold(chat(thinking=_THINKS, max_tokens=9000), "thinking", "thinking.type", "thinking.budget_tokens"),
    *hold(chat(thinking=_THINKS, max_tokens=9000), "thinking.display"),
    *hold(googled("extra_body", thinking_budget=3000), "extra_body.google.thinking_config.thinking_budget"),
    *hold(googled("extra_body", thinking_level="low"), "extra_body.google.thinking_config.thinking_level"),
    *hold(
        googled("extra_body", thinking_level="low", include_thoughts=False),
        "extra_body.google.thinking_config.include_thoughts",
    ),
    *hold(chat(google={"thinking_config": {"thinking_level": "low"}}), "google.thinking_config"),
    *hold(chat(extra_body={"google": {"cached_content": "c/1"}}), "extra_body.google.cached_content"),
    *hold(answered(reasoning_content="Hm."), "messages[].reasoning_content"),
    *hold(answered(reasoning="Hm."), "messages[].reasoning"),
    *hold(answered(thinking_blocks=[_BLOCK]), "messages[].thinking_blocks", "messages[].thinking_blocks[].thinking"),
    *hold(answered(thinking_blocks=[_BLOCK]), "messages[].thinking_blocks[].signature"),
    *hold(answered(thinking_blocks=[_BLOCK]), "messages[].thinking_blocks[].type", idle=_TYPED),
    *hold(answered(thinking_blocks=[_SEALED]), "messages[].thinking_blocks[].data"),
    *hold(answered(content=[_AMONG, _NO]), "messages[].content[thinking]", "messages[].content[thinking].thinking"),
    *hold(answered(content=[_AMONG, _NO]), "messages[].content[thinking].closed", idle=_WHOLE),
    *hold(answered(content=[_SUMMED, _NO]), "messages[].content[reasoning]", "messages[].content[reasoning].summary"),
    *hold(answered(reasoning_details=[_DETAIL]), "messages[].reasoning_details", "messages[].reasoning_details[].text"),
    *hold(answered(reasoning_details=[_DETAIL]), "messages[].reasoning_details[].signature"),
    *hold(answered(reasoning_details=[_DETAIL]), "messages[].reasoning_details[].type", idle=_TYPED),
    *hold(answered(reasoning_details=[_SUMMARY]), "messages[].reasoning_details[].summary"),
    *hold(called(CALL, reasoning_details=[_CRYPTED]), "messages[].reasoning_details[].data"),
    *hold(called(CALL, reasoning_details=[_CRYPTED]), "messages[].reasoning_details[].id"),
    *hold(answered(extra_content=signed("gemini")), "messages[].extra_content.google.thought_signature (Gemini's)"),
    *hold(
        {**answered(extra_content=signed("claude"), reasoning_content="Hm."), "reasoning_effort": "low"},
        "messages[].extra_content.google.thought_signature (Claude's)",
    ),
    *hold(
        called({**CALL, "extra_content": signed("gemini", "f")}),
        "messages[].tool_calls[].extra_content.google.thought_signature (Gemini's)",
    ),
    *hold(
        {
            **answered(provider_specific_fields={"extra_content": signed("claude")}, reasoning_content="Hm."),
            "reasoning_effort": "low",
        },
        "messages[].provider_specific_fields.extra_content",
    ),
    *hold(
        {**answered(extra_content={"gateway": {"blocks": [_KEPT]}}), "reasoning_effort": "low"},
        "messages[].extra_content.gateway.blocks",
    ),
    *hold(_CARRIED, "messages[].extra_content.gateway.blocks[].thinking"),
    *hold(_CARRIED, "messages[].extra_content.gateway.blocks[].signature"),
    *hold(
        _CARRIED,
        "messages[].extra_content.gateway.blocks[].calls",
        idle="there thoughts stand before the calls of a turn",
    ),
    *hold(
        answered(extra_content={"gateway": {"thoughts": "Hm."}}),
        "messages[].extra_content.gateway.thoughts",
        idle="a copy that the gateway has added itself",
    ),
)
OTHER: Final = (
    *hold(chat(user="u1"), "user"),
    *hold(chat(safety_identifier="u1"), "safety_identifier"),
    *hold(chat(prompt_cache_key="talk-1"), "prompt_cache_key"),
    *hold(chat(prompt_cache_retention="24h"), "prompt_cache_retention"),
    *hold(chat(prompt_cache_options=POINT), "prompt_cache_options"),
    *hold(chat(metadata={"team": "a"}), "metadata"),
    *hold(chat(safety_settings=[_BLOCKED]), "safety_settings"),
    *hold(chat(extra_body={"google": {"safety_settings": [_BLOCKED]}}), "extra_body.google.safety_settings"),
    *hold(chat(store=True), "store"),
    *hold(chat(service_tier="flex"), "service_tier"),
    *hold(chat(moderation={"model": "omni-moderation-latest"}), "moderation"),
    one("x_unknown", chat(x_unknown=1)),
    one("messages[].x_unknown", chat(messages=[{**GO, "x_unknown": 1}])),
)
CHAT: Final = (
    Group("Conversation", CONVERSATION),
    Group("Content", CONTENT),
    Group("Tools", TOOLS),
    Group("Sampling", SAMPLING),
    Group("Output", OUTPUT),
    Group("Thinking", THINKING),
    Group("Other", OTHER),
)
