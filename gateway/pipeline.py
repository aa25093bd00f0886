"""Build the stack of middlewares from `[pipeline] order`, and refuse an order that cannot work.

A middleware class says what it `provides` to those inside it and what it `requires` from those outside it. A
requirement that ends in `?` holds only when something in the order provides it.
"""

from collections.abc import Mapping
from inspect import signature
from typing import Protocol, cast

from starlette.types import ASGIApp

from gateway.config import Config, KeyPath, Loaded, Problem
from gateway.registry import import_path, load, names
from gateway.services import Services

__all__ = ["REQUIRED", "Middleware", "build", "misordered", "propose", "resolve", "violations"]

REQUIRED = ("protocol", "model_map")
LATER = frozenset({"metrics", "usage"})  # built-in names that this version does not serve yet
_ORDER: KeyPath = ("pipeline", "order")


class Middleware(Protocol):
    """What the builder reads off a middleware class; foreign ones may leave both out."""

    provides: frozenset[str]
    requires: frozenset[str]


def resolve(config: Config) -> dict[str, type]:
    """Import every middleware that the order names, in order; ImportError and AttributeError pass."""
    found: dict[str, type] = {}
    registered = names("gateway.middleware")
    for name in config.pipeline.order:
        if name in config.middleware:
            found[name] = cast(type, import_path(config.middleware[name].use))
        elif name in registered:
            found[name] = cast(type, load("gateway.middleware", name))
        elif name not in LATER:
            found[name] = cast(type, import_path(name))
    return found


def misordered(loaded: Loaded) -> list[Problem]:
    """Say what is wrong with the configured order, with an order that works; [] = it works."""
    try:
        order = resolve(loaded.config)
    except (ImportError, AttributeError) as error:
        return [loaded.problem(_ORDER, str(error))]
    found = violations(order, anonymous=loaded.config.auth.allow_anonymous == "always")
    problems = [loaded.problem(_ORDER, f"{text}; an order that works: {propose(order)}") for text in found]
    return problems + [problem for name, cls in order.items() if (problem := _misfit(name, cls, loaded))]


def _misfit(name: str, cls: type, loaded: Loaded) -> Problem | None:
    """Say which option of [middleware.NAME] its class does not take."""
    if name not in loaded.config.middleware:
        return None
    try:
        signature(cls).bind(None, **loaded.config.middleware[name].options)
    except TypeError as error:
        return loaded.problem(("middleware", name, "options"), f"{cls.__name__}: {error}")
    return None


def violations(order: Mapping[str, type], *, anonymous: bool) -> list[str]:
    """Say what is wrong with an order, outermost first; [] = it works.

    `anonymous`: auth.allow_anonymous is "always", so `auth` may be left out.
    """
    needed = REQUIRED if anonymous else (*REQUIRED, "auth")
    problems = [f"leaves out {name!r}, without which nothing works" for name in needed if name not in order]
    offered = {mark for cls in order.values() for mark in _marks(cls, "provides")}
    seen: set[str] = {"principal"} if anonymous and "auth" not in order else set()
    for name, cls in order.items():
        for mark in sorted(_marks(cls, "requires")):
            bare = mark.removesuffix("?")
            if bare not in seen and (bare in offered or not mark.endswith("?")):
                giver = next((n for n, c in order.items() if bare in _marks(c, "provides")), None)
                problems.append(_misplaced(name, bare, giver))
        seen |= _marks(cls, "provides")
    return problems


def propose(order: Mapping[str, type]) -> list[str]:
    """Give the nearest order in which every middleware has what it requires outside it."""
    rest = dict(order)
    offered = {mark for cls in order.values() for mark in _marks(cls, "provides")}
    seen: set[str] = set()
    proposed: list[str] = []
    while rest:
        ready = next(
            (
                name
                for name, cls in rest.items()
                if all(
                    m.removesuffix("?") in seen or m.removesuffix("?") not in offered for m in _marks(cls, "requires")
                )
            ),
            next(iter(rest)),
        )
        seen |= _marks(rest.pop(ready), "provides")
        proposed.append(ready)
    return proposed


def build(app: ASGIApp, services: Services) -> ASGIApp:
    """Wrap `app` in the configured middlewares, the first of the order outermost."""
    config = services.loaded.config
    for name, cls in reversed(resolve(config).items()):
        configured = getattr(cls, "configured", None)
        if name in config.middleware:
            app = cls(app, **config.middleware[name].options)
        else:
            app = configured(app, services) if configured is not None else cls(app)
    return app


def _marks(cls: type, which: str) -> frozenset[str]:
    return frozenset(getattr(cls, which, ()))


def _misplaced(name: str, mark: str, giver: str | None) -> str:
    if giver is None:
        return f"{name!r} needs {mark}, which nothing in the order provides"
    return f"{name!r} needs {mark} from {giver!r}, which must stand before it"
