"""`reasoning_details` of routers: read into signed thoughts and calls, and written back."""

import json
from typing import Any

import msgspec
import pytest

from gateway import ir
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.openai_chat.details import Details
from gateway.dialects.openai_chat.outbound_stream import ReadOptions, StreamReader
from gateway.ir.grammar import check

Json = dict[str, Any]

GEMINI, CLAUDE, GPT = "google/gemini-3-pro-preview", "anthropic/claude-opus-4.8", "openai/gpt-5.2"
CALL = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
OTHER = CALL | {"index": 1, "id": "c2"}
PROOF = {"type": "reasoning.encrypted", "data": "sig", "format": "google-gemini-v1", "index": 0}


def text(said: str | None, signature: str | None = None, of: str = "anthropic-claude-v1", index: int = 0) -> Json:
    return {"type": "reasoning.text", "text": said, "signature": signature, "format": of, "index": index}


def sealed(data: str, of: str, **more: Any) -> Json:
    return {"type": "reasoning.encrypted", "data": data, "format": of, "index": 0, **more}


def folded(*deltas: Json, whole: bool = False) -> tuple[ir.Part, ...]:
    """Read an answer, and give what it says."""
    reader = StreamReader(ReadOptions(names=NameMap(()), salt="s"))
    if whole:
        (message,) = deltas
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        events = reader.feed_whole(json.dumps({"id": "g", "model": "m", "choices": [choice]}).encode())
    else:
        chunks = [{"id": "g", "model": "m", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        chunks.append({"id": "g", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        events = [event for chunk in chunks for event in reader.feed([json.dumps(chunk)])]
        events += reader.feed(["[DONE]"])
    check(events)
    fold = ir.Fold()
    fold.feed(events)
    return fold.reply().parts


def details(*given: Json, **more: Any) -> Json:
    return {"content": "", "reasoning_details": list(given), **more}


def thought(said: str, signature: ir.Signature | None = None) -> ir.Thinking:
    return ir.Thinking(text=said, signature=signature)


def claude(value: str) -> ir.Signature:
    return ir.Signature("claude", value)


def test_a_thought_comes_in_pieces_and_its_signature_last() -> None:
    said = folded(
        details(text("I "), reasoning="I "), details(text("see"), reasoning="see"), details(text(None, "s1")),
        details(text("So", None, index=1)), details(text("", "s2", index=1)), {"content": "yes"},
    )  # fmt: skip
    assert said == (thought("I see", claude("s1")), thought("So", claude("s2")), ir.Text(text="yes"))


def test_a_whole_answer_has_each_thought_in_one() -> None:
    given = [text("I see", "s1"), sealed("blob", "anthropic-claude-v1"), text("So", "s2")]
    message = {"content": "yes", "reasoning": "I seeSo", "reasoning_details": given}
    hidden = thought("", claude(ir.REDACTED + "blob"))
    assert folded(message, whole=True) == (
        thought("I see", claude("s1")), hidden, thought("So", claude("s2")), ir.Text(text="yes"),
    )  # fmt: skip


def test_what_seals_a_summary_signs_it() -> None:
    summary = {"type": "reasoning.summary", "summary": "hm", "format": "openai-responses-v1", "index": 0, "id": "rs_1"}
    for of in ("openai-responses-v1", "azure-openai-responses-v1"):
        said = folded(details(summary), details(sealed("gAAA", of, id="rs_1")), {"content": "ok"})
        assert said == (thought("hm", ir.Signature("openai", "gAAA")), ir.Text(text="ok"))


@pytest.mark.parametrize(
    "deltas",
    [
        (details(PROOF | {"id": "c1"}, tool_calls=[CALL]),),
        (details(PROOF | {"id": "c1"}), {"tool_calls": [CALL]}),
        ({"tool_calls": [CALL]}, details(PROOF | {"id": "c1"})),
        ({"tool_calls": [CALL]}, details(PROOF | {"id": "c1"}), details(PROOF | {"id": "c1"})),
        (details(PROOF | {"id": "tool_0"}, tool_calls=[CALL]),),
        (details(PROOF, tool_calls=[CALL]),),
    ],
)
def test_a_call_is_signed_wherever_that_stands(deltas: tuple[Json, ...]) -> None:
    (call,) = folded(*deltas)
    assert isinstance(call, ir.ToolCall)
    assert call.signature == ir.Signature("gemini", "sig", "f")


def test_each_of_several_calls_has_its_own() -> None:
    both = details(PROOF | {"id": "c2", "data": "two"}, PROOF | {"id": "c1"}, tool_calls=[CALL, OTHER])
    calls = [part for part in folded(both) if isinstance(part, ir.ToolCall)]
    assert [call.signature and call.signature.value for call in calls] == ["sig", "two"]


def test_what_names_no_call_signs_the_words() -> None:
    said = folded(details(text("hm", of="google-gemini-v1")), {"content": "yes"}, details(PROOF))
    assert said == (thought("hm"), ir.Text(text="yes", signature=ir.Signature("gemini", "sig")))


def test_without_words_it_signs_nothing() -> None:
    assert folded(details(text("hm", of="google-gemini-v1")), details(PROOF)) == (thought("hm"),)


@pytest.mark.parametrize(
    "given",
    [
        [text("hm", "s", of="unknown")],
        [text("hm", "s") | {"format": None}],
        [text("hm"), sealed("x", "xai-responses-v1")],
        [text("hm"), {"type": "reasoning.server_tool_call", "format": "unknown"}],
    ],
)
def test_what_nobody_takes_back_is_words(given: list[Json]) -> None:
    assert folded(details(*given), {"content": "ok"}) == (thought("hm"), ir.Text(text="ok"))


@pytest.mark.parametrize("given", [None, "hm", {}, [1], [{"text": 1}], []])
def test_what_cannot_be_read_leaves_the_words_beside_it(given: Any) -> None:
    said = folded({"content": "", "reasoning": "hm", "reasoning_details": given}, {"content": "ok"})
    assert said == (thought("hm"), ir.Text(text="ok"))


def test_only_what_signs_stands_there_and_the_words_beside_it() -> None:
    said = folded(details(sealed("gAAA", "openai-responses-v1"), reasoning="hm"), {"content": "ok"})
    assert said == (thought("hm", ir.Signature("openai", "gAAA")), ir.Text(text="ok"))


# back


def call(ident: str, signature: ir.Signature | None = None) -> ir.ToolCall:
    return ir.ToolCall(id=ident, name="f", arguments=msgspec.Raw(b"{}"), signature=signature)


def written(model: str, *parts: ir.Part, signed: bool = True, sentinels: bool = True) -> list[Json]:
    return Details(model, signed=signed, sentinels=sentinels).of(parts, lambda ident: f"<{ident}>")


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (CLAUDE, [text("I see", "s1"), sealed("blob", "anthropic-claude-v1", index=1), text("So", "s2", index=2)]),
        (
            GPT,
            [
                {"type": "reasoning.summary", "summary": "hm", "format": "openai-responses-v1", "index": 0},
                sealed("gAAA", "openai-responses-v1", index=1),
                sealed("gAAB", "openai-responses-v1", index=2),
            ],
        ),
        (GEMINI, [text("hm", "s", of="google-gemini-v1"), PROOF | {"index": 1}]),
    ],
)
def test_what_came_goes_back_as_it_was(model: str, given: list[Json]) -> None:
    assert written(model, *folded({"content": "ok", "reasoning_details": given}, whole=True)) == given


def test_a_call_is_named_by_its_signature() -> None:
    proof = PROOF | {"id": "<c1>"}
    assert written(GEMINI, call("c1", ir.Signature("gemini", "sig", "f")), call("c2")) == [proof]


def test_the_first_of_unsigned_calls_gets_the_sentinel() -> None:
    proof = PROOF | {"id": "<c1>", "data": "skip_thought_signature_validator"}
    foreign = call("c1", claude("R1"))
    assert written(GEMINI, foreign, call("c2")) == [proof]
    assert written(GEMINI, call("c1", ir.Signature("gemini", "sig", "f")), signed=False) == [proof]
    assert written(GEMINI, foreign, sentinels=False) == []
    assert written("google/gemini-2.5-pro", foreign) == []


@pytest.mark.parametrize(
    ("model", "part"),
    [
        (GPT, thought("hm", claude("s"))),
        (CLAUDE, thought("hm", ir.Signature("gemini", "s"))),
        (CLAUDE, thought("hm", ir.Signature(None, "s"))),
        (CLAUDE, thought("hm", claude(""))),
        (CLAUDE, thought("hm", claude(ir.seal(claude("s"))))),
        (CLAUDE, thought("hm")),
        ("x-ai/grok-4", thought("hm", ir.Signature("gemini", "s"))),
        (GPT, ir.Thinking(text="", redacted="blob")),
    ],
)
def test_what_another_has_made_stays_here(model: str, part: ir.Part) -> None:
    assert not Details(model, signed=True, sentinels=True).takes(part)
    assert written(model, part) == []


def test_a_hidden_thought_that_a_caller_kept_goes_back() -> None:
    given = sealed("blob", "anthropic-claude-v1")
    assert written(CLAUDE, ir.Thinking(text="", redacted="blob")) == [given]
