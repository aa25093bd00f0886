"""The table of edits where a Gemini caller is served by an upstream that speaks Gemini, too.

All else of a request and of its answer passes byte for byte. What a suffix of the model's name asks for is written into
the request before (`native.vary`); Code Assist and Vertex have rules of their own for what they get of it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.edits import (
    DAMAGED,
    FOREIGN,
    LINES,
    ONCE,
    Edited,
    ReplyEdit,
    RequestEdit,
    Words,
    echoing,
    edited,
    mended,
    table_of,
)
from gateway.dialects.place import is_null
from gateway.dialects.raw import FIELDS, NO_TEXT, NOTHING, NULL, RAWS, TEXT, Fields, read
from gateway.upstream import Edit

from .edits_answers import answer
from .history import SAID, SAID_BACK
from .inbound_signatures import opened
from .inbound_wire import camel
from .own import Own, several
from .signatures import SENTINEL
from .thinking import is_latest, plan

__all__ = [
    "REPLIES",
    "RESULTS",
    "TABLE",
    "config_of",
    "mend_parts",
    "pass_on",
    "seldom",
    "together",
    "without_empty",
]


_Words = Words[Own]
_Mend = Callable[[Fields, str], Fields | None]  # of one part, with its path; None leaves it out

_encode: Final = msgspec.json.Encoder().encode

_CONFIG: Final = ("generationConfig", "generation_config")
_SIGNATURES: Final = ("thoughtSignature", "thought_signature")
_MARKS: Final = tuple(f'"{name}"'.encode() for name in _SIGNATURES)
_CALL, _RESULT = "functionCall", "functionResponse"
RESULTS: Final = (b'"functionResponse"', b'"function_response"')
_USER, _MODEL = Raw(b'"user"'), Raw(b'"model"')
_OLDER: Final = (Raw(b'"function"'), Raw(b'"tool"'))  # words for the user who gives results
_WORDS: Final = frozenset({"text", "thought"})
_SAYS: Final = frozenset({"text", "inlineData", "fileData"})
_TRUE: Final = Raw(b"true")
_REFUSED: Final = "the upstream rejects it"
_NOT_SUPPORTED: Final = "this model does not support it"
_THINKING: Final = "thinkingConfig"
_LEVEL, _BUDGET = "thinkingLevel", "thinkingBudget"
# what is left out of generationConfig once it is refused
_SETTINGS: Final[Mapping[str, Collection[str]]] = {
    "penalties": ("presencePenalty", "frequencyPenalty"),
    "logprobs": ("responseLogprobs", "logprobs"),
    "thinking_config": (_THINKING,),
}


def _model(words: _Words) -> None:
    """Let a model in the body be the one of the path."""
    wanted = f"models/{words.target.model}"
    if words.has("model") and words.get("model", TEXT) != wanted:
        words.put("model", wanted)


def config_of(words: _Words) -> tuple[str, Fields]:
    """Give the name that the caller has for generationConfig, and what is in it."""
    name = next((one for one in _CONFIG if words.has(one)), _CONFIG[0])
    return name, words.get(name, FIELDS) or {}


def _defaults(words: _Words) -> None:
    """Fill in what [defaults] has and the caller left out."""
    sampling = words.request.sampling
    filled = {
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "topK": sampling.top_k,
        "maxOutputTokens": sampling.max_tokens,
    }
    name, config = config_of(words)
    given = {camel(one) for one, value in config.items() if not is_null(value)}
    missing = {one: value for one, value in filled.items() if value is not None and one not in given}
    if missing:
        words.put(name, {**config, **missing})


def _settings(words: _Words) -> None:
    """Leave out what this model has refused of generationConfig, and say in tokens how much it is to think."""
    refused = words.target.refused
    left_out = {one for cause, names in _SETTINGS.items() if cause in refused for one in names}
    if not left_out and "level" not in refused:
        return
    name, config = config_of(words)
    kept: Fields = {}
    for one, value in config.items():
        thinks = camel(one) == _THINKING
        if camel(one) in left_out:
            idle = thinks or bytes(value) in (*NOTHING, b"0.0")
            words.lose(f"{name}.{one}", _NOT_SUPPORTED, "hint" if idle else "change")
        elif thinks and "level" in refused:
            kept[one] = _budgeted(value, words)
        else:
            kept[one] = value
    if kept != config:
        words.put(name, kept)


def _budgeted(thinking: Raw, words: _Words) -> Raw:
    given = read(thinking, FIELDS) or {}
    kept: dict[str, object] = {one: value for one, value in given.items() if camel(one) != _LEVEL}
    if len(kept) == len(given):
        return thinking
    planned = plan(
        words.request.reasoning,
        None,
        model=words.request.model,
        family="gemini",
        limit=None,
        conflict="clamp",
        levels=False,
    )
    if planned.config is not None and _BUDGET in planned.config:
        kept[_BUDGET] = planned.config[_BUDGET]
    return Raw(_encode(kept))


def _speaker(words: _Words) -> None:
    """Call the user so: newer models refuse the older words for who gives results, and all take this one."""
    raw = words.fields.get("contents", NULL)
    given = bytes(raw)
    if not any(bytes(word) in given for word in _OLDER):
        return
    after = mended(several(raw), lambda _, one: {**one, "role": _USER} if one.get("role") in _OLDER else one)
    if after is not None:
        words.put("contents", after)


def _own(words: _Words) -> None:
    """Take signatures out of the envelopes of this gateway; where one is lost, Gemini's sentinel stands for it.

    Claude signs its thoughts: the calls behind them have no other.
    """
    given = bytes(words.fields.get("contents", NULL))
    if not any(mark in given for mark in _MARKS):
        return
    before = len(words.losses)
    mend_parts(words, lambda part, path: _part(part, path, words))
    if len(words.losses) > before:
        _lead(words)


def _part(part: Fields, path: str, words: _Words) -> Fields:
    name = _signature_of(part)
    value = read(part[name], TEXT) if name else None
    text = opened(value) if value else None
    if text is None:
        return part
    signature = ir.unseal(text)
    if signature is not None and signature.issuer == "gemini":
        return {**part, name: Raw(_encode(signature.value))}
    words.lose(f"{path}.{name}", DAMAGED if signature is None else FOREIGN)
    if _is_call(part):
        return {**part, name: Raw(_encode(SENTINEL))}
    return {one: kept for one, kept in part.items() if one != name}


def _refused(words: _Words) -> None:
    """Leave out the signatures that this upstream cannot read, and let the sentinel stand for those that it misses.

    There is none for words and pictures: the user shows what the model has said. Settings that a model does not know
    stay behind: a chain, or the name of a model, may have led to another one than the caller knows.
    """
    if "signatures" in words.target.refused:
        mend_parts(words, lambda part, path: _unread(part, path, words))
    if "unsigned" in words.target.refused:
        _lead(words)
    if "unsigned_parts" in words.target.refused:
        _hand_over(words)
    if "unanswered" in words.target.refused:
        answer(words)
    if "blanks" in words.target.refused:
        _fill(words)
    _settings(words)


def _fill(words: _Words) -> None:
    """Leave out what has no parts, as SDKs keep it of an answer that had none; the last word is the caller's own."""
    *given, last = several(words.fields.get("contents", NULL)) or [{}]
    filled = [one for one in given if several(one.get("parts", NULL))]
    if len(filled) < len(given):
        words.put("contents", [*filled, last])


