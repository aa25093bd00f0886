"""What the Gemini API names in a 400 is rewritten, or left out, and the request is sent once more."""

import json
from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.errors import UpstreamRejected
from tests.adapters.site import GEMINI_2, GEMINI_3, GEMMA_3, GEMMA_4, GeminiSite, asking

pytestmark = pytest.mark.anyio

UNKNOWN = (
    "Invalid JSON payload received. Unknown name \"parametersJsonSchema\" at 'tools[0].function_declarations[0]': "
    "Cannot find field."
)
SCHEMA = Raw(b'{"type":"object","properties":{"a":{"type":"integer","minimum":1}}}')
OFF = ir.Reasoning(mode="off")
TOOLS = (ir.Tool(name="f", schema=SCHEMA, path="tools[0]"),)


def refusal(message: str) -> str:
    """Direct the fake to refuse one call as a bad request."""
    return "!refuse " + json.dumps({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}})


def declared(gemini: GeminiSite) -> list[str]:
    """Say how the parameters of the function went in each call."""
    found: list[str] = []
    for call in gemini.fake.calls():
        (function,) = call.request["tools"][0]["functionDeclarations"]
        found += [name for name in ("parameters", "parametersJsonSchema") if name in function]
    return found


async def test_a_server_that_does_not_know_json_schema_is_asked_in_its_own_and_remembered(gemini: GeminiSite) -> None:
    await gemini.open()
    gemini.fake.script.push(refusal(UNKNOWN))
    assert await gemini.ask(attempts=1, tools=TOOLS) == "hi"
    assert await gemini.ask(attempts=1, tools=TOOLS) == "hi"
    assert declared(gemini) == ["parametersJsonSchema", "parameters", "parameters"]


async def test_a_schema_that_is_refused_is_said_in_full_for_this_request(gemini: GeminiSite) -> None:
    await gemini.open()
    path = "* GenerateContentRequest.tools[0].function_declarations[0].parameters_json_schema: too deep"
    gemini.fake.script.push(refusal(path))
    assert await gemini.ask(tools=TOOLS) == "hi"
    assert await gemini.ask(tools=TOOLS) == "hi"
    assert declared(gemini) == ["parametersJsonSchema", "parameters", "parametersJsonSchema"]


async def test_the_schema_of_an_answer_falls_back_too(gemini: GeminiSite) -> None:
    await gemini.open()
    gemini.fake.script.push(refusal("Unknown name \"responseJsonSchema\" at 'generation_config': Cannot find field."))
    await gemini.ask(output=ir.Output(kind="schema", schema=SCHEMA))
    assert "responseSchema" in gemini.fake.calls()[-1].request["generationConfig"]


async def test_what_is_refused_again_is_the_callers_to_know(gemini: GeminiSite) -> None:
    await gemini.open()
    with pytest.raises(UpstreamRejected, match="Unknown name"):
        await gemini.ask(refusal(UNKNOWN), tools=TOOLS)
    assert len(gemini.fake.calls()) == 2


LISTS = Raw(b'{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"},"maxItems":1000}}}')
NAMES = json.dumps([f"a_name_that_is_rather_long_{place}" for place in range(200)]).encode()
CHOICES = Raw(b'{"type":"object","properties":{"a":{"enum":' + NAMES + b"}}}")
BARE = "Request contains an invalid argument."
TOO_MANY = "The specified schema produces a constraint that has too many states for serving. Typical causes of this er"


async def test_lists_that_are_too_long_together_are_bounded_in_words_and_remembered_for_these_tools(
    gemini: GeminiSite,
) -> None:
    await gemini.open()
    tools = (ir.Tool(name="f", schema=LISTS, path="tools[0]"),)
    for wanted in (tools, tools, TOOLS):
        assert await gemini.ask(attempts=1, tools=wanted) == "hi"
    assert declared(gemini) == ["parametersJsonSchema", "parameters", "parameters", "parametersJsonSchema"]
    (function,) = gemini.fake.calls()[-2].request["tools"][0]["functionDeclarations"]
    assert function["parameters"]["properties"]["a"]["description"] == "(maxItems: 1000)"


async def test_so_is_the_schema_of_an_answer(gemini: GeminiSite) -> None:
    await gemini.open()
    for _ in range(2):
        assert await gemini.ask(attempts=1, output=ir.Output(kind="schema", schema=LISTS)) == "hi"
    configs = [call.request["generationConfig"] for call in gemini.fake.calls()]
    assert ["responseSchema" in config for config in configs] == [False, True, True]


