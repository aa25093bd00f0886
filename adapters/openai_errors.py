"""What each failure of OpenAI, or of a server that speaks its API, means: for the key, and for the next try.

    status, body ─► read_failure ─► Failure(cause) ─► RULES[cause] ─► the journey's next step

A 401 is about the key, unless it says that a right is missing: then it is, like a 403, about what was asked for, and
the key stays in use. A quota that is used up comes as a 429 like a rate limit, and only its code tells them apart.
"""

import math
import re
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from gateway.adapters.amendments import SIGNED, TWOFOLD, UNANSWERED, UNPAID
from gateway.adapters.failures import (
    COMMON,
    KEYED,
    NOT_HERE,
    REGION,
    STATUSES,
    Cause,
    Causes,
    Failure,
    ReadFailure,
    Rule,
    Rules,
    blamed,
    narrowed,
    of_address,
    of_service,
)
from gateway.dialects.openai_chat.outbound_errors import Details, is_outcome, read_details, read_error, unwrapped
from gateway.dialects.outbound import (
    ADDED_TOOLS,
    ASIDES,
    IDENTITY,
    ITEM_METADATA,
    SPELLINGS,
    STORING,
    THOUGHT_PARTS,
    UPDATES,
)
from gateway.dialects.raw import read
from gateway.errors import (
    GatewayError,
    ModelNotFound,
    NotFound,
    UpstreamCredential,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnavailable,
)
from gateway.redact import redact

__all__ = ["CAUSES", "RULES", "is_error", "longest", "read_failure", "read_made", "reader", "without_key"]

RULES: Final[Rules] = {
    **KEYED,
    "funds": replace(KEYED["quota"], renew=("body",)),
    "garbled": COMMON["cancelled"],
    "oversized": Rule(),
    "filtered": Rule(),
    "resource": Rule(),
    # another key may be of the account that keeps it, or has sealed it
    "kept": Rule(renew=("body",), others=math.inf, always=True),
}

