"""Inputs that are kept: files of one input a line, as JSON text whose letters are its bytes.

corpus/TARGET.jsonl         what reaches much, chosen anew by each run with --keep
corpus/found/TARGET.jsonl   what a reader has failed on; nothing is ever taken away
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

__all__ = ["BUDGET", "keep", "keep_findings", "kept"]

BUDGET: Final = 11_000  # bytes of one file

_LONGEST: Final = 2_000
_FOLDER: Final = Path(__file__).parent / "corpus"
_FOUND: Final = _FOLDER / "found"


def kept(target: str) -> list[bytes]:
    """Give the inputs that are kept for a target."""
    lines = [line for folder in (_FOLDER, _FOUND) for line in _lines(folder / f"{target}.jsonl")]
    return [json.loads(line).encode("latin-1") for line in lines]


def keep(target: str, inputs: Iterable[bytes], *, begun: Iterable[bytes] = ()) -> int:
    """Keep small inputs of all sizes, as far as there is room, but those that each run begins with; give how many."""
    lines = {_line(data) for data in {*inputs} - {*begun}}
    small = sorted((line for line in lines if len(line) <= _LONGEST), key=lambda line: (len(line), line))
    step = max(1, -(-sum(map(len, small)) // BUDGET))
    chosen = small[::step]
    while sum(len(line) + 1 for line in chosen) > BUDGET:
        chosen.pop()
    _write(_FOLDER / f"{target}.jsonl", chosen)
    return len(chosen)


def keep_findings(target: str, inputs: Iterable[bytes]) -> None:
    """Keep what a reader has failed on."""
    file = _FOUND / f"{target}.jsonl"
    lines = [*_lines(file), *map(_line, inputs)]
    if lines:
        _write(file, list(dict.fromkeys(lines)))


def _line(data: bytes) -> str:
    return json.dumps(data.decode("latin-1"))


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def _write(file: Path, lines: Iterable[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines))
