"""A chart of bars as SVG: a few lines of text that a browser draws, light or dark as its reader likes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

__all__ = ["Bar", "draw"]

WIDTH, LEFT, RIGHT, TOP, ROW, BAR, PAD = 720, 150, 150, 58, 26, 16, 14
STYLE = """
  svg { font: 13px system-ui, sans-serif }
  svg { --paper: #fff; --ink: #222; --ours: #1565c0; --peer: #b0782b; --floor: #8a8f98 }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #1b1e24; --ink: #e4e6ea; --ours: #64b5f6; --peer: #d9a35a; --floor: #7d828c }
  }
  .paper { fill: var(--paper) } text { fill: var(--ink) } .title { font-weight: 600; font-size: 15px }
  .ours { fill: var(--ours) } .peer { fill: var(--peer) } .floor { fill: var(--floor) }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, and what is written behind it."""

    name: str
    value: float
    text: str
    kind: Literal["ours", "peer", "floor"]


def draw(title: str, about: str, bars: Sequence[Bar]) -> str:
    """Draw the bars from short to long, on one linear scale that begins at 0."""
    ordered = sorted(bars, key=lambda bar: bar.value)
    scale = (WIDTH - LEFT - RIGHT) / max(bar.value for bar in ordered)
    height = TOP + ROW * len(ordered) + PAD
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="6"/>',
        f'<text class="title" x="{PAD}" y="24">{escape(title)}</text>',
        f'<text x="{PAD}" y="43">{escape(about)}</text>',
        *(line for number, bar in enumerate(ordered) for line in _bar(bar, TOP + ROW * number, scale)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _bar(bar: Bar, top: int, scale: float) -> list[str]:
    length = max(bar.value * scale, 1)  # a bar too short to be seen would look like none
    base = top + BAR - 3
    return [
        f'<text x="{LEFT - 8}" y="{base}" text-anchor="end">{escape(bar.name)}</text>',
        f'<rect class="{bar.kind}" x="{LEFT}" y="{top}" width="{length:.1f}" height="{BAR}" rx="2"/>',
        f'<text x="{LEFT + length + 8:.1f}" y="{base}">{escape(bar.text)}</text>',
    ]
