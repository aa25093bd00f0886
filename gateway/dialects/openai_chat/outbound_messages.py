"""Write a conversation as messages.

A `tool` message holds text only: pictures in a result follow in a user message. Thoughts go back to the servers that
demand them with the calls that they led to, as `reasoning_content`; what is signed to those that gave it so, as
`reasoning_details`; the signature of a call to Gemini's own compatible server, as `extra_content`. Nobody else gets any
of them: strict servers refuse fields that they do not know.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any, ClassVar, Final

from msgspec.structs import replace

from gateway import ir
from gateway.dialects.gemini.history import text_of
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.signatures import SENTINEL
from gateway.dialects.gemini.thinking import is_latest
from gateway.dialects.outbound import OpenAITarget, unread
from gateway.dialects.outbound_history import Step, arrange
from gateway.dialects.outbound_marks import Marks

from .answer import free_text
from .attached import below
from .call_ids import NUMBERED, shortened
from .details import Details
from .outbound_parts import Parts

__all__ = ["Conversation", "Message"]

Message = dict[str, object]

_PLAIN: Final = 2  # members of a part that is words alone
_ALONE: Final = "thoughts without a response are not sent back"
_ECHOED: Final = re.compile(r"deepseek|kimi|mimo")  # they refuse calls that come back without the thoughts before them


class Conversation:
    """Writes the messages of one request. `custom`: the free-form tools that are declared as such, by upstream name.

    `marks`: what marks those parts that are to be cached.
    """

    def __init__(
        self,
        request: ir.Request,
        names: NameMap,
        custom: frozenset[str],
        losses: list[ir.Loss],
        target: OpenAITarget,
        marks: Marks | None = None,
    ) -> None:
        model, signed = target.model, target.signatures
        self._request = request
        self._names = names
        self._custom = custom
        self._losses = losses
        self._marks = marks
        sees = target.draws and ir.family_of(model) == "gemini"  # or nobody's: OpenAI's and Anthropic's see no videos
        self._parts = Parts(request.paths, losses, videos=sees, marks=marks)
        echoed = "thoughts" in target.demands or _ECHOED.search(model.lower()) is not None
        self._echoes = signed and echoed and not target.thoughtless
        extra = "extra_content" in target.carriers and ir.is_gemini(model)
        self._signs = signed and extra
        self._sentinels = target.sentinels and extra and is_latest(model)
        detailed = "reasoning_details" in target.carriers
        self._details = Details(model, signed=signed, sentinels=target.sentinels) if detailed else None
        counts = NUMBERED in target.demands
        self._called = names.upstream if counts else None
        self._id: Callable[[str], str] = str if counts else shortened  # those are longer where the tool's name is

    def messages(self) -> list[Mapping[str, object]]:
        """Give all messages, the system's first."""
        request = self._request
        steps = arrange([*map(self._unmarked, request.turns)], self._taken, self._losses, self._called)
        rules = self._rules(request.system, "\n\n")
        leading: list[Mapping[str, object]] = [{"role": "system", "content": rules}] if rules else []
        return leading + [message for step in steps for message in self._WRITERS[step.role](self, step)]

    def _taken(self, thought: ir.Thinking) -> bool:
        if self._details is not None and self._details.takes(thought):
            return True
        return self._echoes and thought.signature is None and thought.redacted is None

    def _unmarked(self, turn: ir.Turn) -> ir.Turn:
        """Forget where the signatures stood that do go back, so that they are not told to be lost."""
        if not turn.places or not (self._signs or self._details):
            return turn
        pairs = zip(turn.parts, turn.places, strict=True)
        return replace(turn, places=tuple(() if self._returns(part) else places for part, places in pairs))

    def _returns(self, part: ir.Part) -> bool:
        """Tell whether what signs a part goes back; thoughts are told about where they stand."""
        if self._details is not None and not isinstance(part, ir.Thinking) and self._details.takes(part):
            return True
        return bool(self._signature(part))

    def _signature(self, part: ir.Part) -> str:
        if not self._signs or not isinstance(part, ir.ToolCall) or part.signature is None:
            return ""
        return part.signature.value if part.signature.issuer == "gemini" else ""

    def _readable(self, parts: Iterable[ir.Part]) -> list[ir.Part]:
        """Leave out what only another dialect can read."""
        self._losses += [unread(part) for part in parts if isinstance(part, ir.Opaque)]
        return [part for part in parts if not isinstance(part, ir.Opaque)]

    def _system(self, step: Step) -> list[Message]:
        words = self._rules(self._readable(step.parts), "\n")
        return [{"role": "system", "content": words}] if words else []

    def _rules(self, parts: Iterable[ir.Part], between: str) -> str | list[Message]:
        """Give instructions as one text; where one of them is marked, each is a part."""
        texts = [part for part in parts if isinstance(part, ir.Text) and part.text]
        if self._marks is not None and any(text.mark for text in texts):
            return [self._parts.write(text) for text in texts]
        return between.join(text.text for text in texts)

    def _user(self, step: Step) -> list[Message]:
        parts = self._readable(step.parts)
        written = [self._parts.write(part) for part in parts if isinstance(part, ir.Text | ir.Media)]
        texts = [part["text"] for part in written if part["type"] == "text"]
        marked = self._marks is not None and any(len(part) > _PLAIN for part in written)
        if len(texts) == len(written) and not marked:  # a plain string is what every server takes
            words = "\n".join(map(str, texts))
            return [{"role": "user", "content": words}] if words else []
        return [{"role": "user", "content": written}]

    def _assistant(self, step: Step) -> list[Message]:
        return [message for said in _apart(step) for message in self._said(said)]

    def _said(self, step: Step) -> list[Message]:
        parts = self._readable(step.parts)
        words = "\n".join(_joined([step.parts[at] for at in turn], "") for turn in _texts(step))
        calls = [self._call(part) for part in parts if isinstance(part, ir.ToolCall)]
        if self._sentinels and calls:
            calls[0].setdefault("extra_content", _signed(SENTINEL))
        if not words and not calls:
            self._losses += [ir.Loss(place, _ALONE, "hint") for places in step.places for place in places]
            return []
        message: Message = {"role": "assistant", "content": words or None}
        thoughts = "".join(part.text for part in parts if isinstance(part, ir.Thinking))
        if self._echoes and (thoughts or calls):
            message["reasoning_content"] = thoughts
        if calls:
            message["tool_calls"] = calls
        if self._details is not None and (details := self._details.of(step.parts, self._id)):
            message["reasoning_details"] = details
        return [message]

    def _call(self, call: ir.ToolCall) -> Message:
        name, arguments = self._names.upstream(call.name), bytes(call.arguments).decode()
        written: Message = {"id": self._id(call.id), "type": "function"}
        if name in self._custom:
            written |= {"type": "custom", "custom": {"name": name, "input": free_text(arguments)}}
        else:
            written["function"] = {"name": name, "arguments": arguments}
        signature = self._signature(call)
        if signature:
            written["extra_content"] = _signed(signature)
        return written

    def _results(self, step: Step) -> list[Message]:
        messages: list[Message] = []
        attached: list[Message] = []
        for result in step.parts:
            if isinstance(result, ir.ToolResult):
                media = [part for part in result.parts if isinstance(part, ir.Media)]
                pictures = all(one.media_type.startswith("image/") for one in media)
                words = [text_of(result), below(pictures=pictures) if media else ""]
                content = ("Error: " if result.is_error else "") + "\n".join(filter(None, words))
                said = content if self._marks is None else self._marked(content, result)
                messages.append({"role": "tool", "tool_call_id": self._id(result.id), "content": said})
                attached += map(self._parts.write, media)
        return [*messages, {"role": "user", "content": attached}] if attached else messages

    def _marked(self, content: str, result: ir.ToolResult) -> str | list[Message]:
        """Mark the end of a result, if it is."""
        last = result.parts[-1] if result.parts else None
        mark = result.mark or (last.mark if isinstance(last, ir.Text) else None)
        if self._marks is None or mark is None or not content:
            return content
        return [self._marks.on({"type": "text", "text": content}, mark)]

    _WRITERS: ClassVar[dict[str, Callable[[Any, Step], list[Message]]]] = {
        "system": _system,
        "user": _user,
        "assistant": _assistant,
        "results": _results,
    }


def _signed(signature: str) -> Message:
    return {"google": {"thought_signature": signature}}


def _texts(step: Step) -> Iterator[list[int]]:
    """Tell which parts of each turn are words."""
    words = (at for at, part in enumerate(step.parts) if isinstance(part, ir.Text))
    return (list(turn) for _, turn in groupby(words, lambda at: step.turns[at]))


def _apart(step: Step) -> list[Step]:
    """Give the messages that a model has said in a row; those around calls are one, for results come next."""
    if any(isinstance(part, ir.ToolCall) for part in step.parts):
        return [step]
    ends = [turn[-1] for turn in _texts(step)][:-1]
    starts = [next(at for at in range(end, len(step.turns)) if step.turns[at] != step.turns[end]) for end in ends]
    return [
        Step("assistant", step.parts[start:end], step.places[start:end], step.turns[start:end])
        for start, end in pairwise((0, *starts, len(step.parts)))
    ]


def _joined(parts: Sequence[ir.Part], between: str) -> str:
    return between.join(part.text for part in parts if isinstance(part, ir.Text))