_400: Final = frozenset({400})
_403: Final = frozenset({403})
_LIMITING: Final = frozenset({403, 429})
_BAD: Final = frozenset({400, 422})
_GONE: Final = frozenset({400, 404})
_VERBOSITY: Final = ("verbosity", "text.verbosity")
_PREVIOUS: Final = "previous_response_id"
# Fields that some server or model does not know, and how a refusal says so, in lower case and without quotation marks.
_FIELDS: Final[Mapping[str, Cause]] = {
    "max_tokens": "old_limit",
    "max_completion_tokens": "new_limit",
    **dict.fromkeys(("reasoning_content", "reasoning_details", "reasoning_items", "thinking_blocks"), "thoughts"),
    "stream_options": "counting",
    "parallel_tool_calls": "parallel",
    **dict.fromkeys(_VERBOSITY, "verbosity"),
    **dict.fromkeys(IDENTITY, "identity"),
    STORING: "storing",
    **dict.fromkeys(ASIDES, "asides"),
    "reasoning_effort": "effort",
    "reasoning.effort": "effort",
    "reasoningeffort": "effort",  # xAI's names
    _PREVIOUS: "kept",
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
_VALUES: Final[Mapping[str, Cause]] = {
    **dict.fromkeys(("reasoning_effort", "reasoning.effort"), "effort_value"),
    **dict.fromkeys(_VERBOSITY, "verbosity"),
    **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), "drawing"),
}
_REFUSED: Final = (
    "{} does not support",  # OpenAI
    "invalid {}: only",  # Moonshot
    "{} must be one of",  # Groq
    "literal_error,loc:[body,{}]",
    "literal_error, loc: (body, {})",
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
_LONGEST: Final = re.compile(
    r"(?:supports at most |expected a value <= |be less than or equal to |than max_model_len=|the model limit of "
    r"|range of max_tokens (?:should be|is) \[1, ?|max_tokens: \d{1,9} > )[`'\"]?(\d{1,9})\b"
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
        *((_BAD, words.format(name), cause) for name, cause in _VALUES.items() for words in _REFUSED),
        *((_BAD, words.format(name), cause) for name, cause in _FIELDS.items() for words in _UNKNOWN),
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
        (_BAD, "list[union[easyinputmessageparam", "incomplete"),  # vLLM, of items, whatever is wrong with one
        (_BAD, "for validatoriterator", "incomplete"),
        (_BAD, "invalid responses api request", "incomplete"),  # OpenRouter
        *((_BAD, words, "incomplete") for words in ("missing required field id", "].id.")),  # Meta; OpenAI: input[9].id
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
        *((_BAD, words, "texts") for words in _NO_PARTS),
        *((_BAD, words, "nulls") for words in _NO_NULL),
        (_BAD, "].id: string too long", "short_ids"),  # OpenAI, Azure: messages[1].tool_calls[0].id
        (_BAD, "call_id: string too long", "short_ids"),  # of a result, and in Responses
        *((_BAD, words.format(name), "remnants") for name in _REMNANTS for words in _NO_REMNANT),
        (_BAD, "image urls are only allowed for messages with role user", "attached"),  # OpenAI, Azure: not in results
        (_BAD, "invalid value: image_url. supported values are: text", "attached"),
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
        (_BAD, "content is empty", "emptiness"),  # MiniMax: chat content; Moonshot: text content
        (_BAD, "未正常接收到prompt参数", "emptiness"),  # Zhipu
        (_BAD, "mixed values for strict", "strictness"),  # Cerebras
        (_BAD, "tools with strict=true are not supported", "strictness"),
        (_BAD, "function.strict", "strictness"),  # a path
        (_BAD, "failed to parse grammar", "bounds"),  # llama.cpp, LM Studio
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
        (_BAD, "top_logprobs requires logprobs", "logprobs"),  # llama.cpp, whose Responses do not know `include`
        (_BAD, "encrypted content is not supported", "sealing"),
        (_BAD, "encrypted content", "signatures"),
        (_GONE, "only supported in v1/responses", "responses"),
        (_GONE, "not accessible via the /chat/completions endpoint", "responses"),  # GitHub
        (_400, "chatcompletion operation does not work with the specified model", "responses"),  # Azure
        (_400, "use /v1/responses", "calling"),  # Function tools with reasoning_effort are not supported for …
        (_400, "reasoning details to be preserved", "unsigned"),  # OpenRouter, before Google's own words
        *SIGNED,
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
_KIND: Final = re.compile(r"(?:^|\.)tools[.\[]\d{1,4}\]?\.type$")  # the member that a refusal names
# stream_options beside the one that has the tokens counted, as Mistral's and vLLM's clients send them
_OPTION: Final = re.compile(r"stream_options\.(?!include_usage)\w")
_ACCOUNT: Final = "organization"  # Encrypted content organization_id did not match the target organization.
_NAMED: Final = " with id "  # a prompt, a file, a store of vectors: it is the caller's, and no address has one
_ADDRESS: Final = "there is nothing at this URL of the upstream; base_url is given with /v1"
_UNABLE: Final = "not allowed to generate embeddings from this model"  # OpenAI, with any key
_UNMADE: Final = "the upstream has none; if it should, base_url lacks /v1"


class _Inner(Struct):
    error: Raw | UnsetType = UNSET


class _Event(Struct):
    type: str | None = None
    object: str | None = None
    error: Raw | UnsetType = UNSET
    response: _Inner | None = None
    choices: list[_Inner] | None = None


_EVENT: Final = msgspec.json.Decoder(_Event)
_NOTHING: Final = (UNSET, Raw(b"null"))


def reader(causes: Causes, address: str) -> ReadFailure:
    """Make the reader of an error answer, or of the payload of an error event under status 200.

    `address`: what to say where nothing is at the address.
    """

    @of_service
    def read(status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
        body = _within(body) or body
        details = read_details(body)
        status = blamed(status, details.message)
        error = read_error(status, body, headers, now=now)
        code = status if status >= 400 else details.status or error.status
        found = causes.find(code, details.code or details.type, details.message)
        cause = narrowed(_looked_at(found, details.message, details.param), error, details.message)
        error = _told(error, cause, details.message)
        if cause == "missing" and isinstance(error, UpstreamRejected):
            cause = "final"
        elif cause == "missing" and not isinstance(error, ModelNotFound):
            error, cause = _missing(details, code, address)
        elif cause == "address":
            error = _nowhere(details, code, address)
        elif cause == "location":
            error = UpstreamUnavailable(f"{NOT_HERE}: {details.message}")
        elif cause == "oversized":
            error.retry_after, error.headers = None, {"x-should-retry": "false"}
        return Failure(error, cause, status=code, wait_s=error.retry_after, reason=details.code)

    return read


def _missing(details: Details, code: int, address: str) -> tuple[GatewayError, Cause]:
    """Say what is not there where no model is named: a service that answers in its own form means the one asked for."""
    if _NAMED in details.message:
        return NotFound(details.message), "final"
    if of_address(details.code or details.type, details.message):
        return _nowhere(details, code, address), "address"
    return ModelNotFound(details.message), "missing"


def _nowhere(details: Details, code: int, address: str) -> GatewayError:
    return UpstreamUnavailable(f"{address}: {details.message or f'status {code}'}")


def _looked_at(cause: Cause, said: str, param: str) -> Cause:
    """Give the cause where the words of the refusal, or the member that it names, say more than the table."""
    if param == _PREVIOUS or (cause == "signatures" and _ACCOUNT in said.lower()):
        return "kept"
    if cause == "counting" and _OPTION.search(said):
        return "options"
    return "kinds" if cause == "final" and _KIND.search(param) else cause


def _told(error: GatewayError, cause: Cause, said: str) -> GatewayError:
    """Give what a caller is told where the words say more than the status."""
    if cause == "quota" and error.code != UpstreamRateLimited.SPENT:
        return UpstreamRateLimited(said, code=UpstreamRateLimited.SPENT, retry_after=error.retry_after)
    return UpstreamRejected(said) if cause == "filtered" and isinstance(error, UpstreamCredential) else error


read_failure: Final = reader(CAUSES, _ADDRESS)
_read_unmade: Final = reader(CAUSES, _UNMADE)


def read_made(status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
    """Read the refusal of embeddings or pictures: many servers have nothing but chats at their addresses."""
    failure = _read_unmade(status, body, headers, now)
    if failure.cause == "address":
        return Failure(NotFound(failure.error.message), "resource", status=failure.status)
    said = read_details(body).message
    if status == 501 or (status == 403 and _UNABLE in said):  # llama.cpp, not started for embeddings; a chat model
        return Failure(NotFound(said), "resource", status=status)
    return failure


def longest(said: str) -> int | None:
    """Give how many tokens an answer may have, as a refusal names it."""
    found = _LONGEST.search(said.lower())
    return int(found[1]) if found is not None else None


def is_error(payload: bytes) -> bool:
    """Tell whether what came under status 200 is an error."""
    return _within(payload) is not None


def without_key(failure: Failure, key: str) -> Failure:
    """Mask a key that a refusal repeats: its words are told, logged and kept."""
    failure.error.message = redact(failure.error.message, (key,))
    failure.args = (failure.error.message,)
    return failure


def _within(payload: bytes) -> bytes | None:
    """Give the error that an event of either API carries, or a choice; None when there is none."""
    payload = unwrapped(payload)
    event = read(payload, _EVENT)
    if event is None:
        return None
    if event.error not in _NOTHING:
        return payload
    for place in (event.response, *(event.choices or ())):
        if place is not None and place.error not in _NOTHING:
            return b'{"error":%b}' % place.error
    if "error" in (event.type, event.object):
        return payload
    return payload if not event.choices and is_outcome(payload) else None
