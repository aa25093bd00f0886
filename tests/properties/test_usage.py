"""T7: whatever an upstream counts, callers read counts that are none below zero, and no part above its whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway import ir
from gateway.dialects import Answering
from gateway.routes import DialectName

from .examples import EXAMPLES
from .reading import UPSTREAMS, are_sound, flat, fold, read
from .upstreams import framing
from .writing import CODECS, answerings, listen, write

UPSTREAM = pytest.mark.parametrize("upstream", UPSTREAMS)
Counts = tuple[int, int, int, int]  # what went in, what of it was kept; what came out, what of it was thought


def openai(prompt: str, completion: str) -> Any:
    def read_counts(usage: Any) -> Counts:
        assert usage["total_tokens"] == usage[prompt] + usage[completion]
        kept = usage[f"{prompt}_details"]["cached_tokens"]
        return usage[prompt], kept, usage[completion], usage[f"{completion}_details"]["reasoning_tokens"]

    return read_counts


def messages(usage: Any) -> Counts:
    kept = usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]
    assert usage["input_tokens"] >= 0
    return usage["input_tokens"] + kept, kept, usage["output_tokens"], 0


def gemini(usage: Any) -> Counts:
    prompt, thoughts = usage.get("promptTokenCount", 0), usage.get("thoughtsTokenCount", 0)
    said = usage.get("candidatesTokenCount", 0)
    assert said >= 0
    assert usage["totalTokenCount"] >= prompt + said + thoughts
    return prompt, usage.get("cachedContentTokenCount", 0), said + thoughts, thoughts


COUNTED = {
    "openai-chat": openai("prompt_tokens", "completion_tokens"),
    "openai-responses": openai("input_tokens", "output_tokens"),
    "anthropic": messages,
    "gemini": gemini,
}


@UPSTREAM
@EXAMPLES
@given(data=st.data(), to=answerings())
def test_t7_no_part_is_more_than_its_whole(upstream: DialectName, data: st.DataObject, to: Answering) -> None:
    batches = read(upstream, [data.draw(UPSTREAMS[upstream].bodies)])
    assume(isinstance(flat(batches)[-1], ir.Finished) and are_sound(flat(batches)))
    for dialect, codec in CODECS.items():
        counts = COUNTED[dialect](listen(dialect, write(codec, batches, to), to).usage)
        assert 0 <= counts[1] <= counts[0]
        assert 0 <= counts[3] <= counts[2]


@UPSTREAM
@EXAMPLES
@given(data=st.data(), to=answerings())
def test_t7_all_callers_read_the_same_counts(upstream: DialectName, data: st.DataObject, to: Answering) -> None:
    batches = read(upstream, [data.draw(UPSTREAMS[upstream].bodies)])
    reply = fold(flat(batches))
    assume(isinstance(reply, ir.Reply) and reply.usage.input > 0 and are_sound(flat(batches)))
    counts = {
        dialect: COUNTED[dialect](listen(dialect, write(codec, batches, to), to).usage)
        for dialect, codec in CODECS.items()
    }
    assert len({(one[0], one[2]) for one in counts.values()}) == 1


def earlier(upstream: DialectName, count: int) -> Any:
    """Say that so many tokens went in so far, and as many came out."""
    match upstream:
        case "gemini":
            counts = {"promptTokenCount": count, "candidatesTokenCount": count, "totalTokenCount": 2 * count}
            return {"response": {"usageMetadata": counts}}
        case "openai-chat":
            counts = {"prompt_tokens": count, "completion_tokens": count, "total_tokens": 2 * count}
            return {"choices": [], "usage": counts}
        case "openai-responses":
            counts = {"input_tokens": count, "output_tokens": count, "total_tokens": 2 * count}
            return {"type": "response.in_progress", "response": {"usage": counts}}
        case "anthropic":
            return {"type": "message_delta", "delta": {}, "usage": {"input_tokens": count, "output_tokens": count}}


COUNTED_LAST = {"usageMetadata": {"promptTokenCount": 50, "candidatesTokenCount": 20, "totalTokenCount": 70}}


# One that an answer may have; above what a database holds; above what JSON can be written with here.
@pytest.mark.parametrize("count", [1, 2**63, 10**30])
@UPSTREAM
@EXAMPLES
@given(data=st.data())
def test_t7_the_last_sensible_report_holds(upstream: DialectName, count: int, data: st.DataObject) -> None:
    *events, last = data.draw(UPSTREAMS[upstream].sound).events
    if upstream == "gemini":
        last = {"response": last["response"] | COUNTED_LAST}
    events.append(last)
    latest = max(len(events) - 2, 0)  # Messages counts in the last event but one
    place = data.draw(st.integers(min(1, latest), latest))
    reports = [events, [*events[:place], earlier(upstream, count), *events[place:]]]
    one, other = (fold(flat(read(upstream, [framing.stream(tuple(told))]))) for told in reports)
    assume(isinstance(one, ir.Reply) and one.usage.input > 1 and one.usage.output > 1)
    assert isinstance(one, ir.Reply)
    assert isinstance(other, ir.Reply)
    assert other.usage == one.usage
