"""Fields and efforts that servers refuse in the words of the library, or of the vendor, that they are built on."""

import json
from typing import Any

import pytest

from gateway import ir
from gateway.adapters.failures import Cause
from gateway.adapters.levels import efforts_of
from gateway.adapters.openai_errors import read_failure
from gateway.errors import UpstreamRejected
from tests.adapters.site import OpenAISite

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000.0
OF_MISTRAL = (
    "reasoning_effort='medium' is not supported for this model. Must be one of "
    "(<ReasoningEffort.none: 'none'>, <ReasoningEffort.high: 'high'>)"
)
OF_AZURE = (
    "Extra parameters ['stream_options', 'user'] are not allowed when extra-parameters is not set or set to be "
    "'error'. Set extra-parameters to 'pass-through' to pass to the model."
)
OF_OPENAI = "Invalid value: 'xhigh'. Supported values are: 'low', 'medium', and 'high'."
OF_GITHUB = (
    "Unsupported value: 'xhigh' is not supported with the 'gpt-5-mini' model. Supported values are: 'minimal', 'low', "
    "'medium', and 'high'."
)
WORDY = "Unsupported value: 'low' is not supported with the 'gpt-5.2-codex' model. Supported values are: 'medium'."
NAMES = "Unrecognized key(s) in object: 'functions', 'stream_options', 'user'"


def error(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


def refused(message: str, **fields: Any) -> str:
    """Direct the fake to refuse one call."""
    return "!refuse " + json.dumps({"status": 400, **error(message, **fields)})


def level(effort: str) -> ir.Reasoning:
    return ir.Reasoning(mode="level", level=effort)


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        # CherryHQ/cherry-studio#9214, BerriAI/litellm#9800: Azure's API for models of others
        ({"detail": OF_AZURE}, "counting"),
        # openai/openai-python#2296, microsoft/semantic-kernel#10510: Azure with data of one's own
        (error("Validation error at #/stream_options: Extra inputs are not permitted", code=400), "counting"),
        (error("reasoning_effort: Extra inputs are not permitted"), "effort"),
        # RooCodeInc/Roo-Code#83: Joi
        (error('"stream_options" is not allowed'), "counting"),
        # jekalmin/extended_openai_conversation#284, OpenMinis/OpenMinis#86: Venice, which is built on zod
        ({"error": "Invalid request parameters", "details": {"_errors": [NAMES]}}, "counting"),
        ({"error": "Invalid request parameters", "details": {"user": {"_errors": ["Unknown name"]}}}, "final"),
        ({"error": "Invalid request parameters", "details": {"_errors": 5, "user": 5}}, "final"),
        (error('Unrecognized key: "stream_options"'), "counting"),
        # BerriAI/litellm#9916, sigoden/aichat#543: Bedrock
        (error("Malformed input request: #: extraneous key [stream_options] is not permitted, please"), "counting"),
        # OpenRouterTeam/openrouter-examples#71: Cohere
        ({"message": "unknown field: parameter 'strict' is not a valid field. For proper usage, please"}, "strictness"),
        ({"message": "unknown field: parameter 'stream_options' is not a valid field."}, "counting"),
        (error("x does not support parameters: ['foo', 'parallel_tool_calls'], for model=y"), "parallel"),
        # architects-toolkit/SmartHopper#647, dust-tt/dust#27613
        ({"object": "error", "message": OF_MISTRAL, "param": None, "code": "3051"}, "effort_value"),
        ({"detail": [{"type": "enum", "loc": ["body", "reasoning_effort"], "msg": "Input should…"}]}, "effort_value"),
        (error("reasoning_effort is not enabled for this model"), "effort"),
        (error("reasoning_effort: Input should be 'low', 'medium' or 'high'"), "effort_value"),
        (error("reasoning_effort: unknown variant `minimal`, expected one of `high`, `max`"), "effort_value"),
        # nguyenphutrong/quotio#287: CLIProxyAPI
        (error('level "max" not supported, valid levels: low, medium, high, xhigh'), "effort_value"),
        (error(OF_OPENAI, param="reasoning_effort", code="invalid_value"), "effort_value"),
        (error(OF_OPENAI, param="text.verbosity", code="invalid_value"), "verbosity"),
        (error(OF_OPENAI, param="input[0].role", code="invalid_value"), "final"),
        # vllm-project/vllm#43995, OpenHands/software-agent-sdk#2887, HKUDS/nanobot#1487, github/copilot.vim#248
        (error("Expecting ',' delimiter: line 1 column 54 (char 53)"), "arguments"),
        (error("Unterminated string starting at: line 1 column 1121 (char 1120)"), "arguments"),
        (error("Invalid \\escape: line 3 column 7 (char 30)"), "arguments"),
        (error('The "function.arguments" parameter of the code model must be in JSON format.'), "arguments"),
        (error("Invalid JSON format in tool call arguments", code="invalid_tool_call_format"), "arguments"),
        (error("Can only get item pairs from a mapping."), "arguments"),
        # NousResearch/hermes-agent#12167, MiniMax-AI/MiniMax-M2#76, anomalyco/opencode#32608, QwenLM/qwen-code#11834
        (error("invalid params, invalid function arguments json string, tool_call_id: call_1 (2013)"), "arguments"),
        (error("invalid params, tool result's tool id(call_function_g094w5htkglv_1) not found (2013)"), "unanswered"),
        (error("invalid params, tool call result does not follow tool call (2013)"), "unanswered"),
        (error("invalid params, function name or parameters is empty (2013)"), "parameters"),
        (error('invalid params, invalid thinking.type: "enabled" (allowed: adaptive, disabled) (2013)'), "spelling"),
        # XiaomiMiMo/MiMo#44, XiaomiMiMo/MiMo-V2-Flash#8
        (error("Param Incorrect", code="400", param="`text` is not set"), "attached"),
        (error("Param Incorrect", code="400", param="`text` is not present"), "texts"),
        # 567-labs/instructor#1766: Cerebras
        (error("Unsupported tool_choice: type='function' function=… Expected 'auto' or 'none'."), "choice"),
        # charmbracelet/crush#964, anomalyco/opencode#17405: xAI
        (error("Invalid request content: Each message must have at least one content element."), "emptiness"),
        (error("messages[2] assistant content must contain at least one part"), "emptiness"),
        (error("tools.11.custom.input_schema: Field required"), "parameters"),
        (error("grammar is too complex"), "bounds"),
        ({"detail": "System messages are not allowed"}, "system_items"),
        # kaitranntt/ccs#686, github/copilot-cli#3394: GitHub
        (error(OF_GITHUB, code="invalid_request_body"), "effort_value"),
        (error(WORDY, code="invalid_request_body"), "verbosity"),
        (error("Unsupported value: 'x' is not supported with the 'y' model. Supported values are: 'medium'."), "final"),
        (error('reasoning_effort "high" is not supported by model m; supported values: [low medium]'), "effort_value"),
        (error('reasoning_effort "high" was provided, but model m does not support reasoning effort'), "effort"),
        (error("Error rendering prompt with jinja template: No user query found in messages."), "asker"),
        (error("The messages parameter is illegal. Please check the documentation.", code="1214"), "asker"),
        (error("This model does not support assistant message prefill. The conversation must end with a "), "begun"),
        (error("Requests ending with a model turn are not supported."), "begun"),
        (error("temperature: Input should be less than or equal to 1"), "final"),
    ],
)
def test_a_field_that_is_refused_is_known_in_the_words_of_many_libraries(body: Any, cause: Cause) -> None:
    assert read_failure(400, json.dumps(body).encode(), {}, NOW).cause == cause


