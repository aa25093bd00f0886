"""What the fakes refuse of a good request, as the services do from one month or one route to the next."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes_tests import gemini_api_bodies as public
from tests.fakes_tests.gemini_api_bodies import GeminiClient, refusal
from tests.fakes_tests.v1internal_bodies import (
    CLAUDE,
    CLAUDE_SIGNATURE,
    GEMINI_2,
    GEMINI_3,
    GEMINI_SIGNATURE,
    Client,
    body,
    call,
    message,
    result,
    said,
    thinking,
    thinks,
    thought,
    user,
)

METHOD = "generateContent"
LEVEL = {"generationConfig": thinking(thinkingLevel="low")}
PENALTY = {"generationConfig": {"frequencyPenalty": 0.5}}


def turns(*first: Any) -> tuple[Any, ...]:
    """Call a tool, and answer."""
    return user("u"), said(*first), user(result("f", "1"))


async def refused(client: Client, sent: Any) -> str:
    """Ask Code Assist, and give the words of its 400."""
    response = await client.post(METHOD, sent)
    assert response.status == 400
    return message(await response.json())


async def taken(client: Client, sent: Any) -> bool:
    return (await client.post(METHOD, sent)).status == 200


async def test_code_assist_takes_no_signature_of_gemini_s_that_is_revoked(client: Client) -> None:
    sent = body(GEMINI_3, *turns(call("f", "1", GEMINI_SIGNATURE)))
    assert await taken(client, sent)
    client.fake.signatures.revoke(GEMINI_SIGNATURE)
    assert await refused(client, sent) == "Corrupted thought signature."


async def test_code_assist_takes_no_signature_of_claude_s_that_is_revoked(client: Client) -> None:
    sent = body(CLAUDE, *turns(thought(), call("f", "1")), generationConfig=thinks())
    assert await taken(client, sent)
    client.fake.signatures.revoke(CLAUDE_SIGNATURE)
    assert await refused(client, sent) == "messages.1.content.0: Invalid `signature` in `thinking` block"


async def test_without_names_all_that_were_issued_are_revoked(client: Client) -> None:
    issued = client.fake.signatures.sign("gemini")
    client.fake.signatures.revoke()
    assert await refused(client, body(GEMINI_3, *turns(call("f", "1", issued)))) == "Corrupted thought signature."
    assert await taken(client, body(GEMINI_3, *turns(call("f", "1", client.fake.signatures.sign("gemini")))))


async def test_code_assist_may_want_older_models_calls_signed(client: Client) -> None:
    sent = body(GEMINI_2, *turns(call("f", "1")))
    assert await taken(client, sent)
    client.fake.all_signed = True
    words = await refused(client, sent)
    assert words.startswith("Function call is missing a thought_signature in functionCall parts.")
    assert words.endswith("Additional data, function call `default_api:f` , position 2.")


async def test_code_assist_never_wants_claude_s_calls_signed(client: Client) -> None:
    client.fake.all_signed = True
    assert await taken(client, body(CLAUDE, *turns(call("f", "1"))))


async def test_code_assist_may_know_no_penalties(client: Client) -> None:
    assert await taken(client, body(GEMINI_3, **PENALTY))
    client.fake.penalties_known = False
    assert await refused(client, body(GEMINI_3, **PENALTY)) == f"Penalty is not enabled for models/{GEMINI_3}"


async def test_a_penalty_of_nothing_is_none(client: Client) -> None:
    client.fake.penalties_known = False
    assert await taken(client, body(GEMINI_3, generationConfig={"presencePenalty": 0}))


async def test_the_public_api_may_know_no_levels(gemini: GeminiClient) -> None:
    assert (await gemini.post(METHOD, public.body(**LEVEL))).status == 200
    gemini.fake.levels_known = False
    assert (
        await refusal(await gemini.post(METHOD, public.body(**LEVEL)))
        == "Thinking level is not supported for this model."
    )


@pytest.mark.parametrize("model", [public.GEMINI_2, public.GEMINI_3])
async def test_the_public_api_takes_no_signature_that_is_revoked(gemini: GeminiClient, model: str) -> None:
    sent = public.body(*turns(call("f", signature=GEMINI_SIGNATURE)))
    sent["contents"][2] = user(result("f"))
    assert (await gemini.post(METHOD, sent, model)).status == 200
    gemini.fake.signatures.revoke(GEMINI_SIGNATURE)
    assert await refusal(await gemini.post(METHOD, sent, model)) == "Corrupted thought signature."


async def test_the_public_api_may_want_older_models_calls_signed(gemini: GeminiClient) -> None:
    sent = public.body(user("u"), said(call("f")), user(result("f")))
    assert (await gemini.post(METHOD, sent, public.GEMINI_2)).status == 200
    gemini.fake.all_signed = True
    words = await refusal(await gemini.post(METHOD, sent, public.GEMINI_2))
    assert words.startswith("Function call is missing a thought_signature in functionCall parts.")
