"""What each refusal of OpenAI, and of servers that speak its API, means."""

import json
import typing
from typing import Any

import pytest

from gateway.adapters import failures
from gateway.adapters.failures import AMENDED, Cause, Failure
from gateway.adapters.openai_errors import RULES, is_error, read_failure
from gateway.errors import (
    ContextTooLong,
    GatewayError,
    ModelNotFound,
    NotFound,
    UpstreamCredential,
    UpstreamMalformed,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnavailable,
)
from tests.fakes.openai_api_errors import NAMED

NOW = 1_800_000_000.0

MEANT: dict[str, tuple[Cause, type[GatewayError], float | None]] = {
    "400_context": ("final", ContextTooLong, None),
    "400_context_window": ("final", ContextTooLong, None),
    "400_policy": ("final", UpstreamRejected, None),
    "400_billing_limit": ("quota", UpstreamRateLimited, None),
    "401_invalid_key": ("key", UpstreamCredential, None),
    "401_deactivated": ("banned", UpstreamCredential, None),
    "401_scopes": ("scope", UpstreamCredential, None),
    "403_country": ("location", UpstreamUnavailable, None),
    "403_model": ("missing", ModelNotFound, None),
    "429_requests": ("rate_limit", UpstreamRateLimited, 20),
    "429_tokens": ("rate_limit", UpstreamRateLimited, 7.24),
    "429_too_large": ("oversized", UpstreamRateLimited, None),
    "429_day": ("rate_limit", UpstreamRateLimited, 432),
    "429_quota": ("quota", UpstreamRateLimited, None),
    "429_bare": ("rate_limit", UpstreamRateLimited, None),
    "500_server": ("server", UpstreamUnavailable, None),
    "500_final": ("server", UpstreamUnavailable, None),
    "501_again": ("server", UpstreamUnavailable, None),
    "503_overloaded": ("capacity", UpstreamOverloaded, None),
    "503_slow_down": ("capacity", UpstreamOverloaded, None),
}


def said(status: int, message: str, **error: Any) -> Failure:
    return read_failure(status, json.dumps({"error": {"message": message, **error}}).encode(), {}, NOW)


def test_every_refusal_that_is_known_has_its_meaning() -> None:
    assert MEANT.keys() == NAMED.keys()