def _unread(part: Fields, path: str, words: _Words) -> Fields | None:
    name = _signature_of(part)
    if not name or read(part[name], TEXT) == SENTINEL:
        return part
    words.lose(f"{path}.{name}", _REFUSED)
    if _is_call(part):
        return {**part, name: Raw(_encode(SENTINEL))}
    bare = {one: kept for one, kept in part.items() if one != name}
    return None if _is_empty(bare) else bare


def _hand_over(words: _Words) -> None:
    """Let the user show what the model has said and drawn, but not signed."""
    raw = words.fields.get("contents", NULL)
    at = f"contents{_which(raw)}"
    after: list[Fields] = []
    for place, content in enumerate(several(raw)):
        parts = several(content.get("parts", NULL)) if content.get("role") == _MODEL else []
        theirs = [part for part in parts if _is_unsigned(part)]
        if not theirs:
            after.append(content)
            continue
        words.lose(at.format(place), SAID_BACK, "change")
        kept = [part for part in parts if not _is_unsigned(part)]
        after += [{**content, "parts": Raw(_encode(kept))}] if kept else []
        after.append({"role": _USER, "parts": Raw(_encode([{"text": SAID.text}, *theirs]))})
    words.put("contents", after)


def _is_unsigned(part: Fields) -> bool:
    named = {camel(name): value for name, value in part.items()}
    return not _signature_of(part) and named.get("thought") != _TRUE and not _SAYS.isdisjoint(named)


