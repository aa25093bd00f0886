"""The work of `gateway models`: ask the upstreams for their lists, and say where each name leads."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from functools import partial

import click
from msgspec import Struct

from gateway.app import Gateway
from gateway.cli.credentials_work import asked, serves
from gateway.cli.options import quiet
from gateway.config import Config, Loaded
from gateway.errors import ModelNotFound
from gateway.resolution import Resolver
from gateway.upstream import Adapter, Listing, Pooling, Target

__all__ = ["Asked", "Model", "Upstream", "ask", "look"]

_WAIT_S = 20.0


class Model(Struct, frozen=True, kw_only=True):
    """A name that callers can use. `upstreams`: where it leads, in the order tried; `variants`: its suffixes."""

    name: str
    upstreams: Sequence[str]
    display_name: str | None
    max_input: int | None
    max_output: int | None
    thinking: bool | None
    variants: Sequence[str]


class Upstream(Struct, frozen=True, kw_only=True):
    """How an upstream is. `trouble`: why its list is not of this moment."""

    name: str
    type: str
    usable: bool
    state: str
    trouble: str | None


class Asked(Struct, frozen=True, kw_only=True):
    """What there is."""

    upstreams: Sequence[Upstream]
    models: Sequence[Model]

    @property
    def usable(self) -> bool:
        """Whether any upstream could serve."""
        return any(upstream.usable for upstream in self.upstreams)


def ask(loaded: Loaded) -> Asked:
    """Ask every upstream that lists its models; raise ConfigError for what cannot be used."""
    return asyncio.run(_ask(Gateway(quiet(loaded))))


async def _ask(gateway: Gateway) -> Asked:
    try:
        await gateway.start()
        return await look(gateway)
    finally:
        await gateway.stop()


async def look(gateway: Gateway) -> Asked:
    """Wait for the lists of a gateway that has started; without any model its upstreams must answer otherwise."""
    troubles = await _troubles(gateway.adapters)
    config = gateway.loaded.config
    models = _models(config, gateway.adapters)
    upstreams = [
        Upstream(
            name=name,
            type=config.upstream[name].type,
            usable=adapter.usable and (bool(models) or await _answers(adapter)),
            state=adapter.state(),
            trouble=troubles.get(name) or None,
        )
        for name, adapter in gateway.adapters.items()
    ]
    return Asked(upstreams=upstreams, models=models)


async def _answers(adapter: Adapter) -> bool:
    """Ask about the credentials of an upstream, which may have models that it does not list."""
    if not isinstance(adapter, Pooling):
        return True
    return any(map(serves, await asked({adapter.name: adapter}, adapter.views())))


async def _troubles(adapters: Mapping[str, Adapter]) -> dict[str, str]:
    """Wait for the lists, together for so long; a terminal sees whose."""
    listing = {name: adapter for name, adapter in adapters.items() if isinstance(adapter, Listing)}
    if listing and sys.stderr.isatty():
        click.echo(f"asking {', '.join(listing)} for models …", err=True)
    return dict(zip(listing, await asyncio.gather(*map(_trouble, listing.values())), strict=True))


async def _trouble(adapter: Listing) -> str:
    try:
        async with asyncio.timeout(_WAIT_S):
            return await adapter.listed()
    except TimeoutError:
        return f"no response within {_WAIT_S:.0f} s"


def _models(config: Config, adapters: Mapping[str, Adapter]) -> list[Model]:
    weighed = (len(rule.weights) for rule in config.models.alias.values())
    resolvers = [Resolver(config, adapters, partial(_nth, place)) for place in range(max(weighed, default=0) or 1)]
    return [
        Model(
            name=name,
            upstreams=list(dict.fromkeys(target.label for one in resolvers for target in _targets(name, one))),
            display_name=info.display_name,
            max_input=info.max_input,
            max_output=info.max_output,
            thinking=info.thinking,
            variants=next((target.variants for target in _targets(name, resolvers[0])), ()),
        )
        for name, info in resolvers[0].listing().items()
    ]


def _nth(place: int, names: Sequence[str], _: Sequence[float]) -> str:
    """Choose among weighted names, each once."""
    return names[min(place, len(names) - 1)]


def _targets(name: str, resolver: Resolver) -> tuple[Target, ...]:
    try:
        return resolver.resolve(name).targets
    except ModelNotFound:
        return ()  # an alias whose model no upstream lists any more
