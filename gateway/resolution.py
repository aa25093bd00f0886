"""From the name that a caller writes to the upstreams that are tried. The first rule that knows the name wins.

    0 strip models/ · 1 [models.alias] · 2 UPSTREAM/name · 3 listed by an upstream · 4 the same without a date
    5 [models.variant] · 6 [models.family] · 7 [upstream.X.alias] · 8 models.unknown

What 1, 6 and 7 give is resolved again from 2, what 5 leaves from 1. The suffixes of 5 travel with the target; behind
UPSTREAM/ they are cut, too, for no upstream knows them. [1m], by which Claude Desktop asks for a long context where a
list says that the model has one, is cut where no list and no alias has that very name. A retired name counts as listed
where the upstream knows what it is called now. Each decision names the configuration key that made it.
"""

import random
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import translate

from msgspec import Struct
from msgspec.structs import replace

from gateway.config import (
    FOLDER,
    Config,
    Decision,
    DemoConfig,
    KeyPath,
    ModelRule,
    aliases_of,
    cut,
    did_you_mean,
    family_of,
    rules_of,
    targets_of,
)
from gateway.errors import InvalidRequest, ModelNotFound, ModelsAwaited
from gateway.listing import is_glob, is_name, listing, varied
from gateway.upstream import Adapter, Awaited, Describing, ModelInfo, Renaming, Target

__all__ = ["Decision", "NotServed", "Resolution", "Resolver"]

Pick = Callable[[Sequence[str], Sequence[float]], str]
Suffixes = tuple[str, ...]

_MOST_DECISIONS = 32
_NOWHERE = "nowhere"
_ASKED_S = 1.0  # an upstream has told its models by then, as a rule
_SEPARATORS = re.compile(r"[/\\]")
_LONGEST = 512  # no model's name is longer; headers, logs and what is remembered of models hold it
_DATE = re.compile(r"[-@]20\d{6}$")
_LONG = "[1m]"


class Resolution(Struct, frozen=True):
    """Where a name leads, in the order in which it is tried, and why."""

    targets: tuple[Target, ...]
    decisions: tuple[Decision, ...]