def _lead(words: _Words) -> None:
    """Put the sentinel on the first call of each step, if it is not signed; SDKs keep a step's chunks in a row."""
    contents = several(words.fields.get("contents", NULL))
    called = False

    def mend(_: int, content: Fields) -> Fields:
        nonlocal called
        if content.get("role") != _MODEL:
            called = False
            return content
        parts = several(content.get("parts", NULL))
        at = None if called else next((place for place, part in enumerate(parts) if _is_call(part)), None)
        if at is None:
            return content
        called = True
        name = _signature_of(parts[at]) or _SIGNATURES[0]
        if read(parts[at].get(name, NULL), TEXT):
            return content
        led = {**parts[at], name: Raw(_encode(SENTINEL))}
        return {**content, "parts": Raw(_encode([*parts[:at], led, *parts[at + 1 :]]))}

    after = mended(contents, mend)
    if after is not None:
        words.put("contents", after)


def _alone(words: _Words) -> None:
    """Let what stands beside the results of calls follow all results of the turn."""
    raw = words.fields.get("contents", NULL)
    if not is_latest(words.target.model) or not any(mark in bytes(raw) for mark in RESULTS):
        return
    given = several(raw)
    parted = [one for content in given for one in _apart(content)]
    if len(parted) > len(given):
        turns = groupby(parted, lambda one: one.get("role") == _MODEL)
        words.put("contents", [one for _, run in turns for one in sorted(run, key=_follows)])


def _follows(content: Fields) -> bool:
    return _beside_results(content) is None


def _results(words: _Words) -> None:
    """Put the results of one turn's calls into one content."""
    raw = words.fields.get("contents", NULL)
    if sum(map(bytes(raw).count, RESULTS)) < 2:
        return
    given = several(raw)
    joined = together(given)
    if len(joined) < len(given):
        words.put("contents", joined)


def _apart(content: Fields) -> list[Fields]:
    """Part a content into the results in it, and the rest."""
    parts = several(content.get("parts", NULL))
    results = [part for part in parts if _RESULT in map(camel, part)]
    if not results or len(results) == len(parts):
        return [content]
    rest = [part for part in parts if _RESULT not in map(camel, part)]
    return [{**content, "parts": Raw(_encode(some))} for some in (results, rest)]


def mend_parts(words: _Words, mend: _Mend) -> None:
    """Mend each part of the conversation; a content of which none is left goes, too."""
    raw = words.fields.get("contents", NULL)
    at = f"contents{_which(raw)}"
    after = mended(several(raw), lambda place, one: _content(one, at.format(place), mend))
    if after is not None:
        words.put("contents", [one for one in after if one is not None])


def _content(content: Fields, path: str, mend: _Mend) -> Fields | None:
    """Mend the parts of a content; None where none is left."""
    raw = content.get("parts", NULL)
    at = f"{path}.parts{_which(raw)}"
    after = mended(several(raw), lambda place, one: mend(one, at.format(place)))
    if after is None:
        return content
    kept = [one for one in after if one is not None]
    return {**content, "parts": Raw(_encode(kept))} if kept else None


