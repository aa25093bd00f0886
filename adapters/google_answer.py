"""One answer of a Google upstream while it is read."""

from collections.abc import Callable

from gateway import ir
from gateway.adapters.answer import UpstreamAnswer
from gateway.adapters.failures import Failure, ReadFailure
from gateway.dialects.gemini.errors import read_details
from gateway.dialects.gemini.request import Written
from gateway.dialects.gemini.stream import ReadOptions, StreamReader
from gateway.errors import GatewayError
from gateway.transport import Response

__all__ = ["GoogleAnswer", "reader_of"]


class GoogleAnswer(UpstreamAnswer):
    """Reads an answer under status 200; Google's errors have a code or a status. `whole`: it passes as it came."""

    _overlooks = False  # an end that is no clean one is an error for Google's callers, too

    def __init__(
        self,
        response: Response,
        reader: StreamReader,
        failed: Callable[[GatewayError, Failure], None],
        read_failure: ReadFailure,
        now: float,
        *,
        whole: bool = False,
    ) -> None:
        super().__init__(response, reader, _is_error, failed, read_failure, now, streams=False if whole else None)


def _is_error(payload: bytes) -> bool:
    details = read_details(payload)
    return details.code is not None or bool(details.status)


def reader_of(
    written: Written, family: ir.Family, salt: str, request: ir.Request, *, chunks: bool = True
) -> StreamReader:
    """Make the reader of the answer to a request; `chunks`: an answer that passes does so chunk by chunk."""
    options = ReadOptions(
        names=written.names,
        family=family,
        salt=salt,
        turns=request.turns,
        dialect=request.dialect,
        placeholders=written.placeholders,
        parallel=written.parallel,
        answer=written.answer,
        native=chunks and written.native is not None,
        candidates=written.candidates,
    )
    return StreamReader(options)
