"""Asking Vertex AI for Gemini models: where, as whom, and what each refusal leads to."""

import asyncio
import json
from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    NotFound,
    UpstreamCredential,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnavailable,
)
from gateway.forwarding import NativeCall
from gateway.upstream import BY_HAND, Outgoing, Telling, credential_of
from tests.adapters.site import GEMINI_2, GEMINI_3, asking
from tests.adapters.vertex_site import CLAUDE, VertexSite
from tests.gateway.wire import ending, upstream

pytestmark = pytest.mark.anyio

PROJECT = "fake-project-000"
MODELS = f"/v1/projects/{PROJECT}/locations/us-central1/publishers/google/models"


@pytest.fixture
def robot(vertex: VertexSite) -> VertexSite:
    """Have a service account at hand."""
    vertex.find(vertex.login.service_account())
    return vertex


async def test_project_location_publisher_and_model_stand_in_the_path(robot: VertexSite) -> None:
    await robot.open(project=PROJECT)
    assert await robot.ask("one two") == "one two"
    (call,) = robot.fake.calls()
    assert call.path == f"{MODELS}/{GEMINI_3}:streamGenerateContent"
    assert call.query == {"alt": "sse"}
    assert call.headers["authorization"].startswith("Bearer ya29.")
    assert call.headers["user-agent"].startswith("asgi-llm-gateway/")
    assert "x-goog-api-key" not in call.headers


def told(vertex: VertexSite, model: str = GEMINI_3, **upstream: Any) -> Outgoing:
    """Say where a call would go, without starting anything."""
    journey = vertex.made(**upstream).open(asking("hi", model))
    assert isinstance(journey, Telling)
    return journey.outgoing()


@pytest.mark.parametrize(
    ("location", "base"),
    [
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
    ],
)
async def test_the_address_is_that_of_the_location(vertex: VertexSite, location: str, base: str) -> None:
    url = told(vertex, project="p", location=location, base_url="").url
    path = f"/v1/projects/p/locations/{location}/publishers/google/models/{GEMINI_3}:streamGenerateContent?alt=sse"
    assert url == base + path


@pytest.mark.parametrize(
    ("model", "resource"),
    [
        ("gemini-2.5-flash", "publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
        ("endpoints/1234567890", "endpoints/1234567890:streamGenerateContent?alt=sse"),
        ("claude-sonnet-4-5@20250929", "publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict"),
    ],
)
async def test_the_name_of_a_model_says_whose_it_is(vertex: VertexSite, model: str, resource: str) -> None:
    assert told(vertex, model, project="p").url.endswith(f"/v1/projects/p/locations/us-central1/{resource}")


async def test_a_project_that_is_not_known_yet_is_said_to_be_so(vertex: VertexSite) -> None:
    outgoing = told(vertex, project="")
    assert "/projects/{project}/" in outgoing.url
    assert list(outgoing.varies) == ["project"]


async def test_a_tuned_model_is_asked_at_its_endpoint(robot: VertexSite) -> None:
    await robot.open(project=PROJECT)
    assert await robot.ask("tuned", model="endpoints/1234567890") == "tuned"


# what refusals lead to


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("403_permission", "role Vertex AI User"),
        ("403_quota_project", "role Service Usage Consumer"),
        ("403_service_disabled", "apis/library/aiplatform.googleapis.com"),
        ("403_billing", "apis/library/aiplatform.googleapis.com"),
    ],
)
async def test_what_the_project_lacks_is_a_bad_gateway_that_says_what_to_do(
    robot: VertexSite, error: str, words: str
) -> None:
    await robot.open(project=PROJECT)
    robot.fail(error)
    with pytest.raises(UpstreamCredential, match=words) as caught:
        await robot.ask()
    assert caught.value.status == 502
    assert PROJECT not in caught.value.message
    assert len(robot.seen()) == 1


NAMING = json.dumps({"error": {"code": 400, "message": f"{PROJECT} may not", "status": "INVALID_ARGUMENT"}})


async def test_no_refusal_names_the_project(robot: VertexSite) -> None:
    await robot.open(project=PROJECT)
    with pytest.raises(UpstreamRejected, match=r"^\*\*\* may not"):
        await robot.ask(f"!refuse {NAMING}")


