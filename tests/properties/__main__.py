"""`python -m tests.properties [--examples N]`: try every property often; what else is given goes to pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Final

from .examples import COUNT

TESTS: Final = Path(__file__).parents[1]
# T1 to T9, and those that stand with the tests of what they are about: T10, T11 and T12
PLACES: Final = (
    TESTS / "properties",
    TESTS / "gateway" / "test_pipeline.py",
    TESTS / "gateway" / "store" / "test_limits_alike.py",
    TESTS / "adapters" / "test_pool_machine.py",
    # conversations and requests left to chance, of which more are had, too
    TESTS / "walks",
    TESTS / "agreement",
)


def main() -> int:
    """Run them; no property has a time limit here."""
    parser = ArgumentParser(prog="python -m tests.properties", description="Try every property often.")
    parser.add_argument("--examples", type=int, default=20_000, help="of each property (default: 20000)")
    given, rest = parser.parse_known_args()
    often = ("-p", "tests.properties.profiles", "--hypothesis-profile=often")
    command = [sys.executable, "-m", "pytest", "--timeout=0", *often, *rest]
    if not any(Path(one.partition("::")[0]).exists() for one in rest):
        command += map(str, PLACES)
    return subprocess.run(command, env=os.environ | {COUNT: str(given.examples)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
