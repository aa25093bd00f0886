"""The table of edits where a caller of OpenAI Responses is served by an upstream that speaks it too.

All else of a request and of its answer passes byte for byte, the names of what the upstream keeps among it.
"""

from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.edits import (
    DAMAGED,
    FOREIGN_THOUGHTS,
    LINES,
    ONCE,
    UNREADABLE,
    Edit,
    ReplyEdit,
    RequestEdit,
    Words,
    echoing,
    edited,
    mask_message,
    masking,
    mended,
    table_of,
    take_model,
)
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.openai_chat.call_ids import shortened
from gateway.dialects.openai_chat.outbound_errors import unnamed
from gateway.dialects.openai_chat.outbound_models import named_effort
from gateway.dialects.openai_chat.room import shorten
from gateway.dialects.outbound import (
    NOT_SUPPORTED,
    REFUSED,
    RESULTS,
    ROOM,
    TIES,
    OpenAITarget,
    OpenAIWritten,
    lost_with,
)
from gateway.dialects.place import is_null
from gateway.dialects.raw import FIELDS, NULL, RAWS, TEXT, Fields, read

from .answer import ITEM_ID
from .complete import whole
from .edits_items import rephrase
from .edits_results import answer
from .ran import RAN

__all__ = ["REPLIES", "TABLE", "Untyped", "pass_through"]

_Words = Words[OpenAITarget]

_TEXTS: Final = msgspec.json.Decoder(list[str])
_FLAG: Final = msgspec.json.Decoder(bool)
_VALUE: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode

_ERROR: Final = Raw(b'"error"')
_FAULT: Final = "error"
_REASONING: Final = "reasoning"
_EFFORT: Final = "effort"
_INCLUDE: Final = "include"
_INPUT: Final = "input"
_SEALED: Final = "reasoning.encrypted_content"
_SEAL: Final = "encrypted_content"
_SIGNATURE: Final = "signature"  # of Claude's or Gemini's thoughts, as LangChain goes on with them
# where there are some that may not be the upstream's own
_THOUGHTS: Final = (b'"encrypted_content"', b'"rs_', b'"signature"')
# whose ids tie them to thoughts
_SAID: Final = frozenset({"message", "function_call", "custom_tool_call", *(ran.item for ran in RAN.values())})
_CALL_ID: Final = "call_id"
_LONGEST_ID: Final = 64
_PREVIOUS: Final = "previous_response_id"
_ELSEWHERE: Final = "only the account that this thought belongs to can read it"
# what is refused: the member in which it stands, and its name there
_WITHIN: Final = {
    "reasoning_effort": (_REASONING, _EFFORT),
    "reasoning_summary": (_REASONING, "summary"),
    "verbosity": ("text", "verbosity"),
}


def _defaults(words: _Words) -> None:
    """Fill in what [defaults] has and the caller left out."""
    sampling = words.request.sampling
    filled = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_output_tokens": sampling.max_tokens,
    }
    for name, value in filled.items():
        if value is not None and not words.has(name):
            words.put(name, value)


def _history(words: _Words) -> None:
    """Put what this gateway keeps of the conversation in the place of the ids that stand for it."""
    thread = words.request.thread
    here = words.target.upstream if words.target.keeps else ""
    at_home = thread is not None and thread.kept_at == here and thread.kept_at != ""
    if thread is not None and thread.before and words.has(_PREVIOUS) and not at_home:
        words.put(_INPUT, [*thread.before, *thread.items])
        words.drop(_PREVIOUS)
    elif thread is not None and thread.filled:
        words.put(_INPUT, thread.items)


def _refused(words: _Words) -> None:
    """Leave out what this upstream or model has refused before, or say what it takes in its place."""
    if words.target.efforts:
        _lower(words)
    for name in words.target.refused:
        if name in _WITHIN:
            _drop_within(words, *_WITHIN[name])
        elif name == _SEALED:
            _unseal(words)
        elif name == ROOM:
            shorten(words, "max_output_tokens")
        elif name == RESULTS:
            answer(words)
        elif name == TIES:
            _untie(words)
        elif words.has(name):
            severity = lost_with(name, words.get(name, _VALUE))
            words.drop(name)
            if severity is not None:
                words.lose(name, NOT_SUPPORTED, severity)