@pytest.mark.parametrize("name", MEANT)
def test_published_refusals(name: str) -> None:
    cause, kind, wait_s = MEANT[name]
    refusal = NAMED[name]("gpt-4.1")
    failure = read_failure(refusal.status, json.dumps(refusal.body).encode(), refusal.headers, NOW)
    assert (failure.cause, type(failure.error)) == (cause, kind)
    assert failure.wait_s == failure.error.retry_after
    assert failure.wait_s == pytest.approx(wait_s) if wait_s else failure.wait_s is None


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'",
            "old_limit",
        ),
        ("Unrecognized request argument supplied: max_completion_tokens", "new_limit"),
        ("property 'max_completion_tokens' is unsupported", "new_limit"),
        ("max_tokens is too large: 40000. This model supports at most 32768 completion tokens", "limit"),
        ("Invalid 'max_output_tokens': integer above maximum value. Expected a value <= 32768, but got…", "limit"),
        ("`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens`", "limit"),
        ("max_tokens=32000 cannot be greater than max_model_len=8192. Please request fewer output tokens.", "limit"),
        ("<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]", "limit"),  # Qwen
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", "limit"),  # DeepSeek
        (
            "The parameter max_tokens specified in the request is not valid: integer above maximum value, expected…",
            "limit",
        ),  # Volcengine
        ("max_tokens: 32000 > 8192, which is the maximum allowed number of output tokens for claude-3", "limit"),
        ("The maximum tokens you requested exceeds the model limit of 8192. Try again with…", "limit"),  # Bedrock
        ("Invalid 'max_completion_tokens': integer below minimum value.", "final"),
        ("Unrecognized request argument supplied: reasoning_effort", "effort"),
        ("Unrecognized request argument supplied: reasoning", "spelling"),
        ("Unknown parameter: 'thinking'.", "spelling"),
        ("Unknown parameter: 'messages[1].reasoning_content'.", "thoughts"),
        ("Unknown parameter: 'messages[1].reasoning'.", "thoughts"),
        ("Extra inputs are not permitted, field: 'messages[1].reasoning_details', value: []", "thoughts"),
        ("'messages.1' : property 'thinking_blocks' is unsupported", "thoughts"),
        ("Unsupported parameter: 'reasoning.effort' is not supported with this model.", "effort"),
        ("Unsupported value: 'reasoning_effort' does not support 'minimal' with this model.", "effort_value"),
        ("`reasoning_effort` must be one of `none` or `default`", "effort_value"),  # Groq
        ('"llama3.1:8b" does not support thinking', "effort"),  # Ollama
        ('think value "high" is not supported for this model', "effort_value"),
        ('invalid reasoning value: "xhigh" (must be "high", "medium", "low", "max", or "none")', "effort_value"),
        ("{'type': 'literal_error', 'loc': ('body', 'reasoning_effort'), 'msg': \"Input should be…\"}", "effort_value"),
        ("[{'type': 'extra_forbidden', 'loc': ('body', 'reasoning_effort'), 'msg': 'Extra inputs…'}]", "effort"),
        ("Validation: Unsupported parameter(s): `reasoning_effort`", "effort"),  # NVIDIA
        ("Validation: Unsupported parameter(s): `prompt_cache_key`", "identity"),
        ("Extra inputs are not permitted, field: 'reasoning_effort', value: 'high'", "effort"),  # Fireworks
        ("Extra inputs are not permitted, field: 'messages[1].reasoning_content', value: 'Hm.'", "thoughts"),
        ("UnsupportedParamsError: groq does not support parameters: ['reasoning_effort'], for model=x", "effort"),
        ("Unsupported value: 'temperature' does not support 0.2 with this model.", "drawing"),
        ("Unsupported parameter: 'top_p' is not supported with this model.", "drawing"),
        ("Unsupported parameter: 'stop' is not supported with this model.", "stops"),
        ("Unsupported parameter: 'parallel_tool_calls' is not supported with this model.", "parallel"),
        ("Unsupported value: 'verbosity' does not support 'low' with this model. Supported values are:…", "verbosity"),
        ("`text.verbosity` is not supported", "verbosity"),  # Baseten
        ("Unsupported parameter: 'logprobs' is not supported with this model.", "logprobs"),
        ("Unsupported parameter: 'top_logprobs' is not supported with this model.", "logprobs"),
        ("property 'logprobs' is unsupported", "logprobs"),
        ("top_logprobs requires logprobs to be set to true", "logprobs"),
        ("invalid temperature: only 1 is allowed for this model", "drawing"),  # Moonshot
        ("Model grok-4.20 does not support parameter reasoningEffort.", "effort"),  # xAI
        ("Argument not supported on this model: reasoning_effort", "effort"),
        ("Argument not supported on this model: presencePenalty", "drawing"),
        ("Argument not supported on this model: stop", "stops"),
        ("Argument not supported: stream_options", "counting"),
        ("property 'stream_options' is unsupported", "counting"),
        ("Unknown parameter: 'stream_options'.", "counting"),
        ("Unknown parameter: 'stream_options.include_usage'.", "counting"),
        ("Unknown parameter: 'stream_options.stream_tool_calls'.", "options"),  # of Mistral's clients
        ("property 'prompt_cache_key' is unsupported", "identity"),  # Groq
        ("body.prompt_cache_key: property 'body.prompt_cache_key' is unsupported", "identity"),  # Cerebras
        ("property 'user' is unsupported", "identity"),
        # Google's own OpenAI API: liliMozi/openhanako#394 and #2494, SuzumiyaAkizuki/ComfyUI-NewBie-LLM-Formatter#3
        ('Invalid JSON payload received. Unknown name "prompt_cache_key": Cannot find field.', "identity"),
        ('Invalid JSON payload received. Unknown name "store": Cannot find field.', "storing"),
        ('Invalid JSON payload received. Unknown name "reasoning": Cannot find field.', "spelling"),
        ('Invalid JSON payload received. Unknown name "frequency_penalty": Cannot find field.', "drawing"),
        ("Invalid JSON payload received. Unknown name \"x\" at 'store': Cannot find field.", "final"),
        ("Function calling with a response mime type: 'application/json' is unsupported", "formless"),
        ("Thinking level MINIMAL is not supported for this model.", "effort_value"),
        ("Budget 0 is invalid. This model only works in thinking mode.", "effort_value"),
        ("Unknown parameter: 'client_metadata'.", "asides"),
        ("[invalid_request_error] unknown parameter `access_programs`", "asides"),  # OpenCode
        ("The access_programs parameter is not enabled for this organization.", "asides"),
        ("Unsupported Responses API input item type: 'additional_tools' None", "added_tools"),
        ("Invalid value: 'additional_tools'. Supported values are: 'message' and 'reasoning'.", "added_tools"),
        (
            "Input tag 'additional_tools' found using 'type' does not match any of the expected tags: 'message'",
            "added_tools",
        ),
        ("unknown variant `configuration_update`, expected one of `message`, `reasoning`", "updates"),
        (
            "Unknown parameter: 'input[0].internal_chat_message_metadata_passthrough.content_item_kinds'.",
            "item_metadata",
        ),
        ("Unknown parameter: 'messages[0].content[0].prompt_cache_breakpoint'.", "marks"),
        ("messages.0.content.0.cache_control: Extra inputs are not permitted", "marks"),
        ("'type' of tool must be 'function'", "kinds"),  # llama.cpp
        ("`custom` tools are not supported on this endpoint", "kinds"),  # Meta
        ("Unsupported Responses tool type: namespace", "kinds"),
        ("malformed request: failed to parse JSON for /v1/responses: unknown tool type", "kinds"),  # Coder
        ("The requested tool image_generation is not supported.", "kinds"),  # GitHub
        ('Only `type:"function"` tools are supported on this endpoint.', "kinds"),
        ("Invalid 'tools': unknown variant `namespace`, expected `function` or `mcp`", "kinds"),  # Bedrock
        ("Invalid Responses API request", "incomplete"),  # OpenRouter
        ("property 'messages.0.user.name' is unsupported", "final"),
        ("The `reasoning_content` in the thinking mode must be passed back to the API.", "echoes"),  # DeepSeek
        ("thinking is enabled but reasoning_content is missing in assistant tool call message at index 7", "echoes"),
        ("System message must be at the beginning.", "system_turns"),  # Qwen's template
        ("Conversation roles must alternate user/assistant/user/assistant/...", "system_turns"),  # Gemma's
        ("invalid params, chat content has invalid message role: system (2013)", "system_turns"),  # MiniMax
        ("Unexpected role 'system' after role 'assistant'", "system_turns"),  # Mistral
        ("Unexpected role 'user' after role 'tool'", "answers"),
        ("An assistant message with 'tool_calls' must be followed by tool messages responding to each …", "unanswered"),
        ("Messages with role 'tool' must be a response to a preceding message with 'tool_calls'", "unanswered"),
        ("No tool output found for function call call_1.", "unanswered"),
        ("No tool call found for custom tool call output with call_id call_1.", "unanswered"),
        ("Item 'rs_1' of type 'reasoning' was provided without its required following item.", "unanswered"),
        ("Item 'fc_1' of type 'function_call' was provided without its required 'reasoning' item: 'rs_1'.", "untied"),
        ("Invalid value for 'content': expected a string, got null.", "nulls"),
        ("Invalid 'messages[1].tool_calls': empty array. Expected an array with minimum length 1, but …", "nulls"),
        ("Invalid 'messages[1].content': empty array. Expected an array with minimum length 1, but …", "nulls"),
        ("[] is too short - 'messages.1.tool_calls'", "nulls"),
        ("Invalid type for 'messages[1].tool_calls': expected an array of objects, but got null instead.", "nulls"),
        (
            "Invalid type for 'messages[1].content': expected one of a string or array of objects, but got null …",
            "nulls",
        ),
        (
            "'messages.2' : … must be satisfied[('messages.2' : property 'annotations' is unsupported)]",
            "remnants",
        ),  # Groq
        ("property 'messages.1.assistant.refusal' is unsupported", "remnants"),  # Cerebras
        ("Invalid 'input[1].id': 'call_1'. Expected an ID that begins with 'fc'.", "untied"),
        ("Unknown parameter: 'input[1].status'.", "remnants"),
        ("Unknown parameter: 'input[1].parsed_arguments'.", "remnants"),
        ("Unknown parameter: 'input[1].content[0].parsed'.", "remnants"),
        ("Unknown parameter: 'messages[1].tool_calls[0].index'.", "remnants"),
        ("Unknown parameter: 'messages[1].tool_calls[0].function.parsed_arguments'.", "remnants"),
        ("Unknown parameter: 'messages[1].tool_calls[0].call_id'.", "remnants"),
        ("Unknown parameter: 'messages[1].tool_calls[0].caller'.", "remnants"),
        ("Unknown parameter: 'messages[1].reasoning_items'.", "thoughts"),
        ("Invalid value: 'thinking'. Supported values are: 'text' and 'refusal'.", "remnants"),
        ("Unknown parameter: 'messages[1].tool_calls[0].provider_specific_fields'.", "remnants"),
        ("Unknown parameter: 'messages[1].tool_calls[0].extra_content'.", "remnants"),
        ("Unknown parameter: 'messages[1].images'.", "remnants"),
        ("Unknown parameter: 'messages[1].rs_68a1'.", "remnants"),
        ("Extra inputs are not permitted, field: 'messages[1].function_call', value: None", "remnants"),  # Fireworks
        ("`tool_use` ids were found without `tool_result` blocks immediately after: toolu_1", "unanswered"),  # Claude
        ("unexpected `tool_use_id` found in `tool_result` blocks: toolu_1.", "unanswered"),
        ("Please ensure that the number of function response parts is equal to …", "unanswered"),  # Google
        ("Not the same number of function calls and responses", "unanswered"),  # Mistral
        ("Tool call id was call_0fypS1hVX but must be a-z, A-Z, 0-9, with a length of 9.", "plain_ids"),
        ("Tool call IDs should be alphanumeric strings with length 9!", "plain_ids"),
        ("messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'", "plain_ids"),
        ("messages.2.content.0.tool_result.tool_use_id: String should match pattern '^[a-zA-Z0-9_-]+$'", "plain_ids"),
        (
            (
                "Value 'functions.f:0' at 'messages.3.member.content.1.member.toolResult.toolUseId' failed to satisfy "
                "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"
            ),
            "plain_ids",
        ),
        (
            (
                "Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum length 40, "
                "but got a string with length 46 instead."
            ),
            "short_ids",
        ),
        (
            (
                "Invalid 'input[1].call_id': string too long. Expected a string with maximum length 64, but got a "
                "string with length 83 instead."
            ),
            "short_ids",
        ),
        ("invalid params, invalid chat setting (2013)", "system_turns"),
        ("invalid params, chat content is empty (2013)", "emptiness"),  # MiniMax
        ("Invalid request: text content is empty", "emptiness"),  # Moonshot
        ("未正常接收到prompt参数", "emptiness"),  # Zhipu
        ("Failed to initialize samplers: failed to parse grammar", "bounds"),  # llama.cpp
        ("The encrypted content gAAA... could not be verified.", "signatures"),
        ("Encrypted content is not supported with this model.", "sealing"),
        (
            (
                "{'loc': ('body', 'messages', 1, 'ChatCompletionRequestAssistantMessage', 'content'), "
                "'msg': 'Input should be a valid string'}"
            ),
            "silence",
        ),
        ("This response_format type is unavailable now", "schemaless"),
        ("This model does not support response format `json_schema`. See supported models", "schemaless"),
        ("Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.", "schemaless"),
        (
            "{'loc': ('body', 'response_format', 'type'), 'msg': \"Input should be 'text' or 'json_object'\"}",
            "schemaless",
        ),
        ('"tools" is incompatible with "response_format"', "formless"),  # Cerebras: litellm's issue 31333
        ("json mode cannot be combined with tool/function calling", "formless"),  # Groq: vercel/ai, 16540
        ("response_format` json_object cannot be combined with tool/function calling", "formless"),
        ("The encrypted content could not be verified. Reason: organization_id did not match.", "kept"),
        ("Previous response with id 'resp_1' not found.", "kept"),
        ("llama.cpp does not support 'previous_response_id'.", "kept"),
        ("Unknown parameter: 'previous_response_id'.", "kept"),
        ("Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.", "kept"),
        ("Invalid 'tools[0].function.name': string too long.", "final"),
    ],
)
def test_a_bad_request_by_its_words(message: str, cause: Cause) -> None:
    assert said(400, message, type="invalid_request_error").cause == cause


