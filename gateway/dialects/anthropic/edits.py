"""The table of edits where an Anthropic caller is served by an upstream that speaks Messages too.

All else of a request and of its answer passes byte for byte. What is mended in the conversation stands in
`edits_messages` and `edits_results`.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.edits import (
    LINES,
    ONCE,
    ReplyEdit,
    RequestEdit,
    Words,
    echoing,
    edited,
    mask_message,
    masking,
    table_of,
    take_model,
)
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.request import NOT_BESIDE_THINKING, beside_each_other, beside_thinking
from gateway.dialects.gemini.thinking import Conflict
from gateway.dialects.gemini.thinking import plan as plan_budget
from gateway.dialects.openai_chat.outbound_errors import unnamed
from gateway.dialects.outbound import DRAWING
from gateway.dialects.raw import FIELDS, NULL, TEXT, Fields, read
from gateway.upstream import Edit

from .edits_ids import legal
from .edits_messages import even, filled, headed, led, shown, thoughtful, unmarked, unsealed
from .edits_refused import RESHAPED, bared, loosened, reshaped, rethought, shortened, untyped
from .edits_results import answered, ordered
from .edits_strays import adrift, continued, crowded, named, seen, worded
from .outbound_request import AnthropicWritten
from .outbound_target import NO_THINKING, UNFORCED
from .outbound_thinking import Thinking
from .unknown import Path

__all__ = ["ENVELOPE", "REPLIES", "TABLE", "Own", "hears", "pass_through", "screen"]


class Own(Struct, frozen=True, kw_only=True):
    """Whom a caller's own words are for. `forced`, `sampling`, `both_samplings`: see AnthropicTarget.

    `refused`: the causes of refusals that are known, or have just come; `unknown`: the fields that these were about;
    `efforts`: those that the model has named when it refused another.
    `thinking`: how this model is told to think as much as the caller wants, once it has refused the caller's way.
    """

    model: str
    max_output: int | None = None
    forced: bool = True
    sampling: bool = True
    both_samplings: bool = True
    thinking_conflict: Conflict = "clamp"
    refused: Collection[str] = frozenset()
    unknown: Collection[Path] = ()
    efforts: tuple[str, ...] = ()
    thinking: Thinking | None = None


_Words = Words[Own]

_INT: Final = msgspec.json.Decoder(int)
_NUMBER: Final = msgspec.json.Decoder(float)

_THINKING: Final = "thinking"
_CHOICE: Final = "tool_choice"
_FORCED: Final = ("any", "tool")
_DRAWING: Final = ("temperature", "top_p", "top_k")
_INTERLEAVED: Final = "interleaved-thinking-"  # with which a budget may be larger than one answer
_NOT_FORCED: Final = "a thinking model cannot be forced to call a tool: the call was made optional"
_DRAWN: Final = "this model does not support sampling settings"
_APART: Final = {"temperature": ("top_p",), "top_p": ("temperature",)}
_NOT_FILLED: Final = "it comes from [defaults], and this model does not support it"


def _defaults(words: _Words) -> None:
    """Fill in what [defaults] has and the caller left out, and the limit that Anthropic demands."""
    sampling, most = words.request.sampling, words.target.max_output
    if sampling.max_tokens is not None and not words.has("max_tokens"):
        words.put("max_tokens", sampling.max_tokens if most is None else min(sampling.max_tokens, most))
    taken = words.target.sampling and not _thinks(words)
    for name in _DRAWING:
        value = getattr(sampling, name)
        if value is None or words.has(name):
            continue
        if taken and (words.target.both_samplings or not words.has(*_APART.get(name, ()))):
            words.put(name, min(value, 1) if name == "temperature" else value)
        else:
            words.lose(name, _NOT_FILLED)


def _thinks(words: _Words) -> bool:
    thinking = words.get(_THINKING, FIELDS) or {}
    return read(thinking.get("type", NULL), TEXT) not in (None, "disabled")


def _fitted(words: _Words) -> None:
    """Keep a budget below the limit of the answer, as translate.thinking_conflict says."""
    thinking, limit = words.get(_THINKING, FIELDS), words.get("max_tokens", _INT)
    budget = read((thinking or {}).get("budget_tokens", NULL), _INT)
    interleaved = any(beta.startswith(_INTERLEAVED) for beta in words.request.betas)
    if thinking is None or limit is None or budget is None or budget < limit or interleaved:
        return
    if read(thinking.get("type", NULL), TEXT) != "enabled":
        return
    planned = plan_budget(
        ir.Reasoning(mode="budget", budget=budget, visible=True),
        limit,
        model=words.target.model,
        family="claude",
        limit=words.target.max_output,
        conflict=words.target.thinking_conflict,
    )
    words.losses += planned.losses
    if planned.max_tokens is not None and planned.max_tokens != limit:
        words.put("max_tokens", planned.max_tokens)
    if planned.config is None:
        words.drop(_THINKING)
    elif planned.config["thinkingBudget"] != budget:
        words.put(_THINKING, {**thinking, "budget_tokens": planned.config["thinkingBudget"]})


def _refused(words: _Words) -> None:
    """Leave out, or say otherwise, what this upstream or model has refused before."""
    refused = words.target.refused
    if refused:
        rethought(words)
        for cause, mend in _MENDS.items():
            if cause in refused:
                mend(words)


def _thoughtless(words: _Words) -> None:
    if _thinks(words):
        words.drop(_THINKING)
        words.lose(_THINKING, NO_THINKING, "change")


def _alone(words: _Words) -> None:
    temperature, top_p = (words.get(name, _NUMBER) for name in ("temperature", "top_p"))
    if temperature is not None and top_p is not None:
        _undrawn(words, (beside_each_other(temperature, top_p, words.request.filled),), _DRAWN)


_MENDS: Final[Mapping[str, Callable[[_Words], None]]] = {  # by the cause of a refusal
    "limit": shortened,
    "room": shortened,
    "funds": shortened,
    "thinking": _thoughtless,
    "echoes": thoughtful,
    "turn_config": even,
    "system_turns": headed,
    "strictness": loosened,
    **{cause: reshaped(cause) for cause in RESHAPED},
    "references": named,
    "typed_tools": untyped,
    "unknown": bared,
    "drawing": lambda words: _undrawn(words, _DRAWING, _DRAWN),
    "both": _alone,
    "unanswered": adrift,
    "blanks": worded,
    "crowded": crowded,
    "pictures": seen,
    "begun": continued,
}


def _untuned(words: _Words) -> None:
    """Leave out what Claude does not take while it thinks: other models behind this dialect may."""
    if _THINKING not in words.fields or not words.has(*_DRAWING) or not _thinks(words):
        return
    if "drawing_thinking" not in words.target.refused and ir.family_of(words.target.model) != "claude":
        return
    given = {name: words.get(name, _NUMBER) for name in _DRAWING}
    apart = [name for name, value in given.items() if value is not None and not beside_thinking(name, value)]
    _undrawn(words, apart, NOT_BESIDE_THINKING)


def _undrawn(words: _Words, names: Iterable[str], why: str) -> None:
    for name in names:
        if words.has(name):
            value = words.get(name, _NUMBER)
            words.drop(name)
            words.lose(name, why, "hint" if value is not None and value == DRAWING.get(name) else "change")


def _unforced(words: _Words) -> None:
    """Let a model that thinks choose by itself: Anthropic refuses both at once."""
    if not words.has(_CHOICE):
        return
    choice = words.get(_CHOICE, FIELDS)
    kind = read((choice or {}).get("type", NULL), TEXT)
    thinking = words.get(_THINKING, FIELDS) or {}
    enabled = read(thinking.get("type", NULL), TEXT) == "enabled"
    free = not words.target.forced
    if choice is None or kind not in _FORCED or not (free or enabled or "choice" in words.target.refused):
        return
    kept = {name: value for name, value in choice.items() if name != "name"}
    words.put(_CHOICE, {**kept, "type": "auto"})
    words.lose(_CHOICE, UNFORCED if free else _NOT_FORCED, "change")


def _unvertexed(fields: Fields, _: Answering) -> Fields | None:
    return None if bytes(fields.get("type", NULL)) == _VERTEX_EVENT else fields


REQUESTS: Final[tuple[RequestEdit[Own], ...]] = (
    RequestEdit(name="model", why="this upstream's name for the model", apply=take_model),
    RequestEdit(
        name="own",
        why="this gateway's envelope around signatures is not sent upstream; LangChain leaves out empty thoughts",
        apply=unsealed,
    ),
    RequestEdit(name="blank", why="Anthropic rejects blank text of the model, also at the end", apply=filled),
    RequestEdit(name="shown", why="images of another model cannot stand in a model's message", apply=shown),
    RequestEdit(name="defaults", why="[defaults], and max_tokens, which Anthropic requires", apply=_defaults),
    RequestEdit(
        name="refused",
        why="this upstream has rejected the field for this model, results without calls, blank texts, many marks or "
        "pictures of another type",
        apply=_refused,
    ),
    RequestEdit(name="budget", why="translate.thinking_conflict: a budget below max_tokens", apply=_fitted),
    RequestEdit(name="drawing", why="Claude rejects sampling settings while it thinks", apply=_untuned),
    RequestEdit(
        name="unforced",
        why="Anthropic rejects a forced tool call while a model thinks, and newer models reject any",
        apply=_unforced,
    ),
    RequestEdit(name="marks", why="Anthropic rejects cache_control on thoughts", apply=unmarked),
    RequestEdit(
        name="ids",
        why="Anthropic accepts tool IDs of letters, digits, _ and - only, one for each call; Kimi says nothing behind "
        "those of others",
        apply=legal,
    ),
    RequestEdit(name="results", why="Anthropic requires one result for each call, directly after it", apply=answered),
    RequestEdit(name="order", why="Anthropic requires tool results at the start of a message", apply=ordered),
    RequestEdit(name="head", why="Anthropic accepts instructions before a conversation in `system` only", apply=led),
)
REPLIES: Final[tuple[ReplyEdit, ...]] = (
    ReplyEdit(name="vertex_event", why="Vertex AI's own count of tokens: clients fail on the event", apply=_unvertexed),
    echoing("model", within="message"),
    masking(mask_message(unnamed, "error")),
)
ENVELOPE: Final = Edit(
    name="envelope",
    why="Vertex AI takes the version and the betas from the body, the model from the path, and no `output_format`",
    on="request",
)
_VERTEX_EVENT: Final = b'"vertex_event"'
_ERROR: Final = re.compile(rb"(?m)^event: ?error\r?$")
_ENDING: Final = Edit(
    name="done", why="some servers do not say message_stop at the end, and clients wait for it", on="reply"
)
_NAMING: Final = Edit(
    name="named", why="some servers leave out the names of events, and clients pass over such", on="reply"
)
TABLE: Final = table_of((ONCE, *REQUESTS, ENVELOPE, *REPLIES[:-1], _NAMING, _ENDING, REPLIES[-1], LINES))


def screen(data: bytes, _: Answering) -> bool:
    """Tell whether an edit may have to do with an event."""
    return b"message_start" in data or b'"error"' in data or _VERTEX_EVENT in data


def hears(events: bytes) -> bool:
    """Tell whether an error among events has the name by which callers know it: what has none they pass over."""
    return _ERROR.search(events) is not None


def pass_through(request: ir.Request, body: Raw, target: Own) -> AnthropicWritten:
    """Take a caller's own request for one upstream."""
    found = edited(request, body, target, REQUESTS)
    return AnthropicWritten(body={}, names=NameMap([]), native=found.body, losses=found.losses, edits=found.edits)
