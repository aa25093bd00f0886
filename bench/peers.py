"""Other gateways to compare with: how each is installed, configured and started.

A peer gets an environment of its own below the user's cache folder, made once. It is configured as its makers
say for production: one worker, no debug output, a master key; and it is asked and asks the fake upstream in the same
dialects as the gateway, so that it translates what the gateway translates.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PEERS", "Peer", "Route", "cache_folder", "install", "start_command"]


@dataclass(frozen=True, slots=True)
class Route:
    """How a peer calls an upstream: its provider, and the path of its API."""

    provider: str
    path: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Peer:
    """One other gateway.

    `routes`: by pair; it cannot serve others. `settings` and `command` are filled with the `key`, `model`, `config` and
    `port` of a run and with the `provider` and `base` of a route.
    """

    name: str
    requirement: str
    routes: Mapping[str, Route]
    settings: str
    command: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def version(self) -> str:
        """Which one is measured: a figure means nothing without it."""
        return self.requirement.partition("==")[2]


LITELLM = Peer(
    name="litellm",
    requirement="litellm[proxy]==1.106.2",
    routes={
        "chat-gemini": Route("gemini", "/v1beta"),
        "anthropic-gemini": Route("gemini", "/v1beta"),
        "responses-chat": Route("openai/chat_completions", "/v1"),  # else it asks an OpenAI upstream for Responses
        "chat-anthropic": Route("anthropic"),
        "anthropic-anthropic": Route("anthropic"),
        "chat-chat": Route("openai", "/v1"),
    },
    settings="""
model_list:
  - model_name: {model}
    litellm_params:
      model: {provider}/{model}
      api_base: {base}
      api_key: bench
general_settings:
  master_key: {key}
litellm_settings:
  telemetry: false
""",
    command=("litellm", "--config", "{config}", "--host", "127.0.0.1", "--port", "{port}", "--num_workers", "1"),
    environment={
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches its price list at start
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
    },
)
PEERS = {peer.name: peer for peer in (LITELLM,)}


def install(peer: Peer, caches: Path, run: Callable[[Sequence[str]], object] | None = None) -> Path:
    """Return the folder of a peer's programs; make its environment with `run` if there is none yet."""
    folder = caches / _folder_name(peer.requirement)
    programs, done = folder / "bin", folder / "installed"
    if done.exists():
        return programs
    print(f"installing {peer.requirement} into {folder}, once", file=sys.stderr)
    run = run or _run
    run([sys.executable, "-m", "venv", "--clear", str(folder)])
    run([str(programs / "python"), "-m", "pip", "install", "--quiet", peer.requirement])
    done.touch()
    return programs


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return where environments are kept."""
    caches = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "asgi-llm-gateway-bench"


def start_command(peer: Peer, programs: Path, **values: str) -> list[str]:
    """Return the command that starts it; `values` fill the placeholders."""
    program, *arguments = (word.format(**values) for word in peer.command)
    return [str(programs / program), *arguments]


def _run(command: Sequence[str]) -> object:
    # a PYTHONPATH of the caller's would let pip find there what the peer needs
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(command, env=clean, check=True)


def _folder_name(requirement: str) -> str:
    python = f"py{sys.version_info.major}.{sys.version_info.minor}"
    return f"{requirement.replace('[', '-').replace(']', '').replace('==', '-')}-{python}"
