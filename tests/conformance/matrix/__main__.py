"""The fakes of all upstreams as one program; its line of output holds their addresses, and a login for Vertex AI."""

from __future__ import annotations

import asyncio
import json

import uvloop

from tests.conformance.matrix.site import fakes


async def main() -> None:
    """Serve until interrupted."""
    async with fakes() as running:
        urls = {name: fake.url for name, fake in running.items()}
        print(json.dumps({"urls": urls, "login": running["vertex"].login.service_account()}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
