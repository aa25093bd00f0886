"""Write a conversation as messages.

user ─► assistant [thoughts, words, calls] ─► user [one result for each call, then words] ─► system ─► assistant …

Messages of one speaker in a row become one, and no block of words is blank. Instructions within the conversation stand
behind what the user says, where a model takes them there; of others they join those that lead it. Thoughts go back with
the signature of the family that made them, and not without, unless the model has said that it wants all of them.
"""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, ClassVar, Final

from msgspec import Raw

from gateway import ir
from gateway.dialects.gemini.history import CONTINUED, EMPTY, GO_ON, NOT_OURS, ranks, reminder, takes_blank, with_blanks
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.outbound import unread
from gateway.dialects.outbound_history import Step, arrange
from gateway.dialects.outbound_marks import Marks

from .outbound_parts import JSON, Parts
from .outbound_target import NO_THOUGHT, AnthropicTarget

__all__ = ["PREFILLED", "Conversation", "leads_with_thoughts"]

Block = JSON | Raw
Message = dict[str, Any]
_Said = tuple[ir.Part, tuple[str, ...]]

_OURS: Final = "E"  # how a bare signature of Claude begins
_THOUGHTS: Final = frozenset({"thinking", "redacted_thinking"})
_AHEAD: Final = "this model takes instructions at the start only: moved there"
_LATER: Final = "an instruction must come directly before a response here: moved behind the user's messages"
_BEHIND: Final = "an instruction cannot follow a response here: sent as a user message"
_ALONE: Final = "an instruction cannot stand alone here: sent as a user message"
PREFILLED: Final = "a response that the caller has begun is not continued here: the model is asked to go on"


class Conversation:
    """Writes the messages of one request. `system`: instructions that stand in it and are to lead it."""

    def __init__(
        self,
        request: ir.Request,
        target: AnthropicTarget,
        names: NameMap,
        marks: Marks,
        losses: list[ir.Loss],
        *,
        thoughts: bool,
        echoes: bool = False,
    ) -> None:
        self._request = request
        self._target = target
        self._names = names
        self._losses = losses
        self._marks = marks
        self._parts = Parts(request.paths, losses)
        self._thoughts = thoughts and target.signatures
        self._echoes = echoes
        self._called = names.upstream if target.counted else None
        self._messages: list[Message] = []
        self._rules: list[str] = []
        self._overtaken = False  # the user went on behind one of the rules
        self.system: list[str] = []

    def messages(self, *, thinks: bool) -> list[Message]:
        """Give all messages, [] when there is nothing in them; `thinks`: whether the model is told to."""
        for step in arrange(self._request.turns, self._taken, self._losses, self._called):
            self._WRITERS[step.role](self, step)
        self._place_rules(alone=True)
        self._end(thinks=thinks)
        messages = self._messages
        if messages and messages[0]["role"] != "user":
            messages.insert(0, {"role": "user", "content": [_words(CONTINUED.text)]})
        return messages

    def _taken(self, thought: ir.Thinking) -> bool:
        return self._is_signed(thought) or (self._echoes and bool(thought.text.strip()))

    def _is_signed(self, thought: ir.Thinking) -> bool:
        if not self._thoughts:
            return False
        signature = thought.signature
        if signature is None or not signature.value:
            return thought.redacted is not None
        return signature.issuer == "claude" or (signature.issuer is None and signature.value.startswith(_OURS))

    def _say(self, role: str, blocks: Iterable[Block]) -> None:
        content = list(blocks)
        if not content:
            return
        if role == "assistant":
            self._place_rules()
        self._overtaken = self._overtaken or bool(self._rules)
        if self._messages and self._messages[-1]["role"] == role:
            self._messages[-1]["content"] += content
        else:
            self._messages.append({"role": role, "content": content})

    # instructions within the conversation

    def _system(self, step: Step) -> None:
        rule = "\n".join(part.text for part in step.parts if isinstance(part, ir.Text) and part.text.strip())
        self._rules += [rule] if rule else []

    def _place_rules(self, *, alone: bool = False) -> None:
        """Write the instructions since the last answer: behind the user's words, or ahead of everything.

        `alone`: nothing comes behind them, so that the user says them if nothing stands before them either.
        """
        rules, self._rules = self._rules, []
        overtaken, self._overtaken = self._overtaken, False
        if not rules:
            return
        follows = bool(self._messages) and self._messages[-1]["role"] == "user"
        if follows and self._target.system_turns:
            self._messages.append({"role": "system", "content": "\n\n".join(rules)})
            if overtaken:
                self._lose(_LATER)
        elif follows or (not self._messages and not alone):
            self.system += rules
            self._lose(_AHEAD)
        else:
            self._lose(_BEHIND if self._messages else _ALONE)
            self._say("user", [_words(reminder("\n\n".join(rules)).text)])

    # user

    def _user(self, step: Step) -> None:
        parts = (part for part, _ in _joined([(part, ()) for part in step.parts]))
        self._say("user", (block for part in parts if (block := self._block(part)) is not None))

    def _block(self, part: ir.Part) -> Block | None:
        match part:
            case ir.Text() | ir.Media():
                return self._given(part)
            case ir.Thinking():
                return _thinking(part) if self._is_signed(part) else _thought(part.text)
            case ir.ToolCall():
                name = self._names.upstream(part.name)
                called: JSON = {"type": "tool_use", "id": part.id, "name": name, "input": part.arguments}
                return self._marks.on(called, part.mark)
            case ir.ToolResult():
                return self._result(part)
            case ir.Opaque(dialect="anthropic"):
                return part.value
            case ir.Opaque():
                self._losses.append(unread(part))
                return None

    def _given(self, part: ir.Text | ir.Media) -> JSON | None:
        block = self._parts.write(part)
        return None if block is None else self._marks.on(block, part.mark)

    def _results(self, step: Step) -> None:
        """Write results; those of a failure hold words only, and its pictures follow."""
        results = [part for part in step.parts if isinstance(part, ir.ToolResult)]
        shown = [media for one in results if one.is_error for media in one.parts if isinstance(media, ir.Media)]
        written = [self._result(one) for one in results]
        self._say("user", [*written, *(block for one in shown if (block := self._given(one)) is not None)])

    def _result(self, result: ir.ToolResult) -> JSON:
        written = self._marks.on({"type": "tool_result", "tool_use_id": result.id}, result.mark)
        parts = [part for part in result.parts if not (result.is_error and isinstance(part, ir.Media))]
        content = [block for part in parts if (block := self._given(part)) is not None]
        if result.is_error:
            return written | {"content": content or [_words(EMPTY.text)], "is_error": True}
        return written | {"content": content} if content else written

    # assistant

    def _assistant(self, step: Step) -> None:
        places = step.places or ((),) * len(step.parts)
        said = _joined(_ordered(list(zip(step.parts, places, strict=True))))
        while said and isinstance(said[-1][0], ir.Thinking):
            _, lost = said.pop()  # a message cannot end with one
            self._losses += [ir.Loss(place, NOT_OURS, "hint") for place in lost]
        blocks = [block for part, _ in said if (block := self._block(part)) is not None]
        if self._echoes:
            unsigned = (lost for part, lost in said if isinstance(part, ir.Thinking) and not self._is_signed(part))
            self._losses += [ir.Loss(place, NOT_OURS, "hint") for lost in unsigned for place in lost]
        if any(not _is_thought(block) for block in blocks):
            wanting = self._echoes and not any(map(_is_thought, blocks))
            self._say("assistant", [_thought(NO_THOUGHT), *blocks] if wanting else blocks)

    def _end(self, *, thinks: bool) -> None:
        """Let the user have the last word, where the model demands that."""
        if not self._messages or self._messages[-1]["role"] != "assistant":
            return
        last = self._messages[-1]["content"][-1]
        if isinstance(last, Raw):
            return  # a service of the upstream was at work, and goes on
        if self._request.turns[-1].role == "user":
            self._say("user", [_words(EMPTY.text)])
        elif thinks or self._target.adaptive:
            self._lose(PREFILLED, "change")
            self._say("user", [_words(GO_ON.text)])
        elif last["type"] == "text":
            last["text"] = last["text"].rstrip()

    def _lose(self, reason: str, severity: ir.Severity = "hint") -> None:
        self._losses.append(ir.Loss("messages", reason, severity))

    _WRITERS: ClassVar[dict[str, Callable[[Any, Step], None]]] = {
        "system": _system,
        "user": _user,
        "assistant": _assistant,
        "results": _results,
    }


