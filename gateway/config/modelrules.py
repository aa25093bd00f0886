"""Model rules: each leads to an upstream that is configured, and none leads back to itself.

What a rule gives is resolved again, so a rule can lead to another one. A name that some upstream may list ends
the way. Lists that are fetched later are not known here, so an upstream without `models` may list what its type
serves.
"""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Final, TypeAlias

from gateway.config.problems import did_you_mean
from gateway.config.schema import Config
from gateway.config.sources import KeyPath, dotted
from gateway.config.upstreams import AzureConfig, DemoConfig, OpenAIConfig, UpstreamConfig
from gateway.config.values import ModelRule
from gateway.config.variants import cut

__all__ = ["FOLDER", "check_models", "family_of", "rules_of", "targets_of"]

FOLDER: Final = "models/"  # before a name it is ignored; Google's clients write it

Tables: TypeAlias = Mapping[KeyPath, Mapping[str, ModelRule]]

_ALIAS: Final[KeyPath] = ("models", "alias")
_FAMILY: Final[KeyPath] = ("models", "family")

_SERVED: Final[Mapping[str, tuple[str, ...]]] = {
    "v1internal": ("claude-*", "gemini-*", "gpt-oss-*"),
    "gemini": ("gemini-*", "gemma-*", "imagen-*", "veo-*", "text-embedding-*"),
    "vertex": ("claude-*", "gemini-*", "gemma-*", "imagen-*", "veo-*", "text-embedding-*"),
    "openai": ("gpt-*", "chatgpt-*", "codex-*", "o[0-9]*", "text-embedding-*"),
    "azure": ("gpt-*", "o[0-9]*", "text-embedding-*"),
    "anthropic": ("claude-*",),
    "demo": ("demo",),
}
_ANY: Final = ("*",)  # of an adapter of somebody else's


def check_models(config: Config, names: frozenset[str]) -> Iterator[tuple[KeyPath, str]]:
    """Yield what is wrong with the model rules; `names` are the upstreams that the operator has written."""
    tables = rules_of(config)
    rules = {(*path, name): rule for path, table in tables.items() for name, rule in table.items()}
    if "" in config.models.variant:
        yield ("models", "variant", ""), "an empty suffix would match every name"
    if "" in config.models.family:
        yield (*_FAMILY, ""), "an empty word would be in every name"
    yield from _empty(config)
    upstream = config.models.default_upstream
    if upstream and upstream not in names:
        hint = did_you_mean(upstream, names)
        yield ("models", "default_upstream"), f'upstream "{upstream}" is not configured{hint}'
    for path, rule in rules.items():
        asked = str(path[-1]).removeprefix(FOLDER)
        if asked != path[-1] and path[:-1] != _FAMILY:
            yield path, f'never matches, because "{FOLDER}" is removed from requested names: write "{asked}"'
        for place, target in targets_of(path, rule):
            head, slash, rest = target.partition("/")
            if slash and head in names and not rest:
                yield place, f'"{target}" names no model of upstream "{head}"'
            elif slash and head not in names and not _listed(config, target):
                hint = did_you_mean(head, names)
                yield place, f'"{target}" refers to upstream "{head}", which is not configured{hint}'
    yield from _loops(config, names, tables, rules)


def _empty(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Find names of upstreams' models that are none: a list would show them, and no request can ask for them."""
    for name, upstream in config.upstream.items():
        if not isinstance(upstream, DemoConfig):
            for index, model in enumerate(upstream.models):
                if not model:
                    yield ("upstream", name, "models", index), "is empty"
        if isinstance(upstream, AzureConfig):
            for model, deployment in upstream.deployments.items():
                if not (model and deployment):
                    yield ("upstream", name, "deployments", model), "is empty"


def targets_of(path: KeyPath, rule: ModelRule) -> Iterator[tuple[KeyPath, str]]:
    """Yield each name that a rule gives, with the place where it stands."""
    if len(rule.targets) == 1 and not rule.weights:
        yield path, rule.targets[0]
        return
    for index, target in enumerate(rule.targets):
        yield (*path, target if rule.weights else index), target


def rules_of(config: Config) -> Tables:
    """Give the tables of rules, each by its place."""
    models = config.models
    tables: dict[KeyPath, Mapping[str, ModelRule]] = {_ALIAS: models.alias, _FAMILY: models.family}
    for name, upstream in config.upstream.items():
        tables["upstream", name, "alias"] = upstream.alias
    return tables


def _loops(
    config: Config, names: frozenset[str], tables: Tables, rules: Mapping[KeyPath, ModelRule]
) -> Iterator[tuple[KeyPath, str]]:
    leads = {
        path: [
            found
            for target in rule.targets
            if not _names_upstream(target, names)
            if (found := _next(config, tables, target)) is not None
        ]
        for path, rule in rules.items()
    }
    reported: set[KeyPath] = set()
    for path in rules:
        way = _way_back(path, leads)
        if way and reported.isdisjoint(way):
            reported.update(way)
            yield path, f"forms a loop: {' → '.join(dotted(step) for step in (*way, path))}"


def _way_back(start: KeyPath, leads: Mapping[KeyPath, list[KeyPath]]) -> tuple[KeyPath, ...]:
    """Give the shortest way from a rule back to itself, () when there is none."""
    ways: list[tuple[KeyPath, ...]] = [(start,)]
    seen: set[KeyPath] = set()
    for way in ways:
        for path in leads[way[-1]]:
            if path == start:
                return way
            if path not in seen:
                seen.add(path)
                ways.append((*way, path))
    return ()


def _next(config: Config, tables: Tables, name: str) -> KeyPath | None:
    """Find the rule that a name meets when it is resolved again."""
    suffixes: list[str] = []
    while not _surely_listed(config, name) and (found := cut(name, config.models.variant, suffixes)) is not None:
        name, suffix = found
        suffixes.append(suffix)
        alias = _match(config.models.alias, name)
        if alias is not None:  # only what is left of a cut suffix meets the globs of the aliases again
            return (*_ALIAS, alias)
    if _listed(config, name):
        return None
    for path, table in tables.items():
        if path == _FAMILY:
            met = family_of(table, name)
        elif path == _ALIAS:
            met = name if name in table else None
        else:
            met = _match(table, name)
        if met is not None:
            return (*path, met)
    return None


def family_of(words: Iterable[str], name: str) -> str | None:
    """Give the first word that a name contains, however both are written."""
    lower = name.lower()
    return next((word for word in words if word.lower() in lower), None)


def _match(rules: Mapping[str, ModelRule], name: str) -> str | None:
    return name if name in rules else next((glob for glob in rules if fnmatchcase(name, glob)), None)


def _names_upstream(target: str, names: frozenset[str]) -> bool:
    head, slash, _ = target.partition("/")
    return bool(slash) and head in names


def _listed(config: Config, name: str) -> bool:
    return any(_may_list(upstream, name) for upstream in config.upstream.values())


def _surely_listed(config: Config, name: str) -> bool:
    return any(name in upstream.models for upstream in config.upstream.values() if not isinstance(upstream, DemoConfig))


def _may_list(upstream: UpstreamConfig, name: str) -> bool:
    if not isinstance(upstream, DemoConfig) and upstream.models:
        return name in upstream.models
    if isinstance(upstream, OpenAIConfig) and upstream.base_url:
        return "/" not in name
    return any(fnmatchcase(name, glob) for glob in _SERVED.get(upstream.type, _ANY))
