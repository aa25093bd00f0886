"""What is written otherwise, or left out, once a model of Anthropic's has refused it."""

import asyncio
import json
from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.adapters.anthropic_writing import Learnt, Writer
from gateway.config import TranslateConfig
from gateway.errors import UpstreamRateLimited, UpstreamRejected
from gateway.upstream import ModelInfo
from tests.adapters.site import AnthropicSite, asking

pytestmark = pytest.mark.anyio

OLD, MIDDLE, NEW = "claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-5"
UNFORCED, BETWEEN = "claude-opus-5-5", "claude-sonnet-5-5"
THINKS = ir.Reasoning(mode="level", level="high", visible=True)
LIMITED = ir.Sampling(max_tokens=20_000)
SCHEMA = Raw(b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}')


def refusal(message: str) -> str:
    """Direct the fake to refuse one call as a bad request."""
    return "!refuse " + json.dumps({"status": 400, "error": {"type": "invalid_request_error", "message": message}})


async def losses(anthropic: AnthropicSite, model: str, **request: Any) -> list[tuple[str, str]]:
    """Ask, and say what got lost."""
    begun = await anthropic.begin(model=model, attempts=1, **request)
    begun.answer.close()
    begun.journey.done(None)
    return [(loss.path, loss.severity) for loss in begun.journey.losses]


def sent(anthropic: AnthropicSite, name: str) -> list[Any]:
    """Give a field of each call."""
    return [call.request.get(name) for call in anthropic.calls]


async def twice(anthropic: AnthropicSite, model: str, said: str, **request: Any) -> None:
    """Ask twice; the first time the model refuses."""
    anthropic.fake.script.push(refusal(said))
    for _ in range(2):
        assert await anthropic.ask(model=model, attempts=1, **request)
    assert [status for _, status in anthropic.seen()] == [400, 200, 200]


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens: 500 > 2, which is the maximum allowed number of output tokens",
        "temperature is not supported",
        "temperature: Extra inputs are not permitted",
    ],
)
async def test_a_refusal_that_comes_again_teaches_nothing(anthropic: AnthropicSite, words: str) -> None:
    """It has repeated words of the request, which are no reason to write those of others otherwise."""
    await anthropic.open()
    asked: dict[str, Any] = {"model": OLD, "sampling": ir.Sampling(max_tokens=20, temperature=0.5)}
    with pytest.raises(UpstreamRejected):
        await anthropic.ask(refusal(f"tools.0: Input tag '{words}' found using 'type'"), **asked)
    await anthropic.ask(**asked)
    first, amended, last = ({**call.request, "messages": None} for call in anthropic.calls)
    assert first != amended
    assert first == last


