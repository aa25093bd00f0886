"""The installed gateway before the v1internal fake, each a program of its own."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.fakes.v1internal_signatures import SENTINEL
from tests.packaging.wheel import ROOT
from tests.processes import Program, environment, running

__all__ = ["KEY", "Google", "gateway", "google"]

KEY = "sk-gateway-for-tests"
GENERATING = ("streamGenerateContent", "generateContent")

SIGNER = re.compile(r"FAKE-(\w+)-SIGNATURE")

Json = dict[str, Any]


class Google:
    """What the fake saw, and what it is to forget."""

    def __init__(self, url: str) -> None:
        self.url = url

    def reset(self) -> None:
        """Forget the calls."""
        httpx.post(f"{self.url}/_reset").raise_for_status()

    @property
    def requests(self) -> list[Json]:
        """List all calls since the last reset."""
        calls: list[Json] = httpx.get(f"{self.url}/_requests").json()["requests"]
        return calls

    @property
    def calls(self) -> list[Json]:
        """List the generating calls."""
        return [call for call in self.requests if call["method"] in GENERATING]

    @property
    def generated(self) -> list[Json]:
        """List the inner requests of the generating calls."""
        return [call["body"]["request"] for call in self.calls]

    @property
    def signers(self) -> list[str]:
        """Name the families of the signatures in the last generating call, in their order; "" is no real one."""
        parts = [part for turn in self.generated[-1]["contents"] for part in turn["parts"]]
        return [signer(part["thoughtSignature"]) for part in parts if "thoughtSignature" in part]

    @property
    def refused(self) -> list[Json]:
        """List the calls that the fake did not accept."""
        return [call for call in self.requests if call["status"] != 200]


def signer(signature: str) -> str:
    """Name the family whose model made a signature: Gemini's are base64 once, Claude's twice."""
    text = "" if signature == SENTINEL else base64.b64decode(signature).decode("latin-1")
    found = SIGNER.search(text) or SIGNER.search(base64.b64decode(text).decode("latin-1"))
    return found[1].lower() if found else ""


@contextmanager
def google() -> Generator[Google, None, None]:
    """Run the fake."""
    command = [sys.executable, "-m", "tests.fakes.v1internal", "--port", "0"]
    with running(command, ROOT) as program:
        yield Google(program.url)


@contextmanager
def gateway(programs: Path, folder: Path, fake: Google, more: str = "") -> Generator[Program, None, None]:
    """Run the gateway in a folder that holds its configuration only."""
    configuration = f"""
        [auth]
        keys = ["{KEY}"]
        [upstream.google]
        type = "v1internal"
        base_urls = ["{fake.url}"]
        oauth = {{ client_id = "a-client", client_secret = "its-secret", token_url = "{fake.url}/token" }}
        [upstream.google.pool]
        refresh_tokens = ["rt-1", "rt-2"]
        {more}
    """
    (folder / "gateway.toml").write_text(configuration)
    with running([programs / "gateway", "--port", "0"], folder, environment(folder)) as program:
        yield program
