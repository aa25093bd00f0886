"""Build the stack of middlewares from `[pipeline] order`, and refuse an order that cannot work.

A middleware class says what it `provides` to those inside it and what it `requires` from those outside it. A
requirement that ends in `?` holds only when something in the order provides it.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from inspect import Parameter, signature
from operator import attrgetter
from typing import Literal, Protocol, cast

from msgspec.structs import replace
from starlette.types import ASGIApp

from gateway.config import Config, ConfigError, KeyPath, Loaded, PipelineConfig, Problem
from gateway.config.problems import class_of, did_you_mean, one_line
from gateway.gate import Gate
from gateway.registry import load, names, path_of
from gateway.services import Services

__all__ = ["Middleware", "Unusable", "build", "misordered", "propose", "resolve", "violations"]

_REQUIRED = ("protocol", "model_map")
_WATCHING = ("request_id", "access_log", "metrics")  # they see what the gate refuses, too
_ORDER: KeyPath = ("pipeline", "order")
_DEFAULT = PipelineConfig().order
_NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


class Middleware(Protocol):
    """What the builder reads off a middleware class; foreign ones may leave both out."""

    provides: frozenset[str]
    requires: frozenset[str]


class Unusable(Exception):
    """A middleware of somebody else's cannot be taken; the message says why."""


def resolve(config: Config) -> dict[str, type]:
    """Import every middleware that the order names, in order; raise Unusable."""
    return {name: _class(name, config) for name in config.pipeline.order}


def misordered(loaded: Loaded) -> list[Problem]:
    """Say what is wrong with the configured order, with an order that works; [] = it works."""
    config, problems, order, whole = _without_tables_of_ours(loaded.config), list[Problem](), dict[str, type](), True
    for index, name in enumerate(config.pipeline.order):
        try:
            if name in config.pipeline.order[:index]:
                problems.append(loaded.problem((*_ORDER, index), f'"{name}" is listed twice'))
            elif _is_known(name, config):
                order[name] = _class(name, config)
            else:  # loading tells of it
                whole = False
                order |= _meant(name)
        except Unusable as error:
            whole = False
            problems.append(loaded.problem(_place(name, config, "use"), str(error)))
    anonymous = config.auth.allow_anonymous == "always"
    found = violations(order, anonymous=anonymous, whole=whole)
    way = _way_out(order, anonymous=anonymous) if found and whole else ""
    problems += [loaded.problem(_ORDER, text + way) for text in found]
    for name in dict.fromkeys(config.pipeline.order):
        if name in order:
            where = _place(name, config, "options")
            problems += [loaded.problem(where, text) for text in _misfits(name, order[name], config)]
    return problems


def _without_tables_of_ours(config: Config) -> Config:
    """Leave out each [middleware.NAME] of a built-in one: loading refuses it, and the order means ours all the same."""
    return replace(config, middleware={name: own for name, own in config.middleware.items() if name not in _DEFAULT})


def _is_known(name: str, config: Config) -> bool:
    """Tell whether it could be a middleware."""
    own = config.middleware.get(name)
    return ":" in own.use if own else ":" in name or name in names("gateway.middleware")


def _meant(name: str) -> dict[str, type]:
    """Give the built-in middleware that a misspelt name may mean."""
    close = get_close_matches(name, names("gateway.middleware"), 1)
    return {each: cast(type, load("gateway.middleware", each)) for each in close}


def _way_out(order: Mapping[str, type], *, anonymous: bool) -> str:
    """Show an order that works, with what must not be left out, if there is one."""
    complete = list(order)
    for name in _needed(anonymous=anonymous):
        if name not in order:
            inside = _DEFAULT[_DEFAULT.index(name) :]
            complete.insert(next((n for n, other in enumerate(complete) if other in inside), len(complete)), name)
    whole = {name: order.get(name) or cast(type, load("gateway.middleware", name)) for name in complete}
    proposed = propose(whole)
    works = not violations({name: whole[name] for name in proposed}, anonymous=anonymous)
    return f"; an order that works: {proposed}" if works else ""


def _needed(*, anonymous: bool) -> tuple[str, ...]:
    return _REQUIRED if anonymous else ("auth", *_REQUIRED)


def _place(name: str, config: Config, key: Literal["use", "options"]) -> KeyPath:
    """Say which key of the configuration names a middleware of somebody else's, or gives its options."""
    own = config.middleware.get(name)
    if own is None:
        return (*_ORDER, config.pipeline.order.index(name))
    return ("middleware", name, key if own.options else "use")


def _class(name: str, config: Config) -> type:
    if name in config.middleware:
        return _imported(config.middleware[name].use)
    return _imported(path_of("gateway.middleware", name) if name in names("gateway.middleware") else name)


