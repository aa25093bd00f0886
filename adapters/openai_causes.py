"""What the words of OpenAI, and of servers that speak its API, mean: tables of refusals, in lower case.

A field that nobody knows comes in the words of the library that reads the request (pydantic, serde, zod, proto JSON), a
value or a message that a model does not take in those of its vendor.
"""

from collections.abc import Mapping
from typing import Final

from gateway.adapters.amendments import SIGNED, TWOFOLD, UNANSWERED, UNPAID
from gateway.adapters.failures import REGION, STATUSES, Cause, Causes
from gateway.dialects.openai_chat.outbound_errors import OF_MCP
from gateway.dialects.outbound import (
    ADDED_TOOLS,
    ASIDES,
    IDENTITY,
    ITEM_METADATA,
    RETENTION,
    SPELLINGS,
    STORING,
    THOUGHT_PARTS,
    UPDATES,
)

__all__ = ["CAUSES", "FIELDS", "PREVIOUS", "VALUES"]

_400: Final = frozenset({400})
_403: Final = frozenset({403})
_LIMITING: Final = frozenset({403, 429})
_BAD: Final = frozenset({400, 422})
_GONE: Final = frozenset({400, 404})
_VERBOSITY: Final = ("verbosity", "text.verbosity")
_EFFORTS: Final = ("reasoning_effort", "reasoning.effort")
PREVIOUS: Final = "previous_response_id"
# Fields that some server or model does not know, and how a refusal says so, in lower case and without quotation marks.
FIELDS: Final[Mapping[str, Cause]] = {
    "max_tokens": "old_limit",
    "max_completion_tokens": "new_limit",
    **dict.fromkeys(("reasoning_content", "reasoning_details", "reasoning_items", "thinking_blocks"), "thoughts"),
    "stream_options": "counting",
    "parallel_tool_calls": "parallel",
    **dict.fromkeys(_VERBOSITY, "verbosity"),
    **dict.fromkeys(IDENTITY, "identity"),
    STORING: "storing",
    **dict.fromkeys(ASIDES, "asides"),
    RETENTION: "retention",
    "reasoning_effort": "effort",
    "reasoning.effort": "effort",
    "reasoningeffort": "effort",  # xAI's names
    PREVIOUS: "kept",
    "presencepenalty": "drawing",
    "frequencypenalty": "drawing",
    "reasoning.summary": "summaries",
    "temperature": "drawing",
    "top_p": "drawing",
    "presence_penalty": "drawing",
    "frequency_penalty": "drawing",
    "logprobs": "logprobs",
    "top_logprobs": "logprobs",
    "message.output_text.logprobs": "logprobs",
    **dict.fromkeys(SPELLINGS, "spelling"),  # last: other names begin like these
}
_UNKNOWN: Final = (
    "{} is not supported",
    "{} is unsupported",
    "{} is deprecated",
    "argument supplied: {}",
    "arguments supplied: {}",
    "parameter: {}",
    "parameter(s): {}",  # NVIDIA
    "parameters: [{}",  # LiteLLM
    "does not support parameter {}",  # xAI
    "argument not supported: {}",
    "not supported on this model: {}",
    "unexpected keyword argument {}",
    "unknown field {}",
    "unknown field: {}",
    "unknown name {}:",  # Google's own OpenAI API
    "unknown name {} at ",
    "unknown parameter {}",
    "the {} parameter is not enabled",  # OpenAI, for an organization
    "key(s) in object: {}",
    "body,{}]",  # pydantic's path
    "(body, {})",
    "not permitted, field: {},",  # Fireworks
    "{}: extra inputs are not permitted",  # pydantic in words: Azure with data of one's own, Bedrock behind Databricks
    "extraneous key [{}] is not permitted",  # Bedrock
    "extra parameters [{}",  # Azure's API for models of others
    "unknown field: parameter {} is not",  # Cohere
    "unrecognized key: {}",  # zod
    "{} is not enabled for this model",  # Mistral
)
# Types of items and tools that a server does not know. What OpenAI says of a tool's may be about another member.
_UNKNOWN_KIND: Final = (
    "input tag {} found",  # pydantic
    "unknown variant {}",  # serde
    "type: {}",
    "type {}",
)
_ITEMS: Final[Mapping[str, Cause]] = {ADDED_TOOLS: "added_tools", UPDATES: "updates"}
_UNKNOWN_ITEM: Final = (*_UNKNOWN_KIND, "invalid value: {}", "item {} is not supported")
_TOOLS: Final = ("custom", "namespace", "local_shell", "tool_search", "web_search", "image_generation")
_UNKNOWN_TOOL: Final = (
    *(f"tool {words}" if words.startswith("type") else words for words in _UNKNOWN_KIND),
    "requested tool {} is not supported",  # GitHub
    "{} tools are not supported",  # Meta
)
# Values that a model does not take of a field that it knows.
VALUES: Final[Mapping[str, Cause]] = {
    **dict.fromkeys(_EFFORTS, "effort_value"),
    **dict.fromkeys(_VERBOSITY, "verbosity"),
    **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), "drawing"),
}
_REFUSED: Final = (
    "{} does not support",  # OpenAI
    "invalid {}: only",  # Moonshot
    "{} must be one of",  # Groq
    "literal_error,loc:[body,{}]",
    "literal_error, loc: (body, {})",
    "enum,loc:[body,{}]",
    "enum, loc: (body, {})",
)
# Of an effort alone: a temperature that is too high is its caller's.
_NO_EFFORT: Final = (
    "{}=",  # Mistral: reasoning_effort=medium is not supported for this model
    "{}: input should be",
    "{}: unknown variant",  # DeepSeek
)
# Instructions are the system's.
_NO_DEVELOPER: Final = (
    "developer is not one of",  # Qwen
    "unknown variant developer",  # DeepSeek
    "incorrect role information",  # Zhipu
    "角色信息不正确",
    "input tag developer found",  # pydantic
    "input should be system, user, assistant or tool",
    "role does not support developer",  # OpenAI's and Azure's older models
    "message role: developer",  # MiniMax
    "unexpected message role",  # templates of vLLM and llama.cpp
)
# Texts are no lists, and not null.
_NO_PARTS: Final = (
    ".content : value must be a string",  # Groq
    "/content, array not in string",  # Cloudflare
    "/content, null not in string",
    "bad input: error: oneof at / not met",
    "invalid type: sequence, expected a string",  # DeepSeek
    "text is not present",  # Xiaomi
)
# Calls without results, results without calls, thoughts that lead to nothing.
_UNANSWERED: Final = (
    "must be followed by tool messages",  # OpenAI, Azure, DeepSeek, Moonshot, Qwen
    "must be a response to a prece",  # a preceeding one, OpenAI says
    "no tool output found for ",  # OpenAI's Responses
    "no tool call found for ",
    "without its required following item",
    "ids were found without tool_result blocks",  # of Claude, whoever serves it
    "unexpected tool_use_id found in tool_result",
    "not the same number of function calls and responses",  # Mistral
)
# What a call was made with is no JSON, or no object: the answer was cut there, or the model has written it badly.
_NO_ARGUMENTS: Final = (
    "failed to parse tool call arguments",  # llama.cpp
    "in tool call arguments",  # GitHub: Invalid JSON format
    "arguments parameter of the code model must be in json format",  # Qwen
    "invalid function arguments json string",  # MiniMax
    "provide a json object for the field",  # Bedrock
    "can only get item pairs from a mapping",  # templates of models
    # Python's json, as vLLM and SGLang repeat it
    "unterminated string starting at: line",
    "expecting , delimiter: line",
    "expecting : delimiter: line",
    "expecting value: line",
    "expecting property name enclosed in double quotes: line",
    "invalid \\escape: line",
    "invalid control character at: line",
    "extra data: line",
)
# Nobody has asked anything: instructions alone are no prompt, nor what the model has said.
_NO_ASKER: Final = (
    "no user query found",  # Qwen's template
    "messages parameter is illegal",  # Zhipu
    "messages 参数非法",
)
# A message says nothing, or calls nothing.
_NO_NULL: Final = (
    "content: expected a string, got null",  # OpenAI
    "content: expected one of a string or array of objects, but got null",
    "content: empty array",
    "tool_calls: empty array",
    "tool_calls: expected an array",  # but got null
    "[] is too short - messages.",  # OpenAI, Azure: older models
)
# What clients send back of an answer, and how a server says that it does not know it.
_REMNANTS: Final = (
    "annotations",
    "refusal",
    "audio",
    "function_call",
    "provider_specific_fields",
    "extra_content",
    "images",
    "parsed",  # of a message or a function; with parsed_arguments, by OpenAI's SDKs
    "index",  # of a call, as it was streamed
    "call_id",  # of an item, by Agno in a call
    "caller",  # of a call of Claude's, by LiteLLM
    "rs_",  # ids of thoughts, by Pydantic AI
    "status",  # of items
)
_NO_REMNANT: Final = (
    "property {} is unsupported",  # Groq
    "assistant.{} is unsupported",  # Cerebras
    "assistant,{}]",  # Mistral
    "].{}",  # Fireworks: messages[1].refusal; OpenAI: input[1].status
    "].function.{}",
)
_NO_THOUGHT: Final = ("invalid value: {}. supported values", "input tag {} found", "unknown variant {}")
# An answer may not be so long, and how long it may be.
_TOO_LONG: Final = (
    "supports at most",  # OpenAI, Azure
    "output_tokens: integer above maximum value",  # OpenAI's Responses
    "max_tokens specified in the request is not valid: integer above maximum value",  # Volcengine
    "tokens must be less than or equal to",  # Groq
    "range of max_tokens should be",  # Qwen
    "range of max_tokens is",  # DeepSeek
    "tokens you requested exceeds the model limit of",  # Bedrock behind one
)
CAUSES: Final = Causes(
    reasons={
        "invalid_api_key": "key",
        "account_deactivated": "banned",
        "organization_restricted": "banned",  # Groq
        "missing_scope": "scope",
        "insufficient_quota": "quota",
        "insufficient_user_quota": "quota",  # new-api
        "pre_consume_token_quota_failed": "quota",
        "exceeded_current_quota_error": "quota",  # Moonshot
        "1113": "quota",  # Zhipu
        "Arrearage": "quota",  # Qwen
        "billing_hard_limit_reached": "quota",
        "billing_not_active": "quota",
        "model_not_found": "missing",
        "unsupported_country_region_territory": "location",
        "invalid_encrypted_content": "signatures",
        "previous_response_not_found": "kept",
        "slow_down": "capacity",
        "1305": "capacity",  # Zhipu: the model has too many requests
        # what the model made is of no use; another try makes another one
        **dict.fromkeys(("tool_use_failed", "json_validate_failed", "output_parse_failed"), "garbled"),  # Groq
    },
    words=(
        *((_BAD, words.format(name), cause) for name, cause in VALUES.items() for words in _REFUSED),
        *((_BAD, words.format(name), "effort_value") for name in _EFFORTS for words in _NO_EFFORT),
        (_BAD, "not supported, valid levels: ", "effort_value"),  # CLIProxyAPI
        *((_BAD, words.format(name), cause) for name, cause in FIELDS.items() for words in _UNKNOWN),
        (_BAD, "stream_options is not allowed", "counting"),  # Joi
        (_BAD, "encoding_format", "vector_format"),
        *((_BAD, words.format(kind), cause) for kind, cause in _ITEMS.items() for words in _UNKNOWN_ITEM),
        *((_BAD, words.format(kind), "kinds") for kind in _TOOLS for words in _UNKNOWN_TOOL),
        (_BAD, ITEM_METADATA, "item_metadata"),
        (_BAD, "prompt_cache_breakpoint", "marks"),  # a path: messages[0].content[0].prompt_cache_breakpoint
        (_BAD, "cache_control", "marks"),
        (_BAD, ".description: empty string", "descriptions"),  # Azure, of tools
        (_BAD, "type of tool must be function", "kinds"),  # llama.cpp
        (_BAD, "unsupported tool type", "kinds"),  # Ollama
        (_BAD, "unknown tool type", "kinds"),  # Coder
        (_BAD, "only type:function tools", "kinds"),
        (_BAD, "untagged enum modelinput", "kinds"),  # xAI, of items
        # of items, whatever is wrong with one
        (_BAD, "list[union[easyinputmessageparam", "incomplete"),  # vLLM, SGLang, NVIDIA
        (_BAD, "for validatoriterator", "incomplete"),
        (_BAD, "invalid responses api request", "incomplete"),  # OpenRouter
        (_BAD, "missing required field id", "incomplete"),  # Meta: input[66]
        (_BAD, "].id.", "incomplete"),  # OpenAI, Azure: missing required parameter: input[79].id
        *((_BAD, words, "limit") for words in _TOO_LONG),
        *TWOFOLD,
        *UNPAID,
        (_BAD, "stop is not supported", "stops"),  # by a model; Responses does not know the field at all
        (_BAD, "not supported on this model: stop", "stops"),
        (_400, "verified to generate reasoning summaries", "summaries"),
        (_BAD, ".reasoning_content", "thoughts"),
        (_BAD, ".reasoning_details", "thoughts"),
        (_BAD, ".thinking_blocks", "thoughts"),
        (_BAD, "].reasoning", "thoughts"),  # messages[1].reasoning
        (_BAD, "assistant,reasoning_content]", "thoughts"),  # Mistral
        *UNANSWERED,
        *((_BAD, words, "unanswered") for words in _UNANSWERED),
        (_BAD, "without its required reasoning item", "untied"),
        (_BAD, "expected an id that begins with", "untied"),  # another server has given it
        *((_BAD, words, "developers") for words in _NO_DEVELOPER),
        (_BAD, "system messages are not allowed", "system_items"),  # Codex
        *((_BAD, words, "texts") for words in _NO_PARTS),
        *((_BAD, words, "nulls") for words in _NO_NULL),
        (_BAD, "].id: string too long", "short_ids"),  # OpenAI, Azure: messages[1].tool_calls[0].id
        (_BAD, "call_id: string too long", "short_ids"),  # of a result, and in Responses
        *((_BAD, words.format(name), "remnants") for name in _REMNANTS for words in _NO_REMNANT),
        (_BAD, "image urls are only allowed for messages with role user", "attached"),  # OpenAI, Azure: not in results
        (_BAD, "invalid value: image_url. supported values are: text", "attached"),
        (_BAD, "text is not set", "attached"),  # Xiaomi
        *((_BAD, words.format(kind), "remnants") for kind in THOUGHT_PARTS for words in _NO_THOUGHT),
        (_BAD, ".content[0].role", "remnants"),  # OpenAI, of a part in which an SDK repeats its message
        (_BAD, "system message must be at the beginning", "system_turns"),  # Qwen's template
        (_BAD, "roles must alternate", "system_turns"),  # Gemma's
        (_BAD, "unexpected role system after role", "system_turns"),  # Mistral
        (_BAD, "unexpected role user after role tool", "answers"),  # older ones of Mistral's
        (_BAD, "with a length of 9", "plain_ids"),  # Mistral, of the ids of calls
        (_BAD, "alphanumeric strings with length 9", "plain_ids"),  # its models' templates
        (_BAD, "tool_use.id: string should match", "plain_ids"),  # of Claude, whoever serves it
        (_BAD, "tool_use_id: string should match", "plain_ids"),
        (_BAD, "tooluseid failed to satisfy", "plain_ids"),  # Bedrock behind one
        (_BAD, "invalid message role: system", "system_turns"),  # MiniMax
        (_BAD, "invalid chat setting", "system_turns"),  # MiniMax: several messages of the system's
        *((_BAD, words, "arguments") for words in _NO_ARGUMENTS),
        *((_BAD, words, "asker") for words in _NO_ASKER),
        (_BAD, "does not support assistant message prefill", "begun"),  # Claude, whoever serves it
        (_BAD, "ending with a model turn", "begun"),  # Google
        (_BAD, "at least one content element", "emptiness"),  # xAI, of each message
        (_BAD, "content must contain at least one part", "emptiness"),  # Xiaomi
        (_BAD, "content is empty", "emptiness"),  # MiniMax: chat content; Moonshot: text content
        (_BAD, "未正常接收到prompt参数", "emptiness"),  # Zhipu
        (_BAD, "mixed values for strict", "strictness"),  # Cerebras
        (_BAD, "tools with strict=true are not supported", "strictness"),
        (_BAD, "function.strict", "strictness"),  # a path
        (_BAD, "parameter strict is not", "strictness"),  # Cohere
        (_BAD, "failed to parse grammar", "bounds"),  # llama.cpp, LM Studio
        (_BAD, "grammar is too complex", "bounds"),  # xAI
        (_BAD, " does not support thinking", "effort"),  # Ollama
        (_BAD, "think value ", "effort_value"),  # Ollama: "high" is not supported for this model
        (_BAD, "invalid reasoning value: ", "effort_value"),  # Ollama
        (_BAD, "thinking level", "effort_value"),  # Google: MINIMAL is not supported for this model
        (_BAD, "budget 0 is invalid", "effort_value"),  # Google: this model only works in thinking mode
        (_BAD, "reasoning is mandatory", "resting"),  # OpenRouter
        (_BAD, "invalid thinking: only", "resting"),  # Moonshot
        (_BAD, "enable_thinking parameter is restricted", "resting"),  # Qwen
        (_BAD, "unsupported thinking type", "resting"),  # Volcengine
        (_400, "schema must be a json schema of type: object", "objects"),
        (_400, "this response_format type is unavailable", "schemaless"),  # DeepSeek
        (_400, "does not support response format json_schema", "schemaless"),  # Groq
        (_400, "response_format of type json_schema is not supported", "schemaless"),  # OpenAI's older models
        (_BAD, "response_format, type), msg: input should be text or json_object", "schemaless"),  # llama-cpp-python
        (_BAD, "tools is incompatible with response_format", "formless"),  # Cerebras
        (_BAD, "function calling with a response mime type", "formless"),  # Google, of models before Gemini 3
        (_BAD, "cannot be combined with tool/function calling", "formless"),  # Groq
        (_BAD, "assistantmessage, content), msg: input should be a valid string", "silence"),  # llama-cpp-python
        (_GONE, "support the provided tool_choice value", "choice"),  # OpenRouter
        (_BAD, "unsupported tool_choice: ", "choice"),  # Cerebras
        (_BAD, "parameters is empty (2013)", "parameters"),  # MiniMax, of a function
        (_BAD, ".input_schema: field required", "parameters"),  # of Claude, whoever serves it
        (_BAD, "cannot pass both content and thinking", "one_thought"),  # gpt-oss's template
        (_BAD, "invalid thinking.type: ", "spelling"),  # MiniMax
        (_BAD, "top_logprobs requires logprobs", "logprobs"),  # llama.cpp, whose Responses do not know `include`
        (_BAD, "encrypted content is not supported", "sealing"),
        (_BAD, "encrypted content", "signatures"),
        (_GONE, "only supported in v1/responses", "responses"),
        (_GONE, "not accessible via the /chat/completions endpoint", "responses"),  # GitHub
        (_400, "chatcompletion operation does not work with the specified model", "responses"),  # Azure
        (_400, "use /v1/responses", "calling"),  # Function tools with reasoning_effort are not supported for …
        (_400, "reasoning details to be preserved", "unsigned"),  # OpenRouter, before Google's own words
        *SIGNED,
        (frozenset({424}), OF_MCP, "final"),
        (frozenset({429}), "request too large for", "oversized"),  # for the limit of a minute, however little is used
        (_GONE, "items are not persisted when", "kept"),
        (_GONE, "response with id", "kept"),
        (_400, "does not support previous_response_id", "kept"),  # llama.cpp
        (_400, "incorrect api key", "key"),
        (_400, "api key not valid", "key"),  # Google's own OpenAI API
        (_400, "api key expired", "key"),
        *REGION,
        (_LIMITING, "key limit exceeded", "quota"),
        (_LIMITING, "any credits or licenses", "quota"),  # xAI
        (_LIMITING, "run out of credits", "quota"),
        (_LIMITING, "used all available credits", "quota"),
        (_LIMITING, "daily free allocation", "quota"),  # Cloudflare
        (_LIMITING, "api calls / month", "quota"),  # Cohere
        (_403, "requires moderation on", "filtered"),  # OpenRouter
        (_403, "your input was flagged", "filtered"),
        (_403, "content violates usage guidelines", "filtered"),  # xAI
        (frozenset({401, 403}), "missing scopes", "scope"),
    ),
    statuses={**STATUSES, 401: "key", 402: "quota", 410: "missing", 498: "capacity", 503: "capacity"},
)
