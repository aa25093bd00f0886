"""What stands around a request, and in whose name."""

import re

import pytest

from gateway import __version__, ir
from gateway.adapters.v1internal_envelope import session_id
from tests.adapters.site import MODEL, Site, asking

pytestmark = pytest.mark.anyio

OWN = f"asgi-llm-gateway/{__version__}"


async def test_the_antigravity_envelope(site: Site) -> None:
    await site.open()
    await site.ask()
    body = site.fake.calls()[0].body
    assert body.keys() == {"project", "requestId", "model", "userAgent", "requestType", "request"}
    assert (body["model"], body["userAgent"], body["requestType"]) == (MODEL, "asgi-llm-gateway", "agent")
    assert body["request"]["contents"] == [{"role": "user", "parts": [{"text": "hi"}]}]
    assert re.fullmatch(r"-\d{1,19}", body["request"]["sessionId"])


async def test_the_gemini_cli_envelope(site: Site) -> None:
    await site.open(envelope="gemini-cli")
    await site.ask()
    body = site.fake.calls()[0].body
    assert body.keys() == {"project", "model", "user_prompt_id", "request"}
    assert "session_id" in body["request"]


async def test_a_body_comes_with_its_length_to_the_sse_form_of_the_method(site: Site) -> None:
    await site.open()
    await site.ask()
    call = site.fake.calls()[0]
    assert int(call.headers["content-length"]) == len(call.raw)
    assert "transfer-encoding" not in call.headers
    assert (call.path, call.query) == ("/v1internal:streamGenerateContent", {"alt": "sse"})


async def test_the_gateway_says_its_own_name_in_every_call(site: Site) -> None:
    site.fake.oauth.accounts["rt-1"].state = "not_onboarded"
    await site.open(models=[])
    await site.ask()
    await site.fake.wait_for("fetchAvailableModels")
    calls = [call for call in site.fake.requests if call.method != "token"]
    assert {call.headers["user-agent"] for call in calls} == {OWN}
    metadata = [call.body["metadata"] for call in calls if call.method in ("loadCodeAssist", "onboardUser")]
    assert (
        metadata
        == [{"ideType": "IDE_UNSPECIFIED", "platform": "PLATFORM_UNSPECIFIED", "pluginType": "PLUGIN_UNSPECIFIED"}] * 2
    )
    names = re.compile(rb"antigravity|geminicli|jetski|vscode", re.IGNORECASE)
    assert not any(names.search(call.raw) for call in calls)
    assert not any(header.startswith(("x-goog", "x-client", "client-")) for call in calls for header in call.headers)


async def test_an_operator_may_give_another_name_and_further_headers(site: Site) -> None:
    await site.open(user_agent="acme/1", headers={"X-Team": "blue", "Accept": "x/y", "Authorization": "none"})
    await site.ask()
    call = site.fake.calls()[0]
    assert call.body["userAgent"] == call.headers["user-agent"] == "acme/1"
    assert call.headers["x-team"] == "blue"
    assert call.headers["authorization"].startswith("Bearer ")


async def test_an_operators_headers_ask_for_no_coding_that_cannot_be_read(site: Site) -> None:
    await site.open(headers={"Accept-Encoding": "gzip, deflate, br"})
    await site.ask()
    assert {call.headers["accept-encoding"] for call in site.fake.calls()} == {"gzip, deflate"}


async def test_a_search_alone_is_a_web_search(site: Site) -> None:
    await site.open(models=["gemini-3.1-flash-lite"])
    search = ir.Tool(name="web_search", builtin="web_search")
    await site.ask(model="gemini-3.1-flash-lite", tools=(search,))
    assert site.fake.calls()[0].body["requestType"] == "web_search"


async def test_a_drawing_model_gets_an_image_request(site: Site) -> None:
    await site.open(models=["gemini-3-pro-image"])
    await site.ask("!image", model="gemini-3-pro-image")
    body = site.fake.calls()[0].body
    assert body["requestType"] == "image_gen"


async def test_the_body_is_shown_without_network(site: Site) -> None:
    adapter = await site.open()
    shown = bytes(adapter.open(asking("hi")).body())
    assert b'"contents":[{' in shown
    assert site.fake.requests == []


def test_a_conversation_keeps_its_session() -> None:
    first = asking("hello")
    longer = asking("hello")
    assert session_id(first) == session_id(longer) != session_id(asking("something else"))


def test_callers_do_not_share_sessions() -> None:
    assert session_id(asking("hello", principal="alice")) != session_id(asking("hello", principal="bob"))


def test_a_session_that_the_caller_gave_decides() -> None:
    assert session_id(asking("a", session="s")) == session_id(asking("b", session="s"))
    assert session_id(asking("a", session="s")) != session_id(asking("a", session="t"))


def test_a_session_id_is_a_negative_int64() -> None:
    for number in range(200):
        assert -(2**63) < int(session_id(asking(str(number)))) <= 0
