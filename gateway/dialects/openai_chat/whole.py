"""A whole answer: `chat.completion`."""

from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.places import Places
from gateway.dialects.shown import markdown

from . import answer

__all__ = ["write_whole"]


class _Choice(Struct, gc=False, kw_only=True):
    index: int = 0
    message: answer.Message
    logprobs: answer.Logprobs | None = None
    finish_reason: str


class _Completion(Struct, gc=False, kw_only=True):
    id: str
    object: str = "chat.completion"
    created: int
    model: str
    choices: list[_Choice]
    service_tier: str | UnsetType = UNSET
    usage: answer.Usage


_encode: Final = msgspec.json.Encoder().encode


def write_whole(reply: ir.Reply, answering: Answering) -> bytes:
    """Write a folded answer."""
    how = answer.manner(answering)
    return _encode(
        _Completion(
            id=answer.completion_id(answering),
            created=answering.created,
            model=answering.model,
            choices=[_choice(one, index, how) for index, one in enumerate((reply, *reply.others))],
            service_tier=answer.tier(answering.request, reply.usage) if answering.request.extras else UNSET,
            usage=answer.usage(reply.usage),
        )
    )


def _choice(reply: ir.Reply, index: int, how: answer.Manner) -> _Choice:
    message = _Message(reply, how)
    tokens = [token for part in reply.parts if isinstance(part, ir.Text) for token in part.logprobs]
    return _Choice(
        index=index,
        message=message.wire(),
        logprobs=answer.logprobs(tokens) if tokens else None,
        finish_reason=message.finish_reason,
    )


class _Message:
    """Sort a reply's parts into the fields of one message."""

    def __init__(self, reply: ir.Reply, how: answer.Manner) -> None:
        self._reply = reply
        self._how = how
        self._content: list[str] = []
        self._cited = ir.cited_texts(reply)
        self._annotations: list[answer.Annotation] = []
        self._thoughts: list[str] = []
        self._calls: list[ir.ToolCall] = []
        self._pictures: list[answer.Picture] = []
        self._signature = answer.MessageSignature(how)
        for at, part in enumerate(reply.parts):
            self._take(part, at)
        self.finish_reason = answer.finish_reason(reply.finish, len(self._calls), how)

    def wire(self) -> answer.Message:
        """Give the message."""
        content = "".join(self._content)
        said = bool(content or self._calls or self._pictures)
        refusal = answer.refusal(self._reply.finish, said=said)
        message = answer.Message(
            role="assistant",
            content=content or (None if self._calls or refusal else ""),
            refusal=refusal,
            images=self._pictures or UNSET,
            extra_content=self._signature.chosen(),
        )
        if self._annotations:
            message.annotations = self._annotations
        if self._thoughts and self._how.thoughts:
            message.reasoning_content = "".join(self._thoughts) or UNSET
        if self._calls:
            self._add_calls(message)
        return message

    def _add_calls(self, message: answer.Message) -> None:
        calls = [answer.call(made, self._how) for made in self._calls]
        if self._how.legacy:
            message.function_call = calls[0].function
        else:
            message.tool_calls = calls

    def _take(self, part: ir.ReplyPart, at: int) -> None:
        match part:
            case ir.Text(text=text, signature=signature):
                if at in self._cited:
                    before, places = sum(map(len, self._content)), Places(text)
                    self._annotations += [answer.annotation(source, places, before) for source in self._cited[at]]
                self._content.append(text)
                self._signature.text(signature)
            case ir.Thinking(text=text, signature=signature):
                self._thoughts.append(text)
                self._signature.piece(text)
                self._signature.thinking(signature, len(self._calls))
            case ir.ToolCall():
                self._calls.append(part)
            case ir.Media(media_type=media_type, data=data):
                self._show(media_type, data or "")

    def _show(self, media_type: str, data: str) -> None:
        if self._how.beside:
            self._pictures.append(answer.picture(media_type, data, len(self._pictures)))
        else:
            self._content.append(markdown(media_type, data))
