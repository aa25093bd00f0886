"""Whatever callers ask, the upstream accepts it; whatever the upstream says, the events are a sound stream."""

import json
from typing import Any, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import ir
from gateway.errors import InvalidRequest
from gateway.ir import Fold
from gateway.ir.grammar import check

from .answering import SIGNED, reader
from .asking import (
    CLAUDE,
    CLAUDE_SIGNATURE,
    GEMINI_2,
    GEMINI_3,
    GEMINI_SIGNATURE,
    GPT,
    IMAGE,
    image,
    raw,
    sent,
    written,
)

Json: TypeAlias = st.SearchStrategy[Any]

# answers

TEXTS = st.sampled_from(["", " ", "a", "```", "żółć", "\u2028"])
SIGNATURES = st.sampled_from([None, "", SIGNED])
WORDS: Json = st.builds(dict, text=TEXTS, thought=st.none() | st.booleans(), thoughtSignature=SIGNATURES)
ARGUMENTS: Json = st.sampled_from([None, {}, {"reason": 1}, {"a": [1]}, [], 5, "x"])
CALLS: Json = st.builds(
    dict, name=st.sampled_from(["", "f", "g"]), args=ARGUMENTS, id=st.sampled_from([None, "", "c1", "!"])
)
BLOBS: Json = st.builds(dict, mimeType=st.sampled_from([None, "image/png"]), data=st.sampled_from(["", "cG5n"]))
CODES: Json = st.builds(dict, executableCode=st.builds(dict, language=TEXTS, code=TEXTS))
PARTS: Json = (
    WORDS
    | st.builds(dict, functionCall=CALLS, thoughtSignature=SIGNATURES, thought=st.booleans())
    | st.builds(dict, inlineData=BLOBS, thought=st.none() | st.booleans())
    | CODES
    | st.just({})
)
ANY: Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
)
SOURCES: Json = st.builds(
    dict,
    groundingChunks=ANY | st.lists(st.builds(dict, web=ANY | st.just({"uri": "u"})), max_size=2),
    groundingSupports=ANY | st.lists(st.builds(dict, groundingChunkIndices=ANY | st.just([0])), max_size=2),
)
REASONS = st.sampled_from([None, "", "STOP", "OTHER", "SAFETY", "MAX_TOKENS", "MALFORMED_FUNCTION_CALL", "NEW"])
CANDIDATES: Json = st.fixed_dictionaries(
    {"content": st.none() | st.builds(dict, parts=st.none() | st.lists(PARTS, max_size=3))},
    optional={"finishReason": REASONS, "index": st.sampled_from([0, 1]), "groundingMetadata": SOURCES},
)
CHUNKS: Json = st.fixed_dictionaries(
    {},
    optional={
        "candidates": st.none() | st.lists(CANDIDATES, max_size=2),
        "usageMetadata": st.dictionaries(st.sampled_from(["promptTokenCount", "totalTokenCount"]), st.integers(-2, 99)),
        "promptFeedback": st.sampled_from([None, {}, {"blockReason": "SAFETY"}]),
        "responseId": st.sampled_from([None, "r1"]),
        "createTime": st.sampled_from([None, "", "x", "2026-11-20T08:00:00Z"]),
        "error": st.sampled_from([None, {}, {"code": 429}]) | ANY,
    },
)


@given(st.lists(CHUNKS.map(json.dumps), max_size=6))
def test_who_wants_no_parallel_calls_gets_one_at_most(payloads: list[str | bytes]) -> None:
    one = reader(parallel=False)
    events = one.feed(payloads) + one.close()
    check(events)
    assert sum(isinstance(event, ir.BlockStarted) and event.kind == "tool_call" for event in events) <= 1


@given(st.lists(CHUNKS, max_size=4))
def test_stream_and_whole_say_the_same(chunks: list[Any]) -> None:
    one = reader()
    streamed = [event for chunk in chunks for event in one.feed([json.dumps(chunk)])] + one.close()
    assert _folded(streamed) == _folded(reader().feed_whole(json.dumps(chunks).encode()))


def _folded(events: list[ir.Event]) -> object:
    last = events[-1]
    if isinstance(last, ir.Failed):
        return type(last.error)
    fold = Fold()
    fold.feed(events)
    return fold.reply()


# requests