@pytest.mark.parametrize(
    ("status", "body", "cause", "kind"),
    [
        # vLLM
        (
            404,
            {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404},
            "missing",
            ModelNotFound,
        ),
        # Ollama
        (404, {"error": {"message": 'model "x" not found, try pulling it first'}}, "missing", ModelNotFound),
        # FastAPI and pydantic
        (404, {"detail": "Not Found"}, "address", UpstreamUnavailable),
        (404, {"error": {"message": "Vector store with id vs_1 not found."}}, "final", NotFound),
        (
            422,
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"], "msg": "Extra inputs"}]},
            "new_limit",
            UpstreamRejected,
        ),
        # Mistral
        (
            422,
            {
                "detail": [
                    {"type": "literal_error", "loc": ["body", "reasoning_effort"], "msg": "Input should be 'high'"}
                ]
            },
            "effort_value",
            UpstreamRejected,
        ),
        (
            422,
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "messages", 1, "assistant", "reasoning_content"]}]},
            "thoughts",
            UpstreamRejected,
        ),
        (
            422,
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "messages", 1, "assistant", "refusal"]}]},
            "remnants",
            UpstreamRejected,
        ),
        # llama.cpp
        (503, {"error": {"code": 503, "message": "Loading model"}}, "capacity", UpstreamOverloaded),
        (
            500,
            {"error": {"code": 500, "message": "image input is not supported - hint: …", "type": "server_error"}},
            "final",
            UpstreamRejected,
        ),
        (500, {"error": {"code": 500, "message": "Compute error."}}, "server", UpstreamUnavailable),
        # Ollama
        (500, {"error": {"message": "system message must be at the beginning"}}, "system_turns", UpstreamRejected),
        # llama-cpp-python
        (
            500,
            {"error": {"message": "1 validation error:\n  {'type': 'int_parsing', 'loc': ('body', 'seed')}"}},
            "final",
            UpstreamRejected,
        ),
        # Xinference
        (
            500,
            {"detail": "Internal Server Error: 1 validation error for CreateChatCompletion\nmax_tokens\n  not one"},
            "final",
            UpstreamRejected,
        ),
        # xAI
        (400, {"code": "x", "error": "Incorrect API key provided: xa***."}, "key", UpstreamRejected),
        # Google's own OpenAI API
        (
            400,
            [{"error": {"code": 400, "message": "User location is not supported for the API use."}}],
            "location",
            UpstreamUnavailable,
        ),
        # OpenRouter
        (402, {"error": {"code": 402, "message": "Insufficient credits"}}, "quota", UpstreamRateLimited),
        (403, {"error": {"code": 403, "message": "Your input was flagged"}}, "filtered", UpstreamRejected),
        (403, {"error": {"code": 403, "message": "Key limit exceeded (total limit)."}}, "quota", UpstreamRateLimited),
        (
            404,
            {"error": {"code": 404, "message": "No endpoints found that support tools."}},
            "missing",
            ModelNotFound,
        ),
        (
            404,
            {"error": {"code": 404, "message": "No endpoints found that support the provided 'tool_choice' value."}},
            "choice",
            ModelNotFound,
        ),
        (
            400,
            {"error": {"code": 400, "message": 'tool_choice: type "tool" and "any" are not supported for this model.'}},
            "choice",
            UpstreamRejected,
        ),
        # NVIDIA
        (
            404,
            {"status": 404, "title": "Not Found", "detail": "Function 'a-b': Not found for account 'Qw'"},
            "missing",
            ModelNotFound,
        ),
        # xAI
        (
            403,
            {"code": "permission-denied", "error": "Content violates usage guidelines. Team: a-b"},
            "filtered",
            UpstreamRejected,
        ),
        (403, {"code": "x", "error": "Access to the chat endpoint is denied."}, "forbidden", UpstreamCredential),
        (403, {"code": "x", "error": "You have run out of credits or need a…"}, "quota", UpstreamRateLimited),
        # new-api
        (
            403,
            {
                "error": {
                    "message": "user quota is not enough",
                    "type": "new_api_error",
                    "code": "insufficient_user_quota",
                }
            },
            "quota",
            UpstreamRateLimited,
        ),
        # Moonshot, Zhipu, Qwen
        (
            429,
            {"error": {"message": "Your account is suspended", "type": "exceeded_current_quota_error"}},
            "quota",
            UpstreamRateLimited,
        ),
        (429, {"error": {"code": "1113", "message": "Insufficient balance. Recharge."}}, "quota", UpstreamRateLimited),
        (429, {"error": {"code": "1302", "message": "High concurrency usage"}}, "rate_limit", UpstreamRateLimited),
        (400, {"error": {"code": "Arrearage", "message": "Access denied, please…"}}, "quota", UpstreamRateLimited),
    ],
)
def test_refusals_of_servers_that_are_compatible(
    status: int, body: Any, cause: Cause, kind: type[GatewayError]
) -> None:
    failure = read_failure(status, json.dumps(body).encode(), {}, NOW)
    assert (failure.cause, type(failure.error)) == (cause, kind)


