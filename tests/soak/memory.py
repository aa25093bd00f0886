"""How fast the memory of a process grows: a straight line through samples, and how sure it is.

Neighbouring samples say much the same, so the line goes through the means of a few blocks of time, which are about
independent; the margin is that of 95 % for so many.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Mapped", "Slope", "growth", "mapped_mb", "rss_mb", "slope_of"]

BLOCKS = 10
QUANTILE = 2.306  # of Student's t for ten blocks, two of whose freedoms the line has
HOUR_S = 3600
LEAST_S = 240  # what fills up in the first minutes would be a line, too
Sample = tuple[float, float]  # seconds, MB
Mapped = tuple[float, Mapping[str, float]]  # seconds, MB of each mapping


@dataclass(frozen=True)
class Slope:
    """MB an hour, with the margin on each side, and the samples that it stands on."""

    mb_per_hour: float
    margin: float
    samples: int
    minutes: float

    @property
    def least(self) -> float:
        """Give what it is at least, as far as can be told."""
        return self.mb_per_hour - self.margin

    def __str__(self) -> str:
        return f"{self.mb_per_hour:+.2f} ± {self.margin:.2f} MB/h over {self.minutes:.0f} min, {self.samples} samples"


def rss_mb(pid: int) -> float:
    """Give the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    found = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(found.split()[1]) * 1024 / 1e6


def mapped_mb(pid: int) -> Mapping[str, float]:
    """Give the resident memory of a process by what is mapped: "[heap]", "anonymous" or a file's name."""
    found = Counter[str]()
    name = ""
    for line in Path(f"/proc/{pid}/smaps").read_text("utf-8", "replace").splitlines():
        words = line.split(maxsplit=5)
        if not words[0].endswith(":"):  # the head of a mapping: addresses, rights, offset, device, inode, path
            name = Path(words[5]).name if len(words) > 5 else "anonymous"
        elif words[0] == "Rss:":
            found[name] += int(words[1]) * 1024
    return {name: size / 1e6 for name, size in found.items()}


def growth(taken: Sequence[Mapped], warm_s: float) -> dict[str, float]:
    """Give by how many MB each mapping has grown since the warm-up, the most first."""
    late = [sizes for at, sizes in taken if at - taken[0][0] >= warm_s]
    if not late:
        return {}
    grown = {name: late[-1].get(name, 0) - late[0].get(name, 0) for name in {**late[0], **late[-1]}}
    return dict(sorted(grown.items(), key=lambda item: -item[1]))


def slope_of(samples: Sequence[Sample], warm_s: float) -> Slope | None:
    """Draw the line through what came after the warm-up; None when that is too little."""
    first = samples[0][0] if samples else 0.0
    late = [(at, mb) for at, mb in samples if at - first >= warm_s]
    if len(late) < 2 * BLOCKS or late[-1][0] - late[0][0] < LEAST_S:
        return None
    blocks = [_mean(late[len(late) * place // BLOCKS : len(late) * (place + 1) // BLOCKS]) for place in range(BLOCKS)]
    hours, sizes = [at / HOUR_S for at, _ in blocks], [mb for _, mb in blocks]
    line = statistics.linear_regression(hours, sizes)
    missed = sum((mb - line.intercept - line.slope * hour) ** 2 for hour, mb in zip(hours, sizes, strict=True))
    spread = sum((hour - statistics.fmean(hours)) ** 2 for hour in hours)
    error = math.sqrt(missed / (BLOCKS - 2) / spread)
    return Slope(line.slope, QUANTILE * error, len(late), (late[-1][0] - late[0][0]) / 60)


def _mean(block: Sequence[Sample]) -> Sample:
    return statistics.fmean(at for at, _ in block), statistics.fmean(mb for _, mb in block)
