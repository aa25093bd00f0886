"""The installed gateway in place of the Anthropic proxy that it replaces: an empty folder, that proxy's `.env`, a fake.

    Proxies(programs, folder).before(OPENAI, BIG_MODEL="gpt-4o")  ─► Proxy: .program, .fake, .fallback, .claude()

The addresses of Google and Anthropic cannot be said in that `.env`; they are given as `GATEWAY_*` beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import anthropic
from anyio.from_thread import BlockingPortal, start_blocking_portal

from tests.fakes.anthropic_api import COUNT, MESSAGES, FakeAnthropic
from tests.fakes.azure_api import FakeAzure
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import CHAT, FakeOpenAI
from tests.fakes.server import STREAM, Fake
from tests.fakes.v1internal_record import Record
from tests.fakes.vertex_api import FakeVertex
from tests.processes import Program, environment, running

__all__ = [
    "ANTHROPIC",
    "AZURE",
    "EVERY",
    "GOOGLE",
    "OPENAI",
    "TOKEN",
    "VERTEX",
    "Provider",
    "Proxies",
    "Proxy",
    "answers",
]

TOKEN = "sk-of-the-old-proxy"
ANSWERING = frozenset({CHAT, MESSAGES, STREAM, "generateContent"})
COUNTING = frozenset({COUNT, "countTokens"})
DATED = "claude-3-5-sonnet-20241022"

Variables = dict[str, str]
AnyFake = Fake[str]


@dataclass(frozen=True)
class Provider:
    """A value of PREFERRED_PROVIDER, and what stands in the `.env` with it.

    `variables` and `beside`: what `.env` and the environment hold, given the fake and an empty folder. `leads`: where
    the names of Claude Code's models lead.
    """

    name: str
    make: Callable[[], AnyFake]
    variables: Callable[[AnyFake], Variables]
    beside: Callable[[AnyFake, Path], Variables] = lambda _, __: {}
    leads: Mapping[str, str] = field(default_factory=dict)


def _leads(big: str, small: str) -> Mapping[str, str]:
    names = ("claude-opus-4-1-20250805", "claude-sonnet-4-5", DATED, "claude-sonnet-4@20250514")
    return {**dict.fromkeys(names, big), "claude-haiku-4-5": small, "claude-3-5-haiku-20241022": small}


def _vertex(fake: AnyFake, folder: Path) -> Variables:
    assert isinstance(fake, FakeVertex)
    file = folder / "service_account.json"
    file.write_text(json.dumps(fake.login.service_account()))
    bases = dict.fromkeys(("GATEWAY_UPSTREAM__GEMINI__BASE_URL", "GATEWAY_UPSTREAM__VERTEX__BASE_URL"), fake.url)
    return {"GOOGLE_APPLICATION_CREDENTIALS": str(file), "NO_GCE_CHECK": "true", **bases}


OPENAI = Provider(
    "openai",
    FakeOpenAI,
    lambda fake: {"OPENAI_API_KEY": "key-1", "OPENAI_BASE_URL": f"{fake.url}/v1"},
    leads=_leads("gpt-4.1", "gpt-4.1-mini"),
)
GOOGLE = Provider(
    "google",
    FakeGemini,
    lambda _: {"GEMINI_API_KEY": "key-1", "BIG_MODEL": "gemini-2.5-pro", "SMALL_MODEL": "gemini-2.5-flash"},
    lambda fake, _: {"GATEWAY_UPSTREAM__GEMINI__BASE_URL": fake.url},
    leads=_leads("gemini-2.5-pro", "gemini-2.5-flash"),
)
VERTEX = Provider(
    "google",
    FakeVertex,
    lambda _: {
        "USE_VERTEX_AUTH": "true",
        "VERTEX_PROJECT": "fake-project-000",
        "VERTEX_LOCATION": "us-central1",
        "GEMINI_API_KEY": "not-needed",
        "BIG_MODEL": "gemini-2.5-pro",
        "SMALL_MODEL": "gemini-2.5-flash",
    },
    _vertex,
    leads=_leads("gemini-2.5-pro", "gemini-2.5-flash"),
)
AZURE = Provider(
    "azure",
    lambda: FakeAzure(deployments={"gpt-4o": "gpt-4o", "gpt-4o-mini": "gpt-4o-mini"}),
    lambda fake: {
        "AZURE_OPENAI_ENDPOINT": f"{fake.url}/",
        "AZURE_OPENAI_API_KEY": "key-1",
        "AZURE_API_VERSION": "2024-10-01",
        "BIG_MODEL": "gpt-4o",
        "SMALL_MODEL": "gpt-4o-mini",
    },
    leads=_leads("gpt-4o", "gpt-4o-mini"),
)
ANTHROPIC = Provider(
    "anthropic",
    FakeAnthropic,
    lambda _: {"ANTHROPIC_API_KEY": "key-1", "BIG_MODEL": "not-used", "SMALL_MODEL": "not-used"},
    lambda fake, _: {"GATEWAY_UPSTREAM__ANTHROPIC__BASE_URL": fake.url},
    leads={
        name: name for name in ("claude-opus-4-5-20251101", "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001")
    },
)
EVERY = {"openai": OPENAI, "google": GOOGLE, "vertex": VERTEX, "azure": AZURE, "anthropic": ANTHROPIC}


class Proxy:
    """One running gateway before its provider, and before another one where its `.env` names two.

    `folder`: where it runs. `stack`: what ends with it.
    """

    def __init__(
        self, provider: Provider, program: Program, folder: Path, fakes: Sequence[AnyFake], stack: ExitStack
    ) -> None:
        self.provider = provider
        self.program = program
        self.folder = folder
        self.fake = fakes[0]
        self.fallback = fakes[1] if len(fakes) > 1 else None
        self._stack = stack

    def claude(self, token: str = TOKEN) -> anthropic.Anthropic:
        """Give the SDK as Claude Code uses it: the token is a bearer; "" = some key of Anthropic's is sent."""
        shown: dict[str, Any] = {"auth_token": token} if token else {"api_key": "sk-ant-of-the-user"}
        client = anthropic.Anthropic(base_url=self.program.url, max_retries=0, timeout=20, **shown)
        return self._stack.enter_context(client)

    def reset(self) -> None:
        """Forget the calls and failures of other tests."""
        for fake in (self.fake, self.fallback):
            if fake is not None:
                fake.reset()

    @property
    def calls(self) -> list[Record]:
        """List the calls of the provider for an answer."""
        return answers(self.fake)

    @property
    def asked(self) -> list[str]:
        """Name the models that the provider was asked for an answer of."""
        return [str(call.model) for call in self.calls]


