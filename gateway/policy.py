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
from gateway.errors import GatewayError, InvalidRequest
from gateway.upstream import ModelInfo, Target

__all__ = ["prepare", "refusal", "speaks", "takes"]

_FALLBACK_MAX_TOKENS = 8192

# the dialect in which an upstream is asked, by its type; its `api` and the family of the model say more
_SPOKEN: Final[Mapping[str, str]] = {
    "anthropic": "anthropic",
    "azure": "openai-chat",
    "chat": "openai-chat",
    "gemini": "gemini",
    "responses": "openai-responses",
    "v1internal": "gemini",
    "vertex": "gemini",
}
_CLAUDE: Final = "anthropic"
_CLAUDE_MODEL: Final = "claude"
_ENVELOPED: Final = "v1internal"
_LEVELS: Final = ("-minimal", "-low", "-medium", "-high")
_SAMPLING: Final = ("temperature", "top_p", "top_k", "max_tokens")
_defaults: Final = attrgetter(*_SAMPLING)
_NO_DEFAULTS: Final = (None,) * len(_SAMPLING)
_BUILTIN: Final = {"google_search": "web_search"}
_SHOWN: Final = ir.Reasoning(mode="auto", visible=True)  # a Gemini caller's `includeThoughts` alone: no amount
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
    dialect: str,
    config: Config,
    variants: tuple[str, ...] = (),
    notes: list[Decision] | None = None,
) -> ir.Request:
    """Give the request as `upstream` shall get it: its own model name, defaults and policies filled in.

    `variants`: the suffixes that the caller's name of the model had. `notes` takes a decision for each thing that is
    filled in. An upstream of the caller's own dialect gets the caller's own words; what is filled in becomes an edit.
    """
    case = _Case(upstream, model, info, dialect, config, notes)
    if request.native is not None:
        if _passes(config, upstream, model, request.native) and _keeps_words(variants, case):
            changed = _varied(request, variants, case) if variants else request
            changed = replace(changed, model=model, losses=(), **_sampling(request.sampling, case))
            return vary(request, changed, _target(case)) if variants else changed
        error = refusal(request, upstream)
        if error is not None:
            raise error
        request = replace(request, native=None)
    if variants:
        request = _varied(request, variants, case)
    reasoning, losses = request.reasoning, request.losses
    if reasoning.mode == "unset":
        reasoning = _reasoning(reasoning, case)
        if request.reasoning.visible and not reasoning.visible:
            path = request.paths.get("thinking", "thinking")
            losses += (
                ir.Loss(path, "there are no thoughts to show: [thinking] turns them off for this model", "hint"),
            )
    if request.betas and not _asks_claude(case):
        losses += (ir.Loss("anthropic-beta", "only Anthropic supports its betas", "hint"),)
    sampling = _sampling(request.sampling, case)
    return replace(request, model=model, reasoning=reasoning, losses=losses, **sampling)


def _asks_claude(case: "_Case") -> bool:
    kind = case.config.upstream[case.upstream].type
    return kind == "anthropic" or (kind == "vertex" and ir.family_of(case.model) == "claude")


class _Case(Struct):
    """Who asks whom, and who wants to know what is filled in."""

    upstream: str
    model: str
    info: ModelInfo | None
    dialect: str
    config: Config
    notes: list[Decision] | None

    def note(self, name: str, gives: object, *path: str) -> None:
        if self.notes is not None:
            self.notes.append(Decision(name, str(gives), path))


def _spoken(config: Config, upstream: str, model: str) -> str:
    """Name the dialect in which an upstream is asked for a model; "" for none that a caller could speak.

    In Code Assist the other families have rules of their own, for whole conversations, for tools and for thoughts.
    """
    table, family = config.upstream[upstream], ir.family_of(model)
    if table.type == "vertex" and family == "claude":
        return _CLAUDE
    if table.type == _ENVELOPED and family != "gemini":
        return ""
    return _SPOKEN.get(getattr(table, "api", table.type), "")


def speaks(config: Config, *, unread: bool = False) -> frozenset[str]:
    """Name all dialects in which upstreams are asked; `unread`: those in which one takes what cannot be read here."""
    named = (name for name, table in config.upstream.items() if not unread or table.type != _ENVELOPED)
    return frozenset(_spoken(config, name, model) for name in named for model in ("", _CLAUDE_MODEL)) - {""}


def takes(config: Config, target: Target, native: ir.Native) -> bool:
    """Tell whether a member of a chain takes what only the caller's own words say."""
    return _passes(config, target.adapter.name, target.model, native)


def refusal(request: ir.Request, upstream: str) -> GatewayError | None:
    """Say why a request can only pass as it is, and not be translated; None when it can."""
    native = request.native
    if native is None or (native.only is None and native.refusal is None):
        return None
    if native.refusal is not None:
        return native.refusal
    assert native.only is not None
    reason = f"{native.only.path}: {native.only.reason}; {upstream!r} needs a translation"
    return InvalidRequest(reason, param=native.only.path)


def _keeps_words(variants: tuple[str, ...], case: "_Case") -> bool:
    """Tell whether what the name of the model says beside the model can be written into the caller's own words."""
    if not variants or case.dialect == "gemini":
        return True
    case.note("own words", "translated: the suffix changes more than one field", "models", "variant", variants[0])
    return False


def _passes(config: Config, upstream: str, model: str, native: ir.Native) -> bool:
    """Tell whether the caller's words suit the upstream, and the model."""
    if native.refusal is not None and config.upstream[upstream].type == _ENVELOPED:
        return False  # what it gets is mended, so it must be read
    return _spoken(config, upstream, model) == native.dialect


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
        if variant.thinking is not None and (reasoning.mode == "unset" or _only_shown(reasoning, case)):
            wanted = _THINKING[variant.thinking]
            reasoning = replace(wanted, visible=False) if reasoning.visible is False else wanted
            case.note("thinking", variant.thinking, "models", "variant", suffix)
        elif variant.thinking is not None:
            case.note("thinking", "already as asked for", "models", "variant", suffix)
    return replace(request, tools=tools, reasoning=reasoning)


def _only_shown(reasoning: ir.Reasoning, case: _Case) -> bool:
    return case.dialect == "gemini" and reasoning == _SHOWN


def _sampling(sampling: ir.Sampling, case: _Case) -> dict[str, object]:
    """Fill in what the caller did not say; give the fields of the request that tell."""
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
        filled["max_tokens"] = limit or _FALLBACK_MAX_TOKENS
        case.note("max_tokens", filled["max_tokens"], "defaults", "max_tokens")
    return {"sampling": replace(sampling, **filled), "filled": frozenset(filled)} if filled else {}


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
