"""Whether a caller heard what a cell says, and whether the upstream got it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tests.automata import Heard
from tests.conformance.matrix.cells import ENDS, FIRST, LONG, Cell
from tests.conformance.matrix.upstreams import Upstream
from tests.fakes.v1internal_record import Record

__all__ = ["accepted", "agrees"]


def agrees(cell: Cell, dialect: str, heard: Sequence[Heard], *, stream: bool, broken: Collection[int | None]) -> None:
    """Assert that a caller heard what it must; `broken`: what its SDK may call the status of a stream that breaks."""
    if cell.fails:
        (one,) = heard
        assert one.error is not None
        after = cell.fails == "after" and stream
        assert one.error["status"] in (broken if after else {502}), one.error
        assert LONG.startswith(one.text)
        assert one.text.startswith(FIRST) is after
        return
    found = [(one.text, [(call.name, call.arguments) for call in one.calls], one.thoughts) for one in heard]
    assert found == [(one.text, list(one.calls), one.thoughts) for one in cell.hears], heard
    for one, turn in zip(heard, cell.hears, strict=True):
        if turn.refused is not None:
            assert one.error is not None
            assert one.error["status"] == turn.refused
            continue
        assert (one.error, one.finish) == (None, ENDS[dialect][turn.end])
        assert len({call.id for call in one.calls}) == len(one.calls) or dialect == "gemini"
        assert min(one.usage["input"], one.usage["output"]) > 0


def accepted(cell: Cell, upstream: Upstream, calls: Sequence[Record], sealed: set[str] | None) -> None:
    """Assert that the upstream refused nothing that it should take, and got what the caller said.

    `sealed`: the signatures that it has made.
    """
    mended = any(turn.mended for turn in cell.hears)
    ends = [turn.refused or 200 for turn in cell.hears]
    assert [call.status for call in calls if not (mended and call.status == 400)] == ends
    sent = calls[-1].request
    if cell.finds is not None:
        name, wanted = cell.finds
        assert getattr(upstream.reader, name)(sent) == wanted
    if cell.sealed and sealed is not None:
        seals = upstream.reader.seals(sent)
        assert seals
        assert sealed >= {*seals}
