"""What keys, limits, the ledger and the metrics add to a request: gateways with and without them, in one run.

    python -m bench.added                                    # limits counted by the process
    python -m bench.added --redis redis://127.0.0.1:6379/0   # and by Redis
    python -m bench.added --rounds 30 --pair chat-gemini

Every round puts the same load, whole answers for 16 clients at once, to each of them, one after the other, and waits
for what the ledger puts off. A ratio is of the CPU of the process for each request to that of the gateway without all
four in the same round, and the median of all rounds: a shared machine takes up to twice as long from one minute to the
next. The must is 25 % more.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles

import uvloop

from bench.pairs import PAIRS
from bench.process import pinned
from bench.run import measure
from bench.scenarios import WHOLE_16
from bench.systems import Machine, System, wait_ready

__all__ = ["main", "templates"]

MUST = 1.25
FLOOR = "without"
SLICE = 3  # many short rounds tell more than a few long ones
FILLED_S = 1.25  # the ledger takes its journal into the database every second
BASE = """
[server]
data_dir = "{{folder}}/{name}"
[log]
level = "info"
format = "json"
[pipeline]
order = [{order}]
"""
FOUR = ("auth", "rate_limit", "metrics", "usage")
ALL = ("request_id", "access_log", "metrics", "body_limit", "auth", "rate_limit", "protocol", "model_map", "usage")
REQUESTS = "requests_per_minute = 1_000_000_000\nconcurrent = 1000\n"
AMOUNTS = "tokens_per_minute = 1_000_000_000_000\nusd_per_month = 1_000_000\n"
# what each gateway has of the four, and its limits
PARTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    FLOOR: ((), ""),
    "keys": (("auth",), ""),
    "keys, limits on requests": (("auth", "rate_limit"), REQUESTS),
    "keys, limits on all": (("auth", "rate_limit"), REQUESTS + AMOUNTS),
    "keys, metrics": (("auth", "metrics"), ""),
    "keys, ledger": (("auth", "usage"), ""),
    "all, limits on requests": (FOUR, REQUESTS),
    "all": (FOUR, REQUESTS + AMOUNTS),
}


def templates(redis: str = "") -> dict[str, str]:
    """Write the configuration of each gateway, by what it has."""
    made = {name: _template(name, has, limits) for name, (has, limits) in PARTS.items()}
    for name in ("all, limits on requests", "all") if redis else ():
        shared = f"{name}, Redis"
        made[shared] = _template(shared, *PARTS[name]) + f'[store]\nredis = "{redis}"\n'
    return made


def _template(name: str, has: Sequence[str], limits: str) -> str:
    order = ", ".join(f'"{one}"' for one in ALL if one in has or one not in FOUR)
    keys = 'keys = ["{key}"]\n' if "auth" in has else 'allow_anonymous = "always"\n'
    usage = "" if "usage" in has else "[usage]\nenabled = false\n"
    folder = name.replace(", ", "-").replace(" ", "-")
    return BASE.format(name=folder, order=order) + f"[auth]\n{keys}[limits]\n{limits}{usage}"


async def _rounds(systems: Sequence[System], rounds: int) -> dict[str, list[float]]:
    """Give the CPU µs of a request in each round, by the name of the gateway."""
    load = WHOLE_16.divided(SLICE)
    used: dict[str, list[float]] = {system.name: [] for system in systems}
    for number in range(rounds + 1):
        for system in systems[:: -1 if number % 2 else 1]:
            figures = await measure(system, load, settle_s=FILLED_S)
            if figures.errors:
                raise SystemExit(f"{system.name} gave wrong answers: {figures.errors}")
            if number:  # the first one warms up
                used[system.name].append(figures.cpu_us)
        print(f"round {number} of {rounds} done", file=sys.stderr)
    return used


def main() -> int:
    """Run, and print a line for each gateway; 1 when all four together add more than they may."""
    parser = argparse.ArgumentParser(prog="python -m bench.added", description="What four middlewares add.")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--redis", default="", metavar="URL", help="count limits there as well")
    parser.add_argument("--pair", choices=sorted(PAIRS), default="chat-gemini")
    options = parser.parse_args()
    first, *others = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        machine = Machine({first}, set(others) or {first}, Path(folder), stack, PAIRS[options.pair])
        stack.enter_context(pinned(machine.rest))
        upstream = machine.upstream()
        systems = [
            machine.gateway(upstream, name=name, base=base.replace("{folder}", folder))
            for name, base in templates(options.redis).items()
        ]
        for system in systems:
            uvloop.run(wait_ready(system))
        used = uvloop.run(_rounds(systems, options.rounds))
    ratios = {name: [one / floor for one, floor in zip(all_, used[FLOOR], strict=True)] for name, all_ in used.items()}
    for name, found in ratios.items():
        low, _, high = quantiles(found, n=4)
        line = f"{name:<26}{median(used[name]):8.1f} µs of CPU a request{median(found):7.2f} x"
        print(line if name == FLOOR else f"{line}, half of them {low:.2f} to {high:.2f}")
    return 0 if median(ratios["all"]) <= MUST else 1


if __name__ == "__main__":
    raise SystemExit(main())