async def test_choices_that_are_too_many_together_are_said_in_words(gemini: GeminiSite) -> None:
    await gemini.open()
    forced = ir.ToolChoice(mode="required")
    tools = (ir.Tool(name="f", schema=CHOICES, path="tools[0]"),)
    for _ in range(2):
        begun = await gemini.begin("!tool f {}", attempts=1, tools=tools, tool_choice=forced)
        begun.answer.close()
        begun.journey.done(None)
        assert [(loss.path, loss.severity) for loss in begun.journey.losses][:1] == [("tools[0]", "hint")]
    assert [call.status for call in gemini.fake.calls()] == [400, 400, 200, 200]
    (function,) = gemini.fake.calls()[-1].request["tools"][0]["functionDeclarations"]
    said = function["parametersJsonSchema"]["properties"]["a"]
    assert (said["type"], said["description"][:40]) == ("string", '(one of: "a_name_that_is_rather_long_0",')


async def test_what_does_not_help_is_not_remembered(gemini: GeminiSite) -> None:
    await gemini.open()
    tools = (ir.Tool(name="f", schema=CHOICES, path="tools[0]"),)
    for _ in range(3):
        gemini.fake.script.push(refusal(BARE))
    with pytest.raises(UpstreamRejected, match="invalid argument"):
        await gemini.ask(attempts=1, tools=tools)
    assert await gemini.ask(attempts=1, tools=tools) == "hi"
    assert declared(gemini) == ["parametersJsonSchema", "parameters", "parameters", "parametersJsonSchema"]


async def test_a_schema_with_too_many_states_goes_in_the_servers_own_form(gemini: GeminiSite) -> None:
    await gemini.open()
    gemini.fake.script.push(refusal(TOO_MANY))
    assert await gemini.ask(attempts=1, tools=TOOLS) == "hi"
    assert await gemini.ask(attempts=1, tools=TOOLS) == "hi"
    assert declared(gemini) == ["parametersJsonSchema", "parameters", "parameters"]


async def test_penalties_are_dropped_for_models_without_them_and_told(gemini: GeminiSite) -> None:
    await gemini.open()
    begun = await gemini.begin(sampling=ir.Sampling(presence_penalty=0.5, seed=1), attempts=1)
    begun.answer.close()
    begun.journey.done(None)
    assert [call.request["generationConfig"] for call in gemini.fake.calls()] == [
        {"presencePenalty": 0.5, "seed": 1},
        {"seed": 1},
    ]
    assert [loss.path for loss in begun.journey.losses] == ["presence_penalty"]


async def test_logprobs_are_not_asked_of_models_without_them_and_that_is_told_and_remembered(
    gemini: GeminiSite,
) -> None:
    await gemini.open()
    gemini.fake.script.push(refusal("Logprobs is not enabled for models/gemini-3-flash-preview"))
    for _ in range(2):
        begun = await gemini.begin(sampling=ir.Sampling(logprobs=2, seed=1), attempts=1)
        begun.answer.close()
        begun.journey.done(None)
        assert [(loss.path, loss.severity) for loss in begun.journey.losses] == [
            ("logprobs", "change"),
            ("top_logprobs", "change"),
        ]
    assert [call.request["generationConfig"] for call in gemini.fake.calls()] == [
        {"responseLogprobs": True, "logprobs": 2, "seed": 1},
        {"seed": 1},
        {"seed": 1},
    ]


async def test_in_strict_mode_nothing_is_dropped(gemini: GeminiSite) -> None:
    gemini.translate = {"lossy": "strict"}
    await gemini.open()
    with pytest.raises(UpstreamRejected, match="Penalty is not enabled"):
        await gemini.ask(sampling=ir.Sampling(presence_penalty=0.5))
    assert len(gemini.fake.calls()) == 1


@pytest.mark.parametrize("model", [GEMINI_3, GEMINI_2])
async def test_a_refused_signature_is_left_out_once(gemini: GeminiSite, model: str) -> None:
    await gemini.open()
    signed = ir.Signature("gemini", "EkBGQUtF", "f")
    history = (
        ir.Turn(role="user", parts=(ir.Text(text="u"),)),
        ir.Turn(role="assistant", parts=(ir.ToolCall(id="c1", name="f", arguments=Raw(b"{}"), signature=signed),)),
        ir.Turn(role="user", parts=(ir.ToolResult(id="c1", parts=(ir.Text(text="1"),)),)),
    )
    gemini.fake.script.push(refusal("Thought signature is not valid."))
    await gemini.ask(model=model, turns=history, tools=TOOLS)
    sent: list[dict[str, Any]] = [call.request["contents"][1]["parts"][0] for call in gemini.fake.calls()]
    assert [part.get("thoughtSignature") for part in sent] == [
        "EkBGQUtF",
        "skip_thought_signature_validator" if model == GEMINI_3 else None,
    ]