def _imported(path: str) -> type:
    """Import `package.module:Class`."""
    where, _, name = path.partition(":")
    try:
        module = import_module(where)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{where}.".startswith(f"{error.name}."):
            raise Unusable(f'"{where}" cannot be imported: {one_line(error)}') from error
        raise Unusable(f'Python finds no module "{error.name}"; install it, or add its folder to PYTHONPATH') from None
    except Exception as error:  # whatever a module of somebody else's does while it is imported
        raise Unusable(f'"{where}" cannot be imported: {one_line(error)}') from error
    try:
        found = attrgetter(name)(module)
    except AttributeError:
        raise Unusable(f'"{where}" has no "{name}"{did_you_mean(name, vars(module))}') from None
    if not callable(found):
        raise Unusable(f'"{path}" is {class_of(found)}, not a class that takes the app')
    if isinstance(found, type) and not any("__call__" in vars(base) for base in found.__mro__):
        raise Unusable(f'"{path}" is not an ASGI middleware: it needs `async def __call__(self, scope, receive, send)`')
    for which in ("provides", "requires"):
        if not _are_words(getattr(found, which, ())):
            raise Unusable(f'"{path}" has a `{which}` that is not a set of names, such as frozenset({{"principal"}})')
    return cast(type, found)  # or a function that makes one


def _are_words(given: object) -> bool:
    if not isinstance(given, set | frozenset | tuple | list):
        return False
    return all(isinstance(word, str) for word in cast(Iterable[object], given))  # of somebody else's, who types nothing


def _misfits(name: str, cls: type, config: Config) -> Iterator[str]:
    """Say which options a middleware of somebody else's does not take, and which it misses."""
    if hasattr(cls, "configured") and name not in config.middleware:
        return
    try:
        parameters = list(signature(cls).parameters.values())
    except ValueError:  # written in C
        return
    if not parameters or parameters[0].kind in (Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD):
        yield f"{cls.__name__} does not take the app as its first argument"
        return
    own = config.middleware.get(name)
    given = own.options if own else {}
    known = {each.name: each for each in parameters[1:] if each.kind in _NAMED}
    if not any(each.kind is Parameter.VAR_KEYWORD for each in parameters):
        for option in given.keys() - known:
            yield f'{cls.__name__} has no option "{option}"{did_you_mean(option, known)}'
    where = "" if own else "; options go into a [middleware.NAME] with `use`"
    for option, parameter in known.items():
        if parameter.default is Parameter.empty and option not in given:
            yield f'{cls.__name__} needs the option "{option}"{where}'


def violations(order: Mapping[str, type], *, anonymous: bool, whole: bool = True) -> list[str]:
    """Say what is wrong with an order, outermost first; [] = it works.

    `anonymous`: auth.allow_anonymous is "always", so `auth` may be left out. `whole`: there are no others in it
    of which nobody knows what they provide.
    """
    needed = [name for name in _needed(anonymous=anonymous) if name not in order]
    problems = [f"leaves out {name!r}, which is required" for name in needed]
    offered = {mark for cls in order.values() for mark in _marks(cls, "provides")}
    seen: set[str] = {"principal"} if anonymous and "auth" not in order else set()
    for name, cls in order.items():
        for mark in sorted(_marks(cls, "requires")):
            bare = mark.removesuffix("?")
            if bare not in seen and (bare in offered or not mark.endswith("?")):
                giver = next((n for n, c in order.items() if bare in _marks(c, "provides")), None)
                if giver is not None or whole:
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


def build(app: ASGIApp, services: Services, order: Mapping[str, type] | None = None) -> ASGIApp:
    """Wrap `app` in the configured middlewares, or in some of them, the first outermost; raise ConfigError."""
    loaded = services.loaded
    order = resolve(loaded.config) if order is None else order
    gate = next((name for name in reversed([*order]) if name in _WATCHING), None)
    for name, cls in reversed([*order.items()]):
        if name == gate:
            app = Gate(app, services)
        configured = getattr(cls, "configured", None)
        if configured is not None and name not in loaded.config.middleware:
            app = configured(app, services)
        else:
            app = _made(name, cls, app, loaded)
    return app if gate is not None else Gate(app, services)


def _made(name: str, cls: type, app: ASGIApp, loaded: Loaded) -> ASGIApp:
    """Give a middleware its options."""
    own = loaded.config.middleware.get(name)
    where = _place(name, loaded.config, "options")
    try:
        made = cls(app, **(own.options if own else {}))
    except Exception as error:  # whatever a class of somebody else's says to its options
        raise ConfigError([loaded.problem(where, f"{cls.__name__} cannot be made: {one_line(error)}")]) from error
    if not callable(made):
        raise ConfigError([loaded.problem(where, f"{cls.__name__} made {class_of(made)}, not an ASGI app")])
    return cast(ASGIApp, made)


def _marks(cls: type, which: str) -> frozenset[str]:
    return frozenset(getattr(cls, which, ()))


def _misplaced(name: str, mark: str, giver: str | None) -> str:
    if giver is None:
        return f"{name!r} needs {mark}, which nothing in the order provides"
    return f"{name!r} needs {mark} from {giver!r}, which must come before it"
