"""Keys, addresses, headers, models, counts, injected failures and Vertex's side of the fake of the Anthropic API."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from tests.fakes.anthropic_api import MESSAGES, FakeAnthropic
from tests.fakes.anthropic_api_errors import GOOGLE, NAMED
from tests.fakes_tests.anthropic_api_bodies import (
    COUNT_PATH,
    FOUR_5,
    PATH,
    PICTURE,
    TOOL,
    VERTEX,
    AnthropicClient,
    asking,
    document,
    events_of,
    image,
    user,
    vertex,
    words,
)

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
SNAPSHOT = "claude-sonnet-4-5-20250929"


# keys and addresses


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "x-api-key header is required"),
        ({"x-api-key": "nobody"}, "invalid x-api-key"),
        ({"x-api-key": "token-1"}, "invalid x-api-key"),
        ({"authorization": "Bearer nobody"}, "Invalid bearer token"),
    ],
)
async def test_a_caller_shows_a_key_or_a_bearer(
    anthropic: AnthropicClient, headers: dict[str, str], message: str
) -> None:
    answer = await anthropic.call(PATH, asking(), key="", headers=headers)
    assert words(answer, 401, "authentication_error") == message


@pytest.mark.parametrize("bearer", ["token-2", "key-2"])
async def test_a_bearer_is_a_token_or_a_key(anthropic: AnthropicClient, bearer: str) -> None:
    headers = {"authorization": f"Bearer {bearer}"}
    assert (await anthropic.call(PATH, asking(), key="", headers=headers))[0] == 200
    assert anthropic.fake.requests[-1].credential == bearer


@pytest.mark.parametrize("path", [PATH, COUNT_PATH])
async def test_the_version_is_needed(anthropic: AnthropicClient, path: str) -> None:
    answer = await anthropic.call(path, asking(), headers={"anthropic-version": ""})
    assert words(answer) == "anthropic-version: header is required"


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
async def test_versions(anthropic: AnthropicClient, version: str) -> None:
    assert (await anthropic.call(PATH, asking(), headers={"anthropic-version": version}))[0] == 200


@pytest.mark.parametrize(("verb", "path"), [("GET", PATH), ("DELETE", COUNT_PATH), ("POST", "/v1/models")])
async def test_other_methods(anthropic: AnthropicClient, verb: str, path: str) -> None:
    assert words(await anthropic.call(path, {}, verb=verb), 405) == "Method Not Allowed"


@pytest.mark.parametrize("path", ["/v1/complete", "/messages", "/v1/messages/", f"{VERTEX}/m:predict"])
async def test_nothing_is_at_other_addresses(anthropic: AnthropicClient, path: str) -> None:
    assert words(await anthropic.call(path, {}), 404, "not_found_error") == "Not Found"


async def test_a_query_changes_nothing(anthropic: AnthropicClient) -> None:
    assert (await anthropic.call(f"{PATH}?beta=true", asking()))[0] == 200
    assert anthropic.fake.requests[-1].query == {"beta": "true"}


@pytest.mark.parametrize(
    "data", [b"{", b"", b"[1,]", b"\xff", b'{"a": NaN}', b'{"a": "\\ud800"}', b'{"a": "\n"}'], ids=repr
)
async def test_a_body_that_is_no_json(anthropic: AnthropicClient, data: bytes) -> None:
    assert words(await anthropic.call(PATH, data=data)).startswith("The request body is not valid JSON: ")


async def test_a_body_that_is_too_large(anthropic: AnthropicClient) -> None:
    answer = await anthropic.call(PATH, data=b" " * (32 * 1024 * 1024 + 1))
    assert words(answer, 413, "request_too_large") == "Request exceeds the maximum size"


@pytest.mark.parametrize("name", ["claude-9", "claude", "claude-sonnet-4", "gpt-4.1", "claude-sonnet-4-5@20250929"])
async def test_a_model_that_there_is_not(anthropic: AnthropicClient, name: str) -> None:
    assert words(await anthropic.ask(model=name), 404, "not_found_error") == f"model: {name}"
    assert words(await anthropic.count(model=name), 404, "not_found_error") == f"model: {name}"


async def test_an_alias_answers_as_the_model_it_stands_for(anthropic: AnthropicClient) -> None:
    assert (await anthropic.ask(model=FOUR_5))[1]["model"] == SNAPSHOT


async def test_answers_and_errors_have_an_id_and_the_limits(anthropic: AnthropicClient) -> None:
    await anthropic.ask()
    first = anthropic.headers["request-id"]
    _, refused = await anthropic.ask(foo=1)
    assert refused["request_id"] == anthropic.headers["request-id"] != first
    assert anthropic.headers["x-should-retry"] == "false"
    assert anthropic.headers["anthropic-ratelimit-input-tokens-limit"] == "50000"
    assert anthropic.headers["anthropic-organization-id"]


async def test_calls_are_remembered_with_their_bytes(anthropic: AnthropicClient) -> None:
    data = b'{ "model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":"\\u0061"}]}'
    await anthropic.call(PATH, data=data, headers={"anthropic-beta": "oauth-2025-04-20"})
    record = await anthropic.fake.wait_for(MESSAGES)
    assert (record.raw, record.model, record.status) == (data, FOUR_5, 200)
    assert record.headers["anthropic-beta"] == "oauth-2025-04-20"
    assert record.request["messages"] == [user("a")]


# errors


@pytest.mark.parametrize("name", NAMED)
async def test_every_error_can_be_named(anthropic: AnthropicClient, name: str) -> None:
    status, answer = await anthropic.ask(f"!error {name}")
    assert status == int(name.partition("_")[0])
    assert answer["error"] == NAMED[name](FOUR_5).body["error"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (409, "conflict_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
async def test_a_status_has_its_type(anthropic: AnthropicClient, status: int, kind: str) -> None:
    assert words(await anthropic.ask(f"!error {status}"), status, kind)


async def test_a_rate_limit_says_when_to_come_back(anthropic: AnthropicClient) -> None:
    anthropic.fake.fail("429_rate", token="key-1", method=MESSAGES)
    status, answer = await anthropic.ask()
    assert (status, answer["error"]["type"]) == (429, "rate_limit_error")
    assert (anthropic.headers["retry-after"], anthropic.headers["anthropic-ratelimit-input-tokens-remaining"]) == (
        "20",
        "0",
    )
    assert (await anthropic.ask())[0] == 200


async def test_an_overload_is_a_529(anthropic: AnthropicClient) -> None:
    anthropic.fake.fail("529_overloaded")
    assert words(await anthropic.ask(), 529, "overloaded_error") == "Overloaded"


async def test_an_error_as_written(anthropic: AnthropicClient) -> None:
    error = {"type": "t", "message": "m", "details": {"x": 1}}
    status, answer = await anthropic.ask(f"!refuse {json.dumps({'status': 422, 'error': error})}")
    assert (status, answer["error"]) == (422, error)


async def test_an_error_that_there_is_not(anthropic: AnthropicClient) -> None:
    assert words(await anthropic.ask("!error 400_foo")) == "fake: no error is called '400_foo'"


# counts


async def test_a_count_grows_with_what_is_put_in(anthropic: AnthropicClient) -> None:
    counts = [
        (await anthropic.count(*talk, **fields))[1]["input_tokens"]
        for talk, fields in (
            (("hi",), {}),
            (("hi there, and more",), {}),
            (("hi there, and more",), {"system": "Be brief."}),
            (("hi there, and more",), {"system": "Be brief.", "tools": [TOOL]}),
        )
    ]
    assert counts == sorted(set(counts))
    assert counts[0] > 0


async def test_a_picture_and_a_page_count_the_same_whatever_their_size(anthropic: AnthropicClient) -> None:
    small, large = [(await anthropic.count(image(data=data)))[1] for data in (PICTURE["data"], "iVBORw0KGgoA" * 99)]
    assert small == large == {"input_tokens": 1504}
    pages = "JVBERi0xLjQKL1R5cGUgL1BhZ2UKL1R5cGUvUGFnZXMKL1R5cGUvUGFnZQo="
    pdf = {"type": "base64", "media_type": "application/pdf", "data": pages}
    assert (await anthropic.count(document(pdf)))[1] == {"input_tokens": 3004}


@pytest.mark.parametrize("field", ["max_tokens", "stream", "temperature", "metadata", "stop_sequences"])
async def test_a_count_knows_fewer_fields(anthropic: AnthropicClient, field: str) -> None:
    answer = await anthropic.call(COUNT_PATH, {"model": FOUR_5, "messages": [user("x")], field: 1})
    assert words(answer) == f"{field}: Extra inputs are not permitted"


async def test_a_count_is_judged_like_a_message(anthropic: AnthropicClient) -> None:
    assert words(await anthropic.count(user([]))).startswith("messages.0: all messages must have non-empty content")
    thinking = {"type": "enabled", "budget_tokens": 99_999}
    assert (await anthropic.count(thinking=thinking))[0] == 200


# models


async def test_the_models_are_listed_newest_first(anthropic: AnthropicClient) -> None:
    _, listed = await anthropic.call("/v1/models", verb="GET")
    made = [one["created_at"] for one in listed["data"]]
    assert made == sorted(made, reverse=True)
    assert (listed["first_id"], listed["last_id"]) == (listed["data"][0]["id"], listed["data"][-1]["id"])
    assert listed["has_more"] is False
    assert (await anthropic.call(f"/v1/models/{SNAPSHOT}", verb="GET"))[1] in listed["data"]


async def test_models_come_in_pages(anthropic: AnthropicClient) -> None:
    _, whole = await anthropic.call("/v1/models", verb="GET")
    ids = [one["id"] for one in whole["data"]]

    async def paged(query: str) -> tuple[list[str], bool]:
        _, page = await anthropic.call(f"/v1/models?{query}", verb="GET")
        return [one["id"] for one in page["data"]], page["has_more"]

    assert await paged("limit=2") == (ids[:2], True)
    assert await paged(f"limit=2&after_id={ids[1]}") == (ids[2:4], True)
    assert await paged(f"after_id={ids[-3]}") == (ids[-2:], False)
    assert await paged(f"limit=2&before_id={ids[5]}") == (ids[3:5], True)
    assert await paged(f"before_id={ids[2]}") == (ids[:2], False)
    assert await paged("lifecycle=retired") == ([], False)
    assert await paged("lifecycle=deprecated&lifecycle=retired") == ([SNAPSHOT], False)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit: Input should be greater than or equal to 1"),
        ("limit=1001", "limit: Input should be less than or equal to 1000"),
        ("limit=x", "limit: Input should be a valid integer, unable to parse string as an integer"),
        ("pageSize=3", "pageSize: Extra inputs are not permitted"),
        ("after_id=foo", "after_id: foo not found"),
        (f"after_id={SNAPSHOT}&before_id={SNAPSHOT}", "Only one of `after_id` and `before_id` may be given."),
    ],
)
async def test_pages_that_are_refused(anthropic: AnthropicClient, query: str, message: str) -> None:
    assert words(await anthropic.call(f"/v1/models?{query}", verb="GET")) == message


async def test_a_model_that_is_not_listed(anthropic: AnthropicClient) -> None:
    answer = await anthropic.call("/v1/models/claude-9", verb="GET")
    assert words(answer, 404, "not_found_error") == "model: claude-9"


async def test_a_model_that_a_test_adds(anthropic: AnthropicClient) -> None:
    anthropic.fake.models.append("claude-next")
    assert (await anthropic.ask(model="claude-next"))[0] == 200


# Vertex


async def test_vertex_takes_the_model_in_the_path(anthropic: AnthropicClient) -> None:
    status, answer = await anthropic.predict(vertex("!tool f {}", tools=[TOOL]))
    assert (status, answer["model"], answer["id"][:9]) == (200, SNAPSHOT, "msg_vrtx_")
    assert answer["content"][0]["id"].startswith("toolu_vrtx_")
    record = anthropic.fake.requests[-1]
    assert (record.method, record.model, record.credential) == (MESSAGES, "claude-sonnet-4-5@20250929", "token-1")
    assert "anthropic-ratelimit-tokens-limit" not in anthropic.headers


async def test_vertex_streams(anthropic: AnthropicClient) -> None:
    path = f"{VERTEX}/claude-opus-5:streamRawPredict"
    headers = {"authorization": "Bearer token-1"}
    status, data = await anthropic.read(path, vertex("!say a", stream=True), key="", headers=headers)
    assert (status, events_of(data)[-1]) == (200, {"type": "message_stop"})


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({**vertex(), "model": FOUR_5}, "model: Extra inputs are not permitted"),
        (
            {name: value for name, value in vertex().items() if name != "anthropic_version"},
            "anthropic_version: Field required",
        ),
        (vertex(anthropic_version="2023-06-01"), "anthropic_version: Input should be 'vertex-2023-10-16' or '2026-10-"),
        (vertex(user([])), "messages.0: all messages must have non-empty content"),
        (vertex(anthropic_beta=["foo"]), "Unexpected value(s) `foo` for the `anthropic-beta` header."),
    ],
)
async def test_vertex_refuses_in_anthropic_s_words(anthropic: AnthropicClient, sent: Any, message: str) -> None:
    answer = await anthropic.predict(sent)
    assert words(answer).startswith(message)
    assert answer[1]["request_id"].startswith("req_vrtx_")


async def test_vertex_knows_fewer_betas(anthropic: AnthropicClient) -> None:
    beta = "prompt-caching-2024-07-31"
    assert (await anthropic.ask(betas=beta))[0] == 200
    refused = words(await anthropic.predict(vertex(), headers={"anthropic-beta": beta}))
    assert refused.startswith(f"Unexpected value(s) `{beta}` for the `anthropic-beta` header. Please consult our doc")


async def test_a_count_on_vertex_knows_fewer_still(anthropic: AnthropicClient) -> None:
    headers = {"anthropic-beta": "effort-2025-11-24,tool-search-tool-2025-10-19"}
    assert (await anthropic.predict(vertex(), headers=headers))[0] == 200
    sent = {"model": FOUR_5, "messages": [user("hello")]}
    refused = words(await anthropic.predict(sent, "count-tokens", headers=headers))
    assert refused.startswith("Unexpected value(s) `tool-search-tool-2025-10-19` for the `anthropic-beta` header.")


async def test_vertex_counts_with_the_model_in_the_body(anthropic: AnthropicClient) -> None:
    sent = {"model": "claude-sonnet-4-5@20250929", "messages": [user("hello")]}
    assert await anthropic.predict(sent, "count-tokens") == (200, {"input_tokens": 6})
    del sent["model"]
    assert words(await anthropic.predict(sent, "count-tokens")) == "model: Field required"


@pytest.mark.parametrize("bearer", ["", "Bearer nobody", "Bearer key-1"])
async def test_vertex_wants_a_bearer(anthropic: AnthropicClient, bearer: str) -> None:
    status, answer = await anthropic.predict(vertex(), headers={"authorization": bearer})
    assert (status, answer["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert "request_id" not in answer


async def test_vertex_does_not_know_a_model(anthropic: AnthropicClient) -> None:
    status, answer = await anthropic.predict({}, "claude-9")
    assert (status, answer["error"]["status"]) == (404, "NOT_FOUND")
    name = "projects/p/locations/global/publishers/anthropic/models/claude-9"
    assert answer["error"]["message"].startswith(f"Publisher Model `{name}` was not found or your project")


@pytest.mark.parametrize("name", GOOGLE)
async def test_errors_of_vertex(anthropic: AnthropicClient, name: str) -> None:
    status, answer = await anthropic.predict(vertex(f"!error {name}"))
    assert (status, answer["error"]["code"]) == (int(name[:3]), int(name[:3]))


# as a program


async def test_the_program_serves_and_is_administered_over_http() -> None:
    command = [sys.executable, "-m", "tests.fakes.anthropic_api", "--port", "0", "--key", "mine", "--token", "ours"]
    async with await anyio.open_process(command, cwd=ROOT) as process:
        assert process.stdout is not None
        url = json.loads(await process.stdout.receive())["url"]
        headers = {"anthropic-version": "2023-06-01"}
        async with aiohttp.ClientSession(url, headers=headers) as session:
            await session.post("/_push", json={"texts": ["!say pushed"]})
            await session.post("/_fail", json={"error": "529_overloaded", "token": "mine"})
            refused = await session.post(PATH, json=asking(), headers={"x-api-key": "mine"})
            answered = await session.post(PATH, json=asking(), headers={"authorization": "Bearer ours"})
            state = await (await session.get("/_requests")).json()
            assert (refused.status, (await answered.json())["content"][0]["text"]) == (529, "pushed")
            assert state["counts"] == {MESSAGES: 2}
        process.terminate()


async def test_keys_of_one_s_own() -> None:
    async with FakeAnthropic(keys=["k"], tokens=["t"]) as fake, aiohttp.ClientSession() as session:
        client = AnthropicClient(fake, session)
        assert (await client.call(PATH, asking(), key="k"))[0] == 200
        assert (await client.call(PATH, asking()))[0] == 401
