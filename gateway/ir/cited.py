"""Tell which text of a whole reply each of its sources is for, so that every dialect says the same."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from .events import CitationDelta, Reply
from .request import Text

__all__ = ["cited_texts"]


def cited_texts(reply: Reply) -> Mapping[int, Sequence[CitationDelta]]:
    """Give the sources of each text by its place among the parts.

    A source is for its own text, else for the last one that has its words, else for the last of any.
    """
    if not reply.citations:
        return {}
    texts = [(at, part.text) for at, part in enumerate(reply.parts) if isinstance(part, Text)]
    spoken = [(at, text) for at, text in texts if text] or texts
    cited: dict[int, list[CitationDelta]] = defaultdict(list)
    places = reply.cited or (-1,) * len(reply.citations)
    own = {at for at, _ in spoken}
    having: dict[str, int] = {}
    for source, place in zip(reply.citations, places, strict=True) if spoken else ():
        if place not in own and source.text not in having:
            having[source.text] = _having(source.text, spoken)
        cited[place if place in own else having[source.text]].append(source)
    return cited


def _having(words: str, spoken: Sequence[tuple[int, str]]) -> int:
    """Give the place of the last text that has these words, else of the last one."""
    return next((at for at, text in reversed(spoken) if words and words in text), spoken[-1][0])
