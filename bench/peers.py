"""What the gateway is compared with: other gateways and floors, how each is configured and started.

A gateway is configured as its makers say for production: one worker, no debug output, a key where it knows keys; and it
is asked and asks the fake upstream in the same dialects as ours, so that it translates what ours translates. A floor
forwards bytes: it is asked in upstream's own dialect. Every one says which pairs it serves, and what it cannot do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bench.answers import CHECKS, UNENDED, UNNUMBERED, Checks
from bench.pairs import PAIRS

__all__ = ["LITELLM", "NGINX", "PEERS", "PORTKEY", "RAW", "ROSETTA", "SEED_LIKE", "UVICORN", "Peer", "Route"]

UVICORN = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--no-server-header", "--backlog", "4096")


@dataclass(frozen=True, slots=True)
class Route:
    """How a peer calls an upstream: its provider, and the path of its API."""

    provider: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Peer:
    """One of them.

    `kit`: its requirements come by pip or npm into a folder of its own; or it is a program of this machine, or ours.
    `routes`: by pair; it cannot serve others. `unfit`: scenarios that it cannot serve, with the reason. `settings`,
    `command`, `environment` and `headers` are filled with the `key`, `model`, `config`, `port`, `root`, `programs`,
    `folder` and `user` of a run and with the `provider` and `base` of a route.
    """

    name: str
    kit: Literal["pip", "npm", "machine", "ours"]
    routes: Mapping[str, Route]
    command: tuple[str, ...]
    requirements: tuple[str, ...] = ()
    settings: str = ""
    suffix: str = ".config"
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: str = ""  # of each request, each with its end of line
    checks: Checks = field(default_factory=lambda: CHECKS)
    unfit: Mapping[str, str] = field(default_factory=dict[str, str])
    floor: bool = False

    @property
    def version(self) -> str:
        """Which one is measured: a figure means nothing without it."""
        return ", ".join(requirement.rpartition("==")[2].rpartition("@")[2] for requirement in self.requirements[:1])

    def serves(self, pair: str) -> bool:
        """Whether it knows these dialects."""
        return self.floor or pair in self.routes

    def why_not(self, pair: str) -> str:
        """Say what it does not know."""
        return "" if self.serves(pair) else f"it does not serve {pair}, only {', '.join(self.routes)}"


LITELLM = Peer(
    name="litellm",
    kit="pip",
    requirements=("litellm[proxy]==1.106.2",),
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
    checks=UNNUMBERED,
)
# It asks callers for no key of its own. Node 20 and 22 give answers whose headers it cannot change, which it must.
PORTKEY = Peer(
    name="portkey",
    kit="npm",
    requirements=("@portkey-ai/gateway@1.15.2", "node@22"),
    routes={
        "chat-gemini": Route("google", "/v1beta"),
        "chat-anthropic": Route("anthropic", "/v1"),
        "anthropic-anthropic": Route("anthropic", "/v1"),
        "chat-chat": Route("openai", "/v1"),
    },
    settings="""
const asked = globalThis.fetch;
globalThis.fetch = async (...call) => {{
  const answer = await asked(...call);
  const {{ status, statusText, headers }} = answer;
  return new Response(answer.body, {{ status, statusText, headers: new Headers(headers) }});
}};
""",
    suffix=".mjs",
    command=(
        "node",
        "--import",
        "{config}",
        "{programs}/../@portkey-ai/gateway/build/start-server.js",
        "--port={port}",
        "--headless",
    ),
    environment={"NODE_ENV": "production"},
    headers="x-portkey-provider: {provider}\r\nx-portkey-custom-host: {base}\r\n",
    checks=UNENDED,
)
# Its keys are made in its own pages; without any it asks callers for none.
ROSETTA = Peer(
    name="llm-rosetta",
    kit="pip",
    requirements=("llm-rosetta[gateway]==0.13.0",),
    routes={
        "chat-gemini": Route("google"),
        "anthropic-gemini": Route("google"),
        "responses-chat": Route("openai_chat", "/v1"),
        "chat-anthropic": Route("anthropic"),
        "anthropic-anthropic": Route("anthropic"),
        "chat-chat": Route("openai_chat", "/v1"),
    },
    settings="""{{
  "providers": {{"{provider}": {{"api_key": "bench", "base_url": "{base}"}}}},
  "models": {{"{model}": {{"provider": "{provider}", "capabilities": ["text", "vision", "tools"]}}}},
  "server": {{"host": "127.0.0.1", "port": {port}, "open_on_no_keys": true}}
}}
""",
    suffix=".jsonc",
    command=("llm-rosetta-gateway", "--config", "{config}", "--no-banner", "--log-level", "error"),
    checks=UNNUMBERED,
)
SEED_LIKE = Peer(
    name="seed-like",
    kit="pip",
    requirements=("fastapi==0.165.0", "httpx==0.28.1", "pydantic==2.14.3", "uvicorn[standard]==0.54.0"),
    routes={"chat-gemini": Route()},
    command=(
        *("python", "-m", "uvicorn", "--app-dir", "{root}", "bench.seed_like:app"),
        *("--port", "{port}", *UVICORN),
    ),
    environment={"SEED_UPSTREAM": "{base}", "SEED_KEY": "{key}"},
)
EVERYWHERE = {name: Route() for name in PAIRS}
RAW = Peer(
    name="raw",
    kit="ours",
    routes=EVERYWHERE,
    command=("python", "-m", "uvicorn", "--app-dir", "{root}", "bench.raw:app", "--port", "{port}", *UVICORN),
    environment={"BENCH_UPSTREAM": "{base}"},
    floor=True,
)
NGINX = Peer(
    name="nginx",
    kit="machine",
    routes=EVERYWHERE,
    settings="""
daemon off;
{user}
pid {folder}/nginx.pid;
error_log stderr;
worker_processes 1;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_max_body_size 64m;
    client_body_buffer_size 64m;
    client_body_temp_path {folder}/nginx_body;
    proxy_temp_path {folder}/nginx_proxy;
    fastcgi_temp_path {folder}/nginx_fastcgi;
    uwsgi_temp_path {folder}/nginx_uwsgi;
    scgi_temp_path {folder}/nginx_scgi;
    upstream bench {{ server {address}; keepalive 1024; keepalive_requests 1000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://bench;
            proxy_http_version 1.1;
            proxy_set_header connection "";
            proxy_set_header authorization "Bearer bench";
            proxy_buffering off;
        }}
    }}
}}
""",
    command=("nginx", "-p", "{folder}", "-c", "{config}", "-e", "stderr"),
    floor=True,
)
PEERS: Mapping[str, Peer] = {peer.name: peer for peer in (LITELLM, PORTKEY, ROSETTA, SEED_LIKE, NGINX, RAW)}
