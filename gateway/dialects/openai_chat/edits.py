"""The table of edits where a Chat Completions caller is served by an upstream that speaks it too.

All else of a request and of its answer passes byte for byte.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.edits import (
    DAMAGED,
    FOREIGN,
    LINES,
    ONCE,
    RequestEdit,
    Words,
    edited,
    mended,
    table_of,
    take_model,
)
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.schema_facets import is_object
from gateway.dialects.outbound import (
    ATTACHED,
    NOT_SUPPORTED,
    REFUSED,
    REMNANTS,
    RESTING,
    RESULTS,
    ROOM,
    SPELLED,
    SPELLINGS,
    OpenAITarget,
    OpenAIWritten,
    lost_with,
)
from gateway.dialects.place import is_null
from gateway.dialects.raw import FIELDS, MANY, NO_LIST, NOTHING, NULL, TEXT, Fields, read

from .attached import attach
from .demanded import equipped, met
from .edits_replies import ENDING, REPLIES
from .edits_shown import among, shown
from .edits_walk import mend_answers
from .outbound_models import abilities_of, effort_of, named_effort
from .remnants import clear
from .results import answer
from .room import shorten
from .tools import NO_TOOLS

__all__ = ["TABLE", "pass_through"]

_Words = Words[OpenAITarget]

_BOOL: Final = msgspec.json.Decoder(bool)
_VALUE: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode

_LIMITS: Final = ("max_tokens", "max_completion_tokens")
_DRAWN: Final = ("temperature", "top_p")
_EFFORT: Final = "reasoning_effort"
_OPTIONS: Final = "stream_options"
_OTHERS: Final = f"{_OPTIONS}.*"
_USAGE: Final = "include_usage"
_CHOICE, _PARALLEL = "tool_choice", "parallel_tool_calls"
_FREE: Final = (Raw(b'"auto"'), Raw(b'"none"'))  # choices that a request without tools keeps
_EXTRA: Final = "extra_content"
_ASIDE: Final = "provider_specific_fields"  # where LiteLLM puts it
_THOUGHTS: Final = (
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "reasoning_items",  # LiteLLM's, of Responses
    "thinking_blocks",
    "images",
)
_MARKS: Final = tuple(b'"%b"' % name.encode() for name in (_EXTRA, *_THOUGHTS))
_ALWAYS: Final = "this model cannot be told not to think"
_OFF: Final = (("type", "disabled"), ("enabled", False), ("effort", "none"))
_NOT_THERE: Final = "this upstream accepts back only its own items"
_TOOLS: Final = "tools"
_SPOKEN: Final = ("role", "content", "reasoning_content")
_TOOLLESS: Final = (NO_LIST, NULL)
_ABOUT_TOOLS: Final = (_TOOLS, _CHOICE, _PARALLEL)


# requests


def _stream(words: _Words) -> None:
    """Write down what gateway.toml decides where the caller does not say."""
    if words.request.stream and not words.has("stream"):
        words.put("stream", value=True)


def _limit(words: _Words) -> None:
    """Call the limit of the answer as this model takes it."""
    wanted = words.target.max_tokens_field
    (other,) = set(_LIMITS) - {wanted}
    if words.target.renames_limit and words.has(other):
        if words.has(wanted):
            words.drop(other)
            words.lose(other, f"{wanted} already says it")
        else:
            words.rename(other, wanted)


def _defaults(words: _Words) -> None:
    """Fill in what [defaults] has and the caller left out."""
    sampling = words.request.sampling
    for name in _DRAWN:
        value = getattr(sampling, name)
        if value is not None and not words.has(name):
            words.put(name, value)
    if sampling.max_tokens is not None and not words.has(*_LIMITS):
        words.put(words.target.max_tokens_field, sampling.max_tokens)


def _refused(words: _Words) -> None:
    """Leave out what this upstream or model has refused before, or say what it takes in its place."""
    if words.target.efforts and words.has(_EFFORT):
        _lower(words)
    for name in words.target.refused:
        if name in _OTHERWISE:
            _OTHERWISE[name](words)
        elif words.has(name):
            severity = lost_with(name, words.get(name, _VALUE))
            words.drop(name)
            if severity is not None:
                words.lose(name, NOT_SUPPORTED, severity)


def _lower(words: _Words) -> None:
    """Have a model think as much as it can, of what it has named."""
    effort, reason = named_effort(words.request.reasoning, words.target)
    if effort is None:
        words.drop(_EFFORT)
    elif reason:
        words.put(_EFFORT, effort)
    if reason:
        words.lose(_EFFORT, reason)


def _count_only(words: _Words) -> None:
    """Leave out the options of a stream but for its tokens."""
    options = words.get(_OPTIONS, FIELDS) or {}
    others = [name for name in options if name != _USAGE]
    if others:
        words.put(_OPTIONS, {name: value for name, value in options.items() if name == _USAGE})
        for name in others:
            words.lose(f"{_OPTIONS}.{name}", NOT_SUPPORTED)


def _spell(words: _Words) -> None:
    """Say how much to think as OpenAI does, if the caller has not: only that is left."""
    given = [name for name in SPELLINGS if words.has(name)]
    words.drop(*given)
    if not given or words.has(_EFFORT):
        return
    target = words.target
    effort, reason = effort_of(words.request.reasoning, abilities_of(target.model), plain=False, named=target.efforts)
    if effort is not None:
        words.put(_EFFORT, effort)
    if reason or words.request.reasoning.mode == "unset":
        words.lose(given[0], reason or NOT_SUPPORTED)


def _rouse(words: _Words) -> None:
    """Leave out what keeps from thinking."""
    for name in (_EFFORT, *SPELLINGS):
        if words.has(name) and _rests(words.get(name, _VALUE)):
            words.drop(name)
            words.lose(name, _ALWAYS)


def _rests(said: object) -> bool:
    if is_object(said):
        return any(said.get(name) == value for name, value in _OFF)
    return said is False or said == "none"


def _shorten(words: _Words) -> None:
    shorten(words, next(filter(words.has, _LIMITS), words.target.max_tokens_field))


# what stands for more than a field that is left out
_OTHERWISE: Final[Mapping[str, Callable[[_Words], None]]] = {
    SPELLED: _spell,
    RESTING: _rouse,
    ROOM: _shorten,
    RESULTS: answer,
    REMNANTS: clear,
    ATTACHED: attach,
    _OTHERS: _count_only,
}


def _count(words: _Words) -> None:
    """Ask a stream for its tokens."""
    if not words.request.stream or _OPTIONS in words.target.refused:
        return
    options = words.get(_OPTIONS, FIELDS) or {}
    if read(options.get(_USAGE, NULL), _BOOL) is not True:
        words.put(_OPTIONS, {**options, _USAGE: True})


def _parallel(words: _Words) -> None:
    """Leave out what is said about tools where there are none."""
    fields = words.fields
    if fields.keys().isdisjoint(_ABOUT_TOOLS) or fields.get(_TOOLS, NULL) not in _TOOLLESS:
        return
    if fields.get(_TOOLS) == NO_LIST:
        words.drop(_TOOLS)
    for name, idle in ((_CHOICE, fields.get(_CHOICE) in _FREE), (_PARALLEL, words.has(_PARALLEL))):
        if idle:
            words.drop(name)
            words.lose(name, NO_TOOLS)


def _own(words: _Words) -> None:
    """Take out what this gateway hung on messages that another upstream made."""
    given = bytes(words.fields.get("messages", NULL))
    if not any(map(given.__contains__, _MARKS)):
        return
    mend_answers(words, lambda fields, path: _bare(fields, path, words))


def _bare(message: Fields, path: str, words: _Words) -> Fields:
    signed = _Signed(words)
    fields = signed.taken(message, path)
    calls = read(fields.get("tool_calls", NULL), MANY)
    after = mended(calls or [], lambda place, one: signed.taken(one, f"{path}.tool_calls[{place}]"))
    if after is not None:
        fields = {**fields, "tool_calls": Raw(_encode(after))}
    if signed.ours or words.target.thoughtless:
        fields = _without_thoughts(fields, path, words)
    return fields


def _without_thoughts(fields: Fields, path: str, words: _Words) -> Fields:
    fields = among(fields, path) if "images" in fields else fields
    left_out = [name for name in _THOUGHTS if name in fields]
    if not left_out:
        return fields
    for name in left_out:
        if bytes(fields[name]) not in NOTHING:
            words.lose(f"{path}.{name}", _NOT_THERE, "content" if name == "images" else "hint")
    return {name: value for name, value in fields.items() if name not in left_out}


def _demanded(words: _Words) -> None:
    """Write the messages as this model demands them."""
    given = words.many("messages")
    messages = [{name: _spoken(one, name) for name in one} for one in given]
    after = met(messages, words.target.demands, lambda at, why, how: words.lose(f"messages[{at}]", why, how))
    if after != messages:
        words.put("messages", after)
    tools = [*map(_opened, words.many(_TOOLS))] if words.has(_TOOLS) else []
    equipment = equipped(tools, words.target.demands, lambda lost: words.lose(_TOOLS, lost))
    if equipment != tools:
        words.put(_TOOLS, equipment)


def _opened(tool: Fields) -> dict[str, object]:
    function = read(tool.get("function", NULL), FIELDS)
    return {**tool} if function is None else {**tool, "function": function}


def _spoken(message: Fields, name: str) -> object:
    """Read what tells messages apart, and what may have to be joined."""
    return _VALUE.decode(message[name]) if name in _SPOKEN else message[name]


class _Signed:
    """Reads what a message or a call carries; `ours`: this gateway has hung something on it."""

    def __init__(self, words: _Words) -> None:
        self._words = words
        self.ours = False

    def taken(self, fields: Fields, path: str) -> Fields:
        """Give the members with a signature of this family bare, and without what else is of this gateway."""
        aside = read(fields.get(_ASIDE, NULL), FIELDS)
        if aside is not None and (kept := self._taken(aside, f"{path}.{_ASIDE}")) is not aside:
            others = {name: one for name, one in fields.items() if name != _ASIDE}
            fields = {**others, **({_ASIDE: Raw(_encode(kept))} if kept else {})}
        return self._taken(fields, path)

    def _taken(self, fields: Fields, path: str) -> Fields:
        extra = read(fields.get(_EXTRA, NULL), FIELDS)
        if extra is None:
            return fields
        google = read(extra.get("google", NULL), FIELDS) or {}
        value = read(google.get("thought_signature", NULL), TEXT)
        sealed = value is not None and ir.is_sealed(value)
        if not sealed and "gateway" not in extra:
            return fields
        self.ours = True
        if not is_null((read(extra.get("gateway", NULL), FIELDS) or {}).get("blocks", NULL)):
            self._words.lose(f"{path}.{_EXTRA}.gateway.blocks", FOREIGN)
        others = {name: one for name, one in extra.items() if name not in ("gateway", "google")}
        bare = self._bare(value, f"{path}.{_EXTRA}.google.thought_signature") if sealed and value else value
        google = {name: one for name, one in google.items() if name != "thought_signature"}
        google |= {} if bare is None else {"thought_signature": Raw(_encode(bare))}
        kept = {**others, **({"google": Raw(_encode(google))} if google else {})}
        if kept:
            return {**fields, _EXTRA: Raw(_encode(kept))}
        return {name: one for name, one in fields.items() if name != _EXTRA}

    def _bare(self, sealed: str, path: str) -> str | None:
        signature = ir.unseal(sealed)
        if signature is None:
            self._words.lose(path, DAMAGED)
        elif signature.issuer == "gemini" and ir.is_gemini(self._words.request.model):
            return signature.value
        else:
            self._words.lose(path, FOREIGN)
        return None


REQUESTS: Final[tuple[RequestEdit[OpenAITarget], ...]] = (
    RequestEdit(name="model", why="this upstream's name for the model", apply=take_model),
    RequestEdit(name="stream", why="defaults.stream, because the caller does not say", apply=_stream),
    RequestEdit(name="limit", why="this model's name for the limit", apply=_limit),
    RequestEdit(name="defaults", why="[defaults], because the caller left it out", apply=_defaults),
    RequestEdit(name="refused", why=REFUSED, apply=_refused),
    RequestEdit(name="usage", why="a stream reports its tokens only on request", apply=_count),
    RequestEdit(
        name="parallel",
        why="OpenAI rejects it without tools, and so tool_choice and an empty list of tools",
        apply=_parallel,
    ),
    RequestEdit(name="own", why="what this gateway added to messages is not sent upstream", apply=_own),
    RequestEdit(
        name="shown", why="images of another model cannot stand in a model's message: sent as the user's", apply=shown
    ),
)
_DEMANDED: Final = RequestEdit[OpenAITarget](
    name="demanded",
    why="this model has rejected messages without thoughts or words, in parts, instructions among them or of a "
    "developer, or of which none is the user's, ids or arguments of calls, null for words, or bounds, strictness or "
    "schemas of tools; Kimi says nothing behind ids of other models",
    apply=_demanded,
)
TABLE: Final = table_of((ONCE, *REQUESTS, _DEMANDED, *REPLIES[:-1], ENDING, REPLIES[-1], LINES))


def pass_through(request: ir.Request, body: Raw, target: OpenAITarget) -> OpenAIWritten:
    """Take a caller's own request for one upstream."""
    found = edited(request, body, target, (*REQUESTS, _DEMANDED) if target.demands else REQUESTS)
    return OpenAIWritten(
        body={},
        names=NameMap([]),
        choices=request.sampling.n or 1,
        native=found.body,
        losses=found.losses,
        edits=found.edits,
    )
