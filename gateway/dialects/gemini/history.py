"""A conversation in the order and the form that the upstream demands.

    user ─► model [thoughts, words, calls] ─► results, one for each call, in call order ─► user ─► model …

Consecutive turns of one speaker become one; results are found by id wherever they stand before the next model
turn. Newer Gemini models answer badly when words stand beside function responses, so these get a turn of their own.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, TypedDict

from msgspec import Raw, Struct
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.content import IMAGES
from gateway.dialects.outbound import unread
from gateway.dialects.raw import FIELDS, read
from gateway.errors import InvalidRequest

from .executed import executed
from .names import NameMap, map_id
from .signatures import NOT_OURS, Replay

__all__ = [
    "ANSWERED_LATER",
    "BEGUN",
    "CONTINUED",
    "EMPTY",
    "GO_ON",
    "INTERRUPTED",
    "NOT_OURS",
    "NO_CALL",
    "REMINDED",
    "SAID",
    "SAID_BACK",
    "SHOWN",
    "SHOWN_BACK",
    "Content",
    "Step",
    "answers",
    "arrange",
    "leads_with_thoughts",
    "orphan",
    "orphaned",
    "ranks",
    "reminder",
    "takes_blank",
    "text_of",
    "unique",
    "with_blanks",
    "write_contents",
]

ANSWERED_LATER: Final = "a later result for the same call replaces it"
REMINDED: Final = "instructions are not possible within a conversation here: sent as a user message"
BEGUN: Final = "this model rejects a response that the caller has begun: it is asked to go on"
CONTINUED: Final = ir.Text(text="(conversation continues)")
EMPTY: Final = ir.Text(text="(empty)")
GO_ON: Final = ir.Text(text="Continue from where you stopped.")
SAID: Final = ir.Text(text="[said by the assistant:]")
SAID_BACK: Final = "this model takes back only what it has signed: sent as the user's"
SHOWN: Final = ir.Text(text="[shown by the assistant:]")
SHOWN_BACK: Final = "images of a response are sent back as the user's"
INTERRUPTED: Final = ir.Text(text="[no result: the tool call was interrupted]")
NO_CALL: Final = "the call of this result is not in the conversation: sent as text"

_BY_MODEL: Final[dict[type, bool]] = {ir.Thinking: True, ir.ToolCall: True, ir.ToolResult: False}
_CALLS_LAST: Final[dict[type, int]] = {ir.ToolCall: 2}
_THOUGHTS_FIRST: Final[dict[type, int]] = {ir.Thinking: 0, ir.ToolCall: 2}

_PLAIN: Final = "text/plain"  # all text is that for Claude
_WORDS: Final = re.compile(r"text/.+|application/json")
_CLAUDE_MEDIA: Final = IMAGES | {"application/pdf", _PLAIN}
_MEDIA: Final[dict[ir.Family, re.Pattern[str]]] = {
    "gemini": re.compile(r"(?:image|audio|video|text)/.+|application/(?:pdf|json)"),
    "claude": re.compile("|".join(map(re.escape, sorted(_CLAUDE_MEDIA)))),
    "openai": re.compile(r"(?!)"),  # gpt-oss reads text only
}
_NO_DOUBLE: Final = re.compile(r"\d{16}|\d[eE]\+?\d{3}")  # how a number may look that is none: 1e400
_MAX_BRACKETS: Final = 64
_REFERENCE: Final = '"$ref"'  # Gemini takes its value for the name of a file beside the result


class Step(Struct, frozen=True):
    """One content to send: a user's, a model's, or the results (`tool`) for the model step before it."""

    role: Literal["user", "model", "tool"]
    parts: tuple[ir.Part, ...]

    @property
    def calls(self) -> bool:
        """Whether the model calls tools here."""
        return self.role == "model" and isinstance(self.parts[-1], ir.ToolCall)


class Content(TypedDict):
    """One entry of `contents`."""

    role: str
    parts: list[object]


class _Group(Struct):
    """What one speaker says in a row."""

    model: bool
    parts: list[ir.Part]


def arrange(turns: Sequence[ir.Turn], replay: Replay, losses: list[ir.Loss]) -> list[Step]:
    """Order the turns, mend what is missing, make the call ids legal and unique; [] when there is nothing in them.

    Where the user has the last word, and it is empty, the model is not to go on with its own.
    """
    groups = _groups(turns, replay, losses)
    if replay.family == "claude":
        groups = _handed_over(groups, losses, _is_media)
    elif not replay.unsigned:
        groups = _handed_over(groups, losses, _is_unsigned)
    if not groups:
        return []
    if groups[0].model:
        groups.insert(0, _Group(model=False, parts=[CONTINUED]))
    steps = list(_steps(groups, replay, losses))
    if steps[-1].role == "model" and turns[-1].role == "user":
        steps.append(Step("user", (EMPTY,)))
    if not replay.begun and steps[-1].role == "model":
        losses.append(ir.Loss("messages", BEGUN, "change"))
        steps.append(Step("user", (GO_ON,)))
    return steps


def leads_with_thoughts(steps: Sequence[Step]) -> bool:
    """Tell whether each step of the current tool loop that calls tools begins with a thought.

    The loop goes back to the last words of the user; words beside results are part of it.
    """
    plain = [
        place
        for place, step in enumerate(steps)
        if step.role == "user" and (place == 0 or steps[place - 1].role != "tool")
    ]
    loop = steps[plain[-1] + 1 :] if plain else steps
    return all(isinstance(step.parts[0], ir.Thinking) for step in loop if step.calls)


def _groups(turns: Iterable[ir.Turn], replay: Replay, losses: list[ir.Loss]) -> list[_Group]:
    groups: list[_Group] = []
    group: _Group | None = None
    blanks: list[ir.Part] = []  # behind its last part
    claude = replay.family == "claude"
    for turn in turns:
        said = turn.role == "assistant"
        for part in _sent(turn, replay, losses):
            model = _BY_MODEL.get(type(part), said)
            # Gemini refuses empty text, unless it carries a signature; Claude refuses blank text too.
            if isinstance(part, ir.Text) and not (part.text.strip() if claude else part.text or part.signature):
                if group is not None and group.model is model and takes_blank(group.parts[-1], part):
                    blanks.append(part)
                continue
            if group is not None:
                group.parts[-1] = with_blanks(group.parts[-1], blanks)
                blanks.clear()
            if group is None or group.model is not model:
                group = _Group(model=model, parts=[])
                groups.append(group)
            group.parts.append(part)
    if group is not None:
        group.parts[-1] = with_blanks(group.parts[-1], blanks)
    return groups


def takes_blank(last: ir.Part, part: ir.Part) -> bool:
    """Tell whether a part is a blank behind words, which parts them from the next and may not stand alone."""
    return isinstance(last, ir.Text) and isinstance(part, ir.Text) and not part.text.strip()


def with_blanks(last: ir.Part, blanks: Sequence[ir.Part]) -> ir.Part:
    """Give words with the blanks behind them."""
    if not isinstance(last, ir.Text) or not blanks:
        return last
    return replace(last, text="".join(part.text for part in (last, *blanks) if isinstance(part, ir.Text)))


def _handed_over(groups: Iterable[_Group], losses: list[ir.Loss], hands: Callable[[ir.Part], bool]) -> list[_Group]:
    """Let the user show what the model has shown, where its own turns cannot hold it: Claude's have no pictures."""
    handed: list[_Group] = []
    for group in groups:
        theirs = [part for part in group.parts if hands(part)] if group.model else []
        if not theirs:
            _say(handed, group.model, group.parts)
            continue
        said = [part for part in theirs if isinstance(part, ir.Text)]
        shown = [part for part in theirs if isinstance(part, ir.Media)]
        losses += [ir.Loss("messages", SAID_BACK, "change")] if said else []
        losses += [ir.Loss(one.path or "messages", SHOWN_BACK, "change") for one in shown]
        _say(handed, True, [part for part in group.parts if not hands(part)])
        _say(handed, False, [SAID, *said] if said else [])
        _say(handed, False, [SHOWN, *shown] if shown else [])
    return handed


