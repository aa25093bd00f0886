"""`python -m tests.mutation [MODULE …] [--sample N] [--seed S]`: would the tests notice a change of the code?

    a copy of the tree ─► mutmut (`pip install --group mutation .`) ─► the share that is noticed, and what is not

Of each module that is mutated the small tests alone are run, on one core. It exits 1 when they notice less of one than
they used to. Survivors are shown as diffs, and the folder that is named keeps all.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from tempfile import mkdtemp

from .copied import copied
from .modules import MODULES
from .mutants import judged, named, noticed, sample, shown


def main() -> int:
    """Mutate one module after the other."""
    given = _options()
    folder = Path(mkdtemp(prefix="gateway-mutation-"))
    print(f"python -m tests.mutation --sample {given.sample} --seed {given.seed}, in {folder}", flush=True)
    worse = [name for name in given.modules or MODULES if not _mutated(name, folder / name, given)]
    return int(bool(worse))


def _options() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.mutation", description="Would the tests notice a change?")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"one of {', '.join(MODULES)}")
    parser.add_argument("--sample", type=int, default=0, help="draw so many mutants of each module (default: all)")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (default: 1)")
    parser.add_argument("--examples", type=int, default=10, help="of each property (default: 10)")
    given = parser.parse_args()
    unknown = set(given.modules) - set(MODULES)
    if unknown:
        parser.error(f"no such module: {', '.join(sorted(unknown))}")
    return given


def _mutated(name: str, folder: Path, given: Namespace) -> bool:
    """Mutate one module; give whether enough was noticed."""
    began = time.monotonic()
    module = MODULES[name]
    copied(folder, module)
    every = named(folder)
    found = judged(folder, sample(every, given.sample, given.seed), examples=given.examples)
    lost = {mutant: verdict for mutant, verdict in found.items() if not noticed(verdict)}
    for mutant, verdict in lost.items():
        print(f"\n# {verdict}\n{shown(folder, mutant)}", flush=True)
    share = 100 * (1 - len(lost) / len(found))
    took = (time.monotonic() - began) / 60
    told = f"{len(found)} of {len(every)} mutants, {share:.1f} % noticed of at least {module.least} %"
    print(f"{name}: {told}, {took:.1f} min", flush=True)
    return share >= module.least


if __name__ == "__main__":
    sys.exit(main())
