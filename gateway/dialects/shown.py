"""Pictures and code among the words of an answer, for callers whose dialect has no block for them.

    picture ─► ![image](data:image/png;base64,…) ─► what the caller says the model said ─► picture
    code that an upstream ran, what it printed ─► ```python …```

As words they would cost a model a token for a few letters, and show it nothing. Only what is written here is read so:
other Markdown is what somebody said.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from gateway import ir

from .content import media

__all__ = ["OPENING", "data_url", "fenced", "link", "markdown", "picture", "read_shown", "without_pictures"]

_FENCE: Final = re.compile("`+")
OPENING: Final = "![image](data:"
_PICTURE: Final = re.compile(
    r"!\[image\]\((?P<url>data:image/(?:jpeg|png|gif|webp);base64,(?P<data>[A-Za-z0-9+/]+={0,2}))\)"
)


def markdown(media_type: str, data: str) -> str:
    """Give a picture, or what else came, as Markdown."""
    return link(media_type, data_url(media_type, data))


def link(media_type: str, address: str) -> str:
    """Give what stands at an address as Markdown."""
    kind = media_type.partition("/")[0]
    return f"{'!' if kind == 'image' else ''}[{kind}]({address})"


def picture(url: str, path: str) -> ir.TextDelta | ir.MediaChunk:
    """Give what an answer shows at an address: the picture itself where that holds it; raise InvalidRequest."""
    found = media(url=url, path=path, any_type=True)
    if found.data is None:
        return ir.TextDelta(link("image/*", url))
    return ir.MediaChunk(media_type=found.media_type, data=found.data)


def data_url(media_type: str, data: str) -> str:
    """Give media as an address that holds it."""
    return f"data:{media_type};base64,{data}"


def fenced(label: str, text: str) -> str:
    """Give code, or what it printed, as Markdown; the fence is longer than those inside."""
    fence = "`" * max(3, 1 + max(map(len, _FENCE.findall(text)), default=0))
    return f"\n{fence}{label}\n{text.rstrip()}\n{fence}\n"


def read_shown(said: ir.Text, path: str) -> Sequence[ir.Text | ir.Media]:
    """Part the words of a model from the pictures among them; a mark of the cache is on the last part."""
    if OPENING not in said.text:
        return (said,)
    *parts, last = _parted(said.text, path)
    return (*parts, replace(last, mark=said.mark))


def without_pictures(text: str, path: str) -> tuple[str, list[ir.Media]]:
    """Give the words of a model, and the pictures among them."""
    parts = read_shown(ir.Text(text=text), path)
    pictures = [part for part in parts if isinstance(part, ir.Media)]
    return "".join(part.text for part in parts if isinstance(part, ir.Text)) if pictures else text, pictures


def _parted(text: str, path: str) -> Iterator[ir.Text | ir.Media]:
    end = 0
    for found in _PICTURE.finditer(text):
        if len(found["data"]) % 4 == 0:
            yield from _words(text[end : found.start()])
            yield media(url=found["url"], path=path)
            end = found.end()
    yield from _words(text[end:])


def _words(text: str) -> Iterator[ir.Text]:
    if text.strip():
        yield ir.Text(text=text)