async def test_no_error_within_an_answer_names_the_project(robot: VertexSite) -> None:
    await robot.open(project=PROJECT)
    said = json.dumps({"candidates": [{"content": {"parts": [{"text": "a"}]}}]})
    begun = await robot.begin(f"!chunk {said}\n!chunk {NAMING}")
    events = list(begun.events)
    while not isinstance(events[-1], ir.Failed):
        events += await begun.answer.read() or ()
    begun.answer.close()
    begun.journey.done(None)
    assert events[-1].error.message == "*** may not"


async def test_what_was_refused_is_asked_again_by_the_next_request(robot: VertexSite) -> None:
    adapter = await robot.open(project=PROJECT)
    robot.fail("403_service_disabled")
    with pytest.raises(UpstreamCredential):
        await robot.ask()
    assert adapter.usable
    assert await robot.ask() == "hi"


async def test_an_operator_takes_the_credential_out_of_use_and_back(robot: VertexSite) -> None:
    adapter = await robot.open(project=PROJECT)
    (credential,) = adapter.views()
    await adapter.disable(credential.id, BY_HAND)
    assert not adapter.usable
    assert adapter.state() == f"no credential: 1 disabled: {BY_HAND}"
    with pytest.raises(UpstreamCredential, match=f"1 disabled: {BY_HAND}"):
        await robot.ask()
    await adapter.enable(credential.id)
    assert adapter.usable
    assert await robot.ask() == "hi"


async def test_the_operator_is_told_where_the_api_is_switched_on(
    robot: VertexSite, capsys: pytest.CaptureFixture[str]
) -> None:
    robot.level = "warning"
    await robot.open(project=PROJECT)
    robot.fail("403_service_disabled")
    with pytest.raises(UpstreamCredential):
        await robot.ask()
    assert f"apis/api/aiplatform.googleapis.com/overview?project={PROJECT}" in capsys.readouterr().err


async def test_a_project_of_somebody_else_is_a_bad_gateway(robot: VertexSite) -> None:
    await robot.open(project="not-ours-000")
    with pytest.raises(UpstreamCredential, match="check the project|role Vertex AI User"):
        await robot.ask()


@pytest.mark.parametrize("error", ["400_region", "404"])
async def test_a_model_that_the_location_has_not_is_unknown(robot: VertexSite, error: str) -> None:
    await robot.open(project=PROJECT)
    robot.fail(error)
    with pytest.raises(ModelNotFound, match="locations differ") as caught:
        await robot.ask()
    assert caught.value.code == "model_not_found"


async def test_an_unknown_model_gets_a_suggestion(robot: VertexSite) -> None:
    await robot.open(project=PROJECT)
    with pytest.raises(ModelNotFound) as caught:
        await robot.ask(model="gemini-2.5-flsh")
    assert 'did you mean "gemini-2.5-flash"' in caught.value.message


async def test_shared_capacity_that_is_used_up_is_asked_again_after_a_pause(robot: VertexSite) -> None:
    await robot.open(project=PROJECT)
    robot.fail("429_bare", times=2)
    assert await robot.ask_over_pauses() == "hi"
    assert [status for _, status in robot.seen()] == [429, 429, 200]


async def test_shared_capacity_that_stays_used_up_is_a_rate_limit_and_no_rest(robot: VertexSite) -> None:
    """Callers are told as long a pause as the next one here would be: none knows better."""
    await robot.open(project=PROJECT)
    robot.fail("429_bare", times=4)
    with pytest.raises(UpstreamRateLimited, match="Resource exhausted") as caught:
        await robot.ask_over_pauses()
    assert 1 <= (caught.value.retry_after or 0) <= 10
    assert await robot.ask() == "hi"


async def test_googles_own_refusals_mean_the_same_where_claude_is_asked(robot: VertexSite) -> None:
    await robot.open(project=PROJECT)
    robot.fake.claude.fail("429_vertex", times=2)
    assert await robot.ask_over_pauses(model=CLAUDE) == "hi"
    assert [call.status for call in robot.fake.claude.calls("messages")] == [429, 429, 200]
    robot.fake.claude.fail("403_vertex")
    with pytest.raises(UpstreamCredential, match="role Vertex AI User"):
        await robot.ask(model=CLAUDE)