def _is_media(part: ir.Part) -> bool:
    return isinstance(part, ir.Media)


def _is_unsigned(part: ir.Part) -> bool:
    return isinstance(part, ir.Text | ir.Media) and part.signature is None


def _say(groups: list[_Group], model: bool, parts: Sequence[ir.Part]) -> None:
    if parts and groups and groups[-1].model is model:
        groups[-1].parts += parts
    elif parts:
        groups.append(_Group(model=model, parts=list(parts)))


def _sent(turn: ir.Turn, replay: Replay, losses: list[ir.Loss]) -> Iterable[ir.Part]:
    """Give what goes back of a turn."""
    kinds = [*map(type, turn.parts)]
    if turn.places and len(turn.places) == len(turn.parts):
        parts: Iterable[ir.Part] = _replayed(turn, replay, losses)
    else:
        if ir.Thinking in kinds and not turn.places and _sealed(turn):
            losses.append(ir.Loss("messages", NOT_OURS, "hint"))
        parts = replay.parts(_reminder(turn, losses) if turn.role == "system" else turn.parts)
    return _readable(parts, replay.family, losses) if ir.Opaque in kinds else parts


def _sealed(turn: ir.Turn) -> bool:
    return any(isinstance(part, ir.Thinking) and part.redacted for part in turn.parts)


