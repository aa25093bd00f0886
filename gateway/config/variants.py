"""Variant suffixes: `gemini-2.5-flash-search` is the model `gemini-2.5-flash` with a change of [models.variant]."""

from collections.abc import Container, Mapping
from fnmatch import fnmatchcase

from gateway.config.schema import VariantConfig

__all__ = ["allows", "cut"]


def cut(name: str, variants: Mapping[str, VariantConfig], besides: Container[str] = ()) -> tuple[str, str] | None:
    """Give what stands before the longest suffix that `name` has, and the suffix; None when it has none.

    `name` is without an upstream. `besides`: suffixes that were cut already; each stands once at most.
    """
    found = [
        suffix
        for suffix, variant in variants.items()
        if name.endswith(suffix) and suffix not in besides and allows(variant, name.removesuffix(suffix))
    ]
    if not found:
        return None
    suffix = max(found, key=len)
    return name.removesuffix(suffix), suffix


def allows(variant: VariantConfig, base: str) -> bool:
    """Tell whether the model `base` has this variant."""
    return bool(base) and (not variant.only or fnmatchcase(base, variant.only))
