"""What the tests of the transport share."""

from collections.abc import AsyncIterator

import pytest

from gateway.transport import Transport


@pytest.fixture
def unproxied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no proxy of this machine's lead a transport astray."""
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
async def transport(unproxied: None) -> AsyncIterator[Transport]:
    """Give one of the defaults, which goes straight to its upstream."""
    made = Transport()
    yield made
    await made.close()
