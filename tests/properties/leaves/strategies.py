"""Rich requests of each dialect, drawn at random: every field that the reference knows, and some that it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from hypothesis import strategies as st

from gateway.routes import DialectName

from .changes import walk
from .drawing import Draw, an, arguments, flags, marks, one, results, some, words
from .material import ANSWER, PDF, PNG, SCHEMA, SIGNED, Json
from .strategies_responses import responses

__all__ = ["REQUESTS"]


def _ending(last: Json) -> Callable[[list[Json]], list[Json]]:
    """Let something be said in any case: of a turn that says nothing there is no trace upstream."""
    return lambda said: [*said, last]


@st.composite
def _sprinkled(draw: st.DrawFn, drawn: Json) -> Json:
    """Add keys that nobody knows, to some objects."""
    request: Json = json.loads(json.dumps(drawn))  # what is drawn is shared
    places = [value for path, value in walk(request) if isinstance(value, dict)]
    for place in draw(st.lists(st.sampled_from(places), max_size=2, unique_by=id)):
        place["xOther"] = draw(some(1, "x", {"a": [1]}))
    return request


# Chat Completions

_image = some({"url": f"data:image/png;base64,{PNG}"}, {"url": f"data:image/png;base64,{PNG}", "detail": "low"})
_chat_part = st.one_of(
    an({"type": one("text"), "text": words}, cache_control=marks),
    an({"type": one("image_url"), "image_url": _image}, prompt_cache_breakpoint=marks),
    an(
        {
            "type": one("file"),
            "file": an({"file_data": one(f"data:application/pdf;base64,{PDF}")}, filename=some("a.pdf", "b")),
        }
    ),
)
_chat_said = words | st.lists(_chat_part, min_size=1, max_size=3)
_signed = one({"google": {"thought_signature": SIGNED}})
_thoughts = {
    "reasoning_content": words,
    "reasoning": words,
    "thinking_blocks": st.lists(
        some({"type": "thinking", "thinking": "hm", "signature": SIGNED}, {"type": "redacted_thinking", "data": "x"}),
        max_size=2,
    ),
    "reasoning_details": st.lists(
        some(
            {"type": "reasoning.text", "text": "well", "signature": SIGNED, "id": "r1"},
            {"type": "reasoning.encrypted", "data": SIGNED, "id": "call_1"},
            {"type": "reasoning.summary", "summary": "hm"},
        ),
        max_size=2,
    ),
    "extra_content": _signed,
}
_chat_call = an(
    {
        "id": some("call_1", "call_2", "functions.f:0"),
        "type": one("function"),
        "function": an({"name": some("weather", "sql")}, arguments=some("", "{}", '{"city": "Rome"}', "no JSON")),
    },
    extra_content=_signed,
    index=some(0, 5),
)
_chat_message = st.one_of(
    an({"role": one("user"), "content": _chat_said}, name=words, cache_control=marks),
    an({"role": some("system", "developer"), "content": words}, name=words),
    an({"role": one("assistant"), "content": words}, refusal=words, audio=one({"id": "a1"}), name=words, **_thoughts),
    an(
        {"role": one("assistant"), "tool_calls": st.lists(_chat_call, min_size=1, max_size=2)},
        content=words,
        **_thoughts,
    ),
    an({"role": one("tool"), "tool_call_id": some("call_1", "call_2"), "content": results}, name=some("weather", "f")),
)
_chat_tool = st.one_of(
    an(
        {
            "type": one("function"),
            "function": an({"name": some("weather", "é b")}, description=words, parameters=one(SCHEMA), strict=flags),
        },
        cache_control=marks,
    ),
    an(
        {
            "type": one("custom"),
            "custom": an({"name": one("sql")}, description=words, format=some({"type": "text"}, {"type": "grammar"})),
        }
    ),
)
_schema = an({}, name=words, description=words, strict=flags, schema=one(ANSWER))
_chat = an(
    {"model": one("m"), "messages": st.lists(_chat_message, min_size=1, max_size=5)},
    stream=flags,
    stream_options=an({}, include_usage=flags, include_obfuscation=flags),
    max_tokens=some(100, 9000),
    max_completion_tokens=some(500, 70000),
    temperature=some(0, 0.5, 1.5),
    top_p=some(0.3, 0.97),
    top_k=some(1, 40),
    seed=some(0, 7),
    presence_penalty=some(0.5, -1),
    frequency_penalty=some(0.5, -1),
    stop=some("END", ["END", "STOP"]),
    tools=st.lists(_chat_tool, min_size=1, max_size=2, unique_by=lambda tool: tool["type"]),
    tool_choice=some("auto", "none", "required"),
    parallel_tool_calls=flags,
    web_search_options=some({}, {"search_context_size": "low"}),
    response_format=some({"type": "json_object"}, {"type": "text"})
    | an({"type": one("json_schema"), "json_schema": _schema}),
    modalities=some(["text"]),
    user=one("u1"),
    safety_identifier=one("u2"),
    prompt_cache_key=some("talk-1"),
    metadata=one({"team": "a"}),
    store=flags,
    service_tier=one("flex"),
    verbosity=one("low"),
    logit_bias=some({}, {"1": 2}),
    logprobs=flags,
    prediction=one({"type": "content", "content": "x"}),
)

_amounts = some("none", "minimal", "low", "high", "max")
_thinking = st.one_of(
    an({}),
    an({"reasoning_effort": _amounts}),
    an({"reasoning": an({"effort": some("low", "high")}, max_tokens=some(200, 3000), exclude=flags, enabled=flags)}),
    an({"reasoning": an({"max_tokens": some(200, 3000)}, exclude=flags)}),
    an(
        {
            "thinking": an(
                {"type": some("enabled", "adaptive", "disabled")},
                budget_tokens=some(2000, 90000),
                display=one("omitted"),
            )
        }
    ),
    an({"google": an({"thinking_config": an({}, thinking_level=_amounts, include_thoughts=flags)})}),
    an({"extra_body": an({"google": an({"thinking_config": an({}, thinking_budget=some(0, 600, 90000))})})}),
)

# Anthropic Messages

_shown = st.one_of(
    an({"type": one("text"), "text": words}, cache_control=marks, citations=one([{"type": "char_location"}])),
    an(
        {"type": one("image"), "source": one({"type": "base64", "media_type": "image/png", "data": PNG})},
        cache_control=marks,
    ),
    an(
        {
            "type": one("document"),
            "source": some(
                {"type": "base64", "media_type": "application/pdf", "data": PDF},
                {"type": "text", "media_type": "text/plain", "data": "words"},
                {"type": "content", "content": [{"type": "text", "text": "inner"}]},
            ),
        },
        title=words,
        context=words,
        citations=one({"enabled": True}),
    ),
    an(
        {
            "type": one("search_result"),
            "source": words,
            "title": words,
            "content": one([{"type": "text", "text": "found"}]),
        }
    ),
)
_result = an(
    {"type": one("tool_result"), "tool_use_id": some("t1", "t2")},
    content=results | st.lists(_shown, max_size=2),
    is_error=flags,
    cache_control=marks,
)
_answered = st.one_of(
    an({"type": one("text"), "text": words}, citations=one([{"type": "char_location"}])),
    an({"type": one("thinking"), "thinking": words}, signature=some(SIGNED, "gw1.bad")),
    an({"type": one("redacted_thinking"), "data": words}),
    an(
        {"type": one("tool_use"), "id": some("t1", "t2"), "name": some("weather", "sum"), "input": arguments},
        cache_control=marks,
        caller=one({"type": "direct"}),
    ),
    one({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}}),
)
_turn = st.one_of(
    an({"role": one("user"), "content": words | st.lists(_shown | _result, min_size=1, max_size=3)}),
    an(
        {
            "role": one("assistant"),
            "content": words | st.lists(_answered, max_size=3).map(_ending({"type": "text", "text": "so"})),
        }
    ),
    an({"role": one("system"), "content": words}),
)
_tool = st.one_of(
    an(
        {"name": one("weather"), "input_schema": one(SCHEMA)},
        type=one("custom"),
        description=words,
        strict=flags,
        cache_control=marks,
        defer_loading=flags,
    ),
    an({"name": one("sum"), "input_schema": one({"type": "object"})}, input_examples=one([{"a": 1}])),
    an(
        {"type": one("web_search_20250305"), "name": one("web_search")},
        max_uses=one(3),
        allowed_domains=one(["a.example"]),
    ),
)
_messages = an(
    {"model": one("m"), "max_tokens": some(100, 9000), "messages": st.lists(_turn, min_size=1, max_size=5)},
    system=words | st.lists(an({"type": one("text"), "text": words}, cache_control=marks), max_size=2),
    stream=flags,
    stop_sequences=one(["END"]),
    temperature=some(0, 0.5, 1),
    top_p=some(0.3, 0.97),
    top_k=one(40),
    tools=st.lists(_tool, min_size=1, max_size=3, unique_by=lambda tool: tool["name"]),
    tool_choice=an({"type": some("auto", "any", "none")}, disable_parallel_tool_use=flags),
    thinking=st.one_of(
        an({"type": one("enabled"), "budget_tokens": some(2000, 90000)}, display=some("omitted", "summarized")),
        an({"type": some("adaptive", "disabled")}, display=some("omitted", "summarized")),
    ),
    output_config=an({}, effort=some("low", "high", "max"), format=one({"type": "json_schema", "schema": ANSWER})),
    output_format=one({"type": "json_schema", "schema": SCHEMA}),
    metadata=an({}, user_id=some("u1", "user_1_session_2")),
    service_tier=one("auto"),
    cache_control=marks,
    betas=one(["a"]),
)

# generateContent

_inline = some({"mimeType": "image/png", "data": PNG}, {"mimeType": "application/pdf", "data": PDF, "displayName": "a"})
_given = st.one_of(
    an({"text": words}, partMetadata=one({"a": 1})),
    an(
        {"inlineData": _inline},
        mediaResolution=some({"level": "MEDIA_RESOLUTION_LOW"}, {"level": "MEDIA_RESOLUTION_MEDIUM"}),
        videoMetadata=one({"fps": 1}),
    ),
    an(
        {
            "functionResponse": an(
                {"name": some("weather", "sum"), "response": some({"output": "x"}, {"error": "no"}, {"a": 1})},
                id=some("c1", "c2"),
                willContinue=flags,
                parts=one([{"inlineData": {"mimeType": "image/png", "data": PNG}}]),
            )
        }
    ),
)
_made = st.one_of(
    an({"text": words}, thought=flags, thoughtSignature=one(SIGNED)),
    an(
        {"functionCall": an({"name": some("weather", "sum")}, id=some("c1", "c2"), args=arguments)},
        thoughtSignature=some(SIGNED, "gw1.g.f.QUJD.00000000"),
    ),
    one({"executableCode": {"language": "PYTHON", "code": "2+2"}}),
    one({"inlineData": {"mimeType": "image/png", "data": PNG}, "thought": True}),
)
_content = st.one_of(
    an({"parts": st.lists(_given, min_size=1, max_size=3)}, role=one("user")),
    an({"role": one("model"), "parts": st.lists(_made, max_size=3).map(_ending({"text": "so"}))}),
)
_declared = an(
    {"name": one("weather")},
    description=words,
    parameters=one({"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": True}}}),
    behavior=one("BLOCKING"),
)
_contents = an(
    {"contents": st.lists(_content, min_size=1, max_size=5)},
    systemInstruction=an({"parts": st.lists(an({"text": words}), min_size=1, max_size=2)}, role=one("system")),
    tools=st.lists(
        st.one_of(
            an({"functionDeclarations": st.tuples(_declared).map(list)}),
            one({"functionDeclarations": [{"name": "sum", "parametersJsonSchema": SCHEMA}]}),
            an({"googleSearch": an({}, timeRangeFilter=one({"startTime": "x"}))}),
        ),
        max_size=2,
        unique_by=min,
    ),
    toolConfig=an(
        {"functionCallingConfig": an({}, mode=some("AUTO", "ANY", "NONE", "VALIDATED"))},
        retrievalConfig=one({"languageCode": "en"}),
    ),
    generationConfig=an(
        {},
        temperature=some(0, 0.5, 1.5),
        topP=some(0.3, 0.97),
        topK=some(40, 40.5),
        maxOutputTokens=some(100, 9000, 70000),
        stopSequences=some("END", ["END", "STOP"]),
        presencePenalty=one(0.5),
        seed=one(7),
        responseMimeType=some("application/json", "text/plain", "text/x.enum"),
        responseSchema=one({"type": "STRING", "enum": ["a", "b"]}),
        responseJsonSchema=one(ANSWER),
        mediaResolution=some("MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM"),
        thinkingConfig=an(
            {}, includeThoughts=flags, thinkingBudget=some(-1, 0, 600, 90000), thinkingLevel=some("LOW", "HIGH")
        ),
        responseLogprobs=flags,
        speechConfig=one({"languageCode": "en"}),
    ),
    safetySettings=one([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]),
    labels=one({"team": "a"}),
    sessionId=some("talk-1"),
)

REQUESTS: Final[dict[DialectName, Draw]] = {
    "openai-chat": st.builds(lambda request, thinking: {**request, **thinking}, _chat, _thinking).flatmap(_sprinkled),
    "openai-responses": responses.flatmap(_sprinkled),
    "anthropic": _messages.flatmap(_sprinkled),
    "gemini": _contents.flatmap(_sprinkled),
}
