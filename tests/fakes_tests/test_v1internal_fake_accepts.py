"""Well-formed calls pass, also the odd ones that the service is known to take."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.v1internal_errors import RECORDINGS
from tests.fakes.v1internal_signatures import SENTINEL
from tests.fakes_tests.v1internal_bodies import (
    CLAUDE,
    DRAWING,
    GEMINI_2,
    GEMINI_3,
    GEMINI_SIGNATURE,
    SCHEMA,
    Client,
    body,
    call,
    calling,
    message,
    parts,
    result,
    said,
    text,
    thinking,
    thinks,
    thought,
    tools,
    user,
)

PICTURE = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
ANSWERED = (said(call("f", "a")), user(result("f", "a")))


STREAMED = ("antigravity_claude_stream", "antigravity_gemini_stream", "gemini_cli_stream")


def sample(name: str) -> Any:
    return json.loads((RECORDINGS / "requests" / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("name", STREAMED)
async def test_a_recorded_streaming_request_is_accepted(client: Client, name: str) -> None:
    assert await client.stream(sample(name))


@pytest.mark.parametrize("name", ["antigravity_image", "antigravity_web_search"])
async def test_a_recorded_request_is_accepted(client: Client, name: str) -> None:
    assert (await client.post("generateContent", sample(name))).status == 200


async def test_the_recorded_counting_request_is_accepted(client: Client) -> None:
    response = await client.post("countTokens", sample("countTokens_gemini_cli"))
    assert (await response.json())["totalTokens"] > 0


def test_every_recorded_request_is_tried() -> None:
    known = {path.stem for path in (RECORDINGS / "requests").glob("*.json")}
    assert known == {*STREAMED, "antigravity_image", "antigravity_web_search", "countTokens_gemini_cli"}


@pytest.mark.parametrize(
    "sent",
    [
        body(GEMINI_3, user("a"), user("b")),
        body(GEMINI_3, user("a"), said("b")),
        body(GEMINI_3, user("a"), said({"text": "", "thoughtSignature": GEMINI_SIGNATURE}), user("c")),
        body(
            GEMINI_3,
            user("a"),
            said(call("f", "1", SENTINEL), call("f", "2")),
            user(result("f", "1"), result("f", "2")),
        ),
        body(GEMINI_3, user("a"), said(call("f", None, SENTINEL)), user(result("f"), PICTURE)),
        body(GEMINI_3, user("a"), said(call("f", "1")), user(result("f", "1")), user("next")),
        body(GEMINI_3, user("a"), said(thought(signature=None), "b"), user("c")),
        body(GEMINI_2, user("a"), said(call("f")), user(result("f"), "and")),
        body(GEMINI_2, generationConfig=thinking(includeThoughts=True, thinkingBudget=-1)),
        body(GEMINI_2, generationConfig=thinking(thinkingBudget=0)),
        body("gemini-3.1-pro-low", generationConfig=thinking(thinkingLevel="medium")),
        body(GEMINI_3, generationConfig=thinking(thinkingLevel="THINKING_LEVEL_UNSPECIFIED", includeThoughts=True)),
        body(GEMINI_3, tools=tools(None)),
        body(GEMINI_3, tools=[{"googleSearch": {}}, {"urlContext": {}}]),
        body(
            GEMINI_3,
            tools=tools({"$schema": "s", "additionalProperties": False}, field="parametersJsonSchema"),
        ),
        body(GEMINI_3, tools=tools(SCHEMA), toolConfig=calling("ANY", "f")),
        body(GEMINI_3, tools=tools(SCHEMA), generationConfig={"responseMimeType": "application/json"}),
        body(
            GEMINI_3,
            generationConfig={
                "responseMimeType": "application/json",
                "responseSchema": SCHEMA | {"additionalProperties": False},
            },
        ),
        body(CLAUDE, user("a"), *ANSWERED),
        body(CLAUDE, user("a"), said(call("f", "a")), user(result("f", "a"), "and")),
        body(
            CLAUDE,
            user("a"),
            said(thought(), call("f", "a")),
            user(result("f", "a")),
            generationConfig=thinks(),
        ),
        body(CLAUDE, user("a"), *ANSWERED, said("b"), user("c"), generationConfig=thinks()),
        body(CLAUDE, generationConfig=thinking(includeThoughts=False, thinkingBudget=0)),
        body(CLAUDE, tools=tools(SCHEMA | {"additionalProperties": False}, field="parametersJsonSchema")),
        body(CLAUDE, tools=tools(SCHEMA), toolConfig=calling("VALIDATED")),
        body(
            CLAUDE,
            tools=tools({"type": "OBJECT", "properties": {"default": {"type": "STRING"}}}),
            toolConfig=calling("VALIDATED"),
        ),
        body(DRAWING, generationConfig={"imageConfig": {"aspectRatio": "16:9", "imageSize": "4K"}}),
    ],
)
async def test_a_well_formed_request_is_accepted(client: Client, sent: Any) -> None:
    assert await client.stream(sent)


@pytest.mark.parametrize(
    ("model", "config"),
    [
        (GEMINI_3, {}),
        (GEMINI_3, {"stopSequences": []}),  # LangChain.js
        (GEMINI_2, {}),
        (CLAUDE, {}),
        (CLAUDE, thinks()),
        ("gemini-3-pro-high", thinking(includeThoughts=True)),
    ],
)
async def test_a_tool_loop_that_replays_the_replies_is_accepted(client: Client, model: str, config: Any) -> None:
    plan = '!think hm\n!tool f {"n": 1}\n!tool f {"n": 2}\n!then\n!tool f {"n": 3}\n!then\n!say done'
    contents = [user(plan)]
    for _ in range(2):
        answer = parts(await client.stream(body(model, *contents, generationConfig=config)))
        contents.append(said(*replayed(answer)))
        asked = [part["functionCall"] for part in answer if "functionCall" in part]
        contents.append(user(*(result(one["name"], one["id"]) for one in asked)))
    assert text(await client.stream(body(model, *contents, generationConfig=config))) == "done"


def replayed(answer: list[Any]) -> list[Any]:
    """Join the pieces of a thought with its signature, and leave out what is empty."""
    thoughts = [part for part in answer if part.get("thought")]
    signature = next((part["thoughtSignature"] for part in thoughts if "thoughtSignature" in part), None)
    whole = [thought("".join(part["text"] for part in thoughts), signature)] if thoughts else []
    return whole + [part for part in answer if not part.get("thought") and part != {"text": ""}]


async def test_claude_refuses_a_signed_thought_that_was_changed(client: Client) -> None:
    answer = parts(await client.ask("!think one\n!tool f {}", CLAUDE, generationConfig=thinks()))
    changed = [part | {"text": "two"} if part.get("thought") else part for part in replayed(answer)]
    number = answer[-2]["functionCall"]["id"]
    sent = body(CLAUDE, user("u"), said(*changed), user(result("f", number)), generationConfig=thinks())
    refused = await client.post("generateContent", sent)
    assert message(await refused.json()) == "messages.1.content.0: Invalid `signature` in `thinking` block"


async def test_claude_refuses_a_signature_without_its_thought(client: Client) -> None:
    """CLIProxyAPI pull request 2723, antigravity-claude-proxy issue 373."""
    answer = parts(await client.ask("!think one\n!tool f {}", CLAUDE, generationConfig=thinks()))
    hidden = [part | {"text": ""} if part.get("thought") else part for part in replayed(answer)]
    number = answer[-2]["functionCall"]["id"]
    sent = body(CLAUDE, user("u"), said(*hidden), user(result("f", number)), generationConfig=thinks())
    refused = await client.post("generateContent", sent)
    assert message(await refused.json()) == "messages.1.content.0.thinking.thinking: Field required"