def test_a_right_that_is_missing_says_nothing_against_the_key() -> None:
    words = "You have insufficient permissions for this operation. Missing scopes: api.model.read."
    assert [said(status, words).cause for status in (401, 403)] == ["scope", "scope"]


def test_nothing_at_the_address_says_what_to_set() -> None:
    failure = said(404, "Invalid URL (POST /chat/completions)")
    assert failure.error.status == 502
    assert "base_url is given with /v1" in failure.error.message


@pytest.mark.parametrize(
    ("error", "cause", "kind"),
    [
        ({"message": "It is not available to you.", "type": "invalid_request_error"}, "missing", ModelNotFound),
        ({"message": "gone", "code": "unavailable"}, "missing", ModelNotFound),
        ({"message": "gone"}, "address", UpstreamUnavailable),
        ({"message": "Not found", "type": "invalid_request_error"}, "address", UpstreamUnavailable),
        ({"message": "Unknown request URL: POST /x", "code": "unknown_url"}, "address", UpstreamUnavailable),  # Groq
        ({"message": "File Not Found", "type": "not_found_error", "code": 404}, "address", UpstreamUnavailable),
    ],
)
def test_a_404_of_a_service_is_of_what_it_was_asked_for(
    error: dict[str, object], cause: Cause, kind: type[GatewayError]
) -> None:
    failure = read_failure(404, json.dumps({"error": error}).encode(), {}, NOW)
    assert (failure.cause, type(failure.error)) == (cause, kind)


