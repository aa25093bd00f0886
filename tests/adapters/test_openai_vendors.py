"""What vendors of OpenAI's and Anthropic's API say of limits, of money and of models that they do not serve."""

import json
from typing import Any

import pytest

from gateway import ir
from gateway.adapters import anthropic_errors, openai_errors
from gateway.adapters.failures import Cause, Failure
from gateway.errors import ModelNotFound, UpstreamRateLimited, UpstreamRejected
from tests.adapters.site import OpenAISite

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
LIMIT = "Usage limit reached for 5 hour. Your limit will reset at 2027-01-15 18:38:28"
FALSE_CALL = "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details."


def read(status: int, body: Any, **headers: str) -> Failure:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return openai_errors.read_failure(status, json.dumps(body).encode(), given, NOW)


def error(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


def refusal(status: int, message: str, **fields: Any) -> str:
    """Direct the fake to refuse one call."""
    return "!refuse " + json.dumps({"status": status, **error(message, **fields)})


@pytest.mark.parametrize(
    ("status", "body"),
    [
        # hugalafutro/model-hotel#955, dirge-code/dirge#818
        (429, error(LIMIT, code="1308")),
        (429, error("已达到 5 小时的使用上限。您的限额将在 2027-01-15 18:38:28 重置。", code="1308")),
        # docs.z.ai/api-reference/api-code
        (429, error("Weekly/Monthly Limit Exhausted. Your limit will reset at 2027-01-15 18:38:28", code="1310")),
        # MiniMax-AI/MiniMax-M2.7#36
        (429, error("usage limit exceeded, 5-hour usage limit reached, resets at 2027-01-15T10:38:28Z (2056)")),
    ],
)
def test_a_plan_that_is_used_up_rests_until_the_moment_that_is_named(status: int, body: Any) -> None:
    failure = read(status, body)
    assert failure.cause == "quota"
    assert failure.wait_s == pytest.approx(9508.0)
    assert failure.error.code == UpstreamRateLimited.SPENT


@pytest.mark.parametrize(
    ("status", "body"),
    [
        # NousResearch/hermes-agent#68832
        (429, {"error": "you (x) have reached your weekly usage limit, upgrade for higher limits"}),
        (403, error("You've reached your usage limit for this billing cycle.", type="access_terminated_error")),
        # theopenco/llmgateway#3838, pollinations/pollinations#12136
        (412, error("Account x is suspended, possibly due to reaching the monthly spending limit", code="P_F")),
        # developers.cloudflare.com/workers-ai/platform/errors
        (429, {"errors": [{"code": 4006, "message": "you have used up your daily free allocation of 10,000"}]}),
        # MiniMax-AI/MiniMax-M2#62, modelscope/modelscope#1691
        (500, error("insufficient balance (1008)", type="api_error")),
        (401, error("该令牌额度已用尽 (request id: 1)", type="new_api_error", code="")),
        (400, error("Budget has been exceeded! Current cost: 12.0", type="budget_exceeded", code="400")),
        # docs.cohere.com/docs/rate-limits
        (429, {"message": "You are using a Trial key, which is limited to 1000 API calls / month."}),
    ],
)
def test_money_and_plans_that_are_used_up_are_the_operators_matter(status: int, body: Any) -> None:
    failure = read(status, body)
    assert (failure.cause, failure.error.status, failure.error.code) == ("quota", 429, UpstreamRateLimited.SPENT)


@pytest.mark.parametrize(
    "message",
    [
        "Service tier capacity exceeded for this model.",  # continuedev/continue#6185: Mistral
        "The engine is currently overloaded, please try again later",  # Moonshot
        "We're experiencing high traffic right now! Please try again soon.",  # Cerebras
        "x/y:free is temporarily rate-limited upstream. Please retry shortly",  # OpenRouter
        "Model busy, retry later",  # DeepInfra
    ],
)
def test_a_busy_model_is_no_limit_of_the_key(message: str) -> None:
    failure = read(429, error(message))
    assert (failure.cause, failure.error.status) == ("capacity", 429)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, error("deepseek-chat is not a valid model ID", code=400)),  # MuiseDestiny/zotero-gpt#483
        (400, error("Model Not Exist", code="invalid_request_error")),  # deepwn/addi#13
        (400, {"error": "/chat/completions: Invalid model name passed in model=x. Call `/v1/models`"}),
        (400, {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "code": "1500"}),
        (400, error("Unknown model: x", code="unknown_model")),
        (400, error("The requested model is not supported.", code="model_not_supported")),
        (400, error("The model `x` has been decommissioned.", code="model_decommissioned")),
        (400, error("The provided model identifier is invalid.")),
        (401, error("key not allowed to access model. This key can only", type="key_model_access_denied", code="401")),
        (403, error("The requested model 'x' is not available", type="key_model_access_denied", code="403")),
        (401, error("API Key not allowed to access model. This token can only", type="auth_error", code="401")),
        (403, error("该令牌无权访问模型 x", type="new_api_error", code="")),
        (403, error("No access to model: openai/o3", code="no_access")),
        (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Endpoint with name 'x' does not exist."}),
        (410, {"status": 410, "title": "Gone", "detail": "The model 'x' has reached its end of life."}),
    ],
)
def test_a_model_that_nobody_serves_is_not_found_whatever_the_status(status: int, body: Any) -> None:
    failure = read(status, body)
    assert (failure.cause, type(failure.error)) == ("missing", ModelNotFound)


