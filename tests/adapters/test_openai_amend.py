"""How the limit of an answer is called, and what is written otherwise once a server has refused it."""

import json
from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.errors import ContextTooLong, UpstreamRejected
from tests.adapters.site import OpenAISite, asking

pytestmark = pytest.mark.anyio

LIMITED = ir.Sampling(max_tokens=20)
OLD, NEW = "max_tokens", "max_completion_tokens"
LIMITS = (OLD, NEW, "max_output_tokens")


def refusal(message: str) -> str:
    """Direct the fake to refuse one call as a bad request."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return "!refuse " + json.dumps({"status": 400, "error": error})


def limits(site: OpenAISite) -> list[str]:
    """Say how the limit was called in each call."""
    return [name for call in site.calls for name in (OLD, NEW) if name in call.request]


@pytest.mark.parametrize(
    ("base", "model", "field"),
    [
        ("", "gpt-4.1", NEW),
        ("https://eu.api.openai.com/v1", "gpt-4o", NEW),
        ("https://llm.example.com/v1", "llama-3", OLD),
        ("https://llm.example.com/v1", "gpt-4.1", OLD),
        ("https://llm.example.com/v1", "o4-mini", NEW),
        ("https://llm.example.com/v1", "openai/gpt-5-mini", NEW),
        ("https://llm.example.com/v1", "gpt-oss-120b", OLD),
        ("https://api.openai.com.example.com/v1", "x", OLD),
    ],
)
async def test_the_field_of_the_limit_goes_by_the_server_and_the_model(
    openai: OpenAISite, base: str, model: str, field: str
) -> None:
    adapter = openai.made("key-1", base_url=base)
    body = json.loads(bytes(adapter.open(asking("hi", model, sampling=LIMITED)).body()))
    assert [name for name in (OLD, NEW) if name in body] == [field]


@pytest.mark.parametrize("field", [OLD, NEW])
async def test_the_field_of_the_limit_can_be_fixed(openai: OpenAISite, field: str) -> None:
    await openai.open(max_tokens_field=field)
    await openai.ask(sampling=LIMITED)
    assert limits(openai) == [field]


async def test_a_server_that_does_not_know_the_newer_field_gets_the_older_and_is_remembered(plain: OpenAISite) -> None:
    await plain.open(max_tokens_field=NEW)
    assert await plain.ask(attempts=1, sampling=LIMITED) == "hi"
    assert await plain.ask(attempts=1, sampling=LIMITED) == "hi"
    assert limits(plain) == [NEW, OLD, OLD]


async def test_a_model_that_wants_the_newer_field_gets_it(openai: OpenAISite) -> None:
    await openai.open(max_tokens_field=OLD)
    assert await openai.ask(attempts=1, model="o4-mini", sampling=LIMITED) == "hi"
    assert await openai.ask(attempts=1, model="gpt-4.1", sampling=LIMITED) == "hi"
    assert limits(openai) == [OLD, NEW, OLD]


async def test_both_fields_refused_is_the_callers_to_know(openai: OpenAISite) -> None:
    await openai.open()
    with pytest.raises(UpstreamRejected, match="Use 'max_completion_tokens'"):
        await openai.ask(refusal("'max_tokens' is not supported. Use 'max_completion_tokens'."), sampling=LIMITED)
    assert len(openai.calls) == 2


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("gpt-4.1", "this model supports at most 2 completion tokens"),
        ("gpt-4.1", "temperature is not supported"),
        ("gpt-4.1", "unknown name temperature: cannot find field"),
        ("o4-mini", "effort high is not supported by model, valid levels are: [minimal]"),
    ],
)
async def test_a_refusal_that_comes_again_teaches_nothing(openai: OpenAISite, model: str, words: str) -> None:
    """It has repeated words of the request, which are no reason to write those of others otherwise."""
    await openai.open()
    asked: dict[str, Any] = {
        "model": model,
        "sampling": ir.Sampling(max_tokens=20, temperature=0.5),
        "reasoning": ir.Reasoning(mode="level", level="high", visible=False),
    }
    with pytest.raises(UpstreamRejected):
        await openai.ask(refusal(f"Invalid value: '{words}'."), **asked)
    await openai.ask(**asked)
    first, amended, last = ({**call.request, "messages": None} for call in openai.calls)
    assert first != amended
    assert first == last


async def test_a_refusal_that_comes_again_under_another_id_teaches_nothing(openai: OpenAISite) -> None:
    await openai.open()
    for id_ in ("20261130041129887af3", "20261130041130012bc9"):
        openai.fake.script.push(refusal(f"this model supports at most 2 completion tokens (request id: {id_})"))
    with pytest.raises(UpstreamRejected):
        await openai.ask(sampling=LIMITED)
    await openai.ask(sampling=LIMITED)
    assert [call.request.get(NEW, call.request.get(OLD)) for call in openai.calls] == [20, 2, 20]


async def test_a_server_that_refuses_stream_options_is_asked_without(openai: OpenAISite) -> None:
    await openai.open()
    openai.fake.script.push(refusal("property 'stream_options' is unsupported"))
    assert await openai.ask(attempts=1) == "hi"
    assert await openai.ask(attempts=1) == "hi"
    assert ["stream_options" in call.request for call in openai.calls] == [True, False, False]


@pytest.mark.parametrize("field", ["prompt_cache_key", "user"])
async def test_a_server_that_does_not_want_to_know_who_asks_is_asked_without(openai: OpenAISite, field: str) -> None:
    openai.translate = {"lossy": "strict"}
    await openai.open()
    openai.fake.script.push(refusal(f"property '{field}' is unsupported"))
    who: dict[str, Any] = {"user": "u", "session": "s", "paths": {"user": "user", "session": "prompt_cache_key"}}
    assert await openai.ask(attempts=1, **who) == "hi"
    assert await openai.ask(attempts=1, **who) == "hi"
    assert [{"user", "prompt_cache_key"} & call.request.keys() for call in openai.calls] == [
        {"user", "prompt_cache_key"},
        set(),
        set(),
    ]


async def losses(openai: OpenAISite, **request: Any) -> list[str]:
    begun = await openai.begin(attempts=1, **request)
    begun.answer.close()
    begun.journey.done(None)
    return [loss.path for loss in begun.journey.losses]


async def test_a_temperature_that_a_model_refuses_is_dropped_and_told(openai: OpenAISite) -> None:
    await openai.open()
    message = "Unsupported value: 'temperature' does not support 0.2 with this model."
    openai.fake.script.push(refusal(message))
    assert await losses(openai, sampling=ir.Sampling(temperature=0.2)) == ["temperature"]
    assert ["temperature" in call.request for call in openai.calls] == [True, False]


async def test_stop_sequences_that_a_model_refuses_are_dropped_and_told(openai: OpenAISite) -> None:
    await openai.open()
    openai.fake.script.push(refusal("Unsupported parameter: 'stop' is not supported with this model."))
    assert await losses(openai, sampling=ir.Sampling(stop=("X",))) == ["stop"]
    assert ["stop" in call.request for call in openai.calls] == [True, False]


async def test_in_strict_mode_nothing_is_dropped(openai: OpenAISite) -> None:
    openai.translate = {"lossy": "strict"}
    await openai.open()
    message = "Unsupported value: 'temperature' does not support 0.2 with this model."
    with pytest.raises(UpstreamRejected, match="does not support"):
        await openai.ask(refusal(message), sampling=ir.Sampling(temperature=0.2))
    assert len(openai.calls) == 1


async def test_an_effort_that_a_model_refuses_is_left_to_it(openai: OpenAISite) -> None:
    await openai.open()
    message = "Unsupported value: 'reasoning_effort' does not support 'low' with this model."
    openai.fake.script.push(refusal(message))
    reasoning = ir.Reasoning(mode="level", level="low")
    assert await openai.ask(model="gpt-5", attempts=1, reasoning=reasoning) == "hi"
    assert await openai.ask(model="gpt-5", attempts=1, reasoning=reasoning) == "hi"
    assert ["reasoning_effort" in call.request for call in openai.calls] == [True, False, True]


async def test_thoughts_go_to_the_key_whose_account_has_sealed_them(openai: OpenAISite) -> None:
    message = "The encrypted content gAAA... could not be verified. Reason: organization_id did not match"
    await openai.open("key-1", "key-2", api="responses")
    sealed = openai.fake.kept.seal("rs_1")
    history = (
        ir.Turn(role="user", parts=(ir.Text(text="u"),)),
        ir.Turn(
            role="assistant",
            parts=(ir.Thinking(text="", signature=ir.Signature("openai", sealed, "t")), ir.Text(text="a")),
            places=((), ()),
        ),
        ir.Turn(role="user", parts=(ir.Text(text="hi"),)),
    )
    openai.fake.script.push(refusal(message))
    assert await openai.ask(model="gpt-5", attempts=1, turns=history) == "hi"
    assert openai.seen() == [("key-1", 400), ("key-2", 200)]
    kinds = [item["type"] for item in openai.calls[-1].request["input"]]
    assert kinds == ["message", "reasoning", "message", "message"]
    openai.fake.script.push(refusal(message), refusal(message))
    assert await openai.ask(model="gpt-5", attempts=1, turns=history) == "hi"
    kinds = [item["type"] for item in openai.calls[-1].request["input"]]
    assert kinds == ["message", "message", "message"]


async def test_thoughts_that_were_sealed_elsewhere_are_left_out_once(openai: OpenAISite) -> None:
    await openai.open(api="responses")
    signed = ir.Signature("openai", "gAAAother", "t")
    history = (
        ir.Turn(role="user", parts=(ir.Text(text="u"),)),
        ir.Turn(role="assistant", parts=(ir.Thinking(text="", signature=signed), ir.Text(text="a")), places=((), ())),
        ir.Turn(role="user", parts=(ir.Text(text="hi"),)),
    )
    assert await openai.ask(model="gpt-5", attempts=1, turns=history) == "hi"
    kinds = [[item["type"] for item in call.request["input"]] for call in openai.calls]
    assert kinds == [["message", "reasoning", "message", "message"], ["message", "message", "message"]]


@pytest.mark.parametrize(
    "message",
    [
        "Your organization must be verified to generate reasoning summaries. Please go to: https://platform.openai.com",
        "Unsupported parameter: 'reasoning.summary' is not supported with this model.",
    ],
)
async def test_summaries_that_are_refused_are_not_asked_for_any_more(openai: OpenAISite, message: str) -> None:
    await openai.open(api="responses")
    openai.fake.script.push(refusal(message))
    reasoning = ir.Reasoning(mode="level", level="low", visible=True)
    assert await losses(openai, model="gpt-5", reasoning=reasoning) == ["thinking"]
    assert await losses(openai, model="gpt-5", reasoning=reasoning) == ["thinking"]
    assert ["summary" in call.request["reasoning"] for call in openai.calls] == [True, False, False]
    assert [call.request["reasoning"]["effort"] for call in openai.calls] == ["low"] * 3


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_limit_above_the_models_is_cut_to_what_the_refusal_names_and_remembered(
    openai: OpenAISite, api: str
) -> None:
    await openai.open(api=api)
    for _ in range(2):
        assert await openai.ask(attempts=1, model="gpt-4.1", sampling=ir.Sampling(max_tokens=64_000)) == "hi"
    sent = [call.request[name] for call in openai.calls for name in LIMITS if name in call.request]
    assert sent == [64_000, 32_768, 32_768]


@pytest.mark.parametrize(("api", "name"), [("chat", "max_tokens"), ("responses", "max_output_tokens")])
async def test_a_limit_above_a_whole_context_of_vllm_is_cut_to_it(openai: OpenAISite, api: str, name: str) -> None:
    await openai.open(api=api)
    openai.fake.script.push(refusal(f"{name}=32000 cannot be greater than max_model_len=8192. Please request fewer"))
    assert await openai.ask(attempts=1, sampling=ir.Sampling(max_tokens=32_000)) == "hi"
    sent = [call.request[name] for call in openai.calls for name in LIMITS if name in call.request]
    assert sent == [32_000, 8192]


@pytest.mark.parametrize(
    "message",
    [
        "<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
        "max_tokens specified in the request is not valid: integer above maximum value, expected a value <= 8192, but",
        "max_tokens: 32000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-sonnet",
        "The maximum tokens you requested exceeds the model limit of 8192. Try again with a maximum tokens value that",
    ],
)
async def test_every_server_has_words_of_its_own_for_its_limit(openai: OpenAISite, message: str) -> None:
    await openai.open()
    openai.fake.script.push(refusal(message))
    for _ in range(2):
        assert await openai.ask(attempts=1, sampling=ir.Sampling(max_tokens=32_000)) == "hi"
    sent = [call.request[name] for call in openai.calls for name in LIMITS if name in call.request]
    assert sent == [32_000, 8192, 8192]


FULL = (
    "This model's maximum context length is 32768 tokens. However, you requested 37000 tokens (%d in the messages, "
    "32000 in the completion). Please reduce the length of the messages or completion."
)


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_an_answer_is_as_long_as_the_prompt_leaves_of_the_context(openai: OpenAISite, api: str) -> None:
    await openai.open(api=api)
    asked = ir.Sampling(max_tokens=32_000)
    openai.fake.script.push(refusal(FULL % 5000))
    begun = await openai.begin(attempts=1, sampling=asked)
    begun.answer.close()
    begun.journey.done(None)
    assert [(loss.path, loss.severity) for loss in begun.journey.losses] == [("max_tokens", "hint")]
    assert await openai.ask(attempts=1, sampling=asked) == "hi"
    sent = [call.request[name] for call in openai.calls for name in LIMITS if name in call.request]
    assert sent == [32_000, 27_768, 32_000]  # the next prompt is another one


async def test_what_is_left_goes_on_to_count_with_the_next_amendment(openai: OpenAISite) -> None:
    await openai.open()
    openai.fake.script.push(refusal(FULL % 5000), refusal("Unsupported parameter: 'top_p' is not supported"))
    await openai.ask(attempts=1, sampling=ir.Sampling(max_tokens=32_000, top_p=0.5))
    sent = [call.request[name] for call in openai.calls for name in LIMITS if name in call.request]
    assert sent == [32_000, 27_768, 27_768]


async def test_a_prompt_that_leaves_too_little_is_too_long(openai: OpenAISite) -> None:
    await openai.open()
    openai.fake.script.push(refusal(FULL % 32_000))
    with pytest.raises(ContextTooLong, match="maximum context length"):
        await openai.ask(sampling=ir.Sampling(max_tokens=32_000))
    assert len(openai.calls) == 1


async def test_a_server_that_says_it_again_is_believed(openai: OpenAISite) -> None:
    await openai.open()
    openai.fake.script.push(refusal(FULL % 5000), refusal(FULL % 6000))
    with pytest.raises(ContextTooLong):
        await openai.ask(sampling=ir.Sampling(max_tokens=32_000))
    assert len(openai.calls) == 2


@pytest.mark.parametrize(
    "message",
    [
        "Thinking mode does not support this tool_choice",
        "deepseek-reasoner does not support this tool_choice",
        "The tool_choice parameter does not support being set to required or object in thinking mode",
        "tool_choice 'specified' is incompatible with thinking enabled",
    ],
)
@pytest.mark.parametrize("choice", [ir.ToolChoice(mode="required"), ir.ToolChoice(mode="named", names=("f",))])
async def test_a_model_that_thinks_may_call_a_tool_where_it_cannot_be_forced(
    openai: OpenAISite, message: str, choice: ir.ToolChoice
) -> None:
    await openai.open()
    tools = (ir.Tool(name="f", schema=Raw(b'{"type":"object","properties":{}}'), path="tools[0]"),)
    openai.fake.script.push(refusal(message))
    begun = await openai.begin(attempts=1, tools=tools, tool_choice=choice)
    begun.answer.close()
    begun.journey.done(None)
    assert [(loss.path, loss.severity) for loss in begun.journey.losses] == [("tool_choice", "change")]
    forced, free = (call.request["tool_choice"] for call in openai.calls)
    assert forced != "auto"
    assert free == "auto"


async def test_a_schema_that_a_server_does_not_take_is_asked_for_in_words(openai: OpenAISite) -> None:
    await openai.open()
    openai.fake.script.push(refusal("This response_format type is unavailable now"))
    output = ir.Output(kind="schema", schema=Raw(b'{"type":"object"}'))
    for _ in range(2):
        await openai.ask(attempts=1, output=output)
    refused, *sent = (call.request for call in openai.calls)
    assert refused["response_format"]["type"] == "json_schema"
    for request in sent:
        assert request["response_format"] == {"type": "json_object"}
        assert request["messages"][0]["role"] == "system"
        assert request["messages"][0]["content"].endswith('JSON Schema:\n{"type":"object"}')


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("schema", [Raw(b'{"type":"object"}'), None])
async def test_a_form_that_a_server_refuses_beside_tools_is_asked_for_in_words(
    openai: OpenAISite, api: str, schema: Raw | None
) -> None:
    """Cerebras has one of the two in a request: litellm's issue 31333."""
    await openai.open(api=api)
    openai.fake.script.push(refusal('"tools" is incompatible with "response_format"'))
    output = ir.Output(kind="json" if schema is None else "schema", schema=schema)
    tools = (ir.Tool(name="look", schema=Raw(b'{"type":"object","properties":{}}')),)
    for given in (tools, tools, ()):
        await openai.ask("json", attempts=1, output=output, tools=given)
    forms = [call.request.get("response_format") or call.request.get("text", {}).get("format") for call in openai.calls]
    assert list(map(bool, forms)) == [True, False, False, True]
    said = [json.dumps(call.request).count("Answer with one JSON value only") for call in openai.calls]
    assert said == [0, 1, 1, 0]