async def test_a_refusal_that_comes_again_leaves_no_beta_out_for_others(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    beta = "context-1m-2025-08-07"
    with pytest.raises(UpstreamRejected):
        await anthropic.ask(
            refusal(f"Input tag '{beta} for the anthropic-beta header' found"), model=OLD, betas=(beta,)
        )
    await anthropic.ask(model=OLD, betas=(beta,))
    assert [call.headers.get("anthropic-beta") for call in anthropic.calls] == [beta, None, beta]


async def test_the_name_of_a_beta_within_another_s_is_not_refused(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    beta = "context-1m-2025-08-07"
    for made_up in (f"{beta}/x", f"x {beta}"):
        await anthropic.ask(model=OLD, betas=(beta, made_up))
    assert [call.headers.get("anthropic-beta") for call in anthropic.calls][1::2] == [beta, beta]


# thinking


async def test_a_model_that_refuses_budgets_thinks_as_it_likes_and_is_remembered(anthropic: AnthropicSite) -> None:
    """The fake takes no model that it does not know for an older one."""
    anthropic.fake.models = ["claude-3-9"]
    await anthropic.open(models=["claude-3-9"])
    for _ in range(2):
        await anthropic.ask(model="claude-3-9", attempts=1, reasoning=THINKS, sampling=LIMITED)
    assert [one["type"] for one in sent(anthropic, "thinking")] == ["enabled", "adaptive", "adaptive"]


async def test_a_model_that_refuses_every_way_of_thinking_answers_without(anthropic: AnthropicSite) -> None:
    """The fake refuses an effort, and thinking without a budget."""
    await anthropic.open()
    anthropic.fake.script.push(refusal('"thinking.type.enabled" is not supported for this model.'))
    lost = await losses(anthropic, OLD, reasoning=THINKS, sampling=LIMITED)
    assert lost == [("thinking", "change")]
    assert [one["type"] for one in sent(anthropic, "thinking")] == ["enabled", "adaptive", "adaptive", "disabled"]


async def test_a_model_that_does_not_think_as_it_likes_gets_a_budget_and_is_remembered(
    anthropic: AnthropicSite,
) -> None:
    await anthropic.open()
    said = "adaptive thinking is not supported on this model"
    await twice(anthropic, MIDDLE, said, reasoning=THINKS, sampling=LIMITED)
    thinking = sent(anthropic, "thinking")
    assert [one["type"] for one in thinking] == ["adaptive", "enabled", "enabled"]
    assert 1024 <= thinking[1]["budget_tokens"] < 20_000


async def test_a_model_that_always_thinks_is_not_told_to_stop_again(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    said = '"thinking.type.disabled" is not supported for this model.'
    await twice(anthropic, NEW, said, reasoning=ir.Reasoning(mode="off", visible=False))
    assert [one["type"] for one in sent(anthropic, "thinking")] == ["disabled", "adaptive", "adaptive"]


async def test_a_model_that_always_thinks_is_known_by_its_name(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    for model in (UNFORCED, BETWEEN):
        assert await anthropic.ask(model=model, attempts=1, reasoning=ir.Reasoning(mode="off", visible=False))
    assert [one["type"] for one in sent(anthropic, "thinking")] == ["adaptive", "between_tools"]


async def test_a_model_that_thinks_between_its_calls_alone_is_told_so_and_remembered(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    said = (
        'To turn thinking off on this model, send "thinking": {"type": "between_tools"} instead of '
        '{"type": "disabled"}. The model does not think before responding.'
    )
    await twice(anthropic, NEW, said, reasoning=ir.Reasoning(mode="off", visible=False))
    assert [one["type"] for one in sent(anthropic, "thinking")] == ["disabled", "between_tools", "between_tools"]


async def test_a_model_that_does_not_think_answers_without(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    anthropic.fake.script.push(refusal("'x' does not support thinking."))
    lost = await losses(anthropic, OLD, reasoning=THINKS, sampling=LIMITED)
    assert lost == [("thinking", "change")]
    assert [bool(one) for one in sent(anthropic, "thinking")] == [True, False]


@pytest.mark.parametrize(
    ("said", "efforts"),
    [
        ("This model does not support the effort parameter.", ["max", None]),
        ("This model does not support effort level 'max'. Supported levels: high, low, medium.", ["max", "high"]),
    ],
)
async def test_an_effort_that_is_refused_is_lower_or_left_out(
    anthropic: AnthropicSite, said: str, efforts: list[str | None]
) -> None:
    await anthropic.open()
    anthropic.fake.script.push(refusal(said))
    assert await losses(anthropic, MIDDLE, reasoning=ir.Reasoning(mode="level", level="max")) == [("thinking", "hint")]
    assert [(one or {}).get("effort") for one in sent(anthropic, "output_config")] == efforts


async def test_an_effort_that_is_refused_becomes_the_nearest_that_is_named(anthropic: AnthropicSite) -> None:
    """caozhiyuan/copilot-api#190, microsoft/vscode#310940: GitHub."""
    await anthropic.open()
    said = 'output_config.effort "high" is not supported by model claude-opus-4.7; supported values: [medium]'
    anthropic.fake.script.push(refusal(said))
    for _ in range(2):
        assert await losses(anthropic, NEW, reasoning=ir.Reasoning(mode="level", level="high")) == [
            ("thinking", "hint")
        ]
    efforts = [(one or {}).get("effort") for one in sent(anthropic, "output_config")]
    assert efforts == ["high", "medium", "medium"]


SIGNED = ir.Signature("claude", "EqRkLmNo")
LOOP = (
    ir.Turn(role="user", parts=(ir.Text(text="!say done"),)),
    ir.Turn(
        role="assistant",
        parts=(
            ir.Thinking(text="hm", signature=SIGNED),
            ir.ToolCall(id="toolu_1", name="f", arguments=Raw(b"{}")),
        ),
        places=(("messages[1].content[0]",), ()),
    ),
    ir.Turn(role="user", parts=(ir.ToolResult(id="toolu_1", parts=(ir.Text(text="4"),)),)),
)
TOOLS = (ir.Tool(name="f", path="tools[0]"),)


@pytest.mark.parametrize("model", [OLD, MIDDLE, NEW])
async def test_a_thought_whose_signature_is_refused_is_dropped_and_told(anthropic: AnthropicSite, model: str) -> None:
    """Pitfall 29: the fake takes none but its own."""
    await anthropic.open()
    lost = await losses(anthropic, model, turns=LOOP, tools=TOOLS, reasoning=THINKS, sampling=LIMITED)
    assert ("messages[1].content[0]", "hint") in lost
    assert [status for _, status in anthropic.seen()] == [400, 200]
    assert "thinking" in json.dumps(anthropic.calls[0].request["messages"])
    assert "thinking" not in json.dumps(anthropic.calls[1].request["messages"])


async def test_signatures_that_are_refused_are_about_one_conversation(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    for _ in range(2):
        await anthropic.ask(model=MIDDLE, turns=LOOP, tools=TOOLS, reasoning=THINKS, sampling=LIMITED)
    assert [status for _, status in anthropic.seen()] == [400, 200, 400, 200]


# how the answer is drawn


async def test_a_temperature_that_a_model_refuses_is_dropped_and_told(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    anthropic.fake.script.push(refusal("`temperature` is deprecated for this model."))
    assert await losses(anthropic, OLD, sampling=ir.Sampling(temperature=0.2)) == [("temperature", "change")]
    await anthropic.ask(model=OLD, sampling=ir.Sampling(temperature=0.2))
    assert sent(anthropic, "temperature") == [0.2, None, None]


async def test_newer_models_are_not_even_asked_with_a_temperature(anthropic: AnthropicSite) -> None:
    """The fake refuses it."""
    await anthropic.open()
    assert await losses(anthropic, NEW, sampling=ir.Sampling(temperature=0.2)) == [("temperature", "change")]
    assert len(anthropic.calls) == 1


async def test_temperature_goes_before_top_p_where_a_model_refuses_both(anthropic: AnthropicSite) -> None:
    """The fake refuses both together."""
    await anthropic.open()
    lost = await losses(anthropic, OLD, sampling=ir.Sampling(temperature=0.2, top_p=0.5))
    assert lost == [("top_p", "change")]
    assert (sent(anthropic, "temperature"), sent(anthropic, "top_p")) == ([0.2], [None])


def test_a_model_of_which_nothing_is_known_gets_both_until_it_refuses() -> None:
    write = Writer(lambda name: ModelInfo(id=name), TranslateConfig(), Learnt())
    request = asking("hi", "glm-4.6", sampling=ir.Sampling(temperature=0.2, top_p=0.5)).request
    assert write(request, frozenset()).body["top_p"] == 0.5
    written = write(request, frozenset({"both"}))
    assert written.body["temperature"] == 0.2
    assert "top_p" not in written.body
    assert [loss.path for loss in written.losses] == ["top_p"]


async def test_a_limit_that_is_named_is_the_limit_from_then_on(anthropic: AnthropicSite) -> None:
    """The fake names it."""
    await anthropic.open(models=["claude-opus-4-9"])
    anthropic.fake.models = ["claude-opus-4-9"]
    asked = ir.Sampling(max_tokens=200_000)
    for _ in range(2):
        await anthropic.ask(model="claude-opus-4-9", attempts=1, sampling=asked)
    assert sent(anthropic, "max_tokens") == [200_000, 128_000, 128_000]


async def test_a_limit_above_a_whole_context_of_vllm_is_cut_to_it(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    words = "max_completion_tokens=32000 cannot be greater than max_model_len=8192. Please request fewer output tokens."
    anthropic.fake.script.push(refusal(words))
    await anthropic.ask(model=OLD, attempts=1, sampling=ir.Sampling(max_tokens=32_000))
    assert sent(anthropic, "max_tokens") == [32_000, 8192]


FULL = "input length and `max_tokens` exceed context limit: 190000 + 64000 > 200000, decrease input length"


@pytest.mark.parametrize("asked", [ir.Sampling(), ir.Sampling(max_tokens=64_000)])
async def test_an_answer_is_as_long_as_the_prompt_leaves_of_the_context(
    anthropic: AnthropicSite, asked: ir.Sampling
) -> None:
    await anthropic.open()
    anthropic.fake.script.push(refusal(FULL))
    for _ in range(2):
        await anthropic.ask(model=OLD, attempts=1, sampling=asked)
    assert sent(anthropic, "max_tokens") == [64_000, 10_000, 64_000]  # the next prompt is another one


async def test_a_callers_own_words_ask_for_what_the_prompt_leaves(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    body = {"model": OLD, "max_tokens": 64_000, "messages": [{"role": "user", "content": "hi"}]}
    anthropic.fake.script.push(refusal(FULL))
    native = ir.Native(dialect="anthropic", body=Raw(json.dumps(body).encode()))
    assert await losses(anthropic, OLD, native=native) == [("max_tokens", "hint")]
    assert [call.request for call in anthropic.calls] == [body, {**body, "max_tokens": 10_000}]


async def test_no_budget_goes_beyond_what_the_prompt_leaves(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    anthropic.fake.script.push(refusal(FULL))
    reasoning = ir.Reasoning(mode="budget", budget=32_000, visible=True)
    await anthropic.ask(model=OLD, attempts=1, reasoning=reasoning, sampling=ir.Sampling(max_tokens=64_000))
    assert sent(anthropic, "max_tokens") == [64_000, 10_000]
    assert sent(anthropic, "thinking")[1]["budget_tokens"] < 10_000


async def test_a_beta_for_longer_answers_leaves_the_limit_to_the_upstream(anthropic: AnthropicSite) -> None:
    adapter = await anthropic.open()
    call = asking("hi", OLD, sampling=ir.Sampling(max_tokens=100_000), betas=("output-128k-2025-02-19",))
    assert json.loads(bytes(adapter.open(call).body()))["max_tokens"] == 100_000


# what else a model may not know


EXTRA = "Extra inputs are not permitted"


async def test_fields_that_a_server_does_not_know_are_left_out_one_after_the_other_and_remembered(
    anthropic: AnthropicSite,
) -> None:
    """The fake does not know `context_management` without its beta."""
    await anthropic.open()
    body = {
        "model": NEW,
        "max_tokens": 100,
        "context_management": {"edits": []},
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "eager_input_streaming": True}],
        "messages": [{"role": "user", "content": "hi"}],
    }
    native = ir.Native(dialect="anthropic", body=Raw(json.dumps(body).encode()))
    said = json.dumps({"message": f"tools.0.custom.eager_input_streaming: {EXTRA}"})
    anthropic.fake.script.push(refusal(f"{said}. Received Model Group=x"))  # as LiteLLM hands it on
    lost = [("context_management", "hint"), ("tools[0].eager_input_streaming", "hint")]
    for _ in range(2):
        assert await losses(anthropic, NEW, native=native) == lost
    plain = {
        **{name: value for name, value in body.items() if name != "context_management"},
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
    }
    assert [call.status for call in anthropic.calls] == [400, 400, 200, 200]
    assert [call.request for call in anthropic.calls[2:]] == [plain, plain]


async def test_what_clients_want_of_stale_thoughts_is_left_out_where_nobody_knows_it(anthropic: AnthropicSite) -> None:
    """The fake knows these two with their betas only."""
    await anthropic.open()
    thinking = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
    talk = [{"role": "user", "content": "hi"}]
    body = {"model": NEW, "max_tokens": 100, "messages": talk, "thinking": thinking, "fallbacks": "default"}
    native = ir.Native(dialect="anthropic", body=Raw(json.dumps(body).encode()))
    lost = await losses(anthropic, NEW, native=native)
    assert sorted(lost) == [("fallbacks", "hint"), ("thinking.block_binding", "hint")]
    assert anthropic.calls[-1].request["thinking"] == {"type": "adaptive"}


async def test_requests_at_once_learn_of_the_same_field(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    body = {"model": NEW, "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}], "context_management": {}}
    native = ir.Native(dialect="anthropic", body=Raw(json.dumps(body).encode()))
    answers = await asyncio.gather(*(losses(anthropic, NEW, native=native) for _ in range(3)))
    assert answers == [[("context_management", "hint")]] * 3
    assert [call.status for call in anthropic.calls] == [400] * 3 + [200] * 3


async def test_a_field_that_is_written_for_a_server_that_does_not_know_it_is_left_out(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    anthropic.fake.script.push(refusal(f"thinking.adaptive.display: {EXTRA}"))
    assert await losses(anthropic, NEW, reasoning=THINKS) == [("thinking.display", "hint")]
    assert [thinking.keys() for thinking in sent(anthropic, "thinking")] == [{"type", "display"}, {"type"}]


@pytest.mark.parametrize("said", [f"response_format: {EXTRA}", f"tools.0.custom.input_schema.ttl: {EXTRA}", EXTRA])
async def test_what_no_client_says_by_itself_is_the_callers_to_mend(anthropic: AnthropicSite, said: str) -> None:
    await anthropic.open()
    with pytest.raises(UpstreamRejected):
        await anthropic.ask(refusal(said), model=NEW)
    assert len(anthropic.calls) == 1


async def test_a_field_that_is_refused_again_is_the_callers_to_know(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    with pytest.raises(UpstreamRejected):
        await anthropic.ask(refusal(f"context_management: {EXTRA}"), model=NEW)
    assert len(anthropic.calls) == 1  # nothing of the kind was sent


async def test_patterns_that_a_server_cannot_read_are_said_in_words_and_remembered(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    schema = Raw(rb'{"type":"object","properties":{"a":{"type":"string","pattern":"^\\p{L}+$"}}}')
    tools = (ir.Tool(name="f", schema=schema, path="tools[0]", schema_path="input_schema"),)
    said = "Invalid schema for function 'f': '^\\p{L}+$' is not a 'regex'"
    await twice(anthropic, NEW, said, tools=tools)
    asked = [tools[0]["input_schema"]["properties"]["a"] for tools in sent(anthropic, "tools")]
    plain = {"type": "string", "description": "(pattern: ^\\p{L}+$)"}
    assert asked == [{"type": "string", "pattern": "^\\p{L}+$"}, plain, plain]
    assert await losses(anthropic, NEW, tools=tools) == [("tools[0].input_schema", "hint")]


async def test_schemas_that_moonshot_refuses_get_its_form_and_are_remembered(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    schema = Raw(b'{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"enum":["x"]}}}')
    tools = (ir.Tool(name="f", schema=schema, path="tools[0]", schema_path="input_schema"), ir.Tool(name="g"))
    await twice(anthropic, NEW, "tools.function.parameters is not a valid moonshot flavored json schema", tools=tools)
    asked = [tools[0]["input_schema"]["properties"]["a"] for tools in sent(anthropic, "tools")]
    plain = {"type": "string", "enum": ["x"]}
    assert asked == [{"$ref": "#/$defs/A"}, plain, plain]
    assert await losses(anthropic, NEW, tools=tools) == [("tools[0].input_schema", "hint")]


RULED = (
    ir.Turn(role="user", parts=(ir.Text(text="!say done"),)),
    ir.Turn(role="assistant", parts=(ir.Text(text="a"),)),
    ir.Turn(role="user", parts=(ir.Text(text="hi"),)),
    ir.Turn(role="system", parts=(ir.Text(text="a rule"),)),
)


async def test_instructions_in_mid_conversation_are_ahead_of_it_where_they_are_refused(
    anthropic: AnthropicSite,
) -> None:
    await anthropic.open()
    await twice(anthropic, NEW, "role 'system' is not supported on this model", turns=RULED)
    roles = [[one["role"] for one in messages] for messages in sent(anthropic, "messages")]
    assert roles == [["user", "assistant", "user", "system"], *[["user", "assistant", "user"]] * 2]
    assert anthropic.calls[1].request["system"][0]["text"] == "a rule"


@pytest.mark.parametrize(
    "said", ["'x' does not support output format.", "output_config: Extra inputs are not permitted"]
)
async def test_a_schema_that_a_model_does_not_take_is_asked_for_by_a_tool(anthropic: AnthropicSite, said: str) -> None:
    await anthropic.open()
    output = ir.Output(kind="schema", schema=SCHEMA)
    anthropic.fake.script.push(refusal(said))
    lost = await losses(anthropic, NEW, output=output)
    assert ("response_format", "change") in lost
    assert ["output_config" in call.request for call in anthropic.calls] == [True, False]
    assert anthropic.calls[1].request["tool_choice"]["type"] == "tool"


async def test_tools_are_not_strict_where_that_is_refused(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    tool = ir.Tool(name="f", schema=SCHEMA, strict=True, path="tools[0]", schema_path="function.parameters")
    anthropic.fake.script.push(refusal("tools.0.custom.strict: Extra inputs are not permitted"))
    assert await losses(anthropic, NEW, tools=(tool,)) == [("tools[0].function.strict", "hint")]
    assert ["strict" in call.request["tools"][0] for call in anthropic.calls] == [True, False]


async def test_a_tool_that_cannot_be_forced_may_be_called(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    anthropic.fake.script.push(refusal("Thinking may not be enabled when tool_choice forces tool use."))
    lost = await losses(anthropic, NEW, tools=TOOLS, tool_choice=ir.ToolChoice(mode="required"))
    assert lost == [("tool_choice", "change")]
    assert [one["type"] for one in sent(anthropic, "tool_choice")] == ["any", "auto"]


async def test_a_model_that_cannot_be_forced_at_all_is_known_by_its_name(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    choice = ir.ToolChoice(mode="named", names=("f",))
    assert await losses(anthropic, UNFORCED, tools=TOOLS, tool_choice=choice) == [("tool_choice", "change")]
    assert [one["type"] for one in sent(anthropic, "tool_choice")] == ["auto"]


# bounds


async def test_in_strict_mode_nothing_is_dropped(anthropic: AnthropicSite) -> None:
    anthropic.translate = {"lossy": "strict"}
    await anthropic.open()
    anthropic.fake.script.push(refusal("`temperature` is deprecated for this model."))
    with pytest.raises(UpstreamRejected, match="deprecated"):
        await anthropic.ask(sampling=ir.Sampling(temperature=0.2))
    assert len(anthropic.calls) == 1


async def test_the_same_refusal_twice_is_the_callers_to_know(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    anthropic.fake.script.push(*[refusal("`temperature` is deprecated for this model.")] * 2)
    with pytest.raises(UpstreamRejected, match="deprecated"):
        await anthropic.ask(sampling=ir.Sampling(temperature=0.2))
    assert len(anthropic.calls) == 2


async def test_a_refusal_about_what_is_not_there_is_the_callers_to_know(anthropic: AnthropicSite) -> None:
    await anthropic.open()
    anthropic.fake.script.push(refusal("`temperature` is deprecated for this model."))
    with pytest.raises(UpstreamRejected, match="deprecated"):
        await anthropic.ask()
    assert len(anthropic.calls) == 1


@pytest.mark.parametrize(("left", "limits"), [(9000, [20_000, 9000]), (500, [20_000])])
async def test_an_answer_is_as_long_as_can_be_afforded_behind_openrouter(
    anthropic: AnthropicSite, left: int, limits: list[int]
) -> None:
    await anthropic.open()
    said = f"This request requires more credits. You requested up to 20000 tokens, but can only afford {left}."
    error = {"status": 402, "error": {"type": "billing_error", "message": said}}
    anthropic.fake.script.push("!refuse " + json.dumps(error))
    if left < 1024:
        with pytest.raises(UpstreamRateLimited, match="afford 500"):
            await anthropic.ask(model=OLD, attempts=1, sampling=LIMITED)
    else:
        assert await anthropic.ask(model=OLD, attempts=1, sampling=LIMITED)
    assert sent(anthropic, "max_tokens") == limits
