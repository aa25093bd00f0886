"""Pages of the list of models, the newest first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from multidict import MultiMapping

from tests.fakes.anthropic_api_errors import bad
from tests.fakes.anthropic_api_models import describe, listed

__all__ = ["page"]

Json = dict[str, Any]

USUAL, MOST = 20, 1000


def page(names: Iterable[str], query: MultiMapping[str]) -> Json:
    """Give the page that is asked for."""
    known = {"after_id", "before_id", "limit", "lifecycle", "lifecycle[]", "beta"}
    unknown = next((name for name in query if name not in known), None)
    if unknown is not None:
        raise bad(unknown, "Extra inputs are not permitted")
    stages = [*query.getall("lifecycle", []), *query.getall("lifecycle[]", [])] or ["active", "deprecated"]
    models = sorted((describe(name) for name in names), key=lambda model: model.made, reverse=True)
    entries = [listed(model) for model in models if model.lifecycle in stages]
    shown, more = _cut(entries, query)
    return {
        "data": shown,
        "has_more": more,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }


def _cut(entries: list[Json], query: MultiMapping[str]) -> tuple[list[Json], bool]:
    size = _size(query.get("limit"))
    ids = [entry["id"] for entry in entries]
    after, before = query.get("after_id"), query.get("before_id")
    if after and before:
        raise bad("", "Only one of `after_id` and `before_id` may be given.")
    for name, cursor in (("after_id", after), ("before_id", before)):
        if cursor and cursor not in ids:
            raise bad(name, f"{cursor} not found")
    if before:
        ahead = entries[: ids.index(before)]
        return ahead[-size:], len(ahead) > size
    rest = entries[ids.index(after) + 1 :] if after else entries
    return rest[:size], len(rest) > size


def _size(limit: str | None) -> int:
    if limit is None:
        return USUAL
    if not limit.lstrip("-").isdigit():
        raise bad("limit", "Input should be a valid integer, unable to parse string as an integer")
    if int(limit) < 1:
        raise bad("limit", "Input should be greater than or equal to 1")
    if int(limit) > MOST:
        raise bad("limit", f"Input should be less than or equal to {MOST}")
    return int(limit)
