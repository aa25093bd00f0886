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
    for source, place in zip(reply.citations, places, strict=True):
        own = [at for at, _ in spoken if at == place]
        having = own or [at for at, text in spoken if source.text and source.text in text]
        if spoken:
            cited[(having or [spoken[-1][0]])[-1]].append(source)
    return cited
