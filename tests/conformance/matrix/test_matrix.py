"""The conformance matrix: every dialect, by its own SDK, to every upstream, streamed and whole, in every cell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import anyio
import pytest

from tests.automata import Heard
from tests.conformance.matrix.apart import APART, Apart, cell_of
from tests.conformance.matrix.cells import CELLS, FIRST
from tests.conformance.matrix.judging import accepted, agrees
from tests.conformance.matrix.sdks import BROKEN, SDKS
from tests.conformance.matrix.site import Matrix, standing
from tests.conformance.matrix.upstreams import UPSTREAMS, Upstream
from tests.conformance.matrix.wire import Wire
from tests.conformance.matrix.wishes import Wish
from tests.conformance.openai_api import CALLERS

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def matrix(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Matrix]:
    async with standing(tmp_path_factory.mktemp("matrix")) as one:
        yield one


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("dialect", SDKS)
async def test_matrix(matrix: Matrix, dialect: str, upstream: str, cell: str, stream: bool) -> None:
    asked, to = cell_of(dialect, upstream, cell), UPSTREAMS[upstream]
    matrix.reset(to)
    wish = asked.asks(to, stream=stream)
    if asked.leaves:
        await leave(matrix, dialect, to, wish, stream=stream)
        assert matrix.calls(to)[-1].closed_by_client
        return
    heard = await matrix.sdks[dialect].ask(wish, stream=stream)
    agrees(asked, dialect, heard, stream=stream, broken={BROKEN[dialect]})
    if not (asked.fails and dialect == to.dialect):  # what broke off in the upstream's own words is not ours to spell
        spelled(dialect, matrix.wires[dialect], heard[-1])
    if not asked.fails:
        await matrix.fake(to).wait_idle()
        accepted(asked, to, matrix.calls(to), matrix.sealed(to))
        assert int(matrix.wires[dialect].headers.get("x-gateway-lossy", 0)) == asked.told


async def leave(matrix: Matrix, dialect: str, upstream: Upstream, wish: Wish, *, stream: bool) -> None:
    """Ask, and go away: from a stream after its first words, from a whole answer before it begins."""
    fake = matrix.fake(upstream)
    fake.ack(upstream.opening * stream)

    async def ask() -> None:
        await matrix.sdks[dialect].ask(wish, stream=stream)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        if stream:
            await matrix.wires[dialect].until(FIRST.encode())
        else:
            await fake.log.until(lambda: bool(matrix.calls(upstream)))
        tasks.cancel_scope.cancel()
    await fake.wait_closed(timeout_s=2)


def spelled(dialect: str, wire: Wire, heard: Heard) -> None:
    """Assert that the answer keeps to the grammar of its dialect, and says what the SDK has read in it."""
    streamed = wire.headers["content-type"].startswith("text/event-stream")
    read = (CALLERS[dialect].stream if streamed else CALLERS[dialect].whole)(bytes(wire.body))
    assert (read.error is None) == (heard.error is None)
    if read.error is None:
        assert replace(read, usage={}) == replace(heard, usage={})


@pytest.mark.parametrize("one", APART, ids=lambda one: one.why)
def test_what_is_apart_is_in_the_matrix_once(one: Apart) -> None:
    cells = [
        (dialect, upstream) for dialect in SDKS for upstream in UPSTREAMS if one.holds(dialect, upstream, one.cell)
    ]
    assert cells
    assert all(sum(other.holds(*cell, one.cell) for other in APART) == 1 for cell in cells)
