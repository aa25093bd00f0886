"""What a fleet talks to: Google's fake as a process of its own, and gateways that share a store."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.processes import Program, environment, running

__all__ = ["MODEL", "Google", "ask_all", "google", "statuses", "toml_of"]

MODEL = "gemini-2.5-flash"
ROOT = Path(__file__).parents[2]
TIMEOUT_S = 40


class Google:
    """The running fake, set and read by HTTP."""

    def __init__(self, program: Program, accounts: Sequence[str]) -> None:
        self.url = program.url
        self.accounts = accounts

    def set(self, what: str, **given: Any) -> None:
        httpx.post(f"{self.url}/_{what}", json=given, timeout=TIMEOUT_S).raise_for_status()

    def get(self, what: str) -> Any:
        return httpx.get(f"{self.url}/_{what}", timeout=TIMEOUT_S).raise_for_status().json()

    def allowed(self) -> Counter[str]:
        """Count the calls that were answered, by e-mail."""
        return Counter({one["email"]: one["calls"] for one in self.get("ledger")["allowed"] if one["calls"]})

    def violations(self) -> list[dict[str, Any]]:
        """List the calls to what was cooling."""
        return list(self.get("ledger")["violations"])

    def refreshes(self) -> Counter[str]:
        """Count the refreshes, by account."""
        return Counter(call["email"] for call in self.get("token_calls") if call["grant"] == "refresh_token")


@contextmanager
def google(folder: Path, accounts: int, keep: int = 10) -> Iterator[Google]:
    """Run it with this many accounts; what is asked of one is known by its e-mail. `keep`: so many can be read."""
    names = [f"rt-{number}" for number in range(accounts)]
    command = [sys.executable, "-m", "tests.fakes.v1internal", "--keep", str(keep)]
    with running(command, ROOT, environment(folder)) as program:
        fake = Google(program, names)
        for name in names:
            fake.set("add", refresh_token=name, email=f"{name}@example.invalid", project=f"project-{name}")
        yield fake


def toml_of(fake: Google, store: str = "", pool: Iterable[str] = ()) -> str:
    """Write the configuration of one host."""
    tokens = ", ".join(f'"{name}"' for name in fake.accounts)
    return f"""
[auth]
allow_anonymous = "always"
[store]
encryption_key = ["{KEY}"]
{store}
[upstream.google]
type = "v1internal"
base_urls = ["{fake.url}"]
models = ["{MODEL}"]
oauth = {{ client_id = "client.apps.example", client_secret = "shh", token_url = "{fake.url}/token", \
userinfo_url = "{fake.url}/oauth2/v2/userinfo" }}
[upstream.google.pool]
refresh_tokens = [{tokens}]
{chr(10).join(pool)}
"""


KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


async def _ask(client: httpx.AsyncClient, url: str, number: int) -> httpx.Response:
    body = {"model": MODEL, "messages": [{"role": "user", "content": f"Hello {number}"}]}
    return await client.post(f"{url}/v1/chat/completions", json=body)


def ask_all(urls: Sequence[str], count: int, at_once: int = 200) -> list[httpx.Response]:
    """Ask the hosts in turn, all at once, each on a connection of its own."""

    async def run() -> list[httpx.Response]:
        gate = asyncio.Semaphore(at_once)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(limits=limits, timeout=TIMEOUT_S) as client:

            async def one(number: int) -> httpx.Response:
                async with gate:
                    return await _ask(client, urls[number % len(urls)], number)

            return list(await asyncio.gather(*map(one, range(count))))

    return asyncio.run(run())


def statuses(answers: Iterable[httpx.Response]) -> Counter[int]:
    """Count the answers by status."""
    return Counter(answer.status_code for answer in answers)
