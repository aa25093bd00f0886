"""Read what `/metrics` says, with Prometheus' own parsers."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

__all__ = ["Numbers"]


class Numbers:
    """The samples of one scrape."""

    def __init__(self, text: str, *, openmetrics: bool = False) -> None:
        read = read_openmetrics if openmetrics else read_text
        self.families: list[Metric] = list(read(text))
        self._samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def get(self, name: str, **labels: str) -> float | None:
        """Give the value of exactly these labels; None when there is no such sample."""
        return self._samples.get((f"gateway_{name}", frozenset(labels.items())))

    def total(self, name: str, **labels: str) -> float:
        """Sum the samples that have these labels."""
        wanted = frozenset(labels.items())
        return sum(value for (at, has), value in self._samples.items() if at == f"gateway_{name}" and wanted <= has)

    def values(self, name: str) -> list[float]:
        """Give the values of all samples."""
        return [value for (at, _), value in self._samples.items() if at == f"gateway_{name}"]

    def labels(self, name: str, label: str) -> set[str]:
        """Give the values that a label has."""
        found: Iterable[frozenset[tuple[str, str]]] = (has for at, has in self._samples if at == f"gateway_{name}")
        return {dict(has)[label] for has in found}
