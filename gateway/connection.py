"""Connections of `gateway run`: uvicorn's, with an end to all that a caller can draw out.

    a head       30 s, from the connection's beginning or its own; how long it may be is in `gateway.heads`
    an answer    60 s in which the caller reads nothing of it
    what comes   behind an answer that did not wait for the body: 30 s, too
    too many     that have not said all they want: the one that has brought nothing for longest goes

uvicorn waits without end for each of them. How long the body of a request may take is in `gateway.arrival`.
"""

import asyncio
from typing import ClassVar

from gateway.heads import BoundedHeads

__all__ = ["Connection", "connections"]


class Connection(BoundedHeads):
    """One connection; `connections` makes a class of them for each server.

    `waiting`: those of the server that wait for the whole of a request, the one that has brought nothing for longest
    first; `most`: how many.
    """

    head_s: ClassVar[float] = 30.0
    unread_s: ClassVar[float] = 60.0
    step_bytes: ClassVar[int] = 4096  # what is brought at least, to count
    most: ClassVar[int]
    waiting: ClassVar[dict["Connection", None]]

    _brought = 0
    _head_timer: asyncio.TimerHandle | None = None
    _unread = 0
    _unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._begin_head()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        super().connection_lost(exc)
        self.waiting.pop(self, None)
        self._end_head()
        self._end_unread()

    # the caller writes

    def data_received(self, data: bytes) -> None:
        """Take what came; whoever is not served has only so long to say what is wanted."""
        super().data_received(data)
        if self.unanswered:
            self._end_head()
        elif self._head_timer is None and not self.transport.is_closing():
            self._begin_head()
        self._brought += len(data)
        if self._brought >= self.step_bytes:
            self._brought = 0
            if self.waiting.pop(self, self) is None:
                self.waiting[self] = None  # behind all others

    def end_request(self) -> None:
        """Have all of a request; what comes now is the next head."""
        self.waiting.pop(self, None)
        super().end_request()

    def on_response_complete(self) -> None:
        """Wait for the next request, if there is none yet."""
        super().on_response_complete()
        if not self.unanswered and not self.transport.is_closing():
            self._wait()

    def _wait(self) -> None:
        self.waiting[self] = None
        if len(self.waiting) > self.most:
            longest = next(iter(self.waiting))
            del self.waiting[longest]
            longest.timeout_keep_alive_handler()

    def _begin_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_s, self.timeout_keep_alive_handler)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    # the caller reads

    def pause_writing(self) -> None:
        """Wait until the caller reads; uvicorn lets nobody write meanwhile."""
        super().pause_writing()
        self._begin_unread()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._end_unread()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that is not being served; what is left of its last answer may still be read."""
        super().timeout_keep_alive_handler()
        if self._unread_timer is None and self.transport.get_write_buffer_size():
            self._begin_unread()

    def _begin_unread(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        self._unread_timer = self.loop.call_later(self.unread_s, self._look)

    def _look(self) -> None:
        """End it when nothing was read since the last look."""
        if self.transport.get_write_buffer_size() < self._unread:
            self._begin_unread()
        else:
            self.transport.abort()

    def _end_unread(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None


def connections(most: int) -> type[Connection]:
    """Make the class of one server's connections; `most` of them may wait for the whole of a request."""
    return type("Connection", (Connection,), {"most": most, "waiting": {}})
