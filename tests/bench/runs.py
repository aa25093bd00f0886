"""Made-up runs: every scenario of a round has the same figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bench.figures import Figures, Host, Report, Start
from bench.scenarios import EVERY, Scenario

__all__ = ["HOST", "RIGHT", "changed", "run_of"]

HOST = Host(python="3.11.7", cores=2, load=(0.1, 0.2, 0.3), measured=[0], rest=[1], versions={"peer": "1.2"})
RIGHT = Figures(
    cpu_us=20.0,
    first_p50_ms=0.20,
    first_p99_ms=1.0,
    whole_p50_ms=0.20,
    whole_p99_ms=1.0,
    chunk_p50_ms=0.10,
    chunk_p99_ms=1.0,
    late=1.01,
    open_kb=20.0,
    rss_mb=90.0,
    others=0.02,
    answers=1,
    errors={},
)


def run_of(
    systems: Mapping[str, Sequence[Figures]], *, quick: bool = False, scenarios: Iterable[Scenario] = EVERY.values()
) -> Report:
    """Make a run of these scenarios, all unless told otherwise."""
    rounds = [
        {scenario.name: dict(zip(systems, measured, strict=True)) for scenario in scenarios}
        for measured in zip(*systems.values(), strict=True)
    ]
    starts = {name: Start(ready_s=0.4, rss_mb=80.0) for name in systems}
    decoded = {"chat": 4.0, "gemini": 8.0}
    return Report(pair="chat-gemini", host=HOST, quick=quick, starts=starts, rounds=rounds, decode_ms=decoded)


def changed(**figures: object) -> Figures:
    """Change figures."""
    return msgspec.structs.replace(RIGHT, **figures)
