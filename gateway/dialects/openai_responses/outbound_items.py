"""A conversation as the `input` of OpenAI Responses: a flat list of items, without ids, for nothing is stored there.

system, user ─► message      thoughts ─► reasoning      words ─► message (output_text)
call ─► function_call | custom_tool_call      result ─► function_call_output | custom_tool_call_output
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Raw

from gateway import ir
from gateway.dialects.gemini.history import text_of
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.openai_chat.answer import free_text
from gateway.dialects.outbound import unread
from gateway.dialects.outbound_history import Step, arrange

from .items import DIALECT
from .outbound_parts import JSON, ContentWriter

__all__ = ["Item", "ItemWriter"]

Item = JSON | Raw

_ERROR: Final = "Error: "


def _replayed(thought: ir.Thinking, *, trusted: bool) -> bool:
    """Tell whether a thought goes back: only what this family has sealed, as long as that is `trusted`."""
    signature = thought.signature
    return trusted and signature is not None and signature.issuer == "openai" and bool(signature.value)


class ItemWriter:
    """Writes one conversation; `losses` takes what does not go on.

    `custom`: the names of free-form tools. `namespaces`: upstream name → (namespace, name). `own`: whether items go on
    that only this dialect has; `counts`: whether the model counts its calls in their ids.
    """

    def __init__(
        self,
        names: NameMap,
        custom: Collection[str],
        namespaces: Mapping[str, tuple[str, str]],
        content: ContentWriter,
        losses: list[ir.Loss],
        *,
        own: bool = True,
        counts: bool = False,
    ) -> None:
        self._names = names
        self._custom = custom
        self._namespaces = namespaces
        self._content = content
        self._losses = losses
        self._own = own
        self._counts = counts

    def write(self, turns: Sequence[ir.Turn], *, trusted: bool) -> list[Item]:
        """Write all items."""
        called = self._names.upstream if self._counts else None
        steps = arrange(turns, lambda thought: _replayed(thought, trusted=trusted), self._losses, called)
        return [item for step in steps for item in self._step(step)]

    def _lose(self, path: str, reason: str, severity: ir.Severity = "hint") -> None:
        self._losses.append(ir.Loss(path, reason, severity))

    def _step(self, step: Step) -> list[Item]:
        if step.role == "results":
            return [self._output(part) for part in step.parts if isinstance(part, ir.ToolResult)]
        if step.role == "assistant":
            return list(self._spoken(self._followed(step)))
        return list(self._messages(step.parts, step.role))

    # what callers say

    def _messages(self, parts: Iterable[ir.Part], role: str) -> Iterator[Item]:
        content: list[object] = []
        for part in parts:
            if not isinstance(part, ir.Opaque):
                content.append(self._content.write(part))
            elif (item := self._opaque(part)) is not None:
                if content:
                    yield {"type": "message", "role": role, "content": content}
                    content = []
                yield item
        if content:
            yield {"type": "message", "role": role, "content": content}

    # what the model said

    def _followed(self, step: Step) -> Sequence[ir.Part]:
        """Leave out thoughts at the end: one that no word and no call follows is refused."""
        parts = list(step.parts)
        for index in reversed(range(len(parts))):
            part = parts[index]
            if isinstance(part, ir.Thinking):
                del parts[index]
                for place in step.places[index]:
                    self._lose(place, "nothing follows these thoughts")
            elif not isinstance(part, ir.Opaque) or part.dialect == DIALECT:
                break
        return parts

    def _spoken(self, parts: Sequence[ir.Part]) -> Iterator[Item]:
        texts: list[object] = []
        for part in parts:
            if isinstance(part, ir.Text):
                texts.append({"type": "output_text", "text": part.text, "annotations": []})
                continue
            if texts:
                yield {"type": "message", "role": "assistant", "content": texts}
                texts = []
            if (item := self._item(part)) is not None:
                yield item
        if texts:
            yield {"type": "message", "role": "assistant", "content": texts}

    def _item(self, part: ir.Part) -> Item | None:
        match part:
            case ir.Thinking(text=text, signature=ir.Signature(value=value)):
                summary = [{"type": "summary_text", "text": text}] if text else []
                return {"type": "reasoning", "summary": summary, "encrypted_content": value}
            case ir.ToolCall():
                return self._call(part)
            case ir.Opaque():
                return self._opaque(part)
            case _:
                return None

    def _call(self, call: ir.ToolCall) -> Item:
        called, given = self._called(call.name), bytes(call.arguments).decode()
        if call.name in self._custom:
            return {"type": "custom_tool_call", "call_id": call.id, **called, "input": free_text(given)}
        return {"type": "function_call", "call_id": call.id, **called, "arguments": given}

    def _called(self, name: str) -> JSON:
        upstream = self._names.upstream(name)
        namespace, inner = self._namespaces.get(upstream, ("", upstream))
        return {"namespace": namespace, "name": inner} if namespace else {"name": upstream}

    def _output(self, result: ir.ToolResult) -> Item:
        kind = "custom_tool_call_output" if result.name in self._custom else "function_call_output"
        error = _ERROR if result.is_error else ""  # there is no field for it
        marks = self._content.marks
        marked = marks is not None and (result.mark is not None or any(part.mark for part in result.parts))
        if not marked and all(isinstance(part, ir.Text) for part in result.parts):
            return {"type": kind, "call_id": result.id, "output": error + text_of(result)}
        content = [self._content.write(part) for part in result.parts]
        if error:
            content.insert(0, {"type": "input_text", "text": error.strip()})
        if marks is not None and content:
            content[-1] = marks.on(content[-1], result.mark)
        return {"type": kind, "call_id": result.id, "output": content}

    def _opaque(self, part: ir.Opaque) -> Item | None:
        """Give an item of a service that the caller's vendor hosts, if that vendor is this one."""
        if part.dialect == DIALECT and self._own:
            return part.value
        self._losses.append(unread(part))
        return None
