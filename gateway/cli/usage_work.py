"""The work of `gateway usage`: fill the ledger from this machine's journals, and sum it up."""

import time
from typing import TYPE_CHECKING, Final

import click

from gateway.admin.usage import as_json
from gateway.config import ConfigError, Loaded, Problem
from gateway.ledger import DAMAGED, store_of
from gateway.legible import legible
from gateway.periods import read_moment
from gateway.store.folder import unusable
from gateway.store.reports import By, Report, Sums
from gateway.store.stored import KeyProblem, StoreFailed, reason_of

if TYPE_CHECKING:
    from gateway.store.usage import UsageStore

__all__ = ["as_json", "report", "table"]

_HEAD: Final = ("REQUESTS", "ERRORS", "INPUT", "CACHED", "OUTPUT", "REASONING", "USD")


def report(loaded: Loaded, by: By, since: str | None, until: str | None) -> Report:
    """Make a report of all that has ended; raise ConfigError."""
    now = time.time()
    begin = _moment("--since", since, now)
    end = _moment("--until", until, now, end=True)
    if begin is not None and end is not None and begin >= end:
        raise ConfigError([Problem("--since", None, "must be before --until")])
    store = _store(loaded)
    if store is None:
        return Report(by=by, since=begin, until=end, rows=[], total=Sums())
    try:
        unfilled = _unfilled(store)
        found = store.report(by, begin, end)
    except KeyProblem as problem:
        raise ConfigError([loaded.problem(("store", "encryption_key"), str(problem))]) from None
    except StoreFailed as error:
        raise ConfigError([Problem("the ledger", None, str(error))]) from None
    finally:
        store.close()
    for name in sorted(store.take_damaged()):
        click.echo(f"warning: {DAMAGED}: {name}", err=True)
    if unfilled:
        click.echo(f"warning: requests that this machine has not saved there yet are missing: {unfilled}", err=True)
    return found


def _unfilled(store: "UsageStore") -> str:
    """Fill the ledger; say why that cannot be, "" = it is. Raise KeyProblem."""
    try:
        store.fill()
    except (StoreFailed, OSError) as error:  # it may still be read
        return reason_of(error)
    return ""


def _store(loaded: Loaded) -> "UsageStore | None":
    """Give the ledger; None while nothing was written. Raise ConfigError where nobody can know that."""
    data = loaded.resolve(loaded.config.server.data_dir)
    try:
        store = store_of(loaded)
        why = unusable(data, b"") if store is None else ""  # a full disk hides nothing
    except OSError as error:
        store, why = None, f"{data}: {error.strerror}"
    if why:
        raise ConfigError([loaded.problem(("server", "data_dir"), f"cannot be used: {why}; nothing is stored there")])
    return store


def _moment(option: str, given: str | None, now: float, *, end: bool = False) -> float | None:
    try:
        return None if given is None else read_moment(given, now, end=end)
    except ValueError as error:
        raise ConfigError([Problem(option, None, str(error))]) from None


def table(report: Report) -> str:
    """Write a table with a line for each name, and the sums."""
    if not report.rows:
        return "no requests in this period"
    lines = [(report.by.upper(), *_HEAD), *map(_line, report.rows), _line(report.total, "total")]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines)


def _line(row: Sums, name: str = "") -> tuple[str, ...]:
    counts = (row.requests, row.errors, row.input_tokens, row.cached_tokens, row.output_tokens, row.reasoning_tokens)
    cost = "?" if row.usd is None and row.unpriced else f"{row.usd or 0.0:.4f}" + "+" * bool(row.unpriced)
    return (name or legible(row.name or "-"), *map(str, counts), cost)