SEALS = st.sampled_from(
    [
        None,
        ir.Signature("gemini", GEMINI_SIGNATURE, "f"),
        ir.Signature(None, GEMINI_SIGNATURE),
        ir.Signature("claude", CLAUDE_SIGNATURE),
        ir.Signature(None, CLAUDE_SIGNATURE),
        ir.Signature(None, "claude#abc"),
        ir.Signature("openai", "gAAAA"),
        ir.Signature(None, "gw1.g.f.broken.00000000"),
    ]
)
SAID = st.sampled_from(["", " ", "\n", "a", '{"x": 1}', "[1]", "{bad"]).map(lambda text: ir.Text(text=text))
SIGNED_TEXT = st.builds(ir.Text, text=st.sampled_from(["", " ", "a"]), signature=SEALS)
MEDIA = st.sampled_from(["image/png", "application/pdf"]).map(lambda media_type: image(media_type=media_type))
IDS = st.sampled_from(["c1", "c2", "c 3", "", "x" * 80, "functions.Bash:0"])
FUNCTIONS = st.sampled_from(["f", "g", "mcp__a.b", "x" * 90, "1a"])
MADE = st.builds(ir.ToolCall, id=IDS, name=FUNCTIONS, arguments=st.just(raw({"format": 1})), signature=SEALS)
RESULTS = st.builds(
    ir.ToolResult,
    id=IDS,
    parts=st.lists(SAID | MEDIA, max_size=2).map(tuple),
    is_error=st.booleans(),
    path=st.just("r"),
)
THOUGHTS = st.builds(ir.Thinking, text=st.sampled_from(["", "hm"]), signature=SEALS)
HOSTED = st.just(ir.Opaque(dialect="anthropic", kind="web_search_tool_result", value=raw({}), path="o"))


def _turns(role: Any, parts: st.SearchStrategy[Any]) -> st.SearchStrategy[ir.Turn]:
    return st.lists(parts, max_size=4).map(lambda said: ir.Turn(role=role, parts=tuple(said)))


TURNS = st.lists(
    _turns("user", SAID | MEDIA | RESULTS | HOSTED)
    | _turns("assistant", SIGNED_TEXT | MADE | THOUGHTS | HOSTED)
    | _turns("system", SAID),
    min_size=1,
    max_size=6,
).map(tuple)
REASONING = st.builds(
    ir.Reasoning,
    mode=st.sampled_from(["unset", "off", "auto", "level", "budget"]),
    level=st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
    budget=st.sampled_from([-1, 0, 1, 100, 1024, 5000, 32000, 200000]),
    visible=st.none() | st.booleans(),
)
SAMPLING = st.builds(
    ir.Sampling,
    max_tokens=st.sampled_from([None, 1, 16, 1024, 1025, 5000, 64000, 200000]),
    temperature=st.sampled_from([None, 0.0, 1.0, 2.0]),
    top_p=st.sampled_from([None, 0.5, 1.0]),
    top_k=st.sampled_from([None, 40]),
    seed=st.sampled_from([None, 0]),
    stop=st.lists(st.sampled_from(["", " ", "END"]), max_size=3).map(tuple),
)
SCHEMAS = st.sampled_from(
    [
        None,
        raw({}),
        raw({"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "additionalProperties": False}),
    ]
)
TOOLS = st.lists(
    st.builds(ir.Tool, name=FUNCTIONS, schema=SCHEMAS, path=st.just("t")), max_size=3, unique_by=lambda tool: tool.name
)
HOSTS = st.lists(st.sampled_from(["web_search", "web_fetch"]), max_size=2, unique=True)
OUTPUTS = st.builds(ir.Output, kind=st.sampled_from(["text", "json", "schema"]), schema=SCHEMAS)
MODELS = st.sampled_from(
    [
        GEMINI_3,
        GEMINI_2,
        CLAUDE,
        GPT,
        IMAGE,
        "gemini-3-pro-high",
        "gemini-2.5-pro",
        "gemini-3-pro-preview",
        "gemini-pro-agent",
    ]
)
LIMITS: dict[ir.Family, int] = {"claude": 64000, "gemini": 65535, "openai": 32768}


@st.composite
def _requests(draw: st.DrawFn) -> dict[str, Any]:
    tools = draw(TOOLS)
    names = st.lists(st.sampled_from([tool.name for tool in tools] or ["f"]), max_size=2).map(tuple)
    mode = st.sampled_from(["auto", "none", "required"])
    choice = st.builds(ir.ToolChoice, mode=mode, names=names, parallel=st.none() | st.booleans())
    hosted = [ir.Tool(name=name, builtin=name, path="h") for name in draw(HOSTS)]
    return {
        "model": draw(MODELS),
        "tools": (*tools, *hosted),
        "tool_choice": draw(st.none() | choice) if tools else None,
        "reasoning": draw(REASONING),
        "sampling": draw(SAMPLING),
        "output": draw(OUTPUTS),
        "system": draw(st.lists(SAID, max_size=2).map(tuple)),
    }


@settings(max_examples=300, deadline=None)
@given(TURNS, _requests(), st.sampled_from(["clamp", "raise", "drop"]), st.booleans())
def test_upstream_accepts_whatever_is_written(
    turns: tuple[ir.Turn, ...], fields: dict[str, Any], conflict: str, signatures: bool
) -> None:
    limit = LIMITS[ir.family_of(fields["model"])]
    target = {"max_output": limit, "thinking_conflict": conflict, "signatures": signatures}
    try:
        answer = written(*turns, target=target, **fields)
    except InvalidRequest as error:
        assert error.param
        return
    assert sent(answer) == sent(written(*turns, target=target, **fields))
    assert all(loss.path for loss in answer.losses)
