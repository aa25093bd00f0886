"""The variables of the systems that this gateway replaces, read only while no gateway.toml is in use.

They make a full set-up by themselves. An empty variable counts as not set, as in those systems' samples.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.config.problems import Problem, did_you_mean
from gateway.config.sources import Draft, KeyPath, Source, Text
from gateway.config.values import QUOTED, is_quoted
from gateway.config.variables import Variables

__all__ = ["SEEDS", "apply_seeds"]

_SCALARS: Final[Mapping[str, KeyPath]] = {
    "LOG_FILE": ("log", "file"),
    "LOG_FILE_PATTERN": ("log", "rotated"),
    "LOG_FILE_BACKUP_COUNT": ("log", "keep"),
}
_KEYS: Final = ("API_KEYS", "ANTHROPIC_AUTH_TOKEN")

# upstream → its keys and their variables; the first one brings the upstream into being
_UPSTREAMS: Final[Mapping[str, Mapping[str, str]]] = {
    "openai": {"api_key": "OPENAI_API_KEY", "base_url": "OPENAI_BASE_URL"},
    "gemini": {"api_key": "GEMINI_API_KEY"},
    "azure": {
        "endpoint": "AZURE_OPENAI_ENDPOINT",
        "api_key": "AZURE_OPENAI_API_KEY",
        "api_version": "AZURE_API_VERSION",
    },
    "anthropic": {"api_key": "ANTHROPIC_API_KEY"},
}
_VERTEX: Final = {"project": "VERTEX_PROJECT", "location": "VERTEX_LOCATION"}
_SWITCH: Final = {"": False, "false": False, "0": False, "no": False, "true": True, "1": True, "yes": True}

_PROVIDERS: Final = {"openai": "openai", "google": "gemini", "azure": "azure", "anthropic": "anthropic"}
_FALLBACKS: Final = {"openai": "gemini", "gemini": "openai"}  # each answers where the other one has no key
_PREFIXES: Final = tuple(f"{name}/" for name in (*_UPSTREAMS, "vertex"))
_SIZES: Final = {"BIG_MODEL": ("*opus*", "*sonnet*"), "SMALL_MODEL": ("*haiku*",)}
_MODELS: Final = {
    "openai": {"BIG_MODEL": "gpt-4.1", "SMALL_MODEL": "gpt-4.1-mini"},
    "gemini": {"BIG_MODEL": "gemini-2.5-pro", "SMALL_MODEL": "gemini-2.5-flash"},
}

_TURNS: Final = "TOKEN_ROTATION_COUNT"

# each variable, and the one without which it means nothing
SEEDS: Final[Mapping[str, str]] = {
    **dict.fromkeys((*_SCALARS, *_KEYS, "USE_VERTEX_AUTH", "PREFERRED_PROVIDER", *_SIZES, _TURNS), ""),
    **{
        name: "" if place == 0 else next(iter(keys.values()))
        for keys in _UPSTREAMS.values()
        for place, name in enumerate(keys.values())
    },
    **dict.fromkeys(_VERTEX.values(), "USE_VERTEX_AUTH"),
}


def apply_seeds(draft: Draft, variables: Variables) -> None:
    """Build the set-up that these variables describe."""
    for name, path in _SCALARS.items():
        _put(draft, path, name, variables)
    _put_keys(draft, variables)
    vertex = ("gemini", "vertex") if _vertex(draft, variables) else ()  # "gemini/NAME" goes to Vertex too
    for upstream, keys in _UPSTREAMS.items():
        if upstream not in vertex:
            _put_upstream(draft, upstream, keys, variables)
    for upstream in vertex:
        draft.put(("upstream", upstream, "type"), "vertex", variables.source("USE_VERTEX_AUTH"))
        for key, name in _VERTEX.items():
            _put(draft, ("upstream", upstream, key), name, variables)
    _put_models(draft, variables)
    if variables.get(_TURNS):
        source = variables.source(_TURNS)
        draft.put(("upstream", "antigravity", "type"), "v1internal", source)
        draft.put(("upstream", "antigravity", "pool", "strategy"), "round_robin", source)
        _put(draft, ("upstream", "antigravity", "pool", "uses_per_turn"), _TURNS, variables)


def _put(draft: Draft, path: KeyPath, name: str, variables: Variables) -> None:
    if variables.get(name):
        draft.put(path, Text(variables.get(name)), variables.source(name))


def _report(draft: Draft, name: str, message: str, variables: Variables) -> None:
    place = ".env" if variables.source(name).kind == ".env" else "environment"
    draft.problems.append(Problem(place, None, f"{name}: {message}"))


def _put_keys(draft: Draft, variables: Variables) -> None:
    found: dict[str, Source] = {}
    for name in _KEYS:
        for key in _split(name, draft, variables):
            found.setdefault(key, variables.source(name))
    if found:
        draft.put(("auth", "keys"), list(found), next(iter(found.values())))
        for index, source in enumerate(found.values()):
            draft.sources["auth", "keys", index] = source


def _split(name: str, draft: Draft, variables: Variables) -> list[str]:
    """Read one key, or for API_KEYS a JSON array or a list with commas."""
    text = variables.get(name)
    if name == "API_KEYS" and text.startswith("["):
        try:
            return msgspec.json.decode(text, type=list[str])
        except (ValueError, RecursionError):
            _report(
                draft, name, 'is not a JSON array of strings: write ["sk-one", "sk-two"] or sk-one,sk-two', variables
            )
            return []
    words = text.split(",") if name == "API_KEYS" else [text]
    return [word.strip() for word in words if word.strip()]


def _put_upstream(draft: Draft, upstream: str, keys: Mapping[str, str], variables: Variables) -> None:
    first = next(iter(keys.values()))
    if variables.get(first):
        draft.put(("upstream", upstream, "type"), upstream, variables.source(first))
        for key, name in keys.items():
            _put(draft, ("upstream", upstream, key), name, variables)


def _vertex(draft: Draft, variables: Variables) -> bool:
    value = _SWITCH.get(variables.get("USE_VERTEX_AUTH").casefold())
    if value is None:
        _report(draft, "USE_VERTEX_AUTH", "is neither true nor false", variables)
    return bool(value)


def _put_models(draft: Draft, variables: Variables) -> None:
    """Send opus, sonnet and haiku names to the preferred provider's models, then to the other provider's."""
    upstream = _preferred(draft, variables)
    if upstream is None:
        return
    name = "PREFERRED_PROVIDER"
    source = variables.source(name) if variables.get(name) else draft.source(("upstream", upstream, "type"))
    serving = upstream if draft.get(("upstream", upstream)) is not None else _FALLBACKS[upstream]
    draft.put(("models", "default_upstream"), serving, source)
    if upstream == "anthropic":
        return
    for size, globs in _SIZES.items():
        if is_quoted(variables.get(size)):
            _report(draft, size, QUOTED, variables)
        chain = _chain(draft, upstream, size, variables)
        for glob in globs:
            by = variables.source(size) if variables.get(size) else source
            draft.put(("models", "alias", glob), chain, by)


def _preferred(draft: Draft, variables: Variables) -> str | None:
    """Give the upstream of PREFERRED_PROVIDER, or that has a fallback; without it the first one that is configured."""
    configured = [name for name in _PROVIDERS.values() if draft.get(("upstream", name)) is not None]
    wanted = variables.get("PREFERRED_PROVIDER").casefold()
    if not wanted:
        return next(iter(configured), None)
    upstream = _PROVIDERS.get(wanted)
    if upstream is None:
        message = f'"{wanted}" is not one of {", ".join(_PROVIDERS)}{did_you_mean(wanted, _PROVIDERS)}'
        _report(draft, "PREFERRED_PROVIDER", message, variables)
    elif upstream not in configured and _FALLBACKS.get(upstream) not in configured:
        needed = next(iter(_UPSTREAMS[upstream].values()))
        _report(draft, "PREFERRED_PROVIDER", f"is {wanted}, but {needed} is not set", variables)
        return None
    return upstream


def _chain(draft: Draft, upstream: str, size: str, variables: Variables) -> list[object]:
    configured = [name for name in _MODELS if draft.get(("upstream", name)) is not None]
    fallback = "openai" if upstream != "gemini" or "openai" in configured else "gemini"
    absent = f"{upstream}/" if draft.get(("upstream", upstream)) is None else ""
    first = _target(draft, upstream, variables.get(size).removeprefix(absent) or _MODELS[fallback][size])
    others = [f"{name}/{_MODELS[name][size]}" for name in configured if not first.startswith(f"{name}/")]
    chain = [first, *others[:1]]
    return [target for target in chain if not absent or not target.startswith(absent)]


def _target(draft: Draft, upstream: str, model: str) -> str:
    """Complete the prefix of a model; one that names no upstream here is a part of the name, as routers have them."""
    if model.startswith(_PREFIXES) and draft.get(("upstream", model.partition("/")[0])) is not None:
        return model
    if upstream == "gemini" and not model.startswith("gemini-"):
        upstream = "openai"
    return f"{upstream}/{model}"
