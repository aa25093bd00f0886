"""What `gateway run` refuses of a configuration besides what loading does, each thing at the place that gave it."""

from collections.abc import Iterator
from importlib import import_module

from gateway.cli.itself import calls_to_itself
from gateway.config import Loaded, Problem

__all__ = ["closed_log", "refused_bind", "unfit"]


def unfit(found: Loaded) -> list[Problem]:
    """Say what stands in the way of a start; this loads every middleware. Nothing is made."""
    itself = (found.problem(path, message) for path, message in calls_to_itself(found.config))
    return [*import_module("gateway.fit").problems_of(found), *closed_log(found), *itself]


def refused_bind(found: Loaded, refusal: str | None) -> list[Problem]:
    """Give the refusal of an address, if there is one, the place of the address."""
    return [] if refusal is None else [found.source(("server", "host")).problem(refusal)]


def closed_log(found: Loaded) -> Iterator[Problem]:
    """Say why log.file cannot be written."""
    log = found.config.log
    if not log.file:
        return
    try:
        file = import_module("gateway.logfile").path_of(log.file, found.folder)
    except RuntimeError:  # a home folder that is unknown here, of which loading tells
        return
    why = import_module("gateway.store.folder").closed(file)
    if why:
        yield found.problem(("log", "file"), f"cannot be opened: {why}")
