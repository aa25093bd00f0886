"""What the tests of the transport share."""

from collections.abc import AsyncIterator

import pytest

from gateway.transport import Transport


@pytest.fixture
async def transport(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Transport]:
    """Give a transport that no proxy of this machine's leads astray."""
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    made = Transport()
    yield made
    await made.close()
