"""What the fake of the public API refuses of a generating call, in the words of the service."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import gemini_api_config as own_config
from tests.fakes import gemini_api_thinking as thoughts
from tests.fakes import gemini_api_turns as own_turns
from tests.fakes import v1internal_config as config
from tests.fakes import v1internal_thinking
from tests.fakes import v1internal_turns as turns
from tests.fakes.v1internal_signatures import SENTINEL
from tests.fakes_tests.gemini_api_bodies import (
    DRAWING,
    GEMINI_2,
    GEMINI_2_PRO,
    GEMINI_3,
    GEMINI_3_PRO,
    GEMMA_3,
    GEMMA_4,
    OBJECT,
    GeminiClient,
    body,
    refusal,
)
from tests.fakes_tests.v1internal_bodies import (
    CLAUDE_SIGNATURE,
    GEMINI_SIGNATURE,
    call,
    result,
    said,
    thinking,
    thought,
    tools,
    user,
)

COUNTS_DIFFER = (
    "Please ensure that the number of function response parts is equal to the number of function call parts "
    "of the function call turn."
)
CALL_MISPLACED = (
    "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
)
RESPONSE_MISPLACED = "Please ensure that function response turn comes immediately after a function call turn."
NO_DATA = "required oneof field 'data' must have one initialized field"
SIGNED = call("f", "1", GEMINI_SIGNATURE)


def picture(data: str = "AAAA", mime_type: str = "image/png") -> Any:
    return {"inlineData": {"mimeType": mime_type, "data": data}}


def configured(**generation_config: Any) -> Any:
    return body(generationConfig=generation_config)


def answered(*parts: Any) -> Any:
    return body(user("a"), said(SIGNED), user(*parts))


# check, model, body, words
ROWS: list[tuple[Any, str, Any, str]] = [
    (turns.contents_present, GEMINI_3, {}, "* GenerateContentRequest.contents: contents is not specified\n"),
    (
        turns.parts_present,
        GEMINI_3,
        body(user()),
        "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty.",
    ),
    *(
        (turns.roles_known, GEMINI_3, body(user("a") | {"role": role}), "Please use a valid role: user, model.")
        for role in ("assistant", "tool", "function", "system")
    ),
    (
        turns.one_data_field,
        GEMINI_3,
        body(user(picture() | {"text": "a"})),
        ("Invalid value at 'contents[0].parts[0]' (oneof), oneof field 'data' is already set. Cannot set 'inlineData'"),
    ),
    (own_turns.data_present, GEMINI_3, body(user("a", {})), f"contents[0].parts[1].data: {NO_DATA}"),
    (own_turns.data_present, GEMINI_3, body(user("")), NO_DATA),
    (own_turns.data_present, GEMINI_3, body(user("a"), said({}), user("b")), NO_DATA),
    (
        turns.media_decodes,
        GEMINI_3,
        body(user(picture("***"))),
        ("Invalid value at 'contents[0].parts[0].inline_data.data' (TYPE_BYTES), Base64 decoding failed for \"***\""),
    ),
    (own_config.media_known, GEMINI_3, body(user(picture(mime_type="x/y"))), "Unsupported MIME type: x/y"),
    (
        turns.call_names,
        GEMINI_3,
        answered(result("", "1")),
        "contents[2].parts[0].function_response.name: Name cannot be empty.",
    ),
    (
        turns.response_present,
        GEMINI_3,
        answered({"functionResponse": {"name": "f"}}),
        "response is required.",
    ),
    (config.output_in_range, GEMINI_2, configured(maxOutputTokens=65537), "to 65537 (exclusive)"),
    (config.output_in_range, GEMINI_3, configured(maxOutputTokens=0), "a maxOutputTokens value of 0"),
    (
        own_config.in_range,
        GEMINI_3,
        configured(temperature=2.5),
        "generation_config.temperature: temperature must be in the range [0.0, 2.0].",
    ),
    (own_config.in_range, GEMINI_3, configured(topP=-0.1), "top_p must be in the range [0.0, 1.0]."),
    (
        own_config.candidates_enabled,
        GEMINI_3,
        configured(candidateCount=2),
        "Multiple candidates is not enabled for this model",
    ),
    (own_config.candidates_enabled, GEMINI_2, configured(candidateCount=9), "in the range [1, 8]"),
    (
        config.penalties_enabled,
        GEMINI_2,
        configured(presencePenalty=0.5),
        "Penalty is not enabled for models/gemini-2.5-flash",
    ),
    (config.penalties_enabled, GEMINI_3, configured(frequencyPenalty=-1), "Penalty is not enabled for"),
    (
        own_config.categories_once,
        GEMINI_3,
        body(safetySettings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}] * 2),
        "safety_settings[1].category: category must be given, and once.",
    ),
    (
        own_config.categories_once,
        GEMINI_3,
        body(safetySettings=[{"threshold": "BLOCK_NONE"}]),
        "safety_settings[0].category",
    ),
    (config.stops_in_range, GEMINI_3, configured(stopSequences=list("abcdef")), "stopSequences value of 6"),
    (
        config.one_response_schema,
        GEMINI_3,
        configured(responseSchema=OBJECT, responseJsonSchema=OBJECT, responseMimeType="application/json"),
        "response_schema and response_json_schema are mutually exclusive",
    ),
    (
        config.one_response_schema,
        GEMINI_3,
        configured(responseJsonSchema=OBJECT),
        "only allowed when response_mime_type is application/json",
    ),
    (
        config.json_without_functions,
        GEMINI_2,
        body(tools=tools(OBJECT), generationConfig={"responseMimeType": "application/json"}),
        "Function calling with a response mime type: 'application/json' is unsupported",
    ),
    (
        config.features_enabled,
        DRAWING,
        body(tools=tools(OBJECT)),
        f"Function calling is not enabled for models/{DRAWING}",
    ),
    (
        config.drawing_size,
        DRAWING,
        configured(imageConfig={"aspectRatio": "7:3"}),
        "aspectRatio must be one of 1:1",
    ),
    (
        config.features_enabled,
        GEMMA_3,
        body(systemInstruction={"parts": [{"text": "a"}]}),
        f"Developer instruction is not enabled for models/{GEMMA_3}",
    ),
    (
        config.features_enabled,
        GEMMA_3,
        configured(responseMimeType="application/json"),
        f"JSON mode is not enabled for models/{GEMMA_3}",
    ),
    (
        thoughts.thinking_known,
        GEMMA_3,
        configured(**thinking(includeThoughts=True)),
        f"Thinking is not enabled for models/{GEMMA_3}",
    ),
    (
        thoughts.budget_in_range,
        GEMMA_4,
        configured(**thinking(thinkingBudget=0)),
        "Thinking budget is not supported for this model.",
    ),
    (thoughts.level_known, GEMMA_4, configured(**thinking(thinkingLevel="LOW")), "Thinking level LOW is not supported"),
    (
        thoughts.thinking_known,
        "gemini-2.5-flash-image",
        configured(**thinking(includeThoughts=True)),
        "Thinking is not enabled for models/gemini-2.5-flash-image",
    ),
    (
        thoughts.level_or_budget,
        GEMINI_3,
        configured(**thinking(thinkingLevel="low", thinkingBudget=1024)),
        "You can only set only one of thinking budget and thinking level.",
    ),
    (
        thoughts.level_known,
        GEMINI_2,
        configured(**thinking(thinkingLevel="low")),
        "Thinking level is not supported for this model.",
    ),
    *(
        (
            thoughts.level_known,
            model,
            configured(**thinking(thinkingLevel=level)),
            f"Thinking level {level} is not supported for this model. Please retry with other thinking level.",
        )
        for model, level in (
            (GEMINI_3_PRO, "MEDIUM"),
            ("gemini-3.1-pro-preview", "MINIMAL"),
            ("gemini-4-argon", "XHIGH"),
            ("gemini-3.8-flash", "MINIMAL"),
            (GEMINI_3, "XHIGH"),
        )
    ),
    *(
        (
            thoughts.budget_in_range,
            model,
            configured(**thinking(thinkingBudget=0)),
            "Budget 0 is invalid. This model only works in thinking mode.",
        )
        for model in (GEMINI_2_PRO, GEMINI_3, GEMINI_3_PRO)
    ),
    *(
        (
            thoughts.budget_in_range,
            model,
            configured(**thinking(thinkingBudget=budget)),
            f"The thinking budget ({budget}) is invalid. Please choose a value between {low} and {high}.",
        )
        for model, budget, low, high in (
            (GEMINI_2_PRO, 52428, 128, 32768),
            (GEMINI_2_PRO, 127, 128, 32768),
            (GEMINI_2, 24577, 1, 24576),
            ("gemini-2.5-flash-lite", 511, 512, 24576),
            (GEMINI_2, -2, 1, 24576),
        )
    ),
    (turns.model_calls_user_responds, GEMINI_3, body(user(SIGNED)), CALL_MISPLACED),
    (turns.user_first, GEMINI_3, body(said("a"), user("b")), "multiturn requests begin with a user turn"),
    (
        thoughts.signatures_readable,
        GEMINI_3,
        body(user("a"), said({"text": "b", "thoughtSignature": "***"}), user("c")),
        "Invalid value at 'contents[1].parts[0].thought_signature' (TYPE_BYTES), Base64 decoding failed for",
    ),
    (
        thoughts.signatures_readable,
        GEMINI_3,
        body(user("a"), said(thought("t", CLAUDE_SIGNATURE), "b"), user("c")),
        "Thought signature is not valid.",
    ),
    (
        thoughts.signatures_readable,
        GEMINI_2,
        body(user("a"), said({"text": "b", "thoughtSignature": SENTINEL}), user("c")),
        "Thought signature is not valid.",
    ),
    *(
        (
            thoughts.pictures_signed,
            DRAWING,
            body(user("a"), said(*drawn), user("b")),
            f"{kind} part is missing a thought_signature in content position 2, part position {place}.",
        )
        for drawn, kind, place in (
            ((picture(),), "Image", 1),
            (("t", picture()), "Text", 1),
            (
                ({"text": "t", "thought": True}, {"text": "t", "thoughtSignature": GEMINI_SIGNATURE}, picture()),
                "Image",
                3,
            ),
        )
    ),
    (
        v1internal_thinking.calls_signed,
        GEMINI_3,
        body(user("a"), said(call("f")), user(result("f"))),
        "Function call is missing a thought_signature in functionCall parts.",
    ),
    (
        v1internal_thinking.calls_signed,
        GEMINI_3_PRO,
        body(user("a"), said(SIGNED), user(result("f", "1")), said(call("f", "2")), user(result("f", "2"))),
        "function call `default_api:f` , position 4.",
    ),
    (turns.responses_follow_calls, GEMINI_3, body(user("a"), said("b"), user(result())), RESPONSE_MISPLACED),
    (turns.calls_answered, GEMINI_3, body(user("a"), said(SIGNED), user("b")), COUNTS_DIFFER),
    (turns.calls_answered, GEMINI_2, body(user("a"), said(call("f"), call("f")), user(result("f"))), COUNTS_DIFFER),
    (turns.responses_named_as_calls, GEMINI_3, answered(result("g", "1")), "the function response name `g` matches"),
    (
        turns.response_ids_match,
        GEMINI_3,
        answered(result("f", "2")),
        "Please ensure that the function response ids match the function call ids.",
    ),
    (
        turns.response_ids_match,
        GEMINI_2,
        body(user("a"), said(call("f"), call("g")), user(result("f", "1"), result("g"))),
        "the function response ids match the function call ids",
    ),
    (turns.responses_stand_alone, GEMINI_3, answered(result("f", "1"), "b"), COUNTS_DIFFER),
    *(
        (turns.user_last, model, body(user("a"), said("b")), "Requests ending with a model turn are not supported.")
        for model in ("gemini-3.6-flash", "gemini-3.8-flash")
    ),
    (
        turns.references_answered,
        GEMINI_3,
        answered({"functionResponse": {"name": "f", "id": "1", "response": {"a": [{"$ref": "#/$defs/D"}]}}}),
        (
            "The referenced name `#/$defs/D` in function_response.response does not match to a display_name "
            "in the function_response.parts."
        ),
    ),
]


@pytest.mark.parametrize(
    ("_", "model", "sent", "words"), ROWS, ids=[f"{row[0].__name__}-{n}" for n, row in enumerate(ROWS)]
)
async def test_refuses(gemini: GeminiClient, _: Any, model: str, sent: Any, words: str) -> None:
    assert words in await refusal(await gemini.post("generateContent", sent, model))
