"""`python -m tests.soak [--minutes 30] [--seed N] [--idle-streams N]`: soak, and print a table of findings.

It exits 1 when there is a finding. The line of parameters that it prints first repeats the run: what callers ask, what
upstreams answer and what goes wrong when are drawn from the seed; how many requests that makes is up to the machine.
"""

from __future__ import annotations

import random
import resource
import tempfile
from argparse import ArgumentParser
from pathlib import Path

from tests.soak.noted import Options
from tests.soak.report import report, table
from tests.soak.soaking import soak


def main() -> int:
    """Run it."""
    parser = ArgumentParser(prog="python -m tests.soak", description="Soak two gateways in load and faults.")
    parser.add_argument("--minutes", type=float, default=30, help="of load and faults (default: 30)")
    parser.add_argument("--seed", type=int, default=None, help="of what is asked and what fails (default: any)")
    parser.add_argument("--idle-streams", type=int, default=0, help="hold so many streams instead, without faults")
    parser.add_argument("--callers", type=int, default=6, help="of each gateway (default: 6)")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if given.seed is None else given.seed
    options = Options(given.minutes, seed, given.idle_streams, given.callers)
    more = f"--idle-streams {options.idle_streams} --callers {options.callers}"
    print(f"python -m tests.soak --minutes {options.minutes:g} --seed {options.seed} {more}", flush=True)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the processes started get it, too
    with tempfile.TemporaryDirectory(prefix="gateway-soak-") as folder:
        lines = report(soak(Path(folder), options), options)
    print(table(lines))
    return int(any(line.findings for line in lines))


if __name__ == "__main__":
    raise SystemExit(main())
