"""The names that a caller can use, for the model lists and for suggestions."""

from collections.abc import Callable, Container, Iterable

from msgspec.structs import replace

from gateway.config import ModelsConfig, VariantConfig, allows
from gateway.upstream import Adapter, ModelInfo

__all__ = ["is_glob", "is_name", "listing", "varied"]

Find = Callable[[str], tuple[str, ModelInfo] | None]


def listing(
    models: ModelsConfig, weaker: Iterable[str], adapters: Iterable[Adapter], plain: Container[str], find: Find
) -> dict[str, ModelInfo]:
    """List each name once: the upstreams' models, exact aliases, then the variants of both.

    `weaker`: aliases that hold for names which no upstream lists. `plain`: upstreams whose models have no variants.
    `find`: the upstream and the model that an alias leads to.
    """
    listed: dict[str, ModelInfo] = {}
    bases: dict[str, ModelInfo] = {}
    for adapter in adapters:
        for name, info in adapter.models().items():
            if not is_name(name):
                continue
            if name not in listed and adapter.name not in plain:
                bases[name] = info
            listed.setdefault(name, info)
    for alias in (*models.alias, *(name for name in weaker if name not in listed)):
        if not is_glob(alias):
            upstream, info = find(alias) or ("", ModelInfo(id=alias))
            listed[alias] = info = replace(info, id=alias, display_name=None)
            if upstream not in plain:
                bases[alias] = info
    return listed | _variants(models, bases, listed) if models.list_variants else listed


def varied(info: ModelInfo, suffix: str, variant: VariantConfig) -> ModelInfo:
    """Describe a variant of a model."""
    shown = info.display_name and f"{info.display_name} ({suffix.lstrip('-')})"
    thinking = info.thinking if variant.thinking is None else variant.thinking != "off"
    return replace(info, id=info.id + suffix, display_name=shown, thinking=thinking)


def is_name(text: str) -> bool:
    """Tell whether a model can be asked for under this; what an upstream lists may be anything."""
    return text.isprintable()


def is_glob(name: str) -> bool:
    """Tell whether a rule is for many names."""
    return any(mark in name for mark in "*?[")


def _variants(models: ModelsConfig, bases: dict[str, ModelInfo], listed: Container[str]) -> dict[str, ModelInfo]:
    # what only embeds or draws does nothing that a suffix changes
    return {
        base + suffix: varied(info, suffix, variant)
        for base, info in bases.items()
        for suffix, variant in models.variant.items()
        if allows(variant, base) and base + suffix not in listed and info.answers
    }
