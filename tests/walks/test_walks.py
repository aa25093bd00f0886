"""No conversation that a vendor's own service would carry on ends, or loses a word, because it changes its model."""

from __future__ import annotations

import pytest

from tests.properties.examples import share

from .site import Site
from .walking import Walk

WALKS = share(0.25)


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(WALKS))
async def test_a_conversation_goes_on_whatever_model_answers_next(site: Site, seed: int) -> None:
    await Walk(site, seed).go()
