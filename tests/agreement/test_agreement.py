"""Whatever becomes of a request, all that tells of it tells the same."""

from __future__ import annotations

import pytest

from tests.properties.examples import share

from .site import Site
from .walking import Walk

WALKS = share(0.03)


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(WALKS))
async def test_all_places_agree_after_each_step(site: Site, seed: int) -> None:
    await Walk(site, seed).go()
