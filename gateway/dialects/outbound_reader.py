"""What the readers of answers share whose blocks may come mixed: the events that wait, and how an answer breaks off.

    payloads ─► the reader of a dialect ─► blocks and events ─► given out after each batch

A failure comes behind what was said before it, and nothing comes behind a failure.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

from gateway import ir
from gateway.dialects.openai_chat.outbound_blocks import Blocks
from gateway.errors import GatewayError, StreamBroken, UpstreamMalformed

__all__ = ["NO_CALL", "BlockReader"]

NO_CALL: Final = "upstream_malformed_tool_call"
_BY_ITSELF: Final = frozenset({"stop", "tool_calls"})  # at a limit, or withheld, a call may be cut


class BlockReader:
    """Reads one answer. `salt`: makes ids for calls that have none, or one of `turns` before.

    `finished`: it is complete without the end that its dialect has: never.
    """

    finished: ClassVar[bool] = False

    def __init__(self, salt: str, turns: Sequence[ir.Turn] = ()) -> None:
        self._events: list[ir.Event] = []
        self._blocks = Blocks(salt, turns)
        self._started = self._ended = False

    def close(self) -> list[ir.Event]:
        """End the answer where the upstream's stream ended; idempotent."""
        if not self._ended:
            self._close()
        return self._flushed()

    def _close(self) -> None:
        """Take the end of the stream, which ends no answer well unless the dialect has it so."""
        self._fail(StreamBroken(StreamBroken.CUT))

    def _flushed(self) -> list[ir.Event]:
        if not self._ended:
            self._events += self._blocks.events()
        events, self._events = self._events, []
        return events

    def _fail(self, error: GatewayError) -> None:
        self._events += self._blocks.events()  # what came before it
        self._events.append(ir.Failed(error))
        self._ended = True

    def _unreadable(self, reason: str) -> None:
        self._fail(UpstreamMalformed(f"the upstream's response cannot be read: {reason}"))

    def _nameless(self) -> UpstreamMalformed | None:
        """Give the error of an answer that calls a tool without saying which."""
        if all(call.name for call in self._blocks.calls):
            return None
        return UpstreamMalformed("the upstream called a tool without a name", code=NO_CALL)

    def _finished_with(self, usage: ir.Usage | None, ending: ir.Finished) -> None:
        """End what is open, and the answer; it ends ill if what has gone out is no call that could be made."""
        if ending.reason in _BY_ITSELF and any(call.garbled for call in self._blocks.calls):
            self._fail(UpstreamMalformed("the upstream called a tool with arguments that are not JSON", code=NO_CALL))
            return
        self._events += self._blocks.events(ended=True)
        if usage is not None:
            self._events.append(ir.UsageReported(usage))
        self._events.append(ending)
        self._ended = True