def test_a_used_up_quota_says_so_by_its_code() -> None:
    assert said(429, "You exceeded your current quota", code="insufficient_quota").error.code == "insufficient_quota"


@pytest.mark.parametrize(
    ("event", "cause", "kind"),
    [
        ({"error": {"message": "m", "type": "server_error", "code": None}}, "server", UpstreamUnavailable),
        ({"error": {"message": "m", "code": "rate_limit_exceeded"}}, "rate_limit", UpstreamRateLimited),
        ({"type": "error", "code": "rate_limit_exceeded", "message": "m"}, "rate_limit", UpstreamRateLimited),
        (
            {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "m"}}},
            "server",
            UpstreamUnavailable,
        ),
        ({"error": {"message": "bad", "code": 400}}, "final", UpstreamRejected),
        ({"type": "error", "code": "invalid_prompt", "message": "m"}, "final", UpstreamRejected),
        (
            {"type": "response.failed", "response": {"error": {"code": "image_too_large", "message": "m"}}},
            "final",
            UpstreamRejected,
        ),
        (
            {"type": "response.failed", "response": {"error": {"code": "vector_store_timeout", "message": "m"}}},
            "server",
            UpstreamUnavailable,
        ),
        (
            {"choices": [{"finish_reason": "error", "error": {"code": 429, "message": "m"}}]},
            "rate_limit",
            UpstreamRateLimited,
        ),
        ([{"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}}], "rate_limit", UpstreamRateLimited),
        ([{"error": {"code": 503, "message": "m", "status": "UNAVAILABLE"}}], "capacity", UpstreamOverloaded),
        ({"message": "m", "code": 429}, "rate_limit", UpstreamRateLimited),
        ({"errors": [{"message": "m", "code": 3040}]}, "server", UpstreamUnavailable),
    ],
)
def test_an_error_within_an_answer_goes_by_what_it_says(event: Any, cause: Cause, kind: type[GatewayError]) -> None:
    payload = json.dumps(event).encode()
    assert is_error(payload)
    failure = read_failure(200, payload, {}, NOW)
    assert (failure.cause, type(failure.error)) == (cause, kind)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"[[]]",
        b'{"choices": [{"error": null}], "error": null}',
        b'{"type": "response.created"}',
        b'{"code": 0, "message": "Success"}',
    ],
)
def test_what_is_no_error(payload: bytes) -> None:
    assert not is_error(payload)


@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b"\xff\xfe", b"[" * 50_000])
def test_a_refusal_that_cannot_be_read_goes_by_its_status(body: bytes) -> None:
    assert read_failure(502, body, {}, NOW).cause == "server"
    assert isinstance(read_failure(200, body, {}, NOW).error, UpstreamMalformed | UpstreamUnavailable)


def test_no_key_gets_into_a_message() -> None:
    message = said(
        401, "Incorrect API key provided: sk-proj-**********abcd. You can find your API key at …"
    ).error.message
    assert "abcd" not in message
    assert "sk-proj" not in message


def test_no_rule_goes_on_for_ever() -> None:
    for rule in RULES.values():
        assert rule.base is False
        assert rule.waits is False or rule.again == 0


def test_what_is_left_out_is_left_out_once() -> None:
    for cause in AMENDED:
        assert RULES[cause].renew == ("body",)
        assert RULES[cause].again == RULES[cause].others == 0


def test_every_cause_that_needs_no_answer_has_a_rule() -> None:
    below = {"server", "unreachable", "broken", "malformed", "final", "cooling"}
    assert below <= RULES.keys() <= set(typing.get_args(failures.Cause))
