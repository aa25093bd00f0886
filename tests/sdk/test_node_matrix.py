"""The conformance matrix, by the npm packages openai, @anthropic-ai/sdk, @google/genai and ai."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.matrix.cells import CELLS
from tests.conformance.matrix.judging import agrees
from tests.conformance.matrix.upstreams import KINDS
from tests.packaging.fixtures import WHEEL
from tests.sdk.node_matrix import BROKEN, CALLERS, MODES, NodeMatrix, cell_for, standing, words_of

pytestmark = [pytest.mark.clients, WHEEL, pytest.mark.xdist_group("node-matrix")]


@pytest.fixture(scope="module")
def matrix(programs: Path, node_modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeMatrix]:
    with standing(programs, node_modules, tmp_path_factory.mktemp("matrix")) as one:
        yield one


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("upstream", KINDS)
@pytest.mark.parametrize("caller", CALLERS)
def test_matrix(matrix: NodeMatrix, caller: str, upstream: str, cell: str, mode: str) -> None:
    heard = matrix.heard(caller, f"{caller}-{upstream}-{cell}-{mode}")
    asked = cell_for(caller, upstream, cell)
    if asked.leaves:
        assert heard == []  # the program has seen that the upstream's connection was closed
        return
    agrees(asked, words_of(caller), heard, stream=MODES[mode], broken=BROKEN.get(caller, {None}))