async def test_a_model_without_instructions_and_json_mode_is_asked_in_the_users_words(gemini: GeminiSite) -> None:
    await gemini.open()
    wanted: dict[str, Any] = {
        "system": (ir.Text(text="Be brief."),),
        "output": ir.Output(kind="json"),
        "reasoning": OFF,
    }
    for _ in range(2):
        assert await gemini.ask(model=GEMMA_3, attempts=1, **wanted) == "hi"
    *_, before, last = gemini.fake.calls()
    assert [call.status for call in gemini.fake.calls()] == [400, 400, 200, 200]
    assert before.request == last.request
    assert [*last.request] == ["contents"]
    assert [part["text"][:9] for part in last.request["contents"][0]["parts"]] == ["Be brief.", "Answer wi", "hi"]


@pytest.mark.parametrize(
    ("refused", "left"),
    [
        ("Thinking level is not supported for this model.", {"includeThoughts": True}),
        ("Thinking is not enabled for models/gemma-4-31b-it", None),
        ("Unable to submit request because thinking is not supported by this model.", None),
    ],
)
async def test_a_model_that_refuses_how_it_is_to_think_does_as_it_does(
    gemini: GeminiSite, refused: str, left: dict[str, Any] | None
) -> None:
    await gemini.open()
    gemini.fake.script.push(refusal(refused))
    wanted = ir.Reasoning(mode="level", level="low")
    for _ in range(2):
        assert await gemini.ask(model=GEMMA_4, attempts=1, reasoning=wanted) == "hi"
    configs = [call.request.get("generationConfig", {}).get("thinkingConfig") for call in gemini.fake.calls()]
    assert configs == [{"includeThoughts": True, "thinkingLevel": "minimal"}, left, left]


@pytest.mark.parametrize(("model", "sent"), [("gemini-4-hydrogen", "xhigh"), ("gemini-4-argon", "high")])
async def test_most_thinking_is_the_highest_level_of_the_model(gemini: GeminiSite, model: str, sent: str) -> None:
    await gemini.open(models=[model])
    assert await gemini.ask(model=model, attempts=1, reasoning=ir.Reasoning(mode="level", level="max")) == "hi"
    (call,) = gemini.fake.calls()
    assert call.request["generationConfig"]["thinkingConfig"]["thinkingLevel"] == sent


async def test_a_budget_that_no_model_of_the_kind_takes_is_left_out(gemini: GeminiSite) -> None:
    await gemini.open()
    gemini.fake.script.push(refusal("Thinking budget is not supported for this model."))
    assert await gemini.ask(model=GEMINI_2, attempts=1, reasoning=OFF) == "hi"
    assert [[*call.request] for call in gemini.fake.calls()] == [["contents", "generationConfig"], ["contents"]]


async def test_calls_of_gemma_are_not_signed_by_what_gemini_takes(gemini: GeminiSite) -> None:
    await gemini.open()
    history = (
        ir.Turn(role="user", parts=(ir.Text(text="u"),)),
        ir.Turn(role="assistant", parts=(ir.ToolCall(id="c1", name="f", arguments=Raw(b"{}")),)),
        ir.Turn(role="user", parts=(ir.ToolResult(id="c1", parts=(ir.Text(text="1"),)),)),
    )
    await gemini.ask(model=GEMMA_4, turns=history, tools=TOOLS)
    assert "thoughtSignature" not in gemini.fake.calls()[-1].request["contents"][1]["parts"][0]


async def test_a_callers_own_words_are_never_changed(gemini: GeminiSite) -> None:
    await gemini.open()
    body = Raw(b'{"contents":[{"parts":[{"text":"hi"}]}],"tools":[]}')
    gemini.fake.script.push(refusal(UNKNOWN))
    with pytest.raises(UpstreamRejected, match="Unknown name"):
        await gemini.ask(stream=True, native=ir.Native(dialect="gemini", body=body))
    assert [call.raw for call in gemini.fake.calls()] == [bytes(body)]


async def test_an_answer_without_parts_that_was_refused_stays_behind(gemini: GeminiSite) -> None:
    """google-genai keeps one where the model only said why it ended: each later request was a 400."""
    await gemini.open()
    asked = b'{"role":"user","parts":[{"text":"hi"}]}'
    body = Raw(b'{"contents":[%b,{"role":"model"},%b]}' % (asked, asked))
    await gemini.ask(stream=True, native=ir.Native(dialect="gemini", body=body))
    assert [call.raw for call in gemini.fake.calls()] == [bytes(body), b'{"contents":[%b,%b]}' % (asked, asked)]


async def test_the_body_of_the_next_call_is_known_without_network(gemini: GeminiSite) -> None:
    adapter = await gemini.open()
    journey = adapter.open(asking("hi"))
    assert json.loads(bytes(journey.body())) == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    assert gemini.fake.requests == []