@pytest.mark.parametrize(
    ("status", "message", "cause"),
    [
        (429, LIMIT, "quota"),
        (500, "insufficient balance (1008)", "quota"),
        (401, "key not allowed to access model. This key can only access models=['a']", "missing"),
        (424, "model error", "server"),
        (412, "Account x is suspended, possibly due to reaching the monthly spending limit", "quota"),
        (429, "The engine is currently overloaded, please try again later", "capacity"),
        (400, "Model Not Exist", "missing"),
    ],
)
def test_behind_anthropics_api_the_same_words_mean_the_same(status: int, message: str, cause: Cause) -> None:
    body = json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": message}}).encode()
    assert anthropic_errors.read_failure(status, body, {}, NOW).cause == cause


def test_the_headers_that_openrouter_repeats_in_the_body_say_how_long_to_wait() -> None:
    headers = {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800003600000"}
    body = error("Rate limit exceeded: free-models-per-day.", code=429, metadata={"headers": headers})
    assert read(429, body).wait_s == 3600.0
    assert read(429, body, retry_after="7").wait_s == 7.0


@pytest.mark.parametrize(
    ("status", "body", "cause", "told"),
    [
        (
            400,
            {"status": 400, "detail": "DEGRADED function cannot be invoked"},
            "capacity",
            503,
        ),
        (424, {"message": "The model failed."}, "server", 502),  # Bedrock's ModelErrorException
    ],
)
def test_a_server_that_fails_is_not_the_callers_fault(status: int, body: Any, cause: Cause, told: int) -> None:
    failure = read(status, body)
    assert (failure.cause, failure.error.status) == (cause, told)


def test_a_callers_own_mcp_server_that_fails_is_no_fault_of_the_upstreams() -> None:
    """agentgateway/agentgateway#383, microsoft/agent-framework#1210: such calls would make any key a suspect."""
    words = "Error retrieving tool list from MCP server: 'x'. Http status code: 401 (Unauthorized)"
    failure = read(424, error(words, type="external_connector_error", param="tools", code="http_error"))
    assert (failure.cause, failure.error.status, failure.error.message) == ("final", 424, words)


async def test_a_key_of_litellm_stays_in_use_for_the_models_that_it_may_ask(openai: OpenAISite) -> None:
    adapter = await openai.open()
    words = "key not allowed to access model. This key can only access models=['gpt-4.1']. Tried to access gpt-5"
    openai.fake.script.push(refusal(401, words, type="key_model_access_denied", param="model", code="401"))
    with pytest.raises(ModelNotFound, match="not allowed to access model"):
        await openai.ask(model="gpt-5")
    assert await openai.ask() == "hi"
    assert adapter.state() == "usable: 1 of 1 credentials"


async def test_a_key_whose_bills_are_not_paid_is_left_for_another(openai: OpenAISite) -> None:
    await openai.open("key-1", "key-2")
    openai.fake.script.push(refusal(412, "Account x is suspended, possibly due to reaching the monthly spending limit"))
    for _ in range(2):
        assert await openai.ask(attempts=1) == "hi"
    assert [key for key, _ in openai.seen()] == ["key-1", "key-2", "key-2"]


@pytest.mark.parametrize("code", ["tool_use_failed", "json_validate_failed", "output_parse_failed"])
async def test_what_groqs_model_has_made_badly_is_made_once_more(openai: OpenAISite, code: str) -> None:
    await openai.open()
    openai.fake.script.push(refusal(400, FALSE_CALL, type="invalid_request_error", code=code))
    assert await openai.ask_over_pauses() == "hi"
    said = refusal(400, FALSE_CALL, type="invalid_request_error", code=code)
    openai.fake.script.push(said, said)
    with pytest.raises(UpstreamRejected, match="Failed to call a function"):
        await openai.ask_over_pauses()
    assert len(openai.calls) == 4


async def test_a_model_that_github_has_behind_responses_alone_is_asked_there(openai: OpenAISite) -> None:
    await openai.open(api="chat")
    openai.fake.script.push(
        refusal(400, "model gpt-5.3-codex is not accessible via the /chat/completions endpoint", code="unsupported_api")
    )
    assert await openai.ask(attempts=1, sampling=ir.Sampling(max_tokens=20)) == "hi"
    assert "input" in openai.calls[-1].request


async def test_a_key_of_minimax_without_a_balance_is_left_for_another_though_its_status_is_good(
    openai: OpenAISite,
) -> None:
    await openai.open("key-1", "key-2")
    outcome = {"status_code": 1008, "status_msg": "insufficient balance"}
    openai.fake.script.push("!refuse " + json.dumps({"status": 200, "choices": None, "base_resp": outcome}))
    for _ in range(2):
        assert await openai.ask(attempts=1) == "hi"
    assert [key for key, _ in openai.seen()] == ["key-1", "key-2", "key-2"]