def _which(raw: Raw) -> str:
    """Say how a path tells one of several; a single one may stand without its brackets."""
    return "[{}]" if bytes(raw).startswith(b"[") else ""


def _signature_of(part: Fields) -> str:
    """Give the name under which a part has its signature."""
    return next((one for one in _SIGNATURES if one in part), "")


def _is_call(part: Fields) -> bool:
    return _CALL in map(camel, part)


def together(contents: Sequence[Fields]) -> list[Fields]:
    """Join contents in a row that hold results of calls, and differ in nothing else: some clients give each its own."""
    joined: list[Fields] = []
    for beside, run in groupby(contents, _beside_results):
        said = list(run)
        if beside is not None and len(said) > 1:
            parts = [part for one in said for part in several(one["parts"])]
            said = [{**said[0], "parts": Raw(_encode(parts))}]
        joined += said
    return joined


def _beside_results(content: Fields) -> Fields | None:
    """Give what a content has beside its results; None where it does not hold results alone."""
    parts = content.get("parts", NULL)
    if not any(mark in bytes(parts) for mark in RESULTS):
        return None
    if any([camel(name) for name in part] != [_RESULT] for part in several(parts)):
        return None
    return {name: value for name, value in content.items() if name != "parts"}


def without_empty(content: Fields) -> Fields:
    """Leave out empty text: streams end with it, and SDKs put it into their history."""
    raw = content.get("parts", NULL)
    if bytes(NO_TEXT) not in bytes(raw):
        return content
    parts = read(raw, RAWS)
    given = [raw] if parts is None else parts
    kept = [part for part in given if not _is_empty(read(part, FIELDS) or {})]
    return content if len(kept) == len(given) else {**content, "parts": Raw(_encode(kept))}


def _is_empty(part: Fields) -> bool:
    return part.get("text") == NO_TEXT and part.keys() <= _WORDS


REQUESTS: Final[tuple[RequestEdit[Own], ...]] = (
    RequestEdit(name="model", why="the model is that of the path, by its name at this upstream", apply=_model),
    RequestEdit(name="defaults", why="[defaults], because the caller left it out", apply=_defaults),
    RequestEdit(
        name="speaker",
        why="newer models reject `function` and `tool` as roles of results",
        apply=_speaker,
        unusual=True,
    ),
    RequestEdit(
        name="own", why="this gateway's envelope around signatures is not sent upstream", apply=_own, unusual=True
    ),
    RequestEdit(
        name="refused",
        why="this upstream has rejected these signatures or settings, calls without results, or no parts",
        apply=_refused,
    ),
    RequestEdit(
        name="alone", why="Gemini 3 requires results of calls in a content of their own", apply=_alone, unusual=True
    ),
    RequestEdit(
        name="results",
        why="Google requires the results of a turn's calls in one content",
        apply=_results,
        unusual=True,
    ),
)
REPLIES: Final[tuple[ReplyEdit, ...]] = (echoing("modelVersion"),)
FRAMING: Final = Edit(
    name="framing",
    why="google-genai accepts only `data: ` lines between two chunks; without alt=sse the chunks form one array",
    on="reply",
)
ENDING: Final = Edit(
    name="end", why="Google may send no finish reason after calls, and google-genai drops such a turn", on="reply"
)
TABLE: Final = table_of((ONCE, *REQUESTS, *REPLIES, LINES, FRAMING, ENDING))


def pass_on(
    request: ir.Request,
    body: Raw,
    refused: Collection[str] = frozenset(),
    *further: RequestEdit[Own],
    limit: int | None = None,
    usual: bool = False,
) -> Edited:
    """Take a caller's own request for one upstream, with the further edits of its own: these see it as it came.

    `usual`: whether its conversation is; see `is_usual`.
    """
    table = (*further, *REQUESTS)
    return edited(request, body, Own(request.model, refused, limit), seldom(table) if usual else table)


def seldom(table: Iterable[RequestEdit[Own]]) -> tuple[RequestEdit[Own], ...]:
    """Give the edits that may have to do with a request whose conversation is usual."""
    return tuple(edit for edit in table if not edit.unusual)