def answers(fake: AnyFake) -> list[Record]:
    """List a fake's calls for an answer."""
    return [call for call in fake.requests if call.method in ANSWERING]


class Proxies:
    """Starts gateways, each in an empty folder; all that was started ends with the block."""

    def __init__(self, programs: Path, folder: Callable[[], Path]) -> None:
        self._programs = programs
        self._folder = folder
        self._stack = ExitStack()
        self._portal: BlockingPortal

    def __enter__(self) -> Self:
        self._portal = self._stack.enter_context(start_blocking_portal())
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def before(self, provider: Provider, fallback: Provider | None = None, **variables: str) -> Proxy:
        """Run a gateway with this provider's `.env`, and more of the other one's; "" leaves a variable out."""
        folder = self._folder()
        lines, around = {"PREFERRED_PROVIDER": provider.name, "ANTHROPIC_AUTH_TOKEN": TOKEN}, environment(folder)
        fakes: list[AnyFake] = []
        for each in (fallback, provider):  # what the preferred one says of the models counts
            if each is not None:
                fake = self._stack.enter_context(self._portal.wrap_async_context_manager(each.make()))
                lines |= each.variables(fake)
                around |= each.beside(fake, self._folder())
                fakes.append(fake)
        given = {name: value for name, value in (lines | variables).items() if value}
        (folder / ".env").write_text("".join(f'{name}="{value}"\n' for name, value in given.items()))
        command: list[str | Path] = [self._programs / "gateway", "--no-config", "--port", "0"]
        program = self._stack.enter_context(running(command, folder, around))
        return Proxy(provider, program, folder, fakes[::-1], self._stack)