def _lower(words: _Words) -> None:
    """Have a model think as much as it can, of what it has named."""
    given = words.get(_REASONING, FIELDS) or {}
    if _EFFORT not in given:
        return
    effort, reason = named_effort(words.request.reasoning, words.target)
    if effort is None:
        _drop_within(words, _REASONING, _EFFORT, reason)
    elif reason:
        words.put(_REASONING, {**given, _EFFORT: effort})
        words.lose(f"{_REASONING}.{_EFFORT}", reason)


def _drop_within(words: _Words, member: str, name: str, reason: str = NOT_SUPPORTED) -> None:
    given = words.get(member, FIELDS)
    if given is None or name not in given:
        return
    words.lose(f"{member}.{name}", reason)
    kept = {one: value for one, value in given.items() if one != name}
    if kept:
        words.put(member, kept)
    else:
        words.drop(member)


def _unseal(words: _Words) -> None:
    """Ask for no sealed thoughts."""
    given = words.get(_INCLUDE, _TEXTS) or []
    kept = [one for one in given if one != _SEALED]
    if len(kept) < len(given):
        words.lose(f"{_INCLUDE}[{given.index(_SEALED)}]", NOT_SUPPORTED)
        words.put(_INCLUDE, kept)


def _untie(words: _Words) -> None:
    """Take the ids of what the model has said, by which the upstream finds that it had thoughts; shorten the others."""
    items: list[Raw] = words.get(_INPUT, RAWS) or []
    after = mended(items, lambda _, one: _untied(one))
    if after is not None:
        words.put(_INPUT, after)


def _untied(raw: Raw) -> Raw:
    fields = read(raw, FIELDS) or {}
    kind, call_id = (read(fields.get(name, NULL), TEXT) for name in ("type", _CALL_ID))
    if call_id is not None and (short := shortened(call_id, _LONGEST_ID)) is not call_id:
        fields[_CALL_ID] = Raw(_encode(short))
        raw = Raw(_encode(fields))
    return _unnamed(fields) if kind is not None and kind in _SAID and "id" in fields else raw


def _own(words: _Words) -> None:
    """Take thoughts out of the envelope of this gateway, and leave out those of another family or account."""
    given = words.fields.get(_INPUT, NULL)
    if words.target.keeps and not any(mark in bytes(given) for mark in _THOUGHTS):
        return
    items = read(given, RAWS) or []
    nameless = not words.target.keeps or words.get("store", _FLAG) is False  # an id would be looked up
    after = mended(items, lambda place, one: _item(one, f"input[{place}]", words, nameless=nameless))
    left = None if after is None else [one for one in after if one is not None]
    if left is not None and (left or words.target.keeps):  # a request for nothing is no way out
        words.put(_INPUT, left)


def _item(raw: Raw, path: str, words: _Words, *, nameless: bool) -> Raw | None:
    fields = read(raw, FIELDS)
    if fields is None:
        return raw
    kind = read(fields.get("type", NULL), TEXT)
    if kind in _SAID and nameless and "id" in fields:
        return _unnamed(fields)
    if kind != _REASONING:
        return raw
    seal = read(fields.get(_SEAL, NULL), TEXT)
    if seal and not words.target.signatures:
        words.lose(path, UNREADABLE)
        return None
    elsewhere = ITEM_ID.fullmatch(read(fields.get("id", NULL), TEXT) or "") or _SIGNATURE in fields
    if not seal and (elsewhere or not words.target.keeps):  # the upstream would look for what it never made
        words.lose(path, FOREIGN_THOUGHTS if elsewhere else _ELSEWHERE)
        return None
    if not seal or not ir.is_sealed(seal):
        return _unnamed(fields) if seal and nameless and "id" in fields else raw
    signature = ir.unseal(seal)
    if signature is not None and signature.issuer == "openai" and signature.value:
        said = {**fields, _SEAL: Raw(_encode(signature.value))}
        return _unnamed(said) if elsewhere or nameless else Raw(_encode(said))
    words.lose(path, DAMAGED if signature is None else FOREIGN_THOUGHTS)
    return None


