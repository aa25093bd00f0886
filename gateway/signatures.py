"""A bounded memory of tool-call signatures, for callers that drop what they were given.

OpenAI Chat clients rarely send `extra_content` back. Within one process the signature of a call is found again by the
caller and the call's id; what is forgotten (restart, another worker) becomes the family's documented fallback.
"""

from collections import OrderedDict
from collections.abc import Sequence

from msgspec.structs import replace

from gateway import ir
from gateway.clock import Clock

__all__ = ["SignatureMemory"]


class SignatureMemory:
    """LRU of (caller, tool call id) → signature; at most `size` entries, each for `ttl_s` seconds."""

    def __init__(self, clock: Clock, *, size: int = 10_000, ttl_s: float = 7200) -> None:
        self._clock = clock
        self._size = size
        self._ttl_s = ttl_s
        self._entries: OrderedDict[tuple[str, str], tuple[float, ir.Signature]] = OrderedDict()

    def notice(self, principal: str, events: Sequence[ir.Event]) -> None:
        """Remember the signatures of the calls in one batch; a call and its signature come in one batch."""
        if ir.SignatureDelta not in map(type, events):
            return
        call = ""
        for event in events:
            if isinstance(event, ir.BlockStarted):
                call = event.id
            elif isinstance(event, ir.SignatureDelta) and call:
                self._remember((principal, call), event.signature)

    def recall(self, principal: str, request: ir.Request) -> ir.Request:
        """Give the request with the signatures that its caller left out."""
        if not self._entries:
            return request
        turns = tuple(self._recall_turn(principal, turn) for turn in request.turns)
        changed = any(new is not old for new, old in zip(turns, request.turns, strict=True))
        return replace(request, turns=turns) if changed else request

    def _recall_turn(self, principal: str, turn: ir.Turn) -> ir.Turn:
        if turn.role != "assistant":
            return turn
        parts = tuple(self._recall_part(principal, part) for part in turn.parts)
        changed = any(new is not old for new, old in zip(parts, turn.parts, strict=True))
        return replace(turn, parts=parts) if changed else turn

    def _recall_part(self, principal: str, part: ir.Part) -> ir.Part:
        if not isinstance(part, ir.ToolCall) or part.signature is not None:
            return part
        entry = self._entries.get((principal, part.id))
        if entry is None or entry[0] < self._clock.monotonic():
            return part
        return replace(part, signature=entry[1])

    def _remember(self, key: tuple[str, str], signature: ir.Signature) -> None:
        self._entries[key] = (self._clock.monotonic() + self._ttl_s, signature)
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