async def test_a_quota_lets_the_model_rest_as_long_as_it_says(robot: VertexSite) -> None:
    await robot.open(project=PROJECT)
    robot.fail("429_quota", model=GEMINI_3)
    with pytest.raises(UpstreamRateLimited) as caught:
        await robot.ask()
    assert caught.value.retry_after == pytest.approx(27, abs=1)
    with pytest.raises(UpstreamRateLimited):
        await robot.ask()
    assert len(robot.seen()) == 1
    assert await robot.ask(model=GEMINI_2) == "hi"
    await robot.clock.advance(28)
    assert await robot.ask() == "hi"


@pytest.mark.parametrize(
    ("error", "kind"), [("503_unavailable", UpstreamOverloaded), ("500_internal", UpstreamUnavailable)]
)
async def test_what_passes_is_asked_again(robot: VertexSite, error: str, kind: type[GatewayError]) -> None:
    await robot.open(project=PROJECT)
    robot.fail(error, times=1)
    assert await robot.ask_over_pauses() == "hi"
    robot.fail(error, times=9)
    with pytest.raises(kind):
        await robot.ask_over_pauses(attempts=2)


# what Vertex has otherwise than the Gemini API


TOOLS = (ir.Tool(name="f", path="tools[0]"),)
LOOP = (
    ir.Turn(role="user", parts=(ir.Text(text="!tool f {}\n!then\n!say done"),)),
    ir.Turn(role="assistant", parts=(ir.ToolCall(id="call_1", name="f", arguments=Raw(b"{}")),)),
    ir.Turn(role="user", parts=(ir.ToolResult(id="call_1", parts=(ir.Text(text="4"),)),)),
)
OWN_LOOP = Raw(
    b'{"contents": [{"role": "user", "parts": [{"text": "!tool f {}\\n!then\\n!say done"}]}, {"role": "model", "parts":'
    b' [{"functionCall": {"id": "call_1", "name": "f"}, "thoughtSignature": "skip_thought_signature_validator"}]}, '
    b'{"role": "user", "parts": [{"functionResponse": {"id": "call_1", "name": "f", "response": {"output": "4"}}}]}]}'
)


def ids(site: VertexSite) -> list[list[str | None]]:
    """Give the ids of the call and of the result in each request."""
    sent = [call.request["contents"] for call in site.fake.calls()]
    parts = [[part for content in contents for part in content["parts"]] for contents in sent]
    return [[inner.get("id") for part in one for name, inner in part.items() if "function" in name] for one in parts]


@pytest.mark.parametrize("own", [True, False], ids=["own", "translated"])
@pytest.mark.parametrize(("model", "known"), [(GEMINI_3, "call_1"), (GEMINI_2, None)])
async def test_calls_go_back_with_their_ids_since_gemini_3(
    robot: VertexSite, model: str, known: str | None, own: bool
) -> None:
    """The fake does not know the field of older models."""
    await robot.open(project=PROJECT)
    native = ir.Native(dialect="gemini", body=OWN_LOOP) if own else None
    assert await robot.ask(model=model, attempts=1, stream=True, turns=LOOP, tools=TOOLS, native=native) == "done"
    assert ids(robot) == [[known, known]]


@pytest.mark.parametrize("own", [True, False], ids=["own", "translated"])
async def test_a_place_that_does_not_know_ids_is_not_sent_them_again(robot: VertexSite, own: bool) -> None:
    robot.fake.ids_known = False
    await robot.open(project=PROJECT)
    native = ir.Native(dialect="gemini", body=OWN_LOOP) if own else None
    for _ in range(2):
        assert await robot.ask(attempts=1, stream=True, turns=LOOP, tools=TOOLS, native=native) == "done"
    assert ids(robot) == [["call_1", "call_1"], [None, None], [None, None]]


