"""The answer to a prompt that an upstream's filter has stopped: nothing is said, and why is told with the end."""

from gateway import ir

__all__ = ["Withheld"]


class Withheld:
    """An answer without content; `words`: why there is none."""

    usage: ir.Usage | None = None

    def __init__(self, words: str) -> None:
        self._events: list[ir.Event] | None = [
            ir.Started(),
            ir.Finished(reason="content_filter", native="content_filter", explanation=words),
        ]

    async def read(self) -> list[ir.Event] | None:
        """Give all of it at once."""
        events, self._events = self._events, None
        return events

    def close(self) -> None:
        """Nothing is open."""
