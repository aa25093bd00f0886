"""The table of edits of an answer in Chat Completions that passes, and what tells quickly that it has nothing to do."""

import re
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.dialects import Answering
from gateway.dialects.edits import Edit, ReplyEdit, echoing, mask_message, masking, renamed
from gateway.dialects.place import is_null
from gateway.dialects.raw import MANY, NO_FIELDS, NO_LIST, NULL, RAWS, Fields, read

from .endings import EndedCalls, is_strange, may_call, named
from .numbering import Numbers, tells_of_calls
from .outbound_errors import unnamed

__all__ = ["ENDING", "REPLIES", "screen", "skim", "trim"]

_encode: Final = msgspec.json.Encoder().encode


class _Choice(Struct):
    delta: Raw = NULL
    finish_reason: str | None = None


class _Chunk(Struct):
    choices: list[_Choice] | None = None
    usage: Raw | UnsetType = UNSET


_UNCOUNTED: Final = b',"usage":null'
_SEVERAL: Final = re.compile(rb"\}\s*,\s*\{")
_PADDED: Final = b',"obfuscation":"'
_CHUNK: Final = msgspec.json.Decoder(_Chunk)
_DONE: Final = b"[DONE]"
_ERROR: Final = b'"error"'


def trim(events: bytes, answering: Answering) -> bytes:
    """Take out `"usage":null` where OpenAI has it, as `_uncounted` would; within a text a quotation mark is escaped."""
    if answering.request.include_usage or _UNCOUNTED not in events:
        return events
    return events.replace(_UNCOUNTED + b"}\n\n", b"}\n\n").replace(_UNCOUNTED + _PADDED, _PADDED)


def skim(events: bytes, answering: Answering) -> bool:
    """Tell whether an edit may have to do with events; what stands in a text has its quotation marks escaped."""
    if renamed(answering) or b'"error"' in events or b'"tool_calls"' in events:
        return True
    if b'"usage"' in events and not answering.request.include_usage:
        return True
    if deltas := events.count(b'"delta":{'):  # not null
        if b'"finish_reason":"' in events:
            return True
    elif (deltas := events.count(b'"delta": {')) and b'"finish_reason": "' in events:
        return True
    if deltas != events.count(b'"choices"') or events.count(b'"index"') > deltas:
        return True
    return _SEVERAL.search(events) is not None  # a choice that says nothing at all has no name to be counted by


def screen(data: bytes, answering: Answering) -> bool:
    """Tell whether an edit may have to do with an event."""
    if data == _DONE:
        return False
    if renamed(answering) or b'"error"' in data:
        return True
    chunk = read(data, _CHUNK)
    if chunk is None:
        return True
    if chunk.usage is not UNSET and not answering.request.include_usage:
        return True
    choices = chunk.choices
    if not choices or any(is_strange(one.finish_reason) for one in choices):
        return True
    return any(is_null(one.delta) or tells_of_calls(one.delta) for one in choices)


def _uncounted(fields: Fields, _: Answering) -> Fields | None:
    """Take out the tokens that the caller has not asked for, and the chunk that tells nothing else.

    Not every server gives that one the empty list; a program that goes through the choices fails on null.
    """
    if "usage" not in fields:
        return fields
    if not read(fields.get("choices", NULL), RAWS) and "error" not in fields:
        return None
    return {name: value for name, value in fields.items() if name != "usage"}


def _unfilled(fields: Fields, _: Answering) -> Fields | None:
    """Leave out what holds no choice: Azure's word on the prompt. Tokens that were asked for come so, with a list.

    An error that is an event by itself is put where parsers look for it.
    """
    choices = fields.get("choices", NULL)
    null = is_null(choices)
    if null and "error" not in fields and bytes(fields.get("object", NULL)) == _ERROR:
        return {"error": Raw(_encode({name: value for name, value in fields.items() if name != "object"}))}
    if (not null and read(choices, RAWS) != []) or "error" in fields:
        return fields
    if not is_null(fields.get("usage", NULL)):
        return {**fields, "choices": NO_LIST} if null else fields
    return None if "choices" in fields else fields


def _hollow(fields: Fields, _: Answering) -> Fields | None:
    """Leave out choices without a delta; one that ends its answer gets an empty one."""
    choices = read(fields.get("choices", NULL), MANY)
    if not choices or all(map(_says, choices)):
        return fields
    given = [one if _says(one) else {**one, "delta": NO_FIELDS} for one in choices if _says(one) or _ends(one)]
    return {**fields, "choices": Raw(_encode(given))} if given else None


def _says(choice: Fields) -> bool:
    return not is_null(choice.get("delta", NULL))


def _ends(choice: Fields) -> bool:
    return not is_null(choice.get("finish_reason", NULL))


def _has_asked(answering: Answering) -> bool:
    return bool(answering.request.include_usage)


REPLIES: Final[tuple[ReplyEdit, ...]] = (
    echoing("model"),
    ReplyEdit(
        name="uncounted",
        why="the caller has not asked for usage",
        apply=_uncounted,
        wanted=lambda answering: not _has_asked(answering),
    ),
    ReplyEdit(
        name="unfilled",
        why="Azure's first chunk has no choice, and parsers fail on it; an error of vLLM's older form they pass over",
        apply=_unfilled,
    ),
    ReplyEdit(name="hollow", why="parsers fail on a choice without a delta", apply=_hollow),
    ReplyEdit(
        name="numbered",
        why="parsers fail on a piece of a call without an index or an ID, and concatenate repeated names; some take a "
        "list of no calls for a call",
        begin=Numbers,
    ),
    ReplyEdit(
        name="finish",
        why="parsers fail on a finish reason that OpenAI does not have: it stays as native_finish_reason",
        apply=named,
    ),
    ReplyEdit(
        name="called",
        why="some servers end calls with `stop`, and agents end there",
        begin=EndedCalls,
        wanted=may_call,
        whole=True,
    ),
    masking(mask_message(unnamed, "error")),
)
ENDING: Final = Edit(
    name="done", why="some servers do not say [DONE] at the end, or why they end, and parsers wait for it", on="reply"
)