def _replayed(turn: ir.Turn, replay: Replay, losses: list[ir.Loss]) -> Iterator[ir.Part]:
    """Give what goes back of a turn, and tell which thoughts and signatures do not."""
    sent = iter(replay.parts(turn.parts))
    kept = next(sent, None)
    for part, places in zip(turn.parts, turn.places, strict=True):
        back = kept if kept is part or not isinstance(part, ir.Thinking) else None  # other parts always go back
        if back is None or (places and _signed(part) and not _signed(back)):
            losses += [ir.Loss(place, NOT_OURS, "hint") for place in places]
        if back is not None:
            yield back
            kept = next(sent, None)


def _signed(part: ir.Part) -> bool:
    return not isinstance(part, ir.ToolResult | ir.Opaque) and part.signature is not None


def _reminder(turn: ir.Turn, losses: list[ir.Loss]) -> Sequence[ir.Part]:
    rule = "\n".join(part.text for part in turn.parts if isinstance(part, ir.Text))
    others = [part for part in turn.parts if not isinstance(part, ir.Text)]
    if not rule.strip():
        return others
    losses.append(ir.Loss("messages", REMINDED, "hint"))
    return [reminder(rule), *others]


def reminder(rule: str) -> ir.Text:
    """Say in the user's place what an instruction says within a conversation."""
    return ir.Text(text=f"<system-reminder>\n{rule}\n</system-reminder>")


def _readable(parts: Iterable[ir.Part], family: ir.Family, losses: list[ir.Loss]) -> Iterator[ir.Part]:
    """Give what this family reads; what Gemini ran, others read in words."""
    for part in parts:
        if not isinstance(part, ir.Opaque) or part.dialect == family == "gemini":
            yield part
        elif (words := executed(part, losses)) is not None:
            yield words
        else:
            losses.append(unread(part))


def _steps(groups: Iterable[_Group], replay: Replay, losses: list[ir.Loss]) -> Iterator[Step]:
    used: dict[str, int] = {}
    calls: list[tuple[ir.ToolCall, str]] = []
    for group in groups:
        if group.model:
            rank = ranks(type(group.parts[0]))
            parts = sorted(group.parts, key=lambda part: rank.get(type(part), 1))
            calls = [(part, unique(part.id, used)) for part in parts if isinstance(part, ir.ToolCall)]
            sent = replay.lead([replace(call, id=upstream) for call, upstream in calls])
            yield Step("model", (*parts[: len(parts) - len(sent)], *sent))
            continue
        results, words = answers(calls, group.parts, losses)
        calls = []
        if results:
            yield Step("tool", results)
        if said := (*_shown(results, replay), *words):
            yield Step("user", said)
    if calls:
        yield Step("tool", answers(calls, [], losses)[0])


def _shown(results: Iterable[ir.Part], replay: Replay) -> Iterator[ir.Media]:
    """Give what the user shows in the place of results that cannot hold media: those before Gemini 3."""
    for result in results:
        if isinstance(result, ir.ToolResult) and not replay.latest:
            yield from _media(result)


def ranks(first: type) -> Mapping[type, int]:
    """Tell what goes first of what a model says, 1 for all else: a thought, which it may itself have begun with.

    Its later thoughts stay between its words then: they are taken back in their order only.
    """
    return _CALLS_LAST if first is ir.Thinking else _THOUGHTS_FIRST


def unique(call_id: str, used: dict[str, int], legal: Callable[[str], str] = map_id) -> str:
    """Give the id to send: legal, and not used before in this conversation. `used`: how often each was asked for."""
    first = upstream = legal(call_id)
    while upstream in used:
        used[first] += 1
        upstream = legal(f"{call_id}_{used[first]}")
    used[upstream] = 1
    return upstream


