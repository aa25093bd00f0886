"""What callers say of a service of the upstream, in one form for the dialects that can say it (dialects.md §1.4)."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw
from msgspec.json import Decoder

from gateway import ir
from gateway.dialects.known import Closed, read_known
from gateway.dialects.place import Place
from gateway.dialects.raw import NO_LIST

__all__ = [
    "FILTERS",
    "MESSAGES",
    "RESPONSES",
    "Location",
    "SearchContextSize",
    "carried",
    "located",
    "lost_with",
    "option",
    "read_option",
]

SearchContextSize = Literal["low", "medium", "high"]


class Location(Closed, kw_only=True, omit_defaults=True):
    """About where the user is; `country` by its two letters, `timezone` by its name."""

    city: str | None = None
    region: str | None = None
    country: str | None = None
    timezone: str | None = None


class _Placed(Location, kw_only=True, omit_defaults=True):
    """The same beside its type."""

    type: Literal["approximate"] | None = None


_FORMS: Final[Mapping[ir.OptionName, Decoder[Any]]] = {
    "allowed_domains": Decoder(list[str]),
    "blocked_domains": Decoder(list[str]),
    "max_uses": Decoder(int),
    "search_context_size": Decoder(SearchContextSize),
    "user_location": Decoder(_Placed),
}
_NARROWING: Final = ("allowed_domains", "blocked_domains")
# by the caller's words, what can be said of a search
MESSAGES: Final[Mapping[str, ir.OptionName]] = {
    "allowed_domains": "allowed_domains",
    "blocked_domains": "blocked_domains",
    "max_uses": "max_uses",
    "user_location": "user_location",
}
RESPONSES: Final[Mapping[str, ir.OptionName]] = {
    "search_context_size": "search_context_size",
    "user_location": "user_location",
}
FILTERS: Final[Mapping[str, ir.OptionName]] = {"allowed_domains": "allowed_domains"}  # of Responses
_TYPE: Final[dict[str, object]] = {"type": "approximate"}
_encode: Final = msgspec.json.Encoder().encode


def read_option(name: ir.OptionName, raw: Raw, place: Place, at: str) -> ir.Option:
    """Read the option that stands `at` a path below the tool, whose place is given."""
    value = read_known(raw, _FORMS[name], place.at(at))
    if isinstance(value, _Placed):
        value.type = None
    return option(name, value, at)


def option(name: ir.OptionName, value: object, at: str) -> ir.Option:
    """Make an option of what is read already."""
    return ir.Option(name=name, value=Raw(_encode(value)), at=at)


def lost_with(name: str, value: Raw) -> ir.Severity:
    """Say how much is lost with an option: with a list of no domains nothing."""
    return "change" if name in _NARROWING and value != NO_LIST else "hint"


def carried(tool: ir.Tool, known: Collection[ir.OptionName], losses: list[ir.Loss]) -> Iterator[ir.Option]:
    """Give the options that an upstream knows; lose the others."""
    for one in tool.options:
        if one.name in known:
            yield one
        else:
            reason = f"not supported by the {tool.builtin} of this upstream"
            losses.append(ir.Loss(f"{tool.path}.{one.at}", reason, lost_with(one.name, one.value)))


def located(one: ir.Option) -> object:
    """Give an option's value as Messages and Responses have it, where a location stands beside its type."""
    return _TYPE | msgspec.json.decode(one.value) if one.name == "user_location" else one.value