async def test_a_call_without_words_gets_empty_ones_where_null_is_refused(openai: OpenAISite) -> None:
    await openai.open()
    called = (
        ir.Turn(role="user", parts=(ir.Text(text="hi"),)),
        ir.Turn(role="assistant", parts=(ir.ToolCall(id="call_1", name="f", arguments=Raw(b"{}")),)),
        ir.Turn(role="user", parts=(ir.ToolResult(id="call_1", name="f", parts=(ir.Text(text="2"),)),)),
    )
    where = "'loc': ('body', 'messages', 1, 'ChatCompletionRequestAssistantMessage', 'content')"
    openai.fake.script.push(refusal(f"7 validation errors: {{{where}, 'msg': 'Input should be a valid string'}}"))
    for _ in range(2):
        await openai.ask(attempts=1, turns=called)
    assert [call.request["messages"][1]["content"] for call in openai.calls] == [None, "", ""]


async def test_a_limit_is_cut_for_the_model_that_refused_it(openai: OpenAISite) -> None:
    await openai.open()
    for model in ("gpt-4.1", "gpt-5"):
        assert await openai.ask(attempts=1, model=model, sampling=ir.Sampling(max_tokens=64_000)) == "hi"
    assert [call.request.get(NEW) or call.request[OLD] for call in openai.calls] == [64_000, 32_768, 64_000]


async def test_what_a_model_does_not_take_while_it_thinks_it_may_take_otherwise(openai: OpenAISite) -> None:
    await openai.open()
    cool = ir.Sampling(temperature=0.2)
    deep = ir.Reasoning(mode="level", level="high")
    openai.fake.script.push(refusal("Unsupported parameter: 'temperature' is not supported with this model."))
    for reasoning in (deep, deep, ir.Reasoning(), ir.Reasoning(mode="off"), deep):
        assert await openai.ask(attempts=1, model="gpt-4.1", sampling=cool, reasoning=reasoning) == "hi"
    assert [call.request.get("temperature") for call in openai.calls] == [0.2, None, None, 0.2, 0.2, None]


async def test_a_refused_limit_of_which_no_number_is_said_is_the_callers_to_know(openai: OpenAISite) -> None:
    await openai.open()
    with pytest.raises(UpstreamRejected, match="supports at most few"):
        await openai.ask(refusal("max_tokens is too large: it supports at most few"), sampling=LIMITED)
    assert len(openai.calls) == 1
