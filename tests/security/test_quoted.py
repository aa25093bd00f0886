"""A caller's own words in an upstream's refusal never cost a credential: one request would stop everybody's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters import gemini_errors
from gateway.adapters.echoes import COSTLY
from tests.conformance.raw import passing

JSON = "application/json"
ASKED: dict[str, dict[str, Any]] = {
    "openai-chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "openai-responses": {"model": "m", "input": "hi", "store": False},
    "anthropic": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
}
WORDS = {  # which each of these upstreams has for a key that is none
    "openai-chat": "incorrect api key",
    "openai-responses": "api key not valid",
    "anthropic": "organization has been disabled",
}
ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()


def refusal(message: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": message}}).encode()


@pytest.mark.anyio
@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"a": "{}"}, "Invalid value: '{}'. Supported values are: 'low' and 'high'."),
        ({"{}": 1}, "{}: Extra inputs are not permitted"),
        ({"{}": 1}, "Unknown parameter: {}"),
        ({"a": "'{}'"}, 'a: "{}" is none'),
    ],
)
@pytest.mark.parametrize("dialect", ASKED)
async def test_words_that_a_refusal_repeats(
    tmp_path: Path, dialect: str, said: dict[str, Any], message: str, status: int
) -> None:
    words = WORDS[dialect].title()
    added = json.dumps(said).replace("{}", "".join(f"\\u{ord(letter):04x}" for letter in words))
    async with passing(dialect, tmp_path, retry={"attempts": 3}) as passed:
        passed.raw.says(refusal(message.format(words)), status=status, kind=JSON)
        passed.raw.says(refusal("bad"), status=400, kind=JSON)
        first = await passed.post(json.dumps(ASKED[dialect]).encode()[:-1] + b"," + added[1:].encode())
        second = await passed.post(json.dumps(ASKED[dialect]).encode())
    assert words in first.text
    assert WORDS[dialect] in COSTLY
    assert (second.status_code, len(passed.raw.asked)) == (400, 2), "the credential is still used"


LESSONS: list[tuple[str, str]] = [  # a field, and the value of one caller
    ("reasoning_effort", "x reasoning_effort is not supported"),
    ("verbosity", "verbosity is not supp'orted"),
    ("verbosity", "unknown name verbosity at "),
    ("verbosity", "keys: verbosity, user"),
    ("stop", "'stop' is not supported"),
    ("prompt_cache_retention", "unknown parameter prompt_cache_retention"),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("field", "value"), LESSONS)
async def test_a_value_that_a_refusal_repeats_teaches_nothing(tmp_path: Path, field: str, value: str) -> None:
    asked = ASKED["openai-chat"] | {"model": "gpt-5"}
    others = asked | {"reasoning_effort": "high", "verbosity": "low", "temperature": 0.5, "stop": "x"}
    others |= {"prompt_cache_retention": "24h"}
    async with passing("openai-chat", tmp_path, retry={"attempts": 3}) as passed:
        passed.raw.says(refusal(f"Invalid value: '{value}'."), status=400, kind=JSON)
        passed.raw.says(ANSWER, kind=JSON)
        first = await passed.post(json.dumps(asked | {field: value}).encode())
        await passed.post(json.dumps(others).encode())
    assert (first.status_code, len(passed.raw.asked)) == (200, 3), "it is mended for the one who asked"
    assert passed.raw.sent == others, "and nobody else"


@pytest.mark.anyio
async def test_efforts_that_a_refusal_repeats_are_nobodys(tmp_path: Path) -> None:
    value = "x. Supported values are: 'minimal', received"
    said = {"message": f"Invalid value: '{value}'. Supported values are: 'low'.", "param": "reasoning_effort"}
    other = {"model": "gpt-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    async with passing("openai-chat", tmp_path, retry={"attempts": 3}) as passed:
        passed.raw.says(json.dumps({"error": said}).encode(), status=400, kind=JSON)
        passed.raw.says(ANSWER, kind=JSON)
        await passed.post(json.dumps(ASKED["openai-chat"] | {"model": "gpt-5", "reasoning_effort": value}).encode())
        await passed.http.post("/v1/messages", json=other | {"output_config": {"effort": "high"}})
    assert passed.raw.sent["reasoning_effort"] == "high"


@pytest.mark.anyio
@pytest.mark.parametrize("prefix", ["", "litellm.BadRequestError: AnthropicException - "])
async def test_words_of_the_upstream_alone(tmp_path: Path, prefix: str) -> None:
    async with passing("anthropic", tmp_path) as passed:
        passed.raw.says(refusal(f"{prefix}This organization has been disabled."), status=400, kind=JSON)
        statuses = [(await passed.post(json.dumps(ASKED["anthropic"]).encode())).status_code for _ in range(2)]
    assert (statuses, len(passed.raw.asked)) == ([502, 502], 1)


@pytest.mark.anyio
async def test_the_name_of_a_beta(tmp_path: Path) -> None:
    words = WORDS["anthropic"]
    async with passing("anthropic", tmp_path) as passed:
        for _ in range(2):
            passed.raw.says(refusal(f"Unexpected value(s) `{words}` for the header."), status=400, kind=JSON)
            await passed.post(json.dumps(ASKED["anthropic"]).encode(), anthropic_beta=words)
    assert len(passed.raw.asked) == 2


@pytest.mark.anyio
async def test_a_verbosity_that_there_is_none_of_takes_it_from_nobody_else(tmp_path: Path) -> None:
    said = {
        "message": "Invalid value: 'xhigh'. Supported values are: 'low', 'medium', and 'high'.",
        "param": "verbosity",
    }
    asked = ASKED["openai-chat"] | {"model": "gpt-5"}
    async with passing("openai-chat", tmp_path, retry={"attempts": 3}) as passed:
        passed.raw.says(json.dumps({"error": said}).encode(), status=400, kind=JSON)
        passed.raw.says(ANSWER, kind=JSON)
        for verbosity in ("xhigh", "low"):
            assert (await passed.post(json.dumps(asked | {"verbosity": verbosity}).encode())).status_code == 200
    assert [json.loads(call.body).get("verbosity") for call in passed.raw.asked] == ["xhigh", None, "low"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "thought",
    [
        {"type": "thinking", "thinking": "Hm.", "signature": "x"},
        {"type": "redacted_thinking", "data": "x"},
    ],
)
async def test_a_field_of_one_kind_of_content_is_left_out_there_alone(tmp_path: Path, thought: dict[str, Any]) -> None:
    marked = {"cache_control": {"type": "ephemeral"}}
    said = [{"role": "user", "content": [{"type": "text", "text": "hi", **marked}]}]
    other = {"model": "m", "max_tokens": 9, "messages": said}
    messages = [*said, {"role": "assistant", "content": [thought | marked, {"type": "text", "text": "a"}]}, *said]
    async with passing("anthropic", tmp_path, retry={"attempts": 3}) as passed:
        words = f"messages.1.content.0.{thought['type']}.cache_control: Extra inputs are not permitted"
        passed.raw.says(refusal(words), status=400, kind=JSON)
        passed.raw.says(refusal("bad"), status=400, kind=JSON)
        await passed.post(json.dumps(other | {"messages": messages}).encode())
        await passed.post(json.dumps(other).encode())
    _, mended, last = (json.loads(call.body) for call in passed.raw.asked)
    assert [part.get("cache_control") for one in mended["messages"] for part in one["content"]] == [
        marked["cache_control"],
        None,
        None,
        marked["cache_control"],
    ]
    assert last == other


@pytest.mark.anyio
@pytest.mark.parametrize(("fields", "calls"), [(1, 2), (20, 17)])
async def test_the_made_up_fields_of_one_caller_leave_room_for_those_of_others(
    tmp_path: Path, fields: int, calls: int
) -> None:
    async with passing("anthropic", tmp_path, retry={"attempts": 3}) as passed:
        for first in range(0, 20, fields):
            names = [f"a{number}" for number in range(first, first + fields)]
            passed.raw.answers.clear()
            for name in names:
                words = f"metadata.{name}.ttl: Extra inputs are not permitted"
                passed.raw.says(refusal(words), status=400, kind=JSON)
            passed.raw.says(refusal("bad"), status=400, kind=JSON)
            before = len(passed.raw.asked)
            asked = ASKED["anthropic"] | {"metadata": {name: {"ttl": 1} for name in names}}
            await passed.post(json.dumps(asked).encode())
            assert len(passed.raw.asked) - before == calls


@pytest.mark.anyio
async def test_a_beta_that_a_refusal_repeats_is_left_out_for_nobody_else(tmp_path: Path) -> None:
    beta = "context-1m-2025-08-07"
    asked, said = ASKED["anthropic"], f"{beta} for the anthropic-beta header"
    async with passing("anthropic", tmp_path, retry={"attempts": 3}) as passed:
        passed.raw.says(refusal(f"tools.0: Input tag '{said}' found"), status=400, kind=JSON)
        passed.raw.says(refusal("bad"), status=400, kind=JSON)
        await passed.post(json.dumps(asked | {"tools": [{"type": said, "name": "a"}]}).encode(), anthropic_beta=beta)
        await passed.post(json.dumps(asked).encode(), anthropic_beta=beta)
    assert [call.headers.get("anthropic-beta") for call in passed.raw.asked] == [beta, None, beta]


@pytest.mark.parametrize(
    "message",
    [
        "You do not have permission to access the File reported as leaked or it may not exist.",
        "You do not have permission to access tuned model tunedModels/leaked.",
    ],
)
def test_the_name_of_a_file_or_a_model_at_google(message: str) -> None:
    body = json.dumps({"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}}).encode()
    assert gemini_errors.RULES[gemini_errors.read_failure(403, body, {}, 0).cause].mark is None
