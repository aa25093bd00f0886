"""Write the numbers as Prometheus reads them, in its own text or in OpenMetrics."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, TypeAlias

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gateway import __version__
from gateway.histogram import BOUNDS_S
from gateway.middleware.families import FAMILIES, Family
from gateway.middleware.scrape import Standing
from gateway.store.tally import Totals

__all__ = ["exposition"]

_Rows: TypeAlias = Sequence[tuple[Sequence[str], Sequence[float]]]

_PREFIX: Final = "gateway_"
_BOUNDS: Final = (*map(str, BOUNDS_S), "+Inf")
_KEY: Final = msgspec.json.Decoder(list[str])


def exposition(totals: Totals, standing: Standing, accept: str) -> tuple[bytes, str]:
    """Give the body and its media type."""
    encode, media_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(totals, standing))
    return encode(registry), media_type


class _Numbers(Collector):
    def __init__(self, totals: Totals, standing: Standing) -> None:
        self._totals = totals
        self._standing = standing

    def collect(self) -> Iterator[Metric]:
        """Give one metric after the other."""
        rows: defaultdict[str, list[tuple[Sequence[str], Sequence[float]]]] = defaultdict(list)
        for key, values in sorted(self._totals.values.items()):
            name, *labels = _KEY.decode(key)
            rows[name].append((labels, values))
        for family in FAMILIES:
            yield _WRITERS[family.kind](family, rows[family.name])
        yield self._credentials()
        yield self._cooldowns()
        if self._standing.redis is not None:
            yield _one("redis_up", "Whether Redis responds to the worker that answers here.", self._standing.redis)
        if self._standing.rejected is not None:
            help_ = "Whether the configuration file is now invalid, so that the previous configuration stays in use."
            yield _one("config_rejected", help_, self._standing.rejected)
        yield _one("workers", "Processes that count together.", self._totals.workers)
        yield InfoMetricFamily(f"{_PREFIX}build", "The version of the gateway.", {"version": __version__})

    def _credentials(self) -> Metric:
        help_ = "Credentials by state, as seen by the worker that answers here."
        made = GaugeMetricFamily(f"{_PREFIX}credentials", help_, labels=["upstream", "state"])
        for upstream, states in self._standing.states.items():
            for state, count in states.items():
                made.add_metric([upstream, state], count)
        return made

    def _cooldowns(self) -> Metric:
        help_ = "Current cooldowns of credentials for a model, as seen by the worker that answers here."
        made = GaugeMetricFamily(f"{_PREFIX}cooldowns", help_, labels=["upstream"])
        for upstream, count in self._standing.cooldowns.items():
            made.add_metric([upstream], count)
        return made


def _one(name: str, help_: str, value: float) -> Metric:
    made = GaugeMetricFamily(_PREFIX + name, help_)
    made.add_metric([], value)
    return made


def _counter(family: Family, rows: _Rows) -> Metric:
    made = CounterMetricFamily(_PREFIX + family.name, family.help, labels=family.labels)
    for labels, (value,) in rows:
        made.add_metric(labels, value)
    return made


def _gauge(family: Family, rows: _Rows) -> Metric:
    made = GaugeMetricFamily(_PREFIX + family.name, family.help, labels=family.labels)
    for labels, (value,) in rows or [([], [0.0])]:
        made.add_metric(labels, value)
    return made


def _histogram(family: Family, rows: _Rows) -> Metric:
    made = HistogramMetricFamily(_PREFIX + family.name, family.help, labels=family.labels)
    for labels, (*counts, total) in rows:
        made.add_metric(labels, list(zip(_BOUNDS, accumulate(counts), strict=True)), total)
    return made


_WRITERS: Final = {"counter": _counter, "gauge": _gauge, "histogram": _histogram}