class Resolver:
    """The rules of one configuration over its upstreams."""

    def __init__(self, config: Config, adapters: Mapping[str, Adapter], pick: Pick | None = None) -> None:
        self._config = config
        self._models = config.models
        self._adapters = adapters
        self._all = tuple(adapters.values())
        self._renaming = tuple(adapter for adapter in self._all if isinstance(adapter, Renaming))
        self._upstreams = config.upstream
        self._alias = _Rules(config.models.alias)
        self._weaker = {name: _Rules(config.upstream[name].alias) for name in adapters}
        self._demos = {name for name in adapters if isinstance(config.upstream[name], DemoConfig)}
        self._pick = pick or _weighted

    def resolve(self, name: str, among: Collection[str] = ()) -> Resolution:
        """Find the upstreams for a name; raise ModelNotFound with suggestions, InvalidRequest for what is no name.

        Raises ModelsAwaited while an upstream that may have it is asked for its models for the first time.

        `among`: the names of upstreams; of what is drawn by chance, only what leads to one of them is in the draw.
        """
        if not is_name(name):
            raise InvalidRequest("model: a name may not contain control characters or line breaks", param="model")
        try:
            return self._resolve(name, self._pick, among)
        except _Circle as circle:
            raise circle.refusal() from None
        except _Unserved as unserved:
            if awaited := [one.name for one in self._all if isinstance(one, Awaited) and one.is_awaited]:
                nobody = f"no model list has come from upstream {', '.join(awaited)} yet"
                message = f"the model {unserved.name[:100]!r} is not known yet: {nobody}"
                raise ModelsAwaited(message, param="model", retry_after=_ASKED_S) from None
            way = "" if unserved.name == unserved.asked else f"{unserved.asked[:100]!r} leads nowhere: "
            raise NotServed(unserved.name, self, way) from None

    def leads_to(self, name: str, among: Collection[str]) -> bool:
        """Tell whether a name leads to any of these upstreams."""
        try:
            targets = self._resolve(name, _first, among).targets
        except (_Unserved, ModelNotFound):
            return False
        return any(target.adapter.name in among for target in targets)

    def _resolve(self, name: str, pick: Pick, among: Collection[str] = ()) -> Resolution:
        if len(name) > _LONGEST:
            message = f"the model {name[:100]!r}… is not served here: a name has at most {_LONGEST} characters"
            raise ModelNotFound(message, param="model")
        if ".." in name and ".." in _SEPARATORS.split(name):  # it is to become a part of a path
            raise ModelNotFound(
                f"the model {name[:100]!r} is not served here: a name may not contain `..`", param="model"
            )
        walk = _Walk(name.removeprefix(FOLDER), pick, among)
        targets = self._from_alias(walk.asked, (), walk)
        return Resolution(targets, tuple(walk.decisions))

    # the rules; `suffixes` are those that were cut off this very name

    def _from_alias(self, name: str, suffixes: Suffixes, walk: "_Walk") -> tuple[Target, ...]:
        found = self._alias.find(name)
        if found is None:
            return self._from_upstream(name, suffixes, walk)
        glob, rule = found
        return self._follow(name, rule, ("models", "alias", glob), walk)

    def _follow(self, name: str, rule: ModelRule, path: KeyPath, walk: "_Walk") -> tuple[Target, ...]:
        """Resolve what a rule gives: a chain of names, or one of several by weight."""
        if path in walk.within and (not rule.weights or walk.pick is _first):  # else the next draw may be another one
            raise _Circle(name, walk.asked)
        walk.within.append(path)
        names = (self._drawn(rule, walk),) if rule.weights else rule.targets
        walk.note(name, " then ".join(names), path)
        targets: list[Target] = []
        nowhere: _Unserved | None = None
        for each in names:
            try:
                targets += self._from_upstream(each, (), walk)
            except _Unserved as unserved:  # an upstream may have taken it off its list: the others are there for that
                nowhere = nowhere or unserved
                walk.note(unserved.name, _NOWHERE, path)
        walk.within.pop()
        if nowhere is not None and not targets:
            raise nowhere
        return tuple(targets)

    def _drawn(self, rule: ModelRule, walk: "_Walk") -> str:
        names, weights = rule.targets, rule.weights
        if walk.among:
            left = [pair for pair in zip(names, weights, strict=True) if self._reaches(pair[0], walk)]
            names, weights = zip(*left, strict=True) if left else (names, weights)
        return walk.pick(names, weights)

    def _reaches(self, name: str, walk: "_Walk") -> bool:
        aside = replace(walk, pick=_first, decisions=[*walk.decisions], within=[*walk.within])
        try:
            targets = self._from_upstream(name, (), aside)
        except (_Unserved, ModelNotFound):
            return False
        return any(target.adapter.name in walk.among for target in targets)

    def _from_upstream(self, name: str, suffixes: Suffixes, walk: "_Walk") -> tuple[Target, ...]:
        upstream, slash, rest = name.partition("/")
        if slash and upstream in self._adapters:
            if not rest:
                raise _Unserved(name, walk.asked)
            walk.note(name, name, ("upstream", upstream))
            return (self._at(self._adapters[upstream], rest, walk),)
        target = _listed(name, name, self._all, walk) or self._from_older_name(name, walk)
        return (target,) if target is not None else self._from_variant(name, suffixes, walk)

    def _at(self, adapter: Adapter, name: str, walk: "_Walk") -> Target:
        """Name a model of one upstream, whether it lists it or not."""
        suffixes: Suffixes = ()
        while (target := self._own(adapter, name, walk)) is None:
            if name.endswith(_LONG):
                name = name.removesuffix(_LONG)
                continue
            found = self._cut(name, suffixes, walk)
            if found is None:
                target = Target(adapter, name)
                break
            name, suffix = found
            suffixes += (suffix,)
        return replace(target, variants=suffixes) if suffixes else target

    def _own(self, adapter: Adapter, name: str, walk: "_Walk") -> Target | None:
        if name in adapter.models():
            return Target(adapter, name)
        return _retired(name, name, (one for one in self._renaming if one is adapter), walk)

    def _from_older_name(self, name: str, walk: "_Walk") -> Target | None:
        """Find a retired name, and a dated one: as a rule only the name without its date is listed."""
        undated = _undated(name)
        target = _retired(name, name, self._renaming, walk)
        if target is None and undated != name:
            target = _listed(name, undated, self._all, walk) or _retired(name, undated, self._renaming, walk)
        return target

    def _from_variant(self, name: str, suffixes: Suffixes, walk: "_Walk") -> tuple[Target, ...]:
        # loops are refused at start as far as the lists are known then; later lists must not hang a request
        if len(walk.decisions) >= _MOST_DECISIONS:
            raise _Circle(name, walk.asked).refusal()
        if name.endswith(_LONG):
            return self._from_alias(name.removesuffix(_LONG), suffixes, walk)
        found = self._cut(name, suffixes, walk)
        if found is None:
            return self._from_rules(name, walk)
        base, suffix = found
        targets = self._from_alias(base, (*suffixes, suffix), walk)
        return tuple(replace(target, variants=(suffix, *target.variants)) for target in targets)

    def _cut(self, name: str, besides: Suffixes, walk: "_Walk") -> tuple[str, str] | None:
        for known in dict.fromkeys((name, _undated(name))):
            found = cut(known, self._models.variant, besides)
            if found is not None:
                walk.note(name, found[0], ("models", "variant", found[1]))
                return found
        return None

    def _from_rules(self, name: str, walk: "_Walk") -> tuple[Target, ...]:
        families = self._models.family
        if (word := family_of(families, name)) is not None:
            return self._follow(name, families[word], ("models", "family", word), walk)
        for upstream, rules in self._weaker.items():
            found = rules.find(name) or rules.find(_undated(name))
            if found is not None:
                glob, rule = found
                return self._follow(name, rule, ("upstream", upstream, "alias", glob), walk)
        return (self._unknown(name, walk),)

    @property
    def default(self) -> str:
        """The upstream that has names of which nobody knows, "" = they are refused."""
        if self._models.unknown != "pass":
            return ""
        only = next(iter(self._adapters)) if len(self._adapters) == 1 else ""
        return self._models.default_upstream or only

    def _unknown(self, name: str, walk: "_Walk") -> Target:
        if default := self.default:
            key = "default_upstream" if self._models.default_upstream else "unknown"
            walk.note(name, f"{default}/{name}", ("models", key))
            return Target(self._adapters[default], name)
        raise _Unserved(name, walk.asked)

    def astray(self) -> Iterator[tuple[KeyPath, str]]:
        """Yield each name in a rule that leads nowhere, as the lists are known now, with a message."""
        listed = [name for adapter in self._all for name in adapter.models()]
        for table, rules in rules_of(self._config).items():
            for key, rule in rules.items():
                for place, name in targets_of((*table, key), rule):
                    try:
                        self._from_upstream(name, (), _Walk(name, _first, within=[(*table, key)]))
                    except _Circle as circle:
                        yield place, circle.refusal().message
                    except _Unserved as unserved:
                        hint = did_you_mean(unserved.name, listed)
                        yield place, f'"{name}" leads nowhere: no upstream is known to serve it{hint}'
                    except ModelNotFound as error:
                        yield place, error.message

    def suggestion(self, name: str, known: Iterable[str] | None = None) -> str:
        """Say which names are near an unknown one, of all that are listed or of those `known`."""
        listed = self.listing() if known is None else known
        by_fold = {one.casefold(): one for one in listed if one != name}
        close = get_close_matches(name[:100].casefold(), by_fold, n=3, cutoff=0.5)
        if not close:
            return "; GET /v1/models lists the models"
        return f"; did you mean {', '.join(by_fold[one] for one in close)}?"

    # the lists

    def listing(self) -> dict[str, ModelInfo]:
        """List every name a caller can use, each once."""
        weaker = [name for upstream in self._adapters for name in aliases_of(self._upstreams[upstream])]
        return listing(self._models, weaker, self._all, self._demos, self._find)

    def describe(self, name: str) -> ModelInfo | None:
        """Describe a name that a caller can use, as far as anything is known of it; None for any other."""
        bare = name.removeprefix(FOLDER)
        found = self._find(bare)
        return self.listing().get(bare) or (found[1] if found is not None else None)

    def _find(self, name: str) -> tuple[str, ModelInfo] | None:
        """Find what a name leads to first; an upstream without any list may have it."""
        try:
            target = self._resolve(name, _first).targets[0]
        except (_Unserved, ModelNotFound):
            return None
        adapter = target.adapter
        models = adapter.models()
        info = models.get(target.model) if models else ModelInfo(id=target.model)
        if info is None and isinstance(adapter, Renaming) and target.model in adapter.renamed():
            info = adapter.info(target.model) if isinstance(adapter, Describing) else ModelInfo(id=target.model)
        if info is None:
            return None
        for suffix in reversed(target.variants):
            info = varied(info, suffix, self._models.variant[suffix])
        return adapter.name, info


