"""`python -m tests.properties [--examples N]`: try every property often; what else is given goes to pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

from .examples import COUNT


def main() -> int:
    """Run them; no property has a time limit here."""
    parser = ArgumentParser(prog="python -m tests.properties", description="Try every property often.")
    parser.add_argument("--examples", type=int, default=20_000, help="of each property (default: 20000)")
    given, rest = parser.parse_known_args()
    command = [sys.executable, "-m", "pytest", "--timeout=0", *rest]
    if not any(Path(one.partition("::")[0]).exists() for one in rest):
        command.append(str(Path(__file__).parent))
    return subprocess.run(command, env=os.environ | {COUNT: str(given.examples)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
