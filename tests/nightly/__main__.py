"""`python -m tests.nightly [--examples N] [--minutes N] [--only STEP …]`: what takes hours, one after the other.

    properties ─► fuzz, which keeps its corpora ─► mutation, other mutants each day
               ─► soak ─► 1,000 idle streams for an hour ─► a line each

It ends with 1 where any of them has found something, and needs `pip install --group nightly .`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

__all__ = ["STEPS", "commands", "options", "run"]

STEPS: Final = ("properties", "fuzz", "mutation", "soak", "idle")


def main() -> int:
    """Run all steps, or those that are named."""
    return run(commands(options(sys.argv[1:])))


def options(arguments: Sequence[str]) -> Namespace:
    """Read the budgets."""
    parser = ArgumentParser(prog="python -m tests.nightly", description="Try everything often and long.")
    parser.add_argument("--examples", type=int, default=20_000, help="of each property (default: 20000)")
    parser.add_argument("--minutes", type=float, default=10, help="for each fuzz target (default: 10)")
    parser.add_argument("--sample", type=int, default=300, help="mutants of each module, 0 for all (default: 300)")
    parser.add_argument("--only", nargs="+", choices=STEPS, default=STEPS, metavar="STEP", help=", ".join(STEPS))
    return parser.parse_args(arguments)


def commands(given: Namespace) -> dict[str, tuple[str, ...]]:
    """Say what Python runs for each step."""
    today = f"{datetime.now(UTC).date():%Y%m%d}"
    each = {
        "properties": ("-m", "tests.properties", "--examples", f"{given.examples}"),
        "fuzz": ("-m", "tests.fuzz", "--minutes", f"{given.minutes:g}", "--keep"),
        "mutation": ("-m", "tests.mutation", "--sample", f"{given.sample}", "--seed", today),
        "soak": ("-m", "tests.soak"),
        "idle": ("-m", "tests.soak", "--minutes", "60", "--idle-streams", "1000"),
    }
    return {step: each[step] for step in STEPS if step in given.only}


def run(steps: Mapping[str, Sequence[str]]) -> int:
    """Run one step after the other, and sum up; 1 = something was found."""
    lines: list[str] = []
    codes: list[int] = []
    for step, arguments in steps.items():
        print("+ python", *arguments, flush=True)
        began = time.monotonic()
        codes.append(subprocess.run([sys.executable, *arguments], check=False).returncode)
        verdict = f"it ended with {codes[-1]}, see above" if codes[-1] else "nothing found"
        lines.append(f"{step}: {verdict}, {(time.monotonic() - began) / 60:.1f} min")
    print("", *lines, sep="\n", flush=True)
    return int(any(codes))


if __name__ == "__main__":
    raise SystemExit(main())
