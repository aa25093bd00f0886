"""A gateway before every kind of upstream, whose parts can be looked at."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway, assemble
from gateway.config import load
from gateway.connection import connections
from tests.adapters.vertex_site import forget
from tests.conformance.matrix.site import fakes, settings
from tests.conformance.matrix.upstreams import UPSTREAMS
from tests.faults.server import FaultServer, listening
from tests.serving import serve

__all__ = ["Standing", "standing"]

Json = dict[str, Any]

_WAITING = 100  # connections that may


class Standing:
    """It; `servers` stand before the `fakes`, both by the names of the upstreams in gateway.toml."""

    def __init__(
        self, url: str, gateway: Gateway, fakes: Mapping[str, Any], servers: Mapping[str, FaultServer], log: Path
    ) -> None:
        self.url = url
        self.gateway = gateway
        self.fakes = fakes
        self._servers = servers
        self._log = log

    def server(self, kind: str) -> FaultServer:
        """Give the server of a kind of upstream, of which no call is remembered."""
        server = self._servers[UPSTREAMS[kind].table]
        server.forget()
        return server

    def logged(self, request_id: str) -> list[Json]:
        """Give what the log has of a request."""
        lines = [json.loads(line) for line in self._log.read_text("utf-8").splitlines()]
        return [one for one in lines if one.get("event") == "request" and one["request_id"] == request_id]

    def holds_nothing(self) -> None:
        """Assert that no answer, no credential and no caller is held."""
        transport = self.gateway.transport
        assert transport is not None
        assert (transport.open_responses, self.gateway.relay.open_requests) == (0, 0)
        leases = {name: getattr(one, "leases", 0) for name, one in self.gateway.adapters.items()}
        assert leases == dict.fromkeys(leases, 0)


@asynccontextmanager
async def standing(folder: Path, tables: Mapping[str, Json] | None = None, **over: Any) -> AsyncIterator[Standing]:
    """Run it on the connections of `gateway run`, on a machine where only the fake's own login is found.

    `tables`: more for upstreams.
    """
    async with AsyncExitStack() as stack:
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        behind = await stack.enter_async_context(fakes())
        forget(environment, folder / "gcloud")
        file, log = folder / "service_account.json", folder / "gateway.log"
        file.write_text(json.dumps(behind["vertex"].login.service_account()))
        environment.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        servers = {name: await stack.enter_async_context(listening(fake.url)) for name, fake in behind.items()}
        config = settings({name: server.url for name, server in servers.items()}, folder / "data")
        for table, more in (tables or {}).items():
            config["upstream"][table] |= more
        config |= {"log": {"level": "info", "format": "json", "file": str(log)}, **over}
        gateway = Gateway(load(config))
        url = await stack.enter_async_context(serve(assemble(gateway), http=connections(_WAITING)))
        yield Standing(url, gateway, behind, servers, log)
