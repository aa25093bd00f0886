"""What is soaked: a Redis, four upstreams in a process, and two gateways of two workers each, with their ledgers."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.processes import PROGRAMS, Program, environment, gateway, running
from tests.redis_server import RedisServer
from tests.soak.books import Booked
from tests.soak.judging import Row
from tests.soak.upstreams import ACCOUNTS

__all__ = ["KEYS", "WORKERS", "Patience", "Site", "site"]

ROOT = Path(__file__).parents[2]
WORKERS = 2
KEYS = {"sk-soak-wide-000000000000": 9, "sk-soak-tight-00000000000": 1}  # with how often each is used
MODELS = {
    "google": "gemini-2.5-flash",
    "openai": "gpt-4.1",
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-2.5-flash",
}
END_S = 60.0


@dataclass(frozen=True)
class Patience:
    """What the gateways wait for, in seconds."""

    first_byte: float = 1.5
    idle: float = 1.5
    keepalive: float = 0.5


@dataclass
class Site:
    """All of it, while it runs."""

    folder: Path
    redis: RedisServer
    upstreams: Mapping[str, str]
    gateways: Mapping[str, Program]

    def collect(self, calls: list[Booked]) -> int:
        """Add what the upstreams have noted since, and give how many answers are under way."""
        under_way = 0
        for url in self.upstreams.values():
            shown = httpx.get(f"{url}/_books", timeout=END_S).raise_for_status().json()
            calls += msgspec.convert(shown["calls"], list[Booked])
            under_way += shown["under_way"]
        return under_way

    def storm(self, upstream: str, times: int) -> None:
        """Have the next calls of an upstream refused with 429."""
        method = {"method": "streamGenerateContent"} if upstream == "google" else {}
        asked = {"error": "429", "times": times, **method}
        httpx.post(f"{self.upstreams[upstream]}/_fail", json=asked, timeout=END_S).raise_for_status()

    def calm(self) -> None:
        """End all storms."""
        for url in self.upstreams.values():
            httpx.post(f"{url}/_reset", timeout=END_S).raise_for_status()

    def rows(self) -> list[Row]:
        """Read the ledgers."""
        found = list[Row]()
        for name in self.gateways:
            with closing(sqlite3.connect(self._database(name))) as file:
                query = 'SELECT asked, "end", status, input, output, estimated FROM usage'
                for asked, end, status, prompt, answer, guess in file.execute(query):
                    found.append(Row(asked, end, status, prompt, answer, bool(guess)))
        return found

    def usage(self) -> list[dict[str, Any]]:
        """Give the sums of the ledgers, as `gateway usage --json` says them."""
        said = list[dict[str, Any]]()
        for name in self.gateways:
            home = self.folder / name
            given = environment(home) | {"PYTHONPATH": str(ROOT)}
            command = [str(PROGRAMS / "gateway"), "usage", "--json"]
            done = subprocess.run(command, cwd=home, env=given, capture_output=True, check=True, text=True)
            said.append(json.loads(done.stdout)["total"])
        return said

    def held(self) -> int:
        """Count the requests that are open in Redis: a lease of the dead ends by itself."""
        opened = 0
        for key in self.redis.do("KEYS", "gateway:open:{??*}"):  # that of nobody has the names of processes
            opened += self.redis.do("ZCOUNT", key.decode(), f"{time.time() * 1e6:.0f}", "+inf")
        return opened

    def gone(self) -> list[str]:
        """Say which gateways have ended, and their last words."""
        ended = {name: one for name, one in self.gateways.items() if one.process.poll() is not None}
        return [f"gateway {name} is gone: {''.join(one.lines[-20:])}" for name, one in ended.items()]

    def _database(self, name: str) -> Path:
        return self.folder / name / "data" / "gateway.db"


@contextmanager
def site(folder: Path, patience: Patience, names: str = "ab") -> Generator[Site, None, None]:
    """Run it for the time of the block."""
    redis = RedisServer(folder)
    redis.start()
    with ExitStack() as stack:
        stack.callback(redis.close)
        command = [sys.executable, "-m", "tests.soak.upstreams"]
        fakes = stack.enter_context(running(command, ROOT, environment(folder)))
        upstreams = json.loads(fakes.says('"gemini"', 30))
        toml = _toml(upstreams, redis.url, patience)
        programs = dict[str, Program]()
        for name in names:
            home = folder / name
            home.mkdir()
            started = gateway(home, "--workers", str(WORKERS), toml=toml, PYTHONPATH=str(ROOT))
            programs[name] = stack.enter_context(started)
        for program in programs.values():
            httpx.get(f"{program.url}/health/ready", timeout=END_S).raise_for_status()
        yield Site(folder, redis, upstreams, programs)


def _toml(upstreams: Mapping[str, str], redis: str, patience: Patience) -> str:
    aliases = "\n".join(f'"{name}-*" = "{name}/{model}"' for name, model in MODELS.items())
    wide, tight = KEYS
    tokens = ", ".join(f'"{name}"' for name in ACCOUNTS)
    google = upstreams["google"]
    return f"""
[pipeline]
order = ["census", "request_id", "access_log", "metrics", "body_limit", "auth", "rate_limit", "protocol", "model_map", \
"usage"]
[middleware.census]
use = "tests.soak.census:Census"
[[key]]
name = "wide"
secret = "{wide}"
limits = {{ requests_per_minute = 1_000_000, tokens_per_minute = 4_000_000_000, concurrent = 5000 }}
[[key]]
name = "tight"
secret = "{tight}"
limits = {{ requests_per_second = 2, concurrent = 1 }}
[store]
encryption_key = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
redis = "{redis}"
[models.alias]
{aliases}
"chain-*" = ["openai/{MODELS["openai"]}", "anthropic/{MODELS["anthropic"]}", "google/{MODELS["google"]}"]
[timeouts]
connect = 2
first_byte = {patience.first_byte}
idle = {patience.idle}
keepalive = {patience.keepalive}
[retry]
attempts = 3
max_wait = 1
[log]
level = "warning"
[upstream.google]
type = "v1internal"
base_urls = ["{google}"]
models = ["{MODELS["google"]}"]
oauth = {{ client_id = "client.apps.example", client_secret = "shh", token_url = "{google}/token", \
userinfo_url = "{google}/oauth2/v2/userinfo" }}
[upstream.google.pool]
refresh_tokens = [{tokens}]
cooldown = {{ min = 1, max = 5, unknown = 1 }}
{_keyed("openai", upstreams["openai"] + "/v1")}
{_keyed("anthropic", upstreams["anthropic"])}
{_keyed("gemini", upstreams["gemini"])}
"""


def _keyed(name: str, url: str) -> str:
    return f"""[upstream.{name}]
type = "{name}"
base_url = "{url}"
models = ["{MODELS[name]}"]
api_key = ["key-1", "key-2", "key-3"]
[upstream.{name}.pool]
cooldown = {{ min = 1, max = 5, unknown = 1 }}
"""
