"""Token counts: what the upstream counts, and the estimate of what it does not."""

import msgspec
import pytest

from gateway import ir
from gateway.adapters.v1internal_control import countable
from gateway.ir.estimate import estimate
from tests.adapters.site import MODEL, Site, asking

pytestmark = pytest.mark.anyio


async def test_the_conversation_is_counted_upstream(site: Site) -> None:
    adapter = await site.open()
    counted = await adapter.count(asking("hello there"))
    assert counted is not None
    sent = site.fake.calls("countTokens")[0].body
    assert sent == {
        "request": {
            "model": f"models/{MODEL}",
            "contents": [{"role": "user", "parts": [{"text": "hello there"}]}],
        }
    }


async def test_instructions_and_tools_are_estimated_on_top(site: Site) -> None:
    adapter = await site.open()
    plain = await adapter.count(asking("hello"))
    system = (ir.Text(text="Be brief. " * 50),)
    tools = (ir.Tool(name="f", description="does things", schema=msgspec.Raw(b'{"type":"object"}')),)
    whole = asking("hello", system=system, tools=tools)
    assert plain is not None
    beside = msgspec.structs.replace(whole.request, turns=())
    assert await adapter.count(whole) == plain + estimate(beside)


async def test_a_conversation_with_thoughts_is_countable(site: Site) -> None:
    adapter = await site.open()
    signature = ir.Signature("gemini", "EkBGQUtF", "f")
    call = ir.ToolCall(id="c1", name="f", arguments=msgspec.Raw(b"{}"), signature=signature)
    turns = (
        ir.Turn(role="user", parts=(ir.Text(text="go"),)),
        ir.Turn(role="assistant", parts=(ir.Thinking(text="hm"), call)),
        ir.Turn(role="user", parts=(ir.ToolResult(id="c1", parts=(ir.Text(text="ok"),)),)),
    )
    request = msgspec.structs.replace(asking("x").request, turns=turns)
    assert await adapter.count(msgspec.structs.replace(asking("x"), request=request))
    assert b"thought" not in site.fake.calls("countTokens")[0].raw


def test_thoughts_become_plain_text_and_bare_signatures_nothing() -> None:
    contents = [
        {
            "role": "model",
            "parts": [{"thought": True, "text": "hm", "thoughtSignature": "s"}, {"thoughtSignature": "s"}],
        },
        {"role": "model", "parts": [{"thought": True, "text": "", "thoughtSignature": "s"}]},
    ]
    assert countable(contents) == [{"role": "model", "parts": [{"text": "hm"}]}]


async def test_a_conversation_with_code_that_ran_at_google_is_countable(site: Site) -> None:
    adapter = await site.open()
    code = msgspec.Raw(b'{"executableCode":{"language":"PYTHON","code":"1"},"thought_signature":"EkBGQUtF"}')
    ran = ir.Opaque(dialect="gemini", kind="executableCode", value=code, path="contents[1].parts[0]")
    turns = (
        ir.Turn(role="user", parts=(ir.Text(text="go"),)),
        ir.Turn(role="assistant", parts=(ran, ir.Text(text="1"))),
        ir.Turn(role="user", parts=(ir.Text(text="on"),)),
    )
    request = msgspec.structs.replace(asking("x").request, turns=turns)
    assert await adapter.count(msgspec.structs.replace(asking("x"), request=request))
    assert b"thought" not in site.fake.calls("countTokens")[0].raw


@pytest.mark.parametrize("error", ["500_internal", "401_unauthenticated", "429_bare", "reset"])
async def test_a_failure_leaves_the_count_to_the_estimate(site: Site, error: str) -> None:
    adapter = await site.open()
    site.fake.fail(error, times=9, method="countTokens")
    assert await adapter.count(asking("hello")) is None
    assert adapter.usable


async def test_without_a_credential_nothing_is_counted(site: Site) -> None:
    adapter = await site.open()
    site.fake.oauth.fail("invalid_grant")
    assert await adapter.count(asking("hello")) is None
    assert await adapter.count(asking("hello")) is None
    assert len(site.fake.calls("token")) == 1
