"""Every metric, as a scrape shows it, with the labels of its family."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read

from gateway.histogram import BOUNDS_S
from gateway.middleware.exposition import exposition
from gateway.middleware.families import FAMILIES
from gateway.middleware.scrape import Standing
from gateway.store.tally import Totals

from .tables import table

__all__ = ["written"]

_INTRO: Final = """\
# Metrics

What `GET /metrics` shows. [Metrics](../reference.md#metrics) says who may read it, how workers count together, and what
the labels mean.
"""
_OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0"
_SEEN: Final = Standing(states={"openai": {"active": 1}}, cooldowns={"openai": 0}, redis=True, rejected=False)
_SUFFIX: Final = {"counter": "_total", "info": "_info"}
_KINDS: Final = {"info": "gauge"}


def written() -> str:
    """Write the page."""
    bounds = ", ".join(f"{bound:g}" for bound in BOUNDS_S)
    rows = table(("metric", "kind", "labels", "counts"), _rows())
    return f"{_INTRO}\n{rows}\n\nHistograms are in seconds, with the bounds {bounds}.\n"


def _rows() -> Iterator[tuple[str, ...]]:
    labels = {f"gateway_{family.name}": family.labels for family in FAMILIES}
    body, _ = exposition(Totals(values={}, workers=1), _SEEN, _OPENMETRICS)
    metrics: list[Metric] = list(read(body.decode()))  # type: ignore[no-untyped-call]  # it has no types
    for metric in metrics:
        names = labels.get(metric.name) or _of_samples(metric)
        name = f"`{metric.name}{_SUFFIX.get(metric.type, '')}`"
        yield name, _KINDS.get(metric.type, metric.type), ", ".join(f"`{one}`" for one in names), metric.documentation


def _of_samples(metric: Metric) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for sample in metric.samples for name in sample.labels))
