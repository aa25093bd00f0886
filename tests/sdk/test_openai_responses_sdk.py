"""The OpenAI SDK's `client.responses` gets from Google's models what it expects of OpenAI's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.packaging.fixtures import WHEEL
from tests.packaging.served import KEY, Google, signer
from tests.processes import Program
from tests.sdk.conftest import chat_of
from tests.sdk.node_sdks import GEMINI, LONG, MODELS, PIXEL, both

pytestmark = WHEEL

EACH = pytest.mark.parametrize("model", MODELS)
SEALED: Any = ["reasoning.encrypted_content"]
PDF = "JVBERi0="
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER: Any = {"type": "function", "name": "weather", "description": "Tells it", "parameters": CITY, "strict": True}
SQL: Any = {"type": "custom", "name": "sql", "description": "Asks the database", "format": {"type": "text"}}
SPACE: Any = {"type": "namespace", "name": "sky", "description": "Of the sky", "tools": [WEATHER]}
ONE_CALL = """!think where is Rome
!tool weather {"city": "Rome"}
!then
!say it is sunny"""
TWO_CALLS = """!tool weather {"city": "Rome"}
!tool weather {"city": "Oslo"}
!then
!say it is sunny in both"""


class Capital(BaseModel):
    city: str
    people: int


@dataclass
class Standing:
    """A gateway before both upstreams."""

    gateway: Program
    code_assist: Google
    public: Google

    def sent(self, model: str) -> list[Any]:
        """List the generating requests that a model got, out of their envelopes."""
        bodies = [call["body"] for call in (self.public if "/" in model else self.code_assist).calls]
        return [body.get("request", body) for body in bodies]

    def signers(self, model: str) -> list[str]:
        """Name the families of the signatures in the last request."""
        parts = [part for turn in self.sent(model)[-1]["contents"] for part in turn["parts"]]
        return [signer(part["thoughtSignature"]) for part in parts if "thoughtSignature" in part]


@pytest.fixture(scope="module")
def running(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with both(programs, tmp_path_factory.mktemp("both")) as parts:
        yield Standing(*parts)


@pytest.fixture
def standing(running: Standing) -> Standing:
    """Give it without the calls of other tests."""
    for google in (running.code_assist, running.public):
        google.reset()
    return running


@pytest.fixture
def client(standing: Standing) -> Iterator[openai.OpenAI]:
    with chat_of(standing.gateway) as one:
        yield one


@pytest.fixture
def accepted(client: openai.OpenAI, standing: Standing) -> Iterator[openai.OpenAI]:
    """Demand that the upstreams accept whatever the gateway sends during the test."""
    yield client
    assert standing.code_assist.calls + standing.public.calls
    assert standing.code_assist.refused + standing.public.refused == []


@pytest.fixture
async def in_a_loop(standing: Standing) -> AsyncIterator[openai.AsyncOpenAI]:
    url = f"{standing.gateway.url}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0, _strict_response_validation=True) as one:
        yield one


def family(model: str) -> str:
    return "claude" if model.startswith("claude") else "gemini"


def calls_of(response: Any) -> list[Any]:
    return [item for item in response.output if item.type == "function_call"]


def results(calls: Any) -> list[Any]:
    return [
        {
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": f"sunny in {json.loads(call.arguments)['city']}",
        }
        for call in calls
    ]


def said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def answered(standing: Standing, model: str) -> list[Any]:
    parts = standing.sent(model)[-1]["contents"][-1]["parts"]
    return [part["functionResponse"]["response"] for part in parts if "functionResponse" in part]


@EACH
def test_text(accepted: openai.OpenAI, model: str) -> None:
    answer = accepted.responses.create(model=model, input="!say good morning")
    assert (answer.output_text, answer.status, answer.model) == ("good morning", "completed", model)
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


@EACH
def test_stream(accepted: openai.OpenAI, model: str) -> None:
    with accepted.responses.create(model=model, input=f"!say {LONG}", stream=True) as stream:
        events = list(stream)
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert ("".join(deltas), len(deltas) > 1) == (LONG, True)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == LONG


@EACH
async def test_text_and_stream_in_an_event_loop(in_a_loop: openai.AsyncOpenAI, model: str) -> None:
    answer = await in_a_loop.responses.create(model=model, input="!say good evening")
    async with in_a_loop.responses.stream(model=model, input="!say good night") as stream:
        deltas = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        final = await stream.get_final_response()
    assert answer.output_text == "good evening"
    assert "".join(deltas) == final.output_text == "good night"


@EACH
def test_instructions_stand_before_the_input(accepted: openai.OpenAI, standing: Standing, model: str) -> None:
    rule: Any = {"role": "developer", "content": "Be kind."}
    accepted.responses.create(model=model, instructions="Be brief.", input=[rule, *said("!say hi")])
    instruction = str(standing.sent(model)[-1]["systemInstruction"])
    assert 0 < instruction.index("Be brief.") < instruction.index("Be kind.")


@EACH
def test_a_response_can_be_asked_for_again_until_it_is_deleted(accepted: openai.OpenAI, model: str) -> None:
    made = accepted.responses.create(model=model, input="!say keep me")
    assert accepted.responses.retrieve(made.id).to_dict() == made.to_dict()
    accepted.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        accepted.responses.retrieve(made.id)


def test_a_streamed_response_can_be_asked_for_at_once(accepted: openai.OpenAI) -> None:
    with accepted.responses.stream(model=GEMINI, input="!say keep me") as stream:
        made = stream.get_final_response()
    kept = accepted.responses.retrieve(made.id)
    assert (kept.output_text, kept.usage) == ("keep me", made.usage)


def test_what_it_was_asked_can_be_listed_page_by_page(accepted: openai.OpenAI) -> None:
    words = [f"word {n}" for n in range(5)]
    made = accepted.responses.create(model=GEMINI, input=[{"role": "user", "content": word} for word in words])
    listed: list[Any] = list(accepted.responses.input_items.list(made.id, limit=2, order="asc"))
    assert [item.content[0].text for item in listed] == words
    assert len({item.id for item in listed}) == len(words)


def test_what_is_not_stored_cannot_be_asked_for(accepted: openai.OpenAI) -> None:
    made = accepted.responses.create(model=GEMINI, input="!say forget me", store=False)
    with pytest.raises(openai.NotFoundError):
        accepted.responses.retrieve(made.id)


@EACH
def test_a_conversation_goes_on_from_its_last_response(accepted: openai.OpenAI, standing: Standing, model: str) -> None:
    first = accepted.responses.create(model=model, input="!say I am the first")
    second = accepted.responses.create(model=model, input="!say I am the second", previous_response_id=first.id)
    assert (second.output_text, second.previous_response_id) == ("I am the second", first.id)
    contents = standing.sent(model)[-1]["contents"]
    assert [(turn["role"], turn["parts"][0]["text"]) for turn in contents] == [
        ("user", "!say I am the first"),
        ("model", "I am the first"),
        ("user", "!say I am the second"),
    ]


@EACH
def test_input_is_counted(client: openai.OpenAI, model: str) -> None:
    short = client.responses.input_tokens.count(model=model, input="hi")
    long = client.responses.input_tokens.count(model=model, input="hi", instructions="Be brief. " * 20, tools=[WEATHER])
    assert short.object == "response.input_tokens"
    assert long.input_tokens > short.input_tokens + 20 > 20


@EACH
@pytest.mark.parametrize("store", [True, False])
def test_tool_loop_with_the_output_sent_back_as_it_came(
    accepted: openai.OpenAI, standing: Standing, model: str, store: bool
) -> None:
    fields: Any = {"model": model, "tools": [WEATHER], "reasoning": {"effort": "high"}}
    fields |= {"store": store, "include": SEALED}
    asked = accepted.responses.create(input=said(ONE_CALL), **fields)
    (call,) = calls_of(asked)
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Rome"})
    history = [*said(ONE_CALL), *(item.to_dict() for item in asked.output), *results([call])]
    answer = accepted.responses.create(input=history, **fields)
    assert answer.output_text == "it is sunny"
    assert answered(standing, model) == [{"output": "sunny in Rome"}]
    assert standing.signers(model) == [family(model)]


@EACH
def test_streamed_tool_loop_without_the_store(accepted: openai.OpenAI, standing: Standing, model: str) -> None:
    fields: Any = {"model": model, "tools": [WEATHER], "reasoning": {"effort": "high", "summary": "auto"}}
    fields |= {"store": False, "include": SEALED}
    history = said(ONE_CALL)
    text = ""
    for _ in range(2):
        with accepted.responses.stream(input=history, **fields) as stream:
            response = stream.get_final_response()
        history += [*response.to_dict()["output"], *results(calls_of(response))]  # type: ignore[misc]  # a list of items
        text = response.output_text
    assert text == "it is sunny"
    assert standing.signers(model) == [family(model)]


@EACH
def test_tool_loop_of_which_only_the_result_is_sent(accepted: openai.OpenAI, standing: Standing, model: str) -> None:
    fields: Any = {"model": model, "tools": [WEATHER], "reasoning": {"effort": "high"}}
    asked = accepted.responses.create(input=ONE_CALL, **fields)
    answer = accepted.responses.create(input=results(calls_of(asked)), previous_response_id=asked.id, **fields)
    assert answer.output_text == "it is sunny"
    assert standing.signers(model) == [family(model)]


@EACH
def test_results_behind_what_the_client_says_again(accepted: openai.OpenAI, standing: Standing, model: str) -> None:
    asked = accepted.responses.create(model=model, input=TWO_CALLS, tools=[WEATHER])
    again: Any = [*said(TWO_CALLS), {"role": "assistant", "content": "I look."}, *results(calls_of(asked))]
    answer = accepted.responses.create(model=model, input=again, previous_response_id=asked.id, tools=[WEATHER])
    assert answer.output_text == "it is sunny in both"
    assert answered(standing, model) == [{"output": "sunny in Rome"}, {"output": "sunny in Oslo"}]


@EACH
def test_parallel_calls_answered_in_another_order(accepted: openai.OpenAI, standing: Standing, model: str) -> None:
    asked = accepted.responses.create(model=model, input=TWO_CALLS, tools=[WEATHER])
    calls = calls_of(asked)
    assert len({call.call_id for call in calls}) == 2
    answer = accepted.responses.create(
        model=model, input=results(reversed(calls)), previous_response_id=asked.id, tools=[WEATHER]
    )
    assert answer.output_text == "it is sunny in both"
    assert answered(standing, model) == [{"output": "sunny in Rome"}, {"output": "sunny in Oslo"}]


@EACH
def test_streamed_parallel_calls_are_items_of_their_own(accepted: openai.OpenAI, model: str) -> None:
    with accepted.responses.create(
        model=model, input=f"!toolsplit\n{TWO_CALLS}", tools=[WEATHER], stream=True
    ) as stream:
        events = list(stream)
    done = [event for event in events if event.type == "response.function_call_arguments.done"]
    assert [json.loads(event.arguments) for event in done] == [{"city": "Rome"}, {"city": "Oslo"}]
    assert len({event.item_id for event in done}) == len({event.output_index for event in done}) == 2


def test_one_call_at_a_time(accepted: openai.OpenAI) -> None:
    answer = accepted.responses.create(model=GEMINI, input=TWO_CALLS, tools=[WEATHER], parallel_tool_calls=False)
    assert len(calls_of(answer)) == 1


@EACH
def test_free_form_tool(accepted: openai.OpenAI, standing: Standing, model: str) -> None:
    asked: Any = accepted.responses.create(
        model=model, input='!tool sql {"input": "select 1"}\n!then\n!say one', tools=[SQL]
    )
    call = asked.output[-1]
    assert (call.type, call.name, call.input) == ("custom_tool_call", "sql", "select 1")
    result: Any = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "1"}
    answer = accepted.responses.create(model=model, input=[result], previous_response_id=asked.id, tools=[SQL])
    assert answer.output_text == "one"
    assert answered(standing, model) == [{"output": "1"}]


def test_streamed_free_form_tool(accepted: openai.OpenAI) -> None:
    with accepted.responses.stream(model=GEMINI, input='!tool sql {"input": "select 1"}', tools=[SQL]) as stream:
        done = [event for event in stream if event.type == "response.custom_tool_call_input.done"]
    assert [event.input for event in done] == ["select 1"]


def test_tool_of_a_namespace(accepted: openai.OpenAI, standing: Standing) -> None:
    asked = accepted.responses.create(model=GEMINI, input='!tool sky__weather {"city": "Rome"}', tools=[SPACE])
    (call,) = calls_of(asked)
    assert (call.namespace, call.name) == ("sky", "weather")
    accepted.responses.create(
        model=GEMINI, input=results([call]), previous_response_id=asked.id, tools=[SPACE], tool_choice="none"
    )
    assert answered(standing, GEMINI) == [{"output": "sunny in Rome"}]


def test_function_made_of_a_model(accepted: openai.OpenAI) -> None:
    tool: Any = openai.pydantic_function_tool(Capital)["function"] | {"type": "function"}
    answer = accepted.responses.parse(
        model=GEMINI, input='!tool Capital {"city": "Oslo", "people": 700000}', tools=[tool]
    )
    (call,) = calls_of(answer)
    assert json.loads(call.arguments) == {"city": "Oslo", "people": 700_000}


@EACH
def test_thoughts_are_a_summary_for_who_asks(accepted: openai.OpenAI, model: str) -> None:
    reasoning: Any = {"effort": "high", "summary": "auto"}
    answer: Any = accepted.responses.create(model=model, input="!think two and two\n!say four", reasoning=reasoning)
    assert [part.text for item in answer.output if item.type == "reasoning" for part in item.summary] == ["two and two"]
    assert answer.output_text == "four"


@EACH
def test_thoughts_are_hidden_from_who_does_not(accepted: openai.OpenAI, model: str) -> None:
    answer = accepted.responses.create(model=model, input="!think two and two\n!say four", reasoning={"effort": "high"})
    assert "two and two" not in str([item.to_dict() for item in answer.output])
    assert answer.output_text == "four"


@EACH
def test_what_seals_the_thoughts_is_kept_here_and_given_to_who_asks(accepted: openai.OpenAI, model: str) -> None:
    made: Any = accepted.responses.create(model=model, input=ONE_CALL, tools=[WEATHER], reasoning={"effort": "high"})
    sealed: Any = accepted.responses.retrieve(made.id, include=SEALED)
    given, kept = (
        [item.encrypted_content for item in one.output if item.type == "reasoning"] for one in (made, sealed)
    )
    assert (any(given), any(kept)) == (False, True)


@EACH
def test_image_in(accepted: openai.OpenAI, standing: Standing, model: str) -> None:
    picture = {"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{PIXEL}"}
    content: Any = [{"type": "input_text", "text": "!say a dot"}, picture]
    assert accepted.responses.create(model=model, input=said(content)).output_text == "a dot"
    parts = standing.sent(model)[-1]["contents"][-1]["parts"]
    assert {"inlineData": {"mimeType": "image/png", "data": PIXEL}} in parts


@EACH
def test_document_in(accepted: openai.OpenAI, standing: Standing, model: str) -> None:
    file = {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
    content: Any = [{"type": "input_text", "text": "!say read"}, file]
    assert accepted.responses.create(model=model, input=said(content)).output_text == "read"
    parts = standing.sent(model)[-1]["contents"][-1]["parts"]
    assert {"mimeType": "application/pdf", "data": PDF}.items() <= parts[-1]["inlineData"].items()


@pytest.mark.parametrize("stream", [True, False])
def test_image_out(accepted: openai.OpenAI, stream: bool) -> None:
    if stream:
        with accepted.responses.stream(model="gemini-3-pro-image", input="!image") as events:
            answer: Any = events.get_final_response()
    else:
        answer = accepted.responses.create(model="gemini-3-pro-image", input="!image")
    assert [(item.type, item.result) for item in answer.output] == [("image_generation_call", PIXEL)]


@EACH
def test_answer_of_a_schema(accepted: openai.OpenAI, model: str) -> None:
    words = '!say {"city": "Oslo", "people": 700000}'
    whole = accepted.responses.parse(model=model, input=words, text_format=Capital)
    with accepted.responses.stream(model=model, input=words, text_format=Capital) as stream:
        streamed = stream.get_final_response()
    assert whole.output_parsed == streamed.output_parsed == Capital(city="Oslo", people=700_000)


def test_answer_in_json_without_a_schema(accepted: openai.OpenAI, standing: Standing) -> None:
    answer = accepted.responses.create(model=GEMINI, input='!say {"a": 1}', text={"format": {"type": "json_object"}})
    assert json.loads(answer.output_text) == {"a": 1}
    assert standing.sent(GEMINI)[-1]["generationConfig"]["responseMimeType"] == "application/json"


@EACH
def test_an_answer_cut_short_is_incomplete(accepted: openai.OpenAI, model: str) -> None:
    answer = accepted.responses.create(model=model, input="!say too lo\n!finish MAX_TOKENS", max_output_tokens=100)
    assert answer.incomplete_details is not None
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert answer.output_text == "too lo"


def test_headers_name_the_request_and_the_upstream(accepted: openai.OpenAI) -> None:
    raw = accepted.responses.with_raw_response.create(model=GEMINI, input="!say hi")
    assert raw.headers["x-gateway-upstream"] == f"google/{GEMINI}"
    assert raw.request_id == raw.headers["x-request-id"]
    assert raw.parse().output_text == "hi"


def test_request_is_repeated_in_the_response(accepted: openai.OpenAI) -> None:
    asked: Any = {"instructions": "Be brief.", "metadata": {"team": "a"}, "tools": [WEATHER], "temperature": 0.5}
    answer = accepted.responses.create(model=GEMINI, input="!say hi", **asked)
    assert (answer.instructions, answer.metadata, answer.temperature) == ("Be brief.", {"team": "a"}, 0.5)
    assert [tool.to_dict() for tool in answer.tools] == [WEATHER]
