"""What gateway.toml adds to a request before it is translated: defaults, the thinking policy, the output limit.

One pure function, called by the relay and by everything that explains what the relay would do.
"""

from fnmatch import fnmatchcase

from msgspec.structs import replace

from gateway import ir
from gateway.config import Config
from gateway.routes import DialectName
from gateway.upstream import ModelInfo

__all__ = ["FALLBACK_MAX_TOKENS", "prepare"]

FALLBACK_MAX_TOKENS = 8192

_LEVELS = ("-minimal", "-low", "-medium", "-high")


def prepare(
    request: ir.Request, *, upstream: str, model: str, info: ModelInfo | None, dialect: DialectName, config: Config
) -> ir.Request:
    """Give the request as `upstream` shall get it: its own model name, defaults and policies filled in."""
    sampling = _sampling(request.sampling, info, dialect, config)
    reasoning = request.reasoning
    if reasoning.mode == "unset":
        reasoning = _reasoning(reasoning, upstream, model, dialect, config)
    return replace(request, model=model, sampling=sampling, reasoning=reasoning)


def _sampling(sampling: ir.Sampling, info: ModelInfo | None, dialect: DialectName, config: Config) -> ir.Sampling:
    filled: dict[str, float | int | None] = {
        name: getattr(config.defaults, name)
        for name in ("temperature", "top_p", "top_k", "max_tokens")
        if getattr(sampling, name) is None and getattr(config.defaults, name) is not None
    }
    if dialect == "anthropic" and sampling.max_tokens is None and "max_tokens" not in filled:
        # Anthropic's own API demands it; callers of the replaced proxies leave it out
        filled["max_tokens"] = (info.max_output if info else None) or FALLBACK_MAX_TOKENS
    return replace(sampling, **filled) if filled else sampling


def _reasoning(
    reasoning: ir.Reasoning, upstream: str, model: str, dialect: DialectName, config: Config
) -> ir.Reasoning:
    # an Anthropic caller reads thoughts only when it asked for thinking
    hidden = False if dialect == "anthropic" else reasoning.visible
    if config.upstream[upstream].type != "v1internal" or "image" in model or model.endswith(_LEVELS):
        return replace(reasoning, visible=hidden)
    for glob, rule in config.thinking.items():
        if fnmatchcase(model, glob):
            visible = rule.include and hidden is not False
            return ir.Reasoning(mode="budget", budget=rule.budget, visible=visible, include=rule.include)
    return replace(reasoning, visible=hidden)