def answers(
    calls: list[tuple[ir.ToolCall, str]], parts: Sequence[ir.Part], losses: list[ir.Loss]
) -> tuple[tuple[ir.Part, ...], tuple[ir.Part, ...]]:
    """Part the user's turn into one result for each call, and the rest."""
    if not calls and ir.ToolResult not in map(type, parts):
        return (), tuple(parts)
    places: dict[str, list[int]] = {}
    for place, (call, _) in enumerate(calls):
        places.setdefault(call.id, []).append(place)
    found: dict[int, ir.ToolResult] = {}
    rest: list[ir.Part] = []
    for part in parts:
        if not isinstance(part, ir.ToolResult):
            rest.append(part)
        elif part.id not in places:
            rest.extend(orphan(part, losses))
        else:
            waiting = places[part.id]  # calls of one id get their results in order; the last result holds
            place = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            if (before := found.get(place)) is not None:
                same = (before.parts, before.is_error) == (part.parts, part.is_error)
                losses.append(ir.Loss(before.path, ANSWERED_LATER, "hint" if same else "change"))
            found[place] = part
    for place, result in found.items():
        if result.name is not None and result.name != calls[place][0].name:
            losses.append(ir.Loss(f"{result.path}.name", "a result is identified by the name of its call", "hint"))
    results = (
        replace(found.get(place) or _missing(call), id=upstream, name=call.name)
        for place, (call, upstream) in enumerate(calls)
    )
    return tuple(results), tuple(rest)


def _missing(call: ir.ToolCall) -> ir.ToolResult:
    return ir.ToolResult(id=call.id, parts=(INTERRUPTED,), is_error=True)


def orphan(result: ir.ToolResult, losses: list[ir.Loss]) -> Iterator[ir.Part]:
    """Give what the user says in the place of a result without a call: its words, with the id, and its media."""
    losses.append(ir.Loss(result.path, NO_CALL, "change"))
    yield ir.Text(text=orphaned(result.id, text_of(result)))
    yield from _media(result)


def orphaned(call_id: str, words: str = "") -> str:
    """Say in words what the result of a call that is not there says."""
    return f"[tool result {call_id}] {words}".rstrip()


def _media(result: ir.ToolResult) -> list[ir.Media]:
    return [part for part in result.parts if isinstance(part, ir.Media)]


def text_of(result: ir.ToolResult) -> str:
    """Give the words of a result."""
    return "\n".join(part.text for part in result.parts if isinstance(part, ir.Text))


def write_contents(steps: Iterable[Step], names: NameMap, replay: Replay) -> list[Content]:
    """Write the steps as `contents`."""
    return [_content(step, names, replay) for step in steps]


def _content(step: Step, names: NameMap, replay: Replay) -> Content:
    parts: list[object] = [_part(part, names, replay) for part in step.parts]
    return {"role": "model" if step.role == "model" else "user", "parts": parts}


def _part(part: ir.Part, names: NameMap, replay: Replay) -> dict[str, object] | Raw:
    match part:
        case ir.Text():
            written: dict[str, object] = {"text": part.text}
        case ir.Opaque():
            return part.value
        case ir.ToolResult():
            return {"functionResponse": _function_response(part, names, replay)}
        case ir.Media():
            written = _inline(part, replay.family)
        case ir.Thinking():
            written = {"thought": True, "text": part.text}
        case ir.ToolCall():
            name = names.upstream(part.name)
            written = {"functionCall": {**_id(part.id), "name": name, "args": part.arguments}}
    if part.signature is not None:
        written["thoughtSignature"] = part.signature.value
    return written


def _function_response(result: ir.ToolResult, names: NameMap, replay: Replay) -> dict[str, object]:
    text = text_of(result)
    if result.is_error:
        response: object = {"error": text}
    else:
        response = Raw(text.encode()) if _is_object(text) else {"output": text}
    name = names.upstream(result.id if result.name is None else result.name)
    written: dict[str, object] = {**_id(result.id), "name": name, "response": response}
    if replay.latest and (media := _media(result)):
        written["parts"] = [_inline(inner, replay.family) for inner in media]
    return written


def _id(call_id: str) -> dict[str, object]:
    return {"id": call_id} if call_id else {}  # older models on Vertex AI know none


def _is_object(text: str) -> bool:
    """Tell whether text may go as an object: proto Struct turns numbers into doubles and is not nested far."""
    if not text.lstrip().startswith("{") or text.count("{") + text.count("[") > _MAX_BRACKETS or _REFERENCE in text:
        return False
    return read(text, FIELDS) is not None and _NO_DOUBLE.search(text) is None


def _inline(media: ir.Media, family: ir.Family) -> dict[str, object]:
    where = media.path or "messages"
    if media.data is None:
        raise InvalidRequest(f"{where}: this upstream fetches nothing; send the data as base64", param=where)
    kind = _PLAIN if family == "claude" and _WORDS.fullmatch(media.media_type) else media.media_type
    if not _MEDIA[family].fullmatch(kind):
        raise InvalidRequest(f"{where}: this model does not read {media.media_type!r}", param=where)
    return {"inlineData": {"mimeType": kind, "data": media.data}}
