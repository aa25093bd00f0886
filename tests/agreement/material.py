"""What a walk is made of: upstreams and what their tokens cost, limits of keys, failures, the gateway.toml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = [
    "AMPLE",
    "BREAKS",
    "CHAINS",
    "EMBEDDING",
    "FAULTS",
    "LIMITS",
    "MODELS",
    "PRICES",
    "SPOKEN",
    "Json",
    "gateway_toml",
]

Json = dict[str, Any]

# of each upstream, its dialect and the model that it is asked for
SPOKEN: Final = {"chat": "openai-chat", "responses": "openai-responses", "anthropic": "anthropic", "gemini": "gemini"}
MODELS: Final = {
    "chat": "gpt-4.1",
    "responses": "gpt-4.1-mini",
    "anthropic": "claude-sonnet-4-6",
    "gemini": "gemini-2.5-flash",
}
CHAINS: Final = {
    "first-chain": ("chat", "anthropic"),
    "second-chain": ("gemini", "responses"),
    "third-chain": ("anthropic", "gemini"),
}
EMBEDDING: Final = "text-embedding-3-small"

# billionths of a dollar for a token: of the prompt, of what of it was cached, of the answer
PRICES: Final[Mapping[str, tuple[int, int, int]]] = {
    "gpt-4.1": (2000, 500, 8000),
    "gpt-4.1-mini": (1000, 100, 4000),
    "claude-sonnet-4-6": (3000, 300, 15_000),
    "gemini-2.5-flash": (300, 30, 2500),
    EMBEDDING: (20, 20, 0),
}

# which are soon reached, and so many times as much, which are not
LIMITS: Final[Mapping[str, float]] = {"requests_per_day": 5, "tokens_per_day": 3000, "usd_per_month": 0.02}
AMPLE: Final = 1000
FAULTS: Final = ("500", "503", "reset", "400", "404")
BREAKS: Final = ("cut", "fin", "drop")  # behind so many pieces of an answer

_TOML: Final = """
[server]
data_dir = "data"
[admin]
password = "{password}"
[log]
file = "{log}"
format = "json"
[retry]
attempts = 2
max_wait = 0.02
[models.alias]
{chains}
[usage.price]
{prices}
[upstream.chat]
type = "openai"
api_key = "key-1"
base_url = "{chat}/v1"
models = ["{models[chat]}", "{embedding}"]
[upstream.responses]
type = "openai"
api = "responses"
api_key = "key-1"
base_url = "{responses}/v1"
models = ["{models[responses]}"]
[upstream.anthropic]
type = "anthropic"
api_key = "key-1"
base_url = "{anthropic}"
models = ["{models[anthropic]}"]
[upstream.gemini]
type = "gemini"
api_key = "key-1"
base_url = "{gemini}"
models = ["{models[gemini]}"]
"""


def gateway_toml(urls: Mapping[str, str], *, log: str, password: str) -> str:
    """Write it; `urls`: of the upstreams by name."""
    chains = [f'"{name}" = {[f"{one}/{MODELS[one]}" for one in members]}' for name, members in CHAINS.items()]
    prices = [
        f'"{model}" = {{ input = {price / 1000}, cached = {cached / 1000}, output = {output / 1000} }}'
        for model, (price, cached, output) in PRICES.items()
    ]
    lists = {"chains": "\n".join(chains), "prices": "\n".join(prices)}
    return _TOML.format(**urls, **lists, log=log, password=password, models=MODELS, embedding=EMBEDDING)
