"""A caller's own words in an upstream's refusal never cost a credential: one request would stop everybody's."""

import json
from collections.abc import Mapping

import pytest

from gateway.adapters import anthropic_errors, azure_errors, gemini_errors, openai_errors
from gateway.adapters.failures import ReadFailure, Rules

SERVICES: Mapping[str, tuple[ReadFailure, Rules]] = {
    "anthropic": (anthropic_errors.read_failure, anthropic_errors.RULES),
    "azure": (azure_errors.read_failure, azure_errors.RULES),
    "gemini": (gemini_errors.read_failure, gemini_errors.RULES),
    "openai": (openai_errors.read_failure, openai_errors.RULES),
}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    "words",
    [
        "Incorrect API key",
        "API key not valid",
        "API key expired",
        "key has been disabled",
        "organization has been disabled",
        "credit balance is too low",
        "specified API usage limits",
    ],
)
@pytest.mark.parametrize(
    "message",
    [
        "Invalid value: '{}'. Supported values are: 'low' and 'high'.",
        'Invalid value "{}" of the field',
        "tools.0: Input tag '{}' found using 'type' does not match any of the expected tags",
        "Unexpected value(s) `{}` for the `anthropic-beta` header.",
        "Extra inputs are not permitted, field: x, value: {}",
    ],
)
def test_what_a_refusal_quotes_of_a_request(message: str, words: str, status: int, service: str) -> None:
    read, rules = SERVICES[service]
    failure = read(status, json.dumps({"error": {"message": message.format(words)}}).encode(), {}, 0)
    assert rules[failure.cause].mark is None


@pytest.mark.parametrize(
    "message",
    [
        "You do not have permission to access the File leaked or it may not exist.",
        "You do not have permission to access tuned model tunedModels/leaked.",
    ],
)
def test_the_name_of_a_file_or_a_model_at_google(message: str) -> None:
    body = json.dumps({"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}}).encode()
    assert gemini_errors.RULES[gemini_errors.read_failure(403, body, {}, 0).cause].mark is None
