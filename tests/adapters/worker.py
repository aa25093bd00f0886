"""One process of several that serve the same accounts: `python -m tests.adapters.worker JSON`.

The argument is {"token_url", "userinfo_url", "bases", "folder", "store", "tokens", "pool"}. Each line of the standard
input is a number of requests to make at once; a line of JSON counts their answers. The end of the input is its end.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, cast

from gateway.errors import GatewayError
from tests.adapters.site import NotingClock, Site
from tests.fakes.v1internal import FakeV1Internal

__all__ = ["Running"]


class Running(NotingClock):
    """A clock that runs by itself."""

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Elsewhere:
    """The addresses of a fake that runs in another process."""

    def __init__(self, token_url: str, userinfo_url: str, bases: list[str]) -> None:
        self.token_url = token_url
        self.userinfo_url = userinfo_url
        self._bases = dict(zip("ab", bases, strict=True))

    def base(self, name: str) -> str:
        return self._bases[name]


async def _ask(site: Site) -> str:
    try:
        return await site.ask()
    except GatewayError as error:
        return f"{type(error).__name__}: {error.message}"


async def _serve(given: dict[str, Any]) -> None:
    fake = Elsewhere(given["token_url"], given["userinfo_url"], given["bases"])
    site = Site(cast(FakeV1Internal, fake), Path(given["folder"]))  # nothing else of it is used
    site.clock, site.store = Running(), given["store"]
    await site.open(*given["tokens"], pool=given["pool"])
    print(json.dumps("ready"), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        answers = await asyncio.gather(*(_ask(site) for _ in range(int(line))))
        print(json.dumps(Counter(answers)), flush=True)
    await site.close()


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.argv[1])))
