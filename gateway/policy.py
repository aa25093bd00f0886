"""What gateway.toml adds to a request before it is translated: variants, defaults, thinking, the output limit.

One pure function, called by the relay and by everything that explains what the relay would do. The caller's own
words come first, then the suffix of the model's name, then the policies.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from operator import attrgetter
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway import ir
from gateway.config import Config, Decision
from gateway.dialects.gemini.native import vary
from gateway.dialects.gemini.request import GeminiTarget
from gateway.errors import InvalidRequest
from gateway.routes import DialectName
from gateway.upstream import ModelInfo

__all__ = ["FALLBACK_MAX_TOKENS", "prepare"]

FALLBACK_MAX_TOKENS = 8192

# the upstreams that take a request of this dialect as it came
_SAME: Final[Mapping[str, frozenset[str]]] = {"gemini": frozenset({"v1internal", "gemini"})}
_RULED: Final = (ir.ToolCall, ir.ToolResult, ir.Thinking)
_LEVELS: Final = ("-minimal", "-low", "-medium", "-high")
_SAMPLING: Final = ("temperature", "top_p", "top_k", "max_tokens")
_defaults: Final = attrgetter(*_SAMPLING)
_NO_DEFAULTS: Final = (None,) * len(_SAMPLING)
_BUILTIN: Final = {"google_search": "web_search"}
# What a model takes of it is the codec's business: the most it may think, the least where it cannot stop.
_THINKING: Final[Mapping[str, ir.Reasoning]] = {
    "max": ir.Reasoning(mode="level", level="max", visible=True),
    "off": ir.Reasoning(mode="off", visible=False),
}


def prepare(
    request: ir.Request,
    *,
    upstream: str,
    model: str,
    info: ModelInfo | None,
    dialect: DialectName,
    config: Config,
    variants: tuple[str, ...] = (),
    notes: list[Decision] | None = None,
) -> ir.Request:
    """Give the request as `upstream` shall get it: its own model name, defaults and policies filled in.

    `variants`: the suffixes that the caller's name of the model had. `notes` takes a decision for each thing that is
    filled in. An upstream of the caller's own dialect gets the caller's own words, and of ours only the variants.
    """
    case = _Case(upstream, model, info, dialect, config, notes)
    if request.native is not None:
        if config.upstream[upstream].type in _SAME.get(request.native.dialect, ()) and _passes(request, model):
            request = replace(request, model=model, losses=())
            return vary(request, _varied(request, variants, case), _target(case)) if variants else request
        request = _translated(request, upstream)
    if variants:
        request = _varied(request, variants, case)
    reasoning, losses = request.reasoning, request.losses
    if reasoning.mode == "unset":
        reasoning = _reasoning(reasoning, case)
        if request.reasoning.visible and not reasoning.visible:
            path = request.paths.get("thinking", "thinking")
            losses += (
                ir.Loss(path, "there are no thoughts to show: [thinking] has this model answer without", "hint"),
            )
    sampling = _sampling(request.sampling, case)
    return replace(request, model=model, sampling=sampling, reasoning=reasoning, losses=losses)


class _Case(Struct):
    """Who asks whom, and who wants to know what is filled in."""

    upstream: str
    model: str
    info: ModelInfo | None
    dialect: DialectName
    config: Config
    notes: list[Decision] | None

    def note(self, name: str, gives: object, *path: str) -> None:
        if self.notes is not None:
            self.notes.append(Decision(name, str(gives), path))


def _passes(request: ir.Request, model: str) -> bool:
    """Tell whether a Gemini caller's words suit the model.

    Claude has rules of its own for tools and for thoughts, and it has no JSON mode.
    """
    if ir.family_of(model) == "gemini":
        return True
    return (
        request.output.kind == "text"
        and not request.tools
        and not any(isinstance(part, _RULED) for turn in request.turns for part in turn.parts)
    )


def _translated(request: ir.Request, upstream: str) -> ir.Request:
    only = request.native.only if request.native is not None else None
    if only is not None:
        raise InvalidRequest(f"{only.path}: {only.reason}; {upstream!r} needs a translation", param=only.path)
    return replace(request, native=None)


def _target(case: _Case) -> GeminiTarget:
    return GeminiTarget(
        model=case.model,
        family=ir.family_of(case.model),
        max_output=case.info.max_output if case.info is not None else None,
        thinking_conflict=case.config.translate.thinking_conflict,
    )


def _varied(request: ir.Request, suffixes: tuple[str, ...], case: _Case) -> ir.Request:
    tools, reasoning = request.tools, request.reasoning
    for suffix in suffixes:
        variant = case.config.models.variant[suffix]
        for name in variant.tools:
            builtin = _BUILTIN[name]
            if not any(tool.builtin == builtin for tool in tools):
                tools += (ir.Tool(name=builtin, builtin=builtin, path="model"),)
                case.note("tools", builtin, "models", "variant", suffix)
        if variant.thinking is not None and reasoning.mode == "unset":
            wanted = _THINKING[variant.thinking]
            reasoning = replace(wanted, visible=False) if reasoning.visible is False else wanted
            case.note("thinking", variant.thinking, "models", "variant", suffix)
        elif variant.thinking is not None:
            case.note("thinking", "as it was asked for already", "models", "variant", suffix)
    return replace(request, tools=tools, reasoning=reasoning)


def _sampling(sampling: ir.Sampling, case: _Case) -> ir.Sampling:
    defaults = _defaults(case.config.defaults)
    filled: dict[str, float | int | None] = {}
    if defaults != _NO_DEFAULTS:
        for name, default in zip(_SAMPLING, defaults, strict=True):
            if default is not None and getattr(sampling, name) is None:
                filled[name] = default
                case.note(name, default, "defaults", name)
    if case.dialect == "anthropic" and sampling.max_tokens is None and "max_tokens" not in filled:
        # Anthropic's own API demands it; callers of the replaced proxies leave it out
        limit = case.info.max_output if case.info is not None else None
        filled["max_tokens"] = limit or FALLBACK_MAX_TOKENS
        case.note("max_tokens", filled["max_tokens"], "defaults", "max_tokens")
    return replace(sampling, **filled) if filled else sampling


def _reasoning(reasoning: ir.Reasoning, case: _Case) -> ir.Reasoning:
    # an Anthropic caller reads thoughts only when it asked for thinking
    hidden = False if case.dialect == "anthropic" else reasoning.visible
    model, config = case.model, case.config
    if config.upstream[case.upstream].type != "v1internal" or "image" in model or model.endswith(_LEVELS):
        return replace(reasoning, visible=hidden)
    glob = _first_match(model, tuple(config.thinking))
    if glob is None:
        return replace(reasoning, visible=hidden)
    rule = config.thinking[glob]
    if case.notes is not None:
        case.note("thinking", f"include {rule.include}, budget {rule.budget}", "thinking", glob)
    visible = rule.include and hidden is not False
    return ir.Reasoning(mode="budget", budget=rule.budget, visible=visible, include=rule.include)


@lru_cache(maxsize=256)
def _first_match(name: str, globs: tuple[str, ...]) -> str | None:
    return next((glob for glob in globs if fnmatchcase(name, glob)), None)
