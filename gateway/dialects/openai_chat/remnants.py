"""What clients send back of an answer beside its words and calls, where a server refuses it: another one wrote it.

refusal, in the place of words ─► the words      annotations, provider_specific_fields ─►      null and empty ones ─►
text, with the message's own fields ─► text      OpenAI's agents for JavaScript write these into each part
thoughts among the texts ─►                      Mistral and Databricks answer so
calls, with index and parsed_arguments ─► calls  OpenAI's SDKs write these, where they stream and parse;
                                                 Agno goes on with the call_id of Responses, LiteLLM with
                                                 the caller of Claude, it and ADK with signatures of Gemini
"""

from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.edits import Words, mended
from gateway.dialects.outbound import THOUGHT_PARTS, OpenAITarget
from gateway.dialects.place import is_null
from gateway.dialects.raw import FIELDS, MANY, NO_TEXT, NOTHING, NULL, RAWS, Fields, name_of, read

from .edits_shown import among
from .edits_walk import mend_answers

__all__ = ["clear"]

_Words = Words[OpenAITarget]

_ASIDE: Final = ("annotations", "provider_specific_fields", "parsed")
_INSTEAD: Final = ("tool_calls", "refusal", "audio", "function_call", "images")  # of words
_THOUGHT: Final = "rs_"  # Pydantic AI calls a member as the thought of Responses that it holds
_OF_CALLS: Final = ("index", "call_id", "caller", "provider_specific_fields")
_OF_TEXT: Final = frozenset({"type", "text", "cache_control", "prompt_cache_breakpoint"})
_NOT_THERE: Final = "this upstream accepts an answer's words and calls alone"
_encode: Final = msgspec.json.Encoder().encode


def clear(words: _Words) -> None:
    """Leave the words and calls of answers; what else may be all that one says stays."""
    mend_answers(words, lambda fields, path: _cleared(fields, path, words))


def _cleared(fields: Fields, path: str, words: _Words) -> Fields:
    gemini = ir.is_gemini(words.target.model)
    kept = {name: value for name, value in fields.items() if not _is_aside(name, value, gemini=gemini)}
    for name, value in fields.items():
        if name not in kept and bytes(value) not in NOTHING:
            words.lose(f"{path}.{name}", _NOT_THERE)
    parts = read(kept.get("content", NULL), RAWS) or []
    texts = mended(parts, lambda at, raw: _plain(raw, f"{path}.content[{at}]", fields, words))
    if texts is not None:
        spoken = [text for text in texts if text is not None]
        silent = NULL if "tool_calls" in kept else NO_TEXT
        kept = {**kept, "content": Raw(_encode(spoken)) if spoken else silent}
    calls = read(kept.get("tool_calls", NULL), MANY) or []
    bare = mended(calls, lambda _, call: _called(call, gemini=gemini))
    if bare is not None:
        kept = {**kept, "tool_calls": Raw(_encode(bare))}
    if "images" in kept:
        kept = among(kept, path)
    refusal = name_of(kept, "refusal")
    if refusal and is_null(kept.get("content", NULL)):
        kept = _said(kept, refusal)
    return fields if kept == fields else kept


def _plain(raw: Raw, path: str, message: Fields, words: _Words) -> Raw | None:
    """Leave the words of a part, None of a thought; what the message says itself is not lost."""
    fields = read(raw, FIELDS)
    if fields is not None and name_of(fields, "type") in THOUGHT_PARTS:
        words.lose(path, _NOT_THERE)
        return None
    if fields is None or name_of(fields, "type") != "text" or fields.keys() <= _OF_TEXT:
        return raw
    for name, value in fields.items():
        if name not in _OF_TEXT and bytes(value) not in NOTHING and value != message.get(name):
            words.lose(f"{path}.{name}", _NOT_THERE)
    return Raw(_encode({name: value for name, value in fields.items() if name in _OF_TEXT}))


def _called(call: Fields, *, gemini: bool) -> Fields:
    """Leave what a call says itself: its place is told by the list, its arguments by their text."""
    kept = {
        name: value
        for name, value in call.items()
        if name not in _OF_CALLS and not _is_foreign(name, value, gemini=gemini)
    }
    function = read(call.get("function", NULL), FIELDS)
    if function and "parsed_arguments" in function:
        said = {name: value for name, value in function.items() if name != "parsed_arguments"}
        kept["function"] = Raw(_encode(said))
    return call if kept == call else kept


def _is_aside(name: str, value: Raw, *, gemini: bool) -> bool:
    if name in _INSTEAD:
        return bytes(value) in NOTHING
    return name in _ASIDE or name.startswith(_THOUGHT) or _is_foreign(name, value, gemini=gemini)


def _is_foreign(name: str, value: Raw, *, gemini: bool) -> bool:
    """Tell Gemini's own signature at another model; an envelope is taken out elsewhere, with what belongs to it."""
    if name != "extra_content" or gemini:
        return False
    google = read((read(value, FIELDS) or {}).get("google", NULL), FIELDS) or {}
    signature = name_of(google, "thought_signature")
    return bool(signature) and not ir.is_sealed(signature)


def _said(fields: Fields, refusal: str) -> Fields:
    others = {name: value for name, value in fields.items() if name not in ("refusal", "content")}
    return {**others, "content": Raw(_encode(refusal))}
