"""What Gemini says, in the envelope of Code Assist and without it: anything like it, and recorded answers."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from hypothesis import strategies as st

from tests.conformance.recordings import NAMES
from tests.conformance.recordings import stream as recorded
from tests.conformance.test_cases_ends import ENDS
from tests.strategies import words

from .framing import Sound, bodies, stream

__all__ = ["BODIES", "PAYLOADS", "SOUND"]

Json = st.SearchStrategy[Any]

_values: Json = st.none() | st.booleans() | st.integers(-9, 9) | words(max_size=4)
_any: Json = st.recursive(_values, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
_signatures = st.sampled_from(["EkBG", "RWtC", "not base64"])
_arguments: Json = st.dictionaries(words(max_size=4), _values, max_size=2) | _values
_part: Json = st.one_of(
    st.builds(lambda text: {"text": text}, words()),
    st.builds(lambda text: {"text": text, "thought": True}, words()),
    st.builds(lambda text, sig: {"text": text, "thoughtSignature": sig}, words(), _signatures),
    st.builds(lambda text, sig: {"text": text, "thought": True, "thoughtSignature": sig}, words(), _signatures),
    st.builds(lambda sig: {"thoughtSignature": sig}, _signatures),
    st.builds(
        lambda name, args, ident: {"functionCall": {"name": name, "args": args, "id": ident}},
        st.sampled_from(["f", "g", "answer", ""]),
        _arguments,
        st.sampled_from([None, "a1", "a1", "not legal!"]),
    ),
    st.builds(
        lambda data: {"inlineData": {"mimeType": "image/png", "data": b64encode(data).decode()}}, st.binary(max_size=4)
    ),
    st.builds(lambda code: {"executableCode": {"language": "PYTHON", "code": code}}, words()),
    st.builds(lambda out: {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": out}}, words()),
    st.sampled_from([{}, {"neverHeardOf": {"a": [1]}}]),
)
_counts = st.none() | st.integers(-2, 5000)
_usages: Json = st.fixed_dictionaries(
    {},
    optional={
        f"{name}TokenCount": _counts
        for name in ("prompt", "candidates", "thoughts", "total", "cachedContent", "toolUsePrompt")
    },
)
_sources: Json = st.builds(
    dict,
    groundingChunks=_any | st.lists(st.builds(dict, web=_any | st.just({"uri": "u"})), max_size=2),
    groundingSupports=_any | st.lists(st.builds(dict, groundingChunkIndices=_any | st.just([0])), max_size=2),
)
_candidates: Json = st.fixed_dictionaries(
    {"content": st.none() | st.builds(dict, parts=st.none() | st.lists(_part, max_size=4))},
    optional={
        "finishReason": st.none() | st.sampled_from([*ENDS, "NEVER_HEARD_OF", ""]),
        "index": st.sampled_from([None, 0, 0, 0, 1]),
        "groundingMetadata": _sources,
    },
)
_chunks: Json = st.fixed_dictionaries(
    {},
    optional={
        "candidates": st.none() | st.lists(_candidates, max_size=2),
        "usageMetadata": _usages,
        "promptFeedback": st.sampled_from([None, {}, {"blockReason": "SAFETY"}]),
        "responseId": st.sampled_from([None, "r1"]),
        "createTime": st.sampled_from([None, "", "x", "2026-11-20T08:00:00Z"]),
    },
)
_errors: Json = st.sampled_from([{"code": 503, "message": "no"}, {"status": "INTERNAL"}, None, {}, 5])
_payload: Json = st.one_of(
    *[_chunks.map(lambda chunk: {"response": chunk})] * 4,
    _chunks,
    _chunks,
    st.lists(_chunks, max_size=2),
    _errors.map(lambda error: {"error": error}),
    _any,
)
PAYLOADS = _payload.map(json.dumps)


# what begins like an answer and ends like one
SOUND: st.SearchStrategy[Sound] = st.builds(
    lambda said, finish, usage: [*said, {"candidates": [{"finishReason": finish}], "usageMetadata": usage}],
    st.lists(
        st.lists(_part, min_size=1, max_size=3).map(lambda parts: {"candidates": [{"content": {"parts": parts}}]})
    ),
    st.sampled_from(["STOP", "STOP", "MAX_TOKENS", "OTHER", "SAFETY", "CONTINUATION", "MALFORMED_FUNCTION_CALL"]),
    _usages,
).map(lambda said: Sound(tuple({"response": one} for one in said), [{"response": one} for one in said]))
_recorded = st.sampled_from(NAMES).map(recorded)
_sound = SOUND.map(lambda one: stream(one.events))
BODIES = bodies(PAYLOADS, st.one_of(_sound, _sound, _recorded))
