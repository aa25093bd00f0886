"""The command line of a run."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.figures import ROUNDS
from bench.pairs import PAIRS
from bench.peers import PEERS
from bench.scenarios import EVERY, SCENARIOS, Scenario

__all__ = ["QUICK", "read_options", "scenarios_of"]

QUICK = 10  # `--quick` asks this many times less
ALL = "all"
FULL = ("chat-gemini", "anthropic-gemini", "responses-chat", "chat-anthropic")


def read_options(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; exit with 2 when it asks for what cannot be."""
    options = _parser().parse_args(words)
    options.peers = _named(options.peers or ([ALL] if options.full else []), PEERS)
    served = [name for name in PAIRS if _served(name, options.peers)]
    options.pairs = _named(options.pairs or (FULL if options.full else _common(options.peers)), served)
    return options


def scenarios_of(options: argparse.Namespace, number: int) -> list[Scenario]:
    """Give the scenarios of one of the pairs, by its number: a full run has every scenario for the first."""
    usual = [scenario.key for scenario in SCENARIOS]
    keys = options.scenarios or ([ALL] if options.full and number == 0 else usual)
    chosen = [EVERY[key] for key in _named(keys, EVERY)]
    return [one.divided(QUICK) for one in chosen] if options.quick else chosen


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description="Gateway against pass-through and peers.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help=f"ask {QUICK} times less")
    parser.add_argument("--full", action="store_true", help="all peers, all scenarios, four pairs; about half an hour")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the verdicts and every figure of every round")
    parser.add_argument(
        "--app", default="", metavar="MODULE:APP", help="an ASGI app in the gateway's place, under uvicorn"
    )
    for name, known, what in (
        ("peer", PEERS, "compare with these as well"),
        ("pair", PAIRS, "one run each"),
        ("scenario", EVERY, "what is asked"),
    ):
        choices = [*known, ALL]
        words = f"{what}: {', '.join(choices)}"
        parser.add_argument(
            f"--{name}s", nargs="+", choices=choices, default=[], metavar=name.upper(), help=words.replace("%", "%%")
        )
    parser.add_argument("--install-size", action="store_true", help="measure what pip installs; needs a package index")
    return parser


def _named(asked: Iterable[str], known: Iterable[str]) -> list[str]:
    """Give each name once; `all` are all."""
    asked = list(asked)
    return list(known) if ALL in asked else list(dict.fromkeys(asked))


def _served(pair: str, peers: Sequence[str]) -> bool:
    """Whether there is anything to compare with, for this pair."""
    others = [PEERS[name] for name in peers if not PEERS[name].floor]
    return not others or any(peer.serves(pair) for peer in others)


def _common(peers: Sequence[str]) -> list[str]:
    """Give the first pair that all of them serve."""
    return [name for name in PAIRS if all(PEERS[peer].serves(name) for peer in peers)][:1]