async def test_a_file_of_cloud_storage_goes_by_its_address(robot: VertexSite) -> None:
    await robot.open(project=PROJECT)
    file = ir.Media(media_type="application/pdf", url="gs://bucket/a.pdf", path="x")
    turn = ir.Turn(role="user", parts=(file, ir.Text(text="hi")))
    assert await robot.ask(turns=(turn,)) == "hi"
    (call,) = robot.fake.calls()
    assert call.request["contents"][0]["parts"][0] == {
        "fileData": {"mimeType": "application/pdf", "fileUri": "gs://bucket/a.pdf"}
    }


async def test_a_file_of_no_known_type_is_refused_by_its_place(robot: VertexSite) -> None:
    await robot.open(project=PROJECT)
    picture = ir.Media(media_type="image/*", url="https://x.invalid/a", path="messages[0].content[0]")
    with pytest.raises(InvalidRequest) as caught:
        await robot.ask(turns=(ir.Turn(role="user", parts=(picture,)),))
    assert caught.value.param == "messages[0].content[0]"


async def test_a_search_does_not_stand_beside_functions(robot: VertexSite) -> None:
    await robot.open(project=PROJECT)
    adapter = robot.adapter
    assert adapter is not None
    tools = (ir.Tool(name="f", path="tools[0]"), ir.Tool(name="s", builtin="web_search", path="tools[1]"))
    journey = adapter.open(asking("hi", GEMINI_3, tools=tools))
    assert [(loss.path, loss.severity) for loss in journey.losses] == [("tools[1]", "change")]
    assert await robot.ask(tools=tools) == "hi"


# counting


@pytest.mark.parametrize("model", [GEMINI_3, CLAUDE])
async def test_the_whole_prompt_is_counted(robot: VertexSite, model: str) -> None:
    adapter = await robot.open(project=PROJECT)
    bare = await adapter.count(asking("hi", model))
    tool = ir.Tool(name="f", description="words " * 100, path="tools[0]")
    more = await adapter.count(asking("hi", model, system=(ir.Text(text="rules " * 100),), tools=(tool,)))
    assert bare is not None
    assert more is not None
    assert 0 < bare < more - 100


async def test_what_cannot_be_counted_is_not_known(robot: VertexSite) -> None:
    adapter = await robot.open(project="not-ours-000")
    assert await adapter.count(asking("hi", GEMINI_3)) is None


async def test_a_gemini_callers_call_that_vertex_finds_unsigned_carries_the_sentinel(robot: VertexSite) -> None:
    await robot.open(project=PROJECT)
    call: dict[str, Any] = {"functionCall": {"name": "f", "args": {}}}
    said = [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "1"}}}]},
    ]
    body = {"contents": said, "tools": [{"functionDeclarations": [{"name": "f"}]}]}
    own = ir.Native(dialect="gemini", body=Raw(json.dumps(body).encode()))
    await robot.ask(model=GEMINI_3, stream=True, native=own)
    sent = [one.request["contents"][1]["parts"] for one in robot.fake.calls()]
    assert sent == [[call], [{**call, "thoughtSignature": "skip_thought_signature_validator"}]]


async def test_an_answer_without_parts_that_vertex_refuses_stays_behind(robot: VertexSite) -> None:
    await robot.open(project=PROJECT)
    asked = {"role": "user", "parts": [{"text": "hi"}]}
    body = json.dumps({"contents": [asked, {"role": "model"}, asked]}).encode()
    await robot.ask(model=GEMINI_3, stream=True, native=ir.Native(dialect="gemini", body=Raw(body)))
    assert [len(one.request["contents"]) for one in robot.fake.calls()] == [3, 2]


# native calls about a model


def native(path: str, body: bytes = b'{"instances": [{"content": "hi"}]}', model: str = "m") -> NativeCall:
    headers = {b"content-type": b"application/json", b"cookie": b"a=b"}
    return NativeCall(method="POST", path=path, query="key=k&%6bey=k", headers=headers, body=body, model=model)


async def test_a_method_that_both_have_goes_to_the_models_own_place(robot: VertexSite) -> None:
    adapter = await robot.open(project=PROJECT)
    path = "/v1beta/models/embed:predict"
    answer = await adapter.forward(native(path, model="gemini-embedding-001"))
    assert (answer.status, b'"values"' in await answer.read()) == (200, True)
    answer.close()
    (call,) = robot.fake.calls("predict")
    assert call.path == f"{MODELS}/gemini-embedding-001:predict"
    assert call.query == {}
    assert "cookie" not in call.headers


