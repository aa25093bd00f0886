"""A tool call on its way into a stream: what of it is known, and what has gone out."""

from msgspec import UNSET, Raw

from gateway import ir

from . import answer

__all__ = ["StreamedCall"]


class StreamedCall:
    """Takes the events of one call; `news()` gives what is to be written next.

    The last piece of the arguments is held until it is known for such: what belongs to the end goes out with it, and
    one that comes whole is one delta, wherever the upstream's bytes are cut.
    Deltas of one index are joined by the caller: the name and the signature must come once.
    """

    def __init__(self, index: int, started: ir.BlockStarted, how: answer.Manner) -> None:
        self.index = index
        self.signature: ir.Signature | None = None
        self._id = started.id
        self._name = started.name
        self._how = how
        self._pieces: list[str] = []
        self._begun = False
        self._argued = False

    def argue(self, json: str) -> None:
        """Take more of the arguments."""
        self._pieces.append(json)

    def news(self, *, ended: bool) -> answer.Call | None:
        """Give what has not gone out yet; None = nothing."""
        if self._name in self._how.free_form:
            return self._unwrapped() if ended else None
        if not ended and not self._pieces:
            return None
        arguments = "".join(self._pieces)
        self._pieces.clear()
        self._argued = self._argued or bool(arguments)
        if ended and not self._argued:
            arguments = "{}"
        extra = answer.signed(self.signature, self._how) if ended else UNSET
        if not self._begun:
            self._begun = True
            function = answer.Function(name=self._name, arguments=arguments)
            return answer.Call(index=self.index, id=self._id, type="function", function=function, extra_content=extra)
        if not arguments and extra is UNSET:
            return None
        return answer.Call(index=self.index, function=answer.Function(arguments=arguments), extra_content=extra)

    def _unwrapped(self) -> answer.Call:
        """Give a free-form call, which must be whole to be unwrapped."""
        arguments = Raw("".join(self._pieces).encode() or b"{}")
        made = ir.ToolCall(id=self._id, name=self._name, arguments=arguments, signature=self.signature)
        return answer.call(made, self._how, self.index)
