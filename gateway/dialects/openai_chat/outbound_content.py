"""What an upstream's answer consists of besides plain words: parts of a content, pictures, and sources.

    {"type": "text", "text"}   {"type": "image_url", "image_url": {"url"}}   {"type": "refusal", "refusal"}
    {"type": "thinking", "thinking": "…" | [{"text"}]}                       Mistral
    {"type": "reasoning", "summary": [{"type": "summary_text", "text"}]}     Databricks

Sources are annotations of the words, or stand beside the whole answer: search_results with titles and citations,
which are addresses, at Perplexity; citations alone at xAI.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct, UnsetType

from gateway.dialects.raw import RAWS, TEXT, read

__all__ = ["Part", "Source", "read_annotations", "read_part", "read_pictures", "read_sources", "read_thought"]


class _Address(Struct):
    url: str


class Part(Struct):
    """A part of a content, as far as it is known."""

    text: str | None = None
    thinking: str | list[Raw] | None = None
    summary: str | list[Raw] | None = None
    refusal: str | None = None
    image_url: _Address | None = None

    @property
    def thoughts(self) -> Iterator[str]:
        """What of it is thought."""
        for given in (self.thinking, self.summary):
            yield from read_thought(given)


class _Picture(Struct):
    image_url: _Address


class Source(Struct):
    """Where words are from; its place counts characters of them."""

    url: str
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class _Annotation(Struct):
    url_citation: Source


_PART: Final = msgspec.json.Decoder(Part)
_PICTURES: Final = msgspec.json.Decoder(list[_Picture])
_ANNOTATION: Final = msgspec.json.Decoder(_Annotation)
_SOURCE: Final = msgspec.json.Decoder(Source)


def read_thought(given: str | list[Raw] | None) -> Iterator[str]:
    """Give what such a part says."""
    if isinstance(given, str):
        yield given
    for inner in given if isinstance(given, list) else ():
        yield read_part(inner).text or ""


def read_part(raw: Raw) -> Part:
    """Read a part; one of another form says nothing."""
    return read(raw, _PART) or Part()


def read_pictures(raw: Raw) -> list[str]:
    """Give the addresses of pictures."""
    return [picture.image_url.url for picture in read(raw, _PICTURES) or ()]


def read_annotations(raw: Raw) -> Iterator[Source]:
    """Read the sources among the annotations of a message."""
    for one in read(raw, RAWS) or ():
        annotation = read(one, _ANNOTATION)
        if annotation is not None:
            yield annotation.url_citation


def read_sources(*given: Raw | UnsetType) -> Sequence[Source]:
    """Read the sources of a whole answer, each once: those of the first list that has some."""
    for raw in given:
        found = {source.url: source for one in read(raw, RAWS) or () if (source := _source(one)) is not None}
        if found:
            return tuple(found.values())
    return ()


def _source(raw: Raw) -> Source | None:
    url = read(raw, TEXT)
    return read(raw, _SOURCE) if url is None else Source(url)
