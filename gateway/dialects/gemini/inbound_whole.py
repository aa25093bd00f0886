"""Write a whole GenerateContentResponse: translated, or an upstream's own chunks put together.

One chunk goes out byte for byte. Of several the later word holds, parts follow each other, and words of one kind become
one part, unless a signature is on them: that is good for its own words only.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.raw import FIELDS, MANY, NO_FIELDS, NO_LIST, NO_TEXT, NULL, RAWS, TEXT, Fields, read

from .inbound_answer import JSON, breaks_off, encode, ended, ending, frame, part, placed, sources
from .logprobs import average, write_logprobs

__all__ = ["closed", "joined", "write_whole"]


_TOKENS: Final = msgspec.json.Decoder(dict[str, float | list[Raw]])
_encode: Final = msgspec.json.Encoder().encode

_WORDS: Final = frozenset({"text", "thought"})
_NOTHING: Final = (NULL, NO_FIELDS, NO_LIST)
_LIKELY: Final = "logprobsResult"
_CALL, _REASON = b'"functionCall"', b'"finishReason"'
_STOP: Final = Raw(b'"STOP"')


def write_whole(reply: ir.Reply, answering: Answering) -> bytes:
    """Write the body of a whole answer."""
    parts, found = _said(reply, answering)
    written = ending(reply.finish, reply.usage, parts, found, said=bool(parts) or bool(reply.others))
    if reply.others:
        others = [ended(one.finish, *_said(one, answering), at) for at, one in enumerate(reply.others, 1)]
        written["candidates"] = [ended(reply.finish, parts, found), *others]
    return encode({**written, **frame(answering)})


def _said(reply: ir.Reply, answering: Answering) -> tuple[list[JSON], JSON]:
    """Write the parts of an answer, and what stands beside them."""
    visible = bool(answering.request.reasoning.visible)
    told = reply.parts[:-1] if reply.parts and breaks_off(reply.parts[-1], reply.finish) else reply.parts
    shown = [block for block in told if visible or not isinstance(block, ir.Thinking)]
    parts = _together(part(block, answering) for block in shown if _says(block))
    tokens = [token for block in shown if isinstance(block, ir.Text) for token in block.logprobs]
    return parts, sources(reply.opaque, [*_placed(reply)]) | write_logprobs(tokens) | average(tokens)


def _says(block: ir.ReplyPart) -> bool:
    return not isinstance(block, ir.Text | ir.Thinking) or bool(block.text or block.signature)


def _together(parts: Iterable[JSON]) -> list[JSON]:
    """Make one part of words that follow each other."""
    runs: list[list[JSON]] = []
    for one in parts:
        if runs and one.keys() == runs[-1][0].keys() <= _WORDS:
            runs[-1].append(one)
        else:
            runs.append([one])
    return [{**run[0], "text": "".join(str(one["text"]) for one in run)} if len(run) > 1 else run[0] for run in runs]


def _placed(reply: ir.Reply) -> Iterator[ir.CitationDelta]:
    before = 0
    cited = ir.cited_texts(reply)
    for at, block in enumerate(reply.parts if cited else ()):
        if isinstance(block, ir.Text):
            data = block.text.encode()
            yield from placed(cited.get(at, ()), data, before)
            before += len(data)


def joined(chunks: Sequence[Raw]) -> bytes:
    """Put the chunks of an upstream's own answer together."""
    whole: dict[str, object] = {}
    usage: Fields = {}
    candidates: dict[bytes, _Candidate] = {}
    for chunk in chunks:
        fields = {name: value for name, value in FIELDS.decode(chunk).items() if value not in _NOTHING}
        counts = read(fields.pop("usageMetadata", NO_FIELDS), FIELDS)
        usage |= counts or {}  # a later one may hold none
        for one in _objects(fields.pop("candidates", NO_LIST)):
            candidates.setdefault(bytes(one.get("index", b"0")), _Candidate()).add(one)
        whole |= fields
    said = {"candidates": [one.written() for one in candidates.values()]} if candidates else {}
    counted = {"usageMetadata": usage} if usage else {}
    return _encode({**said, **counted, **whole})


def closed(body: bytes) -> bytes:
    """Give candidates that call a function their end, if the upstream's own answer has none."""
    fields = read(Raw(body), FIELDS) if _CALL in body and _REASON not in body else None
    given = read((fields or {}).get("candidates", NULL), MANY)
    if fields is None or given is None:
        return body
    calling = [_CALL in bytes(one.get("content", NULL)) for one in given]
    told = [{**one, "finishReason": _STOP} if calls else one for one, calls in zip(given, calling, strict=True)]
    return _encode({**fields, "candidates": told})


class _Candidate:
    """One candidate of all chunks."""

    def __init__(self) -> None:
        self._fields: Fields = {}
        self._content: Fields = {}
        self._runs: list[list[Fields]] = []  # of parts, or of words that are one
        self._told: list[Raw] = []  # how likely the tokens of each chunk are

    def add(self, fields: Fields) -> None:
        """Take what a chunk says of it."""
        given = {name: value for name, value in fields.items() if value not in _NOTHING}
        content = read(given.pop("content", NO_FIELDS), FIELDS) or {}
        parts = content.pop("parts", NO_LIST)
        if _LIKELY in given:  # of the tokens of this chunk
            self._told.append(given[_LIKELY])
        self._content |= content
        self._fields |= given
        for one in () if parts in _NOTHING else _objects(parts):
            self._join(one)

    def written(self) -> JSON:
        """Give it whole."""
        whole = list(map(_one, self._runs))
        parts = [one for one in whole if one != {"text": NO_TEXT}] or whole[:1]
        content = {"content": {**self._content, "parts": parts}} if parts else {}
        told = {_LIKELY: _together_told(self._told)} if len(self._told) > 1 else {}
        return {**content, **self._fields, **told}

    def _join(self, one: Fields) -> None:
        last = self._runs[-1][0] if self._runs else {}
        if _is_words(one) and _is_words(last) and one.get("thought") == last.get("thought"):
            self._runs[-1].append(one)
        else:
            self._runs.append([one])


def _objects(given: Raw) -> Sequence[Fields]:
    """Give the objects of a list, in which null may stand in the place of one."""
    found = read(given, MANY)
    if found is not None:
        return found
    return [fields for one in read(given, RAWS) or () if (fields := read(one, FIELDS)) is not None]


def _one(run: Sequence[Fields]) -> Fields:
    """Make one part of words that follow each other."""
    if len(run) == 1:
        return run[0]
    return {**run[0], "text": Raw(_encode("".join(TEXT.decode(one["text"]) for one in run)))}


def _together_told(chunks: Sequence[Raw]) -> Raw:
    """Join what is said of the tokens of chunks: lists follow each other, a sum grows; of what is unknown the last."""
    told: dict[str, float | list[Raw]] | None = None
    for chunk in chunks:
        more = read(chunk, _TOKENS)
        if told is None or more is None:
            told = more
            continue
        for name, value in more.items():
            given = told.get(name)
            if isinstance(given, list) and isinstance(value, list):
                given += value
            else:
                told[name] = given + value if isinstance(given, float) and isinstance(value, float) else value
    return chunks[-1] if told is None else Raw(_encode(told))


def _is_words(one: Fields) -> bool:
    return one.keys() <= _WORDS and bytes(one.get("text", NULL)).startswith(b'"')
