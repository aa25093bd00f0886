"""Tests of one group run in one process: else each process makes what they share again, or both want it at once."""

import pytest


@pytest.mark.xdist_group("groups")
def test_a_group_is_known_to_those_who_distribute_it(request: pytest.FixtureRequest) -> None:
    grouped = getattr(request.config.option, "loadgroup", False)  # only the processes of such a run have it
    assert request.node.nodeid.endswith("@groups") == grouped