def leads_with_thoughts(messages: Iterable[Message]) -> bool:
    """Tell whether what the model says in the current tool loop begins with a thought: it need not think again in it.

    The loop goes back to the last words of the user that no result stands before.
    """
    loop: list[Message] = []
    for message in messages:
        first = message["content"][0]
        if message["role"] == "user" and (isinstance(first, Raw) or first["type"] != "tool_result"):
            loop = []
        elif message["role"] == "assistant":
            loop.append(message)
    return not loop or _is_thought(loop[0]["content"][0])


def _joined(said: list[_Said]) -> list[_Said]:
    """Put blank words to the words before them."""
    runs: list[list[_Said]] = []
    for one in said:
        if runs and takes_blank(runs[-1][0][0], one[0]):
            runs[-1].append(one)
        else:
            runs.append([one])
    return [_with_blanks(*run) if len(run) > 1 else run[0] for run in runs]


def _with_blanks(first: _Said, *blanks: _Said) -> _Said:
    part = with_blanks(first[0], [blank for blank, _ in blanks])
    return part, tuple(chain(first[1], *(places for _, places in blanks)))


def _ordered(said: list[_Said]) -> list[_Said]:
    """Put a thought first and calls last, unless the model itself began with a thought and went on after a call."""
    kinds = [type(part) for part, _ in said]
    called = kinds.index(ir.ToolCall) if ir.ToolCall in kinds else len(kinds)
    if kinds[0] is ir.Thinking and ir.Thinking in kinds[called:]:
        return said
    rank = ranks(kinds[0])
    return sorted(said, key=lambda one: rank.get(type(one[0]), 1))


def _thinking(thought: ir.Thinking) -> JSON:
    signature = thought.signature.value if thought.signature is not None else ""
    if not signature:
        return {"type": "redacted_thinking", "data": thought.redacted}
    if signature.startswith(ir.REDACTED):
        return {"type": "redacted_thinking", "data": signature[len(ir.REDACTED) :]}
    return {"type": "thinking", "thinking": thought.text, "signature": signature}


def _thought(text: str) -> JSON:
    return {"type": "thinking", "thinking": text, "signature": ""}


def _words(text: str) -> JSON:
    return {"type": "text", "text": text}


def _is_thought(block: Block) -> bool:
    return not isinstance(block, Raw) and block["type"] in _THOUGHTS