class _Rules:
    """The rules of one table, of which there may be thousands."""

    def __init__(self, rules: Mapping[str, ModelRule]) -> None:
        self._rules = rules
        self._globs = [(re.compile(translate(glob)).match, glob) for glob in rules if is_glob(glob)]

    def find(self, name: str) -> tuple[str, ModelRule] | None:
        """Find that of a name, and what it is for: exact names first, then globs, top to bottom."""
        if name in self._rules:
            return name, self._rules[name]
        for fits, glob in self._globs:
            if fits(name):
                return glob, self._rules[glob]
        return None


class NotServed(ModelNotFound):
    """No rule leads a name anywhere; names that are near it are suggested. `way`: how it was come to."""

    def __init__(self, name: str, resolver: Resolver, way: str = "") -> None:
        self._said = f"{way}the model {name[:100]!r} is not served here"
        self._name = name
        super().__init__(self._said + resolver.suggestion(name), param="model")
        self.resolver = resolver

    def of(self, known: Iterable[str]) -> ModelNotFound:
        """Say the same with suggestions of these names only."""
        return ModelNotFound(self._said + self.resolver.suggestion(self._name, known), param="model")


class _Unserved(Exception):
    """No rule knows the name that the asked one leads to."""

    def __init__(self, name: str, asked: str) -> None:
        super().__init__(name)
        self.name = name
        self.asked = asked