def _unnamed(fields: Fields) -> Raw:
    return Raw(_encode({name: value for name, value in fields.items() if name != "id"}))


def _went_on(fields: Fields, answering: Answering) -> Fields:
    """Name the response that this one goes on from, where the upstream was told the whole conversation instead."""
    within = read(fields["response"], FIELDS) if "response" in fields else None
    response = fields if within is None else within
    thread = answering.request.thread
    if thread is None or _PREVIOUS not in response or not is_null(response[_PREVIOUS]):
        return fields
    named = {**response, _PREVIOUS: Raw(_encode(thread.previous))}
    return named if within is None else {**fields, "response": Raw(_encode(named))}


def _goes_on(answering: Answering) -> bool:
    thread = answering.request.thread
    return thread is not None and bool(thread.before)


_mask_event: Final = mask_message(unnamed)
_mask_error: Final = mask_message(unnamed, "error")
_mask_failed: Final = mask_message(unnamed, "response", "error")


def _mask(fields: Fields, answering: Answering) -> Fields:
    if fields.get("type") == _ERROR:
        return _mask_error(_mask_event(fields, answering), answering)
    return _mask_failed(fields, answering)


REQUESTS: Final[tuple[RequestEdit[OpenAITarget], ...]] = (
    RequestEdit(name="model", why="this upstream's name for the model", apply=take_model),
    RequestEdit(name="history", why="the conversation is stored here, not upstream", apply=_history),
    RequestEdit(name="defaults", why="[defaults], because the caller left it out", apply=_defaults),
    RequestEdit(
        name="items",
        why="this upstream has rejected what Codex or an SDK adds to the input: tools and settings are declared with "
        "the request",
        apply=rephrase,
    ),
    RequestEdit(name="refused", why=REFUSED, apply=_refused),
    RequestEdit(
        name="own",
        why="neither this gateway's envelopes nor what another account or nobody keeps is sent upstream",
        apply=_own,
    ),
    RequestEdit(  # last: what is left of the input, with IDs that nobody looks up
        name="whole",
        why="this upstream has rejected items without what OpenAI fills in: types, IDs, a status, annotations",
        apply=whole,
    ),
)


class Untyped:
    """Leaves out errors in the form of Chat Completions, as routers have them: they are told as clients read them."""

    def __init__(self) -> None:
        self._left_out = False

    def __call__(self, fields: Fields, _: Answering) -> Fields | None:
        """Leave out an event that is one."""
        if _FAULT not in fields or "type" in fields:
            return fields
        self._left_out = True
        return None

    def hears(self, _events: bytes) -> bool:
        """Tell whether the caller hears of an error that the upstream has told."""
        return not self._left_out


REPLIES: Final[tuple[ReplyEdit, ...]] = (
    echoing("model", within="response"),
    ReplyEdit(
        name="previous",
        why="the upstream was sent the conversation that this gateway keeps, not its ID",
        apply=_went_on,
        wanted=_goes_on,
        whole=True,
    ),
    ReplyEdit(
        name="untyped",
        why="parsers fail on an event without a type: the error is told by response.failed",
        begin=Untyped,
    ),
    masking(_mask),
)
ENDED: Final = Edit(
    name="ended",
    why="some servers leave out the last event though every item is complete, or behind an error, call it "
    "response.done, or leave out its output: parsers wait for the one and read the other",
    on="reply",
)
TABLE: Final = table_of((ONCE, *REQUESTS, *REPLIES, ENDED, LINES))
_UNREFUSED: Final = tuple(edit for edit in REQUESTS if edit.apply not in (rephrase, _refused, whole))


def screen(data: bytes, _: Answering) -> bool:
    """Tell whether an edit may have to do with an event."""
    return b'"model"' in data or b'"error"' in data


def pass_through(request: ir.Request, body: Raw, target: OpenAITarget) -> OpenAIWritten:
    """Take a caller's own request for one upstream."""
    found = edited(request, body, target, REQUESTS if target.refused or target.efforts else _UNREFUSED)
    return OpenAIWritten(
        body={},
        names=NameMap([]),
        namespaces={tool.name: tool.namespace for tool in request.tools if tool.namespace},
        native=found.body,
        losses=found.losses,
        edits=found.edits,
    )
