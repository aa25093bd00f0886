"""The fake of Vertex AI: what the official SDKs make of it, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import anthropic
import httpx
import pytest
from google import genai
from google.genai import errors, types
from google.oauth2 import credentials

from tests.fakes.vertex_api import FakeVertex
from tests.fakes.vertex_api_login import AUDIENCE, EXCHANGE_GRANT, JWT_GRANT, SUBJECT, SUBJECT_TYPE

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
PROJECT = "fake-project-000"
HI: Json = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
CLAUDE: Json = {
    "anthropic_version": "vertex-2023-10-16",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hi"}],
}


def sdk(fake: FakeVertex) -> genai.Client:
    return genai.Client(
        vertexai=True,
        project=PROJECT,
        location="us-central1",
        credentials=credentials.Credentials(token=fake.login.issue("sdk")),  # type: ignore[no-untyped-call]
        http_options=types.HttpOptions(base_url=fake.url, api_version="v1"),
    )


async def test_google_genai_reads_its_answers(fake_vertex: FakeVertex) -> None:
    client = sdk(fake_vertex).aio
    config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))
    whole = await client.models.generate_content(
        model="gemini-3-flash-preview", contents="!think hm\n!say one", config=config
    )
    assert whole.text == "one"
    stream = await client.models.generate_content_stream(model="gemini-2.5-flash", contents="!say one two three")
    assert "".join([chunk.text or "" async for chunk in stream]) == "one two three"
    counted = await client.models.count_tokens(model="gemini-2.5-flash", contents="hi")
    assert counted.total_tokens


@pytest.mark.parametrize(
    ("name", "ids_known"),
    [("gemini-3-flash-preview", True), ("gemini-3-flash-preview", False), ("gemini-2.5-flash", True)],
)
async def test_google_genai_plays_a_tool_loop(fake_vertex: FakeVertex, name: str, ids_known: bool) -> None:
    def add(a: int) -> int:
        """Add."""
        return a + 1

    fake_vertex.ids_known = ids_known
    client = sdk(fake_vertex).aio
    config = types.GenerateContentConfig(tools=[add])
    answer = await client.models.generate_content(
        model=name, contents='!tool add {"a": 1}\n!then\n!say done', config=config
    )
    assert answer.text == "done"
    assert [call.status for call in fake_vertex.calls("generateContent")] == [200, 200]
    call = fake_vertex.calls("generateContent")[-1].request["contents"][1]["parts"][0]["functionCall"]
    assert ("id" in call) is (ids_known and name != "gemini-2.5-flash")


async def test_google_genai_reads_its_errors(fake_vertex: FakeVertex) -> None:
    client = sdk(fake_vertex).aio
    with pytest.raises(errors.ClientError) as caught:
        await client.models.generate_content(model="gemini-nothing", contents="hi")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


async def test_anthropics_sdk_for_vertex_reads_its_answers(fake_vertex: FakeVertex) -> None:
    client = anthropic.AsyncAnthropicVertex(
        region="us-central1",
        project_id=PROJECT,
        base_url=f"{fake_vertex.url}/v1",
        access_token=fake_vertex.login.issue("sdk"),
        max_retries=0,
    )
    said: Json = {"messages": [{"role": "user", "content": "!say one two"}], "model": "claude-sonnet-4-5@20250929"}
    async with client:
        whole = await client.messages.create(max_tokens=100, **said)
        assert [block.text for block in whole.content if block.type == "text"] == ["one two"]
        async with client.messages.stream(max_tokens=100, **said) as stream:
            assert "".join([text async for text in stream.text_stream]) == "one two"
        assert (await client.messages.count_tokens(**said)).input_tokens > 0


# what it refuses


async def post(fake: FakeVertex, path: str, body: Json, **headers: str) -> tuple[int, Json]:
    """Post with a good token, unless the headers say otherwise."""
    shown = {"authorization": f"Bearer {fake.login.issue('test')}"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    async with httpx.AsyncClient(base_url=fake.url) as http:
        answer = await http.post(path, json=body, headers=shown)
    return answer.status_code, answer.json()


def model(name: str = "gemini-3-flash-preview", project: str = PROJECT, verb: str = "generateContent") -> str:
    return f"/v1/projects/{project}/locations/us-central1/publishers/google/models/{name}:{verb}"


CALL: Json = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "skip_thought_signature_validator"}
RESULT: Json = {"functionResponse": {"name": "f", "response": {}}}


def loop(call: Json, result: Json) -> Json:
    said = [("user", {"text": "hi"}), ("model", CALL | {"functionCall": call}), ("user", {"functionResponse": result})]
    return {"contents": [{"role": role, "parts": [part]} for role, part in said]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"contents": [{"parts": [{"text": "hi"}]}]}, "Please use a valid role"),
        (HI | {"model": "models/x"}, 'Unknown name "model"'),
        (HI | {"store": True}, 'Unknown name "store"'),
        (
            loop({"id": "1", "name": "f", "args": {}}, {"id": "2", "name": "f", "response": {}}),
            "function response ids match the function call ids",
        ),
        (HI | {"toolConfig": {"includeServerSideToolInvocations": True}}, "includeServerSideToolInvocations"),
        (HI | {"tools": [{"fileSearch": {}}]}, 'Unknown name "fileSearch"'),
        (HI | {"tools": [{"googleSearch": {"includedDomains": ["a"]}}]}, 'Unknown name "includedDomains"'),
        (
            HI | {"tools": [{"functionDeclarations": [{"name": "f"}]}, {"googleSearch": {}}]},
            "Multiple tools are supported only when they are all search tools",
        ),
        (
            {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": "gs://b/a.png"}}]}]},
            "must have a mimeType parameter",
        ),
        (
            {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": "files/a", "mimeType": "image/png"}}]}]},
            "Cannot fetch content",
        ),
        (
            {"contents": [*HI["contents"], {"role": "model", "parts": [{"text": ""}]}, *HI["contents"]]},
            "it has an empty text parameter",
        ),
        (HI | {"generationConfig": {"temperature": 3}}, "temperature value of 3"),
        (HI | {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 1}}}, "together"),
    ],
)
async def test_a_body_that_vertex_does_not_take_is_refused(fake_vertex: FakeVertex, body: Json, words: str) -> None:
    status, answer = await post(fake_vertex, model(), body)
    assert status == 400
    assert words in answer["error"]["message"]


@pytest.mark.parametrize(
    ("call", "result", "words"),
    [
        ({"id": "1", "name": "f", "args": {}}, {"name": "f", "response": {}}, "1].parts[0].function_call'"),
        ({"name": "f", "args": {}}, {"id": "1", "name": "f", "response": {}}, "2].parts[0].function_response'"),
    ],
)
@pytest.mark.parametrize(("name", "ids_known"), [("gemini-2.5-flash", True), ("gemini-3-flash-preview", False)])
async def test_ids_of_calls_are_not_known_everywhere(
    fake_vertex: FakeVertex, call: Json, result: Json, words: str, name: str, ids_known: bool
) -> None:
    fake_vertex.ids_known = ids_known
    status, answer = await post(fake_vertex, model(name), loop(call, result))
    assert status == 400
    assert f'Unknown name "id" at \'contents[{words}' in answer["error"]["message"]


async def test_what_vertex_alone_takes_is_taken(fake_vertex: FakeVertex) -> None:
    file = {"fileData": {"fileUri": "gs://b/a.png", "mimeType": "image/png"}}
    body = {
        "contents": [{"role": "user", "parts": [file, {"text": "hi"}]}],
        "labels": {"team": "a"},
        "tools": [{"googleSearch": {"excludeDomains": ["a.example"]}}],
    }
    assert (await post(fake_vertex, model(), body))[0] == 200


@pytest.mark.parametrize(
    ("path", "headers", "status", "reason"),
    [
        (model(), {"authorization": "Basic x"}, 401, "CREDENTIALS_MISSING"),
        (model(), {"authorization": "Bearer nobody"}, 401, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        (model(project="nobody-000"), {}, 403, "IAM_PERMISSION_DENIED"),
        (model(), {"x_goog_user_project": "nobody-000"}, 403, "USER_PROJECT_DENIED"),
        (model("gemini-flash-latest"), {}, 404, ""),
        (model("gemini-embedding-001"), {}, 404, ""),
    ],
)
async def test_who_may_not_ask_is_told_so(
    fake_vertex: FakeVertex, path: str, headers: dict[str, str], status: int, reason: str
) -> None:
    given, answer = await post(fake_vertex, path, HI, **headers)
    assert given == status
    assert reason in json.dumps(answer)


async def test_a_token_of_other_scopes_is_not_enough(fake_vertex: FakeVertex) -> None:
    token = fake_vertex.login.issue("test", "https://www.googleapis.com/auth/userinfo.email")
    status, answer = await post(fake_vertex, model(), HI, authorization=f"Bearer {token}")
    assert (status, "ACCESS_TOKEN_SCOPE_INSUFFICIENT" in json.dumps(answer)) == (403, True)


async def test_a_token_that_ended_is_no_token(fake_vertex: FakeVertex) -> None:
    token = fake_vertex.login.issue("test")
    fake_vertex.login.expire()
    status, answer = await post(fake_vertex, model(), HI, authorization=f"Bearer {token}")
    assert (status, "ACCESS_TOKEN_EXPIRED" in json.dumps(answer)) == (401, True)


async def test_claude_is_asked_by_the_same_tokens(fake_vertex: FakeVertex) -> None:
    path = f"/v1/projects/{PROJECT}/locations/us-central1/publishers/anthropic/models/claude-sonnet-4-5:rawPredict"
    assert (await post(fake_vertex, path, CLAUDE))[0] == 200
    assert (await post(fake_vertex, path, CLAUDE, authorization="Bearer nobody"))[0] == 401
    assert (await post(fake_vertex, path, CLAUDE | {"model": "claude"}))[0] == 400


# the login services


async def token(fake: FakeVertex, path: str = "/token", **form: str) -> tuple[int, str]:
    async with httpx.AsyncClient(base_url=fake.login.url) as http:
        answer = await http.post(path, data=form)
    return answer.status_code, answer.json().get("error_description", "")


def assertion(fake: FakeVertex, **claims: Any) -> str:
    """Sign an assertion with the key of the service account, by google-auth."""
    from google.auth import crypt, jwt

    info = fake.login.service_account()
    now = int(time.time())
    usual = {"iss": info["client_email"], "aud": info["token_uri"], "iat": now, "exp": now + 3600, "scope": "a"}
    signer = crypt.RSASigner.from_service_account_info(info)  # type: ignore[no-untyped-call]
    return str(jwt.encode(signer, usual | claims).decode())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"iss": "nobody@example.invalid"}, "account not found"),
        ({"aud": "https://elsewhere.invalid/token"}, "audience"),
        ({"exp": 2**33}, "short-lived token"),
        ({"iat": 0, "exp": 1}, "short-lived token"),
        ({"scope": ""}, "Invalid OAuth scope"),
    ],
)
async def test_an_assertion_is_held_to_its_claims(fake_vertex: FakeVertex, claims: Json, words: str) -> None:
    status, said = await token(fake_vertex, grant_type=JWT_GRANT, assertion=assertion(fake_vertex, **claims))
    assert (status, words in said) == (400, True)


async def test_a_forged_assertion_is_refused(fake_vertex: FakeVertex) -> None:
    head, claims, signature = assertion(fake_vertex).split(".")
    forged = f"{head}.{claims}.{signature[:-8]}{'A' * 8}"
    assert (await token(fake_vertex, grant_type=JWT_GRANT, assertion=forged))[1] == "Invalid JWT Signature."
    assert (await token(fake_vertex, grant_type=JWT_GRANT, assertion="x"))[1].startswith("Invalid JWT")
    assert (await token(fake_vertex, grant_type=JWT_GRANT, assertion=f"{head}.{claims}.{signature}"))[0] == 200


@pytest.mark.parametrize(
    "change",
    [
        {"client_secret": "wrong"},
        {"refresh_token": "wrong"},
        {"grant_type": "password"},
    ],
)
async def test_a_refresh_needs_its_client_and_its_token(fake_vertex: FakeVertex, change: dict[str, str]) -> None:
    user = fake_vertex.login.user()
    form = {name: user[name] for name in ("client_id", "client_secret", "refresh_token")}
    form["grant_type"] = "refresh_token"
    assert (await token(fake_vertex, **form))[0] == 200
    assert (await token(fake_vertex, **(form | change)))[0] in {400, 401}


@pytest.mark.parametrize("name", ["audience", "subject_token", "subject_token_type", "requested_token_type"])
async def test_an_exchange_is_held_to_its_terms(fake_vertex: FakeVertex, name: str) -> None:
    form = {
        "grant_type": EXCHANGE_GRANT,
        "audience": AUDIENCE,
        "scope": "a",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": SUBJECT,
        "subject_token_type": SUBJECT_TYPE,
    }
    assert (await token(fake_vertex, "/v1/token", **form))[0] == 200
    assert (await token(fake_vertex, "/v1/token", **(form | {name: "wrong"})))[0] == 400


async def test_the_metadata_server_answers_nobody_without_its_flavour(fake_vertex: FakeVertex) -> None:
    async with httpx.AsyncClient(base_url=fake_vertex.login.url) as http:
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        assert (await http.get(path)).status_code == 403
        answer = await http.get(path, headers={"Metadata-Flavor": "Google"})
        nothing = await http.get("/computeMetadata/v1/nothing", headers={"Metadata-Flavor": "Google"})
    assert answer.json()["access_token"] in fake_vertex.login.living
    assert nothing.status_code == 404


async def test_impersonation_needs_a_token_and_a_scope(fake_vertex: FakeVertex) -> None:
    path = "/v1/projects/-/serviceAccounts/target@fake-project-000.iam.gserviceaccount.com:generateAccessToken"
    good = {"authorization": f"Bearer {fake_vertex.login.issue('test')}"}
    async with httpx.AsyncClient(base_url=fake_vertex.login.url) as http:
        statuses = [
            (await http.post(path, json={"scope": ["a"]})).status_code,
            (await http.post(path, json={"scope": []}, headers=good)).status_code,
            (await http.post(path.replace("target", "nobody"), json={"scope": ["a"]}, headers=good)).status_code,
            (await http.post(path, json={"scope": ["a"]}, headers=good)).status_code,
        ]
    assert statuses == [401, 400, 404, 200]


async def test_calls_can_be_held(fake_vertex: FakeVertex) -> None:
    fake_vertex.login.hold()
    user = fake_vertex.login.user()
    form = {name: user[name] for name in ("client_id", "client_secret", "refresh_token")}
    asked = asyncio.create_task(token(fake_vertex, grant_type="refresh_token", **form))
    while not fake_vertex.login.calls:  # noqa: ASYNC110 - a call that comes in sets no event
        await asyncio.sleep(0.001)
    assert not asked.done()
    fake_vertex.login.release()
    assert (await asked)[0] == 200