class _Circle(_Unserved):
    """A rule leads back to itself."""

    def refusal(self) -> ModelNotFound:
        return ModelNotFound(f"the rules for the model {self.asked[:100]!r} form a loop", param="model")


class _Walk(Struct):
    """One name on its way through the rules. `within`: the rules that are being followed."""

    asked: str
    pick: Pick
    among: Collection[str] = ()
    decisions: list[Decision] = []
    within: list[KeyPath] = []

    def note(self, name: str, gives: str, path: KeyPath) -> None:
        self.decisions.append(Decision(name, gives, path))


def _listed(asked: str, name: str, adapters: Iterable[Adapter], walk: _Walk) -> Target | None:
    for adapter in adapters:
        if name in adapter.models():
            walk.note(asked, f"{adapter.name}/{name}", ("upstream", adapter.name, "models"))
            return Target(adapter, name)
    return None


def _retired(asked: str, name: str, adapters: Iterable[Renaming], walk: _Walk) -> Target | None:
    for adapter in adapters:
        new = adapter.renamed().get(name)
        if new is not None:
            walk.note(asked, f"{adapter.name}/{new}", ("upstream", adapter.name, "models"))
            return Target(adapter, new)
    return None


def _undated(name: str) -> str:
    return _DATE.sub("", name)


def _first(names: Sequence[str], _: Sequence[float]) -> str:
    return names[0]


def _weighted(names: Sequence[str], weights: Sequence[float]) -> str:
    return random.choices(names, weights)[0]  # noqa: S311 - load sharing, not a secret