def test_what_llama_cpp_says_of_a_call_is_no_failure_of_its_own() -> None:
    said = "Failed to parse tool call arguments as JSON: [json.exception.parse_error.101] parse error at line 1"
    failure = read_failure(500, json.dumps(error(said, code=500, type="server_error")).encode(), {}, NOW)
    assert (failure.cause, failure.error.status) == ("arguments", 400)


def test_what_is_wrong_is_told_where_it_stands_beside_the_error() -> None:
    details = {"_errors": [NAMES], "user": {"_errors": ["Too long"]}}
    body = {"error": "Invalid request parameters", "details": details, "request": {"messages": "said"}}
    said = read_failure(400, json.dumps(body).encode(), {}, NOW).error.message
    assert said == f"Invalid request parameters: {NAMES}: user: Too long"


@pytest.mark.parametrize(
    ("said", "levels"),
    [
        (OF_MISTRAL, ("none", "high")),
        (OF_OPENAI, ("low", "medium", "high")),
        ("expected one of `'low' | 'medium' | 'high'`, received `'xhigh'`", ("low", "medium", "high")),
        ('invalid reasoning value: "xhigh" (must be "high", "medium", "low", "max", or "none")', None),
        ("`reasoning_effort` must be one of `none` or `default`", ()),  # Groq: no way to think
        ('think value "high" is not supported for this model', ()),
    ],
)
def test_a_refusal_names_how_much_a_model_can_think(said: str, levels: tuple[str, ...] | None) -> None:
    assert efforts_of(said) == (("high", "medium", "low", "max", "none") if levels is None else levels)


async def test_an_effort_becomes_the_nearest_that_the_refusal_names_and_is_remembered(plain: OpenAISite) -> None:
    await plain.open()
    plain.fake.script.push(refused(OF_MISTRAL))
    for reasoning in (level("medium"), level("low"), ir.Reasoning(mode="off")):
        assert await plain.ask(model="mistral-medium-3.5", attempts=1, reasoning=reasoning) == "hi"
    assert [call.request["reasoning_effort"] for call in plain.calls] == ["medium", "high", "high", "none"]


async def test_so_does_the_effort_of_responses(openai: OpenAISite) -> None:
    await openai.open(api="responses")
    openai.fake.script.push(refused("Supported values are: 'high'.", param="reasoning.effort"))
    for _ in range(2):
        assert await openai.ask(model="gpt-5", attempts=1, reasoning=level("low")) == "hi"
    assert [call.request["reasoning"]["effort"] for call in openai.calls] == ["low", "high", "high"]


async def test_a_model_that_refuses_what_it_has_named_is_not_asked_for_ever(plain: OpenAISite) -> None:
    await plain.open()
    plain.fake.script.push(refused(OF_MISTRAL), refused(OF_MISTRAL))
    with pytest.raises(UpstreamRejected, match="Must be one of"):
        await plain.ask(model="x", reasoning=level("medium"))
    assert len(plain.calls) == 2