@pytest.mark.parametrize("path", ["/v1beta/models/m:asyncBatchEmbedContent", "/v1beta/models/m:nothing"])
async def test_a_method_that_vertex_has_not_is_not_found(robot: VertexSite, path: str) -> None:
    adapter = await robot.open(project=PROJECT)
    with pytest.raises(NotFound, match="Vertex AI has no POST"):
        await adapter.forward(native(path))


@pytest.mark.parametrize("verb", ["embedContent", "batchEmbedContents"])
async def test_embeddings_give_the_credential_back(robot: VertexSite, verb: str) -> None:
    adapter = await robot.open(project=PROJECT)
    text = b'{"content": {"parts": [{"text": "hi"}]}}'
    body = text if verb == "embedContent" else b'{"requests": [%s]}' % text
    answer = await adapter.forward(native(f"/v1beta/models/m:{verb}", body, model="gemini-embedding-001"))
    assert (answer.status, b'"values"' in await answer.read(), await answer.read()) == (200, True, b"")
    assert adapter.leases == 0


async def test_a_refused_token_is_renewed_for_native_calls_too(robot: VertexSite) -> None:
    adapter = await robot.open(project=PROJECT)
    await robot.ask()
    robot.login.expire()
    answer = await adapter.forward(native("/v1beta/models/m:predict", model="gemini-embedding-001"))
    answer.close()
    assert [status for _, status in robot.seen("predict")] == [401, 200]


async def test_the_callers_own_fault_is_told_in_the_upstreams_words(robot: VertexSite) -> None:
    adapter = await robot.open(project=PROJECT)
    call = native("/v1beta/models/m:predict", b'{"nonsense": 1}', model="gemini-embedding-001")
    answer = await adapter.forward(call)
    assert (answer.status, b"nonsense" in await answer.read()) == (400, True)


async def test_our_own_fault_is_not_passed_on(robot: VertexSite) -> None:
    adapter = await robot.open(project="not-ours-000")
    with pytest.raises(UpstreamCredential):
        await adapter.forward(native("/v1beta/models/m:predict", model="gemini-embedding-001"))


async def test_a_place_that_cannot_be_reached_gives_the_credential_back(robot: VertexSite) -> None:
    async with upstream(ending(b"", b"")) as server:
        gone = server.url
    adapter = await robot.open(project=PROJECT, base_url=gone)
    with pytest.raises(UpstreamUnavailable):
        await adapter.forward(native("/v1beta/models/m:predict", model="gemini-embedding-001"))
    assert adapter.leases == 0


async def test_a_dead_login_is_a_bad_gateway_for_native_calls_too(vertex: VertexSite) -> None:
    vertex.login.refresh_tokens.clear()
    vertex.find(vertex.login.user())
    adapter = await vertex.open(project=PROJECT)
    with pytest.raises(UpstreamCredential, match="no access token"):
        await adapter.forward(native("/v1beta/models/m:predict", model="gemini-embedding-001"))
    assert (adapter.leases, vertex.fake.requests) == (0, [])


async def test_a_caller_who_leaves_gives_the_credential_back(robot: VertexSite) -> None:
    adapter = await robot.open(project=PROJECT)
    asked = asyncio.create_task(robot.ask("!slow 30"))
    await robot.fake.wait_for()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert adapter.leases == 0


@pytest.mark.parametrize("length", [5, 3_000_000], ids=["breaks-off", "large"])
async def test_a_native_refusal_that_cannot_be_read_whole_has_its_status(robot: VertexSite, length: int) -> None:
    head = b"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: 3000000\r\n\r\n"
    async with upstream(ending(head, b"x" * length)) as server:
        adapter = await robot.open(project=PROJECT, base_url=server.url)
        answer = await adapter.forward(native("/v1beta/models/m:predict", model="gemini-embedding-001"))
    assert (answer.status, bool(credential_of(answer))) == (400, True)
    assert adapter.leases == 0
