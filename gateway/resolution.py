"""From the name that a caller writes to the upstreams that are tried. The first rule that knows the name wins.

    0 strip models/ · 1 [models.alias] · 2 UPSTREAM/name · 3 listed by an upstream · 4 the same without a date
    6 [models.family] · 7 [upstream.X.alias] · 8 models.unknown

What 1, 6 and 7 give is resolved again from 2. Each decision names the configuration key that made it.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from msgspec import Struct

from gateway.config import Config, ModelRule
from gateway.errors import ModelNotFound
from gateway.upstream import Adapter, ModelInfo, Target

__all__ = ["Decision", "Resolution", "Resolver"]

Pick = Callable[[Sequence[str], Sequence[float]], str]

_MOST_DECISIONS = 32
_DATE = re.compile(r"[-@]20\d{6}$")


class Decision(Struct, frozen=True):
    """One step: the name it was given, what it made of it, and the configuration key that said so."""

    name: str
    gives: str
    key: str


class Resolution(Struct, frozen=True):
    """Where a name leads, in the order in which it is tried, and why."""

    targets: tuple[Target, ...]
    decisions: tuple[Decision, ...]


class Resolver:
    """The rules of one configuration over its upstreams."""

    def __init__(self, config: Config, adapters: Mapping[str, Adapter], pick: Pick | None = None) -> None:
        self._models = config.models
        self._adapters = adapters
        self._aliases = {name: getattr(config.upstream[name], "alias", {}) for name in adapters}
        self._pick = pick or _weighted

    def resolve(self, name: str) -> Resolution:
        """Find the upstreams for a name; raise ModelNotFound with suggestions."""
        decisions: list[Decision] = []
        bare = name.removeprefix("models/")
        rule = _lookup(self._models.alias, bare)
        if rule is None:
            return Resolution(self._from_prefix(bare, decisions), tuple(decisions))
        glob, value = rule
        targets = self._follow(bare, value, f"models.alias.{glob!r}", decisions)
        return Resolution(targets, tuple(decisions))

    def listing(self) -> dict[str, ModelInfo]:
        """List every name a caller can use: upstreams' models and exact aliases, each once."""
        listed: dict[str, ModelInfo] = {}
        for adapter in self._adapters.values():
            for name, info in adapter.models().items():
                listed.setdefault(name, info)
        for alias in self._models.alias:
            if not _is_glob(alias):
                listed.setdefault(alias, ModelInfo(id=alias))
        return listed

    def _follow(self, name: str, rule: ModelRule, key: str, decisions: list[Decision]) -> tuple[Target, ...]:
        """Resolve what a rule gives: a chain of names, or one of several by weight."""
        names = (self._pick(rule.targets, rule.weights),) if rule.weights else rule.targets
        decisions.append(Decision(name, " then ".join(names), key))
        return tuple(target for each in names for target in self._from_prefix(each, decisions))

    def _from_prefix(self, name: str, decisions: list[Decision]) -> tuple[Target, ...]:
        upstream, slash, rest = name.partition("/")
        if slash and upstream in self._adapters:
            decisions.append(Decision(name, name, f"upstream.{upstream}"))
            return (Target(self._adapters[upstream], rest),)
        return self._from_lists(name, decisions)

    def _from_lists(self, name: str, decisions: list[Decision]) -> tuple[Target, ...]:
        undated = _DATE.sub("", name)
        for known in dict.fromkeys((name, undated)):
            for adapter in self._adapters.values():
                if known in adapter.models():
                    decisions.append(Decision(name, f"{adapter.name}/{known}", f"upstream.{adapter.name}.models"))
                    return (Target(adapter, known),)
        return self._from_rules(name, undated, decisions)

    def _from_rules(self, name: str, undated: str, decisions: list[Decision]) -> tuple[Target, ...]:
        # loops are refused at start as far as the lists are known then; later lists must not hang a request
        if len(decisions) < _MOST_DECISIONS:
            for word, rule in self._models.family.items():
                if word in name.lower():
                    return self._follow(name, rule, f"models.family.{word}", decisions)
            for upstream, aliases in self._aliases.items():
                found = _lookup(aliases, name) or _lookup(aliases, undated)
                if found is not None:
                    glob, value = found
                    return self._follow(name, value, f"upstream.{upstream}.alias.{glob!r}", decisions)
        return self._unknown(name, decisions)

    def _unknown(self, name: str, decisions: list[Decision]) -> tuple[Target, ...]:
        default = self._models.default_upstream
        if not default and len(self._adapters) == 1:
            default = next(iter(self._adapters))
        if self._models.unknown == "pass" and default:
            decisions.append(Decision(name, f"{default}/{name}", "models.default_upstream"))
            return (Target(self._adapters[default], name),)
        raise ModelNotFound(f"the model {name[:100]!r} is not served here{self._suggest(name)}", param="model")

    def _suggest(self, name: str) -> str:
        close = get_close_matches(name[:100], list(self.listing()), n=3, cutoff=0.5)
        return f"; did you mean {', '.join(close)}?" if close else "; GET /v1/models lists the models"


def _lookup(rules: Mapping[str, ModelRule], name: str) -> tuple[str, ModelRule] | None:
    """Exact names first, then globs, top to bottom."""
    if name in rules:
        return name, rules[name]
    return next(_matching(rules, name), None)


def _matching(rules: Mapping[str, ModelRule], name: str) -> Iterator[tuple[str, ModelRule]]:
    return ((glob, rule) for glob, rule in rules.items() if _is_glob(glob) and fnmatchcase(name, glob))


def _is_glob(name: str) -> bool:
    return any(mark in name for mark in "*?[")


def _weighted(names: Sequence[str], weights: Sequence[float]) -> str:
    return random.choices(names, weights)[0]  # noqa: S311 - load sharing, not a secret
