"""What an upstream has searched the web for, by its own words.

groundingMetadata   webSearchQueries   Gemini
web_search_call     action             OpenAI Responses
server_tool_use     input              Anthropic
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct
from msgspec.json import Decoder

from gateway import ir
from gateway.dialects.raw import read

__all__ = ["Search", "read_queries", "searched"]


class Search(Struct, gc=False, frozen=True):
    """A search of the web that took place: what for, and the titles of what was found, by URL."""

    queries: tuple[str, ...]
    found: Mapping[str, str]


class _Query(Struct, gc=False):
    query: str | None = None
    queries: list[str] | None = None


class _Searched(Struct, gc=False, rename="camel"):
    web_search_queries: list[str] | None = None


class _Call(Struct, gc=False):
    action: _Query | None = None


class _Use(Struct, gc=False):
    name: str = ""
    input: _Query | None = None


_SAYING: Final[Mapping[str, Decoder[_Searched | _Call | _Use]]] = {
    "groundingMetadata": Decoder(_Searched),
    "web_search_call": Decoder(_Call),
    "server_tool_use": Decoder(_Use),
}


def searched(
    sources: Collection[ir.CitationDelta], opaque: Collection[ir.OpaqueEvent], request: ir.Request
) -> Search | None:
    """Tell what was searched for and found; None where nothing was, or the caller has asked for no search."""
    if not (sources or opaque) or not any(tool.builtin == "web_search" for tool in request.tools):
        return None
    queries = read_queries(opaque)
    found = {source.url: source.title for source in sources}
    return Search(queries, found) if queries or found else None


def read_queries(opaque: Iterable[ir.OpaqueEvent]) -> tuple[str, ...]:
    """Read what was searched for, each thing once; nothing where it is spelt otherwise."""
    return tuple(dict.fromkeys(query for event in opaque for query in _queries(event) if query))


def _queries(event: ir.OpaqueEvent) -> Iterator[str]:
    decoder = _SAYING.get(event.kind)
    if decoder is None:
        return
    match read(event.value, decoder):
        case _Searched(web_search_queries=queries):
            yield from queries or ()
        case _Call(action=_Query() as asked) | _Use(name="web_search", input=_Query() as asked):
            yield from asked.queries or (asked.query or "",)
        case _:  # another service, a page that was opened, or something else
            pass
